"""Work to be done after a commit: the outbox and the relay's leadership."""

from __future__ import annotations

from sqlalchemy import BigInteger, Index, Integer, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from reviewqueue.models.base import Base, Moment, Ref

BigKey = BigInteger().with_variant(Integer, "sqlite")


class OutboxRow(Base):
    """Something to be done once the transaction that wrote this row has committed; deleted when done."""

    __tablename__ = "outbox"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True, autoincrement=True)
    topic: Mapped[str] = mapped_column(String(60))
    """What to do; `cli` maps it to a job."""
    rq_queue: Mapped[str] = mapped_column(String(80))
    """The RQ queue that works it off: `review.<queue>`, `exports`, `maintenance`."""
    ref: Mapped[Ref]
    """Id of what it is about; the first of them where there are `refs`."""
    refs: Mapped[str | None] = mapped_column(Text)
    """A JSON list of ids, where the row is about many."""
    created_at: Mapped[Moment]
    next_at: Mapped[Moment]
    """When the relay hands it to RQ (again)."""
    dispatched_at: Mapped[Moment | None]
    attempts: Mapped[int] = mapped_column(default=0)
    """Executions begun."""
    leased_until: Mapped[Moment | None]
    """A job works on it until then."""
    lease: Mapped[str | None] = mapped_column(String(36))
    """Which job."""
    error: Mapped[str | None] = mapped_column(Text)
    """Last failure, in words."""
    trace: Mapped[str | None] = mapped_column(String(60))
    """What asked for it, as a `traceparent`; where requests are traced."""
    failed_at: Mapped[Moment | None]
    """Given up after too many attempts; waits for a retry by hand."""

    __table_args__ = (
        # The relay's question: what is due, queue by queue, oldest first.
        Index(
            "ix_outbox_due",
            "rq_queue",
            "next_at",
            "id",
            postgresql_where=text("failed_at IS NULL"),
            sqlite_where=text("failed_at IS NULL"),
        ),
        # What was given up, by what it is.
        Index(
            "ix_outbox_failed",
            "topic",
            "ref",
            postgresql_where=text("failed_at IS NOT NULL"),
            sqlite_where=text("failed_at IS NOT NULL"),
        ),
    )


class RelayLease(Base):
    """Which relay leads. One row, `name = 'relay'`."""

    __tablename__ = "relay_lease"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    holder: Mapped[str] = mapped_column(String(120))
    fence: Mapped[int]
    lease_until: Mapped[Moment]
    beat_at: Mapped[Moment]
