"""Alerts on the drift of inputs, labels and the override rate."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

ID = sa.Uuid(as_uuid=False)
MOMENT = sa.DateTime(timezone=True)
OPEN = sa.text("resolved_at IS NULL")
BEFORE = (
    "override_rate", "confidence_drift", "waiting", "overdue", "agreement", "signs_of_haste", "webhooks_given_up",
)  # fmt: skip
NEW = ("input_drift", "label_drift", "override_drift")
NOW = (*BEFORE[:2], *NEW, *BEFORE[2:])
COLUMNS = (
    "id, queue_id, name, figure, config_version, bar, above, value, observations, done, opened_at, resolved_at, "
    "resolved_value, acknowledged_at, acknowledged_by, note"
)


def upgrade() -> None:
    _allow(NOW)


def downgrade() -> None:
    op.execute("DELETE FROM alert WHERE figure IN ('input_drift', 'label_drift', 'override_drift')")
    _allow(BEFORE)


def _allow(figures: tuple[str, ...]) -> None:
    if op.get_bind().dialect.name == "sqlite":
        # SQLite does not change a CHECK of a table that is there.
        _made_anew(figures)
        return
    op.drop_constraint(op.f("ck_alert_alert_figure"), "alert", type_="check")
    op.create_check_constraint(op.f("ck_alert_alert_figure"), "alert", sa.column("figure").in_(figures))


def _made_anew(figures: tuple[str, ...]) -> None:
    op.drop_index("uq_alert_open", table_name="alert")
    op.drop_index("ix_alert_queue_id_id", table_name="alert")
    op.rename_table("alert", "alert_before")
    op.create_table(
        "alert",
        sa.Column("id", ID, nullable=False),
        sa.Column("queue_id", ID, nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column(
            "figure", sa.Enum(*figures, name="alert_figure", native_enum=False, create_constraint=True, length=24),
            nullable=False,
        ),
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
    op.execute(f"INSERT INTO alert ({COLUMNS}) SELECT {COLUMNS} FROM alert_before")
    op.drop_table("alert_before")
    op.create_index("uq_alert_open", "alert", ["queue_id", "name"], unique=True, sqlite_where=OPEN)
    op.create_index("ix_alert_queue_id_id", "alert", ["queue_id", "id"])
