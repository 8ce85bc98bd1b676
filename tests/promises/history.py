"""What clients saw, kept outside the system, and the rules that what is stored must keep to it."""

from __future__ import annotations

import json
import re
import threading
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, text


@dataclass(frozen=True)
class Submitted:
    """An item acknowledged with 201: the key it was sent with, the id that was answered."""

    key: str
    item_id: str


@dataclass(frozen=True)
class Decided:
    """A decision acknowledged with 200."""

    decision_id: str
    task_id: str
    verdict: str
    output: str


@dataclass
class History:
    """Filled by many threads. `sent` holds every key, also those whose answer never came."""

    sent: set[str] = field(default_factory=set)
    submitted: list[Submitted] = field(default_factory=list)
    decided: list[Decided] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    unknown: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


@dataclass(frozen=True)
class StoredDecision:
    decision_id: str
    task_id: str
    item_id: str
    round: int
    person_id: str
    verdict: str
    output: str
    standing: bool = True


@dataclass
class Stored:
    """What the database holds: items as (id, key), resolutions as (item, revision), item states, the outbox."""

    items: list[tuple[str, str]] = field(default_factory=list)
    states: dict[str, str] = field(default_factory=dict)
    decisions: list[StoredDecision] = field(default_factory=list)
    resolutions: list[tuple[str, int]] = field(default_factory=list)
    submissions_audited: list[str] = field(default_factory=list)
    outbox: int = 0


def faults(history: History, stored: Stored) -> list[str]:
    """Every promise that was broken, in words; empty when all were kept."""
    return [*_items(history, stored), *_decisions(history, stored), *_resolutions(stored), *_rest(stored)]


def _items(history: History, stored: Stored) -> list[str]:
    found = []
    key_of = dict(stored.items)
    for one in history.submitted:
        if one.item_id not in key_of:
            found.append(f"acknowledged item {one.item_id} is lost")
        elif key_of[one.item_id] != one.key:
            found.append(f"item {one.item_id} was answered to {one.key} and holds {key_of[one.item_id]}")
    counts = Counter(key for _, key in stored.items)
    found += [f"key {key} made {count} items" for key, count in counts.items() if count > 1]
    found += [f"nobody sent {key}" for key in counts if key not in history.sent]
    answers: dict[str, set[str]] = defaultdict(set)
    for one in history.submitted:
        answers[one.key].add(one.item_id)
    found += [f"key {key} was answered with {len(ids)} ids" for key, ids in answers.items() if len(ids) > 1]
    return found


def _decisions(history: History, stored: Stored) -> list[str]:
    found = []
    by_id = {one.decision_id: one for one in stored.decisions}
    for seen in history.decided:
        kept = by_id.get(seen.decision_id)
        if kept is None:
            found.append(f"acknowledged decision {seen.decision_id} is lost")
        elif (kept.task_id, kept.verdict, kept.output) != (seen.task_id, seen.verdict, seen.output):
            found.append(f"acknowledged decision {seen.decision_id} was changed")
        elif not kept.standing:
            found.append(f"acknowledged decision {seen.decision_id} no longer stands")
    standing = [one for one in stored.decisions if one.standing]
    tasks = Counter(one.task_id for one in standing)
    found += [f"task {task} has {count} standing decisions" for task, count in tasks.items() if count > 1]
    people = Counter((one.item_id, one.round, one.person_id) for one in standing)
    found += [f"{person} decided {item} {count} times" for (item, _, person), count in people.items() if count > 1]
    return found


def _resolutions(stored: Stored) -> list[str]:
    counts = Counter(stored.resolutions)
    found = [f"item {item} has {count} resolutions {n}" for (item, n), count in counts.items() if count > 1]
    ended = {item for item, _ in stored.resolutions}
    decided = {one.item_id for one in stored.decisions if one.standing}
    found += [f"item {item} is decided and has no resolution" for item in decided - ended]
    for item, state in stored.states.items():
        if (state in {"resolved", "auto_approved"}) != (item in ended):
            found.append(f"item {item} is {state} and has {'a' if item in ended else 'no'} resolution")
    return found


def _rest(stored: Stored) -> list[str]:
    found = [f"{stored.outbox} outbox rows are left"] if stored.outbox else []
    audited = Counter(stored.submissions_audited)
    found += [
        f"submission of {item} has {audited[item]} audit events" for item, _ in stored.items if audited[item] != 1
    ]
    return found


def read(engine: Engine) -> Stored:
    """The database as it is now, in SQL of our own: the product's queries may have the fault we look for."""
    with engine.connect() as connection:

        def rows(statement: str) -> list[tuple]:  # type: ignore[type-arg]
            return [tuple(plain(value) for value in row) for row in connection.execute(text(statement))]

        items = rows("SELECT id, input, state FROM item")
        return Stored(
            items=[(item_id, key_in(given)) for item_id, given, _ in items],
            states={item_id: state for item_id, _, state in items},
            decisions=[
                StoredDecision(*row[:6], output=json.dumps(json.loads(row[6]), sort_keys=True), standing=row[7] is None)
                for row in rows(
                    "SELECT id, task_id, item_id, round, person_id, verdict, output, withdrawn_at FROM decision"
                    " WHERE NOT late"
                )
            ],
            resolutions=rows("SELECT item_id, revision FROM resolution"),  # type: ignore[arg-type]
            submissions_audited=[row[0] for row in rows(SUBMISSIONS)],
            outbox=rows("SELECT count(*) FROM outbox")[0][0],
        )


def plain(value: Any) -> Any:
    """An id as clients see it: PostgreSQL keeps UUIDs, SQLite their digits."""
    if isinstance(value, UUID):
        return str(value)
    return str(UUID(value)) if isinstance(value, str) and DIGITS.fullmatch(value) else value


DIGITS = re.compile("[0-9a-f]{32}")
SUBMISSIONS = "SELECT item_id FROM audit_event WHERE action = 'item.submitted'"


def key_in(given: str) -> str:
    """The key that a client wrote into the item's input."""
    return given.partition("<")[2].partition(">")[0]
