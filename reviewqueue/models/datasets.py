"""Exports: a dataset version, the shards it is written in, what was trained on it, and when the next is due."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, PrimaryKeyConstraint, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from reviewqueue.models.base import Base, Id, Json, Moment, Name, Ref, enumerated
from reviewqueue.models.states import ExportState


class DatasetVersion(Base):
    """One immutable export, with its manifest once it is ready."""

    __tablename__ = "dataset_version"

    id: Mapped[Id]
    queue_id: Mapped[Ref] = mapped_column(ForeignKey("queue.id"))
    number: Mapped[int]
    """1, 2, 3 … in its queue."""
    format: Mapped[Name]
    filter: Mapped[Json]
    recipe: Mapped[Json] = mapped_column(default="{}", server_default=text("'{}'"))
    """How records become files: splits, grouping, duplicates, labels, what is left out since a version."""
    parent_id: Mapped[Ref | None]
    """The version that its changes are counted from."""
    state: Mapped[ExportState] = mapped_column(enumerated(ExportState, "export_state"))
    requested_by: Mapped[str] = mapped_column(String(300))
    created_at: Mapped[Moment]
    as_of: Mapped[Moment]
    """Resolutions up to this moment are in."""
    rows_expected: Mapped[int | None]
    rows_done: Mapped[int] = mapped_column(default=0)
    digest: Mapped[str | None] = mapped_column(String(64))
    """SHA-256 over its members: equal digests, equal records."""
    changes: Mapped[Json | None]
    """`{added, changed, withdrawn, unchanged}` since the parent."""
    manifest: Mapped[Json | None]
    error: Mapped[str | None] = mapped_column(Text)
    finished_at: Mapped[Moment | None]

    __table_args__ = (
        Index("uq_dataset_version_queue_id_number", "queue_id", "number", unique=True),
        # What is under way, or came to nothing.
        Index(
            "ix_dataset_version_state",
            "state",
            postgresql_where=text("state <> 'ready'"),
            sqlite_where=text("state <> 'ready'"),
        ),
    )


class DatasetShard(Base):
    """A range of item ids, written to one file by one job."""

    __tablename__ = "dataset_shard"

    export_id: Mapped[Ref] = mapped_column(ForeignKey("dataset_version.id"))
    id: Mapped[Ref]
    """What the outbox row refers to."""
    number: Mapped[int]
    after_id: Mapped[Ref | None]
    """Items with an id greater than this … (NULL: from the first)"""
    upto_id: Mapped[Ref | None]
    """… up to and including this one (NULL: to the last)."""
    state: Mapped[ExportState] = mapped_column(enumerated(ExportState, "shard_state"))
    rows_done: Mapped[int] = mapped_column(default=0)
    file: Mapped[str | None] = mapped_column(String(200))
    bytes: Mapped[int | None] = mapped_column(BigInteger)
    sha256: Mapped[str | None] = mapped_column(String(64))
    """Of the only file, where older code wrote the shard; else `written` has them."""
    written: Mapped[Json | None]
    """What `feedback.lineage.Written` says: its files, and what was counted while they were written."""

    __table_args__ = (
        PrimaryKeyConstraint("export_id", "number"),
        Index("uq_dataset_shard_id", "id", unique=True),
    )


class DatasetDuplicate(Base):
    """An item that an export leaves out, because another with the same input is in it."""

    __tablename__ = "dataset_duplicate"

    export_id: Mapped[Ref] = mapped_column(ForeignKey("dataset_version.id"), primary_key=True)
    item_id: Mapped[Ref] = mapped_column(primary_key=True)


class TrainedModel(Base):
    """A version of a model that was trained on a dataset version."""

    __tablename__ = "trained_model"

    id: Mapped[Id]
    export_id: Mapped[Ref] = mapped_column(ForeignKey("dataset_version.id"))
    model: Mapped[Name]
    """As items name it."""
    model_version: Mapped[Name]
    note: Mapped[str] = mapped_column(Text, default="")
    recorded_by: Mapped[str] = mapped_column(String(300))
    recorded_at: Mapped[Moment]

    __table_args__ = (
        Index("uq_trained_model", "export_id", "model", "model_version", unique=True),
        Index("ix_trained_model_model", "model", "model_version"),
    )


class DatasetSchedule(Base):
    """Asks for exports by itself: every so many hours, or after so many corrections."""

    __tablename__ = "dataset_schedule"

    id: Mapped[Id]
    queue_id: Mapped[Ref] = mapped_column(ForeignKey("queue.id"))
    format: Mapped[Name]
    filter: Mapped[Json]
    recipe: Mapped[Json]
    every_hours: Mapped[int | None]
    every_corrections: Mapped[int | None]
    incremental: Mapped[bool]
    """Each export holds only what is new since the one before."""
    created_by: Mapped[str] = mapped_column(String(300))
    created_at: Mapped[Moment]
    next_at: Mapped[Moment | None] = mapped_column(index=True)
    """When it is looked at next; NULL: it was ended."""
    last_at: Mapped[Moment | None]
    position: Mapped[int]
    """Place in the queue's feed up to which corrections have been counted."""
    corrections: Mapped[int] = mapped_column(default=0)
    """Counted since the last export."""
    last_export_id: Mapped[Ref | None] = mapped_column(ForeignKey("dataset_version.id"))
    error: Mapped[str | None] = mapped_column(Text)
    """Why it could not ask the last time."""

    __table_args__ = (
        CheckConstraint("(every_hours IS NULL) <> (every_corrections IS NULL)", name="one_rhythm"),
        Index("ix_dataset_schedule_queue_id", "queue_id"),
    )
