"""Webhooks: who listens, and what is to be delivered, was, or could not be."""

from __future__ import annotations

from sqlalchemy import BigInteger, ForeignKey, Index, PrimaryKeyConstraint, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from reviewqueue.models.base import Base, Id, Json, Moment, Ref, enumerated
from reviewqueue.models.states import DeliveryState


class WebhookEndpoint(Base):
    """An address that hears of events. Its secret is not kept: it follows from the site's key, the id and `secret`."""

    __tablename__ = "webhook_endpoint"

    id: Mapped[Id]
    queue_id: Mapped[Ref] = mapped_column(ForeignKey("queue.id"), index=True)
    url: Mapped[str] = mapped_column(String(2000))
    events: Mapped[Json]
    """JSON array of event types; `["*"]` for all."""
    description: Mapped[str] = mapped_column(String(300), default="")
    secret: Mapped[int] = mapped_column(default=1)
    """Number of its present secret; rises with each rotation."""
    old_secret_until: Mapped[Moment | None]
    """Until then the secret before signs, too."""
    position: Mapped[int] = mapped_column(BigInteger, default=0)
    """How far in the queue's feed its deliveries have been made."""
    created_by: Mapped[str] = mapped_column(String(300))
    created_at: Mapped[Moment]
    disabled_at: Mapped[Moment | None]
    disabled_why: Mapped[str | None] = mapped_column(String(300))


class WebhookDelivery(Base):
    """One event for one endpoint."""

    __tablename__ = "webhook_delivery"

    id: Mapped[Id]
    endpoint_id: Mapped[Ref] = mapped_column(ForeignKey("webhook_endpoint.id"))
    event: Mapped[str] = mapped_column(String(60))
    event_id: Mapped[str] = mapped_column(String(100))
    """`webhook-id`: the same with every attempt."""
    ref: Mapped[Ref]
    """Id of the resolution, item or dataset that it tells of."""
    state: Mapped[DeliveryState] = mapped_column(enumerated(DeliveryState, "delivery_state"))
    attempts: Mapped[int] = mapped_column(default=0)
    next_at: Mapped[Moment]
    leased_until: Mapped[Moment | None]
    created_at: Mapped[Moment]
    ended_at: Mapped[Moment | None]

    __table_args__ = (
        # Promise 8: one delivery an event and endpoint.
        Index("uq_webhook_delivery_endpoint_id_event_id", "endpoint_id", "event_id", unique=True),
        Index("ix_webhook_delivery_endpoint_id_id", "endpoint_id", "id"),
        Index(
            "ix_webhook_delivery_due",
            "endpoint_id",
            "next_at",
            postgresql_where=text("state = 'pending'"),
            sqlite_where=text("state = 'pending'"),
        ),
        Index(
            "ix_webhook_delivery_delivered",
            "ended_at",
            postgresql_where=text("state = 'delivered'"),
            sqlite_where=text("state = 'delivered'"),
        ),
        # How many wait and how many were given up; what arrived is the most by far.
        Index(
            "ix_webhook_delivery_undelivered",
            "endpoint_id",
            "state",
            postgresql_where=text("state <> 'delivered'"),
            sqlite_where=text("state <> 'delivered'"),
        ),
    )


class WebhookAttempt(Base):
    """One request that was made, and what came back."""

    __tablename__ = "webhook_attempt"

    delivery_id: Mapped[Ref] = mapped_column(ForeignKey("webhook_delivery.id"))
    number: Mapped[int]
    at: Mapped[Moment]
    seconds: Mapped[float]
    status: Mapped[int | None]
    """NULL where no answer came."""
    answer: Mapped[str] = mapped_column(Text)
    """Its first 2,000 characters, or why there was none."""

    __table_args__ = (PrimaryKeyConstraint("delivery_id", "number"),)
