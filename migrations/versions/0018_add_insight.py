"""Add what insight is told from: judged items, items a day, predictions, outcomes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
UUID = sa.Uuid(as_uuid=False)
VERDICT = sa.Enum(
    "approve", "edit", "override", "reject", name="judged_verdict", native_enum=False, create_constraint=True, length=24
)


def upgrade() -> None:
    op.create_table(
        "judged_item",
        sa.Column("item_id", UUID, nullable=False),
        sa.Column("queue_id", UUID, nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("judged_at", MOMENT, nullable=False),
        sa.Column("verdict", VERDICT, nullable=False),
        sa.Column("model", sa.String(200), nullable=False),
        sa.Column("model_version", sa.String(200), nullable=False),
        sa.Column("rule_title", sa.String(300), nullable=False),
        sa.Column("label", sa.String(200), nullable=True),
        sa.Column("answer", sa.String(200), nullable=True),
        sa.Column("confidence", sa.Double(), nullable=True),
        sa.Column("probability", sa.Double(), nullable=False),
        sa.Column("audit_sample", sa.Boolean(), nullable=False),
        sa.Column("waited_seconds", sa.Double(), nullable=False),
        sa.Column("in_time", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["item_id"], ["item.id"], name="fk_judged_item_item_id"),
        sa.ForeignKeyConstraint(["queue_id"], ["queue.id"], name="fk_judged_item_queue_id"),
        sa.PrimaryKeyConstraint("item_id", name="pk_judged_item"),
    )
    op.create_index(
        "ix_judged_item_queue_id_day", "judged_item",
        ["queue_id", "day", "model_version", "rule_title", "label", "answer", "verdict", "probability", "audit_sample",
         "in_time"],
    )
    op.create_table(
        "item_day",
        sa.Column("queue_id", UUID, nullable=False),
        sa.Column("measure", sa.String(24), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("model_version", sa.String(200), nullable=False),
        sa.Column("value", sa.String(200), nullable=False),
        sa.Column("items", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["queue_id"], ["queue.id"], name="fk_item_day_queue_id"),
        sa.PrimaryKeyConstraint("queue_id", "measure", "day", "model_version", "value", name="pk_item_day"),
    )
    op.create_table(
        "gathered_up_to",
        sa.Column("source", sa.String(24), nullable=False),
        sa.Column("row_id", UUID, nullable=False),
        sa.PrimaryKeyConstraint("source", name="pk_gathered_up_to"),
    )
    op.create_table(
        "prediction",
        sa.Column("id", UUID, nullable=False),
        sa.Column("queue_id", UUID, nullable=False),
        sa.Column("item_id", UUID, nullable=False),
        sa.Column("model", sa.String(200), nullable=False),
        sa.Column("model_version", sa.String(200), nullable=False),
        sa.Column("output", sa.Text(), nullable=False),
        sa.Column("confidence", sa.Double(), nullable=True),
        sa.Column("predicted_by", sa.String(300), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["queue_id"], ["queue.id"], name="fk_prediction_queue_id"),
        sa.ForeignKeyConstraint(["item_id"], ["item.id"], name="fk_prediction_item_id"),
        sa.PrimaryKeyConstraint("id", name="pk_prediction"),
    )
    op.create_index("uq_prediction_item", "prediction", ["item_id", "model", "model_version"], unique=True)
    op.create_index("ix_prediction_version", "prediction", ["queue_id", "model", "model_version", "id"])
    op.create_table(
        "outcome",
        sa.Column("id", UUID, nullable=False),
        sa.Column("queue_id", UUID, nullable=False),
        sa.Column("item_id", UUID, nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("correct", sa.Boolean(), nullable=False),
        sa.Column("cost", sa.Double(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("observed_at", MOMENT, nullable=False),
        sa.Column("reported_by", sa.String(300), nullable=False),
        sa.Column("reported_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["queue_id"], ["queue.id"], name="fk_outcome_queue_id"),
        sa.ForeignKeyConstraint(["item_id"], ["item.id"], name="fk_outcome_item_id"),
        sa.PrimaryKeyConstraint("id", name="pk_outcome"),
    )
    op.create_index("uq_outcome_item_id_name", "outcome", ["item_id", "name"], unique=True)
    op.create_index("ix_outcome_queue_id_observed_at", "outcome", ["queue_id", "observed_at"])


def downgrade() -> None:
    for name in ("outcome", "prediction", "gathered_up_to", "item_day", "judged_item"):
        op.drop_table(name)
