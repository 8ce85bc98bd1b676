"""Index what the board counts; add saved views and bulk actions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

ID = sa.Uuid(as_uuid=False)
MOMENT = sa.DateTime(timezone=True)


def _word(name: str, *values: str) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=24)


def upgrade() -> None:
    waits = sa.text("state = 'open' AND kind <> 'gold'")
    op.create_index(
        "ix_task_waiting", "task", ["queue_id", "due", "created_at", "audience"], postgresql_where=waits,
        sqlite_where=waits,
    )  # fmt: skip
    counts = sa.text("withdrawn_at IS NULL AND NOT late AND correct IS NULL")
    op.create_index(
        "ix_decision_made", "decision", ["queue_id", "decided_at"], postgresql_where=counts, sqlite_where=counts
    )
    op.create_table(
        "saved_view",
        sa.Column("id", ID, nullable=False),
        sa.Column("queue_id", ID, nullable=False),
        sa.Column("person_id", ID, nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("query", sa.Text(), nullable=False),
        sa.Column("shared", sa.Boolean(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["queue_id"], ["queue.id"], name=op.f("fk_saved_view_queue_id")),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_saved_view_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_saved_view")),
    )
    op.create_index(
        "uq_saved_view_queue_id_person_id_name", "saved_view", ["queue_id", "person_id", "name"], unique=True
    )
    op.create_table(
        "bulk",
        sa.Column("id", ID, nullable=False),
        sa.Column("queue_id", ID, nullable=False),
        sa.Column("person_id", ID, nullable=False),
        sa.Column(
            "action", _word("bulk_action", "assign", "prioritise", "release", "close", "reopen"), nullable=False
        ),
        sa.Column("argument", sa.Text(), nullable=False),
        sa.Column("query", sa.Text(), nullable=True),
        sa.Column("more", sa.Boolean(), nullable=False),
        sa.Column("state", _word("bulk_state", "preview", "running", "done", "failed"), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("confirmed_at", MOMENT, nullable=True),
        sa.Column("finished_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(["queue_id"], ["queue.id"], name=op.f("fk_bulk_queue_id")),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_bulk_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bulk")),
    )
    op.create_index(op.f("ix_bulk_person_id"), "bulk", ["person_id"])
    unconfirmed = sa.text("state = 'preview'")
    op.create_index(
        "ix_bulk_unconfirmed", "bulk", ["created_at"], postgresql_where=unconfirmed, sqlite_where=unconfirmed
    )
    op.create_table(
        "bulk_item",
        sa.Column("bulk_id", ID, nullable=False),
        sa.Column("item_id", ID, nullable=False),
        sa.Column("outcome", _word("bulk_outcome", "pending", "done", "skipped", "failed"), nullable=False),
        sa.Column("why", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["bulk_id"], ["bulk.id"], name=op.f("fk_bulk_item_bulk_id")),
        sa.PrimaryKeyConstraint("bulk_id", "item_id", name=op.f("pk_bulk_item")),
    )


def downgrade() -> None:
    op.drop_table("bulk_item")
    op.drop_table("bulk")
    op.drop_table("saved_view")
    op.drop_index("ix_decision_made", table_name="decision")
    op.drop_index("ix_task_waiting", table_name="task")
