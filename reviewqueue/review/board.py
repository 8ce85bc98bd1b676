"""Queries for the lead's board: what waits in each queue, who works on what, how fast it moves and when it clears."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock
from typing import Any

from sqlalchemy import Integer, case, func, select, text
from sqlalchemy.orm import Session

from reviewqueue.core.access import Action, Actor
from reviewqueue.core.db import clock, database_now
from reviewqueue.core.ids import first_id_at
from reviewqueue.models import AuditEvent, Decision, Item, Person, Task
from reviewqueue.models.states import Audience, ItemState, RoutingAction, TaskKind, TaskState
from reviewqueue.queues.catalog import QueueHead, queues_or_refusal
from reviewqueue.review.claims.leases import CLAIMED
from reviewqueue.review.forecast import Forecast, forecast

MOST_COUNTED = 100_000
"""Tasks and decisions; beyond that a count says `or more`."""
MOST_ARRIVALS = 20_000
MOST_HANDS = 200
"""People with a claim, listed at most."""
PAGE = 30
"""Queues shown at once."""
HOUR_SECONDS = 3600.0
SKEW_SECONDS = 300.0
"""By how much the clock of a web process may differ from the database's: an item's id is made by the former."""
KEPT_SECONDS = 3.0
"""How long figures serve all who look, so that a board on every lead's screen costs no more than one."""

# In the words of indexes ix_task_waiting and ix_decision_made.
WAITS = text("task.state = 'open' AND task.kind <> 'gold'")
COUNTS = text("decision.withdrawn_at IS NULL AND NOT decision.late AND decision.correct IS NULL")


@dataclass(frozen=True)
class Figures:
    """Of one queue, by the database's clock. Checks with a known answer are in none of them."""

    waiting: int
    """Tasks that nobody holds, also those that are put off, and those with the leads."""
    capped: bool
    """There are more than were counted, those due first; so it is with all that waits."""
    overdue: int
    soon: int
    """Due within the hour."""
    with_leads: int
    oldest_at: datetime | None
    in_review: int
    """Items with a decision and without an answer yet, counted up to `MOST_COUNTED`."""
    decided_hour: int
    decided_today: int
    """Since midnight UTC."""
    arrived_hour: int
    """Tasks that came with new items, of which none was withdrawn or expired since; not those of second rounds, nor
    what another queue sent here. At most `MOST_ARRIVALS`."""


@dataclass(frozen=True)
class Hand:
    """Somebody with a live claim, not of a check."""

    queue_id: str
    claim_id: str
    item_id: str
    external_id: str | None
    person_id: str
    name: str
    since: datetime | None
    due: datetime


@dataclass(frozen=True)
class Given:
    """Somebody to whom tasks of a queue are left, which they do not have in hand."""

    queue_id: str
    person_id: str
    name: str
    now: int
    """A lead gave them, or they are due again."""
    later: int
    """Put off by them."""


@dataclass(frozen=True)
class Lead:
    """A queue on the board."""

    queue: QueueHead
    figures: Figures
    in_hand: int
    hands: list[Hand]
    given: list[Given]
    outlook: Forecast


@dataclass(frozen=True)
class Board:
    queues: list[Lead]
    page: int
    more: bool
    more_hands: bool
    """There are more claims than are listed."""

    @property
    def late(self) -> list[Lead]:
        """Those with something overdue, the most first."""
        return sorted((lead for lead in self.queues if lead.figures.overdue), key=lambda lead: -lead.figures.overdue)


def board(*, session: Session, actor: Actor, page: int = 1) -> Board:
    """The queues whose workload `actor` may see, by title. Raises `Forbidden` for who leads none."""
    heads = queues_or_refusal(session=session, actor=actor, action=Action.SEE_WORKLOAD)
    live = [head for head in heads if not head.archived]
    shown = live[(page - 1) * PAGE : page * PAGE]
    ids = [head.id for head in shown]
    counts, hands, given = held(session, ids), _hands(session, ids), _given(session, ids)
    return Board(
        [_lead(session, head, counts[head.id], hands, given) for head in shown], page, len(live) > page * PAGE,
        sum(counts.values()) > len(hands),
    )  # fmt: skip


def _lead(session: Session, head: QueueHead, in_hand: int, hands: list[Hand], given: list[Given]) -> Lead:
    figures = figures_of(session, head.id)
    outlook = forecast(undecided=figures.waiting + in_hand, decided=figures.decided_hour, arrived=figures.arrived_hour)
    return Lead(
        head, figures, in_hand, [hand for hand in hands if hand.queue_id == head.id],
        [each for each in given if each.queue_id == head.id], outlook,
    )  # fmt: skip


# -- counts -----------------------------------------------------------------------------------------------------------

_kept: dict[str, tuple[float, Figures]] = {}
_lock = Lock()


def figures_of(session: Session, queue_id: str) -> Figures:
    """Those of a queue, at most `KEPT_SECONDS` old. Asks no permission."""
    now = time.monotonic()
    with _lock:
        counted_at, figures = _kept.get(queue_id, (float("-inf"), None))
    if figures is not None and now - counted_at < KEPT_SECONDS:
        return figures
    figures = _count(session, queue_id)
    with _lock:
        _kept[queue_id] = (now, figures)
    return figures


def _count(session: Session, queue_id: str) -> Figures:
    now = database_now(session)
    row = session.execute(_waiting(queue_id, now)).one()
    return Figures(
        waiting=min(row.waiting, MOST_COUNTED), capped=row.waiting > MOST_COUNTED, overdue=row.overdue or 0,
        soon=row.soon or 0, with_leads=row.with_leads or 0, oldest_at=row.oldest,
        in_review=session.execute(_in_review(queue_id)).scalar_one(),
        decided_hour=session.execute(_decided(queue_id, now - timedelta(seconds=HOUR_SECONDS))).scalar_one(),
        decided_today=session.execute(
            _decided(queue_id, now.replace(hour=0, minute=0, second=0, microsecond=0))
        ).scalar_one(),
        arrived_hour=session.execute(_arrived(queue_id, now)).scalar_one() or 0,
    )  # fmt: skip


