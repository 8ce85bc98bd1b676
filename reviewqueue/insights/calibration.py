"""Whether a model is right as often as it says: reliability, expected calibration error, Brier score. Pure.

Each judged item counts by the inverse of the probability with which it was to be seen.

- G. W. Brier: Verification of forecasts expressed in terms of probability. Monthly Weather Review 78 (1950).
- M. P. Naeini, G. F. Cooper, M. Hauskrecht: Obtaining well calibrated probabilities using Bayesian binning. AAAI
  (2015): the expected calibration error.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reviewqueue.insights.weights import effective
from reviewqueue.review.agreement import wilson

BINS = 10


@dataclass(frozen=True)
class Judged:
    """What the model said of its own output, and what a person said."""

    confidence: float
    right: bool
    probability: float = 1.0
    """With which it was to be seen."""


@dataclass(frozen=True)
class Bin:
    """Of the items whose confidence lies from `low` up to `high`."""

    low: float
    high: float
    judged: int
    share: float
    """Of all items, by weight."""
    confidence: float
    """Its mean, by weight."""
    right: float
    """How many of them were right, by weight."""
    interval: tuple[float, float]
    """In which the true share of right ones lies in 95 of 100 cases."""


@dataclass(frozen=True)
class Calibration:
    bins: list[Bin]
    ece: float
    """The mean distance of confidence and share of right ones over the bins, by weight."""
    brier: float
    """The mean square of confidence less 1 for a right output and 0 for a wrong one."""
    judged: int


def calibration(judged: Sequence[Judged], bins: int = BINS) -> Calibration | None:
    """Of these items; None without any."""
    if not judged:
        return None
    groups: list[list[Judged]] = [[] for _ in range(bins)]
    for each in judged:
        groups[min(bins - 1, int(each.confidence * bins))].append(each)
    total = sum(1 / each.probability for each in judged)
    found = [_bin(group, number / bins, (number + 1) / bins, total) for number, group in enumerate(groups) if group]
    brier = sum((each.confidence - each.right) ** 2 / each.probability for each in judged) / total
    return Calibration(found, sum(each.share * abs(each.right - each.confidence) for each in found), brier, len(judged))


def _bin(group: list[Judged], low: float, high: float, total: float) -> Bin:
    weight = sum(1 / each.probability for each in group)
    right = sum(each.right / each.probability for each in group) / weight
    confidence = sum(each.confidence / each.probability for each in group) / weight
    interval = wilson(right, effective([each.probability for each in group]))
    return Bin(low, high, len(group), weight / total, confidence, right, interval)
