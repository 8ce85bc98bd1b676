"""Operations on gold: items whose answer is known, given to reviewers among the others, at claim time.

Until it is decided a gold task looks like the review that would have been claimed in its place. Its decisions stand in
round 0, so that nobody gets the same one twice and no other round has to do with them; they make no resolution.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

from sqlalchemy import Integer, case, exists, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from reviewqueue.core import trail
from reviewqueue.core.access import Action, Actor, require
from reviewqueue.core.db import clock
from reviewqueue.core.http import Body
from reviewqueue.core.ids import id_at, new_id
from reviewqueue.core.strictjson import Raw
from reviewqueue.errors import Conflict, Invalid, NotFound
from reviewqueue.intake.preparing import prepare
from reviewqueue.intake.shapes import ItemShape
from reviewqueue.models import Decision, Gold, Item, Queue, Resolution, Task
from reviewqueue.models.base import table
from reviewqueue.models.lanes import lane_of
from reviewqueue.models.states import Audience, ItemState, TaskKind, TaskState, Verdict
from reviewqueue.queues.applying import fits
from reviewqueue.queues.catalog import QueueHead, configuration, find_queue
from reviewqueue.queues.configuration import Timeout
from reviewqueue.review.comparing import side_by_side
from reviewqueue.review.consensus import Given, alike

ROUND = 0
LOOKED_AT = 200
"""Gold that may be given to somebody, of which one is drawn."""


@dataclass(frozen=True)
class Known:
    """What the answer is."""

    verdict: Verdict
    output: str
    """JSON text."""
    note: str | None = None


@dataclass(frozen=True)
class Feedback:
    """What whoever has decided gold is told."""

    correct: bool
    known: Known


# -- adding -----------------------------------------------------------------------------------------------------------


def add(*, session: Session, actor: Actor, item_id: str, note: str | None = None, slug: str | None = None) -> str:
    """Make an item that people have resolved gold, with its answer; returns the gold's id. Again changes nothing.

    `slug`, where given, must be its queue.
    Raises `NotFound`, `Forbidden`, and `Conflict` for an item that people have not resolved.
    """
    item = session.execute(
        select(Item.id, Item.queue_id, Queue.slug).join(Queue, Queue.id == Item.queue_id).where(Item.id == item_id)
    ).one_or_none()
    if item is None or slug not in (None, item.slug):
        raise NotFound
    require(actor, Action.MANAGE_GOLD, item.queue_id)
    known = session.execute(
        select(Resolution.verdict, Resolution.output)
        .join(Item, (Item.id == Resolution.item_id) & (Item.revision == Resolution.revision))
        .where(Item.id == item_id, Item.state == ItemState.RESOLVED, Resolution.by == "people")
    ).one_or_none()
    if known is None:
        raise Conflict("Only what people have resolved can be gold: its answer is what they said.", code="not_resolved")
    return _insert(session, actor, item_id, item.queue_id, Known(known.verdict, known.output, note))


def add_new(
    *, session: Session, actor: Actor, slug: str, body: Body[ItemShape], answer: str, note: str | None = None
) -> str:
    """Store an item that nobody submitted, with its known answer (JSON text; null: a rejection). Returns the gold's id.

    The item is `resolved` and a `test`, has no resolution, and is in no feed or export. Raises `Invalid` with pointers,
    `NotFound`, `Forbidden`, `Conflict` for an `external_id` that is taken.
    """
    head = find_queue(session=session, actor=actor, slug=slug, action=Action.MANAGE_GOLD)
    compiled = configuration(session, head.id, head.version)
    output = json.loads(answer)
    if output is not None:
        faults = compiled.validate_output(output, given=body.shape.input, pointer="/answer")
        if faults:
            raise Invalid("The known answer does not fit the queue.", faults, code="invalid_item")
    prepared = prepare(session, actor, head, body, item_id=new_id())
    columns = prepared.columns
    if columns["queue_id"] != head.id:
        raise Conflict("The queue is full. Add gold when there is room.", code="queue_full")
    settled = {"state": ItemState.RESOLVED, "revision": 0, "test": True, "reviews": 1, "duplicate_of": None}
    try:
        with session.begin_nested():
            session.execute(
                insert(table(Item)).values(
                    {**columns, **settled, "created_at": clock(), "due_at": clock(), "expires_at": None}
                )
            )
            prepared.attach_media(session, actor)
    except IntegrityError:
        raise Conflict(
            f"The queue has an item with external_id {columns['external_id']!r} already.", code="external_id_taken"
        ) from None
    same = Given(False, json.loads(columns["output"])), Given(output is None, output)
    verdict = Verdict.REJECT if output is None else Verdict.OVERRIDE if len(alike(same, ())) > 1 else Verdict.APPROVE
    return _insert(session, actor, columns["id"], head.id, Known(verdict, answer, note))


def _insert(session: Session, actor: Actor, item_id: str, queue_id: str, known: Known) -> str:
    earlier = session.execute(select(Gold.id).where(Gold.item_id == item_id)).scalar_one_or_none()
    if earlier is not None:
        return earlier
    gold_id = new_id()
    session.execute(
        insert(Gold).values(
            id=gold_id, item_id=item_id, queue_id=queue_id, verdict=known.verdict, output=known.output,
            note=known.note or None, added_by=actor.label, created_at=clock(),
        )
    )  # fmt: skip
    trail.record(session, actor, "gold.added", queue_id=queue_id, item_id=item_id, subject=gold_id)
    return gold_id


def retire(*, session: Session, actor: Actor, gold_id: str) -> None:
    """Give it to nobody any more; what was measured by it stays. Raises `NotFound`, `Forbidden`."""
    row = session.execute(select(Gold.queue_id, Gold.item_id).where(Gold.id == gold_id)).one_or_none()
    if row is None:
        raise NotFound
    require(actor, Action.MANAGE_GOLD, row.queue_id)
    retire_item(session, actor, row.item_id)


def retire_item(session: Session, actor: Actor, item_id: str) -> None:
    """Retire the gold that an item is, if it is any: its answer is doubted. Asks no permission."""
    gone = session.execute(
        update(table(Gold))
        .where(table(Gold).c.item_id == item_id, table(Gold).c.retired_at.is_(None))
        .values(retired_at=clock())
        .returning(table(Gold).c.id, table(Gold).c.queue_id)
    ).one_or_none()
    if gone is not None:
        trail.record(session, actor, "gold.retired", queue_id=gone.queue_id, item_id=item_id, subject=gone.id)


def gold_of(*, session: Session, actor: Actor, slug: str) -> list[Any]:
    """The queue's gold, newest first, retired ones last, at most 1,000: with how often it was given, and how often met.
    Raises `NotFound`, `Forbidden`."""
    head = find_queue(session=session, actor=actor, slug=slug, action=Action.MANAGE_GOLD)
    met = (
        select(
            Decision.item_id, func.count().label("given"),
            func.sum(case((Decision.correct.is_(True), 1), else_=0), type_=Integer).label("correct"),
        )
        .where(Decision.queue_id == head.id, Decision.correct.is_not(None))
        .group_by(Decision.item_id).subquery()
    )  # fmt: skip
    return list(
        session.execute(
            select(
                Gold.id, Gold.item_id, Gold.verdict, Gold.output, Gold.note, Gold.created_at, Gold.retired_at,
                Item.external_id, func.coalesce(met.c.given, 0).label("given"),
                func.coalesce(met.c.correct, 0).label("correct"),
            )
            .join(Item, Item.id == Gold.item_id)
            .outerjoin(met, met.c.item_id == Gold.item_id)
            .where(Gold.queue_id == head.id)
            .order_by(Gold.retired_at.is_not(None), Gold.id.desc())
            .limit(1000)
        )
    )  # fmt: skip


# -- giving -----------------------------------------------------------------------------------------------------------


def is_drawn(share: float) -> bool:
    """Whether a claim is to be a check. Not the same for the same claim again: nobody can tell by trying."""
    return share > 0 and secrets.randbelow(1_000_000) < share * 1_000_000


def make_task(session: Session, actor: Actor, head: QueueHead, near: Any) -> Any:
    """A gold task for `actor` in the place of the review that they would have got, whose `priority`, `due` and
    `created_at` it takes: its id and lane; None when there is no gold that they have not seen."""
    gold, task = table(Gold).c, table(Task).c
    seen = exists().where(Decision.item_id == gold.item_id, Decision.person_id == actor.id)
    given = exists().where(task.item_id == gold.item_id, task.kind == TaskKind.GOLD, task.assignee == actor.id)
    rows = session.execute(
        select(gold.item_id, Item.input, Item.output, Item.config_version)
        .join(Item, Item.id == gold.item_id)
        .where(gold.queue_id == head.id, gold.retired_at.is_(None), ~seen, ~given)
        .order_by(gold.id)
        .limit(LOOKED_AT)
    ).all()
    if not rows:
        return None
    row = secrets.choice(rows)
    newest = configuration(session, head.id, head.version)
    version = head.version if fits(newest, row.input, row.output) else row.config_version
    made = SimpleNamespace(id=new_id(), lane=lane_of(audience=Audience.REVIEWER, assignee=actor.id, excluded=()))
    session.execute(
        insert(table(Task)).values(
            id=made.id, item_id=row.item_id, queue_id=head.id, config_version=version, round=ROUND, kind=TaskKind.GOLD,
            state=TaskState.OPEN, audience=Audience.REVIEWER, assignee=actor.id, lane=made.lane, excluded="[]", fence=0,
            priority=near.priority, due=near.due, created_at=near.created_at, available_at=clock(),
        )
    )  # fmt: skip
    return made


def disguised(item: Any, task: Any, timeout: Timeout | None, *, hides_id: bool) -> Any:
    """The item of a gold task as if it had come when the task says, and waited."""
    members = {column.key: getattr(item, column.key) for column in Item.__mapper__.column_attrs}
    expires_at = task.created_at + timedelta(hours=timeout.after_hours) if timeout else None
    members.update(
        created_at=task.created_at, due_at=task.due, expires_at=expires_at, priority=task.priority,
        state=ItemState.QUEUED, audit_sample=False,
    )  # fmt: skip
    if hides_id:
        members["id"] = disguised_id(task)
    return SimpleNamespace(**members)


def disguised_id(task: Any) -> str:
    """An id as old as the item seems to be: a real one tells when it was made."""
    return id_at(task.created_at.timestamp(), task.id)


# -- what came of it --------------------------------------------------------------------------------------------------


def known_answer(session: Session, item_id: str) -> Known:
    """Of a gold item."""
    row = session.execute(select(Gold.verdict, Gold.output, Gold.note).where(Gold.item_id == item_id)).one()
    return Known(row.verdict, row.output, row.note)


def is_met(known: Known, *, rejects: bool, output: Any, agree_on: Any) -> bool:
    """Whether that is the known answer, by the queue's rules of agreement."""
    expected = Given(known.verdict is Verdict.REJECT, json.loads(known.output))
    return len(alike([expected, Given(rejects, output)], agree_on)) == 1


def feedback_json(told: Feedback | None) -> dict[str, Any] | None:
    """For `spliced`."""
    if told is None:
        return None
    known = told.known
    return {"correct": told.correct, "verdict": known.verdict, "output": Raw(known.output), "note": known.note}


def told_in_words(told: Feedback) -> str:
    """For the reviewer."""
    if told.correct:
        return "That was a check with a known answer, and yours is it."
    known = told.known
    answer = "to reject it" if known.verdict is Verdict.REJECT else _words(json.loads(known.output))
    why = f" {known.note}" if known.note else ""
    return f"That was a check with a known answer, and it is another: {answer}.{why}"


def _words(output: Any) -> str:
    text = ", ".join(f"{row.name} “{row.cells[0].text}”" for row in side_by_side([output])[:4])
    return text[:300]
