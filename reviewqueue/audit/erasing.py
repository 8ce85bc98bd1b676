"""Operations that remove for good what items said. What happened to them stays in the log, and the log stays whole."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Select, and_, delete, func, or_, select, update
from sqlalchemy.orm import Session, aliased

from reviewqueue.audit import chain
from reviewqueue.core import trail
from reviewqueue.core.access import SYSTEM, Action, Actor, require
from reviewqueue.core.db import clock, database_now, hold, on_postgresql, write_session
from reviewqueue.core.ids import first_id_at, known_id, new_id
from reviewqueue.core.strictjson import dumps
from reviewqueue.errors import Invalid, NotFound
from reviewqueue.intake.jobs import COPYING
from reviewqueue.media.uploads import UNUSED_SECONDS
from reviewqueue.models import (
    AuditContent,
    AuditEvent,
    Comment,
    Decision,
    Draft,
    Gold,
    IdempotencyKey,
    Item,
    ItemDoubt,
    ItemLikeness,
    ItemMedia,
    JudgedItem,
    Media,
    Notice,
    Outcome,
    PendingRelease,
    Prediction,
    Queue,
    Resolution,
    Skip,
    Task,
)
from reviewqueue.models.base import table
from reviewqueue.models.states import ENDED, ItemState, MediaState, ResolvedBy
from reviewqueue.queues.catalog import configuration
from reviewqueue.resolution import endings
from reviewqueue.review.golden import retire_item

BATCH = 50
LONGEST_REASON = 500
FILES_GO_AFTER = 3_600.0
"""Seconds. A file that was sent again a moment ago must not be taken from under its new item."""
_item, _task, _decision = table(Item).c, table(Task).c, table(Decision).c
_event, _content = table(AuditEvent).c, table(AuditContent).c


@dataclass(frozen=True)
class Erased:
    """What one call did."""

    items: int
    more: bool
    """There are others: call again, in another transaction."""


def _which(item_id: str | None, subject: str | None) -> Any:
    named = _item.id == known_id(item_id) if item_id is not None else _item.subject == subject
    return and_(named, _item.erased_at.is_(None))


def count(*, session: Session, actor: Actor, item_id: str | None = None, subject: str | None = None) -> int:
    """How many items `erase` would erase. Raises `Forbidden`, `NotFound`."""
    require(actor, Action.ERASE)
    return session.scalar(select(func.count()).select_from(table(Item)).where(_which(item_id, subject))) or 0


def erase(
    *, session: Session, actor: Actor, reason: str, item_id: str | None = None, subject: str | None = None
) -> Erased:
    """Erase one item, or items about `subject`, at most 50 at once; what is erased already is passed over.

    Items that nobody has answered end as cancelled. Raises `Forbidden`, `Invalid` without a reason, `NotFound`.
    """
    require(actor, Action.ERASE)
    if not reason.strip() or len(reason) > LONGEST_REASON:
        raise Invalid(f"Say why, in 1 to {LONGEST_REASON} characters: it stays in the log.")
    # Before any row: those who share it want rows, too.
    hold(session, COPYING, shared=False)
    # Indexes: the primary key, ix_item_subject_id.
    query = select(_item.id, _item.queue_id, _item.state, _item.created_at).where(_which(item_id, subject))
    query = query.order_by(_item.id).limit(BATCH)
    rows = session.execute(query.with_for_update() if on_postgresql(session) else query).all()
    if not rows and item_id is not None and session.get(Item, known_id(item_id)) is None:
        raise NotFound("There is no such item.")
    told = _opt_outs_told(session, subject) if subject is not None else []
    if not rows and not told:
        return Erased(0, False)
    _erase(session, actor, rows, told, reason.strip())
    return Erased(len(rows), len(rows) == BATCH)


def _erase(session: Session, actor: Actor, rows: Sequence[Any], told: Sequence[str], reason: str) -> None:
    """These items, which are locked, and the content of those events."""
    erasure = new_id()
    trail.record(
        session, actor, "erasure.made", subject=erasure, facts={"items": len(rows)}, content={"reason": reason}
    )
    for event_id in told:
        trail.record(session, actor, chain.CONTENT_ERASED, subject=event_id, facts={"erasure": erasure})
    for row in rows:
        _end(session, actor, row)
        retire_item(session, actor, row.id)
        trail.record(
            session, actor, chain.ITEM_ERASED, queue_id=row.queue_id, item_id=row.id, subject=erasure,
        )  # fmt: skip
    ids = [row.id for row in rows]
    _forget_work(session, ids)
    _forget_media(session, ids)
    for row in rows:
        _forget_saved_answer(session, row)
    _forget_items(session, ids)
    of_items = select(_event.id).where(_event.item_id.in_(ids))
    gone = or_(_content.event_id.in_(of_items), _content.event_id.in_(told))
    session.execute(delete(table(AuditContent)).where(gone))


def erase_all(*, actor: Actor, reason: str, item_id: str | None = None, subject: str | None = None) -> int:
    """`erase` until nothing is left, in as many transactions as that takes; returns how many items. For edges."""
    total = 0
    while True:
        with write_session() as session:
            done = erase(session=session, actor=actor, reason=reason, item_id=item_id, subject=subject)
        total += done.items
        if not done.more:
            return total


def retain(*, session: Session) -> int:
    """Erase the items of queues with `retention` whose days are over; returns how many. A duty of the leading relay
    that opens transactions of its own, and only where there is something to do."""
    total = 0
    now = database_now(session)
    for queue in session.execute(select(Queue.id, Queue.version, Queue.erased_upto)).all():
        kept = configuration(session, queue.id, queue.version).config.retention
        if kept is None:
            continue
        end = first_id_at((now - timedelta(days=kept.days)).timestamp())
        if session.execute(_old(queue.id, queue.erased_upto, end).limit(1)).first() is not None:
            total += _retain(queue.id, end, kept.days)
    return total


def _old(queue_id: str, upto: str | None, end: str) -> Select[Any]:
    # Index ix_item_queue_id_id.
    query = select(_item.id, _item.queue_id, _item.state, _item.created_at, _item.erased_at)
    query = query.where(_item.queue_id == queue_id, _item.id < end).order_by(_item.id)
    return query if upto is None else query.where(_item.id > upto)


def _retain(queue_id: str, end: str, days: int) -> int:
    """A round of the relay is not to take long: the next duty goes on."""
    with write_session() as session:
        hold(session, COPYING, shared=False)
        upto = session.scalar(select(Queue.erased_upto).where(Queue.id == queue_id))
        query = _old(queue_id, upto, end).limit(BATCH)
        rows = session.execute(query.with_for_update() if on_postgresql(session) else query).all()
        left = [row for row in rows if row.erased_at is None]
        if left:
            _erase(session, SYSTEM, left, [], f"The queue keeps what items said for {days} days.")
        if rows:
            session.execute(update(table(Queue)).where(Queue.id == queue_id).values(erased_upto=rows[-1].id))
    return len(rows)


def _opt_outs_told(session: Session, subject: str) -> list[str]:
    """Events that name somebody and are about no item."""
    query = (
        select(_event.id)
        .join(table(AuditContent), _content.event_id == _event.id)
        .where(
            _event.action.in_(("opt_out.recorded", "opt_out.ended")),
            _content.payload == trail.canonical({"subject": subject}),
        )
    )
    return list(session.scalars(query))


def _end(session: Session, actor: Actor, row: Any) -> None:
    in_grace = select(_decision.id).where(_decision.item_id == row.id)
    session.execute(delete(table(PendingRelease)).where(table(PendingRelease).c.decision_id.in_(in_grace)))
    if row.state in ENDED:
        endings.cancel_tasks(session, actor, queue_id=row.queue_id, item_id=row.id)
        return
    endings.resolve(
        session=session, actor=actor, item_id=row.id, queue_id=row.queue_id, state=ItemState.CANCELLED,
        by=ResolvedBy.CANCELLED, verdict=None, output="null",
    )  # fmt: skip


def _forget_work(session: Session, ids: list[str]) -> None:
    """What people and other models said of them."""
    tasks = select(_task.id).where(_task.item_id.in_(ids))
    for statement in (
        update(table(Decision))
        .where(_decision.item_id.in_(ids))
        .values(output="null", comment=None, message=None, suggested_label=None, seen=None),
        update(table(Resolution)).where(table(Resolution).c.item_id.in_(ids)).values(output="null", message=None),
        delete(table(Draft)).where(table(Draft).c.task_id.in_(tasks)),
        update(table(Skip)).where(table(Skip).c.task_id.in_(tasks)).values(comment=None),
        update(table(Task)).where(_task.item_id.in_(ids)).values(escalation_comment=None),
        delete(table(Comment)).where(table(Comment).c.item_id.in_(ids)),
        delete(table(Notice)).where(table(Notice).c.item_id.in_(ids)),
        update(table(Gold)).where(table(Gold).c.item_id.in_(ids)).values(output="null", note=None),
        delete(table(ItemLikeness)).where(table(ItemLikeness).c.item_id.in_(ids)),
        delete(table(ItemDoubt)).where(table(ItemDoubt).c.item_id.in_(ids)),
        update(table(JudgedItem)).where(table(JudgedItem).c.item_id.in_(ids)).values(label=None, answer=None),
        delete(table(Prediction)).where(table(Prediction).c.item_id.in_(ids)),
        update(table(Outcome)).where(table(Outcome).c.item_id.in_(ids)).values(note=None),
    ):
        session.execute(statement)


def _forget_media(session: Session, ids: list[str]) -> None:
    """Media that no other item refers to are left to the sweep of unused ones, in an hour's time."""
    media, link = table(Media).c, table(ItemMedia).c
    other = aliased(table(ItemMedia))
    shared = select(other.c.media_id).where(other.c.media_id == link.media_id, other.c.item_id.not_in(ids))
    own = select(link.media_id).where(link.item_id.in_(ids), ~shared.exists())
    mine = list(session.scalars(own))
    session.execute(delete(table(ItemMedia)).where(link.item_id.in_(ids)))
    soon = clock(FILES_GO_AFTER - UNUSED_SECONDS)
    session.execute(
        update(table(Media))
        .where(media.id.in_(mine), media.state == MediaState.READY)
        .values(url=None, created_at=soon)
    )


