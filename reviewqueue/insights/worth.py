"""What reviewing costs and what it is worth, from the figures that the queue's configuration sets. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from reviewqueue.insights.rates import Rate


@dataclass(frozen=True)
class Effort:
    """What was done in a period."""

    came: int
    passed: int
    judged: int
    averted: int
    """Of those judged, what people changed or rejected."""
    minutes: float
    passed_wrong: Rate
    """Of what passed, by its audits."""


@dataclass(frozen=True)
class Between:
    """An estimate and the interval it takes from what it is made of."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Worth:
    effort: Effort
    cost: float | None
    """Of the minutes."""
    cost_per_averted: float | None
    saved: float | None
    """By the errors averted, less the cost."""
    slipped: Between | None
    """Errors among what passed."""
    slipped_cost: Between | None
    before_minutes: float | None
    """That as many items would have taken before any AI."""
    before_errors: float | None
    """That they would have had."""


def worth(
    effort: Effort, *, per_minute: float | None = None, per_error: float | None = None,
    before_minutes: float | None = None, before_error_rate: float | None = None,
) -> Worth:  # fmt: skip
    """`before_…` are of one item. What the configuration does not say is None."""
    cost = None if per_minute is None else effort.minutes * per_minute
    slipped = _times(effort.passed_wrong, effort.passed)
    return Worth(
        effort, cost, cost / effort.averted if cost is not None and effort.averted else None,
        effort.averted * per_error - cost if cost is not None and per_error is not None else None,
        slipped, None if slipped is None or per_error is None else _scaled(slipped, per_error),
        None if before_minutes is None else effort.came * before_minutes,
        None if before_error_rate is None else effort.came * before_error_rate,
    )  # fmt: skip


def _times(rate: Rate, number: int) -> Between | None:
    return None if rate.value is None else Between(rate.value * number, rate.low * number, rate.high * number)


def _scaled(found: Between, factor: float) -> Between:
    return Between(found.value * factor, found.low * factor, found.high * factor)
