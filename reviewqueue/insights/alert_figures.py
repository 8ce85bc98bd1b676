"""Figures that alerts and metrics are made of: shares and drift. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import log

from reviewqueue.models.states import Verdict
from reviewqueue.review.agreement import Share, share

BINS = 10
LEAST = 1e-4
"""Share of an empty bin in the index of stability, which knows no zero."""


def overrides(verdicts: Mapping[Verdict, int]) -> Share:
    """Of so many decisions by verdict, those by which the output did not stand: edit, override and reject."""
    total = sum(verdicts.values())
    return share(total - verdicts.get(Verdict.APPROVE, 0), total)


def stability(before: Sequence[float], now: Sequence[float]) -> float:
    """The population stability index of two samples of numbers from 0 to 1, in ten bins of equal width: 0 where they
    are spread alike; from 0.25 on they are commonly held to differ (Siddiqi 2006, "Credit Risk Scorecards")."""
    first, second = _shares(before), _shares(now)
    return sum((new - old) * log(new / old) for old, new in zip(first, second, strict=True))


def _shares(numbers: Sequence[float]) -> list[float]:
    counts = [0] * BINS
    for number in numbers:
        counts[min(BINS - 1, int(number * BINS))] += 1
    return [max(LEAST, count / max(1, len(numbers))) for count in counts]


@dataclass(frozen=True)
class Reading:
    """A figure as it is now, and of how many observations it is told."""

    value: float
    observations: int


class Step(StrEnum):
    OPEN = "open"
    RESOLVE = "resolve"


def step(reading: Reading, *, is_open: bool, above: bool, bar: float, over_at: float, at_least: int) -> Step | None:
    """What is to become of an alert: it opens beyond its bar, and is over only where the figure is at `over_at` or
    better, so that one which moves about its bar is told of once. Too few observations change nothing."""
    if reading.observations < at_least:
        return None
    if not is_open:
        beyond = reading.value > bar if above else reading.value < bar
        return Step.OPEN if beyond else None
    back = reading.value <= over_at if above else reading.value >= over_at
    return Step.RESOLVE if back else None
