"""Operations on many items at once: look at what would be hit, keep exactly that, confirm it, and work it off.

Each item is changed by the operation that changes one, as the person who confirmed, in the transaction that notes what
came of it: a job that is killed loses nothing and does nothing twice.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from sqlalchemy import delete, func, insert, select, text, update
from sqlalchemy.orm import Session

from reviewqueue.accounts.identity import actor_of_person
from reviewqueue.core import outbox, trail
from reviewqueue.core.access import SYSTEM, Action, Actor, may, require
from reviewqueue.core.background import KILLED
from reviewqueue.core.bulk import insert_rows
from reviewqueue.core.db import clock, on_postgresql
from reviewqueue.core.ids import known_id, new_id
from reviewqueue.core.strictjson import dumps
from reviewqueue.errors import Conflict, Error, Fault, Invalid, ItemEnded, NotFound
from reviewqueue.models import Bulk, BulkItem, Item, OutboxRow, Person, Task
from reviewqueue.models.base import table
from reviewqueue.models.states import (
    ENDED,
    Audience,
    BulkAction,
    BulkOutcome,
    BulkState,
    ItemState,
    NoticeKind,
    TaskKind,
    TaskState,
)
from reviewqueue.notices import inbox
from reviewqueue.queues.catalog import QueueHead, find_queue, queue_by_id
from reviewqueue.resolution.endings import cancel_item
from reviewqueue.review import assigning, finding, golden, reopening
from reviewqueue.review.claims import leases, returning

RUN = "bulk.run"
MOST = 10_000
"""Items of one action."""
AT_ONCE = 100
"""As many are done with the confirmation; more by a job."""
BATCH = 20
"""Items of one transaction."""
CHUNK = 500
FORGOTTEN_SECONDS = 86_400.0
NEEDS = {
    BulkAction.ASSIGN: Action.ASSIGN_TASKS,
    BulkAction.PRIORITISE: Action.ASSIGN_TASKS,
    BulkAction.RELEASE: Action.ASSIGN_TASKS,
    BulkAction.CLOSE: Action.CLOSE_ITEMS,
    BulkAction.REOPEN: Action.REOPEN_ITEMS,
}
_bulk, _row = table(Bulk).c, table(BulkItem).c


@dataclass(frozen=True)
class Wanted:
    """What is to be done with each."""

    action: BulkAction
    person: str | None = None
    """Of an assignment: id or e-mail; None: whoever comes first."""
    priority: int = 0
    reason: str = ""
    """Of closing, told to the program; of reopening, to whoever judges it next."""

    @property
    def argument(self) -> dict[str, Any]:
        if self.action is BulkAction.ASSIGN:
            return {"person": self.person}
        if self.action is BulkAction.PRIORITISE:
            return {"priority": self.priority}
        return {"reason": self.reason} if self.action in (BulkAction.CLOSE, BulkAction.REOPEN) else {}


def open_to(actor: Actor, queue_id: str) -> list[BulkAction]:
    """What `actor` may do with many items of the queue."""
    return [action for action, needed in NEEDS.items() if may(actor, needed, queue_id)]


# -- before -----------------------------------------------------------------------------------------------------------


class Look:
    """What an action would hit, looked for in steps, each of which reads little: those chosen by id, or all that match
    the filters, the newest `MOST` at most.

    Raises `NotFound`, `Forbidden`, and `Invalid` for an argument that cannot be.
    """

    def __init__(
        self, *, session: Session, actor: Actor, slug: str, wanted: Wanted, chosen: Iterable[str] | finding.Filters
    ) -> None:
        self.head = find_queue(session=session, actor=actor, slug=slug, action=NEEDS[wanted.action])
        self.wanted = _checked(session, self.head, wanted)
        self.filters = chosen if isinstance(chosen, finding.Filters) else None
        self.rows: list[tuple[str, str | None]] = []
        """Each item, and why it would be skipped; None: it would be changed."""
        self._actor = actor
        self._before: str | None = None
        self._ids = [] if isinstance(chosen, finding.Filters) else _of_queue(session, self.head, chosen)
        self._found = self.filters is None

    @property
    def more(self) -> bool:
        """More match than one action takes."""
        return len(self._ids) > MOST

    def go_on(self, session: Session) -> bool:
        """Look at the next; whether there are more to look at."""
        if self.filters is not None and not self._found:
            step = finding.step(session=session, head=self.head, filters=self.filters, before=self._before)
            self._ids += step.ids
            self._before, self._found = step.before, step.before is None or len(self._ids) > MOST
            return True
        start = len(self.rows)
        self.rows += _assessed(session, self._actor, self.wanted, self._ids[:MOST][start : start + CHUNK])
        return len(self.rows) < len(self._ids[:MOST])


def prepare(*, session: Session, actor: Actor, look: Look) -> str:
    """Keep which items the action would hit, and which not and why, as they were seen. Returns the id of its preview;
    nothing is changed. Raises `Forbidden`, and `Invalid` when there is no item."""
    wanted, head = look.wanted, look.head
    require(actor, NEEDS[wanted.action], head.id)
    if not look.rows:
        raise Invalid("No item is chosen.", [Fault("/items", "has none of this queue")])
    bulk_id = new_id()
    session.execute(
        insert(Bulk).values(
            id=bulk_id, queue_id=head.id, person_id=actor.id, action=wanted.action, argument=dumps(wanted.argument),
            query=None if look.filters is None else look.filters.address, more=look.more, state=BulkState.PREVIEW,
            created_at=clock(),
        )
    )  # fmt: skip
    insert_rows(
        session, table(BulkItem),
        [
            {
                "bulk_id": bulk_id, "item_id": item_id, "why": why,
                "outcome": BulkOutcome.SKIPPED if why else BulkOutcome.PENDING,
            }
            for item_id, why in look.rows
        ],
    )  # fmt: skip
    trail.record(
        session, actor, "bulk.prepared", queue_id=head.id, subject=bulk_id,
        facts={"action": wanted.action, "items": len(look.rows), "by_filter": look.filters is not None},
    )  # fmt: skip
    return bulk_id


def _checked(session: Session, head: QueueHead, wanted: Wanted) -> Wanted:
    if wanted.action is BulkAction.PRIORITISE and abs(wanted.priority) > assigning.MOST_PRIORITY:
        raise Invalid("A priority is from -1,000 to 1,000.", [Fault("/priority", "is too high or too low")])
    if wanted.action in (BulkAction.CLOSE, BulkAction.REOPEN) and not wanted.reason.strip():
        raise Invalid("Say why.", [Fault("/reason", "is required")])
    if wanted.action is not BulkAction.ASSIGN or wanted.person is None:
        return wanted
    name = wanted.person.strip().casefold()
    for one in assigning.everybody(session=session, queue_id=head.id):
        if name in {one.id, one.email.casefold()}:
            return Wanted(wanted.action, person=one.id)
    raise Invalid("Nobody who reviews in this queue is called that.", [Fault("/person", "is no reviewer here")])


def _of_queue(session: Session, head: QueueHead, ids: Iterable[str]) -> list[str]:
    wanted = sorted({known_id(item_id) for item_id in islice(ids, MOST)}, reverse=True)
    found: set[str] = set()
    for start in range(0, len(wanted), CHUNK):
        some = wanted[start : start + CHUNK]
        found |= set(session.scalars(select(Item.id).where(Item.id.in_(some), Item.queue_id == head.id)))
    return [item_id for item_id in wanted if item_id in found]


def _assessed(session: Session, actor: Actor, wanted: Wanted, ids: list[str]) -> Iterator[tuple[str, str | None]]:
    items = {row.id: row for row in session.execute(select(Item.id, Item.state, Item.revision).where(Item.id.in_(ids)))}
    work = finding.tasks_of(session, ids)
    known = golden.known_among(session, ids) if wanted.action is BulkAction.REOPEN else frozenset()
    for item_id in ids:
        if item_id not in items:
            yield item_id, "is there no more"
        elif item_id in known:
            yield item_id, "is a check, whose answer is known"
        else:
            yield item_id, _why_not(actor, wanted, items[item_id], work.get(item_id, []))


def _why_not(actor: Actor, wanted: Wanted, item: Any, tasks: list[Any]) -> str | None:
    if wanted.action is BulkAction.CLOSE:
        if item.state in ENDED or item.revision:
            return "has its answer already"
        return "was decided by somebody" if item.state is ItemState.IN_REVIEW else None
    if wanted.action is BulkAction.REOPEN:
        if item.state is ItemState.CANCELLED:
            return "was withdrawn or closed, which is final"
        return "waits for a person already" if item.state not in ENDED or tasks else None
    mine = [task for task in tasks if may(actor, Action.ASSIGN_TASKS, task.queue_id)]
    if not mine:
        return "waits in another queue, of which you are no lead" if tasks else "waits for nobody"
    return _WHY_NOT_TASKS[wanted.action](wanted, mine)


def _why_not_assigned(wanted: Wanted, tasks: list[Any]) -> str | None:
    if wanted.person is None:
        return None if any(task.assignee for task in tasks) else "is for whoever comes first already"
    if any(wanted.person in (task.assignee, task.holder) for task in tasks):
        return "is theirs already"
    if not any(wanted.person not in json.loads(task.excluded) for task in tasks):
        return "was decided or skipped by them"
    return None


def _why_not_prioritised(wanted: Wanted, tasks: list[Any]) -> str | None:
    return "has that priority already" if all(task.priority == wanted.priority for task in tasks) else None


def _why_not_released(_: Wanted, tasks: list[Any]) -> str | None:
    return None if any(task.state is TaskState.CLAIMED for task in tasks) else "is in nobody's hands"


_WHY_NOT_TASKS: dict[BulkAction, Callable[[Wanted, list[Any]], str | None]] = {
    BulkAction.ASSIGN: _why_not_assigned,
    BulkAction.PRIORITISE: _why_not_prioritised,
    BulkAction.RELEASE: _why_not_released,
}


# -- confirming -------------------------------------------------------------------------------------------------------


def confirm(*, session: Session, actor: Actor, bulk_id: str) -> None:
    """Do what was prepared: a few items at once, many by a job. Again changes nothing. Raises `NotFound` for what
    somebody else prepared, and `Forbidden`."""
    run = _own(session, actor, bulk_id)
    # Not what may be forgotten just now, see `forget_unconfirmed`.
    fresh = Bulk.state == BulkState.PREVIEW, Bulk.created_at >= clock(-FORGOTTEN_SECONDS)
    if not _begin(session, bulk_id, *fresh, confirmed_at=clock()):
        if run.state is BulkState.PREVIEW:
            raise Conflict("This preview is more than a day old: prepare it anew.", code="preview_over")
        return
    pending = session.execute(select(func.count()).where(_row.bulk_id == bulk_id, *_PENDING)).scalar_one()
    trail.record(
        session, actor, "bulk.confirmed", queue_id=run.queue_id, subject=bulk_id,
        facts={"action": run.action, "items": pending},
    )  # fmt: skip
    if pending > AT_ONCE:
        call(session, bulk_id, run.queue_id)
        return
    while work_off(session=session, bulk_id=bulk_id):
        continue


_PENDING = (_row.outcome == BulkOutcome.PENDING,)


def resume(*, session: Session, actor: Actor, bulk_id: str) -> None:
    """Go on, by a job, with what an action that failed has not tried. Again changes nothing. Raises `NotFound` for what
    somebody else prepared, and `Forbidden`."""
    run = _own(session, actor, bulk_id)
    if _begin(session, bulk_id, Bulk.state == BulkState.FAILED, error=None, finished_at=None):
        trail.record(session, actor, "bulk.resumed", queue_id=run.queue_id, subject=bulk_id)
        call(session, bulk_id, run.queue_id)


def _own(session: Session, actor: Actor, bulk_id: str) -> Any:
    columns = Bulk.queue_id, Bulk.action, Bulk.state
    run = session.execute(select(*columns).where(Bulk.id == bulk_id, Bulk.person_id == actor.id)).one_or_none()
    if run is None:
        raise NotFound
    require(actor, NEEDS[run.action], run.queue_id)
    return run


def _begin(session: Session, bulk_id: str, *conditions: Any, **values: Any) -> bool:
    """Whether it runs from now on."""
    begun = session.execute(
        update(Bulk)
        .where(Bulk.id == bulk_id, *conditions)
        .values(state=BulkState.RUNNING, **values)
        .returning(Bulk.id)
        .execution_options(synchronize_session=False)
    )
    return begun.one_or_none() is not None


def call(session: Session, bulk_id: str, queue_id: str) -> None:
    """Have a job work it off."""
    outbox.append(session, RUN, rq_queue=outbox.review_queue(queue_by_id(session, queue_id).slug), ref=bulk_id)


def work_off(*, session: Session, bulk_id: str, most: int = BATCH) -> bool:
    """Change the next items of a bulk action that runs; whether there may be more."""
    query = select(Bulk).where(Bulk.id == bulk_id, Bulk.state == BulkState.RUNNING)
    # Two jobs of one action follow each other.
    run = session.scalars(query.with_for_update() if on_postgresql(session) else query).one_or_none()
    if run is None:
        return False
    actor = actor_of_person(session, run.person_id)
    if actor is None or not may(actor, NEEDS[run.action], run.queue_id):
        _end(session, run, BulkState.FAILED, "Whoever began it may not do it any more.")
        return False
    wanted = Wanted(run.action, **json.loads(run.argument))
    ids = session.scalars(
        # In the order in which all lock several items.
        select(_row.item_id).where(_row.bulk_id == bulk_id, *_PENDING).order_by(_row.item_id).limit(most)
    ).all()
    work = finding.tasks_of(session, list(ids))
    for item_id in ids:
        tasks = [task for task in work.get(item_id, []) if may(actor, Action.ASSIGN_TASKS, task.queue_id)]
        outcome, why = _change(session, actor, wanted, item_id, tasks)
        session.execute(
            update(table(BulkItem))
            .where(_row.bulk_id == bulk_id, _row.item_id == item_id)
            .values(outcome=outcome, why=why)
        )
    if len(ids) == most:
        return True
    _end(session, run, BulkState.DONE)
    _tell(session, actor, run, wanted)
    return False


def _change(
    session: Session, actor: Actor, wanted: Wanted, item_id: str, tasks: list[Any]
) -> tuple[BulkOutcome, str | None]:
    """`tasks` were read a moment ago: whatever has changed since, the operations refuse."""
    try:
        with session.begin_nested():
            _ACTS[wanted.action](session, actor, wanted, item_id, tasks)
    except Error as error:
        return BulkOutcome.FAILED, error.message
    return BulkOutcome.DONE, None


def _assign(session: Session, actor: Actor, wanted: Wanted, _: str, tasks: list[Any]) -> None:
    if wanted.person is None:
        for task in tasks:
            if task.assignee:
                assigning.assign(session=session, actor=actor, task_id=task.id, person=None)
        return
    # One of several: nobody judges an item twice. One that nobody has in hand, if there is any.
    fit = [task for task in tasks if wanted.person not in json.loads(task.excluded)]
    if not fit:
        raise Conflict("Nothing of it waits that they may take.", code="cannot_take")
    task = min(fit, key=lambda one: (one.state is TaskState.CLAIMED, one.audience is Audience.LEAD))
    assigning.assign(session=session, actor=actor, task_id=task.id, person=wanted.person, tells=False)


def _prioritise(session: Session, actor: Actor, wanted: Wanted, _: str, tasks: list[Any]) -> None:
    if not tasks:
        raise ItemEnded("It waits for nobody any more.")
    for task in tasks:
        assigning.prioritise(session=session, actor=actor, task_id=task.id, priority=wanted.priority)


def _release(session: Session, actor: Actor, _: Wanted, __: str, tasks: list[Any]) -> None:
    held = [task for task in tasks if task.state is TaskState.CLAIMED]
    if not held:
        raise Conflict("Nobody holds it any more.", code="not_held")
    for task in held:
        returning.take_back(session=session, actor=actor, task_id=task.id)


def _close(session: Session, actor: Actor, wanted: Wanted, item_id: str, _: list[Any]) -> None:
    cancel_item(session=session, actor=actor, item_id=item_id, reason=wanted.reason)


def _reopen(session: Session, actor: Actor, wanted: Wanted, item_id: str, _: list[Any]) -> None:
    reopening.reopen(session=session, actor=actor, item_id=item_id, reason=wanted.reason)


_ACTS: dict[BulkAction, Callable[[Session, Actor, Wanted, str, list[Any]], None]] = {
    BulkAction.ASSIGN: _assign,
    BulkAction.PRIORITISE: _prioritise,
    BulkAction.RELEASE: _release,
    BulkAction.CLOSE: _close,
    BulkAction.REOPEN: _reopen,
}


def _end(session: Session, run: Bulk, state: BulkState, error: str | None = None) -> None:
    session.execute(
        update(Bulk)
        .where(Bulk.id == run.id)
        .values(state=state, error=error, finished_at=clock())
        .execution_options(synchronize_session=False)
    )
    facts: dict[str, Any] = {name: count for name, count in counts(session, run.id).items() if count}
    trail.record(session, SYSTEM, f"bulk.{state}", queue_id=run.queue_id, subject=run.id, facts=facts)


def _tell(session: Session, actor: Actor, run: Bulk, wanted: Wanted) -> None:
    """One notice of all that was given to somebody."""
    if wanted.person is None:
        return
    done = _row.bulk_id == run.id, _row.outcome == BulkOutcome.DONE
    first = session.execute(select(_row.item_id).where(*done).order_by(_row.item_id).limit(1)).scalar_one_or_none()
    if first is not None:
        inbox.tell(session, actor, [wanted.person], NoticeKind.ASSIGNED, item_id=first)


# -- what broke off, and what nobody confirmed ------------------------------------------------------------------------

# Index ix_outbox_failed: of all work there is, that which was given up.
_GIVEN_UP = OutboxRow.topic == RUN, OutboxRow.failed_at.is_not(None)
GIVEN_UP = select(OutboxRow.id).where(*_GIVEN_UP).limit(1)


def fail_given_up(*, session: Session) -> int:
    """End the actions whose job was given up; returns how many. A duty of the relay.

    What has to be done about it stands on the action's own page, so its row leaves the outbox. The item at which the
    job failed ten times is marked as failed: whoever goes on gets past it.
    """
    rows = session.execute(
        delete(OutboxRow).where(*_GIVEN_UP).returning(OutboxRow.ref, OutboxRow.error)
        .execution_options(synchronize_session=False)
    ).all()  # fmt: skip
    for row in rows:
        query = select(Bulk).where(Bulk.id == row.ref, Bulk.state == BulkState.RUNNING)
        run = session.scalars(query.with_for_update() if on_postgresql(session) else query).one_or_none()
        if run is None:
            continue
        if row.error == KILLED:
            _end(session, run, BulkState.FAILED, KILLED)
            continue
        why = f"failed ten times ({(row.error or '').partition(':')[0]})"
        at = select(_row.item_id).where(_row.bulk_id == run.id, *_PENDING).order_by(_row.item_id).limit(1)
        session.execute(
            update(table(BulkItem))
            .where(_row.bulk_id == run.id, _row.item_id == at.scalar_subquery())
            .values(outcome=BulkOutcome.FAILED, why=f"{why[:1].upper()}{why[1:]}: see the log of the worker.")
        )
        _end(session, run, BulkState.FAILED, f"The work {why}.")
    return len(rows)


# Index ix_bulk_unconfirmed: its condition must stand here in the same words.
UNCONFIRMED = select(_bulk.id).where(text("bulk.state = 'preview'"), _bulk.created_at < clock(-FORGOTTEN_SECONDS))
FORGOTTEN_AT_ONCE = 2_000
"""Items."""


def forget_unconfirmed(*, session: Session) -> int:
    """Delete the oldest preview that nobody confirmed in a day, or so much of it as may be at once; returns 0 where
    there is none. A duty of the relay.

    Whoever confirms it in this moment comes first, and is left alone; after a day nobody can.
    """
    query = UNCONFIRMED.order_by(_bulk.created_at).limit(1)
    bulk_id = session.scalars(
        query.with_for_update(skip_locked=True) if on_postgresql(session) else query
    ).one_or_none()
    if bulk_id is None:
        return 0
    some = select(_row.item_id).where(_row.bulk_id == bulk_id).limit(FORGOTTEN_AT_ONCE)
    gone = session.execute(
        delete(table(BulkItem)).where(_row.bulk_id == bulk_id, _row.item_id.in_(some)).returning(_row.item_id)
    ).all()
    if len(gone) < FORGOTTEN_AT_ONCE:
        session.execute(delete(table(Bulk)).where(_bulk.id == bulk_id))
    return 1


# -- reading ----------------------------------------------------------------------------------------------------------

SHOWN = 10


@dataclass(frozen=True)
class Progress:
    """A bulk action, before it is confirmed and after."""

    run: Bulk
    queue: QueueHead
    argument: dict[str, Any]
    person_name: str | None
    """To whom it assigns."""
    counts: dict[BulkOutcome, int]
    whys: list[tuple[BulkOutcome, str, int]]
    """Why items were skipped or failed, the most frequent first, with how many."""
    first: list[Any]
    """The first that would be changed, or were: id, external_id, state, created_at."""
    failed: list[Any]
    """The first that failed: id, external_id, why."""
    held: int
    """Of those that would be changed, in somebody's hands."""
    mine: bool

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    @property
    def hits(self) -> int:
        """What it changes, changed, or tried to."""
        return self.total - self.counts[BulkOutcome.SKIPPED]


