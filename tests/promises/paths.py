"""The audit log played back: where it says that items and tasks went, held against the rules and where they stand."""

from __future__ import annotations

from collections import defaultdict
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
    round: int = 1
    came_with: int | None = None
    """So many tasks that nothing else opened; None: one for each review that is asked for."""
    standing: dict[str, int] = field(default_factory=dict)
    """Decisions, with their round."""
    withdrawn: set[str] = field(default_factory=set)
    late: set[str] = field(default_factory=set)
    tasks: set[str | None] = field(default_factory=set)
    """Opened by an event of their own."""
    wrong: list[str] = field(default_factory=list)

    def take(self, event: Event) -> None:
        if self.state is None and event.action != "item.submitted":
            self.wrong.append(f"begins with {event.action}")
        match event.action:
            case "item.submitted":
                self._submitted(event)
            case "task.opened":
                if self.state in ENDED and event.subject not in self.tasks:
                    self.wrong.append(f"is {self.state} when a task is opened")
                self.tasks.add(event.subject)
            case "task.decided":
                self._decided(event.facts["decision"])
            case "decision.withdrawn":
                self._withdrawn(event.facts["decision"])
            case "task.decided_late":
                self.standing.pop(event.facts["decision"], None)
                self.late.add(event.facts["decision"])
            case "item.reopened":
                self._reopened(event)
            case "item.resolved" | "item.revised":
                self._resolved(event)

    def _submitted(self, event: Event) -> None:
        if self.state is not None:
            self.wrong.append("is submitted twice")
        self.state = ItemState(event.facts["state"])
        self.revision = int(self.state in ENDED)
        self.came_with = int(bool(event.facts.get("audit_sample"))) if self.state in ENDED else None

    def _decided(self, decision: str) -> None:
        if decision in self.standing:
            self.wrong.append(f"has {decision} noted twice")
        self.standing[decision] = self.round
        if self.state is ItemState.QUEUED:
            self._move(ItemState.IN_REVIEW)

    def _withdrawn(self, decision: str) -> None:
        if self.standing.pop(decision, None) is None:
            self.wrong.append(f"has {decision} withdrawn, which did not stand")
        self.withdrawn.add(decision)
        if self.round not in self.standing.values() and self.state is ItemState.IN_REVIEW:
            self._move(ItemState.QUEUED)

    def _reopened(self, event: Event) -> None:
        if self.state not in ENDED:
            self.wrong.append(f"is {self.state} when it is reopened")
        self._move(ItemState.QUEUED)
        self.round += 1
        if event.facts["round"] != self.round:
            self.wrong.append(f"begins round {event.facts['round']} where {self.round} is next")
        self.tasks.add(event.subject)

    def _resolved(self, event: Event) -> None:
        self._move(ItemState(event.facts["state"]))
        self.revision += 1
        if event.facts["revision"] != self.revision:
            self.wrong.append(f"gets revision {event.facts['revision']} where {self.revision} is next")
        if (event.action == "item.resolved") != (self.revision == 1):
            self.wrong.append(f"gets revision {self.revision} by {event.action}")

    def _move(self, to: ItemState) -> None:
        if self.state is not None and to not in MOVES[self.state]:
            self.wrong.append(f"goes from {self.state} to {to}")
        self.state = to


def of_items(stored: Stored) -> Iterator[str]:
    paths: dict[str, ItemPath] = defaultdict(ItemPath)
    for event in stored.events:
        if event.item_id is not None:
            paths[event.item_id].take(event)
    unopened: dict[str, int] = defaultdict(int)
    for task in stored.tasks:
        if task.kind != "gold" and task.item_id in paths:
            unopened[task.item_id] += task.id not in paths[task.item_id].tasks
    decided: dict[str, list[set[str]]] = defaultdict(lambda: [set(), set(), set()])
    for one in stored.decisions:
        decided[one.item_id][1 if one.withdrawn else 2 if one.late else 0].add(one.id)
    for item in stored.items:
        path = paths.pop(item.id, None)
        if path is None:
            yield f"item {item.id} has no audit event"
            continue
        yield from (f"item {item.id} {wrong}" for wrong in path.wrong)
        if path.state is not None and path.state != item.state:
            yield f"item {item.id} is {item.state}, and {path.state} by the audit log"
        if (path.revision, path.round) != (item.revision, item.round):
            where = f"at revision {item.revision} of round {item.round}"
            yield f"item {item.id} is {where}, and {path.revision} of {path.round} by the audit log"
        expected = item.reviews if path.came_with is None else path.came_with
        if unopened[item.id] != expected:
            yield f"item {item.id} has {unopened[item.id]} tasks that nothing opened, for {expected} reviews"
        told = [set(path.standing), path.withdrawn, path.late]
        if decided[item.id] != told:
            yield f"item {item.id} has decisions {decided[item.id]}, and {told} by the audit log"
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
    wrong: list[str] = field(default_factory=list)

    def take(self, event: Event) -> None:
        if event.action == "task.claimed":
            # Its holder gets it anew when the lease was over and nobody has noticed.
            if self.state != "open" and self.holder != event.actor:
                self.wrong.append(f"is {self.state} by {self.holder} when {event.actor} claims it")
            self._rise(event)
            self.state, self.holder = "claimed", event.actor
        elif event.action == "task.escalated" and "fence" not in event.facts:
            if self.state != "open":
                self.wrong.append(f"is {self.state} when it goes beyond the leads")
        elif event.action in BACK or event.action == "task.escalated":
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
    known = {task.id for task in stored.tasks}
    for event in stored.events:
        if event.subject in paths:
            paths[event.subject].take(event)
        elif event.action in {"task.claimed", "task.opened"} and event.subject not in known:
            yield f"task {event.subject} is in the audit log and nowhere else"
    for task in stored.tasks:
        path = paths.get(task.id)
        if path is None:
            continue
        yield from (f"task {task.id} {wrong}" for wrong in path.wrong)
        found, told = (task.state, task.holder, task.fence), (path.state, path.holder, path.fence)
        if found != told:
            yield f"task {task.id} is {found}, and {told} by the audit log"
