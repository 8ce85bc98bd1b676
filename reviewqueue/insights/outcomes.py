"""Operation and query: what an item's answer led to, as a program learned later."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Float, Integer, and_, case, func, select
from sqlalchemy.orm import Session

from reviewqueue.core import trail
from reviewqueue.core.access import Action, Actor, require
from reviewqueue.core.db import clock, upsert
from reviewqueue.core.ids import new_id
from reviewqueue.errors import Conflict
from reviewqueue.insights.figures import start_of
from reviewqueue.insights.rates import Rate, plain
from reviewqueue.models import Item, Outcome, Resolution
from reviewqueue.models.states import ENDED
from reviewqueue.resolution.stand_ins import no_item


def report(
    *, session: Session, actor: Actor, item_id: str, name: str, correct: bool, cost: float | None = None,
    note: str | None = None, observed_at: datetime.datetime | None = None,
) -> Any:  # fmt: skip
    """Note whether the item's answer turned out to be right. Of one `name` the latest report counts. Returns its row.

    Without `observed_at` it was seen now. Raises `NotFound`, `Forbidden`, and `Conflict` for an item without an answer.
    """
    item = session.execute(select(Item.queue_id, Item.state).where(Item.id == item_id)).one_or_none()
    if item is None:
        raise no_item(session, actor, Action.REPORT_OUTCOMES, item_id)
    require(actor, Action.REPORT_OUTCOMES, item.queue_id)
    if item.state not in ENDED:
        raise Conflict("The item has no answer yet, so that nothing can have come of it.", code="not_ended")
    told = {
        "correct": correct, "cost": cost, "note": note, "observed_at": observed_at or clock(),
        "reported_by": actor.label, "reported_at": clock(),
    }  # fmt: skip
    row = session.execute(
        upsert(session, Outcome)
        .values(id=new_id(), queue_id=item.queue_id, item_id=item_id, name=name, **told)
        .on_conflict_do_update(index_elements=["item_id", "name"], set_=told)
        .returning(Outcome.id, Outcome.observed_at, Outcome.reported_at)
    ).one()
    trail.record(
        session, actor, "outcome.reported", queue_id=item.queue_id, item_id=item_id, subject=row.id,
        facts={"name": name, "correct": correct}, content={"note": note} if note else None,
    )  # fmt: skip
    return row


@dataclass(frozen=True)
class Outcomes:
    """Of the items that one kind of end gave an answer."""

    by: str
    right: Rate
    cost: float
    """Of those that were wrong, as far as it was told."""


def outcomes_of(session: Session, queue_id: str, since: datetime.date) -> list[Outcomes]:
    """By who gave the answer. Asks no permission. Index ix_outcome_queue_id_observed_at."""
    right = func.sum(case((Outcome.correct, 1), else_=0), type_=Integer)
    cost = func.coalesce(func.sum(case((~Outcome.correct, Outcome.cost))), 0.0, type_=Float)
    rows = session.execute(
        select(Resolution.by, right.label("met"), func.count().label("number"), cost.label("cost"))
        .join(Item, Item.id == Outcome.item_id)
        .join(Resolution, and_(Resolution.item_id == Item.id, Resolution.revision == Item.revision))
        .where(Outcome.queue_id == queue_id, Outcome.observed_at >= start_of(since))
        .group_by(Resolution.by)
        .order_by(Resolution.by)
    )
    return [Outcomes(row.by, plain(row.met, row.number), row.cost) for row in rows]
