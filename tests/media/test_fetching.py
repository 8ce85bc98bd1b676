"""Media from addresses: only from where the operator lets them be fetched, by a job, and nobody waits for ever."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from sqlalchemy import select

from reviewqueue.cli import TOPICS
from reviewqueue.core.background import run
from reviewqueue.core.db import read_session, write_session
from reviewqueue.media import fetching
from reviewqueue.models import Media, OutboxRow
from reviewqueue.models.states import MediaState
from tests.fixtures.media import PNG
from tests.fixtures.people import Cast, assemble, item


class Files(BaseHTTPRequestHandler):
    asked: list[str]

    def do_GET(self) -> None:
        self.server.asked.append(self.path)  # type: ignore[attr-defined]
        name = self.path.rpartition("/")[2]
        body = {"page.png": PNG, "page.svg": b"<svg/>", "large.png": PNG + bytes(20_000)}.get(name, b"")
        status = {"moved.png": 302, "gone.png": 404, "busy.png": 503}.get(name, 200)
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "/files/page.png")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def files() -> Iterator[Any]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Files)
    server.asked = []  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def cast(app) -> Cast:
    return assemble(app)


def allow(app: Any, server: Any, *, inside: bool = True) -> str:
    """Let media be fetched from the server; its address."""
    address = f"http://127.0.0.1:{server.server_address[1]}/files/"
    app.config["SETTINGS"] = replace(
        app.config["SETTINGS"], media_allow=(address,), max_media_bytes=10_000,
        webhook_allow="127.0.0.1" if inside else "",
    )  # fmt: skip
    return address


def submit(client: Any, cast: Cast, *addresses: str) -> Any:
    body = item(input={"text": "x", "pages": [{"$media": address} for address in addresses]})
    return client.post("/api/v1/items", json=body, headers=cast.submitter.bearer)


def claim(client: Any, cast: Cast) -> int:
    status: int = client.post("/api/v1/queues/intents/claims", headers=cast.alice.bearer).status_code
    return status


def waiting(app: Any) -> list[str]:
    with app.app_context(), read_session() as session:
        return list(session.scalars(select(OutboxRow.ref).where(OutboxRow.topic == "media.fetch")))


def media(app: Any) -> list[tuple[str, str | None]]:
    with app.app_context(), read_session() as session:
        return [tuple(row) for row in session.execute(select(Media.state, Media.error).order_by(Media.id))]  # type: ignore[misc]


def test_the_task_opens_when_all_its_media_are_there(app, client, cast, files):
    address = allow(app, files)
    made = submit(client, cast, f"{address}page.png", f"{address}deep/page.png")
    assert made.status_code == 201, made.text
    assert claim(client, cast) == 204
    first, second = waiting(app)
    with app.app_context():
        fetching.fetch(first)
    assert claim(client, cast) == 204
    with app.app_context():
        with read_session() as session:
            ids = list(session.scalars(select(OutboxRow.id).where(OutboxRow.topic == "media.fetch")))
        assert run(TOPICS["media.fetch"].handler, ids, long=TOPICS["media.fetch"].long) == 2
        fetching.fetch(second)
    assert files.asked == ["/files/page.png", "/files/deep/page.png"]
    assert claim(client, cast) == 201
    answer = client.get(f"/api/v1/items/{made.json['id']}/media/1", headers=cast.bob.bearer)
    assert answer.data == PNG
    answer.close()


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("page.svg", "nothing that can be shown"),
        ("large.png", "larger than 10,000 bytes"),
        ("moved.png", "answered 302"),
        ("gone.png", "answered 404"),
    ],
)
def test_what_cannot_be_had_fails_for_good_and_the_task_opens_without(app, client, cast, files, name, why):
    address = allow(app, files)
    submit(client, cast, f"{address}{name}")
    with app.app_context():
        fetching.fetch(waiting(app)[0])
    [(state, error)] = media(app)
    assert state == "failed"
    assert why in (error or "")
    assert files.asked == [f"/files/{name}"]
    assert claim(client, cast) == 201


def test_a_server_that_is_busy_is_asked_again_and_then_given_up(app, client, cast, files):
    submit(client, cast, f"{allow(app, files)}busy.png")
    with app.app_context():
        for _ in range(fetching.MOST_ATTEMPTS - 1):
            with pytest.raises(fetching.NotYet):
                fetching.fetch(waiting(app)[0])
        assert claim(client, cast) == 204
        fetching.fetch(waiting(app)[0])
    assert media(app)[0][0] == "failed"
    assert claim(client, cast) == 201


def test_an_address_inside_is_never_asked_unless_it_is_named(app, client, cast, files):
    address = allow(app, files)
    submit(client, cast, f"{address}page.png")
    allow(app, files, inside=False)
    with app.app_context():
        fetching.fetch(waiting(app)[0])
    assert files.asked == []
    assert media(app)[0][0] == "failed"


@pytest.mark.parametrize("given", ["{}../secret.png", "{}%2e%2e/secret.png", "{}x/..", "http://evil.example/files/"])
def test_no_address_leads_out_of_what_the_operator_named(app, client, cast, files, given):
    assert submit(client, cast, given.format(allow(app, files))).status_code == 422
    assert waiting(app) == []


def test_two_that_end_at_the_same_moment_open_the_task(app, client, cast, files):
    """Neither transaction sees the other's end while both are open: the later one must wait for the first."""
    address = allow(app, files)
    submit(client, cast, f"{address}page.png", f"{address}gone.png")
    first, second = waiting(app)
    ended = threading.Event()

    def end_second() -> None:
        ended.set()
        with app.app_context():
            fetching.fetch(second)

    other = threading.Thread(target=end_second)
    with app.app_context():
        found = fetching._get(f"{address}page.png")
        with write_session() as session:
            fetching._end(session, first, MediaState.READY, found)  # type: ignore[arg-type]
            other.start()
            ended.wait(10)
            other.join(1)
    other.join()
    assert claim(client, cast) == 201
