"""What insight is told from: what people said of each item, how many items came, other models' answers, outcomes."""

from __future__ import annotations

import datetime

from sqlalchemy import Date, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from reviewqueue.models.base import Base, Id, Json, Moment, Ref, enumerated
from reviewqueue.models.states import Verdict


class JudgedItem(Base):
    """An item that people have judged, in a narrow row without content; written by the relay some time after."""

    __tablename__ = "judged_item"

    item_id: Mapped[Ref] = mapped_column(ForeignKey("item.id"), primary_key=True)
    queue_id: Mapped[Ref] = mapped_column(ForeignKey("queue.id"))
    revision: Mapped[int]
    """Of the resolution that it tells."""
    day: Mapped[datetime.date] = mapped_column(Date)
    """On which it was judged, UTC."""
    judged_at: Mapped[Moment]
    verdict: Mapped[Verdict] = mapped_column(enumerated(Verdict, "judged_verdict"))
    model: Mapped[str] = mapped_column(String(200))
    """Empty where the item names none; so with the version."""
    model_version: Mapped[str] = mapped_column(String(200))
    rule_title: Mapped[str] = mapped_column(String(300))
    label: Mapped[str | None] = mapped_column(String(200))
    """That the model gave, in a queue of type `choice`."""
    answer: Mapped[str | None] = mapped_column(String(200))
    """The label that people gave; NULL for a rejection."""
    confidence: Mapped[float | None]
    probability: Mapped[float]
    """With which it was to be seen by a person."""
    audit_sample: Mapped[bool]
    waited_seconds: Mapped[float]
    """From submission to answer."""
    in_time: Mapped[bool]
    """Whether that was before it was due."""

    __table_args__ = (
        # Figures of a queue and a period, told from the index alone, in the order in which they are grouped.
        Index(
            "ix_judged_item_queue_id_day",
            "queue_id",
            "day",
            "model_version",
            "rule_title",
            "label",
            "answer",
            "verdict",
            "probability",
            "audit_sample",
            "in_time",
        ),
    )


class ItemDay(Base):
    """How many items came on a day, by one thing that is known of them."""

    __tablename__ = "item_day"

    queue_id: Mapped[Ref] = mapped_column(ForeignKey("queue.id"), primary_key=True)
    measure: Mapped[str] = mapped_column(String(24), primary_key=True)
    """`action`, `confidence` (hundredths), `label`, `length` (of the input, in steps of half a doubling)."""
    day: Mapped[datetime.date] = mapped_column(Date, primary_key=True)
    model_version: Mapped[str] = mapped_column(String(200), primary_key=True)
    value: Mapped[str] = mapped_column(String(200), primary_key=True)
    items: Mapped[int]


class GatheredUpTo(Base):
    """How far the relay has come in gathering what insight is told from."""

    __tablename__ = "gathered_up_to"

    source: Mapped[str] = mapped_column(String(24), primary_key=True)
    row_id: Mapped[Ref]


class Prediction(Base):
    """What another model, or another version, says of an item; scored against what people said, never queued."""

    __tablename__ = "prediction"

    id: Mapped[Id]
    queue_id: Mapped[Ref] = mapped_column(ForeignKey("queue.id"))
    item_id: Mapped[Ref] = mapped_column(ForeignKey("item.id"))
    model: Mapped[str] = mapped_column(String(200))
    model_version: Mapped[str] = mapped_column(String(200))
    output: Mapped[Json]
    confidence: Mapped[float | None]
    predicted_by: Mapped[str] = mapped_column(String(300))
    created_at: Mapped[Moment]

    __table_args__ = (
        Index("uq_prediction_item", "item_id", "model", "model_version", unique=True),
        Index("ix_prediction_version", "queue_id", "model", "model_version", "id"),
    )


class Outcome(Base):
    """What an item's answer led to, as a program learned later."""

    __tablename__ = "outcome"

    id: Mapped[Id]
    queue_id: Mapped[Ref] = mapped_column(ForeignKey("queue.id"))
    item_id: Mapped[Ref] = mapped_column(ForeignKey("item.id"))
    name: Mapped[str] = mapped_column(String(100))
    """What was looked at, as in `chargeback`. The latest report of one name counts."""
    correct: Mapped[bool]
    """Whether the answer turned out to be right."""
    cost: Mapped[float | None]
    """Of its being wrong, in the queue's currency."""
    note: Mapped[str | None] = mapped_column(Text)
    observed_at: Mapped[Moment]
    reported_by: Mapped[str] = mapped_column(String(300))
    reported_at: Mapped[Moment]

    __table_args__ = (
        Index("uq_outcome_item_id_name", "item_id", "name", unique=True),
        Index("ix_outcome_queue_id_observed_at", "queue_id", "observed_at"),
    )
