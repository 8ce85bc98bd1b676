"""Add the function by which a request with an Idempotency-Key locks it and looks it up in one statement."""

from __future__ import annotations

from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_context().dialect.name == "sqlite":
        return
    # Volatile, so that the query in it sees what was committed before the lock was had: one statement that did both
    # would look with the eyes of its beginning, and miss what a twin has just saved.
    op.execute(
        "CREATE FUNCTION begin_idempotent(number bigint, token text, address text, given text, "
        "OUT locked boolean, OUT body_sha256 text, OUT status integer, OUT answer text) LANGUAGE plpgsql VOLATILE AS "
        "$$ BEGIN locked := pg_try_advisory_xact_lock(number); IF locked THEN "
        "SELECT k.body_sha256, k.status, k.answer INTO body_sha256, status, answer FROM idempotency_key k "
        "WHERE k.token_id = token AND k.route = address AND k.key = given; END IF; END $$"
    )


def downgrade() -> None:
    if op.get_context().dialect.name != "sqlite":
        op.execute("DROP FUNCTION begin_idempotent")
