"""Queues and the versions of their configuration."""

from __future__ import annotations

from sqlalchemy import ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from reviewqueue.models.base import Base, Id, Json, Moment, Name, Ref, enumerated
from reviewqueue.models.states import Intake


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
