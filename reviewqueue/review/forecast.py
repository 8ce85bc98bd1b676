"""When a queue clears, told from an hour of it. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

ENOUGH = 10
"""Decisions and arrivals together, below which an hour says too little."""
Z = 1.96
"""Of a 95 % interval."""


class Outlook(StrEnum):
    CLEAR = "clear"
    """Nothing waits."""
    TOO_LITTLE = "too_little"
    """Too little happened to say."""
    CLEARS = "clears"
    """In `low` to `high` hours."""
    GROWS = "grows"
    """By `low` to `high` an hour."""
    LEVEL = "level"
    """It may shrink or grow: by `low` (below 0: shrinks) to `high` an hour."""


@dataclass(frozen=True)
class Forecast:
    outlook: Outlook
    low: float = 0.0
    high: float = 0.0


def forecast(*, undecided: int, decided: int, arrived: int) -> Forecast:
    """What becomes of `undecided` tasks if the next hours are as the last, in which so many were decided and arrived.

    Decisions and arrivals are taken for Poisson counts, so that what an hour takes off, decided - arrived, has a
    standard deviation of about sqrt(decided + arrived); the range is that of 95 in 100 cases. It knows nothing of
    shifts, of time-outs, nor of second rounds.
    """
    if not undecided:
        return Forecast(Outlook.CLEAR)
    if decided + arrived < ENOUGH:
        return Forecast(Outlook.TOO_LITTLE)
    net, margin = decided - arrived, Z * math.sqrt(decided + arrived)
    if net - margin > 0:
        return Forecast(Outlook.CLEARS, undecided / (net + margin), undecided / (net - margin))
    if net + margin < 0:
        return Forecast(Outlook.GROWS, -net - margin, -net + margin)
    return Forecast(Outlook.LEVEL, -net - margin, -net + margin)
