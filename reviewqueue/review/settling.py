"""Operations that make resolutions of decisions: at once, or when their grace time is over; of one, or of several.

A decision in its grace time is a row in `pending_release`; whoever deletes that row, its author or the relay, decides
what becomes of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from sqlalchemy import delete, exists, select, update
from sqlalchemy.orm import Session

from reviewqueue.core import trail
from reviewqueue.core.access import SYSTEM, Actor
from reviewqueue.core.db import change, clock, on_postgresql
from reviewqueue.errors import ItemEnded
from reviewqueue.models import Decision, Item, PendingRelease, Task
from reviewqueue.models.base import table
from reviewqueue.models.states import ENDED, ItemState, NoticeKind, ResolvedBy, TaskKind, TaskState, Verdict
from reviewqueue.notices import inbox
from reviewqueue.queues.catalog import configuration
from reviewqueue.resolution.endings import Locked, resolve
from reviewqueue.review import rounds, telling
from reviewqueue.review.consensus import Given, Step, outcome

BATCH = 200


def put_into_effect(*, session: Session, actor: Actor, decision: Any, locked: Locked | None = None) -> Any:
    """Let a decision take effect. Returns the resolution's columns; None where it makes none: an audit that agrees, one
    of several reviews that do not settle it yet.

    `decision` has the columns of `Decision`, `kind` of its task, `item_state`, and `reviews` of the item. Precondition:
    the item row is locked (PostgreSQL) or the session writes (SQLite). `locked`: the item as it was read since, where
    only `decision` comes between.
    """
    agrees = decision.verdict is Verdict.APPROVE
    if decision.kind is TaskKind.AUDIT and decision.item_state is ItemState.AUTO_APPROVED and agrees:
        trail.record(
            session, actor, "audit.agreed", queue_id=decision.queue_id, item_id=decision.item_id, subject=decision.id
        )
        _tell_who_handed_on(session, decision)
        return None
    if decision.kind is TaskKind.REVIEW and decision.reviews > 1:
        return _count(session, actor, decision)
    resolution = _resolve(session, actor, decision, locked=locked)
    _tell_who_handed_on(session, decision)
    return resolution


def _tell_who_handed_on(session: Session, decision: Any) -> None:
    """Whoever escalated the task, or sent it to another queue, hears once what came of it."""
    if decision.escalated_by is not None and decision.kind is not TaskKind.APPEAL:
        _tell(session, decision, {decision.escalated_by}, by_person=decision.person_id)


def _tell_all_who_handed_on(session: Session, decision: Any, round_: int) -> None:
    """So, where several reviews settled the item: not before, for until then nobody is to know what others said, and
    not whose the answer is."""
    task = table(Task).c
    handed_on = select(task.escalated_by).where(
        task.item_id == decision.item_id, task.round == round_, task.escalated_by.is_not(None),
        task.kind.not_in((TaskKind.GOLD, TaskKind.APPEAL)), task.state == TaskState.DONE,
    )  # fmt: skip
    if people := set(session.scalars(handed_on)):
        _tell(session, decision, people, by_person=None)


def _tell(session: Session, decision: Any, people: set[str], *, by_person: str | None) -> None:
    config = configuration(session, decision.task_queue_id, decision.config_version).config
    before = session.execute(select(Item.output).where(Item.id == decision.item_id)).scalar_one()
    words = telling.told(config, decision, before).in_words
    inbox.tell(
        session, SYSTEM, people - {decision.person_id}, NoticeKind.REPLIED, item_id=decision.item_id,
        words=f"{words}. {decision.comment}" if decision.comment else f"{words}.", by_person=by_person,
    )  # fmt: skip


def _resolve(session: Session, actor: Actor, decision: Any, *, locked: Locked | None = None) -> Any:
    return resolve(
        session=session,
        actor=actor,
        item_id=decision.item_id,
        queue_id=decision.queue_id,
        state=ItemState.RESOLVED,
        by=ResolvedBy.PEOPLE,
        verdict=decision.verdict,
        output=decision.output,
        reason=decision.reason,
        message=decision.message,
        decision_id=decision.id,
        locked=locked,
    )


_EFFECT = (
    Decision.id, Decision.item_id, Decision.queue_id, Decision.verdict, Decision.output, Decision.reason,
    Decision.message, Decision.person_id, Decision.comment, Decision.suggested_label, Decision.config_version,
    Task.queue_id.label("task_queue_id"),
)  # fmt: skip
_decision = table(Decision).c
_IN_EFFECT = (
    _decision.withdrawn_at.is_(None), ~_decision.late,
    ~exists().where(PendingRelease.decision_id == _decision.id),
)  # fmt: skip


def _count(session: Session, actor: Actor, decision: Any) -> Any:
    """Where an item has several reviews: resolve it if they settle it, and open what is needed next if they do not."""
    # Read after the item was locked: of two reviews at the same moment, the later one sees both.
    item = session.execute(
        select(Item.id, Item.state, Item.queue_id, Item.config_version, Item.round, Item.priority, Item.due_at).where(
            Item.id == decision.item_id
        )
    ).one()
    if item.state in ENDED or item.round != decision.round:
        # The others had settled it. It stands beside them.
        return None
    rules = configuration(session, item.queue_id, item.config_version).config.reviews
    given = session.execute(
        select(*_EFFECT)
        .join(Task, Task.id == Decision.task_id)
        .where(
            Decision.item_id == item.id, Decision.round == item.round, Task.kind == TaskKind.REVIEW, *_IN_EFFECT
        )
        .order_by(Decision.decided_at, Decision.id)
    ).all()  # fmt: skip
    found = outcome(
        [Given(row.verdict is Verdict.REJECT, json.loads(row.output)) for row in given],
        required=decision.reviews, rule=rules.agreement, agree_on=rules.agree_on,
        breaks_ties=rules.on_disagreement == "tie_break",
    )  # fmt: skip
    if found.place is not None:
        _end_grace(session, item.id)
        resolution = _resolve(session, actor, given[found.place])
        _tell_all_who_handed_on(session, given[found.place], item.round)
        return resolution
    mark_in_review(session, item.id, item.state)
    if found.step is not Step.WAIT and not rounds.has_open(session, item.id):
        kind = TaskKind.REVIEW if found.step is Step.TIE_BREAK else TaskKind.ADJUDICATION
        by_leads = kind is TaskKind.ADJUDICATION and rules.adjudicator == "lead"
        rounds.open_another(session, actor, item, kind=kind, by_leads=by_leads)
    return None


def mark_in_review(session: Session, item_id: str, state: ItemState) -> None:
    """A decision exists, and no answer yet. `state`: the item's, which the caller has read under its lock."""
    if state is ItemState.QUEUED:
        change(session, Item, item_id, {"state": ItemState.IN_REVIEW})


