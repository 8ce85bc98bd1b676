"""Two models on the same items: which is better, and what may be concluded. Pure; checked against scipy in tests."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from reviewqueue.review.agreement import Z, wilson

ENOUGH = 50
"""Items that both answered, before anything is concluded."""
ALPHA = 0.05


@dataclass(frozen=True)
class Pairs:
    """How often both were right, only the one, only the other, neither."""

    both: int
    first: int
    """Only the present one."""
    second: int
    """Only the candidate."""
    neither: int

    @property
    def items(self) -> int:
        return self.both + self.first + self.second + self.neither


@dataclass(frozen=True)
class Difference:
    """Share right of the candidate less that of the present one, with its interval of 95 %."""

    value: float
    low: float
    high: float


def mcnemar(first: int, second: int) -> float:
    """How often two equally good models would differ as unevenly, one way or the other: the exact test of McNemar
    (1947), binomial over the items where one alone is right. 1 where there are none."""
    number, fewer = first + second, min(first, second)
    if number == 0:
        return 1.0
    tail = math.fsum(
        math.exp(math.lgamma(number + 1) - math.lgamma(k + 1) - math.lgamma(number - k + 1) - number * math.log(2))
        for k in range(fewer + 1)
    )
    return min(1.0, 2 * tail)


def difference(pairs: Pairs) -> Difference | None:
    """The square-and-add interval for paired shares with Newcombe's correction (Newcombe 1998, "Improved confidence
    intervals for the difference between binomial proportions based on paired data", method 10). None of nothing."""
    n = pairs.items
    if not n:
        return None
    new, old = (pairs.both + pairs.second) / n, (pairs.both + pairs.first) / n
    (new_low, new_high), (old_low, old_high) = wilson(new, n), wilson(old, n)
    phi = _phi(pairs)
    below = _spread(new - new_low, old_high - old, phi)
    above = _spread(new_high - new, old - old_low, phi)
    return Difference(new - old, new - old - below, new - old + above)


def _spread(left: float, right: float, phi: float) -> float:
    return math.sqrt(max(0.0, left * left - 2 * phi * left * right + right * right))


def _phi(pairs: Pairs) -> float:
    """How far being right goes together; corrected, as in the paper, where it does."""
    a, b, c, d = pairs.both, pairs.second, pairs.first, pairs.neither
    product = (a + b) * (c + d) * (a + c) * (b + d)
    if product == 0:
        return 0.0
    top = float(a * d - b * c)
    if top > 0:
        top = max(top - pairs.items / 2, 0.0)
    return top / math.sqrt(product)


def weighted_difference(differences: Sequence[tuple[int, float]]) -> Difference | None:
    """Of all items, also those that nobody judged: `(candidate right - present right, probability of being judged)` of
    each judged one. Hájek's mean, with the variance of a sample drawn with unequal probabilities (linearised; Särndal,
    Swensson and Wretman 1992, section 5.6). Normal, so for many items. None for fewer than two."""
    kept = [(value, 1 / probability) for value, probability in differences if probability > 0]
    total = math.fsum(weight for _, weight in kept)
    if len(kept) < 2:
        return None
    mean = math.fsum(value * weight for value, weight in kept) / total
    squares = math.fsum((weight * (value - mean)) ** 2 for value, weight in kept)
    half = Z * math.sqrt(squares * len(kept) / (len(kept) - 1)) / total
    return Difference(mean, max(-1.0, mean - half), min(1.0, mean + half))


@dataclass(frozen=True)
class Verdict:
    call: Literal["promote", "hold"]
    why: Literal["better", "too_few", "worse", "not_told_apart", "not_on_all"]


def verdict(pairs: Pairs, overall: Difference | None, *, enough: int = ENOUGH) -> Verdict:
    """Promote what is certainly better on the items that both answered, and, weighed for those that nobody judged, not
    likely to be worse. All else holds."""
    found = difference(pairs)
    if found is None or pairs.items < enough:
        return Verdict("hold", "too_few")
    if mcnemar(pairs.first, pairs.second) >= ALPHA or found.low <= 0 <= found.high:
        return Verdict("hold", "not_told_apart")
    if found.value < 0:
        return Verdict("hold", "worse")
    if overall is not None and overall.value <= 0:
        return Verdict("hold", "not_on_all")
    return Verdict("promote", "better")
