"""Which items an export holds, page by page. Queries."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import exists, func, or_, select
from sqlalchemy.orm import Session

from reviewqueue.models import Decision, Item, Person, Queue, Resolution, Task
from reviewqueue.models.base import table
from reviewqueue.models.states import ResolvedBy, TaskKind, Verdict

PAGE = 250
"""Rows a query: an item may have a mebibyte."""
SHARD_ROWS = 50_000

_item, _resolution, _decision = table(Item).c, table(Resolution).c, table(Decision).c
_person, _queue, _task = table(Person).c, table(Queue).c, table(Task).c


def conditions(export: Any) -> list[Any]:
    """What the export's filter and `as_of` ask for; `export` has the columns of a dataset version.

    By default: what people resolved, and what passed and was confirmed by the person who audited it. Without the
    latter, the audits in a dataset would all be corrections.
    """
    wanted = json.loads(export.filter)
    found = [_item.queue_id == export.queue_id, _resolution.created_at <= export.as_of]
    if wanted.get("by"):
        found.append(_resolution.by.in_(wanted["by"]))
    else:
        found.append(or_(_resolution.by == ResolvedBy.PEOPLE, _confirmed_audit(export.as_of)))
    if wanted.get("verdicts"):
        found.append(_resolution.verdict.in_(wanted["verdicts"]))
    for name, compare in (("since", _resolution.created_at.__ge__), ("until", _resolution.created_at.__lt__)):
        if wanted.get(name):
            found.append(compare(datetime.fromisoformat(wanted[name])))
    if not wanted.get("include_test"):
        found.append(~_item.test)
    return found


def _confirmed_audit(as_of: datetime) -> Any:
    return (_resolution.by == ResolvedBy.ROUTING) & _item.audit_sample & exists(
        select(_decision.id)
        .join_from(table(Decision), table(Task), _task.id == _decision.task_id)
        .where(
            _decision.item_id == _item.id, _decision.withdrawn_at.is_(None), ~_decision.late,
            _decision.releases_at <= as_of, _decision.verdict == Verdict.APPROVE, _task.kind == TaskKind.AUDIT,
        )
    )  # fmt: skip


def _from(export: Any, *columns: Any) -> Any:
    """Items with the resolution that was in force at `as_of`: one revised since keeps its place, as it was."""
    newer = table(Resolution).alias("newer")
    superseded = exists(
        select(newer.c.id).where(
            newer.c.item_id == _item.id, newer.c.revision > _resolution.revision, newer.c.created_at <= export.as_of
        )
    )
    in_force = (_resolution.revision == _item.revision) | ~superseded
    return select(*columns).join_from(table(Item), table(Resolution), (_resolution.item_id == _item.id) & in_force)


def count(session: Session, export: Any) -> int:
    return int(session.execute(_from(export, func.count()).where(*conditions(export))).scalar_one())


def boundaries(session: Session, export: Any) -> list[str]:
    """The last item id of each full shard but the last, found by keyset steps."""
    found: list[str] = []
    while True:
        query = _from(export, _item.id).where(*conditions(export))
        if found:
            query = query.where(_item.id > found[-1])
        last = session.execute(query.order_by(_item.id).offset(SHARD_ROWS - 1).limit(1)).scalar_one_or_none()
        if last is None:
            return found
        found.append(last)


def page(session: Session, export: Any, after: str | None, upto: str | None) -> Sequence[Any]:
    """The next items after `after`, up to `upto`, with their resolution in force. Index ix_item_queue_id_id."""
    query = _from(
        export,
        _item.id, _item.external_id, _queue.slug, _item.config_version, _item.model, _item.model_version, _item.input,
        _item.output, _item.confidence, _item.risk, _resolution.verdict, _resolution.output.label("final_output"),
        _resolution.by, _resolution.revision, _resolution.created_at.label("resolved_at"), _item.rule,
        _item.audit_sample, _item.probability, _item.metadata.label("metadata_json"), _item.created_at,
    ).join(table(Queue), _queue.id == _item.queue_id).where(*conditions(export))  # fmt: skip
    if after is not None:
        query = query.where(_item.id > after)
    if upto is not None:
        query = query.where(_item.id <= upto)
    return session.execute(query.order_by(_item.id).limit(PAGE)).all()


def decisions(session: Session, export: Any, rows: Sequence[Any]) -> dict[str, list[Any]]:
    """The standing and late decisions of a page's items, by item, in order of time; none that is in its grace time."""
    found: dict[str, list[Any]] = defaultdict(list)
    if not rows:
        return found
    query = (
        select(
            _decision.item_id, _person.pseudonym, _decision.verdict, _decision.output, _decision.reason,
            _decision.suggested_label, _decision.comment, _decision.message, _decision.spent_seconds,
            _decision.decided_at, _decision.config_version, _decision.via, _decision.late, _decision.seen,
        )
        .join_from(table(Decision), table(Person), _person.id == _decision.person_id)
        .where(
            _decision.item_id >= rows[0].id, _decision.item_id <= rows[-1].id, _decision.queue_id == export.queue_id,
            _decision.withdrawn_at.is_(None), _decision.releases_at <= export.as_of,
        )
        .order_by(_decision.id)
    )  # fmt: skip
    for row in session.execute(query):
        found[row.item_id].append(row)
    return found
