"""Queries about the quality of reviews: how people meet gold, and how they agree."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Integer, case, func, select
from sqlalchemy.orm import Session

from reviewqueue.accounts.memberships import people_with
from reviewqueue.core.access import Action, Actor
from reviewqueue.models import Decision, Item, Person, Queue, Task
from reviewqueue.models.states import QueueRole, TaskKind, Verdict
from reviewqueue.queues.catalog import QueueHead, configuration, find_queue
from reviewqueue.review import standings
from reviewqueue.review.agreement import Share, alpha, share
from reviewqueue.review.consensus import Given, alike
from reviewqueue.review.standings import Stands

LOOKED_AT = 5000
"""Latest reviews of items with several, of which agreement is told."""
ENOUGH = 50
"""Gold before a person is judged by it."""


@dataclass(frozen=True)
class Measured:
    """Somebody who reviews in the queue."""

    person_id: str
    name: str
    gold: Share
    stands: Stands | None
    """Where the queue asks for that."""

    @property
    def enough(self) -> bool:
        return self.gold.of >= ENOUGH


@dataclass(frozen=True)
class Quality:
    """A queue's figures."""

    queue: QueueHead
    people: list[Measured]
    alpha: float | None
    """Krippendorff's, over the latest items that several people judged."""
    agreed: Share
    """Of those items, how many had the same answer from all."""


def quality_of(*, session: Session, actor: Actor, slug: str) -> Quality:
    """How people meet the queue's gold, and how they agree. Raises `NotFound`, `Forbidden`."""
    head = find_queue(session=session, actor=actor, slug=slug, action=Action.READ_QUALITY)
    units = _answers(session, head)
    same = sum(1 for unit in units if len(set(unit)) == 1)
    return Quality(head, _people(session, head), alpha(units), share(same, len(units)))


_MET = func.sum(case((Decision.correct.is_(True), 1), else_=0), type_=Integer)


def _people(session: Session, head: QueueHead) -> list[Measured]:
    """Who reviews there or met its gold, by name."""
    stands = standings.all_of(session, head)
    # Index ix_decision_gold.
    rows = session.execute(
        select(Decision.person_id, func.count().label("of"), _MET.label("met"))
        .where(Decision.queue_id == head.id, Decision.correct.is_not(None))
        .group_by(Decision.person_id)
    ).all()
    gold = {row.person_id: share(row.met, row.of) for row in rows}
    listed = {*gold, *stands, *(people_with(session, head.id, QueueRole.REVIEWER) if stands else ())}
    people = session.execute(
        select(Person.id, Person.name).where(Person.id.in_(listed)).order_by(Person.name, Person.id)
    )
    return [Measured(row.id, row.name, gold.get(row.id, share(0, 0)), stands.get(row.id)) for row in people]


def mine(*, session: Session, actor: Actor) -> list[tuple[str, Share]]:
    """By title of the queue: how `actor` met its gold."""
    rows = session.execute(
        select(Queue.title, func.count().label("of"), _MET.label("met"))
        .join(Decision, Decision.queue_id == Queue.id)
        .where(Decision.person_id == actor.id, Decision.correct.is_not(None))
        .group_by(Queue.id, Queue.title)
        .order_by(Queue.title)
    ).all()
    return [(row.title, share(row.met, row.of)) for row in rows]


def _answers(session: Session, head: QueueHead) -> list[list[str]]:
    """What each person said of the latest items with several reviews, those alone that have two or more, as words that
    are equal where the answers are."""
    agree_on = configuration(session, head.id, head.version).config.reviews.agree_on
    rows = session.execute(
        select(Decision.item_id, Decision.verdict, Decision.output)
        .join(Item, Item.id == Decision.item_id)
        .join(Task, Task.id == Decision.task_id)
        .where(
            Decision.queue_id == head.id, Item.reviews > 1, Task.kind == TaskKind.REVIEW,
            Decision.withdrawn_at.is_(None), ~Decision.late,
        )
        .order_by(Decision.id.desc())
        .limit(LOOKED_AT)
    ).all()  # fmt: skip
    given = [Given(row.verdict is Verdict.REJECT, json.loads(row.output)) for row in rows]
    word: dict[int, str] = {}
    for number, places in enumerate(alike(given, agree_on)):
        word.update(dict.fromkeys(places, str(number)))
    units: dict[Any, list[str]] = defaultdict(list)
    for place, row in enumerate(rows):
        units[row.item_id].append(word[place])
    return [unit for unit in units.values() if len(unit) > 1]


def as_json(found: Quality) -> dict[str, Any]:
    """For programs."""
    return {
        "queue": found.queue.slug, "alpha": found.alpha, "agreed": share_json(found.agreed),
        "people": [
            {"person": one.person_id, "name": one.name, "gold": share_json(one.gold), "enough": one.enough,
             "standing": one.stands.state if one.stands else None}
            for one in found.people
        ],
    }  # fmt: skip


def share_json(of: Share) -> dict[str, Any]:
    return {"met": of.met, "of": of.of, "low": round(of.low, 4), "high": round(of.high, 4)}
