"""Add stand-ins of checks, what is said during one, and how people stand in a queue."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

ID = sa.Uuid(as_uuid=False)
MOMENT = sa.DateTime(timezone=True)
STATE = sa.Enum(
    "calibrating", "failed", "reviewing", "paused", name="standing_state", native_enum=False, create_constraint=True,
    length=24,
)  # fmt: skip


def where(condition: str) -> dict[str, Any]:
    """A partial index, on both databases."""
    return {"postgresql_where": sa.text(condition), "sqlite_where": sa.text(condition)}


def upgrade() -> None:
    op.add_column("task", sa.Column("stand_in", ID, nullable=True))
    op.create_index("ix_task_stand_in", "task", ["stand_in"], **where("stand_in IS NOT NULL"))
    op.add_column("comment", sa.Column("check_id", ID, nullable=True))
    op.create_table(
        "standing",
        sa.Column("queue_id", ID, nullable=False),
        sa.Column("person_id", ID, nullable=False),
        sa.Column("state", STATE, nullable=False),
        sa.Column("since", MOMENT, nullable=False),
        sa.Column("measured_from", MOMENT, nullable=False),
        sa.Column("decided", sa.Integer(), nullable=False),
        sa.Column("checks", sa.Integer(), nullable=False),
        sa.Column("correct", sa.Integer(), nullable=False),
        sa.Column("by", sa.String(length=300), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_standing_person_id")),
        sa.ForeignKeyConstraint(["queue_id"], ["queue.id"], name=op.f("fk_standing_queue_id")),
        sa.PrimaryKeyConstraint("queue_id", "person_id", name=op.f("pk_standing")),
    )


def downgrade() -> None:
    op.drop_table("standing")
    op.drop_column("comment", "check_id")
    op.drop_index("ix_task_stand_in", table_name="task")
    op.drop_column("task", "stand_in")
