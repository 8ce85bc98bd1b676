"""Queries about what was decided: my decisions, the last one that can be undone, items and their history."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, case, func, select
from sqlalchemy.orm import Session

from reviewqueue.core import trail
from reviewqueue.core.access import Action, Actor, may, require
from reviewqueue.core.db import clock
from reviewqueue.core.http import cursor_of, parse_cursor
from reviewqueue.core.ids import known_id
from reviewqueue.core.language import gettext
from reviewqueue.errors import NotFound
from reviewqueue.media.reading import Picture, pictures_of
from reviewqueue.models import (
    AuditContent,
    AuditEvent,
    Decision,
    Gold,
    Item,
    PendingRelease,
    Person,
    Queue,
    Resolution,
    Task,
    Token,
)
from reviewqueue.models.base import table
from reviewqueue.models.states import ENDED, ActorKind, ItemState, Verdict
from reviewqueue.queues import reveals
from reviewqueue.queues.catalog import QueueHead, configuration, queue_by_id
from reviewqueue.queues.configuration import QueueConfig
from reviewqueue.resolution.stand_ins import no_item
from reviewqueue.review import telling
from reviewqueue.review.comments import said_about
from reviewqueue.review.handing import last_skip

PAGE = 50
REOPENABLE = ENDED - {ItemState.CANCELLED}


@dataclass(frozen=True)
class Undoable:
    """A decision of mine in its grace time, or a skip of a moment ago."""

    decision_id: str | None
    task_id: str | None
    """Of the task that was skipped."""
    what: str
    """What was done, in words."""
    seconds_left: float


def last_undoable(*, session: Session, actor: Actor) -> Undoable | None:
    """The newest decision or skip of `actor` that they may still take back."""
    skipped = last_skip(session=session, actor=actor)
    row = session.execute(_LAST_DECISION, {"person_id": actor.id}).one_or_none()
    if skipped is not None and (row is None or skipped.created_at > row.decided_at):
        return Undoable(None, skipped.task_id, gettext("Skipped"), skipped.seconds_left)
    if row is None:
        return None
    return Undoable(row.id, None, _told(session, row).in_words, (row.releases_at - row.now).total_seconds())


def _told(session: Session, row: Any) -> telling.Told:
    """In words; the row has the columns `_TOLD`."""
    config = configuration(session, row.task_queue_id, row.config_version).config
    return telling.told(config, row, row.ai_output)


def told_of(*, session: Session, actor: Actor, decision_id: str) -> telling.Told:
    """A decision of `actor` in words. Raises `NotFound` for other people's."""
    row = session.execute(
        select(*_TOLD)
        .join(Task, Task.id == Decision.task_id)
        .join(Item, Item.id == Decision.item_id)
        .where(Decision.id == known_id(decision_id), Decision.person_id == actor.id)
    ).one_or_none()
    if row is None:
        raise NotFound
    return _told(session, row)


def _short(content: Any) -> Any:
    """SQL: JSON text, or NULL for what is too long for a line of a list."""
    return case((func.length(content) <= telling.MOST_READ, content))


_each, _item = table(Decision).c, table(Item).c
_TOLD = (
    _each.verdict, _short(_each.output).label("output"), _each.reason, _each.suggested_label, _each.config_version,
    table(Task).c.queue_id.label("task_queue_id"), _short(_item.output).label("ai_output"),
)  # fmt: skip


def _last_decision() -> Any:
    each, pending = table(Decision).c, table(PendingRelease).c
    return (
        select(each.id, each.decided_at, pending.releases_at, clock().label("now"), *_TOLD)
        .join_from(table(Decision), table(PendingRelease), pending.decision_id == each.id)
        .join(table(Task), table(Task).c.id == each.task_id)
        .join(table(Item), _item.id == each.item_id)
        .where(each.person_id == bindparam("person_id"), pending.releases_at > clock())
        .order_by(pending.releases_at.desc(), each.id.desc())
        .limit(1)
    )


# Every page of the desk asks this; to build it anew takes longer than its answer.
_LAST_DECISION = _last_decision()


def decided_by(*, session: Session, actor: Actor, task_id: str) -> bool:
    """Whether a decision of `actor` stands on the task."""
    query = select(Decision.id).where(
        Decision.task_id == task_id, Decision.person_id == actor.id, Decision.withdrawn_at.is_(None), ~Decision.late
    )
    return session.execute(query.limit(1)).one_or_none() is not None


