"""Queues and the versions of their configuration."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from reviewqueue.models.base import Base, Id, Json, Moment, Name, Ref, enumerated
from reviewqueue.models.states import BrakeKind, Intake, ProposalState


class Queue(Base):
    __tablename__ = "queue"

    id: Mapped[Id]
    slug: Mapped[str] = mapped_column(String(63), unique=True)
    title: Mapped[Name]
    """That of the current version, here so that lists need not read documents."""
    version: Mapped[int]
    """The current configuration version."""
    intake: Mapped[Intake] = mapped_column(enumerated(Intake, "intake"))
    created_at: Mapped[Moment]
    archived_at: Mapped[Moment | None]
    erased_upto: Mapped[Ref | None]
    """Retention has erased the items up to this id."""


class QueueVersion(Base):
    """One applied configuration document; never changed."""

    __tablename__ = "queue_version"

    queue_id: Mapped[Ref] = mapped_column(ForeignKey("queue.id"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    document: Mapped[Json]
    sha256: Mapped[str] = mapped_column(String(64))
    """Of the document; an apply of the same document makes no new version."""
    note: Mapped[str] = mapped_column(Text, default="")
    applied_by: Mapped[str] = mapped_column(String(300))
    applied_at: Mapped[Moment]


class ProposedVersion(Base):
    """A configuration that may lower review, of a queue that asks for two persons."""

    __tablename__ = "proposed_version"

    id: Mapped[Id]
    queue_id: Mapped[Ref] = mapped_column(ForeignKey("queue.id"))
    base_version: Mapped[int]
    """The version that was current; its author saw what is different from it."""
    document: Mapped[Json]
    sha256: Mapped[str] = mapped_column(String(64))
    diff: Mapped[Json]
    lowers: Mapped[Json]
    """A JSON array of the places that may lower review."""
    note: Mapped[str] = mapped_column(Text)
    state: Mapped[ProposalState] = mapped_column(enumerated(ProposalState, "proposal_state"))
    proposed_by: Mapped[str] = mapped_column(String(300))
    proposed_by_name: Mapped[Name]
    first_person: Mapped[Ref | None]
    """Who stands behind it: its author where that is a person, else the first who confirmed it."""
    proposed_at: Mapped[Moment]
    ended_by: Mapped[str | None] = mapped_column(String(300))
    ended_at: Mapped[Moment | None]

    __table_args__ = (
        Index("ix_proposed_version_queue_id_id", "queue_id", "id"),
        Index(
            "uq_proposed_version_waits",
            "queue_id",
            unique=True,
            postgresql_where=text("state = 'waits'"),
            sqlite_where=text("state = 'waits'"),
        ),
    )


class Brake(Base):
    """A queue, or the whole site, that is stopped or held; gone when it is let go."""

    __tablename__ = "brake"

    id: Mapped[Id]
    kind: Mapped[BrakeKind] = mapped_column(enumerated(BrakeKind, "brake_kind"))
    queue_id: Mapped[Ref | None] = mapped_column(ForeignKey("queue.id"))
    """NULL: every queue."""
    why: Mapped[str] = mapped_column(String(500))
    pulled_by: Mapped[str] = mapped_column(String(300))
    pulled_by_name: Mapped[Name]
    pulled_at: Mapped[Moment]

    __table_args__ = (
        CheckConstraint("kind = 'hold' OR queue_id IS NOT NULL", name="site_is_held"),
        Index(
            "uq_brake_queue_id_kind",
            "queue_id",
            "kind",
            unique=True,
            postgresql_where=text("queue_id IS NOT NULL"),
            sqlite_where=text("queue_id IS NOT NULL"),
        ),
        Index(
            "uq_brake_site",
            "kind",
            unique=True,
            postgresql_where=text("queue_id IS NULL"),
            sqlite_where=text("queue_id IS NULL"),
        ),
    )
