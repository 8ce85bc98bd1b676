"""RQ entry points of delivery. Each may run twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from reviewqueue.core.db import among
from reviewqueue.delivery.webhooks import deliveries
from reviewqueue.delivery.webhooks.sender import Sender
from reviewqueue.intake.jobs import find_similar, order_by_value
from reviewqueue.models import Item
from reviewqueue.models.base import table
from reviewqueue.models.states import ItemState

_item = table(Item).c
_WAITING = select(_item.id, _item.queue_id).where(
    among(_item.id, "ids"), _item.state.in_((ItemState.QUEUED, ItemState.IN_REVIEW))
)


def on_queued(*, session: Session, refs: list[str]) -> None:
    """What follows when items have a task: put them in order, look for similar ones, tell who listens of those that
    wait for it."""
    order_by_value(session=session, refs=refs)
    find_similar(session=session, refs=refs)
    # Not those that passed and are audited beside: their programs wait for nobody.
    rows = session.execute(_WAITING, {"ids": refs}).all()
    deliveries.announce_queued(session, [(row.id, row.queue_id) for row in rows])


def send_due(*, ref: str, renew: Callable[..., Any]) -> None:  # noqa: ARG001 - there is one sender for all
    """Send every webhook that is due, until nothing is for a moment, or its time is over."""
    Sender(renew).run()
