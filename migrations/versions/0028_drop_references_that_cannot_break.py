"""Drop, on PostgreSQL, references to rows that nothing ever deletes, from the tables that imports fill."""

from __future__ import annotations

from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

REFERENCES = (
    ("item", "queue_id", "queue"),
    ("task", "item_id", "item"),
    ("task", "queue_id", "queue"),
    ("audit_content", "event_id", "audit_event"),
    ("audit_seal", "event_id", "audit_event"),
    ("item_likeness", "item_id", "item"),
)


def upgrade() -> None:
    if op.get_context().dialect.name == "sqlite":
        return
    # Referenced tables first, as whoever submits reads its queue before it writes: else each would wait for the other.
    op.execute("LOCK TABLE queue, audit_event, item, task, audit_content, audit_seal, item_likeness")
    for table, column, _ in REFERENCES:
        op.drop_constraint(f"fk_{table}_{column}", table, type_="foreignkey")


def downgrade() -> None:
    if op.get_context().dialect.name == "sqlite":
        return
    for table, column, target in REFERENCES:
        op.create_foreign_key(f"fk_{table}_{column}", table, target, [column], ["id"])
