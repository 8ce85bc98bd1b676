"""The audit log played back: where it says that items and tasks went, held against the rules and where they stand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from reviewqueue.models.states import ENDED, MOVES, ItemState
from tests.promises.stored import Event, Stored

# -- items ------------------------------------------------------------------------------------------------------------


@dataclass
class ItemPath:
    """One item, as its events tell it. What is legal stands in `models.states` alone."""

    state: ItemState | None = None
    revision: int = 0
    standing: set[str] = field(default_factory=set)
    """Decisions of the present round."""
    wrong: list[str] = field(default_factory=list)

    def take(self, event: Event) -> None:
        if self.state is None and event.action != "item.submitted":
            self.wrong.append(f"begins with {event.action}")
        match event.action:
            case "item.submitted":
                if self.state is not None:
                    self.wrong.append("is submitted twice")
                self.state = ItemState(event.facts["state"])
                self.revision = int(self.state in ENDED)
            case "task.decided":
                self.standing.add(event.facts["decision"])
                if self.state is ItemState.QUEUED:
                    self._move(ItemState.IN_REVIEW)
            case "decision.withdrawn":
                self.standing.discard(event.facts["decision"])
                if not self.standing:
                    self._move(ItemState.QUEUED)
            case "item.reopened":
                self.standing.clear()
                self._move(ItemState.QUEUED)
            case "item.resolved" | "item.revised":
                self._move(ItemState(event.facts["state"]))
                self.revision += 1
                if event.facts["revision"] != self.revision:
                    self.wrong.append(f"gets revision {event.facts['revision']} where {self.revision} is next")

    def _move(self, to: ItemState) -> None:
        if self.state is not None and to not in MOVES[self.state]:
            self.wrong.append(f"goes from {self.state} to {to}")
        self.state = to


def of_items(stored: Stored) -> Iterator[str]:
    paths: dict[str, ItemPath] = {}
    for event in stored.events:
        if event.item_id is not None:
            paths.setdefault(event.item_id, ItemPath()).take(event)
    for item in stored.items:
        path = paths.pop(item.id, None)
        if path is None:
            yield f"item {item.id} has no audit event"
            continue
        yield from (f"item {item.id} {wrong}" for wrong in path.wrong)
        if path.state is not None and path.state != item.state:
            yield f"item {item.id} is {item.state}, and {path.state} by the audit log"
    yield from (f"item {item_id} is in the audit log and nowhere else" for item_id in paths)


# -- tasks ------------------------------------------------------------------------------------------------------------

BACK = {"task.released", "task.lease_expired", "task.taken_back", "task.skipped", "task.sent", "task.put_off"}
"""Whoever held the task holds it no more, and others may."""


@dataclass
class TaskPath:
    """One task, as its events tell it."""

    state: str = "open"
    holder: str | None = None
    fence: int = 0
    opened: bool = False
    """By an event of its own, not with its item."""
    wrong: list[str] = field(default_factory=list)

    def take(self, event: Event) -> None:
        if event.action in {"task.opened", "item.reopened"}:
            self.opened = True
        elif event.action == "task.claimed":
            # Its holder gets it anew when the lease was over and nobody has noticed.
            if self.state != "open" and self.holder != event.actor:
                self.wrong.append(f"is {self.state} by {self.holder} when {event.actor} claims it")
            self._rise(event)
            self.state, self.holder = "claimed", event.actor
        elif event.action in BACK or (event.action == "task.escalated" and "fence" in event.facts):
            self._end_claim(event, "open")
        elif event.action == "task.decided":
            if event.actor != self.holder:
                self.wrong.append(f"is held by {self.holder} when {event.actor} decides it")
            self._end_claim(event, "done")
        elif event.action == "decision.withdrawn":
            self._leave(event, "done", "open")
        elif event.action == "task.cancelled":
            if self.state not in {"open", "claimed"}:
                self.wrong.append(f"is {self.state} at {event.action}")
            self._rise(event)
            self.state, self.holder = "cancelled", None

    def _rise(self, event: Event) -> None:
        self.fence += 1
        if event.facts["fence"] != self.fence:
            self.wrong.append(f"gets fence {event.facts['fence']} where {self.fence} is next, at {event.action}")
            self.fence = event.facts["fence"]

    def _end_claim(self, event: Event, to: str) -> None:
        if event.facts.get("fence", self.fence) != self.fence:
            self.wrong.append(f"is at fence {self.fence} at {event.action} under fence {event.facts['fence']}")
        self._leave(event, "claimed", to)

    def _leave(self, event: Event, from_: str, to: str) -> None:
        if self.state != from_:
            self.wrong.append(f"is {self.state} at {event.action}")
        self.state, self.holder = to, None


def of_tasks(stored: Stored) -> Iterator[str]:
    paths = {task.id: TaskPath() for task in stored.tasks if task.kind != "gold"}
    for event in stored.events:
        if event.subject in paths:
            paths[event.subject].take(event)
        elif event.action in {"task.claimed", "task.opened"}:
            yield f"task {event.subject} is in the audit log and nowhere else"
    unopened: Counter[str] = Counter()
    for task in stored.tasks:
        path = paths.get(task.id)
        if path is None:
            continue
        unopened[task.item_id] += not path.opened
        yield from (f"task {task.id} {wrong}" for wrong in path.wrong)
        found, told = (task.state, task.holder, task.fence), (path.state, path.holder, path.fence)
        if found != told:
            yield f"task {task.id} is {found}, and {told} by the audit log"
    for item in stored.items:
        if unopened[item.id] > item.reviews:
            yield f"item {item.id} has {unopened[item.id]} tasks that nothing opened, for {item.reviews} reviews"
