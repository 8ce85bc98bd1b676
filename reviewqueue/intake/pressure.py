"""Backpressure: what becomes of an item for people when more waits than its queue lets. Writes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from reviewqueue.core.access import Action, Actor, may
from reviewqueue.errors import QueueFull
from reviewqueue.models import Task
from reviewqueue.models.base import table
from reviewqueue.models.states import Intake, RoutingAction
from reviewqueue.queues import routing
from reviewqueue.queues.catalog import Compiled, QueueHead, configuration, overflow_of

RETRY_AFTER = 60
"""Seconds that a program is asked to wait when the queue is full."""


class Placed(NamedTuple):
    """Where an item goes, and what routing said."""

    head: QueueHead
    compiled: Compiled
    route: routing.Route
    limited: bool = False
    """Whether its queue has a limit: then it may be stored already, in this queue or in the one that takes what is too
    much, and must not count twice."""


class Waiting:
    """Open tasks by queue, as of the operation's first look, with those that it adds itself."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._counts: dict[str, int] = {}

    def is_full(self, queue_id: str, most: int) -> bool:
        """Whether `most` tasks wait in the queue, or more."""
        if queue_id not in self._counts:
            # Index ix_task_open, of which at most so many entries are read. Its condition must stand here in the same
            # words.
            condition = table(Task).c.queue_id == queue_id, text("task.state = 'open'")
            some = select(text("1")).select_from(table(Task)).where(*condition).limit(most).subquery()
            self._counts[queue_id] = self._session.execute(select(func.count()).select_from(some)).scalar_one()
        return self._counts[queue_id] >= most

    def add(self, queue_id: str, number: int) -> None:
        """Count so many more."""
        if queue_id in self._counts:
            self._counts[queue_id] += number


def relieved(
    session: Session, actor: Actor, placed: Placed, facts: Mapping[str, Any], *, item_id: str, failed: bool,
    waiting: Waiting,
) -> Placed:  # fmt: skip
    """An item for people as its queue lets it: there while there is room, else passed, or in another queue.

    What may not pass without a person waits there all the same. Raises `QueueFull`.
    """
    limit = placed.compiled.config.max_waiting
    if limit is None:
        return placed
    placed = placed._replace(limited=True)
    if not waiting.is_full(placed.head.id, limit.tasks):
        waiting.add(placed.head.id, placed.compiled.config.reviews.required)
        return placed
    if limit.then == "pass":
        wanted = routing.Route(RoutingAction.AUTO_APPROVE, None, "Too much waits: passed", placed.route.priority)
        route = placed.compiled.guarded(
            wanted, facts, item_id=item_id, failed=failed, stopped=placed.head.stopped
        )  # fmt: skip
        return placed._replace(route=route) if route.action is RoutingAction.AUTO_APPROVE else placed
    other = _other(session, actor, placed.head, facts, waiting, failed=failed)
    if other is None:
        and_so = f", and {limit.to} cannot take this one" if limit.to else ""
        raise QueueFull(
            f"{limit.tasks:,} tasks or more wait in {placed.head.slug}{and_so}. Send it again later.",
            retry_after=RETRY_AFTER,
        )
    title = f"Overflow from {placed.head.slug}: {placed.route.title}"[:300]
    route = routing.Route(RoutingAction.REVIEW, None, title, placed.route.priority)
    return Placed(*other, route, limited=True)


def _other(
    session: Session, actor: Actor, full: QueueHead, facts: Mapping[str, Any], waiting: Waiting, *, failed: bool
) -> tuple[QueueHead, Compiled] | None:
    """The queue that takes what is too much, if it may and can."""
    head = overflow_of(session, full)
    if head is None or head.intake is Intake.CLOSED or not may(actor, Action.SUBMIT_ITEMS, head.id):
        return None
    compiled = configuration(session, head.id, head.version)
    limit = compiled.config.max_waiting
    if limit is not None and waiting.is_full(head.id, limit.tasks):
        return None
    given = facts["input"]
    if compiled.validate_input(given) or (not failed and compiled.validate_output(facts["output"], given=given)):
        return None
    waiting.add(head.id, compiled.config.reviews.required)
    return head, compiled