def _forget_saved_answer(session: Session, row: Any) -> None:
    """In the answers kept for repeated requests, which were written with their item."""
    key = table(IdempotencyKey).c
    # Index ix_idempotency_key_created_at.
    near = key.created_at.between(row.created_at - timedelta(minutes=1), row.created_at + timedelta(minutes=10))
    query = select(key.token_id, key.route, key.key, key.answer).where(near, key.answer.contains(row.id))
    for saved in session.execute(query).all():
        answer = dumps(_without_resolution(json.loads(saved.answer), row.id))
        same = key.token_id == saved.token_id, key.route == saved.route, key.key == saved.key
        session.execute(update(table(IdempotencyKey)).where(*same).values(answer=answer, body_sha256=""))


def _without_resolution(value: Any, item_id: str) -> Any:
    if isinstance(value, list):
        return [_without_resolution(one, item_id) for one in value]
    if not isinstance(value, dict):
        return value
    if value.get("id") == item_id and "resolution" in value:
        return {**value, "resolution": None}
    return {name: _without_resolution(one, item_id) for name, one in value.items()}


def _forget_items(session: Session, ids: list[str]) -> None:
    session.execute(
        update(table(Item))
        .where(_item.id.in_(ids))
        .values(
            input="null", output="null", failure=None, parts=None, alternatives=None, explanation=None, trace_url=None,
            metadata="{}", subject=None, external_id=None, body_sha256="", input_sha256=None, similar_key=None,
            erased_at=clock(),
        )
    )  # fmt: skip
