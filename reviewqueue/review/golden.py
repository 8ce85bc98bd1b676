"""Operations on gold: items whose answer is known, given to reviewers among the others, at claim time.

Until it is decided a gold task looks like the review that would have been claimed in its place. Its decisions stand in
round 0, so that nobody gets the same one twice and no other round has to do with them; they make no resolution.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

from sqlalchemy import Integer, case, exists, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from reviewqueue.core import trail
from reviewqueue.core.access import Action, Actor, require
from reviewqueue.core.db import clock, database_now, on_postgresql
from reviewqueue.core.http import Body
from reviewqueue.core.ids import id_at, new_id
from reviewqueue.core.language import gettext, spoken
from reviewqueue.core.strictjson import Raw
from reviewqueue.core.vocabulary import word
from reviewqueue.errors import Conflict, Invalid, NotFound
from reviewqueue.intake.preparing import prepare
from reviewqueue.intake.shapes import ItemShape
from reviewqueue.models import Decision, Gold, Item, Queue, Resolution, Task
from reviewqueue.models.base import table
from reviewqueue.models.lanes import restrictions
from reviewqueue.models.states import Audience, ItemState, RoutingAction, StandingState, TaskKind, TaskState, Verdict
from reviewqueue.queues import routing
from reviewqueue.queues.applying import fits
from reviewqueue.queues.catalog import Compiled, QueueHead, configuration, find_queue
from reviewqueue.queues.configuration import QueueConfig
from reviewqueue.resolution import endings
from reviewqueue.resolution.stand_ins import no_item
from reviewqueue.review.comparing import side_by_side
from reviewqueue.review.consensus import Given, alike

ROUND = 0
LOOKED_AT = 200
"""Gold that may be given to somebody, of which one is drawn."""
TRIED = 10
"""Of those, how many are looked at to find one that the present rules would give to people."""
LITTLE_OLDER = 9_000_000
"""Microseconds by which a check seems older than the review in whose place it stands."""


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
    standing: StandingState | None = None
    """Into which it brought them, if it did."""


# -- adding -----------------------------------------------------------------------------------------------------------


def add(*, session: Session, actor: Actor, item_id: str, note: str | None = None, slug: str | None = None) -> str:
    """Make an item that people have resolved gold, with its answer; returns the gold's id. Again changes nothing.

    `slug`, where given, must be its queue.
    Raises `NotFound`, `Forbidden`, and `Conflict` for an item that people have not resolved.
    """
    item = session.execute(
        select(Item.id, Item.queue_id, Queue.slug).join(Queue, Queue.id == Item.queue_id).where(Item.id == item_id)
    ).one_or_none()
    if item is None:
        raise no_item(session, actor, Action.MANAGE_GOLD, item_id)
    if slug not in (None, item.slug):
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
    """Give it to nobody any more, and take it from whoever has it in hand; what was measured by it stays.

    Raises `NotFound`, `Forbidden`.
    """
    row = session.execute(select(Gold.queue_id, Gold.item_id).where(Gold.id == gold_id)).one_or_none()
    if row is None:
        raise NotFound
    require(actor, Action.MANAGE_GOLD, row.queue_id)
    retire_item(session, actor, row.item_id)


def known_among(session: Session, item_ids: Sequence[str]) -> frozenset[str]:
    """Those of the items that are gold now. Asks no permission."""
    query = select(Gold.item_id).where(Gold.item_id.in_(item_ids), Gold.retired_at.is_(None))
    return frozenset(session.scalars(query))


def stays_gold(session: Session, item_id: str) -> bool:
    """Whether the item is gold, until the transaction ends: whoever retires or erases it waits, and then finds its
    check. Asks no permission."""
    query = select(Gold.id).where(Gold.item_id == item_id, Gold.retired_at.is_(None))
    return session.scalar(query.with_for_update(read=True) if on_postgresql(session) else query) is not None


def retire_item(session: Session, actor: Actor, item_id: str) -> None:
    """Retire the gold that an item is, if it is any: its answer is doubted, or gone. Asks no permission."""
    gone = session.execute(
        update(table(Gold))
        .where(table(Gold).c.item_id == item_id, table(Gold).c.retired_at.is_(None))
        .values(retired_at=clock())
        .returning(table(Gold).c.id, table(Gold).c.queue_id)
    ).one_or_none()
    if gone is not None:
        trail.record(session, actor, "gold.retired", queue_id=gone.queue_id, item_id=item_id, subject=gone.id)
        endings.cancel_checks(session, actor, queue_id=gone.queue_id, item_id=item_id)


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


def make_task(session: Session, actor: Actor, head: QueueHead, near: Any, *, hidden: bool = True) -> Any:
    """A gold task for `actor` in the place of the review that they would have got: its id and lane. It looks a little
    older than that one, whose `priority`, `due` and `created_at` are `near`, so that it comes first again when it is
    handed back. None when there is no gold that they have not seen; `hidden`: and where that review soon expires."""
    rows = _unseen(session, actor, head)
    newest = configuration(session, head.id, head.version)
    if not rows or (hidden and _expires_soon(session, newest.config, near.created_at)):
        return None
    row = _plausible(newest, rows)
    if not stays_gold(session, row.id):
        return None
    version = head.version if fits(newest, row.input, row.output) else row.config_version
    earlier = timedelta(microseconds=1 + secrets.randbelow(LITTLE_OLDER))
    made_at = near.created_at - earlier
    task_id = id_at(made_at.timestamp(), new_id())
    theirs = restrictions(audience=Audience.REVIEWER, assignee=actor.id, excluded=())
    session.execute(
        insert(table(Task)).values(
            id=task_id, item_id=row.id, queue_id=head.id, config_version=version, round=ROUND, kind=TaskKind.GOLD,
            state=TaskState.OPEN, fence=0, **theirs, priority=near.priority, due=near.due - earlier,
            created_at=made_at, available_at=made_at, stand_in=id_at(made_at.timestamp(), task_id),
        )
    )  # fmt: skip
    return SimpleNamespace(id=task_id, lane=theirs["lane"])


def _unseen(session: Session, actor: Actor, head: QueueHead) -> list[Any]:
    """Items of the queue's gold that `actor` has neither decided nor been given, nor heard the answer to."""
    gold, task = table(Gold).c, table(Task).c
    seen = exists().where(Decision.item_id == gold.item_id, Decision.person_id == actor.id)
    given = exists().where(task.item_id == gold.item_id, task.kind == TaskKind.GOLD, task.assignee == actor.id)
    told = exists().where(task.item_id == gold.item_id, task.escalated_by == actor.id)
    return list(
        session.execute(
            select(
                Item.id, Item.input, Item.output, Item.failure, Item.confidence, Item.risk, Item.model,
                Item.model_version, Item.metadata_json, Item.parts, Item.config_version,
            )
            .join(Gold, Gold.item_id == Item.id)
            .where(gold.queue_id == head.id, gold.retired_at.is_(None), ~seen, ~given, ~told)
            .order_by(gold.id)
            .limit(LOOKED_AT)
        )
    )  # fmt: skip


