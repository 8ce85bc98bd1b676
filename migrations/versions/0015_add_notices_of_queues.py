"""Add notices of queues and of all queues: those who are paused, stops and holds."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

ID = sa.Uuid(as_uuid=False)
MOMENT = sa.DateTime(timezone=True)
BEFORE = ("mentioned", "replied", "assigned", "escalated", "follow_up", "reopening_asked")
NOW = (*BEFORE, "paused", "reviewer_paused", "stopped", "held", "alert_opened", "alert_resolved")
COLUMNS = "id, person_id, kind, item_id, by_person, words, created_at, read_at, mailed_at"


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        # SQLite changes neither a CHECK nor NOT NULL of a table that is there.
        _made_anew(NOW, sa.Column("item_id", ID, nullable=True), sa.Column("queue_id", ID, nullable=True))
        return
    op.add_column("notice", sa.Column("queue_id", ID, nullable=True))
    op.alter_column("notice", "item_id", nullable=True)
    _check(NOW)


def downgrade() -> None:
    op.execute("DELETE FROM notice WHERE item_id IS NULL")
    if op.get_bind().dialect.name == "sqlite":
        _made_anew(BEFORE, sa.Column("item_id", ID, nullable=False))
        return
    _check(BEFORE)
    op.alter_column("notice", "item_id", nullable=False)
    op.drop_column("notice", "queue_id")


def _check(kinds: tuple[str, ...]) -> None:
    op.drop_constraint(op.f("ck_notice_notice_kind"), "notice", type_="check")
    op.create_check_constraint(op.f("ck_notice_notice_kind"), "notice", sa.column("kind").in_(kinds))


def _made_anew(kinds: tuple[str, ...], *about: sa.Column[Any]) -> None:
    op.drop_index("ix_notice_unread", table_name="notice")
    op.drop_index("ix_notice_person_id_id", table_name="notice")
    op.rename_table("notice", "notice_before")
    op.create_table(
        "notice",
        sa.Column("id", ID, nullable=False),
        sa.Column("person_id", ID, nullable=False),
        sa.Column(
            "kind", sa.Enum(*kinds, name="notice_kind", native_enum=False, create_constraint=True, length=24),
            nullable=False,
        ),
        *about,
        sa.Column("by_person", ID, nullable=True),
        sa.Column("words", sa.Text(), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("read_at", MOMENT, nullable=True),
        sa.Column("mailed_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_notice_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notice")),
    )
    op.execute(f"INSERT INTO notice ({COLUMNS}) SELECT {COLUMNS} FROM notice_before")
    op.drop_table("notice_before")
    op.create_index("ix_notice_person_id_id", "notice", ["person_id", "id"])
    op.create_index("ix_notice_unread", "notice", ["person_id"], sqlite_where=sa.text("read_at IS NULL"))
