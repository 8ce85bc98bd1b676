"""Items, as submitted and routed; and the saved answers of idempotent requests."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from reviewqueue.models.base import Base, Id, Json, Moment, Ref, certain_reference, enumerated
from reviewqueue.models.states import ItemState, Risk, RoutingAction


class Item(Base):
    __tablename__ = "item"

    id: Mapped[Id]
    queue_id: Mapped[Ref]
    config_version: Mapped[int]
    """The version that routed it."""
    state: Mapped[ItemState] = mapped_column(enumerated(ItemState, "item_state"))
    revision: Mapped[int] = mapped_column(default=0)
    """Of the resolution in force; 0 while there is none."""
    round: Mapped[int] = mapped_column(default=1)
    """Rises with each reopening; a person decides at most once a round."""

    external_id: Mapped[str | None] = mapped_column(String(500))
    body_sha256: Mapped[str] = mapped_column(String(64))
    """Of the submitted item, canonical: tells a repetition from a clash of `external_id`."""
    input: Mapped[Json]
    output: Mapped[Json]
    """`null` where the AI failed; then `failure` says how."""
    failure: Mapped[Json | None]
    confidence: Mapped[float | None]
    risk: Mapped[Risk] = mapped_column(enumerated(Risk, "risk"))
    model: Mapped[str | None] = mapped_column(String(200))
    model_version: Mapped[str | None] = mapped_column(String(200))
    prompt_version: Mapped[str | None] = mapped_column(String(200))
    subject: Mapped[str | None] = mapped_column(String(500))
    parts: Mapped[Json | None]
    alternatives: Mapped[Json | None]
    explanation: Mapped[str | None] = mapped_column(Text)
    trace_url: Mapped[str | None] = mapped_column(String(2000))
    cost: Mapped[float | None]
    latency_ms: Mapped[float | None]
    metadata_json: Mapped[Json] = mapped_column("metadata")
    test: Mapped[bool] = mapped_column(default=False)
    supersedes: Mapped[Ref | None]

    rule: Mapped[int | None]
    """1-based place of the routing rule that decided; NULL for `otherwise` and built-in reasons."""
    rule_title: Mapped[str] = mapped_column(String(300))
    action: Mapped[RoutingAction] = mapped_column(enumerated(RoutingAction, "routing_action"))
    priority: Mapped[int]
    reviews: Mapped[int] = mapped_column(default=1, server_default="1")
    """How many people are to judge it in its first round."""
    audit_sample: Mapped[bool]
    probability: Mapped[float]
    """With which the item was to be seen by a person: 1 for review, the audit rate for what passes."""

    input_sha256: Mapped[str | None] = mapped_column(String(64))
    """Of the input, canonical; NULL where the queue does not answer duplicates."""
    duplicate_of: Mapped[Ref | None]
    """The item whose resolution answered this one."""
    similar_key: Mapped[str | None] = mapped_column(String(64))
    """Not written any more, see `ItemLikeness`; here while older code may run beside."""
    trace: Mapped[str | None] = mapped_column(String(60))
    """The request that brought it, as a `traceparent`; where requests are traced."""
    submitted_by: Mapped[str] = mapped_column(String(300))
    created_at: Mapped[Moment]
    due_at: Mapped[Moment]
    expires_at: Mapped[Moment | None]
    erased_at: Mapped[Moment | None]
    """Since then nothing is left of what it said; in no export made later."""

    __table_args__ = (
        certain_reference("queue_id", "queue.id"),
        UniqueConstraint("queue_id", "external_id"),
        CheckConstraint("confidence >= 0 AND confidence <= 1", name="confidence"),
        # Keyset pages of exports and lists.
        Index("ix_item_queue_id_id", "queue_id", "id"),
        Index("ix_item_queue_id_state_id", "queue_id", "state", "id"),
        # What is known of somebody.
        Index(
            "ix_item_subject_id",
            "subject",
            "id",
            postgresql_where=text("subject IS NOT NULL"),
            sqlite_where=text("subject IS NOT NULL"),
        ),
        Index(
            "ix_item_queue_id_input_sha256",
            "queue_id",
            "input_sha256",
            "id",
            postgresql_where=text("input_sha256 IS NOT NULL AND (duplicate_of IS NULL OR revision > 1)"),
            sqlite_where=text("input_sha256 IS NOT NULL AND (duplicate_of IS NULL OR revision > 1)"),
        ),
        Index(
            "ix_item_expires_at",
            "expires_at",
            postgresql_where=text("state IN ('queued', 'in_review') AND expires_at IS NOT NULL"),
            sqlite_where=text("state IN ('queued', 'in_review') AND expires_at IS NOT NULL"),
        ),
    )


class ItemLikeness(Base):
    """What an item says, as a digest; filled in by the queue's job. Beside the item, whose wide row with its indexes
    would have to be written anew."""

    __tablename__ = "item_likeness"

    item_id: Mapped[Ref] = mapped_column(primary_key=True)
    queue_id: Mapped[Ref]
    key: Mapped[str] = mapped_column(String(64))
    """Of the input's words: equal keys say nearly the same."""

    __table_args__ = (
        certain_reference("item_id", "item.id"),
        Index("ix_item_likeness_queue_id_key", "queue_id", "key"),
    )


class ItemDoubt(Base):
    """How doubtful an item is, in a queue that is ordered by that; filled in by the queue's job, never changed."""

    __tablename__ = "item_doubt"

    item_id: Mapped[Ref] = mapped_column(ForeignKey("item.id"), primary_key=True)
    queue_id: Mapped[Ref]
    group: Mapped[str] = mapped_column(String(64))
    """A digest of the label and the model version: see `intake.ordering`."""
    doubt: Mapped[float]
    """The margin of the two best answers: 0 is the most doubtful."""

    __table_args__ = (Index("ix_item_doubt_queue_id_item_id", "queue_id", "item_id"),)


class IdempotencyKey(Base):
    """A finished request by token, route and `Idempotency-Key`; its answer is replayed for 30 days."""

    __tablename__ = "idempotency_key"

    token_id: Mapped[str] = mapped_column(String(16), primary_key=True)
    route: Mapped[str] = mapped_column(String(100), primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    body_sha256: Mapped[str] = mapped_column(String(64))
    status: Mapped[int]
    answer: Mapped[Json]
    created_at: Mapped[Moment]

    __table_args__ = (Index("ix_idempotency_key_created_at", "created_at"),)


class OptOut(Base):
    """Somebody who is not to be learned from: their items are in no export, and answer no other item."""

    __tablename__ = "opt_out"

    subject: Mapped[str] = mapped_column(String(500), primary_key=True)
    """As items name them."""
    recorded_by: Mapped[str] = mapped_column(String(300))
    recorded_at: Mapped[Moment]
