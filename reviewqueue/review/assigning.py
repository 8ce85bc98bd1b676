"""Operations of leads on tasks: give one to a person, make it more urgent. And the queries about what is whose."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from types import SimpleNamespace
from typing import Any

from sqlalchemy import case, func, or_, select, update
from sqlalchemy.orm import Session

from reviewqueue.core import trail
from reviewqueue.core.access import Action, Actor, may, require
from reviewqueue.core.db import clock, on_postgresql
from reviewqueue.errors import Fault, Invalid, ItemEnded, NotFound
from reviewqueue.models import Item, Membership, Person, Queue, Task
from reviewqueue.models.lanes import may_take, restrictions
from reviewqueue.models.states import UNFINISHED, Audience, NoticeKind, QueueRole, TaskKind, TaskState
from reviewqueue.notices import inbox
from reviewqueue.review import golden
from reviewqueue.review.claims import leases, passing_on

MOST_LISTED = 200
MOST_PRIORITY = 1000


@dataclass(frozen=True)
class Candidate:
    """Somebody to whom the task may be given."""

    id: str
    name: str
    email: str


_TASK = select(
    Task.id,
    Task.queue_id,
    Task.item_id,
    Task.kind,
    Task.fence,
    Task.state,
    Task.audience,
    Task.excluded,
    Task.holder,
    Task.assignee,
)


def assign(*, session: Session, actor: Actor, task_id: str, person: str | None, tells: bool = True) -> str | None:
    """Give a task that waits or is held to `person`, by id or e-mail, at once and to nobody else; None: to everybody.
    Returns the person's name.

    Somebody else who holds it loses it; their draft stays. The person gets a notice, unless not `tells`. Raises
    `NotFound`, `Forbidden`, `ItemEnded` for a task that is finished, and `Invalid` for somebody who may not take it: no
    reviewer of its queue, no lead though it was escalated, or one who has decided or skipped it.
    """
    task = session.execute(_TASK.where(Task.id == task_id)).one_or_none()
    if task is None:
        raise NotFound
    require(actor, Action.ASSIGN_TASKS, task.queue_id)
    if person is not None and on_postgresql(session):
        # Before the task, as in `people.disable`: so that nothing is given to somebody who is being disabled.
        chosen_id = _chosen(session, task, person).id
        session.execute(select(Person.id).where(Person.id == chosen_id).with_for_update(read=True))
    locked = _TASK.with_for_update() if on_postgresql(session) else _TASK
    task = session.execute(locked.where(Task.id == task_id)).one()
    if task.state not in UNFINISHED:
        raise ItemEnded("This task needs nobody any more.")
    found = None if person is None else _chosen(session, task, person)
    chosen, name = (None, None) if found is None else (found.id, found.name)
    if task.kind is TaskKind.GOLD:
        # Left to whoever comes first, work in somebody's hands stays there.
        if chosen is not None or task.state is TaskState.OPEN:
            facts, theirs = {"to": chosen, "fence": task.fence}, {"assignee": chosen} if chosen else {}
            passing_on.put_aside(session, actor, task, "task.assigned", facts=facts, **theirs)
        return name
    hands = {}
    if task.state is TaskState.CLAIMED and task.holder != chosen and chosen is not None:
        hands = {"state": TaskState.OPEN, "last_holder": task.holder, "holder": None, "lease_until": None}
    theirs = restrictions(audience=task.audience, assignee=chosen, excluded=json.loads(task.excluded))
    session.execute(update(Task).where(Task.id == task_id).values(**theirs, available_at=clock(), **hands))
    trail.record(
        session, actor, "task.assigned" if chosen else "task.unassigned", queue_id=task.queue_id,
        item_id=task.item_id, subject=task_id, facts={"to": chosen, "was": task.assignee, "taken_from": task.holder},
    )  # fmt: skip
    if tells and chosen is not None and chosen != task.assignee:
        inbox.tell(session, actor, [chosen], NoticeKind.ASSIGNED, item_id=task.item_id)
    return name


def prioritise(*, session: Session, actor: Actor, task_id: str, priority: int) -> None:
    """Make a task that waits or is held more or less urgent: -1,000 to 1,000, higher first.

    What routing said of its item stays. Raises `NotFound`, `Forbidden`, `Invalid`, and `ItemEnded` for a task that is
    finished.
    """
    if abs(priority) > MOST_PRIORITY:
        raise Invalid("A priority is from -1,000 to 1,000.", [Fault("/priority", "is too high or too low")])
    task = session.execute(select(Task.queue_id, Task.item_id, Task.priority).where(Task.id == task_id)).one_or_none()
    if task is None:
        raise NotFound
    require(actor, Action.ASSIGN_TASKS, task.queue_id)
    changed = session.execute(
        update(Task)
        .where(Task.id == task_id, Task.state.in_(UNFINISHED))
        .values(priority=priority)
        .returning(Task.id)
        .execution_options(synchronize_session=False)
    ).one_or_none()
    if changed is None:
        raise ItemEnded("This task needs nobody any more.")
    trail.record(
        session, actor, "task.prioritised", queue_id=task.queue_id, item_id=task.item_id, subject=task_id,
        facts={"priority": priority, "was": task.priority},
    )  # fmt: skip


def give(*, session: Session, actor: Actor, claim_id: str, person: str) -> str | None:
    """As `assign`, of the task that `actor` holds. Raises `LeaseLost`, too."""
    task_id, fence = leases.parse_claim_id(claim_id)
    if not leases.is_live(session, actor, task_id, fence):
        raise leases.lost_lease(session, actor, task_id)
    return assign(session=session, actor=actor, task_id=task_id, person=person)


def _chosen(session: Session, task: Any, person: str) -> Candidate:
    for candidate in candidates(session=session, task=task):
        if person.strip().casefold() in {candidate.id, candidate.email.casefold()}:
            return candidate
    detail = "is nobody who may take this task: of its queue, and who has neither decided nor skipped it"
    raise Invalid(f"This person cannot have it: {detail}.", [Fault("/person", detail)], code="cannot_take")


def candidates(*, session: Session, task: Any) -> list[Candidate]:
    """Who may be given the task, by name; it has `queue_id`, `audience` and `excluded`. Asks no permission."""
    roles = [QueueRole.LEAD] if task.audience is Audience.LEAD else [QueueRole.LEAD, QueueRole.REVIEWER]
    rows = session.execute(
        select(Person.id, Person.name, Person.email)
        .distinct()
        .join(Membership, Membership.person_id == Person.id)
        .where(
            Membership.queue_id == task.queue_id, Membership.role.in_(roles), Person.disabled_at.is_(None),
            Person.id.not_in(json.loads(task.excluded)),
        )
        .order_by(Person.name, Person.id)
    )  # fmt: skip
    return [Candidate(*row) for row in rows]


def everybody(*, session: Session, queue_id: str) -> list[Candidate]:
    """Who takes tasks of the queue, by name. Asks no permission."""
    return candidates(
        session=session, task=SimpleNamespace(queue_id=queue_id, audience=Audience.REVIEWER, excluded="[]")
    )


def colleagues(*, session: Session, actor: Actor, task_id: str) -> list[Candidate]:
    """To whom `actor` may give the task that they hold; nobody where they may not."""
    task = session.execute(select(Task.queue_id, Task.audience, Task.excluded).where(Task.id == task_id)).one()
    if not may(actor, Action.ASSIGN_TASKS, task.queue_id):
        return []
    return [candidate for candidate in candidates(session=session, task=task) if candidate.id != actor.id]


# -- what is whose ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Work:
    """An unfinished task of an item, for those who may give it to somebody."""

    task: Any
    """The row, with `slug`, `title`, `holder_name`, `assignee_name`, `put_off`, and who handed it on: `handed_by` and
    `sent_from`, the title of a queue."""
    candidates: list[Candidate]
    held: str | None
    """The claim that the reader has on it."""
    open: bool
    """Whether the reader may claim it now."""


def work_on(*, session: Session, actor: Actor, item_id: str) -> list[Work]:
    """The unfinished tasks of the item that `actor` may assign."""
    holder, assignee, by = (Person.__table__.alias(name) for name in ("held_by", "assigned_to", "handed_by"))
    origin = Queue.__table__.alias("origin")
    rows = session.execute(
        select(
            Task.id, Task.queue_id, Task.audience, Task.excluded, Task.state, Task.kind, Task.due, Task.available_at,
            Task.lease_until, Task.assignee, Task.lane, Task.fence, Task.holder, Task.escalation_comment, Queue.slug,
            Queue.title, holder.c.name.label("holder_name"), assignee.c.name.label("assignee_name"),
            by.c.name.label("handed_by"), origin.c.title.label("sent_from"),
            (Task.available_at > clock()).label("put_off"), (Task.lease_until > clock()).label("live"),
        )
        .join(Queue, Queue.id == Task.queue_id)
        .outerjoin(holder, holder.c.id == Task.holder)
        .outerjoin(assignee, assignee.c.id == Task.assignee)
        .outerjoin(by, by.c.id == Task.escalated_by)
        .outerjoin(origin, origin.c.id == Task.sent_from)
        .where(Task.item_id == item_id, Task.state.in_(UNFINISHED), Task.kind != TaskKind.GOLD)
        .order_by(Task.id)
    ).all()  # fmt: skip
    allowed = [row for row in rows if may(actor, Action.ASSIGN_TASKS, row.queue_id)]
    return [
        Work(
            row, candidates(session=session, task=row),
            f"{row.id}.{row.fence}" if row.holder == actor.id and row.live else None, _is_open_to(actor, row),
        )
        for row in allowed
    ]  # fmt: skip


def _is_open_to(actor: Actor, row: Any) -> bool:
    is_lead = may(actor, Action.TAKE_ESCALATIONS, row.queue_id)
    allowed = may(actor, Action.REVIEW, row.queue_id) and may_take(row.lane, person_id=actor.id, is_lead=is_lead)
    return row.state is TaskState.OPEN and allowed


@dataclass(frozen=True)
class Own:
    """How much is `actor`'s own."""

    now: int
    """Assigned, or due again."""
    later: int
    """Put off."""
    next_at: datetime | None
    """When the first of those is due again."""


