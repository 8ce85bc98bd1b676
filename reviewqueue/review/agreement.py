"""Figures of agreement, each with what it rests on. Pure; checked against reference libraries in the tests."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

Z = 1.959963984540054
"""Of 95 %, two-sided."""


@dataclass(frozen=True)
class Share:
    """So many of so many, with the interval in which the true share lies in 95 of 100 cases."""

    met: int
    of: int
    low: float
    high: float

    @property
    def value(self) -> float | None:
        return self.met / self.of if self.of else None


def share(met: int, of: int) -> Share:
    """With Wilson's score interval."""
    return Share(met, of, *wilson(met / of, of)) if of else Share(0, 0, 0.0, 1.0)


def wilson(rate: float, of: float, z: float = Z) -> tuple[float, float]:
    """The score interval of a share seen in `of` observations (Wilson 1927), which holds for few observations and
    shares near 0 and 1, too. `of` need not be whole, as where observations have weights; of none, it is anything."""
    if of <= 0:
        return 0.0, 1.0
    spread = z * z / of
    middle = (rate + spread / 2) / (1 + spread)
    half = z * math.sqrt(rate * (1 - rate) / of + spread / (4 * of)) / (1 + spread)
    return max(0.0, middle - half), min(1.0, middle + half)


def surely_below(met: int, of: int, bar: float, *, doubt: float = 0.05) -> bool:
    """Whether the true share is below `bar`, however often one has looked: of people who are at the bar, at most the
    share `doubt` is ever told this.

    A test that is repeated after every check would in the end find somebody guilty by chance. This one bets evenly on
    all shares against `bar`; by Ville's inequality the bettor's fortune, B(met + 1, of - met + 1) / (bar^met (1 -
    bar)^(of - met)), ever reaches 1 / doubt with a chance of at most `doubt`. (Ville 1939; Robbins 1970, "Statistical
    methods related to the law of the iterated logarithm".) Precondition: 0 < bar < 1.
    """
    if of == 0 or met / of >= bar:
        return False
    mixture = math.lgamma(met + 1) + math.lgamma(of - met + 1) - math.lgamma(of + 2)
    fortune = mixture - met * math.log(bar) - (of - met) * math.log1p(-bar)
    return fortune >= -math.log(doubt)


def alpha(units: Iterable[Sequence[Hashable]]) -> float | None:
    """Krippendorff's alpha for nominal data: 1 is agreement, 0 what chance gives, below 0 less than that.

    `units` has the answers to each item; those with fewer than two are left out. None where there is nothing to
    disagree about: no such item, or one answer only. (Krippendorff, Content Analysis, chapter on reliability.)
    """
    total: Counter[Hashable] = Counter()
    disagreement = 0.0
    for unit in units:
        count = len(unit)
        if count < 2:
            continue
        answers = Counter(unit)
        total.update(answers)
        disagreement += (count * count - sum(number * number for number in answers.values())) / (count - 1)
    number = sum(total.values())
    chance = number * number - sum(count * count for count in total.values())
    return 1 - (number - 1) * disagreement / chance if chance else None


def cohen(pairs: Sequence[tuple[Hashable, Hashable]]) -> float | None:
    """Cohen's kappa of two people over the items that both judged: 1 is agreement, 0 what their habits give by chance.

    None where chance leaves nothing to disagree about. (Cohen 1960, "A coefficient of agreement for nominal scales".)
    """
    count = len(pairs)
    one, other = Counter(left for left, _ in pairs), Counter(right for _, right in pairs)
    chance = sum(one[answer] * other[answer] for answer in one)
    alike = sum(1 for left, right in pairs if left == right)
    return (count * alike - chance) / (count * count - chance) if count * count > chance else None


def fleiss(units: Sequence[Sequence[Hashable]]) -> float | None:
    """Fleiss' kappa over items that equally many people judged, not always the same ones.

    Precondition: all of `units` have the same length, two or more. None where chance leaves nothing to disagree about.
    (Fleiss 1971, "Measuring nominal scale agreement among many raters".)
    """
    if not units:
        return None
    each, total = len(units[0]), Counter(answer for unit in units for answer in unit)
    alike = sum(number * (number - 1) for unit in units for number in Counter(unit).values())
    observed = alike / (len(units) * each * (each - 1))
    chance = sum(number * number for number in total.values()) / (len(units) * each) ** 2
    return (observed - chance) / (1 - chance) if chance < 1 else None
