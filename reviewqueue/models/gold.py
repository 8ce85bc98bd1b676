"""Items whose answer is known, and how those who review stand, whom they measure."""

from __future__ import annotations

from sqlalchemy import ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from reviewqueue.models.base import Base, Id, Json, Moment, Ref, enumerated
from reviewqueue.models.states import StandingState, Verdict


class Gold(Base):
    __tablename__ = "gold"

    id: Mapped[Id]
    item_id: Mapped[Ref] = mapped_column(ForeignKey("item.id"), unique=True)
    queue_id: Mapped[Ref] = mapped_column(ForeignKey("queue.id"))
    verdict: Mapped[Verdict] = mapped_column(enumerated(Verdict, "gold_verdict"))
    output: Mapped[Json]
    """The known answer; `null` for a rejection."""
    note: Mapped[str | None] = mapped_column(Text)
    """Why it is the answer; shown after deciding."""
    added_by: Mapped[str] = mapped_column(String(300))
    created_at: Mapped[Moment]
    retired_at: Mapped[Moment | None]
    """Given to nobody any more."""

    __table_args__ = (
        Index(
            "ix_gold_queue_id_id",
            "queue_id",
            "id",
            postgresql_where=text("retired_at IS NULL"),
            sqlite_where=text("retired_at IS NULL"),
        ),
    )


class Standing(Base):
    """Whether somebody gets work in a queue that calibrates people or has a bar; no row: not asked yet."""

    __tablename__ = "standing"

    queue_id: Mapped[Ref] = mapped_column(ForeignKey("queue.id"), primary_key=True)
    person_id: Mapped[Ref] = mapped_column(ForeignKey("person.id"), primary_key=True)
    state: Mapped[StandingState] = mapped_column(enumerated(StandingState, "standing_state"))
    since: Mapped[Moment]
    measured_from: Mapped[Moment]
    """Checks decided before count no more."""
    decided: Mapped[int]
    """How much work they have decided, as far as it tells whether they are new."""
    checks: Mapped[int]
    """When it came to this state: checks that counted."""
    correct: Mapped[int]
    """Of those."""
    by: Mapped[str] = mapped_column(String(300))
    """Who brought them into this state: a lead, or the product."""
    note: Mapped[str | None] = mapped_column(Text)
    """What a lead said to that."""
