"""Query: minutes spent, errors averted, what that costs and saves, and how it was before any AI."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from reviewqueue.core.access import Actor
from reviewqueue.insights.figures import Figures, Lens, figures, start_of
from reviewqueue.insights.outcomes import Outcomes, outcomes_of
from reviewqueue.insights.worth import Effort, Worth, worth
from reviewqueue.models import Decision
from reviewqueue.queues.catalog import QueueHead, configuration
from reviewqueue.queues.configuration import Baseline, Value


@dataclass(frozen=True)
class Weighed:
    queue: QueueHead
    days: int
    figures: Figures
    worth: Worth
    decisions: int
    estimated: bool
    """The minutes are the mean of those decisions whose time is known, times all."""
    baseline: Baseline | None
    value: Value | None
    outcomes: list[Outcomes]
    team: str


def value_of(*, session: Session, actor: Actor, slug: str, days: int) -> Weighed:
    """Raises `NotFound`, `Forbidden`."""
    found = figures(session=session, actor=actor, slug=slug, lens=Lens(days=days))
    return weigh(session, found)


def weigh(session: Session, found: Figures) -> Weighed:
    """What the figures are worth by the queue's present configuration."""
    config = configuration(session, found.queue.id, found.queue.version).config
    decisions = _decisions(session, found.queue.id, found.since)
    effort = Effort(
        found.came, found.passed, found.changed.of, found.changed.met, (found.mean or 0.0) * decisions / 60,
        found.passed_wrong,
    )  # fmt: skip
    of, before = config.value, config.baseline
    told = worth(
        effort, per_minute=of.per_minute if of else None, per_error=of.per_error if of else None,
        before_minutes=before.minutes_per_item if before else None,
        before_error_rate=before.error_rate if before else None,
    )  # fmt: skip
    return Weighed(
        found.queue, found.lens.days, found, told, decisions, found.timed < decisions, before, of,
        outcomes_of(session, found.queue.id, found.since), config.owner_team,
    )  # fmt: skip


def _decisions(session: Session, queue_id: str, since: datetime.date) -> int:
    """Index ix_decision_made alone."""
    return session.execute(
        select(func.count())
        .select_from(Decision)
        .where(
            Decision.queue_id == queue_id, text("withdrawn_at IS NULL AND NOT late AND correct IS NULL"),
            Decision.decided_at >= start_of(since),
        )
    ).scalar_one()  # fmt: skip
