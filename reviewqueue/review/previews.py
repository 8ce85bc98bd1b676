"""An item as its reviewer would see it, before there is one: for templates and for a table's first rows. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from reviewqueue.core import strictjson
from reviewqueue.media.reading import Picture
from reviewqueue.models.states import Audience, Intake, Risk, TaskKind
from reviewqueue.queues import spans
from reviewqueue.queues.catalog import QueueHead
from reviewqueue.queues.configuration import QueueConfig
from reviewqueue.review import shown
from reviewqueue.review.desk.filling import desk_of
from reviewqueue.review.desk.page import Desk
from reviewqueue.review.workpiece import Workpiece

LINES = 6
_LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Preview:
    """The desk with the item on it, and the output laid open for the types that this cannot draw small."""

    desk: Desk
    output: list[shown.Line]
    marks: list[tuple[str, str]]
    """Of marks in a text: what is marked, and as what."""


def preview(config: QueueConfig, item: Mapping[str, Any], pictures: Sequence[Picture] = ()) -> Preview:
    """`item` has the members of a submitted one, and satisfies the schemas of `config`; `pictures` are what its input
    refers to."""
    desk = desk_of(_workpiece(config, item, pictures))
    marks = _marks(config, item.get("input"), desk.ai) if desk.marking is not None else []
    return Preview(desk, list(shown.lines(item.get("output")))[:LINES], marks)


def _marks(config: QueueConfig, given: Any, found: Any) -> list[tuple[str, str]]:
    text = spans.text_in(given, config.view.input) or ""
    marks = strictjson.plain(found) if isinstance(found, list) else []
    return [(text[mark["start"] : mark["end"]], str(mark["label"])) for mark in marks[:LINES]]


def _workpiece(config: QueueConfig, item: Mapping[str, Any], pictures: Sequence[Picture]) -> Workpiece:
    output = item.get("output")
    row = SimpleNamespace(
        id="", external_id=item.get("external_id"), output=strictjson.dumps(output), confidence=item.get("confidence"),
        risk=Risk(item.get("risk", Risk.LOW)), model=item.get("model"), model_version=item.get("model_version"),
    )  # fmt: skip
    head = QueueHead("", config.name, config.title, 1, Intake.OPEN, archived=False, stopped=None, held=False)
    return Workpiece(
        claim_id="", task_id="", fence=0, live=False, lease_until=None, seconds_left=0.0, kind=TaskKind.REVIEW,
        blind=False, audience=Audience.REVIEWER, escalated_by=None, escalation_comment=None, sent_from=None,
        queue=head, config=config, config_version=1, item=row, hidden=(), asks_why=False,
        input=item.get("input"), output=output, failure=None,
        alternatives=list(item.get("alternatives") or []),
        parts={part["pointer"]: part.get("confidence") for part in item.get("parts") or []},
        regions={}, pictures=list(pictures), metadata=dict(item.get("metadata") or {}), why=[], draft=None, waiting=0,
        waiting_capped=False, calibration=None,
        oldest_at=_LONG_AGO, similar=0, skips=[], knows_instructions=None, comments=[], answers=[],
    )  # fmt: skip
