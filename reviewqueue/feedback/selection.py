"""Which items an export holds, page by page. Queries."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import datetime
from typing import Any

from sqlalchemy import Integer, String, bindparam, exists, func, or_, select, type_coerce
from sqlalchemy.orm import Session

from reviewqueue.feedback.formats.frame import Frame
from reviewqueue.intake.opt_outs import learnable
from reviewqueue.media import reading
from reviewqueue.models import Decision, Item, Person, Queue, QueueVersion, Resolution, Task
from reviewqueue.models.base import table
from reviewqueue.models.states import ResolvedBy, TaskKind, Verdict
from reviewqueue.queues.catalog import configuration
from reviewqueue.queues.configuration import QueueConfig
from reviewqueue.queues.views import View

PAGE = 250
"""Rows a query: an item may have a mebibyte."""
MOST_LOOKED_AT = 20_000
"""Items of the queue that a query for a page reads, where few belong to the export."""
SHARD_ROWS = 25_000

_LOWEST, _HIGHEST = (f"{digit * 8}-{digit * 4}-{digit * 4}-{digit * 4}-{digit * 12}" for digit in "0f")
_item, _resolution, _decision = table(Item).c, table(Resolution).c, table(Decision).c
_person, _queue, _task = table(Person).c, table(Queue).c, table(Task).c


def conditions(export: Any) -> list[Any]:
    """What the export's filter and `as_of` ask for; `export` has the columns of a dataset version.

    Never: items about people who had opted out. By default: what people resolved, and what passed and was confirmed by
    the person who audited it. Without the latter, the audits in a dataset would all be corrections.
    """
    wanted = json.loads(export.filter)
    found = [_item.queue_id == export.queue_id, _resolution.created_at <= export.as_of, learnable(export.as_of)]
    # There is nothing left of it.
    found.append(_item.erased_at.is_(None))
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


def cuts(session: Session, export: Any) -> tuple[int, list[str]]:
    """How many items the export holds, and the last item id of each full shard but the last."""
    place = func.row_number().over(order_by=_item.id).label("place")
    numbered = _from(export, _item.id, place, func.count().over().label("total")).where(*conditions(export)).subquery()
    ends = session.execute(
        select(numbered.c.id, numbered.c.total)
        .where((numbered.c.place % SHARD_ROWS == 0) | (numbered.c.place == numbered.c.total))
        .order_by(numbered.c.place)
    ).all()
    return (ends[0].total if ends else 0), [end.id for end in ends[:-1]]


class Pages:
    """The items of an export with their decisions, page by page. The statements are made once: making them costs as
    much as running them.

    Where to look is found first: the next so many items of the queue, which bounds both tables. However the database
    joins them then, it reads no more than that of either; bounded on one side only, a merge join reads the other from
    its beginning, page after page. The stretch grows while few of its items belong to the export.
    """

    def __init__(self, export: Any) -> None:
        self._stretch = PAGE
        after, upto = bindparam("after", type_=_item.id.type), bindparam("upto", type_=_item.id.type)
        # Index ix_item_queue_id_id.
        self._end = (
            select(_item.id)
            .where(_item.queue_id == export.queue_id, _item.id > after, _item.id <= upto)
            .order_by(_item.id).offset(bindparam("stretch", type_=Integer) - 1).limit(1)
        )  # fmt: skip
        self._items = (
            _from(
                export,
                _item.id, _item.external_id, _queue.slug, _item.config_version, _item.model, _item.model_version,
                _item.input, _item.output, _item.confidence, _plain(_item.risk), _plain(_resolution.verdict),
                _resolution.output.label("final_output"), _plain(_resolution.by), _resolution.revision,
                _resolution.created_at.label("resolved_at"), _item.rule, _item.audit_sample, _item.probability,
                _item.metadata.label("metadata_json"), _item.created_at,
            )
            .join(table(Queue), _queue.id == _item.queue_id)
            .where(
                *conditions(export), _item.id > after, _item.id <= upto, _resolution.item_id > after,
                _resolution.item_id <= upto,
            )
            .order_by(_item.id).limit(PAGE)
        )  # fmt: skip
        # Standing and late ones, none that is in its grace time or on gold.
        self._decisions = (
            select(
                _decision.item_id, _person.pseudonym, _plain(_decision.verdict), _decision.output, _decision.reason,
                _decision.suggested_label, _decision.comment, _decision.message, _decision.spent_seconds,
                _decision.decided_at, _decision.config_version, _plain(_decision.via), _decision.late, _decision.seen,
                _plain(_task.kind), _decision.round, _task.blind,
            )
            .join_from(table(Decision), table(Person), _person.id == _decision.person_id)
            .join(table(Task), _task.id == _decision.task_id)
            .where(
                _decision.item_id.in_(bindparam("item_ids", expanding=True)), _decision.queue_id == export.queue_id,
                _decision.withdrawn_at.is_(None), _decision.releases_at <= export.as_of,
                _decision.correct.is_(None),
            )
            .order_by(_decision.id)
        )  # fmt: skip

    def read(
        self, session: Session, after: str | None, upto: str | None
    ) -> tuple[list[tuple[Any, list[Any]]], str | None]:
        """Items after `after`, up to `upto`, at most `PAGE`, each with its decisions in order of time; and the id to go
        on after, None at the end."""
        bounds = {"after": after or _LOWEST, "upto": upto or _HIGHEST}
        end = session.execute(self._end, {**bounds, "stretch": self._stretch}).scalar_one_or_none()
        bounds["upto"] = end or bounds["upto"]
        rows = session.execute(self._items, bounds).all()
        if len(rows) == PAGE:
            end = rows[-1].id
            self._stretch = max(PAGE, self._stretch // 2)
        else:
            self._stretch = min(2 * self._stretch, MOST_LOOKED_AT)
        if not rows:
            return [], end
        decided: dict[str, list[Any]] = defaultdict(list)
        for decision in session.execute(self._decisions, {"item_ids": [row.id for row in rows]}).all():
            decided[decision.item_id].append(decision)
        return [(row, decided.get(row.id, [])) for row in rows], end


def views_of(session: Session, queue_id: str) -> dict[int, View]:
    """The view of each version of the queue."""
    return {version: config.view for version, config in _configurations(session, queue_id)}


def _configurations(session: Session, queue_id: str) -> list[tuple[int, QueueConfig]]:
    versions = session.scalars(
        select(QueueVersion.version).where(QueueVersion.queue_id == queue_id).order_by(QueueVersion.version)
    )
    return [(version, configuration(session, queue_id, version).config) for version in versions.all()]


def frame_of(session: Session, export: Any, shard: Any) -> Frame:
    """What the formats of annotation tools need to know of the queue."""
    found = _configurations(session, export.queue_id)
    labels = [label if isinstance(label, str) else json.dumps(label) for _, config in found for label in config.labels]
    return Frame({version: config.view for version, config in found}, list(dict.fromkeys(labels)), shard.number)


def media_of(session: Session, rows: list[tuple[Any, list[Any]]]) -> dict[str, list[Any]]:
    """The media of these items."""
    return reading.media_of(session, [row.id for row, _ in rows])


def _plain(column: Any) -> Any:
    """The text of an enumeration, without making a member of it: half of what a row would cost."""
    return type_coerce(column, String).label(column.name)
