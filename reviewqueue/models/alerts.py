"""Alerts: figures of a queue that passed the bar which its configuration sets."""

from __future__ import annotations

from sqlalchemy import ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from reviewqueue.models.base import Base, Id, Json, Moment, Ref, enumerated
from reviewqueue.models.states import AlertFigure


class Alert(Base):
    """One time that a figure was beyond its bar, from when that was seen until it was well back."""

    __tablename__ = "alert"

    id: Mapped[Id]
    queue_id: Mapped[Ref] = mapped_column(ForeignKey("queue.id"))
    name: Mapped[str] = mapped_column(String(100))
    """Of the alert in the queue's configuration."""
    figure: Mapped[AlertFigure] = mapped_column(enumerated(AlertFigure, "alert_figure"))
    config_version: Mapped[int]
    """That asked for it."""
    bar: Mapped[float]
    above: Mapped[bool]
    """Whether the figure was above the bar, or below it."""
    value: Mapped[float]
    """When it was opened."""
    observations: Mapped[int]
    """Of how many it was told."""
    done: Mapped[Json]
    """JSON array: what was done about it, in words."""
    opened_at: Mapped[Moment]
    resolved_at: Mapped[Moment | None]
    resolved_value: Mapped[float | None]
    """NULL where the configuration asks for it no more."""
    acknowledged_at: Mapped[Moment | None]
    acknowledged_by: Mapped[Ref | None] = mapped_column(ForeignKey("person.id"))
    note: Mapped[str | None] = mapped_column(Text)
    """What they wrote."""

    __table_args__ = (
        # At most one is open, however many relays believe to lead.
        Index(
            "uq_alert_open",
            "queue_id",
            "name",
            unique=True,
            postgresql_where=text("resolved_at IS NULL"),
            sqlite_where=text("resolved_at IS NULL"),
        ),
        # What there was, newest first.
        Index("ix_alert_queue_id_id", "queue_id", "id"),
    )