def _end_grace(session: Session, item_id: str) -> None:
    """What others have decided on it can be undone no more: the item has its answer."""
    pending = (
        select(PendingRelease.decision_id)
        .join(Decision, Decision.id == PendingRelease.decision_id)
        .where(Decision.item_id == item_id)
    )
    if on_postgresql(session):
        # One that the relay has in hand waits for our lock on the item.
        pending = pending.with_for_update(skip_locked=True, of=PendingRelease)
    session.execute(delete(PendingRelease).where(PendingRelease.decision_id.in_(pending)))


def decision_with_item(decision_ids: Iterable[str]) -> Any:
    """Select decisions with what `put_into_effect` needs."""
    return (
        select(
            *_EFFECT,
            Decision.task_id,
            Decision.round,
            Task.kind,
            Task.escalated_by,
            Item.state.label("item_state"),
            Item.reviews,
        )
        .join(Task, Task.id == Decision.task_id)
        .join(Item, Item.id == Decision.item_id)
        .where(Decision.id.in_(list(decision_ids)))
        .order_by(Decision.item_id)
    )  # fmt: skip


GRACE_OVER = select(PendingRelease.decision_id).where(PendingRelease.releases_at <= clock()).limit(BATCH)


def settle_due(*, session: Session) -> int:
    """Turn decisions whose grace time is over into resolutions; returns how many. A duty of the relay."""
    due = GRACE_OVER.with_for_update(skip_locked=True) if on_postgresql(session) else GRACE_OVER
    taken = session.scalars(
        delete(PendingRelease).where(PendingRelease.decision_id.in_(due)).returning(PendingRelease.decision_id)
    ).all()
    if not taken:
        return 0
    query = decision_with_item(taken)
    if on_postgresql(session):
        query = query.with_for_update(of=Item)
    for decision in session.execute(query).all():
        _settle(session, decision)
    return len(taken)


def _settle(session: Session, decision: Any) -> None:
    try:
        with session.begin_nested():
            put_into_effect(session=session, actor=SYSTEM, decision=decision)
    except ItemEnded:
        # It must not hold up the others. It stays, as a label.
        session.execute(update(table(Decision)).where(table(Decision).c.id == decision.id).values(late=True))
        trail.record(
            session, SYSTEM, "task.decided_late", queue_id=decision.queue_id, item_id=decision.item_id,
            subject=decision.task_id, facts={"verdict": decision.verdict, "decision": decision.id},
        )  # fmt: skip
