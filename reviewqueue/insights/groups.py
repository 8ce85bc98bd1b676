"""Whether the model is as right for one group as for another, and as often favourable. Pure; checked against
scikit-learn and scipy in the tests."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import NormalDist

from reviewqueue.insights.rates import Rate, plain
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


@dataclass
class _Tally:
    items: int = 0
    changed: int = 0
    favourable: int = 0
    deserving: int = 0
    granted: int = 0
    """Favourable of those that deserve it."""
    undeserving: int = 0
    wrongly: int = 0
    """Favourable of those that do not."""


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
    favours = total.deserving + total.undeserving > 0
    groups = [_group(name, kept[name], favours=favours) for name in sorted(kept, key=lambda n: (-kept[n].items, n))]
    return Fairness(
        groups, _gaps(kept, total, smallest, favours=favours), len(small), together.items, total.items, unnamed
    )


def _count(tally: _Tally, case: Case) -> None:
    tally.items += 1
    tally.changed += case.changed
    if case.favourable is None or case.deserved is None:
        return
    tally.favourable += case.favourable
    tally.deserving += case.deserved
    tally.granted += case.deserved and case.favourable
    tally.undeserving += not case.deserved
    tally.wrongly += not case.deserved and case.favourable


def _sum(tallies: Iterable[_Tally]) -> _Tally:
    total = _Tally()
    for tally in tallies:
        for name in vars(total):
            setattr(total, name, getattr(total, name) + getattr(tally, name))
    return total


def _group(name: str, tally: _Tally, *, favours: bool) -> Group:
    return Group(
        name, tally.items, plain(tally.changed, tally.items),
        plain(tally.favourable, tally.items) if favours else None,
        plain(tally.granted, tally.deserving) if favours else None,
        plain(tally.wrongly, tally.undeserving) if favours else None,
    )  # fmt: skip


MEASURES = {
    "changed": ("changed", "items"), "parity": ("favourable", "items"), "true_positive": ("granted", "deserving"),
    "false_positive": ("wrongly", "undeserving"),
}  # fmt: skip


def _gaps(kept: dict[str, _Tally], total: _Tally, smallest: int, *, favours: bool) -> list[Gap]:
    """Those that rest on `smallest` items on both sides; the largest first."""
    found = []
    for name, tally in kept.items():
        for measure, (met, of) in MEASURES.items():
            if measure != "changed" and not favours:
                continue
            mine, all_of = getattr(tally, of), getattr(total, of)
            if mine >= smallest and all_of - mine >= smallest:
                found.append((name, measure, getattr(tally, met), mine, getattr(total, met), all_of))
    doubt = 0.05 / max(1, len(found))
    gaps = []
    for name, measure, met, mine, all_met, all_of in found:
        value, low, high = gap(met, mine, all_met - met, all_of - mine)
        _, surely_low, surely_high = gap(met, mine, all_met - met, all_of - mine, z=_normal(1 - doubt / 2))
        gaps.append(Gap(name, measure, value, low, high, not surely_low <= 0 <= surely_high))
    return sorted(gaps, key=lambda one: (-one.certain, -abs(one.value), one.group, one.measure))


def gap(met: int, of: int, other_met: int, other_of: int, *, z: float = Z) -> tuple[float, float, float]:
    """The difference of two shares and its interval, made of Wilson's for either (Newcombe 1998, "Interval estimation
    for the difference between independent proportions", method 10). Precondition: both of something."""
    p, q = met / of, other_met / other_of
    (p_low, p_high), (q_low, q_high) = wilson(p, of, z), wilson(q, other_of, z)
    return p - q, p - q - math.hypot(p - p_low, q_high - q), p - q + math.hypot(p_high - p, q - q_low)
