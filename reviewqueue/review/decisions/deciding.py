"""Operations that decide a claimed task."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, exists, select, text
from sqlalchemy.orm import Session

from reviewqueue.core.access import Action, Actor, require
from reviewqueue.core.db import append, change, clock, on_postgresql
from reviewqueue.errors import Invalid, NotFound
from reviewqueue.models import Draft, Item, ItemMedia, PendingRelease, Queue, Task
from reviewqueue.models.base import table
from reviewqueue.models.states import ItemState, TaskKind, TaskState, Verdict
from reviewqueue.queues.catalog import configuration
from reviewqueue.resolution import reading
from reviewqueue.resolution.endings import Locked
from reviewqueue.resolution.verdicts import Judged
from reviewqueue.review import golden, rounds, standings
from reviewqueue.review.claims import leases
from reviewqueue.review.decisions.checking import check_at_home, checked, input_for
from reviewqueue.review.decisions.recording import Decided, Lost, Submission, append_row, decided_of, note_decided
from reviewqueue.review.decisions.repeating import answered_before, too_late
from reviewqueue.review.settling import mark_in_review, put_into_effect

_task, _item, _draft = table(Task).c, table(Item).c, table(Draft).c
_other = table(Task).alias("other").c
_item_media, _queue = table(ItemMedia).c, table(Queue).c


def _locked_statement(*, locks: bool) -> Any:
    found = (
        select(
            _task.id, _task.queue_id, _task.item_id, _task.round, _task.kind, _task.config_version, _task.fence,
            _task.blind, _task.holder, _task.last_holder, _task.state, _task.lease_until, _task.escalated_by,
            _item.output,
            _item.state.label("item_state"), _item.revision.label("item_revision"), _item.reviews,
            _item.queue_id.label("item_queue_id"), _item.config_version.label("item_version"),
            _queue.slug,
            exists(text("1"))
            .where(_draft.task_id == _task.id, _draft.person_id == bindparam("by_person"))
            .label("has_draft"),
            exists(text("1"))
            .where(_other.item_id == _task.item_id, _other.id != _task.id,
                   text("other.state IN ('open', 'claimed') AND other.kind <> 'gold'"))
            .label("has_siblings"),
            exists(text("1")).where(_item_media.item_id == _task.item_id).label("has_media"),
        )
        .join_from(table(Task), table(Item), _item.id == _task.item_id)
        .join(table(Queue), _queue.id == _task.queue_id)
        .where(_task.id == bindparam("task_id"))
    )  # fmt: skip
    # The time is taken of a row that is locked already, and whether the claim lives at that time.
    locked = (found.with_for_update(of=[table(Item), table(Task)]) if locks else found).subquery("locked").c
    return select(*locked, clock().label("now"), _is_live(locked).label("live"))


def _is_live(task: Any) -> ColumnElement[bool]:
    return and_(*leases.still_theirs(task))


# Built once, for PostgreSQL and for SQLite.
_LOCKED = {True: _locked_statement(locks=True), False: _locked_statement(locks=False)}


def decide(*, session: Session, actor: Actor, claim_id: str, submission: Submission) -> Decided | Lost:
    """Decide the claimed task.

    The same decision again returns the first one. A lost lease is returned, not raised, so that the draft is
    committed with it. Raises `Invalid` with pointers, `NotFound`, `Forbidden`.
    """
    task_id, fence = leases.parse_claim_id(claim_id)
    leases.require_person(actor)
    task = _locked_task(session, leases.claim_parameters(task_id, fence, actor))
    require(actor, Action.REVIEW, task.queue_id)
    compiled = configuration(session, task.queue_id, task.config_version)
    if task.blind and submission.verdict is not Verdict.REJECT:
        # They cannot know whether they change anything.
        submission = replace(submission, verdict=None)
    earlier = answered_before(session, actor, task, fence, submission)
    if earlier is not None:
        return earlier
    try:
        given = input_for(session, task, compiled)
        judged = checked(compiled, given, json.loads(task.output), submission, blind=task.blind)
        check_at_home(session, task, judged)
    except Invalid:
        # Of somebody who has lost the task, what they typed is kept first; the rules may have changed meanwhile, too.
        if task.live:
            raise
        return too_late(session, actor, task, fence, submission, None)
    if not task.live:
        return too_late(session, actor, task, fence, submission, judged)
    done = {"state": TaskState.DONE, "last_holder": actor.id, "holder": None, "lease_until": None}
    change(session, Task, task.id, done)
    if task.kind is TaskKind.GOLD:
        return _measure(session, actor, task, fence, submission, judged, compiled.config.reviews.agree_on)
    grace = compiled.config.undo_seconds if submission.grace else 0
    if compiled.config.reviews.newcomers is not None:
        task = standings.second_look(session, actor, task, compiled.config.reviews.newcomers)
    return _stand(session, actor, task, fence, submission, judged, grace)


def _locked_task(session: Session, claim: dict[str, Any]) -> Any:
    """The task with its item, whose row is locked first, so that two decisions on one item see each other; then the
    task's, so that nobody moves it until the transaction is over. `live`: whether the claim holds, `now`."""
    row = session.execute(_LOCKED[on_postgresql(session)], claim).one_or_none()
    if row is None:
        raise NotFound
    return row