# -- my decisions -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Page:
    """Rows, and the cursor of those after them; None at the end."""

    rows: list[Any]
    cursor: str | None


@dataclass(frozen=True)
class Mine:
    """A decision of one's own, as a list shows it."""

    row: Any
    told: telling.Told
    line: str
    """What its item says."""


VERDICTS = {
    "approve": (Verdict.APPROVE,), "correction": (Verdict.EDIT, Verdict.OVERRIDE), "reject": (Verdict.REJECT,),
}  # fmt: skip
"""By which one's decisions can be narrowed, in the words of the desk."""


def my_decisions(
    *, session: Session, actor: Actor, cursor: str | None, slug: str = "", verdict: str = ""
) -> Page:  # fmt: skip
    """Decisions of `actor`, newest first: those in one queue, those of one kind. Raises `Invalid` for a cursor that is
    not ours."""
    after = parse_cursor(cursor, 1)
    query = (
        select(
            Decision.id, Decision.comment, Decision.decided_at, Decision.withdrawn_at, Decision.late, Decision.correct,
            Decision.queue_id, Decision.item_id, Item.queue_id.label("home_id"), Item.external_id,
            reveals.home_version(_item.queue_id).label("home_version"), _short(Item.input).label("input"),
            Item.state.in_(REOPENABLE).label("ended"), Queue.slug, Queue.title,
            (PendingRelease.releases_at > clock()).label("undoable"), *_TOLD,
        )
        .join(Item, Item.id == Decision.item_id)
        .join(Task, Task.id == Decision.task_id)
        .join(Queue, Queue.id == Task.queue_id)
        .outerjoin(PendingRelease, PendingRelease.decision_id == Decision.id)
        .where(Decision.person_id == actor.id)
        .order_by(Decision.id.desc())
        .limit(PAGE + 1)
    )  # fmt: skip
    if after is not None:
        query = query.where(Decision.id < known_id(after[0]))
    if slug:
        query = query.where(Queue.slug == slug)
    if verdict in VERDICTS:
        query = query.where(Decision.verdict.in_(VERDICTS[verdict]))
    page = _page(list(session.execute(query)))
    return Page([_mine(session, row) for row in page.rows], page.cursor)


def _mine(session: Session, row: Any) -> Mine:
    config = configuration(session, row.task_queue_id, row.config_version).config
    hidden = reveals.sensitive_of(session, row.home_id, row.home_version).parts
    return Mine(row, telling.told(config, row, row.ai_output), telling.line_of(config, row.input, hidden))


def queues_decided_in(*, session: Session, actor: Actor) -> list[Any]:
    """Slug and title of the queues that `actor` reviews, by title: what their decisions can be narrowed to."""
    mine = [queue_id for queue_id in actor.memberships if may(actor, Action.REVIEW, queue_id)]
    return list(session.execute(select(Queue.slug, Queue.title).where(Queue.id.in_(mine)).order_by(Queue.title)))


def _page(rows: list[Any]) -> Page:
    more = len(rows) > PAGE
    return Page(rows[:PAGE], cursor_of(rows[PAGE - 1].id) if more else None)


# -- items ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Event:
    """One line of an item's history."""

    at: datetime
    action: str
    who: str
    via: str
    facts: dict[str, Any]
    content: dict[str, Any]


@dataclass(frozen=True)
class ItemHistory:
    """An item with everything that happened to it."""

    item: Any
    queue: QueueHead
    config: QueueConfig
    input: Any
    output: Any
    failure: Any
    metadata: dict[str, Any]
    resolutions: list[Any]
    decisions: list[Any]
    comments: list[Any]
    events: list[Event] | None
    """None for those who may not read the history."""
    hidden: tuple[str, ...]
    """Sensitive parts that are covered in `input` and `metadata`."""
    asks_why: bool
    pictures: list[Picture]
    """What its input refers to."""
    gold: Any
    """Its row, if it is gold and the reader manages that."""
    withheld: bool
    """What others decided in this round is left out, for the reader may be asked to judge the item, too."""


