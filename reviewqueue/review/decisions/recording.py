"""What a decision is: as it is sent, as its row is written, and as it is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

from sqlalchemy.orm import Session

from reviewqueue.core import trail
from reviewqueue.core.access import Actor
from reviewqueue.core.db import append
from reviewqueue.core.ids import new_id
from reviewqueue.core.moments import iso
from reviewqueue.core.strictjson import Raw, dumps
from reviewqueue.errors import Conflict
from reviewqueue.media.reading import hashes_of
from reviewqueue.models import Decision
from reviewqueue.models.base import table
from reviewqueue.models.states import Verdict
from reviewqueue.resolution.verdicts import MISSING, Judged
from reviewqueue.review import drafts, golden

_decision = table(Decision).c


@dataclass(frozen=True)
class Submission:
    """What a reviewer sends. `output` is MISSING where none was sent; `draft` is kept if the lease is lost."""

    verdict: Verdict | None
    output: Any = MISSING
    output_text: str | None = None
    """The output as it was sent, so that its digits survive; None: write it anew."""
    reason: str | None = None
    suggested_label: str | None = None
    comment: str | None = None
    message: str | None = None
    spent_seconds: float | None = None
    seen: Sequence[str] | None = None
    started_blank: bool = False
    grace: bool = False
    """Whether the queue's `undo_seconds` apply: in the desk, not over the API."""
    draft: str = "{}"
    """JSON text."""


@dataclass(frozen=True)
class Decided:
    """A standing decision."""

    decision_id: str
    decision: dict[str, Any]
    resolution: dict[str, Any] | None
    """None in the grace time."""
    releases_at: datetime
    undo_seconds: float
    """What is left of the grace time when it was answered."""
    verdict: Verdict
    item_id: str
    slug: str
    """Of the queue that the task was in."""
    replayed: bool
    gold: golden.Feedback | None = None
    """Where the answer was known."""


@dataclass(frozen=True)
class Lost:
    """The decision was not taken; the draft was kept. Commit, then raise `error`."""

    error: Conflict


def note_decided(
    session: Session, actor: Actor, task: Any, row: Any, event: str, facts: dict[str, Any],
    content: dict[str, Any] | None = None,
) -> None:  # fmt: skip
    """The decision stands: its event, and no draft any more."""
    if task.has_draft:
        drafts.drop(session, task_id=task.id, person_id=actor.id)
    trail.record(
        session, actor, event, queue_id=task.queue_id, item_id=task.item_id, subject=task.id,
        facts={"fence": row.fence, "verdict": row.verdict, "decision": row.id, **facts}, content=content,
    )  # fmt: skip


SHOWN = (
    _decision.id, _decision.task_id, _decision.item_id, _decision.queue_id, _decision.verdict, _decision.output,
    _decision.reason, _decision.suggested_label, _decision.comment, _decision.message, _decision.spent_seconds,
    _decision.decided_at, _decision.releases_at, _decision.config_version, _decision.correct,
)  # fmt: skip


def append_row(
    session: Session, actor: Actor, task: Any, fence: int, submission: Submission, judged: Judged, now: datetime,
    *, grace: float = 0, late: bool = False, correct: bool | None = None,
) -> Any:  # fmt: skip
    """The decision's row; `now` is the database's time while the item is locked."""
    row = {
        "id": new_id(), "task_id": task.id, "item_id": task.item_id, "queue_id": task.item_queue_id,
        "round": task.round,
        "person_id": actor.id, "fence": fence, "config_version": task.config_version, "verdict": judged.verdict,
        "output": _output_text(task, submission, judged), "reason": submission.reason,
        "suggested_label": submission.suggested_label, "comment": submission.comment or None,
        "message": submission.message or None,
        "spent_seconds": None if submission.spent_seconds is None else round(submission.spent_seconds, 1),
        "seen": None if submission.seen is None else dumps(list(submission.seen)),
        "shown": dumps(_shown_to(session, task)), "via": actor.via,
        "late": late, "correct": correct, "decided_at": now, "releases_at": now + timedelta(seconds=grace),
    }  # fmt: skip
    append(session, Decision, row)
    return SimpleNamespace(**row)


def _shown_to(session: Session, task: Any) -> dict[str, Any]:
    """What the reviewer had before them."""
    shown = {"config_version": task.config_version, "blind": task.blind}
    return {**shown, "media": hashes_of(session, task.item_id)} if task.has_media else shown


def _output_text(task: Any, submission: Submission, judged: Judged) -> str:
    if judged.verdict is Verdict.REJECT:
        return "null"
    if judged.verdict is Verdict.APPROVE:
        return str(task.output)
    return submission.output_text if submission.output_text is not None else dumps(judged.output)


def decided_of(
    row: Any, task: Any, resolution: dict[str, Any] | None, undo_seconds: float, *, replayed: bool,
    gold: golden.Feedback | None = None,
) -> Decided:  # fmt: skip
    shown = {
        "id": row.id, "task": row.task_id, "item": row.item_id, "verdict": row.verdict, "output": Raw(row.output),
        "reason": row.reason, "suggested_label": row.suggested_label, "comment": row.comment, "message": row.message,
        "spent_seconds": row.spent_seconds, "config_version": row.config_version, "decided_at": iso(row.decided_at),
        "releases_at": iso(row.releases_at),
    }  # fmt: skip
    return Decided(
        row.id, shown, resolution, row.releases_at, undo_seconds, row.verdict, row.item_id, task.slug, replayed, gold
    )
