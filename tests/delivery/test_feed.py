"""The decision feed: complete, in order, and resumable, also when commits land out of order."""

from __future__ import annotations

import threading
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from reviewqueue.core.db import db, read_session, write_session
from reviewqueue.models import Resolution
from reviewqueue.models.states import ResolvedBy, Verdict
from reviewqueue.resolution import feed
from reviewqueue.resolution.endings import record_resolution
from tests.desk_steps import decide, submit


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
    record_resolution(
        session=session, item_id=item_id, queue_id=queue_id, revision=revision, by=ResolvedBy.PEOPLE,
        verdict=Verdict.APPROVE, output="{}",
    )  # fmt: skip


def test_what_was_written_first_and_committed_last_is_not_skipped(client, cast, app):
    item_id = submit(client, cast)["id"]
    with app.app_context():
        if db.engine.dialect.name == "sqlite":
            # One writer at a time: the order of commits is the order of writing.
            with write_session() as session:
                _resolve(session, cast.queue_id, item_id, 1)
                _resolve(session, cast.queue_id, item_id, 2)
        else:
            with Session(db.engine) as early:
                _resolve(early, cast.queue_id, item_id, 1)
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
