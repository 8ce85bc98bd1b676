"""What the database holds, read in SQL of our own: the product's queries may have the fault that is looked for."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, text


@dataclass(frozen=True)
class Item:
    id: str
    key: str
    """What its client wrote into its input."""
    state: str
    revision: int = 0
    round: int = 1
    reviews: int = 1


@dataclass(frozen=True)
class Task:
    id: str
    item_id: str
    kind: str = "review"
    state: str = "open"
    holder: str | None = None
    fence: int = 0
    lease_over: bool = False
    """Since more than the five seconds in which it is to return."""


@dataclass(frozen=True)
class Decision:
    id: str
    task_id: str
    item_id: str
    round: int
    person: str
    fence: int
    said: Mapping[str, Any]
    """Verdict, output, reason, comment and message, as an answer tells them."""
    at: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    """When its claim was found to be live."""
    withdrawn: bool = False
    withdrawn_late: bool = False
    """After its grace time."""
    late: bool = False


@dataclass(frozen=True)
class Resolution:
    id: str
    item_id: str
    revision: int = 1
    by: str = "people"
    said: Mapping[str, Any] = field(default_factory=dict)
    """Verdict and output."""
    decision_id: str | None = None
    position: int | None = None
    """In the feed of its queue."""
    queue: str = ""


@dataclass(frozen=True)
class Event:
    """A line of the audit log."""

    action: str
    actor: str
    item_id: str | None = None
    subject: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    at: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    id: str = ""


@dataclass(frozen=True)
class Delivery:
    webhook_id: str
    event: str
    ref: str
    state: str = "delivered"
    listens: str = "item.resolved"
    """The endpoint to which it goes."""


@dataclass
class Stored:
    """Everything that the rules look at. Events are in the order in which they were committed."""

    items: list[Item] = field(default_factory=list)
    tasks: list[Task] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    resolutions: list[Resolution] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    drafts: dict[tuple[str, str], Any] = field(default_factory=dict)
    """By task and person."""
    deliveries: list[Delivery] = field(default_factory=list)
    listening: dict[str, list[str]] = field(default_factory=dict)
    """Items of queues to which somebody listens, with the endpoints that do: each of everything."""
    unsealed: list[str] = field(default_factory=list)
    """Ids of events that are not sealed."""
    chain: list[str] = field(default_factory=list)
    """What `audit verify` found."""
    outbox: list[str] = field(default_factory=list)
    """What is in it, in words."""
    in_grace: set[str] = field(default_factory=set)
    """Decisions that are to take effect."""
    looked_at: set[str] = field(default_factory=set)
    """Items that a job has looked at, as it does at each that came with a task."""
    answers: list[Any] = field(default_factory=list)
    """Kept for repetitions of a request, the newest."""
    known: set[str] = field(default_factory=set)
    """Ids of all items and resolutions that there are."""


def read(engine: Engine, chain: list[str] | None = None, *, after: str | None = None) -> Stored:
    """The database as it is now; `chain`: what `audit verify` found; `after`: only what is of items that came after
    that one, so that many small looks at a growing database stay cheap."""
    with engine.connect() as connection:
        first = UUID(after or FIRST)
        id_of = str(first) if engine.dialect.name == "postgresql" else first.hex

        def rows(statement: str) -> list[tuple[Any, ...]]:
            given = {"after": id_of} if ":after" in statement else {}
            return [tuple(plain(value) for value in row) for row in connection.execute(text(statement), given)]

        over, order = (OVER_SQLITE, "rowid") if engine.dialect.name == "sqlite" else (OVER, "at, id")
        items = [
            Item(row[0], key_in(row[1]), *row[2:])
            for row in rows("SELECT id, input, state, revision, round, reviews FROM item WHERE id > :after")
        ]
        return Stored(
            items=items,
            tasks=[
                Task(*row[:-1], lease_over=bool(row[-1]))
                for row in rows(f"SELECT id, item_id, kind, state, holder, fence, {over} FROM task WHERE {OF}")
            ],
            decisions=[_decision(row) for row in rows(DECISIONS)],
            resolutions=[_resolution(row) for row in rows(RESOLUTIONS)],
            events=[
                Event(*row[:4], facts=json.loads(row[4]), at=moment(row[5]), id=row[6])
                for row in rows(f"{EVENTS} {f'WHERE {OF}' if after else ''} ORDER BY {order}")
            ],
            drafts={row[:2]: json.loads(row[2]) for row in rows("SELECT task_id, person_id, body FROM draft")},
            deliveries=[
                Delivery(*row) for row in rows("SELECT event_id, event, ref, state, endpoint_id FROM webhook_delivery")
            ],
            listening=_listening(rows(LISTENING)),
            unsealed=[row[0] for row in rows(UNSEALED)],
            chain=chain or [],
            outbox=[f"{row[0]} of {row[1]} ({row[2]})" for row in rows("SELECT topic, ref, error FROM outbox")],
            in_grace={row[0] for row in rows(IN_GRACE)},
            looked_at={row[0] for row in rows("SELECT item_id FROM item_likeness")},
            answers=[json.loads(row[0]) for row in rows(ANSWERS)],
            known={row[0] for row in rows("SELECT id FROM item UNION SELECT id FROM resolution")},
        )


FIRST = "0" * 32
OF = "item_id > :after"
OVER = "coalesce(lease_until < clock_timestamp() - interval '5 seconds', false)"
OVER_SQLITE = "coalesce(lease_until < strftime('%Y-%m-%d %H:%M:%f000', 'now', '-5 seconds'), 0)"
DECISIONS = (
    "SELECT id, task_id, item_id, round, person_id, fence, verdict, output, reason, comment, message,"
    " decided_at, withdrawn_at, releases_at, late FROM decision WHERE item_id > :after AND correct IS NULL"
)
RESOLUTIONS = (
    'SELECT id, item_id, revision, "by", verdict, output, decision_id, position, queue_id FROM resolution'
    " WHERE item_id > :after ORDER BY revision"
)
EVENTS = "SELECT action, actor, item_id, subject, facts, at, id FROM audit_event"
IN_GRACE = "SELECT decision_id FROM pending_release JOIN decision ON decision.id = decision_id WHERE item_id > :after"
ANSWERS = "SELECT answer FROM idempotency_key ORDER BY created_at DESC LIMIT 50"
LISTENING = (
    "SELECT item.id, webhook_endpoint.id FROM item JOIN webhook_endpoint ON webhook_endpoint.queue_id = item.queue_id"
)
UNSEALED = "SELECT id FROM audit_event WHERE id NOT IN (SELECT event_id FROM audit_seal)"


def _decision(row: tuple[Any, ...]) -> Decision:
    verdict, output, reason, comment, message, at, withdrawn, releases, late = row[6:]
    return Decision(
        *row[:6],
        said={
            "verdict": verdict, "output": json.loads(output), "reason": reason, "comment": comment, "message": message,
        },
        at=moment(at),
        withdrawn=withdrawn is not None,
        withdrawn_late=withdrawn is not None and moment(withdrawn) > moment(releases),
        late=bool(late),
    )  # fmt: skip


def _resolution(row: tuple[Any, ...]) -> Resolution:
    said = {"verdict": row[4], "output": json.loads(row[5])}
    return Resolution(*row[:4], said, decision_id=row[6], position=row[7], queue=row[8])


def _listening(rows: list[tuple[Any, ...]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for item_id, endpoint_id in rows:
        found.setdefault(item_id, []).append(endpoint_id)
    return found


def plain(value: Any) -> Any:
    """An id as clients see it: PostgreSQL keeps UUIDs, SQLite their digits."""
    if isinstance(value, UUID):
        return str(value)
    return str(UUID(value)) if isinstance(value, str) and DIGITS.fullmatch(value) else value


DIGITS = re.compile("[0-9a-f]{32}")


def moment(value: Any) -> datetime:
    """A time as either database keeps it, or an answer tells it."""
    found = datetime.fromisoformat(value) if isinstance(value, str) else value
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def key_in(given: str) -> str:
    """The key that a client wrote into the item's input."""
    return given.partition("<")[2].partition(">")[0]
