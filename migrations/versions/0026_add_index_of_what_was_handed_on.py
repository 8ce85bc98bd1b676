"""Add an index of what somebody has escalated, or sent to another queue: they see it under their decisions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

HANDED_ON = sa.text("escalated_by IS NOT NULL")


def upgrade() -> None:
    op.create_index(
        "ix_task_escalated_by", "task", ["escalated_by", "id"], postgresql_where=HANDED_ON, sqlite_where=HANDED_ON
    )


def downgrade() -> None:
    op.drop_index("ix_task_escalated_by", table_name="task")
