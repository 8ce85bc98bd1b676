"""Queries of a queue's figures: how often people change what the model said, what passes, how long it takes.

Of narrow rows (`models.insights`), by day and summed up in SQL.
"""

from __future__ import annotations

import datetime
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, case, func, select, text
from sqlalchemy.orm import Session

from reviewqueue.core.access import Action, Actor
from reviewqueue.core.db import database_now
from reviewqueue.insights.rates import Rate, Sums, plain, quantile, stands, weighted
from reviewqueue.models import Decision, ItemDay, JudgedItem
from reviewqueue.models.states import DISAGREEMENTS, RoutingAction, Verdict
from reviewqueue.queues.catalog import QueueHead, configuration, find_queue
from reviewqueue.review.quality import Agreement, agreement_of

PERIODS = (7, 30, 90, 365)
MOST_GROUPS = 40
"""Versions, rules or labels that are listed, those with the most judged items first."""
MOST_CLASSES = 12
"""Labels of the confusion; the others stand together."""
TIMED = 20_000
"""Latest decisions of which times are told."""
OTHERS = "…"
REJECTED = "rejected"

_J = JudgedItem
CHANGED = case((_J.verdict.in_(sorted(DISAGREEMENTS)), 1), else_=0)


@dataclass(frozen=True)
class Lens:
    """What a page is narrowed to; each a parameter of its address."""

    days: int = 30
    version: str = ""
    rule: str = ""
    label: str = ""

    @property
    def query(self) -> dict[str, Any]:
        found = {"days": self.days, "version": self.version, "rule": self.rule, "label": self.label}
        return {name: value for name, value in found.items() if value}


@dataclass(frozen=True)
class Group:
    """Of one day, version, rule or label."""

    name: str
    changed: Rate
    """Among the items that people judged."""
    of_all: Rate
    """Estimated for all items, also those that passed."""


@dataclass(frozen=True)
class Day:
    day: datetime.date
    changed: Rate
    in_time: Rate
    passed: int
    came: int
    decisions: int
    median: float | None
    """Seconds a decision."""
    p90: float | None


@dataclass(frozen=True)
class Confusion:
    """What the model said (rows) against what people said (columns)."""

    labels: list[str]
    answers: list[str]
    counts: dict[tuple[str, str], int]

    def row(self, label: str) -> int:
        return sum(self.counts.get((label, answer), 0) for answer in self.answers)

    @property
    def most(self) -> int:
        return max(self.counts.values(), default=0)


@dataclass(frozen=True)
class Figures:
    queue: QueueHead
    lens: Lens
    since: datetime.date
    until: datetime.date
    changed: Rate
    of_all: Rate
    rejected: Rate
    passed_wrong: Rate
    """Of what passed, told from audits."""
    passed: int
    came: int
    in_time: Rate
    median: float | None
    p90: float | None
    mean: float | None
    timed: int
    """Decisions of which these three are told."""
    days: list[Day]
    versions: list[Group]
    rules: list[Group]
    labels: list[Group]
    confusion: Confusion | None
    agreement: Agreement | None
    """None where nothing is judged twice."""


def since_of(session: Session, days: int) -> tuple[datetime.date, datetime.date]:
    """The first and the last day, UTC, of so many that end today."""
    today = database_now(session).date()
    return today - datetime.timedelta(days=days - 1), today


def start_of(day: datetime.date) -> datetime.datetime:
    """Its midnight, UTC."""
    return datetime.datetime.combine(day, datetime.time.min, datetime.UTC)


def figures(*, session: Session, actor: Actor, slug: str, lens: Lens) -> Figures:
    """Raises `NotFound`, `Forbidden`."""
    head = find_queue(session=session, actor=actor, slug=slug, action=Action.READ_INSIGHTS)
    since, until = since_of(session, lens.days)
    cells = _cells(session, head.id, since, lens)
    drawn = [cell for cell in cells if cell.stands]
    total, audited = _sum(drawn), _sum(cell for cell in drawn if cell.audit_sample)
    routed, times = _routed(session, head.id, since, lens), _times(session, head.id, since)
    everything = [second for seconds in times.values() for second in seconds]
    return Figures(
        head, lens, since, until, plain(total.met, total.items), weighted(total),
        plain(sum(cell.items for cell in drawn if cell.verdict is Verdict.REJECT), total.items), weighted(audited),
        sum(passed for passed, _ in routed.values()), sum(came for _, came in routed.values()),
        plain(sum(cell.items for cell in drawn if cell.in_time), total.items), quantile(everything, 0.5),
        quantile(everything, 0.9), sum(everything) / len(everything) if everything else None, len(everything),
        _days(drawn, since, until, routed, times), _groups(drawn, "model_version"), _groups(drawn, "rule_title"),
        _groups([cell for cell in drawn if cell.label is not None], "label"), _confusion(cells),
        _agreement(session, head),
    )  # fmt: skip


@dataclass(frozen=True)
class _Cell:
    """Judged items that are alike in all that figures tell."""

    day: datetime.date
    model_version: str
    rule_title: str
    label: str | None
    answer: str | None
    verdict: Verdict
    probability: float
    audit_sample: bool
    in_time: bool
    items: int

    @property
    def stands(self) -> bool:
        return stands(self.probability, audit_sample=self.audit_sample)

    @property
    def sums(self) -> Sums:
        weight, met = 1 / self.probability, self.items if self.verdict in DISAGREEMENTS else 0
        return Sums(self.items, met, self.items * weight, self.items * weight * weight, met * weight)


