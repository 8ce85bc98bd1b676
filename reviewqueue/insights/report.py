"""A month in figures, queue by queue: what came, what passed without people, how they decided, how fast. Queries."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from statistics import median
from typing import Any

from sqlalchemy import Integer, case, func, select
from sqlalchemy.orm import Session

from reviewqueue.core.access import Action, Actor, require
from reviewqueue.core.db import database_now
from reviewqueue.core.ids import first_id_at
from reviewqueue.errors import Invalid
from reviewqueue.insights.alert_figures import overrides
from reviewqueue.models import Decision, Item, Resolution
from reviewqueue.models.states import ResolvedBy, Verdict
from reviewqueue.queues.catalog import queues_for
from reviewqueue.review.agreement import Share, share
from reviewqueue.review.board import COUNTS, SKEW_SECONDS

LONGEST_SPENT = 3_600.0
"""Seconds. Somebody who takes longer over one decision was elsewhere; the median does not mind."""
AUTOMATIC = (ResolvedBy.ROUTING, ResolvedBy.DUPLICATE)


@dataclass(frozen=True)
class Month:
    year: int
    number: int

    @property
    def begins(self) -> datetime:
        return datetime(self.year, self.number, 1, tzinfo=UTC)

    @property
    def ends(self) -> datetime:
        """The first moment after it."""
        return (Month(self.year + 1, 1) if self.number == 12 else Month(self.year, self.number + 1)).begins

    @property
    def before(self) -> Month:
        return Month(self.year - 1, 12) if self.number == 1 else Month(self.year, self.number - 1)

    def __str__(self) -> str:
        return f"{self.year:04}-{self.number:02}"


@dataclass(frozen=True)
class Figures:
    """Of a queue, or of all. Items sent to try a queue are in none of them, nor are checks with a known answer."""

    title: str
    items: int
    """That came in the month."""
    automatic: Share
    """Of those: how many got their first answer without a person."""
    defaulted: int
    """Of those: how many got the queue's default, because nobody answered in time."""
    decisions: int
    verdicts: Counter[Verdict]
    overridden: Share
    """Of the decisions: how many the output did not survive."""
    in_time: Share
    """Of the answers that people gave: how many came before the item was due."""
    reviewers: int
    spent: Sequence[float]
    """Seconds of each decision whose time is known."""

    @property
    def seconds_each(self) -> float | None:
        return median(self.spent) if self.spent else None

    @property
    def hours(self) -> float:
        return sum(min(seconds, LONGEST_SPENT) for seconds in self.spent) / 3600


@dataclass(frozen=True)
class Report:
    month: Month
    made_at: datetime
    complete: bool
    """The month is over."""
    total: Figures
    before: Figures
    """All queues, in the month before."""
    queues: list[Figures]
    """Those in which anything happened, the largest first."""


def month_of(text: str) -> Month:
    """From `2026-11`. Raises `Invalid`."""
    found = re.fullmatch(r"(\d{4})-(0[1-9]|1[0-2])", text, re.ASCII)
    if found is None or not 1970 < int(found[1]) < 9999:
        raise Invalid(f"{text!r} is not a month: write it as 2026-11.", code="bad_parameter")
    return Month(int(found[1]), int(found[2]))


def report(*, session: Session, actor: Actor, month: Month | None = None) -> Report:
    """The month's figures; the last that is over, if none is named. Raises `Forbidden`."""
    require(actor, Action.READ_METRICS)
    now = database_now(session)
    wanted = month or Month(now.year, now.month).before
    queues = [figures for figures in _by_queue(session, actor, wanted) if figures.items or figures.decisions]
    queues.sort(key=lambda one: (-one.items, one.title))
    return Report(
        wanted, now, wanted.ends <= now, _sum(session, queues, wanted),
        _sum(session, list(_by_queue(session, actor, wanted.before)), wanted.before), queues,
    )  # fmt: skip


def _by_queue(session: Session, actor: Actor, month: Month) -> Iterator[Figures]:
    for head in queues_for(session=session, actor=actor):
        yield _figures(session, head.id, head.title, month)


def _figures(session: Session, queue_id: str, title: str, month: Month) -> Figures:
    answered = _answered(session, queue_id, month)
    verdicts, spent = _decided(session, queue_id, month)
    items = sum(answered.values())
    return Figures(
        title, items, share(sum(answered[by] for by in AUTOMATIC), items),
        answered[ResolvedBy.DEFAULT], sum(verdicts.values()), verdicts, overrides(verdicts),
        _in_time(session, queue_id, month), len(_reviewers(session, queue_id, month)), spent,
    )  # fmt: skip


