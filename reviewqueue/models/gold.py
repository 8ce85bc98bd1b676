"""Items whose answer is known. They measure those who review."""

from __future__ import annotations

from sqlalchemy import ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from reviewqueue.models.base import Base, Id, Json, Moment, Ref, enumerated
from reviewqueue.models.states import Verdict


class Gold(Base):
    __tablename__ = "gold"

    id: Mapped[Id]
    item_id: Mapped[Ref] = mapped_column(ForeignKey("item.id"), unique=True)
    queue_id: Mapped[Ref] = mapped_column(ForeignKey("queue.id"))
    verdict: Mapped[Verdict] = mapped_column(enumerated(Verdict, "gold_verdict"))
    output: Mapped[Json]
    """The known answer; `null` for a rejection."""
    note: Mapped[str | None] = mapped_column(Text)
    """Why it is the answer; shown after deciding."""
    added_by: Mapped[str] = mapped_column(String(300))
    created_at: Mapped[Moment]
    retired_at: Mapped[Moment | None]
    """Given to nobody any more."""

    __table_args__ = (
        Index(
            "ix_gold_queue_id_id",
            "queue_id",
            "id",
            postgresql_where=text("retired_at IS NULL"),
            sqlite_where=text("retired_at IS NULL"),
        ),
    )