def _cells(session: Session, queue_id: str, since: datetime.date, lens: Lens) -> list[_Cell]:
    """Index ix_judged_item_queue_id_day alone, which has them in this order: one pass, however many figures."""
    by = (
        _J.day, _J.model_version, _J.rule_title, _J.label, _J.answer, _J.verdict, _J.probability, _J.audit_sample,
        _J.in_time,
    )  # fmt: skip
    within = _within(queue_id, since, lens)
    return [_Cell(*tuple(row)) for row in session.execute(select(*by, func.count()).where(*within).group_by(*by))]


def _sum(cells: Iterable[_Cell]) -> Sums:
    return sum((cell.sums for cell in cells), Sums())


def _within(queue_id: str, since: datetime.date, lens: Lens) -> list[Any]:
    found = [_J.queue_id == queue_id, _J.day >= since]
    if lens.version:
        found.append(_J.model_version == lens.version)
    if lens.rule:
        found.append(_J.rule_title == lens.rule)
    if lens.label:
        found.append(_J.label == lens.label)
    return found


def _groups(cells: Iterable[_Cell], by: str) -> list[Group]:
    """By one thing, those with the most judged items first."""
    found: dict[str, Sums] = defaultdict(Sums)
    for cell in cells:
        found[getattr(cell, by)] += cell.sums
    kept = sorted(found.items(), key=lambda one: (-one[1].items, one[0]))[:MOST_GROUPS]
    return [Group(name, plain(total.met, total.items), weighted(total)) for name, total in kept]


def _days(
    cells: Iterable[_Cell], since: datetime.date, until: datetime.date,
    routed: dict[datetime.date, tuple[int, int]], times: dict[datetime.date, list[float]],
) -> list[Day]:  # fmt: skip
    """Every day of the period, also those on which nothing happened."""
    totals: dict[datetime.date, Sums] = defaultdict(Sums)
    in_time: dict[datetime.date, int] = defaultdict(int)
    for cell in cells:
        totals[cell.day] += cell.sums
        in_time[cell.day] += cell.items if cell.in_time else 0
    found = []
    for number in range((until - since).days + 1):
        day = since + datetime.timedelta(days=number)
        total, seconds = totals.get(day, Sums()), times.get(day, [])
        passed, came = routed.get(day, (0, 0))
        found.append(
            Day(
                day, plain(total.met, total.items), plain(in_time.get(day, 0), total.items), passed, came, len(seconds),
                quantile(seconds, 0.5), quantile(seconds, 0.9),
            )
        )  # fmt: skip
    return found


def _routed(session: Session, queue_id: str, since: datetime.date, lens: Lens) -> dict[datetime.date, tuple[int, int]]:
    """By day: how many items passed, of how many. Of all rules and labels."""
    passed = func.sum(case((ItemDay.value == RoutingAction.AUTO_APPROVE.value, ItemDay.items), else_=0))
    # The primary key carries it.
    within = [ItemDay.queue_id == queue_id, ItemDay.measure == "action", ItemDay.day >= since]
    if lens.version:
        within.append(ItemDay.model_version == lens.version)
    rows = session.execute(
        select(ItemDay.day, passed.label("passed"), func.sum(ItemDay.items).label("came"))
        .where(and_(*within))
        .group_by(ItemDay.day)
    )
    return {row.day: (int(row.passed), int(row.came)) for row in rows}


def _times(session: Session, queue_id: str, since: datetime.date) -> dict[datetime.date, list[float]]:
    """Seconds that the latest decisions took, by day. Index ix_decision_made."""
    rows = session.execute(
        select(Decision.decided_at, Decision.spent_seconds)
        .where(
            Decision.queue_id == queue_id, text("withdrawn_at IS NULL AND NOT late AND correct IS NULL"),
            Decision.decided_at >= start_of(since),
        )
        .order_by(Decision.decided_at.desc())
        .limit(TIMED)
    )  # fmt: skip
    found: dict[datetime.date, list[float]] = defaultdict(list)
    for row in rows:
        if row.spent_seconds is not None:
            found[row.decided_at.astimezone(datetime.UTC).date()].append(row.spent_seconds)
    return found


def _confusion(cells: Iterable[_Cell]) -> Confusion | None:
    """None where there are no labels."""
    rows = [(cell.label, cell.answer, cell.items) for cell in cells if cell.label is not None]
    if not rows:
        return None
    totals: dict[str, int] = defaultdict(int)
    for label, answer, count in rows:
        for name in (label, answer):
            if name is not None:
                totals[name] += count
    kept = sorted(totals, key=lambda name: (-totals[name], name))[:MOST_CLASSES]
    counts: dict[tuple[str, str], int] = defaultdict(int)
    for label, answer, count in rows:
        said = REJECTED if answer is None else answer if answer in kept else OTHERS
        counts[label if label in kept else OTHERS, said] += count
    columns = _ordered(kept, [answer for _, answer in counts], last=(OTHERS, REJECTED))
    return Confusion(_ordered(kept, [label for label, _ in counts], last=(OTHERS,)), columns, dict(counts))


def _ordered(kept: Sequence[str], present: Sequence[str], *, last: tuple[str, ...]) -> list[str]:
    return [*sorted(kept), *(name for name in last if name in present and name not in kept)]


def _agreement(session: Session, head: QueueHead) -> Agreement | None:
    config = configuration(session, head.id, head.version).config
    rules = config.reviews
    twice = rules.required > 1 or rules.second_look > 0 or rules.newcomers is not None
    if not twice and not any(rule.extra_reviews for rule in config.routing.rules):
        return None
    return agreement_of(session, head)
