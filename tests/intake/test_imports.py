"""Imports: a stream of any length, kept as it comes, stored by jobs, each line with a result."""

from __future__ import annotations

import gzip
import io
import json
import threading
import tracemalloc
from typing import Any

import pytest
from sqlalchemy import func, select, update

from reviewqueue.accounts import tokens
from reviewqueue.core.background import run
from reviewqueue.core.db import WriteSession, clock, db, read_session, write_session
from reviewqueue.intake import imports, jobs
from reviewqueue.intake.jobs import store_import
from reviewqueue.models import Import, ImportChunk, ImportFault, Item, OutboxRow
from tests.fixtures.people import OPERATOR, item

NDJSON = "application/x-ndjson"


def send(client: Any, cast: Any, lines: Any, query: str = "", headers_more: Any = None, **options: Any) -> Any:
    body = lines if isinstance(lines, bytes) else "\n".join(json.dumps(line) for line in lines).encode()
    return client.post(
        f"/api/v1/imports{query}",
        data=body,
        content_type=NDJSON,
        headers={**cast.submitter.bearer, **(headers_more or {})},
        **options,
    )


def work(app: Any) -> int:
    with app.app_context():
        with read_session() as session:
            ids = list(session.scalars(select(OutboxRow.id).where(OutboxRow.topic == imports.STORE)))
        return sum(run("reviewqueue.intake.jobs.store_import", [row], long=True) for row in ids)


def shown(client: Any, cast: Any, answer: Any) -> Any:
    return client.get(answer.headers["Location"], headers=cast.submitter.bearer).json


def count(app: Any) -> int:
    with app.app_context(), read_session() as session:
        return int(session.scalar(select(func.count()).select_from(Item)))


def test_a_misspelt_parameter_is_refused_before_anything_is_kept(client, cast, app):
    answer = send(client, cast, [item()], "?qeueu=intents")
    assert (answer.status_code, answer.json["code"]) == (422, "bad_parameter")
    assert "'qeueu'" in answer.json["detail"]
    with app.app_context(), read_session() as session:
        assert session.scalar(select(func.count()).select_from(Import)) == 0


def test_every_line_is_stored_refused_or_there_already(client, cast, app):
    first = item(number=1, external_id="a")
    body = b"\r\n".join(
        [
            json.dumps(first).encode(), b"", b"{not json", json.dumps(item(number=2, output={"label": "no"})).encode(),
            json.dumps(first).encode(), json.dumps({**first, "confidence": 0.1}).encode(),
            json.dumps({key: value for key, value in item(number=3).items() if key != "queue"}).encode(), b"\xff\xfe",
        ]
    )  # fmt: skip
    answer = send(client, cast, body, "?queue=intents")
    assert (answer.status_code, answer.json["state"], answer.json["lines"]) == (202, "running", 7)
    assert work(app) == 2
    done = shown(client, cast, answer)
    assert (done["state"], done["stored"], done["repeated"], done["refused"]) == ("done", 2, 1, 4)
    faults = client.get(f"{answer.headers['Location']}/faults", headers=cast.submitter.bearer)
    told = [json.loads(line) for line in faults.text.splitlines()]
    assert [(fault["line"], fault["error"]["status"]) for fault in told] == [(3, 422), (4, 422), (6, 409), (8, 422)]
    assert told[1]["error"]["errors"][0]["pointer"] == "/output/label"
    assert count(app) == 2


def test_it_is_cut_into_chunks_and_each_is_stored_once_however_often_its_job_runs(client, cast, app, monkeypatch):
    monkeypatch.setattr(imports, "CHUNK_LINES", 3)
    answer = send(client, cast, [item(number=number) for number in range(10)])
    with app.app_context():
        with read_session() as session:
            assert session.scalar(select(func.count()).select_from(ImportChunk)) == 4
        for _ in range(2):
            store_import(ref=answer.json["id"], renew=lambda **_: None)
        with read_session() as session:
            assert set(session.scalars(select(ImportChunk.payload))) == {None}
    assert shown(client, cast, answer)["stored"] == count(app) == 10
    assert shown(client, cast, answer)["state"] == "done"


def test_sent_again_it_stores_nothing_twice(client, cast, app):
    lines = [item(number=number, external_id=f"e{number}") for number in range(5)]
    for stored, repeated in ((5, 0), (0, 5)):
        answer = send(client, cast, lines)
        work(app)
        done = shown(client, cast, answer)
        assert (done["stored"], done["repeated"]) == (stored, repeated)
    assert count(app) == 5


def test_an_empty_stream_is_done_at_once(client, cast):
    answer = send(client, cast, b"")
    assert (answer.status_code, answer.json["state"], answer.json["lines"]) == (202, "done", 0)


