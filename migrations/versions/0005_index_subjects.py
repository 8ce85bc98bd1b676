"""Index the items of a subject."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    named = sa.text("subject IS NOT NULL")
    op.create_index("ix_item_subject_id", "item", ["subject", "id"], postgresql_where=named, sqlite_where=named)


def downgrade() -> None:
    op.drop_index("ix_item_subject_id", table_name="item")
