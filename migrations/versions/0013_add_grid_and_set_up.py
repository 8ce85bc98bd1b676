"""Add seats for the grid, imports that a person sends, who has put the set-up away, and indexes of events."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

NO_ITEM = sa.text("item_id IS NULL")
HELD = sa.text("state = 'claimed'")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("person", sa.Column("set_up_put_away_at", MOMENT, nullable=True))
    op.add_column("import", sa.Column("person_id", sa.Uuid(as_uuid=False), nullable=True))
    op.add_column("task", sa.Column("seat", sa.Integer(), nullable=False, server_default="0"))
    op.drop_index("uq_task_held", table_name="task")
    op.create_index(
        "uq_task_held", "task", ["holder", "queue_id", "seat"], unique=True, postgresql_where=HELD, sqlite_where=HELD
    )
    for name, column in (("ix_audit_event_subject", "subject"), ("ix_audit_event_queue", "queue_id")):
        op.create_index(name, "audit_event", [column, "id"], postgresql_where=NO_ITEM, sqlite_where=NO_ITEM)


def downgrade() -> None:
    op.drop_index("ix_audit_event_queue", table_name="audit_event")
    op.drop_index("ix_audit_event_subject", table_name="audit_event")
    # One claim a person and queue again: the others go back.
    op.execute(
        "UPDATE task SET state = 'open', last_holder = holder, holder = NULL, lease_until = NULL "
        "WHERE state = 'claimed' AND seat > 0"
    )
    op.drop_index("uq_task_held", table_name="task")
    op.create_index(
        "uq_task_held", "task", ["holder", "queue_id"], unique=True, postgresql_where=HELD, sqlite_where=HELD
    )
    op.drop_column("task", "seat")
    op.execute("DELETE FROM import_fault WHERE import_id IN (SELECT id FROM \"import\" WHERE token_id = '')")
    op.execute("DELETE FROM import_chunk WHERE import_id IN (SELECT id FROM \"import\" WHERE token_id = '')")
    op.execute("DELETE FROM \"import\" WHERE token_id = ''")
    op.drop_column("import", "person_id")
    op.drop_column("person", "set_up_put_away_at")
