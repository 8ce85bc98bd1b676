"""Add several reviews of an item, blind tasks and gold."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

ID = sa.Uuid(as_uuid=False)
MOMENT = sa.DateTime(timezone=True)
VERDICT = sa.Enum(
    "approve", "edit", "override", "reject", name="gold_verdict", native_enum=False, create_constraint=True, length=24
)


def upgrade() -> None:
    op.add_column("item", sa.Column("reviews", sa.Integer(), nullable=False, server_default="1"))
    op.add_column("decision", sa.Column("correct", sa.Boolean(), nullable=True))
    measured = sa.text("correct IS NOT NULL")
    op.create_index(
        "ix_decision_gold", "decision", ["queue_id", "person_id", "id"], postgresql_where=measured,
        sqlite_where=measured,
    )  # fmt: skip
    op.create_table(
        "gold",
        sa.Column("id", ID, nullable=False),
        sa.Column("item_id", ID, nullable=False),
        sa.Column("queue_id", ID, nullable=False),
        sa.Column("verdict", VERDICT, nullable=False),
        sa.Column("output", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("added_by", sa.String(length=300), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("retired_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(["item_id"], ["item.id"], name=op.f("fk_gold_item_id")),
        sa.ForeignKeyConstraint(["queue_id"], ["queue.id"], name=op.f("fk_gold_queue_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_gold")),
        sa.UniqueConstraint("item_id", name=op.f("uq_gold_item_id")),
    )
    given = sa.text("retired_at IS NULL")
    op.create_index("ix_gold_queue_id_id", "gold", ["queue_id", "id"], postgresql_where=given, sqlite_where=given)
    op.add_column("task", sa.Column("blind", sa.Boolean(), nullable=False, server_default=sa.false()))


def downgrade() -> None:
    op.drop_column("task", "blind")
    op.drop_table("gold")
    op.drop_index("ix_decision_gold", table_name="decision")
    op.drop_column("decision", "correct")
    op.drop_column("item", "reviews")
