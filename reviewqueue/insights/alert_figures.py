"""Figures that alerts and metrics are made of, and when an alert opens and is over. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from reviewqueue.insights.drift import Shift
from reviewqueue.insights.groups import gap
from reviewqueue.models.states import DISAGREEMENTS, Verdict
from reviewqueue.review.agreement import Share, share

SURE = 3.0
"""Standard deviations beyond which two rates are held to differ, as in the control chart of drift."""


def overrides(verdicts: Mapping[Verdict, int]) -> Share:
    """Of so many decisions by verdict, those by which the output did not stand."""
    return share(sum(verdicts.get(verdict, 0) for verdict in DISAGREEMENTS), sum(verdicts.values()))


@dataclass(frozen=True)
class Reading:
    """A figure as it is now, and of how many observations it is told."""

    value: float
    observations: int


def shifted(found: Shift | None) -> Reading:
    """The population stability index; 0 where chance alone makes as much."""
    if found is None:
        return Reading(0.0, 0)
    return Reading(found.psi if found.psi > found.by_chance else 0.0, min(found.before, found.now))


def moved(before: Share, now: Share) -> Reading:
    """By how much the rate changed, up or down; 0 where that may be chance."""
    fewer = min(before.of, now.of)
    if not fewer:
        return Reading(0.0, 0)
    value, low, high = gap(now.met, now.of, before.met, before.of, z=SURE)
    return Reading(0.0 if low <= 0 <= high else abs(value), fewer)


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
