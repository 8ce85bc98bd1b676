"""Index what monitoring asks for: work that was given up, exports and imports that are not done."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0013"
branch_labels = None
depends_on = None

FAILED = sa.text("failed_at IS NOT NULL")
NOT_READY = sa.text("state <> 'ready'")
NOT_DONE = sa.text("state <> 'done'")


def upgrade() -> None:
    op.create_index("ix_outbox_failed", "outbox", ["rq_queue"], postgresql_where=FAILED, sqlite_where=FAILED)
    op.create_index(
        "ix_dataset_version_state", "dataset_version", ["state"], postgresql_where=NOT_READY, sqlite_where=NOT_READY
    )
    op.create_index("ix_import_state", "import", ["state"], postgresql_where=NOT_DONE, sqlite_where=NOT_DONE)


def downgrade() -> None:
    op.drop_index("ix_import_state", table_name="import")
    op.drop_index("ix_dataset_version_state", table_name="dataset_version")
    op.drop_index("ix_outbox_failed", table_name="outbox")