def _sum(session: Session, every: Iterable[Figures], month: Month) -> Figures:
    """Of all queues together; somebody who decided in several counts once."""
    total = Figures("", 0, share(0, 0), 0, 0, Counter(), share(0, 0), share(0, 0), 0, [])
    for one in every:
        total = replace(
            total, items=total.items + one.items, automatic=_both(total.automatic, one.automatic),
            defaulted=total.defaulted + one.defaulted, decisions=total.decisions + one.decisions,
            verdicts=total.verdicts + one.verdicts, in_time=_both(total.in_time, one.in_time),
            spent=[*total.spent, *one.spent],
        )  # fmt: skip
    reviewers = len(_reviewers(session, None, month)) if total.decisions else 0
    return replace(total, overridden=overrides(total.verdicts), reviewers=reviewers)


def _both(one: Share, other: Share) -> Share:
    return share(one.met + other.met, one.of + other.of)


def _answered(session: Session, queue_id: str, month: Month) -> Counter[ResolvedBy | None]:
    """The month's items by what gave their first answer; None: nothing yet."""
    # Index ix_item_queue_id_id: ids sort by time. Index uq_resolution_item_id_revision.
    rows = session.execute(
        select(Resolution.by, func.count())
        .select_from(Item)
        .outerjoin(Resolution, (Resolution.item_id == Item.id) & (Resolution.revision == 1))
        .where(
            Item.queue_id == queue_id, *_ids(Item.id, month), ~Item.test,
            Item.created_at >= month.begins, Item.created_at < month.ends,
        )
        .group_by(Resolution.by)
    )  # fmt: skip
    return Counter({ResolvedBy(row[0]) if row[0] else None: row[1] for row in rows})


def _ids(column: Any, month: Month) -> tuple[Any, Any]:
    # A web process makes them by its own clock.
    return (
        column >= first_id_at(month.begins.timestamp() - SKEW_SECONDS),
        column < first_id_at(month.ends.timestamp() + SKEW_SECONDS),
    )


def _decisions(queue_id: str | None, month: Month) -> tuple[Any, ...]:
    # Index ix_decision_made.
    of_queue = () if queue_id is None else (Decision.queue_id == queue_id,)
    return (*of_queue, COUNTS, Decision.decided_at >= month.begins, Decision.decided_at < month.ends)


def _decided(session: Session, queue_id: str, month: Month) -> tuple[Counter[Verdict], list[float]]:
    rows = session.execute(
        select(Decision.verdict, Decision.spent_seconds)
        .join(Item, Item.id == Decision.item_id)
        .where(*_decisions(queue_id, month), ~Item.test)
    )
    verdicts: Counter[Verdict] = Counter()
    spent = []
    for verdict, seconds in rows:
        verdicts[verdict] += 1
        if seconds is not None:
            spent.append(float(seconds))
    return verdicts, spent


def _reviewers(session: Session, queue_id: str | None, month: Month) -> list[str]:
    query = select(Decision.person_id).where(*_decisions(queue_id, month)).distinct()
    return list(session.scalars(query))


def _in_time(session: Session, queue_id: str, month: Month) -> Share:
    """Of the first answers that people gave in the month."""
    in_time = func.sum(case((Resolution.created_at <= Item.due_at, 1), else_=0), type_=Integer)
    row = session.execute(
        select(in_time.label("met"), func.count().label("of"))
        .select_from(Resolution)
        .join(Item, Item.id == Resolution.item_id)
        .where(
            Resolution.queue_id == queue_id, *_ids(Resolution.id, month), Resolution.by == ResolvedBy.PEOPLE,
            Resolution.revision == 1, Resolution.created_at >= month.begins, Resolution.created_at < month.ends,
            ~Item.test,
        )
    ).one()  # fmt: skip
    return share(row.met or 0, row.of)


# -- for programs -----------------------------------------------------------------------------------------------------


def as_json(found: Report) -> dict[str, Any]:
    return {
        "month": str(found.month), "complete": found.complete, "total": _figures_json(found.total),
        "before": _figures_json(found.before), "queues": [_figures_json(one) for one in found.queues],
    }  # fmt: skip


def _figures_json(one: Figures) -> dict[str, Any]:
    return {
        "title": one.title, "items": one.items, "automatic": _share_json(one.automatic), "defaulted": one.defaulted,
        "decisions": one.decisions, "verdicts": {verdict.value: one.verdicts[verdict] for verdict in Verdict},
        "overridden": _share_json(one.overridden), "in_time": _share_json(one.in_time), "reviewers": one.reviewers,
        "seconds_each": one.seconds_each, "hours": round(one.hours, 2),
    }  # fmt: skip


def _share_json(of: Share) -> dict[str, Any]:
    return {"met": of.met, "of": of.of, "low": round(of.low, 4), "high": round(of.high, 4)}
