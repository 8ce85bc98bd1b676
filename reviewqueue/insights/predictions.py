"""Operation: take what another model says of items. They are scored against what people said, and never queued."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from reviewqueue.core import trail
from reviewqueue.core.access import Action, Actor
from reviewqueue.core.db import clock, upsert
from reviewqueue.core.ids import new_ids
from reviewqueue.core.strictjson import dumps
from reviewqueue.models import Item, Prediction
from reviewqueue.models.base import table
from reviewqueue.queues.catalog import find_queue

_item = table(Item).c


@dataclass(frozen=True)
class Predicted:
    """Of one item, named by either."""

    item: str | None
    external_id: str | None
    output: Any
    confidence: float | None


def predict(
    *, session: Session, actor: Actor, slug: str, model: str, model_version: str, predictions: Sequence[Predicted]
) -> list[str | None]:
    """Store what `model` in that version says. The id of each item, in order; None for one that the queue does not
    have. A later prediction of the same version replaces an earlier one. Raises `NotFound`, `Forbidden`."""
    head = find_queue(session=session, actor=actor, slug=slug, action=Action.PREDICT)
    found = _items(session, head.id, predictions)
    kept = {
        item_id: one for item_id, one in zip(found, predictions, strict=True) if item_id is not None
    }  # of two on one item, the later
    if kept:
        add = upsert(session, Prediction)
        session.execute(
            add.values(created_at=clock()).on_conflict_do_update(
                index_elements=["item_id", "model", "model_version"],
                set_={name: add.excluded[name] for name in ("output", "confidence", "predicted_by", "created_at")},
            ),
            [
                {
                    "id": new_id, "queue_id": head.id, "item_id": item_id, "model": model,
                    "model_version": model_version, "output": dumps(kept[item_id].output),
                    "confidence": kept[item_id].confidence, "predicted_by": actor.label,
                }
                for new_id, item_id in zip(new_ids(len(kept)), sorted(kept), strict=True)
            ],
        )  # fmt: skip
        trail.record(
            session, actor, "predictions.received", queue_id=head.id,
            facts={"model": model, "model_version": model_version, "items": len(kept)},
        )  # fmt: skip
    return found


def _items(session: Session, queue_id: str, predictions: Sequence[Predicted]) -> list[str | None]:
    ids = {one.item for one in predictions if one.item is not None}
    names = {one.external_id for one in predictions if one.external_id is not None}
    # The primary key, and the unique external_id of a queue.
    rows = session.execute(
        select(_item.id, _item.external_id).where(
            _item.queue_id == queue_id, or_(_item.id.in_(ids), _item.external_id.in_(names))
        )
    ).all()
    known, by_name = {row.id for row in rows}, {row.external_id: row.id for row in rows if row.external_id}
    return [
        (one.item if one.item in known else None) if one.item is not None else by_name.get(one.external_id or "")
        for one in predictions
    ]
