"""Add what it takes to hand tasks on."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

ID = sa.Uuid(as_uuid=False)
MOMENT = sa.DateTime(timezone=True)


def where(condition: str) -> dict[str, Any]:
    """A partial index, on both databases."""
    return {"postgresql_where": sa.text(condition), "sqlite_where": sa.text(condition)}


def upgrade() -> None:
    op.add_column("task", sa.Column("sent_from", ID, nullable=True))
    op.add_column("task", sa.Column("escalates_at", MOMENT, nullable=True))
    op.create_index(
        "ix_task_escalates_at", "task", ["escalates_at"], **where("state = 'open' AND escalates_at IS NOT NULL")
    )
    op.create_index(
        "ix_task_assignee", "task", ["assignee"], **where("assignee IS NOT NULL AND state IN ('open', 'claimed')")
    )
    op.add_column("skip", sa.Column("comment", sa.Text(), nullable=True))
    op.create_index("ix_skip_person_id_created_at", "skip", ["person_id", "created_at"])
    op.add_column("person", sa.Column("unmailed_since", MOMENT, nullable=True))
    op.create_table(
        "comment",
        sa.Column("id", ID, nullable=False),
        sa.Column("item_id", ID, nullable=False),
        sa.Column("person_id", ID, nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["item_id"], ["item.id"], name=op.f("fk_comment_item_id")),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_comment_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_comment")),
    )
    op.create_index("ix_comment_item_id_id", "comment", ["item_id", "id"])
    kind = sa.Enum(
        "mentioned", "replied", "assigned", "escalated", "follow_up", "reopening_asked",
        name="notice_kind", native_enum=False, create_constraint=True, length=24,
    )
    op.create_table(
        "notice",
        sa.Column("id", ID, nullable=False),
        sa.Column("person_id", ID, nullable=False),
        sa.Column("kind", kind, nullable=False),
        sa.Column("item_id", ID, nullable=False),
        sa.Column("by_person", ID, nullable=True),
        sa.Column("words", sa.Text(), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("read_at", MOMENT, nullable=True),
        sa.Column("mailed_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_notice_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notice")),
    )
    op.create_table(
        "instructions_read",
        sa.Column("person_id", ID, nullable=False),
        sa.Column("queue_id", ID, nullable=False),
        sa.Column("mark", sa.String(length=64), nullable=False),
        sa.Column("read_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_instructions_read_person_id")),
        sa.ForeignKeyConstraint(["queue_id"], ["queue.id"], name=op.f("fk_instructions_read_queue_id")),
        sa.PrimaryKeyConstraint("person_id", "queue_id", name=op.f("pk_instructions_read")),
    )
    op.create_index("ix_notice_person_id_id", "notice", ["person_id", "id"])
    op.create_index("ix_notice_unread", "notice", ["person_id"], **where("read_at IS NULL"))


def downgrade() -> None:
    op.drop_table("instructions_read")
    op.drop_table("notice")
    op.drop_table("comment")
    op.drop_column("person", "unmailed_since")
    op.drop_index("ix_skip_person_id_created_at", table_name="skip")
    op.drop_column("skip", "comment")
    op.drop_index("ix_task_assignee", table_name="task")
    op.drop_index("ix_task_escalates_at", table_name="task")
    op.drop_column("task", "escalates_at")
    op.drop_column("task", "sent_from")
