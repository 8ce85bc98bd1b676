"""Queries about the quality of reviews: how people meet gold, and how they agree."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from sqlalchemy import Integer, case, func, select, text
from sqlalchemy.orm import Session

from reviewqueue.accounts.memberships import people_with
from reviewqueue.core.access import Action, Actor
from reviewqueue.models import Decision, Gold, Item, Person, Queue, Task
from reviewqueue.models.states import ENDED, QueueRole, TaskKind, Verdict
from reviewqueue.queues.catalog import QueueHead, configuration, find_queue, queue_by_id
from reviewqueue.review import standings
from reviewqueue.review.agreement import Share, alpha, cohen, fleiss, share
from reviewqueue.review.consensus import Given, alike
from reviewqueue.review.signals import Made, Signals, signals
from reviewqueue.review.standings import Stands

LOOKED_AT = 5000
"""Latest reviews of items with several, of which agreement is told."""
LOOKED_THROUGH = 50_000
"""Latest decisions among which those are looked for."""
ENOUGH = 50
"""Gold before a person is judged by it."""
READ = frozenset({"choice", "multi_choice", "text", "chat", "compare", "spans"})
"""Types whose items are read from end to end. Of a document or of fields people look at what is in doubt."""
TOLD_OF = 2000
"""Latest decisions of a queue, of which signs are told."""
PAIR = 10
"""Items that two people must both have judged for their agreement to be told."""


@dataclass(frozen=True)
class Measured:
    """Somebody who reviews in the queue."""

    person_id: str
    name: str
    decided: int
    """Of the queue's latest decisions: how many are theirs, which is no judgement."""
    gold: Share
    stands: Stands | None
    """Where the queue asks for that."""
    signals: Signals | None
    """Of their latest decisions, if there are any."""

    @property
    def enough(self) -> bool:
        return self.gold.of >= ENOUGH

    @property
    def worth_a_look(self) -> list[str]:
        """In words; nothing before there is enough gold."""
        return self.signals.worth_a_look if self.enough and self.signals is not None else []


@dataclass(frozen=True)
class Pair:
    """Two people who judged the same items."""

    names: tuple[str, str]
    agreed: Share
    kappa: float | None
    """Cohen's."""


@dataclass(frozen=True)
class Agreement:
    """Of the latest items that several people judged."""

    alpha: float | None
    """Krippendorff's."""
    agreed: Share
    """Of those items, how many had the same answer from all."""
    fleiss: float | None
    """Fleiss' kappa, over those of them that `each` people judged."""
    each: int


@dataclass(frozen=True)
class Quality:
    """A queue's figures."""

    queue: QueueHead
    people: list[Measured]
    agreement: Agreement
    pairs: list[Pair]
    """Of people who both judged enough of them, those who agree least first."""


def quality_of(*, session: Session, actor: Actor, slug: str) -> Quality:
    """How people meet the queue's gold, and how they agree. Raises `NotFound`, `Forbidden`."""
    head = find_queue(session=session, actor=actor, slug=slug, action=Action.READ_QUALITY)
    given = _answers(session, head)
    return Quality(head, _people(session, head), _agreement(given), _pairs(session, given))


def agreement_of(session: Session, head: QueueHead) -> Agreement:
    """How the people of a queue agree, whoever they are. Asks no permission."""
    return _agreement(_answers(session, head))


def _agreement(given: list[dict[str, str]]) -> Agreement:
    units = [list(unit.values()) for unit in given]
    same = sum(1 for unit in units if len(set(unit)) == 1)
    each = Counter(map(len, units)).most_common(1)[0][0] if units else 0
    return Agreement(alpha(units), share(same, len(units)), fleiss([unit for unit in units if len(unit) == each]), each)


