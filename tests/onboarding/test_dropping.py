"""A dropped table: proposed, changed, refused without loss, and made into a queue that its rows fill."""

from __future__ import annotations

import html
import io
import re
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from reviewqueue.accounts import people
from reviewqueue.core.db import read_session, write_session
from reviewqueue.intake import imports
from reviewqueue.models import Import, Item, Queue
from reviewqueue.models.states import ItemState
from tests.fixtures.people import OPERATOR, Cast

TABLE = """id,text,label,confidence
1,Paid twice,charge_twice,0.91
2,"My card
never came",card_arrival,0.42
3,Where is my card?,card_arrival,0.5
4,Twice again,charge_twice,0.95
"""


@pytest.fixture
def ada(client: Any, cast: Cast) -> Any:
    client.post("/login", data={"email": cast.admin.email, "password": cast.admin.password})
    return client


def drop(ada: Any, text: str | bytes = TABLE, name: str = "My intents.csv") -> Any:
    data = text if isinstance(text, bytes) else text.encode()
    return ada.post("/start/table", data={"file": (io.BytesIO(data), name)})


def form_of(page: Any) -> dict[str, str]:
    """What a browser would send of the page."""
    document = re.search(r'<textarea[^>]*name="document"[^>]*>\r?\n?(.*?)</textarea>', page.text, re.DOTALL)
    data = re.search(r'name="table"[^>]*value="([^"]*)"', page.text)
    assert document
    assert data
    places = re.findall(r'<select name="(place-\d+)".*?</select>', page.text)
    chosen = re.findall(r'<select name="place-\d+".*?value="([^"]*)" selected', page.text)
    return {"document": html.unescape(document[1]), "table": data[1], **dict(zip(places, chosen, strict=True))}


def rows_of(app: Flask, model: Any) -> list[Any]:
    with app.app_context(), read_session() as session:
        return list(session.scalars(select(model).order_by(model.id)))


def store(app: Flask, import_id: str) -> None:
    with app.app_context(), write_session() as session:
        while imports.store_next(session=session, import_id=import_id)[0] is imports.Step.STORED:
            pass


def test_a_table_is_proposed_and_becomes_a_queue_with_its_rows(app: Flask, ada: Any, cast: Cast) -> None:
    page = drop(ada)
    assert page.status_code == 200
    assert "4 rows, tried" in page.text
    assert page.text.count('class="picture"') == 3
    assert [queue.slug for queue in rows_of(app, Queue)] == ["intents"], "nothing is made by looking"
    form = form_of(page)
    assert "name: my-intents" in form["document"]
    form["document"] = form["document"].replace("confidence < 0.8", "confidence < 0.45")
    looked = ada.post("/start/table", data={**form, "what": "preview"})
    assert "confidence &lt; 0.45" in looked.text
    made = ada.post("/start/table", data={**form_of(looked), "what": "apply"})
    assert made.status_code == 303
    (run,) = rows_of(app, Import)
    assert made.headers["Location"] == f"/admin/imports/{run.id}"
    store(app, run.id)
    items = {item.external_id: item for item in rows_of(app, Item)}
    assert {key: item.confidence for key, item in items.items()} == {"1": 0.91, "2": 0.42, "3": 0.5, "4": 0.95}
    assert "card\\nnever" in items["2"].input
    assert items["2"].state is ItemState.QUEUED
    assert rows_of(app, Import)[0].stored == 4
    assert "My intents" in ada.get("/").text, "whoever made it leads it"


def test_nothing_is_lost_when_a_proposal_is_refused(app: Flask, ada: Any) -> None:
    form = form_of(drop(ada, name="Intents.csv"))
    assert "name: intents-2" in form["document"], "the name is free"
    bad = ada.post("/start/table", data={**form, "document": form["document"] + "colour: red\n", "what": "apply"})
    assert bad.status_code == 422
    assert "colour" in bad.text
    kept = form_of(bad)
    assert kept["table"] == form["table"]
    assert kept["document"].replace("\r\n", "\n").endswith("colour: red\n")
    taken = ada.post(
        "/start/table", data={**form, "document": form["document"].replace("intents-2", "intents"), "what": "apply"}
    )
    assert taken.status_code == 409
    assert form_of(taken)["table"] == form["table"]
    assert rows_of(app, Import) == []
    gone = ada.post("/start/table", data={"document": "name: x", "table": "bm9uc2Vuc2U="})
    assert gone.status_code == 422
    assert "Choose it again" in gone.text


def test_columns_can_be_something_else(ada: Any) -> None:
    form = form_of(drop(ada, "one,two\nGood morning,a\nGood evening,b\nGood night,a\nGood bye,b\n", "greetings.csv"))
    assert (form["place-0"], form["place-1"]) == ("input", "output")
    other = ada.post("/start/table", data={**form, "place-0": "output", "place-1": "input", "what": "columns"})
    again = form_of(other)
    assert "type: text" in again["document"]
    assert "name: greetings" in again["document"]
    none = ada.post("/start/table", data={**form, "place-0": "output", "what": "columns"})
    assert none.status_code == 422
    assert "at least one must be shown" in none.text


def test_lines_that_do_not_fit_are_told_by_line_and_column_before_and_after(app: Flask, ada: Any) -> None:
    form = form_of(drop(ada))
    narrow = form["document"].replace("- charge_twice", "- something_else")
    page = ada.post("/start/table", data={**form, "document": narrow, "what": "preview"})
    assert "line 2, column 3" in page.text
    assert "/output/label" in page.text
    ada.post("/start/table", data={**form, "document": narrow, "what": "apply"})
    (run,) = rows_of(app, Import)
    store(app, run.id)
    with app.app_context(), read_session() as session:
        faults = imports.faults_of(session, run.id, after_line=0, limit=10)
    assert [line for line, _ in faults] == [2, 6], "as in the file, whose second row has two lines"


def test_an_import_of_somebody_who_is_shut_out_stores_nothing(app: Flask, ada: Any, cast: Cast) -> None:
    ada.post("/start/table", data={**form_of(drop(ada)), "what": "apply"})
    (run,) = rows_of(app, Import)
    with app.app_context(), write_session() as session:
        spare = people.create(session=session, actor=OPERATOR, email="eve@example.com", role="admin")
        assert spare
        people.disable(session=session, actor=OPERATOR, person_id=cast.admin.id)
    store(app, run.id)
    (run,) = rows_of(app, Import)
    assert (run.state, run.stored) == ("failed", 0)
    assert "no account here any more" in run.error


def test_without_anything_a_model_said_people_start_from_nothing(app: Flask, ada: Any) -> None:
    page = drop(ada, "question\nWhy is the sky blue?\nWhat is a lease?\n", "questions.csv")
    assert "people start from nothing" in page.text
    ada.post("/start/table", data={**form_of(page), "what": "apply"})
    (run,) = rows_of(app, Import)
    store(app, run.id)
    assert ["none_given" in item.failure for item in rows_of(app, Item)] == [True, True]


@pytest.mark.parametrize("data", [b"", b"text,label\nna\xefve,b\n"])
def test_what_cannot_be_read_is_refused_on_the_first_page(ada: Any, data: bytes) -> None:
    page = drop(ada, data)
    assert page.status_code == 422
    assert "What a table looks like" in page.text
