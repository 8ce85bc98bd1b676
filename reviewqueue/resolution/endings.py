"""Operations that end an item: with an answer, by default when nobody gave one, or withdrawn by its program.

A resolution is written when it takes effect and never edited. How people's decisions become one: `review.settling`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from types import SimpleNamespace
from typing import Any

from flask import current_app
from sqlalchemy import bindparam, exists, literal_column, select, text, update
from sqlalchemy.orm import Session

from reviewqueue.core import trail
from reviewqueue.core.access import SYSTEM, Action, Actor, may, require
from reviewqueue.core.db import append, beside, change, clock, on_postgresql
from reviewqueue.core.ids import new_id
from reviewqueue.errors import ItemEnded
from reviewqueue.models import Decision, Item, PendingRelease, Resolution, Task
from reviewqueue.models.base import table
from reviewqueue.models.states import (
    ENDED,
    MOVES,
    UNFINISHED,
    ItemState,
    ResolvedBy,
    Risk,
    TaskKind,
    TaskState,
    Verdict,
)
from reviewqueue.queues import brakes
from reviewqueue.queues.catalog import configuration
from reviewqueue.resolution.stand_ins import no_item

BATCH = 200
_item, _task = table(Item).c, table(Task).c
# Built once: these run with every decision.
_MOVE = {
    state: update(table(Item))
    .where(
        _item.id == bindparam("item_id"),
        _item.state.in_([source for source, targets in MOVES.items() if state in targets]),
    )
    .values(state=state, revision=_item.revision + 1)
    .returning(_item.revision, clock().label("now"))
    for state in ItemState
}


def _cancelling(which: Any) -> Any:
    """Of the item `of_item`, tasks of those kinds."""
    return (
        update(table(Task))
        .where(_task.item_id == bindparam("of_item"), _task.state.in_(UNFINISHED), which)
        # The fence rises, so that whoever still holds the claim cannot decide with it.
        .values(
            state=TaskState.CANCELLED, last_holder=_task.holder, holder=None, lease_until=None, fence=_task.fence + 1
        )
        .returning(_task.id, _task.fence)
    )  # fmt: skip


_CANCEL_TASKS = _cancelling(_task.kind != TaskKind.GOLD)
_CANCEL_CHECKS = _cancelling(_task.kind == TaskKind.GOLD)


@dataclass(frozen=True)
class Locked:
    """An item as it was read under the lock on its row that the transaction holds; nothing has changed it since."""

    state: ItemState
    revision: int
    at: datetime
    """The database's time, with the lock."""
    has_siblings: bool
    """Whether other tasks of the item may still be open."""


def resolve(
    *,
    session: Session,
    actor: Actor,
    item_id: str,
    queue_id: str,
    state: ItemState,
    by: ResolvedBy,
    verdict: Verdict | None,
    output: str,
    reason: str | None = None,
    message: str | None = None,
    decision_id: str | None = None,
    locked: Locked | None = None,
) -> Any:
    """Move the item to `state` with a new resolution and return its columns; `output` is JSON text.

    The time is the database's while the item is locked. `locked`: what the caller knows of the item; then nothing is
    asked.

    Raises `ItemEnded` when the item is in a state from which it cannot get there.
    """
    revision, now = _move(session, item_id, state) if locked is None else _moved(session, item_id, locked, state)
    columns = resolution_columns(
        item_id=item_id, queue_id=queue_id, revision=revision, by=by, verdict=verdict, output=output, reason=reason,
        message=message, decision_id=decision_id,
    )  # fmt: skip
    row = append_resolution(session, columns, now)
    trail.record(
        session,
        actor,
        "item.resolved" if revision == 1 else "item.revised",
        queue_id=queue_id,
        item_id=item_id,
        facts={"by": by, "verdict": verdict, "revision": revision, "state": state},
    )
    if locked is None or locked.has_siblings:
        cancel_tasks(session, actor, queue_id=queue_id, item_id=item_id)
    return row


def _move(session: Session, item_id: str, state: ItemState) -> tuple[int, datetime]:
    """The item's new revision, and the time."""
    moved = beside(session, _MOVE[state], {"item_id": item_id}).one_or_none()
    if moved is None:
        raise _ended()
    return moved.revision, moved.now


def _moved(session: Session, item_id: str, locked: Locked, state: ItemState) -> tuple[int, datetime]:
    """As `_move`, with the other rows of the transaction."""
    if state not in MOVES[locked.state]:
        raise _ended()
    change(session, Item, item_id, {"state": state, "revision": locked.revision + 1})
    return locked.revision + 1, locked.at


def _ended() -> ItemEnded:
    return ItemEnded("The item has ended in another way meanwhile.")


def cancel_tasks(session: Session, actor: Actor, *, queue_id: str, item_id: str) -> None:
    """Nobody has anything to do on the item any more. The caller has locked it."""
    _cancel(session, actor, _CANCEL_TASKS, queue_id, item_id)


def cancel_checks(session: Session, actor: Actor, *, queue_id: str, item_id: str) -> None:
    """Nobody is measured by the item any more."""
    _cancel(session, actor, _CANCEL_CHECKS, queue_id, item_id)