def _pairs(session: Session, given: list[dict[str, str]]) -> list[Pair]:
    both: dict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    for unit in given:
        for one, other in combinations(sorted(unit), 2):
            both[one, other].append((unit[one], unit[other]))
    enough = {people: pairs for people, pairs in both.items() if len(pairs) >= PAIR}
    ids = {person_id for people in enough for person_id in people}
    names = {row.id: row.name for row in session.execute(select(Person.id, Person.name).where(Person.id.in_(ids)))}
    told = [
        Pair(
            (names[one], names[other]), share(sum(1 for pair in pairs if pair[0] == pair[1]), len(pairs)), cohen(pairs)
        )
        for (one, other), pairs in enough.items()
    ]
    return sorted(told, key=lambda pair: (1.0 if pair.kappa is None else pair.kappa, pair.names))


_MET = func.sum(case((Decision.correct.is_(True), 1), else_=0), type_=Integer)


def _people(session: Session, head: QueueHead) -> list[Measured]:
    """Who reviews there, decided there lately or met its gold, by name."""
    stands = standings.all_of(session, head)
    # Index ix_decision_gold.
    rows = session.execute(
        select(Decision.person_id, func.count().label("of"), _MET.label("met"))
        .where(Decision.queue_id == head.id, Decision.correct.is_not(None))
        .group_by(Decision.person_id)
    ).all()
    gold = {row.person_id: share(row.met, row.of) for row in rows}
    signs = signs_in(session, head.id)
    listed = {*gold, *stands, *signs, *people_with(session, head.id, QueueRole.REVIEWER)}
    people = session.execute(
        select(Person.id, Person.name).where(Person.id.in_(listed)).order_by(Person.name, Person.id)
    )
    nothing = share(0, 0)
    return [
        Measured(
            row.id, row.name, signs[row.id].approved.of if row.id in signs else 0, gold.get(row.id, nothing),
            stands.get(row.id), signs.get(row.id),
        )
        for row in people
    ]  # fmt: skip


def _letters(content: Any) -> Any:
    """SQL: at least so many letters to be read in JSON text, of which each may be written as an escape of six."""
    return func.length(content, type_=Integer) // case((content.contains("\\u", autoescape=True), 6), else_=1)


def signs_in(session: Session, queue_id: str) -> dict[str, Signals]:
    """By person, what their part of the queue's latest decisions shows. Asks no permission."""
    head = queue_by_id(session, queue_id)
    is_read = configuration(session, head.id, head.version).config.view.type in READ
    # Index ix_decision_made; the items of those alone.
    latest = (
        select(Decision.item_id, Decision.person_id, Decision.verdict, Decision.spent_seconds, Decision.decided_at)
        .where(
            Decision.queue_id == queue_id, text("withdrawn_at IS NULL AND NOT late AND correct IS NULL"),
        )
        .order_by(Decision.decided_at.desc())
        .limit(TOLD_OF)
        .subquery()
    )  # fmt: skip
    rows = session.execute(
        select(
            latest.c.person_id, latest.c.verdict, latest.c.spent_seconds,
            (_letters(Item.input) + _letters(Item.output)).label("characters"),
        )
        .join(Item, Item.id == latest.c.item_id)
        .order_by(latest.c.decided_at.desc())
    ).all()  # fmt: skip
    made: dict[str, list[Made]] = defaultdict(list)
    for row in reversed(rows):
        spent = row.spent_seconds if is_read else None
        made[row.person_id].append(Made(row.verdict is Verdict.APPROVE, spent, row.characters))
    passed = _passed(session, queue_id)
    approvals = {person_id: sum(1 for one in theirs if one.approves) for person_id, theirs in made.items()}
    total = sum(approvals.values())
    return {
        person_id: signals(
            theirs, others=share(total - approvals[person_id], len(rows) - len(theirs)),
            passed=passed.get(person_id, share(0, 0)),
        )
        for person_id, theirs in made.items()
    }  # fmt: skip


