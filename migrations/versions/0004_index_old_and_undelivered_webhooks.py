"""Index the webhook deliveries that are to be forgotten, and those that have not arrived."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def where(condition: str) -> dict[str, Any]:
    """A partial index, on both databases."""
    return {"postgresql_where": sa.text(condition), "sqlite_where": sa.text(condition)}


def upgrade() -> None:
    op.create_index("ix_webhook_delivery_delivered", "webhook_delivery", ["ended_at"], **where("state = 'delivered'"))
    op.create_index(
        "ix_webhook_delivery_undelivered", "webhook_delivery", ["endpoint_id", "state"], **where("state <> 'delivered'")
    )


def downgrade() -> None:
    op.drop_index("ix_webhook_delivery_undelivered", table_name="webhook_delivery")
    op.drop_index("ix_webhook_delivery_delivered", table_name="webhook_delivery")
