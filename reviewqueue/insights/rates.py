"""Rates of what people judged, with intervals that say what they rest on. Pure; checked against scipy in the tests."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from reviewqueue.review.agreement import wilson


@dataclass(frozen=True)
class Sums:
    """Of judged items, each of which stands for 1 / probability items like it."""

    items: int = 0
    met: int = 0
    """Those that the rate is of."""
    weight: float = 0.0
    weight_squared: float = 0.0
    weight_met: float = 0.0

    def __add__(self, other: Sums) -> Sums:
        return Sums(
            self.items + other.items, self.met + other.met, self.weight + other.weight,
            self.weight_squared + other.weight_squared, self.weight_met + other.weight_met,
        )  # fmt: skip

    def __sub__(self, other: Sums) -> Sums:
        return Sums(
            self.items - other.items, self.met - other.met, self.weight - other.weight,
            self.weight_squared - other.weight_squared, self.weight_met - other.weight_met,
        )  # fmt: skip


def stands(probability: float, *, audit_sample: bool) -> bool:
    """Whether a judged item stands for others like it: what somebody asked to have reopened was not drawn."""
    return probability >= 1 or (audit_sample and probability > 0)


@dataclass(frozen=True)
class Rate:
    """A share, with the interval in which the true one lies in 95 of 100 cases."""

    value: float | None
    """None where there is nothing to tell it from."""
    low: float
    high: float
    met: int
    of: int
    """What it was counted from, unweighted."""


def plain(met: int, of: int) -> Rate:
    """`met` of `of`, all as likely to be seen. Wilson's interval."""
    if not of:
        return Rate(None, 0.0, 1.0, 0, 0)
    return Rate(met / of, *wilson(met / of, of), met, of)


def weighted(sums: Sums) -> Rate:
    """Of all items, also of those that nobody judged: each judged one counts 1 / its probability of being judged
    (Hájek 1971). The interval is Wilson's at the effective number of items, (Σw)² / Σw² (Kish 1965, section 11.7);
    approximate, and wide where few audits stand for many items."""
    if not sums.items or sums.weight <= 0:
        return Rate(None, 0.0, 1.0, 0, 0)
    share = min(1.0, max(0.0, sums.weight_met / sums.weight))
    effective = sums.weight * sums.weight / sums.weight_squared
    return Rate(share, *wilson(share, effective), sums.met, sums.items)


def quantile(values: Sequence[float], share: float) -> float | None:
    """With linear interpolation (type 7 of Hyndman and Fan 1996). None of nothing."""
    if not values:
        return None
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)
