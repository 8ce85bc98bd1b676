"""How much evidence there is that a share is below a promise, from items that were seen with unequal probabilities.
Pure.

Testing by betting. Somebody doubts that a share p of wrong items is below a, and bets on each item that was drawn to be
seen with probability q and was judged: with a right one the capital grows by a factor 1 + b r a/(1 - a), with a wrong
one it shrinks by 1 - b r, where r = q_least/q and b in (0, 1) is the stake. Items not drawn leave it as it is.
If p >= a, the factor is at most 1 in expectation over the draw and the item, so that the capital is a supermartingale:
by Ville's inequality it ever reaches 1/d with probability d at most, for any number of items and however often one
looks. The capital is spread over twenty stakes once, at the beginning; a mean of supermartingales is one.

- I. Waudby-Smith, A. Ramdas: Estimating means of bounded random variables by betting. JRSS B 86 (2024).
- I. Waudby-Smith, L. Wu, A. Ramdas, N. Karampatziakis, P. Mineiro: Anytime-valid off-policy inference for contextual
  bandits. ACM/IMS J. Data Science 1 (2024): the weights.
- S. Shekhar, Z. Xu, Z. Lipton, P. Liang, A. Ramdas: Risk-limiting financial audits via weighted sampling. UAI (2023).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

STAKES = tuple((2 * number + 1) / 40 for number in range(20))
_SMALL = tuple(0.001 * 1.43**number for number in range(20))
"""For bets that more than a small share is wrong: each right item costs the whole stake."""
_STEPS = 40
"""Of a bisection: to 1e-12."""


@dataclass(frozen=True)
class Stratum:
    """What was judged of the items that were to be seen with one probability."""

    probability: float
    right: float
    wrong: float


def capital(strata: Iterable[Stratum], share: float, least: float, stakes: Sequence[float] = STAKES) -> float:
    """The logarithm of the capital of a bet that less than `share`, within (0, 1), is wrong.

    `least` is the smallest probability that an item could have been seen with, judged or not.
    """
    odds = share / (1 - share)
    grown = [0.0] * len(stakes)
    for stratum in strata:
        ratio = least / stratum.probability
        for place, stake in enumerate(stakes):
            grown[place] += stratum.right * math.log1p(stake * ratio * odds)
            grown[place] += stratum.wrong * math.log1p(-stake * ratio)
    most = max(grown)
    return most + math.log(sum(math.exp(each - most) for each in grown) / len(grown))


def upper(strata: Sequence[Stratum], least: float, doubt: float, stakes: Sequence[float] = STAKES) -> float:
    """The share of wrong items is at most that, but with probability `doubt`; 1 where nothing was judged."""
    enough = -math.log(doubt)
    low, high = 0.0, 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if middle > 0 and capital(strata, middle, least, stakes) >= enough:
            high = middle
        else:
            low = middle
    return high if high < 1 - 1e-9 else 1.0


def lower(strata: Sequence[Stratum], least: float, doubt: float) -> float:
    """The share of wrong items is at least that, but with probability `doubt`: the same bet on right ones."""
    turned = [Stratum(each.probability, each.wrong, each.right) for each in strata]
    return 1 - upper(turned, least, doubt, _SMALL)


@lru_cache(maxsize=512)
def needed(share: float, expected: float, doubt: float, most: int = 1_000_000) -> int | None:
    """How many judged items, all seen with the same probability, show that less than `share` is wrong when `expected`
    is; None for more than `most`."""
    if expected >= share:
        return None

    def shown(number: int) -> bool:
        wrong = expected * number
        return capital([Stratum(1.0, number - wrong, wrong)], share, 1.0) >= -math.log(doubt)

    high = 1
    while not shown(high):
        high *= 2
        if high > most:
            return None
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if shown(middle) else (middle, high)
    return high
