"""Whether the model is as right for one group as for another, and as often favourable. Pure; checked against
fairlearn, scikit-learn and scipy in the tests."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import NormalDist

from reviewqueue.insights.rates import Rate, Sums, weighted
from reviewqueue.review.agreement import Z, wilson

_normal = NormalDist().inv_cdf
WITH_SMALLER = ", with smaller groups"


@dataclass(frozen=True)
class Case:
    """A judged item."""

    group: str
    changed: bool
    """People did not let the model's output stand."""
    favourable: bool | None
    """What the model said of it; None where the queue does not say what is favourable."""
    deserved: bool | None
    """What people said."""
    weight: float = 1.0
    """For how many items it stands: one over the probability with which it was to be judged."""


_NONE = Sums()


@dataclass
class _Tally:
    """Each item in the figures that are told of it."""

    changed: Sums = _NONE
    parity: Sums = _NONE
    true_positive: Sums = _NONE
    """Favourable, of those that deserve it."""
    false_positive: Sums = _NONE
    """Favourable, of those that do not."""

    @property
    def items(self) -> int:
        return self.changed.items


@dataclass(frozen=True)
class Group:
    name: str
    items: int
    changed: Rate
    favourable: Rate | None
    true_positive: Rate | None
    """Of those that deserve it by what people said, how many the model favoured."""
    false_positive: Rate | None
    """Of those that do not."""


@dataclass(frozen=True)
class Gap:
    """Between a group and all others together: its share less theirs."""

    group: str
    measure: str
    """`changed`, `parity` (favourable), `true_positive`, `false_positive`; the two last are equalised odds."""
    value: float
    low: float
    high: float
    certain: bool
    """Its interval, widened for as many gaps as are looked at, does not hold 0."""


@dataclass(frozen=True)
class Fairness:
    groups: list[Group]
    gaps: list[Gap]
    suppressed: int
    """Groups that are too small to be shown."""
    suppressed_items: int
    judged: int
    unnamed: int
    """Items whose metadata does not say."""


def compared(cases: Iterable[Case], *, smallest: int, unnamed: int = 0) -> Fairness:
    """Each group of `smallest` items or more against all others together, small ones and all.

    Where the small ones together are fewer than that, subtracting all others from the total would tell of them: they
    are counted to the smallest group that is shown.
    """
    tallies: dict[str, _Tally] = defaultdict(_Tally)
    for case in cases:
        _count(tallies[case.group], case)
    total = _sum(tallies.values())
    kept = {name: tally for name, tally in tallies.items() if tally.items >= smallest}
    small = [tally for tally in tallies.values() if tally.items < smallest]
    together = _sum(small)
    if kept and 0 < together.items < smallest:
        least = min(kept, key=lambda name: (kept[name].items, name))
        kept[f"{least}{WITH_SMALLER}"] = _sum([kept.pop(least), together])
    favours = total.parity.items > 0
    groups = [_group(name, kept[name], favours=favours) for name in sorted(kept, key=lambda n: (-kept[n].items, n))]
    return Fairness(
        groups, _gaps(kept, total, smallest, favours=favours), len(small), together.items, total.items, unnamed
    )


def _count(tally: _Tally, case: Case) -> None:
    tally.changed += _one(case, met=case.changed)
    if case.favourable is None or case.deserved is None:
        return
    said = _one(case, met=case.favourable)
    tally.parity += said
    if case.deserved:
        tally.true_positive += said
    else:
        tally.false_positive += said


def _one(case: Case, *, met: bool) -> Sums:
    return Sums(1, int(met), case.weight, case.weight * case.weight, case.weight * met)


def _sum(tallies: Iterable[_Tally]) -> _Tally:
    total = _Tally()
    for tally in tallies:
        for name in MEASURES:
            setattr(total, name, getattr(total, name) + getattr(tally, name))
    return total


def _group(name: str, tally: _Tally, *, favours: bool) -> Group:
    told = [weighted(getattr(tally, measure)) if favours else None for measure in MEASURES[1:]]
    return Group(name, tally.items, weighted(tally.changed), *told)


MEASURES = ("changed", "parity", "true_positive", "false_positive")


def _gaps(kept: dict[str, _Tally], total: _Tally, smallest: int, *, favours: bool) -> list[Gap]:
    """Those that rest on `smallest` items on both sides; the largest first."""
    found = []
    for name, tally in kept.items():
        for measure in MEASURES if favours else MEASURES[:1]:
            mine, everybody = getattr(tally, measure), getattr(total, measure)
            others = everybody - mine
            if mine.items >= smallest and others.items >= smallest:
                found.append((name, measure, (*_counted(mine), *_counted(others))))
    doubt = 0.05 / max(1, len(found))
    gaps = []
    for name, measure, of_both in found:
        value, low, high = gap(*of_both)
        _, surely_low, surely_high = gap(*of_both, z=_normal(1 - doubt / 2))
        gaps.append(Gap(name, measure, value, low, high, not surely_low <= 0 <= surely_high))
    return sorted(gaps, key=lambda one: (-one.certain, -abs(one.value), one.group, one.measure))


def _counted(sums: Sums) -> tuple[float, float]:
    """As so many of so many that were all as likely to be seen: the effective number of items."""
    of = sums.weight * sums.weight / sums.weight_squared
    return of * min(1.0, max(0.0, sums.weight_met / sums.weight)), of


def gap(met: float, of: float, other_met: float, other_of: float, *, z: float = Z) -> tuple[float, float, float]:
    """The difference of two shares and its interval, made of Wilson's for either (Newcombe 1998, "Interval estimation
    for the difference between independent proportions", method 10). Precondition: both of something."""
    p, q = met / of, other_met / other_of
    (p_low, p_high), (q_low, q_high) = wilson(p, of, z), wilson(q, other_of, z)
    return p - q, p - q - math.hypot(p - p_low, q_high - q), p - q + math.hypot(p_high - p, q - q_low)
