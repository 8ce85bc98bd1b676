"""Add what waits for its seal, checkpoints, and when an item was erased; content goes only where an event says so."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

UUID = sa.Uuid(as_uuid=False)
MOMENT = sa.DateTime(timezone=True)
SAID_SO = """
  SELECT 1 FROM audit_event e JOIN audit_event said ON
    (said.item_id = e.item_id AND said.action = 'item.erased')
  WHERE e.id = OLD.event_id
  UNION ALL
  SELECT 1 FROM audit_event said WHERE said.subject = {id} AND said.item_id IS NULL AND said.action = 'content.erased'
"""


def upgrade() -> None:
    op.create_table(
        "audit_waiting",
        sa.Column("event_id", UUID, nullable=False),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_audit_waiting")),
    )
    op.create_table(
        "audit_checkpoint",
        sa.Column("id", UUID, nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_checkpoint")),
    )
    op.create_index("ix_audit_checkpoint_size", "audit_checkpoint", ["size"])
    op.add_column("item", sa.Column("erased_at", MOMENT, nullable=True))
    op.add_column("queue", sa.Column("erased_upto", UUID, nullable=True))
    op.execute(
        "INSERT INTO audit_waiting (event_id) SELECT id FROM audit_event e "
        "WHERE NOT EXISTS (SELECT 1 FROM audit_seal s WHERE s.event_id = e.id)"
    )
    (_sqlite if op.get_bind().dialect.name == "sqlite" else _postgresql)()


def _sqlite() -> None:
    op.execute(
        "CREATE TRIGGER audit_event_waits AFTER INSERT ON audit_event "
        "BEGIN INSERT INTO audit_waiting (event_id) VALUES (NEW.id); END"
    )
    for verb in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER audit_checkpoint_no_{verb.lower()} BEFORE {verb} ON audit_checkpoint "
            "BEGIN SELECT RAISE(ABORT, 'audit_checkpoint is append-only'); END"
        )
    op.execute(
        "CREATE TRIGGER audit_content_no_update BEFORE UPDATE ON audit_content "
        "BEGIN SELECT RAISE(ABORT, 'audit_content is append-only'); END"
    )
    # SQLite keeps ids without their dashes.
    text = " || '-' || ".join(f"substr(OLD.event_id, {at}, {length})" for at, length in PARTS)
    op.execute(
        "CREATE TRIGGER audit_content_no_delete BEFORE DELETE ON audit_content "
        f"WHEN NOT EXISTS ({SAID_SO.format(id=text)}) "
        "BEGIN SELECT RAISE(ABORT, 'audit_content is append-only: no event says that this is erased'); END"
    )


PARTS = ((1, 8), (9, 4), (13, 4), (17, 4), (21, 12))


def _postgresql() -> None:
    op.execute(
        "CREATE FUNCTION audit_event_waits() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN INSERT INTO audit_waiting (event_id) SELECT id FROM fresh; RETURN NULL; END $$"
    )
    op.execute(
        "CREATE TRIGGER audit_event_waits AFTER INSERT ON audit_event REFERENCING NEW TABLE AS fresh "
        "FOR EACH STATEMENT EXECUTE FUNCTION audit_event_waits()"
    )
    op.execute(
        "CREATE TRIGGER audit_checkpoint_no_change BEFORE UPDATE OR DELETE ON audit_checkpoint "
        "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
    )
    op.execute(
        "CREATE TRIGGER audit_content_no_update BEFORE UPDATE ON audit_content "
        "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
    )
    for table in ("audit_checkpoint", "audit_content"):
        op.execute(
            f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
    op.execute(
        "CREATE FUNCTION refuse_unsaid() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF NOT EXISTS ({SAID_SO.format(id='OLD.event_id::text')}) THEN "
        "RAISE EXCEPTION 'audit_content is append-only: no event says that this is erased'; END IF; RETURN OLD; END $$"
    )
    op.execute(
        "CREATE TRIGGER audit_content_no_delete BEFORE DELETE ON audit_content "
        "FOR EACH ROW EXECUTE FUNCTION refuse_unsaid()"
    )


def downgrade() -> None:
    names = {
        "audit_event": ["waits"],
        "audit_content": ["no_update", "no_delete", "no_truncate"],
        "audit_checkpoint": ["no_change", "no_truncate", "no_update", "no_delete"],
    }
    on_sqlite = op.get_bind().dialect.name == "sqlite"
    for table, triggers in names.items():
        for name in triggers:
            op.execute(f"DROP TRIGGER IF EXISTS {table}_{name}" + ("" if on_sqlite else f" ON {table}"))
    if not on_sqlite:
        op.execute("DROP FUNCTION audit_event_waits()")
        op.execute("DROP FUNCTION refuse_unsaid()")
    op.drop_column("queue", "erased_upto")
    op.drop_column("item", "erased_at")
    op.drop_table("audit_checkpoint")
    op.drop_table("audit_waiting")