def _waiting(queue_id: str, now: datetime) -> Any:
    # Index ix_task_waiting, whose columns are all that this reads.
    some = (
        select(Task.due, Task.created_at, Task.audience)
        .where(Task.queue_id == queue_id, WAITS)
        .order_by(Task.due)
        .limit(MOST_COUNTED + 1)
        .subquery()
    )
    columns = some.c
    soon = now + timedelta(seconds=HOUR_SECONDS)
    return select(
        func.count().label("waiting"), func.min(columns.created_at).label("oldest"), _sum(columns.due < now, "overdue"),
        _sum((columns.due >= now) & (columns.due < soon), "soon"),
        _sum(columns.audience == Audience.LEAD, "with_leads"),
    ).select_from(some)  # fmt: skip


def _sum(condition: Any, name: str) -> Any:
    return func.sum(case((condition, 1), else_=0), type_=Integer).label(name)


def _in_review(queue_id: str) -> Any:
    # Index ix_item_queue_id_state_id.
    some = select(Item.id).where(Item.queue_id == queue_id, Item.state == ItemState.IN_REVIEW).limit(MOST_COUNTED)
    return select(func.count()).select_from(some.subquery())


def _decided(queue_id: str, since: datetime) -> Any:
    # Index ix_decision_made.
    some = (
        select(Decision.decided_at)
        .where(Decision.queue_id == queue_id, COUNTS, Decision.decided_at >= since)
        .limit(MOST_COUNTED)
    )
    return select(func.count()).select_from(some.subquery())


def _arrived(queue_id: str, now: datetime) -> Any:
    # Index ix_item_queue_id_id: ids sort by time.
    since = now - timedelta(seconds=HOUR_SECONDS)
    is_gold = (Item.state == ItemState.RESOLVED) & (Item.revision == 0)
    some = (
        select(Item.reviews)
        .where(
            Item.queue_id == queue_id, Item.id >= first_id_at(since.timestamp() - SKEW_SECONDS),
            Item.created_at >= since, (Item.action == RoutingAction.REVIEW) | Item.audit_sample,
            Item.duplicate_of.is_(None), ~is_gold, Item.state.not_in((ItemState.CANCELLED, ItemState.EXPIRED)),
        )
        .order_by(Item.id.desc())
        .limit(MOST_ARRIVALS)
        .subquery()
    )  # fmt: skip
    return select(func.sum(some.c.reviews, type_=Integer))


# -- hands ------------------------------------------------------------------------------------------------------------

IN_HAND = (CLAIMED, Task.lease_until > clock(), Task.kind != TaskKind.GOLD)


def held(session: Session, queue_ids: Iterable[str]) -> Counter[str]:
    """How many hold a task, by queue. Index ix_task_lease_until: as many entries as there are claims on the site."""
    rows = session.execute(
        select(Task.queue_id, func.count()).where(*IN_HAND, Task.queue_id.in_(queue_ids)).group_by(Task.queue_id)
    )
    return Counter({row[0]: row[1] for row in rows})


def _hands(session: Session, queue_ids: Iterable[str]) -> list[Hand]:
    """Who holds what, the longest first."""
    rows = session.execute(
        select(
            Task.queue_id, Task.id, Task.fence, Task.item_id, Task.due, Item.external_id, Person.name,
            Person.id.label("person_id"),
        )
        .join(Item, Item.id == Task.item_id)
        .join(Person, Person.id == Task.holder)
        .where(*IN_HAND, Task.queue_id.in_(queue_ids))
        .order_by(Task.lease_until)
        .limit(MOST_HANDS)
    ).all()  # fmt: skip
    since = _claimed_at(session, rows)
    found = [
        Hand(
            row.queue_id, f"{row.id}.{row.fence}", row.item_id, row.external_id, row.person_id, row.name,
            since.get(row.id), row.due,
        )
        for row in rows
    ]  # fmt: skip
    return sorted(found, key=lambda hand: hand.since.timestamp() if hand.since else 0.0)


def _given(session: Session, queue_ids: Iterable[str]) -> list[Given]:
    """Whose alone what waits is, by name. A check is nobody's business."""
    later = Task.available_at > clock()
    # Index ix_task_assignee.
    rows = session.execute(
        select(
            Task.queue_id, Person.id, Person.name, _sum(~later, "now"), _sum(later, "later"),
        )
        .join(Person, Person.id == Task.assignee)
        .where(
            Task.queue_id.in_(queue_ids), Task.assignee.is_not(None), Task.state == TaskState.OPEN,
            Task.kind != TaskKind.GOLD,
        )
        .group_by(Task.queue_id, Person.id, Person.name)
        .order_by(Person.name, Person.id)
        .limit(MOST_HANDS)
    )  # fmt: skip
    return [Given(*row) for row in rows]


def _claimed_at(session: Session, tasks: Sequence[Any]) -> dict[str, datetime]:
    """When each was claimed the last time: a lease that is renewed does not say."""
    # Index ix_audit_event_item_id_id.
    rows = session.execute(
        select(AuditEvent.subject, func.max(AuditEvent.at))
        .where(
            AuditEvent.item_id.in_([task.item_id for task in tasks]), AuditEvent.action == "task.claimed",
            AuditEvent.subject.in_([task.id for task in tasks]),
        )
        .group_by(AuditEvent.subject)
    )  # fmt: skip
    return {str(row[0]): row[1] for row in rows}
