"""Whether a queue is ready for more autonomy, from what audits show of what passes. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from reviewqueue.insights.rates import Rate

ENOUGH = 100
"""Audits before anything is said."""


@dataclass(frozen=True)
class Readiness:
    call: Literal["ready", "not_yet", "unknown", "too_much"]
    why: Literal["under_target", "no_audits", "no_target", "too_few", "within_reach", "above_target"]
    target: float | None
    """The share of errors that people alone made."""


def readiness(passed_wrong: Rate, *, target: float | None, audits: bool) -> Readiness:
    """More may pass where what passes already is, with certainty, no worse than people were before any AI."""
    if not audits and not passed_wrong.of:
        return Readiness("unknown", "no_audits", target)
    if target is None:
        return Readiness("unknown", "no_target", None)
    if passed_wrong.low > target:
        return Readiness("too_much", "above_target", target)
    if passed_wrong.of < ENOUGH:
        return Readiness("not_yet", "too_few", target)
    if passed_wrong.high <= target:
        return Readiness("ready", "under_target", target)
    return Readiness("not_yet", "within_reach", target)
