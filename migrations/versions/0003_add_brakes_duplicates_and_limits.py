"""Add brakes, duplicates, opt-outs and limits of tokens."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ID = sa.Uuid(as_uuid=False)
MOMENT = sa.DateTime(timezone=True)


def where(condition: str) -> dict[str, Any]:
    """A partial index, on both databases."""
    return {"postgresql_where": sa.text(condition), "sqlite_where": sa.text(condition)}


def upgrade() -> None:
    kind = sa.Enum("stop", "hold", name="brake_kind", native_enum=False, create_constraint=True, length=24)
    op.create_table(
        "brake",
        sa.Column("id", ID, nullable=False),
        sa.Column("kind", kind, nullable=False),
        sa.Column("queue_id", ID, nullable=True),
        sa.Column("why", sa.String(length=500), nullable=False),
        sa.Column("pulled_by", sa.String(length=300), nullable=False),
        sa.Column("pulled_by_name", sa.String(length=200), nullable=False),
        sa.Column("pulled_at", MOMENT, nullable=False),
        sa.CheckConstraint("kind = 'hold' OR queue_id IS NOT NULL", name=op.f("ck_brake_site_is_held")),
        sa.ForeignKeyConstraint(["queue_id"], ["queue.id"], name=op.f("fk_brake_queue_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_brake")),
    )
    op.create_index("uq_brake_queue_id_kind", "brake", ["queue_id", "kind"], unique=True, **where("queue_id IS NOT NULL"))
    op.create_index("uq_brake_site", "brake", ["kind"], unique=True, **where("queue_id IS NULL"))
    op.create_table(
        "opt_out",
        sa.Column("subject", sa.String(length=500), nullable=False),
        sa.Column("recorded_by", sa.String(length=300), nullable=False),
        sa.Column("recorded_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("subject", name=op.f("pk_opt_out")),
    )
    op.add_column("item", sa.Column("input_sha256", sa.String(length=64), nullable=True))
    op.add_column("item", sa.Column("duplicate_of", ID, nullable=True))
    op.create_index(
        "ix_item_queue_id_input_sha256", "item", ["queue_id", "input_sha256", "id"],
        **where("input_sha256 IS NOT NULL"),
    )  # fmt: skip
    op.add_column("token", sa.Column("requests_per_second", sa.Integer(), nullable=True))


def downgrade() -> None:
    op.drop_column("token", "requests_per_second")
    op.drop_index("ix_item_queue_id_input_sha256", table_name="item")
    op.drop_column("item", "duplicate_of")
    op.drop_column("item", "input_sha256")
    op.drop_table("opt_out")
    op.drop_table("brake")
