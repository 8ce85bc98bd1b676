"""What leads keep and do: views of a queue's items, and actions on many items at once."""

from __future__ import annotations

from sqlalchemy import ForeignKey, Index, PrimaryKeyConstraint, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from reviewqueue.models.base import Base, Id, Json, Moment, Ref, enumerated
from reviewqueue.models.states import BulkAction, BulkOutcome, BulkState


class SavedView(Base):
    """Filters of a queue's items, under a name."""

    __tablename__ = "saved_view"

    id: Mapped[Id]
    queue_id: Mapped[Ref] = mapped_column(ForeignKey("queue.id"))
    person_id: Mapped[Ref] = mapped_column(ForeignKey("person.id"))
    name: Mapped[str] = mapped_column(String(80))
    query: Mapped[str] = mapped_column(Text)
    """The filters as the address of the list has them."""
    shared: Mapped[bool]
    """With everybody who may read the queue's items."""
    created_at: Mapped[Moment]

    __table_args__ = (
        Index("uq_saved_view_queue_id_person_id_name", "queue_id", "person_id", "name", unique=True),
    )  # fmt: skip


class Bulk(Base):
    """One action on many items: what it hits is kept when it is previewed, and done when that is confirmed."""

    __tablename__ = "bulk"

    id: Mapped[Id]
    queue_id: Mapped[Ref] = mapped_column(ForeignKey("queue.id"))
    person_id: Mapped[Ref] = mapped_column(ForeignKey("person.id"), index=True)
    """Who acts, and whose right is asked for again with each item."""
    action: Mapped[BulkAction] = mapped_column(enumerated(BulkAction, "bulk_action"))
    argument: Mapped[Json]
    """`{person}`, `{priority}`, `{reason}` or `{}`."""
    query: Mapped[str | None] = mapped_column(Text)
    """The filters by which the items were chosen; NULL: one by one."""
    more: Mapped[bool]
    """More match than one action takes."""
    state: Mapped[BulkState] = mapped_column(enumerated(BulkState, "bulk_state"))
    error: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[Moment]
    confirmed_at: Mapped[Moment | None]
    finished_at: Mapped[Moment | None]

    __table_args__ = (
        # Previews that nobody confirmed.
        Index(
            "ix_bulk_unconfirmed",
            "created_at",
            postgresql_where=text("state = 'preview'"),
            sqlite_where=text("state = 'preview'"),
        ),
    )


class BulkItem(Base):
    """An item that a bulk action is about, and what came of it."""

    __tablename__ = "bulk_item"

    bulk_id: Mapped[Ref] = mapped_column(ForeignKey("bulk.id"))
    item_id: Mapped[Ref]
    outcome: Mapped[BulkOutcome] = mapped_column(enumerated(BulkOutcome, "bulk_outcome"))
    why: Mapped[str | None] = mapped_column(Text)
    """It was skipped, or failed."""

    __table_args__ = (PrimaryKeyConstraint("bulk_id", "item_id"),)
