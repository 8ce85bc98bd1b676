"""Add several reviews of an item, blind tasks and gold."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("item", sa.Column("reviews", sa.Integer(), nullable=False, server_default="1"))
    op.add_column("task", sa.Column("blind", sa.Boolean(), nullable=False, server_default=sa.false()))


def downgrade() -> None:
    op.drop_column("task", "blind")
    op.drop_column("item", "reviews")
