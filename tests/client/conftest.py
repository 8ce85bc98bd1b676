"""Clients of the application under test, as the submitter."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import httpx2
import pytest
from flask import Flask
from reviewqueue_client import AsyncClient, Client

from tests.client.transports import Async
from tests.fixtures.people import Cast

URL = "http://reviewqueue.test"


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("REVIEWQUEUE_URL", "REVIEWQUEUE_TOKEN"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def connected(app: Flask, cast: Cast) -> Iterator[Callable[..., Client]]:
    """Makes clients of the application: `connected(transport=…, token=…)`."""
    with ExitStack() as stack:

        def connect(**options: Any) -> Client:
            given = {"transport": httpx2.WSGITransport(app), "token": cast.submitter.token, **options}
            return stack.enter_context(Client(URL, **given))

        yield connect


@pytest.fixture
def rq(connected: Callable[..., Client]) -> Client:
    return connected()


@pytest.fixture
def arq(app: Flask, cast: Cast) -> AsyncClient:
    """Has no connections that would have to be closed."""
    return AsyncClient(URL, cast.submitter.token, transport=Async(httpx2.WSGITransport(app)))


class Acted:
    """A client of a scripted transport; instead of sleeping it notes for how long it would have."""

    def __init__(self, transport: httpx2.BaseTransport, **options: Any) -> None:
        self.client = Client(URL, "rq_a.b", transport=transport, **options)
        self.transport = transport
        self.pauses: list[float] = []
        self.client._sleep = self.pauses.append


@pytest.fixture
def acted() -> Iterator[Callable[..., Acted]]:
    with ExitStack() as stack:

        def act(transport: httpx2.BaseTransport, **options: Any) -> Acted:
            found = Acted(transport, **options)
            stack.enter_context(found.client)
            return found

        yield act
