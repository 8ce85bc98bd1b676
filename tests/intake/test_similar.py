"""Which items say nearly the same: by their words, and how many the desk counts."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import func, select

from reviewqueue.core.db import read_session, write_session
from reviewqueue.intake.jobs import find_similar, queued
from reviewqueue.intake.similar import similar_key
from reviewqueue.models import ItemLikeness
from tests.fixtures.people import item


def key(value: object) -> str | None:
    return similar_key(json.dumps(value))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Where is my card?", "where is  MY card", True),
        ("caf\u00e9 now", "CAFE\u0301, now!", True),
        ({"a": "x y", "b": "z"}, ["x", "y z"], True),
        ("snake_case", "snake case", False),
        ("it's 5", "its 5", False),
        ("1.50 paid", "1 50 paid", True),
        ("one", "two", False),
    ],
)
def test_case_spaces_and_punctuation_do_not_count(one, other, same):
    assert (key(one) == key(other)) is same


def test_plain_letters_count_as_they_do_among_others():
    sentence = "".join(map(chr, range(128))) + " A_b9"
    assert key(sentence) == key({"a": sentence, "b": ""})
    assert key([sentence, "\u00e9"]) == key(sentence + " \u00c9")


def test_without_words_there_is_nothing_to_compare():
    assert key({"a": None, "b": "?!"}) is None


def test_the_desk_counts_the_others_of_the_queue(app, client, cast):
    def submit(number: int, text: str) -> str:
        body = item(number, input={"text": text})
        return client.post("/api/v1/items", json=body, headers=cast.submitter.bearer).json["id"]

    with app.app_context():
        texts = ["Where is it?", "where is it", "WHERE, is it", "?"]
        refs = [submit(number, text) for number, text in enumerate(texts)]
        for _ in range(2):
            with write_session() as session:
                find_similar(session=session, items=queued(session, refs))
        with read_session() as session:
            assert session.scalar(select(func.count()).select_from(ItemLikeness)) == 3
    client.post("/login", data={"email": cast.bob.email, "password": cast.bob.password})
    page = client.post("/queues/intents/claims", follow_redirects=True)
    assert "2 in this queue say nearly the same" in page.text