def item_history(*, session: Session, actor: Actor, item_id: str) -> ItemHistory:
    """The item's page. Opening it is an event.

    Raises `NotFound` for an item that does not exist or whose queue the actor may not know, `Forbidden` for members
    who may not read items.
    """
    item = session.execute(select(Item).where(Item.id == known_id(item_id))).scalar_one_or_none()
    if item is None:
        raise no_item(session, actor, Action.READ_ITEMS, known_id(item_id))
    require(actor, Action.READ_ITEMS, item.queue_id)
    revisions = select(Resolution).where(Resolution.item_id == item.id).order_by(Resolution.revision.desc())
    may_read = may(actor, Action.READ_HISTORY, item.queue_id)
    decisions = _decisions(session, item.id) if may_read else []
    events = _events(session, item.id) if may_read else None
    unsettled = item.reviews > 1 and item.state in (ItemState.QUEUED, ItemState.IN_REVIEW)
    withheld = False
    if unsettled and events is not None and may(actor, Action.REVIEW, item.queue_id):
        mine = [row for row in decisions if row.Decision.round < item.round or row.Decision.person_id == actor.id]
        withheld, decisions = len(mine) < len(decisions), mine
        events = [event for event in events if not event.action.startswith("task.decided")]
    hidden = reveals.hidden_from(session, actor, item_id=item.id, queue_id=item.queue_id)
    history = ItemHistory(
        item=item, queue=queue_by_id(session, item.queue_id),
        config=configuration(session, item.queue_id, item.config_version).config,
        input=reveals.value_shown(item.input, "input", hidden), output=json.loads(item.output),
        failure=json.loads(item.failure) if item.failure else None,
        metadata=reveals.value_shown(item.metadata_json, "metadata", hidden),
        hidden=hidden, asks_why=reveals.sensitive_of(session, item.queue_id).ask_why,
        resolutions=list(session.scalars(revisions)),
        decisions=decisions, events=events, withheld=withheld, comments=said_about(session, item.id),
        gold=_gold(session, actor, item),
        pictures=pictures_of(session, item.id, json.loads(item.input), item.input),
    )  # fmt: skip
    trail.record(session, actor, "item.viewed", queue_id=item.queue_id, item_id=item.id)
    return history


def reveal(*, session: Session, actor: Actor, item_id: str, why: str) -> None:
    """Show `actor` what is sensitive of the item, see `reveals.reveal`. Raises `NotFound`, `Forbidden`, `Invalid`."""
    queue_id = session.execute(select(Item.queue_id).where(Item.id == item_id)).scalar_one_or_none()
    if queue_id is None:
        raise no_item(session, actor, Action.READ_ITEMS, item_id)
    require(actor, Action.READ_ITEMS, queue_id)
    reveals.reveal(session=session, actor=actor, item_id=item_id, queue_id=queue_id, why=why)


def _gold(session: Session, actor: Actor, item: Item) -> Gold | None:
    if not may(actor, Action.MANAGE_GOLD, item.queue_id):
        return None
    return session.execute(select(Gold).where(Gold.item_id == item.id)).scalar_one_or_none()


def _decisions(session: Session, item_id: str) -> list[Any]:
    query = (
        select(Decision, Task.kind, Person.name)
        .join(Person, Person.id == Decision.person_id)
        .join(Task, Task.id == Decision.task_id)
        .where(Decision.item_id == item_id)
        .order_by(Decision.decided_at)
    )
    return list(session.execute(query))


def _events(session: Session, item_id: str) -> list[Event]:
    # Index ix_audit_event_item_id_id.
    query = (
        select(AuditEvent, AuditContent.payload)
        .outerjoin(AuditContent, AuditContent.event_id == AuditEvent.id)
        .where(AuditEvent.item_id == item_id)
        .order_by(AuditEvent.id.desc())
        .limit(500)
    )
    rows = list(session.execute(query))
    names = _names(session, [row.AuditEvent for row in rows])
    return [
        Event(
            row.AuditEvent.at, row.AuditEvent.action, names.get(row.AuditEvent.actor, row.AuditEvent.actor),
            row.AuditEvent.via, json.loads(row.AuditEvent.facts), json.loads(row.payload) if row.payload else {},
        )
        for row in rows
    ]  # fmt: skip


def _names(session: Session, events: list[Any]) -> dict[str, str]:
    people = {event.actor for event in events if event.actor_kind is ActorKind.PERSON}
    tokens = {event.actor for event in events if event.actor_kind is ActorKind.SERVICE}
    found = [
        *session.execute(select(Person.id, Person.name).where(Person.id.in_(people))),
        *session.execute(select(Token.id, Token.name).where(Token.id.in_(tokens))),
    ]
    return {row[0]: row[1] for row in found}
