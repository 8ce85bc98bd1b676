"""Keep what items say in a narrow table of its own, and let an outbox row carry many ids."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

ID = sa.Uuid(as_uuid=False)


def upgrade() -> None:
    op.create_table(
        "item_likeness",
        sa.Column("item_id", ID, nullable=False),
        sa.Column("queue_id", ID, nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["item_id"], ["item.id"], name=op.f("fk_item_likeness_item_id")),
        sa.PrimaryKeyConstraint("item_id", name=op.f("pk_item_likeness")),
    )
    op.create_index("ix_item_likeness_queue_id_key", "item_likeness", ["queue_id", "key"])
    op.execute(
        "INSERT INTO item_likeness (item_id, queue_id, key) "
        "SELECT id, queue_id, similar_key FROM item WHERE similar_key IS NOT NULL"
    )
    op.drop_index("ix_item_queue_id_similar_key", table_name="item")
    op.add_column("outbox", sa.Column("refs", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("outbox", "refs")
    op.create_index("ix_item_queue_id_similar_key", "item", ["queue_id", "similar_key"])
    op.drop_table("item_likeness")
