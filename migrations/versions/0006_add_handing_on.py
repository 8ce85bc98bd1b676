"""Add what it takes to hand tasks on."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

ID = sa.Uuid(as_uuid=False)
MOMENT = sa.DateTime(timezone=True)


def where(condition: str) -> dict[str, Any]:
    """A partial index, on both databases."""
    return {"postgresql_where": sa.text(condition), "sqlite_where": sa.text(condition)}


def upgrade() -> None:
    op.add_column("task", sa.Column("sent_from", ID, nullable=True))
    op.create_index(
        "ix_task_assignee", "task", ["assignee"], **where("assignee IS NOT NULL AND state IN ('open', 'claimed')")
    )


def downgrade() -> None:
    op.drop_index("ix_task_assignee", table_name="task")
    op.drop_column("task", "sent_from")