def _passed(session: Session, queue_id: str) -> dict[str, Share]:
    """By person: of the queue's gold whose output was wrong, how much they approved. Index ix_decision_gold."""
    approved = func.sum(case((Decision.verdict == Verdict.APPROVE, 1), else_=0), type_=Integer)
    rows = session.execute(
        select(Decision.person_id, approved.label("approved"), func.count().label("of"))
        .join(Gold, Gold.item_id == Decision.item_id)
        .where(Decision.queue_id == queue_id, Decision.correct.is_not(None), Gold.verdict != Verdict.APPROVE)
        .group_by(Decision.person_id)
    )
    return {row.person_id: share(row.approved, row.of) for row in rows}


@dataclass(frozen=True)
class Mine:
    """What a person is told of themself in a queue."""

    title: str
    gold: Share
    agreed: Share
    """Of the items that others judged, too, and that are settled: where they all said the same as the person."""
    signals: Signals | None
    """Where they were checked."""

    @property
    def is_measured(self) -> bool:
        return bool(self.gold.of or self.agreed.of)


def mine(*, session: Session, actor: Actor) -> list[Mine]:
    """By title of the queue, of those where `actor` decided lately or met gold: how they did, and what else its leads
    see of them where they are checked."""
    gold = {
        row.queue_id: share(row.met, row.of)
        for row in session.execute(
            select(Decision.queue_id, func.count().label("of"), _MET.label("met"))
            .where(Decision.person_id == actor.id, Decision.correct.is_not(None))
            .group_by(Decision.queue_id)
        )
    }
    # Index ix_decision_person_id_id.
    latest = _latest_of(actor).subquery()
    lately = session.scalars(select(latest.c.queue_id).distinct()).all()
    agreed = _agreed(session, actor)
    rows = session.execute(
        select(Queue.id, Queue.title).where(Queue.id.in_({*gold, *lately})).order_by(Queue.title, Queue.id)
    ).all()
    nothing = share(0, 0)
    return [
        Mine(
            row.title, gold.get(row.id, nothing), agreed.get(row.id, nothing),
            signs_in(session, row.id).get(actor.id) if row.id in gold else None,
        )
        for row in rows
    ]  # fmt: skip


def _latest_of(actor: Actor) -> Any:
    standing = Decision.withdrawn_at.is_(None), ~Decision.late
    columns = Decision.id, Decision.item_id, Decision.queue_id, Decision.round
    return select(*columns).where(Decision.person_id == actor.id, *standing).order_by(Decision.id.desc()).limit(TOLD_OF)


def _agreed(session: Session, actor: Actor) -> dict[str, Share]:
    """By queue: of the latest items of `actor` that several people judged, on how many all others said the same. Of
    settled ones alone: before that nobody is to know what others said."""
    latest = _latest_of(actor).subquery()
    rows = session.execute(
        select(Decision.item_id, Decision.queue_id, Decision.person_id, Decision.verdict, Decision.output)
        .join(latest, (latest.c.item_id == Decision.item_id) & (latest.c.round == Decision.round))
        .join(Item, Item.id == Decision.item_id)
        .join(Task, Task.id == Decision.task_id)
        .where(
            Item.reviews > 1, Item.state.in_(ENDED), Task.kind == TaskKind.REVIEW, Decision.withdrawn_at.is_(None),
            ~Decision.late, Decision.correct.is_(None),
        )
        .order_by(Decision.id.desc())
        .limit(LOOKED_AT)
    ).all()  # fmt: skip
    by_item: dict[str, list[Any]] = defaultdict(list)
    for row in rows:
        by_item[row.item_id].append(row)
    met: Counter[str] = Counter()
    of: Counter[str] = Counter()
    for judged in by_item.values():
        if len(judged) < 2 or actor.id not in {row.person_id for row in judged}:
            continue
        queue_id = judged[0].queue_id
        of[queue_id] += 1
        met[queue_id] += _say_the_same(session, queue_id, judged)
    return {queue_id: share(met[queue_id], count) for queue_id, count in of.items()}