def counts(session: Session, bulk_id: str) -> dict[BulkOutcome, int]:
    """Items by what came of them."""
    rows = session.execute(select(_row.outcome, func.count()).where(_row.bulk_id == bulk_id).group_by(_row.outcome))
    return dict.fromkeys(BulkOutcome, 0) | {row[0]: row[1] for row in rows}


def progress(*, session: Session, actor: Actor, bulk_id: str) -> Progress:
    """For whoever prepared it, and for those who see the queue's workload. Raises `NotFound` for anybody else."""
    run = session.execute(select(Bulk).where(Bulk.id == bulk_id)).scalar_one_or_none()
    if run is None or not (run.person_id == actor.id or may(actor, Action.SEE_WORKLOAD, run.queue_id)):
        raise NotFound
    require(actor, Action.READ_ITEMS, run.queue_id)
    argument = json.loads(run.argument)
    found = counts(session, run.id)
    hit = BulkOutcome.PENDING if run.state is BulkState.PREVIEW else BulkOutcome.DONE
    columns = Item.id, Item.external_id, Item.state, Item.created_at
    return Progress(
        run, queue_by_id(session, run.queue_id), argument, _name(session, argument.get("person")), found,
        _whys(session, run.id), _some(session, run.id, hit, *columns),
        _some(session, run.id, BulkOutcome.FAILED, Item.id, Item.external_id, _row.why),
        _in_hand(session, run.id) if run.state is BulkState.PREVIEW else 0, run.person_id == actor.id,
    )  # fmt: skip


