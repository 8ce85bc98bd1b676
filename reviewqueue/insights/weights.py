"""What each judged item stands for: itself, and those like it that nobody was to see. Pure.

Items that people saw are not like the rest: rules pick out the doubtful ones. The probability with which each was to be
seen is on record, so that what they say can be weighted by its inverse (`queues.routing.weight`).

- D. G. Horvitz, D. J. Thompson: A generalization of sampling without replacement from a finite universe. JASA 47
  (1952).
- J. Hájek: Comment on a paper by D. Basu. In: Foundations of statistical inference (1971).
- L. Kish: Survey sampling (1965): the effective number.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Estimate:
    """A mean over all items, and its standard error; NaN where nothing was drawn."""

    mean: float
    error: float


def horvitz_thompson(values: Sequence[tuple[float, float]], of: int) -> Estimate:
    """The mean over `of` items from those drawn, `(value, probability)`. Unbiased; needs the number of all."""
    if of <= 0:
        return Estimate(math.nan, math.nan)
    total = sum(value / probability for value, probability in values)
    variance = sum((1 - probability) * (value / probability) ** 2 for value, probability in values)
    return Estimate(total / of, math.sqrt(variance) / of)


def hajek(values: Sequence[tuple[float, float]]) -> Estimate:
    """The mean over all items from those drawn, `(value, probability)`, whose weights say how many there were. Nearly
    unbiased, and steadier: equal values give that value."""
    size = sum(1 / probability for _, probability in values)
    if size <= 0:
        return Estimate(math.nan, math.nan)
    mean = sum(value / probability for value, probability in values) / size
    variance = sum((1 - probability) * ((value - mean) / probability) ** 2 for value, probability in values)
    return Estimate(mean, math.sqrt(variance) / size)


def effective(probabilities: Sequence[float]) -> float:
    """As how many items drawn with equal probability these count, for the precision of a mean (Kish)."""
    weights = [1 / probability for probability in probabilities]
    squares = sum(each * each for each in weights)
    return sum(weights) ** 2 / squares if squares else 0.0
