"""Imports: a stream of items, kept in chunks until each is stored."""

from __future__ import annotations

from sqlalchemy import BigInteger, ForeignKey, Index, LargeBinary, PrimaryKeyConstraint, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from reviewqueue.models.base import Base, Id, Json, Moment, Ref, enumerated
from reviewqueue.models.states import ImportState


class Import(Base):
    """One stream that was sent, and how far it is."""

    __tablename__ = "import"

    id: Mapped[Id]
    queue: Mapped[str | None] = mapped_column(String(200))
    """Of lines that name none."""
    token_id: Mapped[str] = mapped_column(String(16))
    """Whose right to submit is asked for again with each chunk; empty where somebody sent it from a page."""
    person_id: Mapped[Ref | None]
    """Then it is theirs that is asked for."""
    requested_by: Mapped[str] = mapped_column(String(300))
    state: Mapped[ImportState] = mapped_column(enumerated(ImportState, "import_state"))
    lines: Mapped[int] = mapped_column(default=0)
    """Received, empty ones apart."""
    bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    chunks: Mapped[int] = mapped_column(default=0)
    chunks_done: Mapped[int] = mapped_column(default=0)
    stored: Mapped[int] = mapped_column(default=0)
    repeated: Mapped[int] = mapped_column(default=0)
    """There already, or twice in the stream."""
    refused: Mapped[int] = mapped_column(default=0)
    error: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[Moment]
    heard_at: Mapped[Moment | None]
    """When the last chunk came in."""
    finished_at: Mapped[Moment | None]
    retry_at: Mapped[Moment | None]
    """When a job last was to come back for lines whose queue was full: until then no other is called for them."""

    __table_args__ = (
        Index("ix_import_token_id_id", "token_id", "id"),
        # What is under way, or came to nothing.
        Index(
            "ix_import_state", "state", postgresql_where=text("state <> 'done'"), sqlite_where=text("state <> 'done'")
        ),
    )


class ImportChunk(Base):
    """Some lines of an import; the payload goes when they are stored."""

    __tablename__ = "import_chunk"

    id: Mapped[Id]
    import_id: Mapped[Ref] = mapped_column(ForeignKey("import.id"))
    number: Mapped[int]
    first_line: Mapped[int]
    """Of its first line, 1-based, empty ones counted."""
    payload: Mapped[bytes | None] = mapped_column(LargeBinary)
    """Lines of NDJSON, zlib; NULL once they are stored."""
    met_full: Mapped[int] = mapped_column(default=0, server_default="0")
    """How often there was no room for some of them. Those that have met that less often come first."""

    __table_args__ = (
        Index("uq_import_chunk_import_id_number", "import_id", "number", unique=True),
        Index(
            "ix_import_chunk_waiting",
            "import_id",
            "met_full",
            "number",
            postgresql_where=text("payload IS NOT NULL"),
            sqlite_where=text("payload IS NOT NULL"),
        ),
    )


class ImportFault(Base):
    """A line that was refused, and why."""

    __tablename__ = "import_fault"

    import_id: Mapped[Ref] = mapped_column(ForeignKey("import.id"))
    line: Mapped[int]
    problem: Mapped[Json]
    """Problem details."""

    __table_args__ = (PrimaryKeyConstraint("import_id", "line"),)
