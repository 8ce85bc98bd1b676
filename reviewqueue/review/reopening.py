"""The operation `reopen`: an item that has ended is judged once more, by somebody else. And how one asks for it."""

from __future__ import annotations

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from reviewqueue.accounts.memberships import people_with
from reviewqueue.core import trail
from reviewqueue.core.access import Action, Actor, require
from reviewqueue.core.db import clock, on_postgresql
from reviewqueue.core.ids import new_id
from reviewqueue.errors import Conflict, Fault, Invalid, NotFound
from reviewqueue.models import Decision, Item, Notice, PendingRelease, Task
from reviewqueue.models.lanes import restrictions
from reviewqueue.models.states import ENDED, ActorKind, Audience, ItemState, NoticeKind, QueueRole, TaskKind, TaskState
from reviewqueue.notices import inbox
from reviewqueue.queues.catalog import configuration, queue_by_id
from reviewqueue.resolution.stand_ins import no_item
from reviewqueue.review.golden import retire_item
from reviewqueue.review.rounds import has_open, judges, reviewers

PRIORITY = 5
"""Of an appeal, at least: somebody waits for it who has been disappointed once."""


def reopen(*, session: Session, actor: Actor, item_id: str, reason: str) -> str:
    """Open a task on an item that has ended; returns the task's id. Its resolution stays in force until the next.

    Nobody who has decided the item may take the task. Raises `NotFound`, `Forbidden`, `Invalid` without a reason, and
    `Conflict` for an item that is open already or withdrawn, and where nobody else reviews in the queue.
    """
    query = select(Item.id, Item.queue_id, Item.state, Item.round, Item.priority).where(Item.id == item_id)
    item = session.execute(query.with_for_update() if on_postgresql(session) else query).one_or_none()
    if item is None:
        raise no_item(session, actor, Action.REOPEN_ITEMS, item_id)
    require(actor, Action.REOPEN_ITEMS, item.queue_id)
    if not reason.strip():
        raise Invalid("Say why it is reopened: whoever decides it next reads that.", [Fault("/reason", "is required")])
    _require_ended(session, item.id, item.state)
    excluded = judges(session, item_id, TaskKind.APPEAL)
    if not reviewers(session, item.queue_id) - excluded:
        raise Conflict(
            "Everybody who reviews in this queue has decided the item. Add somebody, then reopen it.",
            code="nobody_else",
        )
    head = queue_by_id(session, item.queue_id)
    due_seconds = configuration(session, head.id, head.version).config.sla.due_minutes * 60.0
    task_id = new_id()
    session.execute(
        update(Item)
        .where(Item.id == item_id)
        # No time-out: it has had its answer, and keeps it until a person gives another.
        .values(state=ItemState.QUEUED, round=item.round + 1, expires_at=None, due_at=clock(due_seconds))
        .execution_options(synchronize_session=False)
    )
    session.execute(
        insert(Task).values(
            id=task_id, item_id=item_id, queue_id=item.queue_id, config_version=head.version, round=item.round + 1,
            kind=TaskKind.APPEAL, state=TaskState.OPEN, fence=0,
            **restrictions(audience=Audience.REVIEWER, excluded=excluded),
            priority=max(item.priority, PRIORITY), due=clock(due_seconds), available_at=clock(), created_at=clock(),
            escalation_comment=reason, escalated_by=actor.id if actor.kind is ActorKind.PERSON else None,
        )
    )  # fmt: skip
    retire_item(session, actor, item_id)
    trail.record(
        session, actor, "item.reopened", queue_id=item.queue_id, item_id=item_id, subject=task_id,
        facts={"round": item.round + 1}, content={"reason": reason},
    )  # fmt: skip
    return task_id


def ask_to_reopen(*, session: Session, actor: Actor, decision_id: str, reason: str) -> None:
    """Ask the queue's leads to reopen the item of one's own decision: each gets a notice with the reason.

    Raises `NotFound` for other people's decisions, `Invalid` without a reason, and `Conflict` for an item that is open
    or final, where nobody leads, and where the leads have not yet read that one asked before.
    """
    row = session.execute(
        select(Decision.item_id, Item.queue_id, Item.state)
        .join(Item, Item.id == Decision.item_id)
        .where(Decision.id == decision_id, Decision.person_id == actor.id, Decision.withdrawn_at.is_(None))
    ).one_or_none()
    if row is None:
        raise NotFound
    if not reason.strip():
        raise Invalid("Say why it should be judged once more.", [Fault("/reason", "is required")])
    _require_ended(session, row.item_id, row.state)
    leads = people_with(session, row.queue_id, QueueRole.LEAD) - {actor.id}
    if not leads:
        raise Conflict("The queue has no other lead who could reopen it.", code="no_lead")
    asked = select(Notice.id).where(
        Notice.person_id.in_(leads), Notice.read_at.is_(None), Notice.item_id == row.item_id,
        Notice.kind == NoticeKind.REOPENING_ASKED, Notice.by_person == actor.id,
    )  # fmt: skip
    if session.execute(asked.limit(1)).first() is not None:
        raise Conflict("You have asked already; the leads have not read it yet.", code="asked_already")
    inbox.tell(session, actor, leads, NoticeKind.REOPENING_ASKED, item_id=row.item_id, words=reason)
    trail.record(
        session, actor, "item.reopening_asked", queue_id=row.queue_id, item_id=row.item_id, subject=decision_id,
        content={"reason": reason},
    )  # fmt: skip


def _require_ended(session: Session, item_id: str, state: ItemState) -> None:
    if state is ItemState.CANCELLED:
        raise Conflict("This item was withdrawn by its program, or closed: it is final.", code="item_cancelled")
    if state not in ENDED:
        raise Conflict("The item waits for a person already.", code="item_open")
    if has_open(session, item_id):
        raise Conflict("A person is to check this item already.", code="item_open")
    in_grace = select(PendingRelease.decision_id).join(Decision).where(Decision.item_id == item_id)
    if session.execute(in_grace.limit(1)).first() is not None:
        # It would be taken for the answer to the new round.
        raise Conflict("A person has just judged this item. Ask again in a few seconds.", code="item_open")
