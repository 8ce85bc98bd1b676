"""Add configurations that wait for a second person, and the notice of them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

ID = sa.Uuid(as_uuid=False)
MOMENT = sa.DateTime(timezone=True)
BEFORE = (
    "mentioned", "replied", "assigned", "escalated", "follow_up", "reopening_asked", "paused", "reviewer_paused",
    "stopped", "held", "alert_opened", "alert_resolved",
)  # fmt: skip
NOW = (*BEFORE, "proposed")
COLUMNS = "id, person_id, kind, item_id, queue_id, by_person, words, created_at, read_at, mailed_at"


def upgrade() -> None:
    op.create_table(
        "proposed_version",
        sa.Column("id", ID, nullable=False),
        sa.Column("queue_id", ID, nullable=False),
        sa.Column("base_version", sa.Integer(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("diff", sa.Text(), nullable=False),
        sa.Column("lowers", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "waits", "applied", "withdrawn", "refused", "superseded", name="proposal_state", native_enum=False,
                create_constraint=True, length=24,
            ),
            nullable=False,
        ),
        sa.Column("proposed_by", sa.String(length=300), nullable=False),
        sa.Column("proposed_by_name", sa.String(length=200), nullable=False),
        sa.Column("first_person", ID, nullable=True),
        sa.Column("proposed_at", MOMENT, nullable=False),
        sa.Column("ended_by", sa.String(length=300), nullable=True),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(["queue_id"], ["queue.id"], name=op.f("fk_proposed_version_queue_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_proposed_version")),
    )
    op.create_index("ix_proposed_version_queue_id_id", "proposed_version", ["queue_id", "id"])
    waits = sa.text("state = 'waits'")
    op.create_index(
        "uq_proposed_version_waits", "proposed_version", ["queue_id"], unique=True, postgresql_where=waits,
        sqlite_where=waits,
    )  # fmt: skip
    _check(NOW)


def downgrade() -> None:
    op.execute("DELETE FROM notice WHERE kind = 'proposed'")
    _check(BEFORE)
    op.drop_table("proposed_version")


def _check(kinds: tuple[str, ...]) -> None:
    if op.get_bind().dialect.name == "sqlite":
        # SQLite changes no CHECK of a table that is there.
        _made_anew(kinds)
        return
    op.drop_constraint(op.f("ck_notice_notice_kind"), "notice", type_="check")
    op.create_check_constraint(op.f("ck_notice_notice_kind"), "notice", sa.column("kind").in_(kinds))


def _made_anew(kinds: tuple[str, ...]) -> None:
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
        sa.Column("item_id", ID, nullable=True),
        sa.Column("queue_id", ID, nullable=True),
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