def _say_the_same(session: Session, queue_id: str, judged: list[Any]) -> bool:
    head = queue_by_id(session, queue_id)
    agree_on = configuration(session, head.id, head.version).config.reviews.agree_on
    given = [Given(row.verdict is Verdict.REJECT, json.loads(row.output)) for row in judged]
    return len(alike(given, agree_on)) == 1


def _answers(session: Session, head: QueueHead) -> list[dict[str, str]]:
    """What each person said of the latest items with several reviews, those alone that have two or more, as words that
    are equal where the answers are, by person."""
    agree_on = configuration(session, head.id, head.version).config.reviews.agree_on
    # Index ix_decision_made: however many items have one review alone, no more than so many decisions are read.
    latest = (
        select(Decision.id)
        .where(Decision.queue_id == head.id, text("withdrawn_at IS NULL AND NOT late AND correct IS NULL"))
        .order_by(Decision.decided_at.desc())
        .limit(LOOKED_THROUGH)
        .subquery()
    )
    rows = session.execute(
        select(Decision.item_id, Decision.person_id, Decision.verdict, Decision.output)
        .join(latest, latest.c.id == Decision.id)
        .join(Item, Item.id == Decision.item_id)
        .join(Task, Task.id == Decision.task_id)
        .where(Item.reviews > 1, Task.kind == TaskKind.REVIEW)
        .order_by(Decision.id.desc())
        .limit(LOOKED_AT)
    ).all()
    given = [Given(row.verdict is Verdict.REJECT, json.loads(row.output)) for row in rows]
    word: dict[int, str] = {}
    for number, places in enumerate(alike(given, agree_on)):
        word.update(dict.fromkeys(places, str(number)))
    units: dict[Any, dict[str, str]] = defaultdict(dict)
    for place, row in enumerate(rows):
        units[row.item_id].setdefault(row.person_id, word[place])
    return [unit for unit in units.values() if len(unit) > 1]


def agreed_in(session: Session, queue_id: str) -> Share:
    """Of the queue's latest items with several reviews, how many had the same answer from all. Asks no permission."""
    given = _answers(session, queue_by_id(session, queue_id))
    return share(sum(1 for unit in given if len(set(unit.values())) == 1), len(given))


def hasty_in(session: Session, queue_id: str) -> int:
    """How many people there show signs that are worth a look. Asks no permission."""
    return sum(1 for one in _people(session, queue_by_id(session, queue_id)) if one.worth_a_look)


def as_json(found: Quality) -> dict[str, Any]:
    """For programs. Of the people, those who met gold; where the queue asks for a standing, all."""
    asks = any(one.stands for one in found.people)
    return {
        "queue": found.queue.slug, "alpha": found.agreement.alpha, "agreed": share_json(found.agreement.agreed),
        "fleiss": {"kappa": found.agreement.fleiss, "each": found.agreement.each},
        "pairs": [
            {"names": list(pair.names), "agreed": share_json(pair.agreed), "kappa": pair.kappa} for pair in found.pairs
        ],
        "people": [
            {"person": one.person_id, "name": one.name, "gold": share_json(one.gold), "enough": one.enough,
             "standing": one.stands.state if one.stands else None, "signals": _signals_json(one)}
            for one in found.people
            if asks or one.gold.of
        ],
    }  # fmt: skip


def _signals_json(one: Measured) -> dict[str, Any] | None:
    if one.signals is None:
        return None
    return {
        "approved": share_json(one.signals.approved), "streak": one.signals.streak,
        "streak_chance": one.signals.streak_chance, "hasty": share_json(one.signals.hasty),
        "passed": share_json(one.signals.passed), "worth_a_look": one.worth_a_look,
    }  # fmt: skip


def share_json(of: Share) -> dict[str, Any]:
    return {"met": of.met, "of": of.of, "low": round(of.low, 4), "high": round(of.high, 4)}
