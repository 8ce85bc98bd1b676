"""Stops and holds in the API's document: what is answered, and the operations. Pure tables."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from reviewqueue.core.access import Scope
from reviewqueue.models.states import BrakeKind
from reviewqueue.openapi.operations import Answer, Operation, Tag, Told, json_body
from reviewqueue.openapi.parameters import QUEUE
from reviewqueue.queues.api import BrakeShape


class Brake(Told):
    """A queue, or the whole site, that is stopped or held."""

    kind: BrakeKind
    queue: str | None
    """Null: every queue."""
    why: str
    by: str
    """Name of who did it."""
    since: datetime


class BrakeList(Told):
    brakes: list[Brake]
    cursor: None
    """They come all at once."""


STOPPED = {
    "kind": "stop", "queue": QUEUE, "why": "Wrong labels since noon", "by": "Ada", "since": "2026-11-20T12:00:00.000Z",
}  # fmt: skip
HELD = {**STOPPED, "kind": "hold"}
EVERYTHING = {**HELD, "queue": None}
WHY = {"With its reason": {"why": "Wrong labels since noon"}}


def _pair(path: str, name: str, what: str, example: Mapping[str, Any]) -> tuple[Operation, Operation]:
    """Pull and release."""
    return (
        Operation(
            "PUT", path, name, what,
            {200: Answer("Pulled, now or before: what it was pulled with first.", Brake, example)},
            scope=Scope.QUEUES_WRITE,
            body=json_body(BrakeShape, WHY),
            codes=("conflict",),
        ),
        Operation(
            "DELETE", path, f"end_{name}", f"{what}: let go",
            {204: Answer("Let go; also when it was not pulled.")},
            scope=Scope.QUEUES_WRITE,
        ),
    )  # fmt: skip


TAG = Tag(
    "Stops and holds",
    "While a queue is stopped nothing passes without a person. While it is held, no answer goes out, either.",
    (
        Operation(
            "GET", "/brakes", "list_brakes", "List what is stopped or held",
            {200: Answer("All that one may know of.", BrakeList, {"brakes": [STOPPED], "cursor": None})},
        ),
        *_pair("/queues/{slug}/stop", "stop_queue", "Stop a queue", STOPPED),
        *_pair("/queues/{slug}/hold", "hold_queue", "Hold a queue", HELD),
        *_pair("/hold", "hold_everything", "Hold every queue", EVERYTHING),
    ),
)  # fmt: skip
