"""Index who looked at items, by person."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

VIEWS = sa.text("action IN ('item.viewed', 'item.revealed', 'task.claimed')")


def upgrade() -> None:
    op.create_index(
        "ix_audit_event_viewer", "audit_event", ["actor", "id"], postgresql_where=VIEWS, sqlite_where=VIEWS
    )


def downgrade() -> None:
    op.drop_index("ix_audit_event_viewer", table_name="audit_event")
