"""A reviewer who waits for work beside the program under test."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from flask import Flask

from tests.desk_steps import act, claim
from tests.fixtures.people import Member

Decision = dict[str, Any] | Callable[[Any], dict[str, Any]]


@contextmanager
def reviewing(app: Flask, who: Member, *decisions: Decision, queue: str = "intents") -> Iterator[list[Any]]:
    """Makes the decisions, in order, as items come; yields the claims. Fails where one was not made."""
    seen: list[Any] = []
    faults: list[BaseException] = []

    def work() -> None:
        try:
            desk = app.test_client()
            for decision in decisions:
                piece = _next(desk, who, queue)
                seen.append(piece)
                body = decision(piece) if callable(decision) else decision
                answer = act(desk, who, piece["claim"]["id"], "decision", **body)
                assert answer.status_code == 200, answer.json
        except BaseException as error:  # noqa: BLE001 - the test fails with it
            faults.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    yield seen
    thread.join(30)
    assert not faults, faults
    assert len(seen) == len(decisions)


def _next(desk: Any, who: Member, queue: str) -> Any:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        if queue == "intents":
            piece = claim(desk, who)
        else:
            answer = desk.post(f"/api/v1/queues/{queue}/claims", headers=who.bearer)
            piece = answer.json if answer.status_code == 201 else None
        if piece is not None:
            return piece
        time.sleep(0.05)
    raise AssertionError("nothing came to be reviewed")
