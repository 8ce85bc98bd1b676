"""The decision feed: complete, in order, and resumable, also when commits land out of order."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from reviewqueue.core import http
from reviewqueue.core.db import NOW, WriteSession, append, db, read_session, write_session
from reviewqueue.core.http import cursor_of
from reviewqueue.models import Resolution
from reviewqueue.models.states import ResolvedBy, Verdict
from reviewqueue.resolution import feed
from reviewqueue.resolution.endings import resolution_columns
from tests.desk_steps import decide, submit
from tests.fixtures.postgres import waiting_for_a_lock
from tests.fixtures.processes import until


def number(app: Any) -> int:
    with app.app_context(), write_session() as session:
        return feed.number(session=session)


def read(client: Any, cast: Any, cursor: str | None = None, **more: Any) -> Any:
    query = {"cursor": cursor, **more} if cursor else more
    answer = client.get("/api/v1/queues/intents/resolutions", query_string=query, headers=cast.submitter.bearer)
    assert answer.status_code == 200, answer.text
    return answer


def test_it_tells_what_items_ended_with_and_its_cursor_goes_on_from_there(client, cast, app):
    empty = read(client, cast)
    assert empty.json["resolutions"] == []
    passed = submit(client, cast, number=1, confidence=0.99, external_id="p")
    asked = submit(client, cast, number=2)
    assert read(client, cast).json["resolutions"] == [], "numbered after the commit, by the relay"
    assert number(app) == 1
    first = read(client, cast, empty.json["cursor"])
    [entry] = first.json["resolutions"]
    assert (entry["item"], entry["event"], entry["external_id"]) == (passed["id"], "item.auto_approved", "p")
    assert "Link" not in first.headers
    decide(client, cast.alice, output={"label": "refund"})
    client.post(f"/api/v1/items/{submit(client, cast, number=3)['id']}/cancellation", headers=cast.submitter.bearer)
    assert number(app) == 2
    rest = read(client, cast, first.json["cursor"], limit=1)
    assert [entry["item"] for entry in rest.json["resolutions"]] == [asked["id"]]
    assert rest.json["resolutions"][0]["resolution"]["output"] == {"label": "refund"}
    assert 'rel="next"' in rest.headers["Link"]
    last = read(client, cast, rest.json["cursor"])
    assert [entry["event"] for entry in last.json["resolutions"]] == ["item.cancelled"]
    assert read(client, cast, last.json["cursor"]).json == {"resolutions": [], "cursor": last.json["cursor"]}
    assert number(app) == 0


def test_a_cursor_of_another_list_and_a_foreign_queue_are_refused(client, cast):
    submit(client, cast, number=1)
    submit(client, cast, number=2)
    other = client.get("/api/v1/items?limit=1", headers=cast.submitter.bearer).json["cursor"]
    refused = client.get(f"/api/v1/queues/intents/resolutions?cursor={other}", headers=cast.submitter.bearer)
    assert (refused.status_code, refused.json["code"]) == (422, "bad_cursor")
    assert client.get("/api/v1/queues/intents/resolutions", headers=cast.olga.bearer).status_code == 404


def _resolve(session: Session, queue_id: str, item_id: str, revision: int) -> None:
    columns = resolution_columns(
        item_id=item_id, queue_id=queue_id, revision=revision, by=ResolvedBy.PEOPLE, verdict=Verdict.APPROVE,
        output="{}",
    )  # fmt: skip
    append(session, Resolution, {**columns, "created_at": NOW})


def test_what_was_written_first_and_committed_last_is_not_skipped(client, cast, app):
    item_id = submit(client, cast)["id"]
    with app.app_context():
        if db.engine.dialect.name == "sqlite":
            # One writer at a time: the order of commits is the order of writing.
            with write_session() as session:
                _resolve(session, cast.queue_id, item_id, 1)
                _resolve(session, cast.queue_id, item_id, 2)
        else:
            with WriteSession(db.engine) as early:
                _resolve(early, cast.queue_id, item_id, 1)
                early.send()
                with write_session() as late:
                    _resolve(late, cast.queue_id, item_id, 2)
                assert number(app) == 1
                seen = read(client, cast)
                early.commit()
            assert number(app) == 1
            [entry] = read(client, cast, seen.json["cursor"]).json["resolutions"]
            assert entry["resolution"]["revision"] == 1
    number(app)
    assert sorted(entry["position"] for entry in read(client, cast).json["resolutions"]) == [1, 2]


def test_four_who_read_while_eight_write_miss_nothing_and_see_nothing_twice(client, cast, app):
    ids = [submit(client, cast, number=number)["id"] for number in range(8)]
    over = threading.Event()
    writers, rounds = 8, 12

    def write(place: int) -> None:
        for revision in range(1, rounds + 1):
            with app.app_context(), write_session() as session:
                _resolve(session, cast.queue_id, ids[place], revision)

    def number_until_over() -> None:
        while not over.is_set():
            number(app)

    seen: list[list[tuple[int, str, int]]] = [[] for _ in range(4)]

    def consume(place: int) -> None:
        reader, cursor = app.test_client(), None
        while len(seen[place]) < writers * rounds:
            page = read(reader, cast, cursor, limit=7).json
            cursor = page["cursor"]
            seen[place] += [
                (entry["position"], entry["item"], entry["resolution"]["revision"]) for entry in page["resolutions"]
            ]

    threads = [threading.Thread(target=write, args=(place,)) for place in range(writers)]
    readers = [threading.Thread(target=consume, args=(place,), daemon=True) for place in range(4)]
    numbering = threading.Thread(target=number_until_over)
    for thread in [numbering, *readers, *threads]:
        thread.start()
    for thread in threads:
        thread.join()
    for reader in readers:
        reader.join(60)
    over.set()
    numbering.join()
    wanted = sorted((item_id, revision) for item_id in ids for revision in range(1, rounds + 1))
    for found in seen:
        assert [position for position, _, _ in found] == list(range(1, writers * rounds + 1))
        assert sorted((item_id, revision) for _, item_id, revision in found) == wanted


def test_two_relays_that_both_lead_number_nothing_twice(client, cast, app):
    """The index refuses the second; its transaction changes nothing."""
    submit(client, cast, number=1, confidence=0.99)
    threads = [threading.Thread(target=number, args=(app,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with app.app_context(), read_session() as session:
        assert session.scalar(select(func.count()).where(Resolution.position == 1)) == 1


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_of_two_relays_that_lead_the_second_leaves_what_the_first_has_numbered(client, cast, app):
    first, late = submit(client, cast, number=1, confidence=0.99)["id"], submit(client, cast, number=2)["id"]
    with app.app_context(), Session(db.engine) as leader, Session(db.engine) as other:
        assert feed.number(session=leader) == 1
        with write_session() as session:
            # Written before the first and committed after it: its id is the smaller one.
            columns = resolution_columns(
                item_id=late, queue_id=cast.queue_id, revision=1, by=ResolvedBy.PEOPLE, verdict=Verdict.APPROVE,
                output="{}",
            )  # fmt: skip
            row = {**columns, "id": "00000000-0000-7000-8000-000000000001", "created_at": NOW}
            append(session, Resolution, row)
        # The plan that a large table has: the row to be changed is found by its id alone.
        for way in ("nestloop", "mergejoin"):
            other.execute(text(f"SET LOCAL enable_{way} = off"))
        with ThreadPoolExecutor(1) as pool:
            second = pool.submit(_number_or_refuse, other)
            until(waiting_for_a_lock, what="the second relay to wait for the first")
            leader.commit()
            second.result()
        with read_session() as session:
            rows = session.execute(select(Resolution.item_id, Resolution.position)).all()
    assert dict(map(tuple, rows))[first] == 1


def _number_or_refuse(session: Session) -> None:
    try:
        feed.number(session=session)
        session.commit()
    except IntegrityError:
        session.rollback()


def test_a_cursor_beyond_all_positions_is_no_error(client, cast):
    cursor = cursor_of("feed", "intents", "9" * 18)
    answer = client.get(f"/api/v1/queues/intents/resolutions?cursor={cursor}", headers=cast.submitter.bearer)
    assert (answer.status_code, answer.json["resolutions"]) == (200, [])


def test_a_cursor_from_before_they_named_their_queue_is_good(client, cast):
    cursor = cursor_of("feed", "7")
    answer = client.get(f"/api/v1/queues/intents/resolutions?cursor={cursor}", headers=cast.submitter.bearer)
    assert answer.json["cursor"] == cursor_of("feed", "intents", "7")


@pytest.mark.parametrize("parts", [("feed", "other", "1"), ("feed", "intents", "-1"), ("x", "intents", "1")])
def test_the_cursor_of_another_queue_is_refused(client, cast, parts):
    answer = client.get(f"/api/v1/queues/intents/resolutions?cursor={cursor_of(*parts)}", headers=cast.submitter.bearer)
    assert (answer.status_code, answer.json["code"]) == (422, "bad_cursor")


def test_a_page_of_large_entries_is_shorter_and_none_is_missed(client, cast, app, monkeypatch):
    monkeypatch.setattr(http, "PAGE_BYTES", 800)
    large = {"confidence": 0.99, "input": {"text": "x" * 250}}
    sent = [submit(client, cast, number=number, **large)["id"] for number in range(7)]
    assert number(app) == 7
    feed_of_queue = "/api/v1/queues/intents/resolutions"
    for path, name, key in (("/api/v1/items", "items", "id"), (feed_of_queue, "resolutions", "item")):
        got, pages, address = [], 0, f"{path}?limit=5"
        while address:
            page = client.get(address, headers=cast.submitter.bearer)
            got += [each[key] for each in page.json[name]]
            pages += 1
            address = page.headers["Link"].split(">")[0][1:] if "Link" in page.headers else None
        assert sorted(got) == sent
        assert pages > 2 if name == "items" else pages == 2, "by their number alone there would be two"