def _mine(actor: Actor) -> Any:
    places = [queue_id for queue_id in actor.memberships if may(actor, Action.REVIEW, queue_id)]
    # A check is assigned to whom it is for, who must not see it from that; one that they have put off is expected here.
    # Index ix_task_assignee.
    assigned = (Task.assignee == actor.id) & or_(Task.kind != TaskKind.GOLD, Task.available_at > Task.created_at)
    return assigned, Task.state.in_(UNFINISHED), Task.queue_id.in_(places)


def own(*, session: Session, actor: Actor) -> Own:
    """What was assigned to `actor`, or put off by them."""
    later = Task.available_at > clock()
    row = session.execute(
        select(
            func.sum(case((later, 0), else_=1)).label("now"), func.sum(case((later, 1), else_=0)).label("later"),
            func.min(case((later, Task.available_at))).label("next_at"),
        ).where(*_mine(actor))
    ).one()  # fmt: skip
    return Own(row.now or 0, row.later or 0, row.next_at)


def my_tasks(*, session: Session, actor: Actor) -> list[Any]:
    """The same, task by task, those that can be done now first; and what is in the actor's hands."""
    later = Task.available_at > clock()
    in_hand = (Task.holder == actor.id) & (Task.state == TaskState.CLAIMED) & (Task.lease_until > clock())
    assignee, state, places = _mine(actor)
    rows = session.execute(
            select(
                Task.id, Task.kind, Task.config_version, Task.queue_id, Item.id.label("real_id"), Task.fence, Task.due,
            Task.available_at, Task.priority, Queue.slug, Queue.title, Item.external_id,
            func.coalesce(Task.stand_in, Item.id).label("item_id"), Item.rule_title, later.label("later"),
            in_hand.label("in_hand"),
            )
            .join(Queue, Queue.id == Task.queue_id)
            .join(Item, Item.id == Task.item_id)
            .where(or_(assignee, in_hand), state, places)
            .order_by(in_hand.desc(), later, Task.available_at, Task.priority.desc(), Task.due, Task.id)
            .limit(MOST_LISTED)
    )  # fmt: skip
    return [golden.as_work(session, row) if row.kind is TaskKind.GOLD else row for row in rows]
