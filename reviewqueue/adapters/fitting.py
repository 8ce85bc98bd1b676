"""Values from elsewhere, put where a queue's view reads them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from reviewqueue.feedback.formats.frame import View


class Queue(Protocol):
    """What is asked of a queue: `queues.configuration.QueueConfig` has it."""

    @property
    def name(self) -> str: ...

    @property
    def view(self) -> View: ...

    @property
    def output_schema(self) -> Mapping[str, Any]: ...


NO_OUTPUT = "no_output"
"""Code of the failure of an item for which no model gave an output: accepted with `on_invalid_output: review`."""


def fitted(value: Any, member: str | None) -> Any:
    """`value` as that member of an object; as it is where it is an object, or where the view takes all (None)."""
    return value if member is None or isinstance(value, dict) else {member: value}


def without_output() -> dict[str, Any]:
    """The members of an item that came without a model's output: a person answers from nothing."""
    return {"output": None, "failure": {"code": NO_OUTPUT, "raw": None}}
