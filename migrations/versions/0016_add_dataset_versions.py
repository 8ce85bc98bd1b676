"""Add what makes exports dataset versions: members, changes, duplicates, trained models and schedules."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

ID = sa.Uuid(as_uuid=False)
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column(
        "dataset_version", sa.Column("recipe", sa.Text(), nullable=False, server_default=sa.text("'{}'"))
    )
    op.add_column("dataset_version", sa.Column("parent_id", ID, nullable=True))
    op.add_column("dataset_version", sa.Column("digest", sa.String(64), nullable=True))
    op.add_column("dataset_version", sa.Column("changes", sa.Text(), nullable=True))
    op.add_column("dataset_shard", sa.Column("written", sa.Text(), nullable=True))
    op.create_table(
        "dataset_duplicate",
        sa.Column("export_id", ID, nullable=False),
        sa.Column("item_id", ID, nullable=False),
        sa.ForeignKeyConstraint(["export_id"], ["dataset_version.id"], name="fk_dataset_duplicate_export_id"),
        sa.PrimaryKeyConstraint("export_id", "item_id", name="pk_dataset_duplicate"),
    )
    op.create_table(
        "trained_model",
        sa.Column("id", ID, nullable=False),
        sa.Column("export_id", ID, nullable=False),
        sa.Column("model", sa.String(200), nullable=False),
        sa.Column("model_version", sa.String(200), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("recorded_by", sa.String(300), nullable=False),
        sa.Column("recorded_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["export_id"], ["dataset_version.id"], name="fk_trained_model_export_id"),
        sa.PrimaryKeyConstraint("id", name="pk_trained_model"),
    )
    op.create_index("uq_trained_model", "trained_model", ["export_id", "model", "model_version"], unique=True)
    op.create_index("ix_trained_model_model", "trained_model", ["model", "model_version"])
    op.create_table(
        "dataset_schedule",
        sa.Column("id", ID, nullable=False),
        sa.Column("queue_id", ID, nullable=False),
        sa.Column("format", sa.String(200), nullable=False),
        sa.Column("filter", sa.Text(), nullable=False),
        sa.Column("recipe", sa.Text(), nullable=False),
        sa.Column("every_hours", sa.Integer(), nullable=True),
        sa.Column("every_corrections", sa.Integer(), nullable=True),
        sa.Column("incremental", sa.Boolean(), nullable=False),
        sa.Column("created_by", sa.String(300), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("next_at", MOMENT, nullable=True),
        sa.Column("last_at", MOMENT, nullable=True),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("corrections", sa.Integer(), nullable=False),
        sa.Column("last_export_id", ID, nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "(every_hours IS NULL) <> (every_corrections IS NULL)", name=op.f("ck_dataset_schedule_one_rhythm")
        ),
        sa.ForeignKeyConstraint(["queue_id"], ["queue.id"], name="fk_dataset_schedule_queue_id"),
        sa.ForeignKeyConstraint(
            ["last_export_id"], ["dataset_version.id"], name="fk_dataset_schedule_last_export_id"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_dataset_schedule"),
    )
    op.create_index("ix_dataset_schedule_queue_id", "dataset_schedule", ["queue_id"])
    op.create_index("ix_dataset_schedule_next_at", "dataset_schedule", ["next_at"])


def downgrade() -> None:
    op.drop_table("dataset_schedule")
    op.drop_table("trained_model")
    op.drop_table("dataset_duplicate")
    op.drop_column("dataset_shard", "written")
    for column in ("changes", "digest", "parent_id", "recipe"):
        op.drop_column("dataset_version", column)
