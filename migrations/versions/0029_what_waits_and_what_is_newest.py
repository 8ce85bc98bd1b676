"""Imports go on past lines whose queue is full; indexes of what may answer duplicates, and of the newest doubts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

WAITING = sa.text("payload IS NOT NULL")
KNOWN_INPUT = sa.text("input_sha256 IS NOT NULL")
ANSWERS = sa.text("input_sha256 IS NOT NULL AND (duplicate_of IS NULL OR revision > 1)")


def _index(name: str, table: str, columns: list[str], where: sa.TextClause | None = None) -> None:
    op.create_index(name, table, columns, postgresql_where=where, sqlite_where=where)


def _lock() -> None:
    """In the order in which those who write lock them, who may be at it: else each would wait for the other."""
    if op.get_context().dialect.name != "sqlite":
        op.execute("LOCK TABLE import_chunk, import, item, item_doubt")


def upgrade() -> None:
    _lock()
    op.add_column("import", sa.Column("retry_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("import_chunk", sa.Column("met_full", sa.Integer(), nullable=False, server_default="0"))
    op.drop_index("ix_import_chunk_waiting", table_name="import_chunk")
    _index("ix_import_chunk_waiting", "import_chunk", ["import_id", "met_full", "number"], WAITING)
    op.drop_index("ix_item_queue_id_input_sha256", table_name="item")
    _index("ix_item_queue_id_input_sha256", "item", ["queue_id", "input_sha256", "id"], ANSWERS)
    op.drop_index("ix_item_doubt_queue_id_group_doubt", table_name="item_doubt")
    _index("ix_item_doubt_queue_id_item_id", "item_doubt", ["queue_id", "item_id"])


def downgrade() -> None:
    _lock()
    op.drop_index("ix_item_doubt_queue_id_item_id", table_name="item_doubt")
    _index("ix_item_doubt_queue_id_group_doubt", "item_doubt", ["queue_id", "group", "doubt"])
    op.drop_index("ix_item_queue_id_input_sha256", table_name="item")
    _index("ix_item_queue_id_input_sha256", "item", ["queue_id", "input_sha256", "id"], KNOWN_INPUT)
    op.drop_index("ix_import_chunk_waiting", table_name="import_chunk")
    _index("ix_import_chunk_waiting", "import_chunk", ["import_id", "number"], WAITING)
    op.drop_column("import_chunk", "met_full")
    op.drop_column("import", "retry_at")
