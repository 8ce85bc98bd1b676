"""What becomes of a decision that is sent again, or too late."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from reviewqueue.core import trail
from reviewqueue.core.access import Actor
from reviewqueue.core.db import database_now
from reviewqueue.errors import AlreadyDecided, ItemEnded
from reviewqueue.models import Decision, PendingRelease
from reviewqueue.models.states import ENDED, ItemState, TaskKind, TaskState, Verdict
from reviewqueue.resolution import reading
from reviewqueue.resolution.verdicts import MISSING, Judged, same
from reviewqueue.review import drafts, golden
from reviewqueue.review.claims import leases
from reviewqueue.review.decisions.recording import SHOWN, Decided, Lost, Submission, append_row, decided_of


def _standing(session: Session, task_id: str, actor: Actor, fence: int) -> Any:
    return session.execute(
        select(*SHOWN).where(
            Decision.task_id == task_id, Decision.person_id == actor.id, Decision.fence == fence,
            Decision.withdrawn_at.is_(None),
        )
    ).one_or_none()  # fmt: skip


def answered_before(
    session: Session, actor: Actor, task: Any, fence: int, submission: Submission
) -> Decided | Lost | None:
    """The same request again gets the same answer; another decision under the same claim changes nothing. None where
    nobody has decided under this claim."""
    row = _standing(session, task.id, actor, fence) if task.state is TaskState.DONE else None
    if row is None:
        return None
    if not _equal(row, submission):
        drafts.keep(session, task_id=task.id, person_id=actor.id, body=submission.draft)
        return Lost(AlreadyDecided("You have decided this task already, differently. That decision stands."))
    if row.correct is not None:
        known = golden.known_answer(session, task.item_id)
        return decided_of(row, task, None, 0, replayed=True, gold=golden.Feedback(row.correct, known))
    resolution = reading.in_force(session, task.item_id)
    left = session.execute(
        select(PendingRelease.releases_at).where(PendingRelease.decision_id == row.id)
    ).scalar_one_or_none()
    return decided_of(row, task, None if left else resolution, 0, replayed=True)


def _equal(row: Any, submission: Submission) -> bool:
    """Whether the decision that stands says what is sent now."""
    if submission.verdict not in {row.verdict, None}:
        return False
    says_output = row.verdict is not Verdict.REJECT and submission.output is not MISSING
    if says_output and not same(json.loads(row.output), submission.output):
        return False
    words = "reason", "suggested_label", "comment", "message"
    return all((getattr(submission, word) or None) == getattr(row, word) for word in words)


def too_late(
    session: Session, actor: Actor, task: Any, fence: int, submission: Submission, judged: Judged | None
) -> Lost:
    """Keep what was typed. After the end of the item it also counts as a late label of whoever held it, if it is valid
    (`judged`)."""
    drafts.keep(session, task_id=task.id, person_id=actor.id, body=submission.draft)
    if task.state is not TaskState.CANCELLED or task.item_state not in ENDED or task.kind is TaskKind.GOLD:
        return Lost(leases.lost_lease(session, actor, task.id))
    if task.item_state is ItemState.CANCELLED:
        return Lost(ItemEnded("Withdrawn by the program. Nothing needed.", code="item_cancelled"))
    is_holder = task.last_holder == actor.id and task.fence == fence + 1
    if judged is not None and is_holder and _standing(session, task.id, actor, fence) is None:
        row = append_row(session, actor, task, fence, submission, judged, database_now(session), late=True)
        trail.record(
            session,
            actor,
            "task.decided_late",
            queue_id=task.queue_id,
            item_id=task.item_id,
            subject=task.id,
            facts={"verdict": judged.verdict, "decision": row.id},
        )
    kept = "It is kept as a label, and as a draft."
    if task.item_state is ItemState.RESOLVED:
        return Lost(ItemEnded(f"Others have settled this item before your decision came. {kept}", code="item_ended"))
    return Lost(ItemEnded(f"The time to answer was over before your decision came. {kept}", code="item_expired"))
