"""What must be true of any database of ours: its audit events, told again in order, give the rows that are there.

Read in SQL of our own, as the product's queries may have the fault that is looked for. Promises 1, 3, 5, 8 and 11.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, text

from tests.promises.stored import plain

ENDED = {"auto_approved", "resolved", "expired", "cancelled"}
WAITS = {"queued", "in_review"}
FIRST = "0" * 32
MOVES = {("queued", end) for end in ("resolved", "expired", "cancelled")} | {("auto_approved", "resolved")}
"""Of an item, by a resolution. `in_review` is what a decision that stands makes of `queued`."""


@dataclass
class Told:
    """A task, as its events tell it."""

    kind: str
    state: str = "open"
    fence: int = 0
    holder: str | None = None


@dataclass
class Item:
    """An item, as its events tell it."""

    state: str
    tasks: dict[str, Told]
    revision: int = 0
    round: int = 1
    standing: dict[str, int] = field(default_factory=dict)
    """Decisions, with their round."""
    withdrawn: set[str] = field(default_factory=set)
    late: set[str] = field(default_factory=set)

    @property
    def spoken(self) -> str:
        decided = self.state == "queued" and self.round in self.standing.values()
        return "in_review" if decided else self.state


class Illegal(Exception):
    """An event that cannot follow those before it."""


def need(condition: object, why: str) -> None:
    if not condition:
        raise Illegal(why)


def faults(engine: Engine, *, quiet: bool = True, after: str = FIRST) -> list[str]:
    """Everything that does not fit, in words, of items that came after that one, and in all else.

    `quiet`: nothing is under way, so nothing may be left to be done.
    """
    with engine.connect() as connection:
        stored = _Stored(connection, UUID(after))
    return [*_events(stored), *_ends(stored), *_answers(stored), *(_left(stored) if quiet else ())]


class _Stored:
    def __init__(self, connection: Connection, after: UUID) -> None:
        id_of = str(after) if connection.dialect.name == "postgresql" else after.hex

        def rows(statement: str) -> list[Any]:
            found = connection.execute(text(statement), {"after": id_of} if ":after" in statement else {})
            names = tuple(found.keys())
            return [Row(zip(names, map(plain, row), strict=True)) for row in found]

        of = "item_id > :after"
        self.items = {
            row.id: row for row in rows("SELECT id, state, revision, round, reviews FROM item WHERE id > :after")
        }
        self.tasks = by_item(
            rows(f"SELECT id, item_id, state, kind, round, fence, holder FROM task WHERE {of} AND kind <> 'gold'")
        )
        self.decisions = rows(
            "SELECT id, task_id, item_id, round, person_id, withdrawn_at, late FROM decision"
            f" WHERE {of} AND correct IS NULL"
        )
        self.decisions_of = by_item(self.decisions)
        self.resolutions = rows(f'SELECT id, item_id, revision, "by", position, decision_id FROM resolution WHERE {of}')
        pending = f"SELECT decision_id FROM pending_release JOIN decision ON decision.id = decision_id WHERE {of}"
        self.pending = {row.decision_id for row in rows(pending)}
        events = rows(f"SELECT id, action, actor, item_id, subject, facts FROM audit_event WHERE {of} ORDER BY id")
        self.events = by_item(events)
        self.outbox = rows("SELECT topic, ref, error FROM outbox")
        self.keys = rows("SELECT answer FROM idempotency_key ORDER BY created_at DESC LIMIT 3")
        self.deliveries = rows("SELECT endpoint_id, event_id, event, state, ref FROM webhook_delivery")
        self.endpoints = rows("SELECT id, position FROM webhook_endpoint")
        self.noted = {row.item_id for row in rows("SELECT item_id FROM item_likeness")}
        self.known = {row.id for row in rows("SELECT id FROM item UNION SELECT id FROM resolution")}


def by_item(rows: list[Any]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = defaultdict(list)
    for row in rows:
        found[row.item_id].append(row)
    return found


class Row(dict[str, Any]):
    def __getattr__(self, name: str) -> Any:
        return self[name]


# -- the events, told again -------------------------------------------------------------------------------------------


def _events(stored: _Stored) -> Iterator[str]:
    for item_id in stored.events.keys() - stored.items.keys():
        yield f"events of an item {item_id} that is not there"
    for item_id, item in stored.items.items():
        try:
            told = _retold(stored.events[item_id], item, stored.tasks[item_id])
        except Illegal as error:
            yield f"item {item_id}: {error}; {[event.action for event in stored.events[item_id]]}"
        else:
            yield from _compared(stored, item, told)


def _retold(events: list[Any], item: Any, tasks: list[Any]) -> Item:
    need(events and events[0].action == "item.submitted", "its first event is not its submission")
    opened = {event.subject for event in events if event.action in {"task.opened", "item.reopened"}}
    at_once = {task.id: Told(task.kind) for task in tasks if task.id not in opened}
    facts = json.loads(events[0].facts)
    expected = item.reviews if facts["state"] == "queued" else int(bool(facts["audit_sample"]))
    need(len(at_once) == expected, f"it came with {len(at_once)} tasks, not with {expected}")
    told = Item(facts["state"], at_once, revision=int(facts["state"] in ENDED))
    for event in events[1:]:
        need(event.action != "item.submitted", "it was submitted twice")
        if event.action in ACTS:
            ACTS[event.action](told, event, json.loads(event.facts))
    return told


def _claimed(item: Item, event: Any, facts: Any) -> None:
    task = item.tasks[event.subject]
    again = task.state == "claimed" and task.holder == event.actor
    need(task.state == "open" or again, f"a task was claimed that was {task.state}")
    need(facts["fence"] == task.fence + 1, f"fence {facts['fence']} follows {task.fence}")
    task.state, task.fence, task.holder = "claimed", facts["fence"], event.actor


def _handed_back(item: Item, event: Any, facts: Any) -> None:
    task = item.tasks[event.subject]
    if event.action == "task.escalated" and "fence" not in facts:
        need(task.state == "open", "a task went beyond the leads that they had in hand")
        return
    need(task.state == "claimed", f"{event.action} of a task that was {task.state}")
    need(facts["fence"] == task.fence, f"{event.action} with fence {facts['fence']}, which was {task.fence}")
    task.state, task.holder = "open", None


def _decided(item: Item, event: Any, facts: Any) -> None:
    task = item.tasks[event.subject]
    need(task.state == "claimed" and task.holder == event.actor, "it was decided by somebody who did not hold it")
    need(facts["fence"] == task.fence, "it was decided with an old fence")
    need(facts["decision"] not in item.standing, "a decision was noted twice")
    task.state, task.holder = "done", None
    item.standing[facts["decision"]] = item.round


def _withdrawn(item: Item, event: Any, facts: Any) -> None:
    task = item.tasks[event.subject]
    need(task.state == "done" and facts["decision"] in item.standing, "a decision was withdrawn that did not stand")
    task.state = "open"
    del item.standing[facts["decision"]]
    item.withdrawn.add(facts["decision"])


def _cancelled(item: Item, event: Any, facts: Any) -> None:
    task = item.tasks[event.subject]
    need(task.state in {"open", "claimed"}, f"a task was cancelled that was {task.state}")
    need(facts["fence"] == task.fence + 1, "a cancelled task must get a fence of its own")
    task.state, task.fence, task.holder = "cancelled", facts["fence"], None


def _late(item: Item, _event: Any, facts: Any) -> None:
    item.standing.pop(facts["decision"], None)
    item.late.add(facts["decision"])


def _opened(item: Item, event: Any, facts: Any) -> None:
    need(event.subject in item.tasks or item.state in WAITS, "a task was opened on an item that had ended")
    item.tasks[event.subject] = Told(facts["kind"])


def _resolved(item: Item, event: Any, facts: Any) -> None:
    need(facts["revision"] == item.revision + 1, f"revision {facts['revision']} follows {item.revision}")
    need((event.action == "item.resolved") == (facts["revision"] == 1), "a first answer is no revision, a later one is")
    need((item.state, facts["state"]) in MOVES, f"it went from {item.state} to {facts['state']}")
    item.state, item.revision = facts["state"], facts["revision"]


def _reopened(item: Item, event: Any, facts: Any) -> None:
    need(item.state in ENDED - {"cancelled"}, f"it was reopened when it was {item.state}")
    need(facts["round"] == item.round + 1, "a reopening begins the next round")
    item.state, item.round = "queued", facts["round"]
    item.tasks[event.subject] = Told("appeal")


ACTS: dict[str, Callable[[Item, Any, Any], None]] = {
    "task.claimed": _claimed, "task.released": _handed_back, "task.lease_expired": _handed_back,
    "task.taken_back": _handed_back, "task.skipped": _handed_back, "task.escalated": _handed_back,
    "task.decided": _decided, "decision.withdrawn": _withdrawn, "task.cancelled": _cancelled,
    "task.decided_late": _late, "task.opened": _opened, "item.resolved": _resolved, "item.revised": _resolved,
    "item.reopened": _reopened,
}  # fmt: skip


def _compared(stored: _Stored, item: Any, told: Item) -> Iterator[str]:
    said = f"the events of item {item.id} say"
    if (item.state, item.revision, item.round) != (told.spoken, told.revision, told.round):
        yield f"{said} {told.spoken} {told.revision} {told.round}, it is {item.state} {item.revision} {item.round}"
    there = {task.id: (task.state, task.fence, task.holder) for task in stored.tasks[item.id]}
    wanted = {task_id: (task.state, task.fence, task.holder) for task_id, task in told.tasks.items()}
    if there != wanted:
        yield f"{said} of its tasks {wanted}, they are {there}"
    mine = stored.decisions_of[item.id]
    for kind, known, found in (
        ("stand", set(told.standing), {one.id for one in mine if one.withdrawn_at is None and not one.late}),
        ("are withdrawn", told.withdrawn, {one.id for one in mine if one.withdrawn_at is not None}),
        ("are late", told.late, {one.id for one in mine if one.late}),
    ):
        if known != found:
            yield f"{said} that {known} {kind}, and {found} do"


# -- the rows among themselves ----------------------------------------------------------------------------------------


def _ends(stored: _Stored) -> Iterator[str]:
    revisions: dict[str, list[int]] = defaultdict(list)
    for resolution in stored.resolutions:
        revisions[resolution.item_id].append(resolution.revision)
    pending = {one.item_id for one in stored.decisions if one.id in stored.pending}
    for item in stored.items.values():
        if sorted(revisions[item.id]) != list(range(1, item.revision + 1)):
            yield f"item {item.id} has the resolutions {sorted(revisions[item.id])} and revision {item.revision}"
        if (item.state in ENDED and not item.revision) or (item.state in WAITS and item.round == 1 and item.revision):
            yield f"item {item.id} is {item.state} with revision {item.revision}"
        unfinished = [task for task in stored.tasks[item.id] if task.state in {"open", "claimed"}]
        if item.state in WAITS and not unfinished and item.id not in pending:
            yield f"item {item.id} is {item.state}, and nobody will ever decide it"
        if item.state in ENDED - {"auto_approved"} and unfinished:
            yield f"item {item.id} is {item.state}, and somebody is to decide it"


def _answers(stored: _Stored) -> Iterator[str]:
    standing = [one for one in stored.decisions if one.withdrawn_at is None and not one.late]
    for (task_id,), count in Counter((one.task_id,) for one in standing).items():
        if count > 1:
            yield f"task {task_id} has {count} standing decisions"
    for key, count in Counter((one.item_id, one.round, one.person_id) for one in standing).items():
        if count > 1:
            yield f"{key} has {count} standing decisions"
    for decision_id in stored.pending - {one.id for one in standing}:
        yield f"decision {decision_id} is to take effect, and does not stand"
    for key in stored.keys:
        answer = json.loads(key.answer)
        told = answer.get("results", [{"status": 201, "item": answer}])
        for one in told:
            if one["status"] < 300 and one["item"]["id"] not in stored.known:
                yield f"a key is answered with item {one['item']['id']}, which is not there"


def _left(stored: _Stored) -> Iterator[str]:
    for row in stored.outbox:
        yield f"{row.topic} of {row.ref} was not done: {row.error}"
    for item_id in {item_id for item_id, tasks in stored.tasks.items() if tasks} - stored.noted:
        yield f"no job ever looked at item {item_id}, which came with a task"
    for decision_id in stored.pending:
        yield f"decision {decision_id} is in its grace time still"
    for resolution in stored.resolutions:
        if resolution.position is None:
            yield f"resolution {resolution.id} is not in the feed"
    places = sorted(one.position or 0 for one in stored.resolutions)
    if places and places != list(range(places[0], places[-1] + 1)):
        yield f"the feed has the places {places}"
    yield from _undelivered(stored)


def _undelivered(stored: _Stored) -> Iterator[str]:
    """Endpoints that listen to everything are told of each resolution once."""
    for endpoint in stored.endpoints:
        sent = [one for one in stored.deliveries if one.endpoint_id == endpoint.id]
        times = Counter(one.event_id for one in sent)
        for resolution in stored.resolutions:
            if times[f"msg_{resolution.id}"] != 1:
                yield f"an endpoint was sent resolution {resolution.id} {times[f'msg_{resolution.id}']} times"
        for one in sent:
            if one.ref not in stored.known:
                yield f"an endpoint was told {one.event} of {one.ref}, which is not there"
        for one in sent:
            if one.state != "delivered":
                yield f"{one.event} {one.event_id} is {one.state}"
