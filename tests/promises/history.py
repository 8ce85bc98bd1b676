"""What clients saw, kept outside the system, and the rules that what is stored must keep to.

Each client logs a call before it is sent and how it ended: ok, fail (the system said no) or unknown (no answer, or
one that says nothing of what happened). When all is quiet, `faults` holds the log against the database. Each check
names the promise that it serves (docs/promises.md).
"""

from __future__ import annotations

import json
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from tests.promises import consistency
from tests.promises.stored import Stored, moment

OK, FAIL, UNKNOWN, UNDER_WAY = "ok", "fail", "unknown", "under way"
ROUNDING = timedelta(milliseconds=50)
"""Answers tell times in whole milliseconds, and SQLite keeps no more."""


@dataclass
class Call:
    """One request. A client that gets no answer sends it again: that is another call, with the same `sent`."""

    number: int
    client: str
    act: str
    sent: dict[str, Any]
    ended: str = UNDER_WAY
    told: dict[str, Any] = field(default_factory=dict)
    status: int = 0
    code: str = ""


@dataclass(frozen=True)
class Receipt:
    """A webhook that arrived."""

    webhook_id: str
    event: str
    data: dict[str, Any]


@dataclass
class History:
    """Filled by many threads."""

    calls: list[Call] = field(default_factory=list)
    receipts: list[Receipt] = field(default_factory=list)
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def invoke(self, client: str, act: str, **sent: Any) -> Call:
        with self.lock:
            call = Call(len(self.calls), client, act, sent)
            self.calls.append(call)
        return call

    def ok(self, call: Call, **told: Any) -> None:
        call.told = told
        self._end(call, OK)

    def fail(self, call: Call, status: int, code: str) -> None:
        call.status, call.code = status, code
        self._end(call, FAIL)

    def unknown(self, call: Call) -> None:
        self._end(call, UNKNOWN)

    def _end(self, call: Call, ended: str) -> None:
        with self.lock:
            call.ended = ended
            self.counts[call.act, ended] += 1

    def of(self, act: str, ended: str = OK) -> list[Call]:
        with self.lock:
            return [call for call in self.calls if call.act == act and call.ended == ended]

    def acknowledged(self, act: str) -> int:
        return self.counts[act, OK]

    @property
    def unanswered(self) -> int:
        with self.lock:
            return sum(count for (_, ended), count in self.counts.items() if ended == UNKNOWN)

    @property
    def refused(self) -> Counter[str]:
        """What the system said no to, by act, status and code."""
        with self.lock:
            return Counter(f"{call.act} {call.status} {call.code}" for call in self.calls if call.ended == FAIL)

    def told(self) -> Iterator[tuple[str, str]]:
        """Keys with the id that each was answered with, of single submissions and of batches."""
        for call in self.of("submit"):
            yield call.sent["key"], call.told["item"]
        for call in self.of("batch"):
            yield from zip(call.sent["keys"], call.told["items"], strict=True)

    def write(self, path: Path) -> None:
        """To look into what a check complains of."""
        path.write_text("".join(json.dumps(asdict(call), default=str) + "\n" for call in self.calls))


def faults(history: History, stored: Stored) -> list[str]:
    """Every promise that was broken, in words; empty when all were kept. The system must be quiet."""
    told = [fault for check in CHECKS for fault in check(history, stored)]
    return told + [fault for check in (*consistency.ALWAYS, *consistency.QUIET) for fault in check(stored)]


def nothing_is_lost(history: History, stored: Stored) -> Iterator[str]:
    """Promise 1: what was acknowledged is stored, and nobody else's is."""
    key_of = {item.id: item.key for item in stored.items}
    for key, item_id in sorted(set(history.told())):
        if item_id not in key_of:
            yield f"acknowledged item {item_id} is lost"
        elif key_of[item_id] != key:
            yield f"item {item_id} was answered to {key} and holds {key_of[item_id]}"
    sent = {call.sent["key"] for call in history.calls if call.act == "submit"}
    sent |= {key for call in history.calls if call.act == "batch" for key in call.sent["keys"]}
    for item in stored.items:
        if item.key not in sent:
            yield f"nobody sent {item.key}"


def a_key_has_one_item(history: History, stored: Stored) -> Iterator[str]:
    """Promise 2: one `Idempotency-Key` yields one item and one answer."""
    for key, count in Counter(item.key for item in stored.items).items():
        if count > 1:
            yield f"key {key} made {count} items"
    answers: dict[str, set[str]] = defaultdict(set)
    for key, item_id in history.told():
        answers[key].add(item_id)
    for key, ids in answers.items():
        if len(ids) > 1:
            yield f"key {key} was answered with {len(ids)} ids"


def a_task_has_one_holder(history: History, stored: Stored) -> Iterator[str]:
    """Promises 3 and 9: no two are told that they hold a task, no lease ends before its time, none is decided under
    after it, and none outlasts it. The times are the database's."""
    claims: dict[tuple[str, int], set[str]] = defaultdict(set)
    until: dict[tuple[str, int], datetime] = {}
    for call in history.of("claim"):
        place = call.told["task"], call.told["fence"]
        claims[place].add(call.sent["person"])
        until[place] = moment(call.told["lease_until"])
    for (task, fence), people in claims.items():
        if len(people) > 1:
            yield f"task {task} was given to {len(people)} people under fence {fence}"
    for event in stored.events:
        ends = until.get((event.subject or "", event.facts.get("fence", -1)))
        if ends is None:
            continue
        if event.action == "task.lease_expired" and event.at < ends - ROUNDING:
            yield f"task {event.subject} was taken back before its lease was over"
    for one in stored.decisions:
        ends = until.get((one.task_id, one.fence))
        if ends is not None and not one.late and one.at > ends + ROUNDING:
            yield f"task {one.task_id} was decided after its lease was over"
    for task in stored.tasks:
        if task.state == "claimed" and task.lease_over:
            yield f"task {task.id} is held although its lease is over"


