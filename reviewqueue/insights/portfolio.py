"""Queries over all queues: what they achieve, what they have to learn from, whether they are ready for more autonomy;
and the wallboard, which anybody may see of the queues they know of."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from reviewqueue.core.access import Action, Actor
from reviewqueue.insights.figures import Lens, figures
from reviewqueue.insights.readiness import Readiness, readiness
from reviewqueue.insights.value import Weighed, weigh
from reviewqueue.models import Gold, JudgedItem
from reviewqueue.models.states import BrakeKind
from reviewqueue.queues.catalog import QueueHead, configuration, queues_for, queues_or_refusal
from reviewqueue.review.board import Figures as Live
from reviewqueue.review.board import figures_of

PAGE = 30
"""Queues shown at once."""
MOST_SHOWN = 60
"""On the wallboard."""


@dataclass(frozen=True)
class Line:
    """A queue in the portfolio."""

    weighed: Weighed
    labels: int
    """Items that people have judged, ever: what there is to learn from."""
    gold: int
    readiness: Readiness


@dataclass(frozen=True)
class Portfolio:
    lines: list[Line]
    days: int
    page: int
    more: bool

    @property
    def teams(self) -> list[tuple[str, list[Line]]]:
        """By the team that owns the queues; those without one last."""
        names = sorted({line.weighed.team for line in self.lines}, key=lambda name: (name == "", name.casefold()))
        return [(name, [line for line in self.lines if line.weighed.team == name]) for name in names]


def portfolio(*, session: Session, actor: Actor, days: int, page: int) -> Portfolio:
    """The queues whose insight `actor` may read, by title. Raises `Forbidden` for who may read none."""
    heads = [
        head
        for head in queues_or_refusal(session=session, actor=actor, action=Action.READ_INSIGHTS)
        if not head.archived
    ]
    shown = heads[(page - 1) * PAGE : page * PAGE]
    return Portfolio([_line(session, actor, head, days) for head in shown], days, page, len(heads) > page * PAGE)


def _line(session: Session, actor: Actor, head: QueueHead, days: int) -> Line:
    found = weigh(session, figures(session=session, actor=actor, slug=head.slug, lens=Lens(days=days)))
    # Index ix_judged_item_queue_id_day, and ix_gold_queue_id_id.
    labels = session.scalar(select(func.count()).select_from(JudgedItem).where(JudgedItem.queue_id == head.id))
    gold = session.scalar(
        select(func.count()).select_from(Gold).where(Gold.queue_id == head.id, Gold.retired_at.is_(None))
    )
    target = found.baseline.error_rate if found.baseline else None
    rules = configuration(session, head.id, head.version).config
    ready = readiness(found.worth.effort.passed_wrong, target=target, audits=rules.audit.rate > 0)
    return Line(found, labels or 0, gold or 0, ready)


@dataclass(frozen=True)
class Tile:
    """A queue on the wallboard. Nobody's name is on it."""

    title: str
    live: Live
    stopped: BrakeKind | None
    held: bool
    closed: bool


@dataclass(frozen=True)
class Wallboard:
    tiles: list[Tile]
    more: int
    """Queues that are not shown."""

    @property
    def waiting(self) -> int:
        return sum(tile.live.waiting for tile in self.tiles)

    @property
    def overdue(self) -> int:
        return sum(tile.live.overdue for tile in self.tiles)

    @property
    def decided_today(self) -> int:
        return sum(tile.live.decided_today for tile in self.tiles)


def wallboard(*, session: Session, actor: Actor) -> Wallboard:
    """The queues that `actor` knows of, what is overdue first. Their figures are those of the board."""
    heads = [head for head in queues_for(session=session, actor=actor) if not head.archived]
    tiles = [
        Tile(head.title, figures_of(session, head.id), head.stopped, head.held, head.intake.value == "closed")
        for head in heads[:MOST_SHOWN]
    ]
    tiles.sort(key=lambda tile: (-tile.live.overdue, -tile.live.waiting, tile.title))
    return Wallboard(tiles, len(heads) - len(tiles))