def latest(*, session: Session, actor: Actor, queue_id: str) -> list[Any]:
    """What `actor` began lately in the queue, the newest first: id, action, state, confirmed_at."""
    # Index ix_bulk_person_id.
    rows = (
        select(Bulk.id, Bulk.action, Bulk.state, Bulk.confirmed_at)
        .where(Bulk.person_id == actor.id, Bulk.queue_id == queue_id, Bulk.state != BulkState.PREVIEW)
        .order_by(Bulk.id.desc())
        .limit(5)
    )
    return list(session.execute(rows))


def _name(session: Session, person_id: str | None) -> str | None:
    return None if person_id is None else session.scalars(select(Person.name).where(Person.id == person_id)).one()


def _whys(session: Session, bulk_id: str) -> list[tuple[BulkOutcome, str, int]]:
    rows = session.execute(
        select(_row.outcome, _row.why, func.count())
        .where(_row.bulk_id == bulk_id, _row.why.is_not(None))
        .group_by(_row.outcome, _row.why)
        .order_by(func.count().desc(), _row.why)
        .limit(50)
    )
    return [(row[0], row[1], row[2]) for row in rows]


def _some(session: Session, bulk_id: str, outcome: BulkOutcome, *columns: Any) -> list[Any]:
    rows = (
        select(*columns)
        .select_from(table(BulkItem))
        .join(Item, Item.id == _row.item_id)
        .where(_row.bulk_id == bulk_id, _row.outcome == outcome)
        .order_by(_row.item_id.desc())
        .limit(SHOWN if outcome is not BulkOutcome.FAILED else 5 * SHOWN)
    )
    return list(session.execute(rows))


def _in_hand(session: Session, bulk_id: str) -> int:
    task = table(Task).c
    # From the claims, of which there are few.
    return session.execute(
        select(func.count(_row.item_id.distinct()))
        .select_from(table(BulkItem))
        .join(table(Task), task.item_id == _row.item_id)
        .where(
            _row.bulk_id == bulk_id, _row.outcome == BulkOutcome.PENDING, leases.CLAIMED, task.lease_until > clock(),
            task.kind != TaskKind.GOLD,
        )
    ).scalar_one()  # fmt: skip
