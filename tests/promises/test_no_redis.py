"""Promise 7, as a rule: nothing on the way of an answer so much as connects to Redis.

`test_faults.py` measures it with a Redis that is frozen, in real processes.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from reviewqueue import config
from reviewqueue.app import create_app
from tests.fixtures import installation
from tests.fixtures.people import Cast, assemble, item


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """A Redis that accepts and says nothing, as one that is frozen."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        yield listener


def was_asked(listener: socket.socket) -> bool:
    try:
        listener.accept()[0].close()
    except BlockingIOError:
        return False
    return True


@pytest.fixture
def frozen(settings: config.Settings, silent: socket.socket) -> Iterator[tuple[Any, Cast]]:
    app = create_app(replace(settings, redis_url=f"redis://127.0.0.1:{silent.getsockname()[1]}/0"))
    app.config["WTF_CSRF_ENABLED"] = False
    yield app, assemble(app)
    with app.app_context():
        installation.dispose()


def test_no_answer_waits_for_redis(frozen: tuple[Any, Cast], silent: socket.socket) -> None:
    app, cast = frozen
    client = app.test_client()

    def send(method: str, path: str, who: Any, body: Any = None) -> Any:
        answer = client.open(f"/api/v1{path}", method=method, json=body, headers=who.bearer)
        assert answer.status_code < 300, answer.text
        return answer.json

    for number in range(3):
        send("POST", "/items", cast.submitter, item(number))
    send("POST", "/items/batch", cast.submitter, {"items": [item(8), item(9)]})
    send("PUT", "/queues/intents/hold", cast.bob, {"why": "Looking"})
    send("DELETE", "/queues/intents/hold", cast.bob)
    claim = send("POST", "/queues/intents/claims", cast.alice)["claim"]["id"]
    send("PUT", f"/claims/{claim}/draft", cast.alice, {"body": {"comment": "so far"}})
    send("POST", f"/claims/{claim}/renewal", cast.alice)
    decided = send("POST", f"/claims/{claim}/decision", cast.alice, {"verdict": "approve", "next": True})
    send("GET", f"/items/{decided['decision']['item']}", cast.submitter)
    send("POST", f"/claims/{decided['next']['claim']['id']}/release", cast.alice)
    send("POST", "/exports", cast.admin, {"queue": "intents", "format": "jsonl"})
    client.post("/login", data={"email": cast.alice.email, "password": cast.alice.password})
    desk = client.post("/claims").headers["Location"]
    assert client.get(desk).status_code == 200
    assert client.post(f"{desk}/decision", data={"verdict": "approve"}).status_code in {200, 303}
    assert not was_asked(silent)


def test_what_does_ask_redis_is_seen(frozen: tuple[Any, Cast], silent: socket.socket) -> None:
    """Else the test above could not fail."""
    app, cast = frozen
    client = app.test_client()
    client.post("/login", data={"email": cast.admin.email, "password": cast.admin.password})
    page = client.get("/admin/background")
    assert page.status_code == 200
    assert was_asked(silent)
