"""Media: pictures and documents that items refer to. The files are kept by their content, below the data directory."""

from __future__ import annotations

from sqlalchemy import BigInteger, ForeignKey, Index, PrimaryKeyConstraint, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from reviewqueue.models.base import Base, Id, Moment, Ref, enumerated
from reviewqueue.models.states import MediaState


class Media(Base):
    """One file, or one to be fetched."""

    __tablename__ = "media"

    id: Mapped[Id]
    queue_id: Mapped[Ref] = mapped_column(ForeignKey("queue.id"))
    """Whose items may refer to it."""
    state: Mapped[MediaState] = mapped_column(enumerated(MediaState, "media_state"))
    url: Mapped[str | None] = mapped_column(Text)
    """Where it is fetched; NULL for an upload."""
    sha256: Mapped[str | None] = mapped_column(String(64))
    """Names the file; NULL until there is one."""
    mime: Mapped[str | None] = mapped_column(String(100))
    bytes: Mapped[int | None] = mapped_column(BigInteger)
    width: Mapped[int | None]
    height: Mapped[int | None]
    attempts: Mapped[int] = mapped_column(default=0)
    error: Mapped[str | None] = mapped_column(Text)
    """Why it could not be fetched."""
    created_by: Mapped[str] = mapped_column(String(300))
    created_at: Mapped[Moment]

    __table_args__ = (Index("ix_media_sha256", "sha256"),)


class ItemMedia(Base):
    """That an item's input refers to it."""

    __tablename__ = "item_media"

    item_id: Mapped[Ref] = mapped_column(ForeignKey("item.id"))
    place: Mapped[int]
    """Among the references of the input, from 0."""
    media_id: Mapped[Ref] = mapped_column(ForeignKey("media.id"))

    __table_args__ = (PrimaryKeyConstraint("item_id", "place"), Index("ix_item_media_media_id", "media_id"))
