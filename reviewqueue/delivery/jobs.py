"""RQ entry points of delivery. Each may run twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy.orm import Session

from reviewqueue.delivery.webhooks import deliveries
from reviewqueue.delivery.webhooks.sender import Sender
from reviewqueue.intake.jobs import find_similar, order_by_value, queued
from reviewqueue.models.states import ItemState


def on_queued(*, session: Session, refs: list[str]) -> None:
    """What follows when items have a task: put them in order, look for similar ones, tell who listens of those that
    wait for it."""
    items = queued(session, refs)
    order_by_value(session=session, items=items)
    find_similar(session=session, items=items)
    # Not those that passed and are audited beside: their programs wait for nobody.
    waiting = [item for item in items if item.state in (ItemState.QUEUED, ItemState.IN_REVIEW)]
    deliveries.announce_queued(session, [(item.id, item.queue_id) for item in waiting])


def send_due(*, ref: str, renew: Callable[..., Any]) -> None:  # noqa: ARG001 - there is one sender for all
    """Send every webhook that is due, until nothing is for a moment, or its time is over."""
    Sender(renew).run()
