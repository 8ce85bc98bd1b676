"""What would pass at each threshold, and how much of that is wrong: the risk-coverage curve. Pure.

- R. El-Yaniv, Y. Wiener: On the foundations of noise-free selective classification. JMLR 11 (2010): the curve.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from reviewqueue.insights import bounds, weights

GRID = (
    *(number / 100 for number in range(90)), *(number / 200 for number in range(180, 198)),
    *(number / 1000 for number in range(990, 1000)),
)  # fmt: skip
"""Thresholds that are looked at: chosen before any item came, finer where models crowd."""
LENIENT = 0.02
"""Share of drawn items that may be without a verdict; these count as wrong."""


@dataclass(frozen=True)
class Seen:
    """An item that could pass, as a threshold reads it. In the order of submission."""

    confidence: float
    probability: float
    """With which a person was to see it; above 0."""
    drawn: bool
    """Whether a person was to see it, by rule or by the draw."""
    wrong: bool | None
    """None while nobody has judged it."""


@dataclass(frozen=True)
class Point:
    """What would pass at `threshold` and above."""

    threshold: float
    items: int
    """All that came, judged or not."""
    judged: int
    """How many of them the evidence rests on: the drawn ones, up to the first without a verdict or too many of them."""
    open: int
    """Of those, how many are without a verdict: they count as wrong."""
    wrong: int
    left_out: int
    """Drawn items beyond."""
    error: float
    """The share that is wrong, estimated (Hájek); NaN without evidence."""
    strata: tuple[bounds.Stratum, ...]
    least: float
    """The smallest probability with which one of them was to be seen."""

    @property
    def effective(self) -> float:
        """As how many items judged with the least probability the evidence counts."""
        return sum((each.right + each.wrong) * self.least / each.probability for each in self.strata)

    def high(self, doubt: float) -> float:
        """The share of wrong ones is at most that."""
        return bounds.upper(self.strata, self.least, doubt)

    def low(self, doubt: float) -> float:
        """The share of wrong ones is at least that."""
        return bounds.lower(self.strata, self.least, doubt)


def curve(items: Sequence[Seen]) -> list[Point]:
    """A point for each threshold of the grid that something reaches, from the lowest."""
    highest = max((item.confidence for item in items), default=-1.0)
    return [point_at(items, threshold) for threshold in GRID if threshold <= highest]


def point_at(items: Sequence[Seen], threshold: float) -> Point:
    """The evidence rests on the longest beginning of the items of which enough drawn ones have a verdict.

    Where to stop depends on what was judged, not on how; a beginning is as good as all for a bet on each item in turn.
    """
    passing = [item for item in items if item.confidence >= threshold]
    drawn = [item for item in passing if item.drawn]
    used = drawn[: _complete(drawn)]
    counts = Counter((item.probability, item.wrong is not False) for item in used)
    probabilities = sorted({probability for probability, _ in counts})
    strata = tuple(bounds.Stratum(each, counts[each, False], counts[each, True]) for each in probabilities)
    judged = [(float(item.wrong), item.probability) for item in used if item.wrong is not None]
    return Point(
        threshold=threshold,
        items=len(passing),
        judged=len(used),
        open=sum(item.wrong is None for item in used),
        wrong=sum(item.wrong is True for item in used),
        left_out=len(drawn) - len(used),
        error=weights.hajek(judged).mean,
        strata=strata,
        least=min((item.probability for item in passing), default=1.0),
    )


def _complete(drawn: Sequence[Seen]) -> int:
    """All up to the first without a verdict, unless leniency gives more than twice as many: each open one costs as much
    evidence as a wrong one."""
    longest = missing = whole = 0
    for number, item in enumerate(drawn, start=1):
        missing += item.wrong is None
        if missing == 0:
            whole = number
        if missing <= LENIENT * number:
            longest = number
    return whole if 2 * whole >= longest else longest