def _plausible(compiled: Compiled, rows: list[Any]) -> Any:
    """One of them by chance, if possible one that the present rules give to people."""
    drawn = secrets.SystemRandom().sample(rows, min(len(rows), TRIED))
    return next((row for row in drawn if _flagged(compiled, row)[0] is RoutingAction.REVIEW), drawn[0])


def _flagged(compiled: Compiled, item: Any) -> tuple[RoutingAction, int | None, str]:
    """What the present rules say of it, which, and in which words."""
    facts, failed = routing.stored_facts(item, item.metadata_json)
    route = compiled.route(facts, item_id=item.id, failed=failed, stopped=None)
    return route.action, route.rule, route.title


def _expires_soon(session: Session, config: QueueConfig, created_at: datetime) -> bool:
    """Whether whoever had it in hand would see it expire, which a check does not."""
    if config.timeout is None:
        return False
    left = created_at + timedelta(hours=config.timeout.after_hours) - database_now(session)
    return left < timedelta(minutes=max(60, 2 * config.lease_minutes))


def disguised(item: Any, task: Any, compiled: Compiled, *, hides_id: bool) -> Any:
    """The item of a gold task as if it had come when the task says, by the rules of now, and waited."""
    members = {column.key: getattr(item, column.key) for column in Item.__mapper__.column_attrs}
    action, rule, title = _flagged(compiled, item)
    if action is RoutingAction.REVIEW:
        members.update(rule=rule, rule_title=title, config_version=compiled.version)
    members.update(
        created_at=task.created_at, due_at=task.due, expires_at=seems_to_expire(task, compiled.config),
        priority=task.priority, state=ItemState.QUEUED, audit_sample=False,
    )  # fmt: skip
    if hides_id:
        members["id"] = task.stand_in
    return SimpleNamespace(**members)


def as_work(session: Session, row: Any) -> Any:
    """A gold task's line in a list, with the `rule_title` that its page shows; the line has also `real_id`, `queue_id`
    and `config_version`."""
    item = session.execute(select(Item).where(Item.id == row.real_id)).scalar_one()
    action, _, title = _flagged(configuration(session, row.queue_id, row.config_version), item)
    return SimpleNamespace(**{**row._mapping, **({"rule_title": title} if action is RoutingAction.REVIEW else {})})


def seems_to_expire(task: Any, config: QueueConfig) -> datetime | None:
    """When the item of a gold task would expire, had it come when the task says."""
    return task.created_at + timedelta(hours=config.timeout.after_hours) if config.timeout else None


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
    return {
        "correct": told.correct, "verdict": known.verdict, "output": Raw(known.output), "note": known.note,
        "standing": told.standing,
    }  # fmt: skip


def told_in_words(told: Feedback) -> str:
    """For the reviewer."""
    return " ".join(filter(None, [_answer_told(told), spoken(_THEN.get(told.standing, ""))]))


_THEN: dict[StandingState | None, str] = {
    StandingState.REVIEWING: word(
        "That was the last of your calibration, and you have passed: from now on it is work."
    ),
    StandingState.FAILED: word("That was the last of your calibration, and fewer were met than are needed."),
    StandingState.PAUSED: word(
        "Your checks are under this queue's bar, so you get no work here until a lead resumes it."
    ),
}


def _answer_told(told: Feedback) -> str:
    if told.correct:
        return gettext("That was a check with a known answer, and yours is it.")
    known = told.known
    answer = gettext("to reject it") if known.verdict is Verdict.REJECT else _words(json.loads(known.output))
    why = f" {known.note}" if known.note else ""
    return gettext("That was a check with a known answer, and it is another: %(answer)s.", answer=answer) + why


def _words(output: Any) -> str:
    text = ", ".join(f"{row.name} “{row.cells[0].text}”" for row in side_by_side([output])[:4])
    return text[:300]
