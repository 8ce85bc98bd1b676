"""Members of a dataset version that are not to be learned from any more. Query."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import case, exists, or_, select
from sqlalchemy.orm import Session

from reviewqueue.feedback import storage
from reviewqueue.feedback.building import shards_of
from reviewqueue.feedback.members import LINE
from reviewqueue.models import Item, OptOut, Resolution
from reviewqueue.models.base import table

REVISED, OPTED_OUT = "revised", "opted_out"
AT_ONCE = 1_000
_item, _resolution, _opt_out = table(Item).c, table(Resolution).c, table(OptOut).c


def page(session: Session, export: Any, *, after: str | None, limit: int) -> list[dict[str, Any]]:
    """`[{item_id, external_id, why}]` in the order of ids, after `after`: items that were revised since, or are about
    somebody who has opted out since."""
    held, found = _Members(session, export.id), list[dict[str, Any]]()
    while len(found) < limit:
        rows = session.execute(_candidates(export, after)).all()
        found += [
            {"item_id": row.id, "external_id": row.external_id, "why": row.why} for row in rows if row.id in held
        ]  # fmt: skip
        if len(rows) < AT_ONCE:
            break
        after = rows[-1].id
    return found[:limit]


def _candidates(export: Any, after: str | None) -> Any:
    """Of the queue's items, those of which something was said since. Index ix_item_queue_id_id."""
    opted_out = exists(
        select(_opt_out.subject).where(_opt_out.subject == _item.subject, _opt_out.recorded_at > export.as_of)
    )
    revised = exists(
        select(_resolution.id).where(
            _resolution.item_id == _item.id, _resolution.revision > 1, _resolution.created_at > export.as_of
        )
    )
    why = case((opted_out, OPTED_OUT), else_=REVISED).label("why")
    query = select(_item.id, _item.external_id, why).where(
        _item.queue_id == export.queue_id, _item.created_at <= export.as_of,
        or_(opted_out, (_item.revision > 1) & revised),
    )  # fmt: skip
    if after is not None:
        query = query.where(_item.id > after)
    return query.order_by(_item.id).limit(AT_ONCE)


class _Members:
    """Whether an item is in a version: looked up in its sorted lists, without reading them."""

    def __init__(self, session: Session, export_id: str) -> None:
        self._export_id = export_id
        self._lists = [
            (shard.upto_id, json.loads(shard.written)["members"])
            for shard in shards_of(session, export_id) if shard.written
        ]  # fmt: skip

    def __contains__(self, item_id: str) -> bool:
        for upto, listed in self._lists:
            if upto is None or item_id <= upto:
                return self._in(listed, item_id.encode())
        return False

    def _in(self, listed: dict[str, Any], wanted: bytes) -> bool:
        with storage.opened(self._export_id, listed["name"]) as file:
            low, high = 0, listed["rows"]
            while low < high:
                middle = (low + high) // 2
                file.seek(middle * LINE)
                found = file.read(36)
                if found == wanted:
                    return True
                low, high = (middle + 1, high) if found < wanted else (low, middle)
        return False
