"""Add alerts, notices of them, indexes for monitoring, and what keeps a trace together."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

ID = sa.Uuid(as_uuid=False)
MOMENT = sa.DateTime(timezone=True)
NOT_READY = sa.text("state <> 'ready'")
NOT_DONE = sa.text("state <> 'done'")
OPEN = sa.text("resolved_at IS NULL")
FIGURES = (
    "override_rate", "confidence_drift", "waiting", "overdue", "agreement", "signs_of_haste", "webhooks_given_up",
)  # fmt: skip


def kinds(name, values):
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=24)


def upgrade() -> None:
    op.add_column("outbox", sa.Column("trace", sa.String(length=60), nullable=True))
    op.add_column("item", sa.Column("trace", sa.String(length=60), nullable=True))
    op.create_index(
        "ix_dataset_version_state", "dataset_version", ["state"], postgresql_where=NOT_READY, sqlite_where=NOT_READY
    )
    op.create_index("ix_import_state", "import", ["state"], postgresql_where=NOT_DONE, sqlite_where=NOT_DONE)
    op.create_table(
        "alert",
        sa.Column("id", ID, nullable=False),
        sa.Column("queue_id", ID, nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("figure", kinds("alert_figure", FIGURES), nullable=False),
        sa.Column("config_version", sa.Integer(), nullable=False),
        sa.Column("bar", sa.Double(), nullable=False),
        sa.Column("above", sa.Boolean(), nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.Column("observations", sa.Integer(), nullable=False),
        sa.Column("done", sa.Text(), nullable=False),
        sa.Column("opened_at", MOMENT, nullable=False),
        sa.Column("resolved_at", MOMENT, nullable=True),
        sa.Column("resolved_value", sa.Double(), nullable=True),
        sa.Column("acknowledged_at", MOMENT, nullable=True),
        sa.Column("acknowledged_by", ID, nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["queue_id"], ["queue.id"], name=op.f("fk_alert_queue_id")),
        sa.ForeignKeyConstraint(["acknowledged_by"], ["person.id"], name=op.f("fk_alert_acknowledged_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert")),
    )
    op.create_index(
        "uq_alert_open", "alert", ["queue_id", "name"], unique=True, postgresql_where=OPEN, sqlite_where=OPEN
    )
    op.create_index("ix_alert_queue_id_id", "alert", ["queue_id", "id"])


def downgrade() -> None:
    op.execute("DELETE FROM notice WHERE kind IN ('alert_opened', 'alert_resolved')")
    op.drop_index("ix_alert_queue_id_id", table_name="alert")
    op.drop_index("uq_alert_open", table_name="alert")
    op.drop_table("alert")
    op.drop_index("ix_import_state", table_name="import")
    op.drop_index("ix_dataset_version_state", table_name="dataset_version")
    op.drop_column("item", "trace")
    op.drop_column("outbox", "trace")