def test_lines_cross_the_borders_of_what_is_read(client, cast, app):
    lines = [item(number=number, input={"text": "x" * 1000}) for number in range(30)]
    body = "\n".join(json.dumps(line) for line in lines).encode()

    def read(pieces: Any) -> Any:
        return lambda _: next(pieces, b"")

    for size in (1, 7, 1000, len(body)):
        pieces = iter([body[start : start + size] for start in range(0, len(body), size)])
        found = [line for chunk in imports.chunks_of(read(pieces), longest=1_000_000) for line in chunk.lines]
        assert b"\n".join(found) == body


def test_a_line_of_any_length_costs_no_more_than_the_longest_item(client, cast, app):
    endless = iter([b"x" * 262_144] * 400 + [b"\n{}\n"])
    tracemalloc.start()
    found = [
        line for chunk in imports.chunks_of(lambda _: next(endless, b""), longest=1_048_576) for line in chunk.lines
    ]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(found) == 2
    assert peak < 8_000_000
    answer = send(client, cast, json.dumps(item(number=1, input={"text": "y" * 2_000_000})).encode() + b"\n{}")
    work(app)
    faults = client.get(f"{answer.headers['Location']}/faults", headers=cast.submitter.bearer)
    assert [json.loads(line)["line"] for line in faults.text.splitlines()] == [1, 2]


def test_a_stream_that_breaks_off_says_so_and_keeps_what_came(client, cast, app, monkeypatch):
    monkeypatch.setattr(imports, "CHUNK_LINES", 2)

    body = b"".join(json.dumps(item(number=number)).encode() + b"\n" for number in range(4))
    answer = client.post(
        "/api/v1/imports", data=body, environ_overrides={"CONTENT_LENGTH": str(len(body) + 10)}, content_type=NDJSON,
        headers=cast.submitter.bearer,
    )  # fmt: skip
    assert answer.status_code == 400, answer.text
    [run_] = client.get("/api/v1/imports", headers=cast.submitter.bearer).json["imports"]
    assert (run_["state"], run_["lines"]) == ("failed", 4)
    assert "Send it again" in run_["error"]
    work(app)
    [run_] = client.get("/api/v1/imports", headers=cast.submitter.bearer).json["imports"]
    assert (run_["state"], run_["stored"], count(app)) == ("failed", 4, 4), "what came is stored all the same"


def test_whole_lines_of_a_broken_stream_stay_and_the_broken_one_does_not():
    pieces = iter([b"one\ntwo\nthr"])

    def read(_size: int) -> bytes:
        try:
            return next(pieces)
        except StopIteration:
            raise ConnectionResetError from None

    chunks = imports.chunks_of(read, longest=100)
    assert next(chunks).lines == [b"one", b"two"]
    with pytest.raises(ConnectionResetError):
        next(chunks)


def test_a_line_of_carriage_returns_is_one_line_and_takes_no_longer_than_another():
    body = io.BytesIO(b"\r" * 3_000_000 + b"\nnext\r\n")
    [chunk] = imports.chunks_of(body.read, longest=1_048_576)
    assert (len(chunk.lines), chunk.lines[1]) == (2, b"next")


def test_a_token_that_is_revoked_meanwhile_stores_nothing_more(client, cast, app, monkeypatch):
    monkeypatch.setattr(imports, "CHUNK_LINES", 2)
    answer = send(client, cast, [item(number=number) for number in range(4)])
    with app.app_context(), write_session() as session:
        tokens.revoke(session=session, actor=OPERATOR, token_id=cast.submitter.id)
    work(app)
    assert count(app) == 0
    told = client.get(answer.headers["Location"], headers=cast.admin.bearer).json
    assert (told["state"], "revoked" in told["error"]) == ("failed", True)


@pytest.mark.parametrize("who", ["alice", "olga", "analyst"])
def test_others_neither_send_nor_see_them(client, cast, who):
    mine = send(client, cast, [item(number=1)])
    other = getattr(cast, who).bearer
    assert client.get(mine.headers["Location"], headers=other).status_code == 404
    assert client.get(f"{mine.headers['Location']}/faults", headers=other).status_code == 404
    refused = client.post("/api/v1/imports?queue=intents", data=b"", content_type=NDJSON, headers=other)
    assert refused.status_code in {403, 404}
    assert client.get("/api/v1/imports", headers=other).json["imports"] == []


def test_another_content_type_is_told_which_it_should_be(client, cast):
    answer = client.post("/api/v1/imports", data=b"[]", content_type="text/csv", headers=cast.submitter.bearer)
    assert answer.status_code == 415
    assert NDJSON in answer.json["detail"]


