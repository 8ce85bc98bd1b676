"""Operation: gather what insight is told from, a page at a time. A duty of the relay.

Figures of a million items must not read a million items. So each item is read twice in its life: some time after it
came it is counted into `item_day`, and when people have judged it a narrow row without content goes to `judged_item`.
Test items are left out, and checks with a known answer, which make no resolution.

Ids sort by time, but rows are committed later than their ids are made, and clocks of machines differ: the last
`LAG_SECONDS` are left for the next time, so that nothing is passed over.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Uuid, exists, func, literal, or_, select
from sqlalchemy.orm import Session

from reviewqueue.core.db import clock, database_now, on_postgresql, upsert
from reviewqueue.core.ids import first_id_at
from reviewqueue.models import Decision, GatheredUpTo, Item, ItemDay, JudgedItem, PendingRelease, Resolution, Task
from reviewqueue.models.base import table
from reviewqueue.models.states import ItemState, ResolvedBy, TaskKind, Verdict
from reviewqueue.queues.catalog import configuration

BATCH = 1_000
LAG_SECONDS = {"postgresql": 900.0, "sqlite": 15.0}
"""Skew of clocks and long transactions; on SQLite there is one machine, and its writers queue up."""
GRACE_SECONDS = 600.0
"""The longest that a decision can be undone."""
FIRST = first_id_at(0)
_FIRST = literal(FIRST, Uuid(as_uuid=False))
NONE = ""
"""What a value is called that an item does not have."""
LONGEST = 200


def _behind(source: str, of: Any, rows: Any, seconds: float) -> Any:
    """SQL: whether the next row of a source is old enough."""
    upto = func.coalesce(select(GatheredUpTo.row_id).where(GatheredUpTo.source == source).scalar_subquery(), _FIRST)
    following = select(rows.label("at")).where(of.id > upto).order_by(of.id).limit(1).subquery()
    return exists(select(literal(1)).select_from(following).where(following.c.at < clock(-seconds)))


# The shortest lag: what is not gathered yet is asked for again the next time.
DUE = select(literal(1)).where(
    or_(
        _behind("items", Item, Item.created_at, LAG_SECONDS["sqlite"]),
        _behind("resolutions", Resolution, Resolution.created_at, LAG_SECONDS["sqlite"]),
        _behind("audits", Decision, Decision.decided_at, LAG_SECONDS["sqlite"] + GRACE_SECONDS),
    )
)


def gather(*, session: Session, lag_seconds: float | None = None) -> int:
    """Take a page of each source; returns the rows of the longest one. `lag_seconds`: in tests, where all is done."""
    name = "postgresql" if on_postgresql(session) else "sqlite"
    now = database_now(session)
    lag = LAG_SECONDS[name] if lag_seconds is None else lag_seconds
    grace = GRACE_SECONDS if lag_seconds is None else 0.0
    return max(
        _take(session, "items", _items, now, lag),
        _take(session, "resolutions", _resolutions, now, lag),
        _take(session, "audits", _audits, now, lag + grace),
    )


def _take(
    session: Session, source: str, read: Callable[[Session, str, str], Sequence[Any]], now: datetime, lag: float
) -> int:
    """Read on from where the source was left, to `lag` seconds ago, and note how far that was."""
    upto = session.scalar(select(GatheredUpTo.row_id).where(GatheredUpTo.source == source)) or FIRST
    horizon = first_id_at(now.timestamp() - lag)
    if horizon <= upto:
        return 0
    rows = read(session, upto, horizon)
    # What does not count is not looked at again, either.
    reached = rows[-1].id if len(rows) == BATCH else horizon
    add = upsert(session, GatheredUpTo).values(source=source, row_id=reached)
    session.execute(add.on_conflict_do_update(index_elements=["source"], set_={"row_id": reached}))
    return len(rows)


# -- items that came --------------------------------------------------------------------------------------------------


def _items(session: Session, upto: str, horizon: str) -> Sequence[Any]:
    rows = session.execute(
        select(
            Item.id, Item.queue_id, Item.config_version, Item.created_at, Item.model_version, Item.action,
            Item.confidence, Item.output, Item.test, func.length(Item.input).label("length"),
        )
        .where(Item.id > upto, Item.id < horizon)
        .order_by(Item.id)
        .limit(BATCH)
    ).all()  # fmt: skip
    counts: Counter[tuple[Any, ...]] = Counter()
    for row in rows:
        if not row.test:
            day = row.created_at.astimezone(UTC).date()
            for measure, value in _measures(session, row):
                counts[row.queue_id, measure, day, row.model_version or NONE, value] += 1
    if counts:
        names = ("queue_id", "measure", "day", "model_version", "value")
        add = upsert(session, ItemDay)
        session.execute(
            add.on_conflict_do_update(
                index_elements=list(names), set_={"items": table(ItemDay).c["items"] + add.excluded["items"]}
            ),
            # In one order, so that two gatherers cannot block each other.
            [{**dict(zip(names, key, strict=True)), "items": counts[key]} for key in sorted(counts)],
        )
    return rows


def _measures(session: Session, row: Any) -> list[tuple[str, str]]:
    found = [("action", row.action.value), ("confidence", hundredth(row.confidence)), ("length", half(row.length))]
    label = label_of(session, row.queue_id, row.config_version, row.output)
    return found if label is None else [*found, ("label", label)]


def hundredth(confidence: float | None) -> str:
    """The bin of a confidence: `00` to `99`; empty for none."""
    return NONE if confidence is None else f"{min(99, int(confidence * 100)):02}"


def half(length: int) -> str:
    """The bin of a length, in steps of half a doubling."""
    return f"{round(2 * math.log2(max(1, length))):02}"


def label_of(session: Session, queue_id: str, version: int, output: str) -> str | None:
    """The label in an output of a queue of type `choice`; None in any other, and of no output."""
    view = configuration(session, queue_id, version).config.view
    if view.type != "choice":
        return None
    value = json.loads(output)
    if view.output is not None:
        value = value.get(view.output) if isinstance(value, dict) else None
    if value is None:
        return None
    return (value if isinstance(value, str) else json.dumps(value))[:LONGEST]


# -- items that were judged -------------------------------------------------------------------------------------------

_OF_ITEM = (
    Item.id.label("item_id"), Item.queue_id, Item.config_version, Item.model, Item.model_version, Item.rule_title,
    Item.output, Item.confidence, Item.probability, Item.audit_sample, Item.created_at, Item.due_at,
)  # fmt: skip


def _resolutions(session: Session, upto: str, horizon: str) -> Sequence[Any]:
    """What people resolved."""
    rows = session.execute(
        select(
            Resolution.id, Resolution.revision, Resolution.verdict, Resolution.output.label("answer"),
            Resolution.created_at.label("judged_at"), *_OF_ITEM,
        )
        .join(Item, Item.id == Resolution.item_id)
        .where(
            Resolution.id > upto, Resolution.id < horizon, Resolution.by == ResolvedBy.PEOPLE, Item.test.is_(False),
            Resolution.verdict.is_not(None),
        )
        .order_by(Resolution.id)
        .limit(BATCH)
    ).all()  # fmt: skip
    for row in rows:
        values = _judged(session, row)
        add = upsert(session, JudgedItem).values(values)
        session.execute(
            add.on_conflict_do_update(
                index_elements=["item_id"], set_=values, where=table(JudgedItem).c.revision < values["revision"]
            )
        )
    return rows


def _audits(session: Session, upto: str, horizon: str) -> Sequence[Any]:
    """What people confirmed of what had passed: that makes no resolution."""
    rows = session.execute(
        select(
            Decision.id, Item.revision, Decision.verdict, Decision.output.label("answer"),
            Decision.decided_at.label("judged_at"), *_OF_ITEM,
        )
        .join(Task, Task.id == Decision.task_id)
        .join(Item, Item.id == Decision.item_id)
        .where(
            Decision.id > upto, Decision.id < horizon, Decision.verdict == Verdict.APPROVE,
            Decision.withdrawn_at.is_(None), ~Decision.late, Decision.correct.is_(None), Task.kind == TaskKind.AUDIT,
            Item.state == ItemState.AUTO_APPROVED, Item.test.is_(False),
            ~exists().where(PendingRelease.decision_id == Decision.id),
        )
        .order_by(Decision.id)
        .limit(BATCH)
    ).all()  # fmt: skip
    for row in rows:
        add = upsert(session, JudgedItem).values(_judged(session, row))
        session.execute(add.on_conflict_do_nothing(index_elements=["item_id"]))
    return rows


def _judged(session: Session, row: Any) -> dict[str, Any]:
    return {
        "item_id": row.item_id, "queue_id": row.queue_id, "revision": row.revision,
        "day": row.judged_at.astimezone(UTC).date(), "judged_at": row.judged_at, "verdict": row.verdict,
        "model": row.model or NONE, "model_version": row.model_version or NONE, "rule_title": row.rule_title,
        "label": label_of(session, row.queue_id, row.config_version, row.output),
        "answer": label_of(session, row.queue_id, row.config_version, row.answer), "confidence": row.confidence,
        "probability": row.probability, "audit_sample": row.audit_sample,
        "waited_seconds": max(0.0, (row.judged_at - row.created_at).total_seconds()),
        "in_time": row.judged_at <= row.due_at,
    }  # fmt: skip
