"""Figures that alerts and metrics are made of: shares and drift. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
