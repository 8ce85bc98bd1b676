"""Resolutions as programs read them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from reviewqueue.core.moments import iso
from reviewqueue.core.strictjson import Raw
from reviewqueue.models import Item, Resolution


def as_json(row: Any) -> dict[str, Any]:
    """`{verdict, output, by, revision, reason, message, resolved_at}` for `spliced`; `row` has the columns."""
    return {
        "verdict": row.verdict,
        "output": Raw(row.output),
        "by": row.by,
        "revision": row.revision,
        "reason": row.reason,
        "message": row.message,
        "resolved_at": iso(row.created_at),
    }


def in_force(session: Session, item_id: str) -> dict[str, Any] | None:
    """The item's resolution, the latest revision; None while there is none."""
    row = session.execute(
        select(Resolution)
        .join(Item, (Item.id == Resolution.item_id) & (Item.revision == Resolution.revision))
        .where(Item.id == item_id)
    ).scalar_one_or_none()
    return None if row is None else as_json(row)
