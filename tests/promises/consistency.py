"""What must be true of any database of ours, whatever clients saw: its audit events, played back, give the rows that
are there, and the rows fit each other. Each check names the promise that it serves (docs/promises.md)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Engine

from reviewqueue.models.states import ENDED, ItemState
from tests.promises import paths
from tests.promises.stored import Stored, read


def faults(engine: Engine, *, quiet: bool = True, after: str | None = None) -> list[str]:
    """Everything that does not fit, in words, of items that came after that one, and in all else.

    `quiet`: nothing is under way, so nothing may be left to be done.
    """
    stored = read(engine, after=after)
    return [fault for check in (*ALWAYS, *(QUIET if quiet else ())) for fault in check(stored)]


# -- at any moment ----------------------------------------------------------------------------------------------------


def paths_are_legal(stored: Stored) -> Iterator[str]:
    """Promises 3 and 11: the audit log, played back, takes every item and every task along a legal path to where it
    stands. So no state changed without its event, and no event is without its change."""
    yield from paths.of_items(stored)
    yield from paths.of_tasks(stored)


def decisions_stand_once(stored: Stored) -> Iterator[str]:
    """Promise 3: at most one standing decision a task, none twice by one person in a round, and in the first round no
    more than were asked for."""
    standing = [one for one in stored.decisions if not one.withdrawn and not one.late]
    for task, count in Counter(one.task_id for one in standing).items():
        if count > 1:
            yield f"task {task} has {count} standing decisions"
    for (item, _, person), count in Counter((one.item_id, one.round, one.person) for one in standing).items():
        if count > 1:
            yield f"{person} decided {item} {count} times"
    wanted = {item.id: item.reviews for item in stored.items}
    for event in stored.events:  # a tie-break is one more
        if event.action == "task.opened" and event.facts["kind"] == "review":
            wanted[event.item_id or ""] += 1
    reviews = {task.id for task in stored.tasks if task.kind == "review"}
    first = Counter(one.item_id for one in standing if one.round == 1 and one.task_id in reviews)
    for item, count in first.items():
        if count > wanted.get(item, 0):
            yield f"item {item} has {count} first reviews where {wanted.get(item, 0)} were asked for"
    for decision_id in stored.in_grace - {one.id for one in standing}:
        yield f"decision {decision_id} is to take effect, and does not stand"


def an_end_is_one_resolution(stored: Stored) -> Iterator[str]:
    """Promise 8: every end has exactly one resolution and no other item has one, each a revision of the one before, by
    a decision that stands. And nothing is stuck: what has not ended has a task, what has ended has none."""
    by_item = defaultdict(list)
    for one in stored.resolutions:
        by_item[one.item_id].append(one)
    standing = {one.id for one in stored.decisions if not one.withdrawn and not one.late}
    in_grace = {one.item_id for one in stored.decisions if one.id in stored.in_grace}
    unfinished = {task.item_id for task in stored.tasks if task.state in {"open", "claimed"} and task.kind != "gold"}
    for item in stored.items:
        revisions = sorted(one.revision for one in by_item[item.id])
        if revisions != list(range(1, len(revisions) + 1)):
            yield f"item {item.id} has resolutions {revisions}"
        elif item.revision != len(revisions):
            yield f"item {item.id} is at revision {item.revision} and has {len(revisions)} resolutions"
        if item.state in ENDED and not revisions:
            yield f"item {item.id} is {item.state} and has no resolution"
        if item.state not in ENDED and revisions and item.round == 1:
            yield f"item {item.id} is {item.state} and has a resolution"
        if item.state not in ENDED and item.id not in unfinished | in_grace:
            yield f"item {item.id} is {item.state} and nobody can end it"
        if item.state in ENDED - {ItemState.AUTO_APPROVED} and item.id in unfinished:
            yield f"item {item.id} is {item.state} and somebody is to decide it"
    for one in stored.resolutions:
        if one.by == "people" and one.decision_id not in standing:
            yield f"resolution {one.id} stands on no decision"


def rows_and_events_match(stored: Stored) -> Iterator[str]:
    """Promise 11: each decision, withdrawal and resolution has exactly one event, and each event its row."""
    events: dict[str, Counter[Any]] = defaultdict(Counter)
    for event in stored.events:
        if event.action in {"item.resolved", "item.revised"}:
            events["resolution"][event.item_id, event.facts["revision"]] += 1
        elif event.action == "item.submitted" and event.facts["state"] in ENDED:
            events["resolution"][event.item_id, 1] += 1
        elif event.action in {"task.decided", "task.decided_late", "decision.withdrawn"}:
            events[event.action][event.facts["decision"]] += 1
    decided = events["task.decided"]
    rows = {
        # One whose item had ended when its grace time was over was decided, and came late.
        "task.decided": Counter(one.id for one in stored.decisions if not one.late or one.id in decided),
        "task.decided_late": Counter(one.id for one in stored.decisions if one.late),
        "decision.withdrawn": Counter(one.id for one in stored.decisions if one.withdrawn),
        "resolution": Counter((one.item_id, one.revision) for one in stored.resolutions),
    }
    for kind, held in rows.items():
        for one in held | events[kind]:
            if (held[one], events[kind][one]) != (1, 1):
                yield f"{kind} of {one} has {events[kind][one]} audit events and {held[one]} rows"


def keys_are_answered_with_what_is_there(stored: Stored) -> Iterator[str]:
    """Promise 2: what a repetition would be told is stored."""
    for answer in stored.answers:
        for one in answer.get("results", [{"status": 201, "item": answer}]):
            if one["status"] < 300 and one["item"]["id"] not in stored.known:
                yield f"a key is answered with item {one['item']['id']}, which is not there"


ALWAYS = (
    paths_are_legal, decisions_stand_once, an_end_is_one_resolution, rows_and_events_match,
    keys_are_answered_with_what_is_there,
)  # fmt: skip


# -- when it is quiet -------------------------------------------------------------------------------------------------


def everybody_is_told_once(stored: Stored) -> Iterator[str]:
    """Promise 8: everybody who listens has one delivery of each resolution, and of each item that waits, none of what
    is not there, and nothing is still to be sent. What was given up is shown as that."""
    made = Counter((one.webhook_id, one.listens) for one in stored.deliveries)
    for one in stored.resolutions:
        for endpoint in stored.listening.get(one.item_id, ()):
            if made[f"msg_{one.id}", endpoint] != 1:
                yield f"resolution {one.id} has {made[f'msg_{one.id}', endpoint]} deliveries"
    for item in stored.items:
        waits = item.state not in ENDED and not item.revision
        for endpoint in stored.listening.get(item.id, ()) if waits else ():
            if made[f"msg_{item.id}_queued", endpoint] != 1:
                yield f"nobody was told that item {item.id} waits"
    for delivery in stored.deliveries:
        if delivery.state == "pending":
            yield f"webhook {delivery.webhook_id} is still to be sent"
        if delivery.ref not in stored.known:
            yield f"webhook {delivery.webhook_id} is of {delivery.ref}, which is not there"


def nothing_is_left_to_do(stored: Stored) -> Iterator[str]:
    """Promises 1 and 6: what was to be done was done."""
    yield from (f"outbox row {left} is left" for left in stored.outbox)
    if stored.in_grace:
        yield f"{len(stored.in_grace)} decisions wait for the end of their grace time"
    for item_id in {task.item_id for task in stored.tasks if task.kind != "gold"} - stored.looked_at:
        yield f"no job ever looked at item {item_id}, which came with a task"
    feeds: dict[str, list[int]] = defaultdict(list)
    for one in stored.resolutions:
        feeds[one.queue].append(one.position or 0)
    for places in map(sorted, feeds.values()):
        first = places[0] or 1
        if places != list(range(first, first + len(places))):
            yield f"a feed has the places {places}"


QUIET = (everybody_is_told_once, nothing_is_left_to_do)
