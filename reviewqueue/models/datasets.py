"""Exports: a dataset version and the shards it is written in."""

from __future__ import annotations

from sqlalchemy import BigInteger, ForeignKey, Index, PrimaryKeyConstraint, String, Text, text
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
    state: Mapped[ExportState] = mapped_column(enumerated(ExportState, "export_state"))
    requested_by: Mapped[str] = mapped_column(String(300))
    created_at: Mapped[Moment]
    as_of: Mapped[Moment]
    """Resolutions up to this moment are in."""
    rows_expected: Mapped[int | None]
    rows_done: Mapped[int] = mapped_column(default=0)
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

    __table_args__ = (
        PrimaryKeyConstraint("export_id", "number"),
        Index("uq_dataset_shard_id", "id", unique=True),
    )
