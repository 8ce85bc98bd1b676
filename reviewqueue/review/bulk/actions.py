"""What is done with each of many items, and when there is nothing to do."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from reviewqueue.core.access import Action, Actor, may
from reviewqueue.errors import Conflict, Error, ItemEnded
from reviewqueue.models.states import ENDED, Audience, BulkAction, BulkOutcome, ItemState, TaskState
from reviewqueue.resolution.endings import cancel_item
from reviewqueue.review import assigning, reopening
from reviewqueue.review.claims import returning

NEEDS = {
    BulkAction.ASSIGN: Action.ASSIGN_TASKS,
    BulkAction.PRIORITISE: Action.ASSIGN_TASKS,
    BulkAction.RELEASE: Action.ASSIGN_TASKS,
    BulkAction.CLOSE: Action.CLOSE_ITEMS,
    BulkAction.REOPEN: Action.REOPEN_ITEMS,
}


@dataclass(frozen=True)
class Wanted:
    """What is to be done with each."""

    action: BulkAction
    person: str | None = None
    """Of an assignment: id or e-mail; None: whoever comes first."""
    priority: int = 0
    reason: str = ""
    """Of closing, told to the program; of reopening, to whoever judges it next."""

    @property
    def argument(self) -> dict[str, Any]:
        if self.action is BulkAction.ASSIGN:
            return {"person": self.person}
        if self.action is BulkAction.PRIORITISE:
            return {"priority": self.priority}
        return {"reason": self.reason} if self.action in (BulkAction.CLOSE, BulkAction.REOPEN) else {}


def open_to(actor: Actor, queue_id: str) -> list[BulkAction]:
    """What `actor` may do with many items of the queue."""
    return [action for action, needed in NEEDS.items() if may(actor, needed, queue_id)]


def why_not(actor: Actor, wanted: Wanted, item: Any, tasks: list[Any]) -> str | None:
    if wanted.action is BulkAction.CLOSE:
        if item.state in ENDED or item.revision:
            return "has its answer already"
        return "was decided by somebody" if item.state is ItemState.IN_REVIEW else None
    if wanted.action is BulkAction.REOPEN:
        if item.state is ItemState.CANCELLED:
            return "was withdrawn or closed, which is final"
        return "waits for a person already" if item.state not in ENDED or tasks else None
    mine = [task for task in tasks if may(actor, Action.ASSIGN_TASKS, task.queue_id)]
    if not mine:
        return "waits in another queue, of which you are no lead" if tasks else "waits for nobody"
    return _WHY_NOT_TASKS[wanted.action](wanted, mine)


def _why_not_assigned(wanted: Wanted, tasks: list[Any]) -> str | None:
    if wanted.person is None:
        return None if any(task.assignee for task in tasks) else "is for whoever comes first already"
    if any(wanted.person in (task.assignee, task.holder) for task in tasks):
        return "is theirs already"
    if not any(wanted.person not in json.loads(task.excluded) for task in tasks):
        return "was decided or skipped by them"
    return None


def _why_not_prioritised(wanted: Wanted, tasks: list[Any]) -> str | None:
    return "has that priority already" if all(task.priority == wanted.priority for task in tasks) else None


def _why_not_released(_: Wanted, tasks: list[Any]) -> str | None:
    return None if any(task.state is TaskState.CLAIMED for task in tasks) else "is in nobody's hands"


_WHY_NOT_TASKS: dict[BulkAction, Callable[[Wanted, list[Any]], str | None]] = {
    BulkAction.ASSIGN: _why_not_assigned,
    BulkAction.PRIORITISE: _why_not_prioritised,
    BulkAction.RELEASE: _why_not_released,
}


def change(
    session: Session, actor: Actor, wanted: Wanted, item_id: str, tasks: list[Any]
) -> tuple[BulkOutcome, str | None]:
    """`tasks` were read a moment ago: whatever has changed since, the operations refuse."""
    try:
        with session.begin_nested():
            _ACTS[wanted.action](session, actor, wanted, item_id, tasks)
    except Error as error:
        return BulkOutcome.FAILED, error.message
    return BulkOutcome.DONE, None


def _assign(session: Session, actor: Actor, wanted: Wanted, _: str, tasks: list[Any]) -> None:
    if wanted.person is None:
        for task in tasks:
            if task.assignee:
                assigning.assign(session=session, actor=actor, task_id=task.id, person=None)
        return
    # One of several: nobody judges an item twice. One that nobody has in hand, if there is any.
    fit = [task for task in tasks if wanted.person not in json.loads(task.excluded)]
    if not fit:
        raise Conflict("Nothing of it waits that they may take.", code="cannot_take")
    task = min(fit, key=lambda one: (one.state is TaskState.CLAIMED, one.audience is Audience.LEAD))
    assigning.assign(session=session, actor=actor, task_id=task.id, person=wanted.person, tells=False)


def _prioritise(session: Session, actor: Actor, wanted: Wanted, _: str, tasks: list[Any]) -> None:
    if not tasks:
        raise ItemEnded("It waits for nobody any more.")
    for task in tasks:
        assigning.prioritise(session=session, actor=actor, task_id=task.id, priority=wanted.priority)


def _release(session: Session, actor: Actor, _: Wanted, __: str, tasks: list[Any]) -> None:
    held = [task for task in tasks if task.state is TaskState.CLAIMED]
    if not held:
        raise Conflict("Nobody holds it any more.", code="not_held")
    for task in held:
        returning.take_back(session=session, actor=actor, task_id=task.id)


def _close(session: Session, actor: Actor, wanted: Wanted, item_id: str, _: list[Any]) -> None:
    cancel_item(session=session, actor=actor, item_id=item_id, reason=wanted.reason)


def _reopen(session: Session, actor: Actor, wanted: Wanted, item_id: str, _: list[Any]) -> None:
    reopening.reopen(session=session, actor=actor, item_id=item_id, reason=wanted.reason)


_ACTS: dict[BulkAction, Callable[[Session, Actor, Wanted, str, list[Any]], None]] = {
    BulkAction.ASSIGN: _assign,
    BulkAction.PRIORITISE: _prioritise,
    BulkAction.RELEASE: _release,
    BulkAction.CLOSE: _close,
    BulkAction.REOPEN: _reopen,
}
