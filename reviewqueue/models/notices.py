"""What people say to each other about an item, and what each of them is told or knows."""

from __future__ import annotations

from sqlalchemy import ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from reviewqueue.models.base import Base, Id, Moment, Ref, enumerated
from reviewqueue.models.states import NoticeKind


class Comment(Base):
    """On an item, among those who work on it; never told to its program."""

    __tablename__ = "comment"

    id: Mapped[Id]
    item_id: Mapped[Ref] = mapped_column(ForeignKey("item.id"))
    person_id: Mapped[Ref] = mapped_column(ForeignKey("person.id"))
    body: Mapped[str] = mapped_column(Text)
    check_id: Mapped[Ref | None]
    """The check, a task, during which it was said: whoever has it is shown nothing that was said before."""
    created_at: Mapped[Moment]

    __table_args__ = (Index("ix_comment_item_id_id", "item_id", "id"),)


class Notice(Base):
    """Something that one person is to know about an item, a queue, or all of them."""

    __tablename__ = "notice"

    id: Mapped[Id]
    person_id: Mapped[Ref] = mapped_column(ForeignKey("person.id"))
    kind: Mapped[NoticeKind] = mapped_column(enumerated(NoticeKind, "notice_kind"))
    # No foreign keys: whoever tells of a task holds its lock, and must not wait for the locks of item and person, which
    # others take first.
    item_id: Mapped[Ref | None]
    """What it is about: of the kinds of alerts, the alert."""
    queue_id: Mapped[Ref | None]
    """Only where it is about no item."""
    by_person: Mapped[Ref | None]
    """Whose act it tells of, or whose pause; NULL where only time has passed."""
    words: Mapped[str | None] = mapped_column(Text)
    """What they wrote; shown in the application, never mailed."""
    created_at: Mapped[Moment]
    read_at: Mapped[Moment | None]
    mailed_at: Mapped[Moment | None]

    __table_args__ = (
        Index("ix_notice_person_id_id", "person_id", "id"),
        Index(
            "ix_notice_unread",
            "person_id",
            postgresql_where=text("read_at IS NULL"),
            sqlite_where=text("read_at IS NULL"),
        ),
    )


class InstructionsRead(Base):
    """Which instructions of a queue a person knows, so that others are shown to them once."""

    __tablename__ = "instructions_read"

    person_id: Mapped[Ref] = mapped_column(ForeignKey("person.id"), primary_key=True)
    queue_id: Mapped[Ref] = mapped_column(ForeignKey("queue.id"), primary_key=True)
    mark: Mapped[str] = mapped_column(String(64))
    """SHA-256 of the text."""
    read_at: Mapped[Moment]