def test_jobs_at_the_same_time_store_each_chunk_once(client, cast, app, monkeypatch):
    monkeypatch.setattr(imports, "CHUNK_LINES", 5)
    answer = send(client, cast, [item(number=number) for number in range(60)])

    def job() -> None:
        with app.app_context():
            store_import(ref=answer.json["id"], renew=lambda **_: None)

    threads = [threading.Thread(target=job) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    done = shown(client, cast, answer)
    assert (done["state"], done["stored"]) == ("done", 60)
    assert count(app) == 60


def test_a_job_whose_time_is_over_leaves_the_rest_to_another(client, cast, app, monkeypatch):
    monkeypatch.setattr(imports, "CHUNK_LINES", 2)
    monkeypatch.setattr(jobs, "RUNS_FOR", 0.0)
    answer = send(client, cast, [item(number=number) for number in range(4)])
    assert work(app) == 2
    assert count(app) == 0
    monkeypatch.undo()
    assert work(app) == 2, "each has called another"
    assert shown(client, cast, answer)["state"] == "done"


def test_a_job_that_dies_amid_a_chunk_leaves_it_whole(client, cast, app, monkeypatch):
    answer = send(client, cast, [item(number=number) for number in range(4)])
    with app.app_context():
        with WriteSession(db.engine) as session:
            assert imports.store_next(session=session, import_id=answer.json["id"])[0] is imports.Step.STORED
        assert count(app) == 0, "it was not committed"
        store_import(ref=answer.json["id"], renew=lambda **_: None)
    assert shown(client, cast, answer)["stored"] == count(app) == 4


def test_a_stream_may_be_compressed_and_a_broken_one_keeps_what_came(client, cast, app):
    lines = [item(number, external_id=f"z-{number}") for number in range(5)]
    packed = gzip.compress("\n".join(map(json.dumps, lines)).encode())
    answer = send(client, cast, packed, headers_more={"Content-Encoding": "gzip"})
    assert (answer.status_code, answer.json["lines"]) == (202, 5)
    broken = send(client, cast, packed[:-20], headers_more={"Content-Encoding": "gzip"})
    assert broken.status_code == 400
    assert send(client, cast, b"not gzip", headers_more={"Content-Encoding": "gzip"}).status_code == 400
    other = send(client, cast, packed, headers_more={"Content-Encoding": "br"})
    assert (other.status_code, "gzip" in other.json["detail"]) == (415, True)


def test_streams_hold_a_quarter_of_the_threads_at_most(client, cast, app, monkeypatch):
    places = app.extensions["reviewqueue_streams"]
    for _ in range(2):
        assert places.acquire(blocking=False)
    refused = send(client, cast, [item(1)])
    assert (refused.status_code, refused.json["code"], refused.headers["Retry-After"]) == (
        429, "too_many_requests", "5",
    )  # fmt: skip
    places.release()
    assert send(client, cast, [item(1)]).status_code == 202
    assert send(client, cast, [item(1)]).status_code == 202, "its place is free again"


def test_a_stream_whose_receiver_was_killed_is_given_up_and_what_came_is_stored(app, client, cast):
    with app.app_context():
        who = cast.submitter.actor
        with write_session() as session:
            runs = [imports.begin(session=session, actor=who, queue=None) for _ in range(2)]
            chunk = imports.Chunk(0, 1, [json.dumps(item()).encode()])
            for run_id in runs:
                imports.keep(session=session, import_id=run_id, chunk=chunk)
            forsaken = update(Import).where(Import.id == runs[0])
            session.execute(forsaken.values(heard_at=clock(-imports.SILENT_SECONDS - 1)))
        with write_session() as session:
            imports.give_up_silent(session=session)
    work(app)
    given_up, live = (client.get(f"/api/v1/imports/{run_id}", headers=cast.submitter.bearer).json for run_id in runs)
    assert (given_up["state"], given_up["error"], given_up["stored"]) == ("failed", imports.BROKEN_OFF, 1)
    assert live["state"] == "receiving"


@pytest.mark.parametrize("scope", ["items:read", "metrics", "exports"])
def test_who_may_submit_nowhere_sends_no_stream(client, cast, app, scope):
    with app.app_context(), write_session() as session:
        made = tokens.create_service(session=session, actor=OPERATOR, name="other", scopes=[scope])
    answer = client.post(
        "/api/v1/imports", data=b"{}\n", content_type=NDJSON, headers={"Authorization": f"Bearer {made.secret}"}
    )
    assert (answer.status_code, answer.json["code"]) == (403, "forbidden")
    with app.app_context(), read_session() as session:
        assert session.scalar(select(func.count()).select_from(ImportChunk)) == 0


def test_its_lines_are_forgotten_a_month_after_it_ended(client, cast, app):
    answer = send(client, cast, [item(), {"queue": "intents"}])
    waiting = send(client, cast, [item(number=2)])
    work(app)
    send(client, cast, [item(number=3)])
    with app.app_context():
        with write_session() as session:
            assert imports.sweep(session=session) == 0
            session.execute(update(Import).values(finished_at=clock(-31 * 86_400.0)))
        with write_session() as session:
            assert [imports.sweep(session=session) for _ in range(3)] == [1, 1, 0], "the third is not stored yet"
            assert session.scalar(select(func.count()).select_from(ImportFault)) == 0
            assert session.scalar(select(func.count()).select_from(ImportChunk)) == 1
    assert shown(client, cast, answer)["refused"] == 1
    assert shown(client, cast, waiting)["stored"] == 1