def _cancel(session: Session, actor: Actor, statement: Any, queue_id: str, item_id: str) -> None:
    for task in session.execute(statement, {"of_item": item_id}).all():
        trail.record(
            session, actor, "task.cancelled", queue_id=queue_id, item_id=item_id, subject=task.id,
            facts={"fence": task.fence},
        )  # fmt: skip


def append_resolution(session: Session, columns: dict[str, Any], now: datetime) -> Any:
    """Insert a resolution and return its columns. The caller moves the item."""
    row = {**columns, "created_at": now}
    append(session, Resolution, row)
    return SimpleNamespace(**row)


def resolution_columns(
    *,
    item_id: str,
    queue_id: str,
    revision: int,
    by: ResolvedBy,
    verdict: Verdict | None,
    output: str,
    reason: str | None = None,
    message: str | None = None,
    decision_id: str | None = None,
) -> dict[str, Any]:
    """All but the time."""
    return {
        "id": new_id(), "item_id": item_id, "queue_id": queue_id, "revision": revision, "by": by, "verdict": verdict,
        "output": output, "reason": reason, "message": message, "decision_id": decision_id,
    }  # fmt: skip


def _in_grace() -> Any:
    return (
        exists(literal_column("1"))
        .select_from(PendingRelease)
        .where(PendingRelease.decision_id == Decision.id, Decision.item_id == Item.id)
        .correlate(Item)
    )


# Index ix_item_expires_at: its condition must stand here in the same words.
EXPIRED = (
    select(
        Item.id,
        Item.queue_id,
        Item.config_version,
        Item.output,
        Item.risk,
        brakes.stopping(table(Item).c.queue_id).label("stopped"),
    )
    .where(
        text("item.state IN ('queued', 'in_review') AND item.expires_at IS NOT NULL"),
        Item.expires_at <= clock(),
        ~_in_grace(),
    )
    .order_by(Item.expires_at)
    .limit(BATCH)
)


def expire_items(*, session: Session) -> int:
    """Apply the queue's default to items whose time to live is over; how many were looked at. A duty of the relay.

    Beats a live claim, but not a decision in its grace time. An item of high risk never passes this way, nor does any
    while its queue is stopped.
    """
    due = EXPIRED.with_for_update(skip_locked=True, of=Item) if on_postgresql(session) else EXPIRED
    rows = session.execute(due).all()
    if not rows:
        return 0
    # A decision may have come between the look and the lock. Now that the items are locked, none can.
    decided = set(session.scalars(select(Item.id).where(Item.id.in_([row.id for row in rows]), _in_grace())))
    for row in rows:
        if row.id not in decided:
            _expire(session, row)
    return len(rows)


def cancel_item(*, session: Session, actor: Actor, item_id: str, reason: str | None = None) -> None:
    """The program withdraws its item, or one that it may read, or a lead closes it: nobody needs to answer.

    Again changes nothing. Beats a live claim, whose holder is told so, but no decision of a person, not even one in its
    grace time. Raises `NotFound`, `Forbidden`, and `ItemEnded` for an item that has its answer or a decision.
    """
    query = select(Item.id, Item.queue_id, Item.state, Item.revision, Item.submitted_by).where(Item.id == item_id)
    item = session.execute(query.with_for_update() if on_postgresql(session) else query).one_or_none()
    if item is None:
        raise no_item(session, actor, Action.SUBMIT_ITEMS, item_id)
    if not may(actor, Action.CLOSE_ITEMS, item.queue_id):
        require(actor, Action.SUBMIT_ITEMS, item.queue_id)
        if item.submitted_by != actor.label:
            require(actor, Action.READ_ITEMS, item.queue_id)
    if item.state is ItemState.CANCELLED:
        return
    if item.state in ENDED or item.revision:
        raise ItemEnded("The item has its answer: it can be reopened, not withdrawn.", code="item_ended")
    if item.state is ItemState.IN_REVIEW:
        raise ItemEnded("A person has decided: the answer comes when the time to undo it is over.", code="item_decided")
    resolve(
        session=session,
        actor=actor,
        item_id=item.id,
        queue_id=item.queue_id,
        state=ItemState.CANCELLED,
        by=ResolvedBy.CANCELLED,
        verdict=None,
        output="null",
        message=reason,
    )


def _expire(session: Session, row: Any) -> None:
    timeout = configuration(session, row.queue_id, row.config_version).config.timeout
    action = timeout.action if timeout else "expire"
    people_only = row.risk is Risk.HIGH and current_app.config["SETTINGS"].final_say
    if action == "approve" and (people_only or row.stopped or row.output == "null"):
        action = "expire"
    verdict = {"approve": Verdict.APPROVE, "reject": Verdict.REJECT}.get(action)
    resolve(
        session=session,
        actor=SYSTEM,
        item_id=row.id,
        queue_id=row.queue_id,
        state=ItemState.EXPIRED,
        by=ResolvedBy.DEFAULT,
        verdict=verdict,
        output=row.output if action == "approve" else "null",
    )
