"""Promise 15: whatever bytes are sent, to whatever address, nothing is a fault of the server's, and a program that is
refused is told so in problem details.

The requests are those of `garbage.py`, from `REVIEWQUEUE_SEED`. Each aims at what exists and is sent by whom it is let.
"""

from __future__ import annotations

import json
import os
from random import Random
from typing import Any
from urllib.parse import urlencode

import pytest
from flask import Flask
from werkzeug.wrappers import Response

from reviewqueue.core.http import PROBLEM
from tests.architecture.test_authorisation_matrix import BODIES, DECISION, Targets, routes
from tests.fixtures.people import Cast
from tests.promises.garbage import Wire, spoiled

SEED = int(os.environ.get("REVIEWQUEUE_SEED", "15"))
# werkzeug leaves the file of a form that breaks off to the collector.
pytestmark = pytest.mark.filterwarnings("ignore:Unclosed file:ResourceWarning")


def sound(app: Flask, cast: Cast, route: str) -> tuple[Wire, Any]:
    """A request of that route that is let in, and its body as a value."""
    method, pattern = route.split(" ", 1)
    who = cast.alice if pattern.removeprefix("/api/v1").startswith(("/claims", "/decisions")) else cast.admin
    client = app.test_client()
    path = Targets(app, cast, client, who).path(pattern)
    body = {**DECISION, "fence": 1} if route.endswith("/decision") else BODIES.get(route, {})
    if pattern.startswith("/api/"):
        headers, sent = {**who.bearer, "Content-Type": "application/json"}, json.dumps(body)
    else:
        client.post("/login", data={"email": who.email, "password": who.password})
        cookie = client.get_cookie("reviewqueue")
        assert cookie is not None
        headers = {"Cookie": f"reviewqueue={cookie.value}", "Content-Type": "application/x-www-form-urlencoded"}
        sent = urlencode(body)
    return Wire(method, path.encode(), headers=headers, body=b"" if method == "GET" else sent.encode()), body


def fault_of(wire: Wire, answer: Response) -> str | None:
    """What is wrong with the answer."""
    if answer.status_code >= 500:
        return f"{answer.status_code}: {answer.get_data(as_text=True)[-300:]}"
    refused = answer.status_code >= 400 and wire.method != "HEAD"
    ours = wire.path.startswith(b"/api/") and not wire.path.startswith(b"/api/a2i/")
    if refused and ours and (answer.mimetype != PROBLEM or not json.loads(answer.get_data())["code"]):
        return f"{answer.status_code} {answer.mimetype}: not told in problem details"
    return None


def shoot(app: Flask, cast: Cast, *, seed: int, of_a_body: int, of_none: int) -> int:
    """So many odd requests a route. Returns how many were made."""
    random, faults, made = Random(seed), [], 0
    # All first: among what is sent are requests that close the queue.
    for route, (wire, sample) in {route: sound(app, cast, route) for route in routes(app)}.items():
        for _ in range(of_none if wire.method == "GET" else of_a_body):
            odd = spoiled(wire, sample, random)
            fault = fault_of(odd, odd.sent_to(app))
            made += 1
            if fault:
                faults.append(f"{fault}\n    seed {seed}, {route}: {odd}"[:3_000])
    assert not faults, "\n".join(faults)
    return made


def test_no_bytes_anywhere_in_a_request_give_a_server_error(app: Flask, cast: Cast) -> None:
    assert shoot(app, cast, seed=SEED, of_a_body=5, of_none=2) > 600


@pytest.mark.soak
@pytest.mark.timeout(3_600)
def test_neither_do_many_more(app: Flask, cast: Cast) -> None:
    for seed in range(SEED, SEED + 20):
        print(f"seed {seed}: {shoot(app, cast, seed=seed, of_a_body=30, of_none=10)} requests")


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)  # none is asked
def test_a_query_that_is_no_text_is_read_as_if_it_were_encoded(app: Flask, cast: Cast) -> None:
    """As the bytes `%FF` are: an unknown name, and no error."""
    for query in (b"queue=\xff", b"queue=a\xed\xa0\x80", b"\xc0\xaf", b"limit=1&queue=%ff\xf4\x90\x80\x80"):
        escaped = b"".join(bytes([each]) if each < 128 else b"%%%02X" % each for each in query)
        for path in (b"/api/v1/items", b"/decisions", b"/login", b"/healthz"):
            answers = [Wire("GET", path, form, headers=cast.admin.bearer).sent_to(app) for form in (query, escaped)]
            told = {(answer.status_code, answer.headers.get("Location")) for answer in answers}
            assert len(told) == 1, (path, query)
            assert answers[0].status_code < 500


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)  # none is asked
def test_an_address_with_an_empty_part_names_nothing(app: Flask, cast: Cast) -> None:
    for path in (b"/api/v1/queues//advice", b"/api//v1/items", b"/queues//items"):
        answer = Wire("GET", path, headers=cast.admin.bearer).sent_to(app)
        assert answer.status_code == 404, path
