"""The audit log: immutable events, their erasable content, and the seals that chain them."""

from __future__ import annotations

from sqlalchemy import BigInteger, Index, Integer, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from reviewqueue.models.base import Base, Id, Json, Moment, Ref, certain_reference, enumerated
from reviewqueue.models.states import ActorKind, Via

VIEWS = "action IN ('item.viewed', 'item.revealed', 'task.claimed')"
"""SQL, of an event: that somebody was shown an item."""


class AuditEvent(Base):
    """Something happened. Triggers refuse UPDATE and DELETE."""

    __tablename__ = "audit_event"

    id: Mapped[Id]
    at: Mapped[Moment]
    action: Mapped[str] = mapped_column(String(60))
    actor_kind: Mapped[ActorKind] = mapped_column(enumerated(ActorKind, "actor_kind"))
    actor: Mapped[str] = mapped_column(String(64))
    """The person's or token's id; the command line's user; `system`."""
    via: Mapped[Via] = mapped_column(enumerated(Via, "event_via"))
    queue_id: Mapped[Ref | None]
    item_id: Mapped[Ref | None]
    subject: Mapped[str | None] = mapped_column(String(64))
    """Id of what else it is about: a task, a person, a token, an export."""
    facts: Mapped[Json]
    """What happened, free of personal data and item content."""
    content_sha256: Mapped[str | None] = mapped_column(String(64))
    """SHA-256 of salt and payload in `audit_content`, so that erasing those leaves this true."""

    __table_args__ = (
        Index("ix_audit_event_item_id_id", "item_id", "id"),
        Index("ix_audit_event_queue_id_id", "queue_id", "id"),
        # What happened in the administration: those that are about no item, which are few.
        Index(
            "ix_audit_event_subject",
            "subject",
            "id",
            postgresql_where=text("item_id IS NULL"),
            sqlite_where=text("item_id IS NULL"),
        ),
        Index("ix_audit_event_viewer", "actor", "id", postgresql_where=text(VIEWS), sqlite_where=text(VIEWS)),
        Index(
            "ix_audit_event_queue",
            "queue_id",
            "id",
            postgresql_where=text("item_id IS NULL"),
            sqlite_where=text("item_id IS NULL"),
        ),
    )


class AuditContent(Base):
    """The erasable part of an event: names, addresses, typed text."""

    __tablename__ = "audit_content"

    event_id: Mapped[Ref] = mapped_column(primary_key=True)
    salt: Mapped[str] = mapped_column(String(32))
    payload: Mapped[Json]

    __table_args__ = (certain_reference("event_id", "audit_event.id"),)


class AuditSeal(Base):
    """The event's place in the hash chain. Triggers refuse UPDATE and DELETE."""

    __tablename__ = "audit_seal"

    sequence: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    event_id: Mapped[Ref] = mapped_column(unique=True)
    hash: Mapped[str] = mapped_column(Text)

    __table_args__ = (certain_reference("event_id", "audit_event.id"),)


class AuditWaiting(Base):
    """An event that has no seal yet. A trigger inserts it with the event; the sealer takes it away with the seal."""

    __tablename__ = "audit_waiting"

    event_id: Mapped[Ref] = mapped_column(primary_key=True)


class AuditCheckpoint(Base):
    """A signed statement of how the log stood. Triggers refuse UPDATE and DELETE."""

    __tablename__ = "audit_checkpoint"

    id: Mapped[Id]
    size: Mapped[int] = mapped_column(BigInteger, index=True)
    """How many events were sealed."""
    at: Mapped[Moment]
    document: Mapped[Json]
    """As it went out."""