def _stand(
    session: Session, actor: Actor, task: Any, fence: int, submission: Submission, judged: Judged, grace: float
) -> Decided:  # fmt: skip
    row = append_row(session, actor, task, fence, submission, judged, task.now, grace=grace)
    content = {"comment": submission.comment} if submission.comment else None
    note_decided(session, actor, task, row, "task.decided", {"reason": submission.reason}, content)
    resolution = None
    if task.has_siblings:
        rounds.exclude(session, item_id=task.item_id, task_id=task.id, person_id=actor.id)
    if grace:
        _hold_back(session, row, task)
    else:
        resolution = _into_effect(session, actor, row, task)
    return decided_of(row, task, resolution, grace, replayed=False)


def _measure(
    session: Session, actor: Actor, task: Any, fence: int, submission: Submission, judged: Judged,
    agree_on: Sequence[str],
) -> Decided:  # fmt: skip
    """A decision on gold: what is known is told at once, so that there is no undo, and nothing else comes of it."""
    known = golden.known_answer(session, task.item_id)
    rejects = judged.verdict is Verdict.REJECT
    correct = golden.is_met(known, rejects=rejects, output=judged.output, agree_on=agree_on)
    row = append_row(session, actor, task, fence, submission, judged, task.now, correct=correct)
    note_decided(session, actor, task, row, "gold.decided", {"correct": correct})
    standing = standings.note_check(session=session, actor=actor, queue_id=task.queue_id)
    return decided_of(row, task, None, 0, replayed=False, gold=golden.Feedback(correct, known, standing))


def _hold_back(session: Session, row: Any, task: Any) -> None:
    append(session, PendingRelease, {"decision_id": row.id, "releases_at": row.releases_at})
    mark_in_review(session, task.item_id, task.item_state)


def _into_effect(session: Session, actor: Actor, row: Any, task: Any) -> dict[str, Any] | None:
    decision = _Effective(
        row.id, row.item_id, row.queue_id, row.verdict, row.output, row.reason, row.message, row.person_id, row.comment,
        row.suggested_label, row.config_version, task.queue_id, task.round, task.kind, task.escalated_by,
        task.item_state, task.reviews,
    )  # fmt: skip
    locked = Locked(task.item_state, task.item_revision, task.now, task.has_siblings)
    resolution = put_into_effect(session=session, actor=actor, decision=decision, locked=locked)
    return reading.in_force(session, task.item_id) if resolution is None else reading.as_json(resolution)


@dataclass(frozen=True)
class _Effective:
    """What `put_into_effect` reads."""

    id: str
    item_id: str
    queue_id: str
    verdict: Verdict
    output: str
    reason: str | None
    message: str | None
    person_id: str
    comment: str | None
    suggested_label: str | None
    config_version: int
    task_queue_id: str
    round: int
    kind: TaskKind
    escalated_by: str | None
    item_state: ItemState
    reviews: int
