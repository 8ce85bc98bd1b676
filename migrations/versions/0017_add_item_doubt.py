"""Add how doubtful items are, by which a queue may order them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

ID = sa.Uuid(as_uuid=False)


def upgrade() -> None:
    op.create_table(
        "item_doubt",
        sa.Column("item_id", ID, nullable=False),
        sa.Column("queue_id", ID, nullable=False),
        sa.Column("group", sa.String(length=64), nullable=False),
        sa.Column("doubt", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["item_id"], ["item.id"], name=op.f("fk_item_doubt_item_id")),
        sa.PrimaryKeyConstraint("item_id", name=op.f("pk_item_doubt")),
    )
    op.create_index("ix_item_doubt_queue_id_group_doubt", "item_doubt", ["queue_id", "group", "doubt"])


def downgrade() -> None:
    op.drop_table("item_doubt")
