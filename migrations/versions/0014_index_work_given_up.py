"""Index the background work that was given up."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

GIVEN_UP = sa.text("failed_at IS NOT NULL")


def upgrade() -> None:
    op.create_index(
        "ix_outbox_failed", "outbox", ["topic", "ref"], postgresql_where=GIVEN_UP, sqlite_where=GIVEN_UP
    )


def downgrade() -> None:
    op.drop_index("ix_outbox_failed", table_name="outbox")