def decisions_stay(history: History, stored: Stored) -> Iterator[str]:
    """Promise 5: an acknowledged decision is there as it was told, unless its author took it back in time, and the same
    request got the same decision."""
    by_id = {one.id: one for one in stored.decisions}
    undone = {call.sent["decision"] for call in history.calls if call.act == "undo" and call.ended != FAIL}
    answers: dict[tuple[str, int, str], set[str]] = defaultdict(set)
    for call in history.of("decide"):
        decision_id, sent = call.told["decision"], call.sent
        answers[sent["task"], sent["fence"], sent["person"]].add(decision_id)
        kept = by_id.get(decision_id)
        if kept is None:
            yield f"acknowledged decision {decision_id} is lost"
            continue
        said = {name: value for name, value in kept.said.items() if name in call.told}
        whose = kept.task_id, kept.fence, kept.person
        if said != {name: call.told[name] for name in said} or whose != (sent["task"], sent["fence"], sent["person"]):
            yield f"acknowledged decision {decision_id} was changed"
        if (kept.withdrawn or kept.late) and decision_id not in undone:
            yield f"acknowledged decision {decision_id} no longer stands"
    for (task, fence, _), ids in answers.items():
        if len(ids) > 1:
            yield f"claim {task}.{fence} was answered with {len(ids)} decisions"
    for call in history.of("undo"):
        if call.sent["decision"] in by_id and not by_id[call.sent["decision"]].withdrawn:
            yield f"decision {call.sent['decision']} was taken back and stands"
    for one in stored.decisions:
        if one.withdrawn_late:
            yield f"decision {one.id} was taken back after its grace time"


def a_lost_lease_changes_nothing(history: History, stored: Stored) -> Iterator[str]:
    """Promise 4: a decision that was refused because the lease was lost left no decision, and left its draft."""
    standing = {(one.task_id, one.fence, one.person) for one in stored.decisions if not one.late}
    last: dict[tuple[str, str], Call | None] = {}
    for call in history.calls:
        if call.act not in {"draft", "decide", "undo"}:
            continue
        place = call.sent["task"], call.sent["person"]
        lost = call.act == "decide" and call.ended == FAIL and call.status == 409
        if lost and call.code != "already_decided" and (call.sent["task"], call.sent["fence"], place[1]) in standing:
            yield f"decision on {place[0]} by {place[1]} was refused and stands"
        if lost or (call.act == "draft" and call.ended == OK):
            last[place] = call
        elif call.ended != FAIL:
            last[place] = None  # decided, brought back, or nobody knows
    for place, wrote in last.items():
        if wrote is None:
            continue
        if place not in stored.drafts:
            yield f"what {place[1]} typed on {place[0]} is lost"
        elif "body" in wrote.sent and stored.drafts[place] != wrote.sent["body"]:
            yield f"what {place[1]} typed on {place[0]} is kept otherwise"


def what_was_sent_arrived(history: History, stored: Stored) -> Iterator[str]:
    """Promise 8: what is said to have arrived did."""
    arrived = {receipt.webhook_id for receipt in history.receipts}
    for delivery in stored.deliveries:
        if delivery.state == "delivered" and delivery.webhook_id not in arrived:
            yield f"webhook {delivery.webhook_id} is said to have arrived and has not"


def webhooks_tell_the_truth(history: History, stored: Stored) -> Iterator[str]:
    """Promise 8: a webhook has the id of its resolution, there is none without one, and it tells what is stored."""
    resolutions = {f"msg_{one.id}": one for one in stored.resolutions}
    queued = {f"msg_{item.id}_queued" for item in stored.items}
    for receipt in history.receipts:
        resolution = resolutions.get(receipt.webhook_id)
        if resolution is None:
            if receipt.webhook_id not in queued:
                yield f"webhook {receipt.webhook_id} tells of what is not stored"
            continue
        told = receipt.data["resolution"]
        if {**resolution.said} != {"verdict": told["verdict"], "output": told["output"]}:
            yield f"webhook {receipt.webhook_id} tells something else than resolution {resolution.id}"


def acts_are_on_record(history: History, stored: Stored) -> Iterator[str]:
    """Promise 11: every act that a client was told of is in the audit log."""
    recorded = {(event.action, event.subject, event.facts.get("fence"), event.actor) for event in stored.events}
    for act, action in ACTS.items():
        for call in history.of(act):
            place = {**call.sent, **call.told}
            if (action, place["task"], place["fence"], call.sent["person"]) not in recorded:
                yield f"{act} of {place['task']} by {call.sent['person']} has no audit event"


ACTS = {
    "claim": "task.claimed", "decide": "task.decided", "skip": "task.skipped", "escalate": "task.escalated",
    "release": "task.released",
}  # fmt: skip


def the_chain_holds(_: History, stored: Stored) -> Iterator[str]:
    """Promise 10: every event is sealed, and `audit verify` finds nothing."""
    for event_id in stored.unsealed:
        yield f"event {event_id} is not sealed"
    for found in stored.chain:
        yield f"audit verify: {found}"


CHECKS = (
    nothing_is_lost, a_key_has_one_item, a_task_has_one_holder, decisions_stay, a_lost_lease_changes_nothing,
    what_was_sent_arrived, webhooks_tell_the_truth, acts_are_on_record, the_chain_holds,
)  # fmt: skip
