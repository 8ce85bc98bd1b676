"""Query: whether what comes to a queue, or how people judge it, has changed of late."""

from __future__ import annotations

import datetime
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sqlalchemy import Integer, case, func, select
from sqlalchemy.orm import Session

from reviewqueue.core.access import Action, Actor
from reviewqueue.insights.drift import Apart, Control, Count, Shift, control, kolmogorov_smirnov, shift
from reviewqueue.insights.figures import CHANGED, OTHERS, since_of
from reviewqueue.models import ItemDay, JudgedItem
from reviewqueue.queues.catalog import QueueHead, find_queue

RECENT = (7, 14, 30)
TIMES_BEFORE = 4
"""The reference is as many times as long, and ends where the present begins."""
MOST_VALUES = 20
"""Labels that are told apart; the rarer ones stand together."""


@dataclass(frozen=True)
class Drift:
    queue: QueueHead
    days: int
    since: datetime.date
    """The first day of the reference."""
    boundary: datetime.date
    """The first day of the present."""
    shifts: dict[str, Shift]
    """By measure: `label`, `confidence` (in tenths), `length`, `action`."""
    confidence: Apart | None
    """Of the same confidences in hundredths."""
    control: Control | None
    """Of the share that people change."""
    counts: dict[datetime.date, Count]

    @property
    def dates(self) -> list[datetime.date]:
        length = (self.boundary - self.since).days + self.days
        return [self.since + datetime.timedelta(days=number) for number in range(length)]

    @property
    def recent_beyond(self) -> int:
        """Days of the present that made an alarm of the chart."""
        points = self.control.points[-self.days :] if self.control else []
        return sum(point.beyond or point.run for point in points)


def drift_of(*, session: Session, actor: Actor, slug: str, days: int) -> Drift:
    """The last `days` against four times as many before. Raises `NotFound`, `Forbidden`."""
    head = find_queue(session=session, actor=actor, slug=slug, action=Action.READ_INSIGHTS)
    since, _ = since_of(session, days * (1 + TIMES_BEFORE))
    boundary = since + datetime.timedelta(days=days * TIMES_BEFORE)
    before, now = _came(session, head.id, since, boundary)
    apart = kolmogorov_smirnov(_numbers(before["confidence"]), _numbers(now["confidence"]))
    shifts = {}
    for measure in ("label", "confidence", "length", "action"):
        one, other = binned(measure, before[measure], now[measure])
        found = shift(one, other)
        if found is not None:
            shifts[measure] = found
    counts = _judged(session, head.id, since)
    dates = Drift(head, days, since, boundary, shifts, apart, None, counts).dates
    reference = [counts.get(day, Count(0, 0)) for day in dates if day < boundary]
    chart = control(reference, [counts.get(day, Count(0, 0)) for day in dates])
    return Drift(head, days, since, boundary, shifts, apart, chart, counts)


Counted = dict[str, dict[str, int]]


def _came(session: Session, queue_id: str, since: datetime.date, boundary: datetime.date) -> tuple[Counted, Counted]:
    """By measure and value, before and now. The primary key carries it: a few hundred rows a day at most."""
    is_now = case((ItemDay.day >= boundary, 1), else_=0)
    rows = session.execute(
        select(ItemDay.measure, ItemDay.value, is_now.label("is_now"), func.sum(ItemDay.items).label("number"))
        .where(
            ItemDay.queue_id == queue_id, ItemDay.measure.in_(("label", "confidence", "length", "action")),
            ItemDay.day >= since,
        )
        .group_by(ItemDay.measure, ItemDay.value, is_now)
    )  # fmt: skip
    found: tuple[Counted, Counted] = defaultdict(dict), defaultdict(dict)
    for row in rows:
        found[row.is_now][row.measure][row.value] = int(row.number)
    return found


def _numbers(counts: Mapping[str, int]) -> dict[float, int]:
    return {int(value) / 100: number for value, number in counts.items() if value}


def binned(measure: str, before: Mapping[str, int], now: Mapping[str, int]) -> tuple[dict[str, int], dict[str, int]]:
    """With bins that hold enough to be compared."""
    if measure == "confidence":
        return _summed(before, _tenth), _summed(now, _tenth)
    if measure == "length":
        return _summed(before, _characters), _summed(now, _characters)
    total: dict[str, int] = defaultdict(int)
    for counts in (before, now):
        for value, number in counts.items():
            total[value] += number
    kept = set(sorted(total, key=lambda value: (-total[value], value))[:MOST_VALUES])
    name = {value: value if value in kept else OTHERS for value in total}
    return _summed(before, name.__getitem__), _summed(now, name.__getitem__)


def _summed(counts: Mapping[str, int], name: Callable[[str], str]) -> dict[str, int]:
    found: dict[str, int] = defaultdict(int)
    for value, number in counts.items():
        found[name(value)] += number
    return dict(found)


def _tenth(value: str) -> str:
    return f"0.{value[0]}–" + (f"0.{int(value[0]) + 1}" if value[0] != "9" else "1.0") if value else "none"


def _characters(value: str) -> str:
    """A whole doubling; figures stand in columns, so that names sort as their lengths do."""
    low = 2 ** (int(value) // 2)
    return f"{low:>9}–{2 * low - 1}"


def _judged(session: Session, queue_id: str, since: datetime.date) -> dict[datetime.date, Count]:
    """Index ix_judged_item_queue_id_day."""
    rows = session.execute(
        select(JudgedItem.day, func.sum(CHANGED, type_=Integer).label("met"), func.count().label("number"))
        .where(JudgedItem.queue_id == queue_id, JudgedItem.day >= since)
        .group_by(JudgedItem.day)
    )
    return {row.day: Count(row.met, row.number) for row in rows}
