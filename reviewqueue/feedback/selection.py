"""Which items an export holds, page by page. Queries."""

from __future__ import annotations

import json
from collections import Counter, defaultdict, namedtuple
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Integer, String, and_, bindparam, exists, false, func, or_, select, type_coerce
from sqlalchemy.orm import Session

from reviewqueue.core.db import among
from reviewqueue.core.strictjson import as_written, exact, spliced
from reviewqueue.feedback.formats.frame import Frame
from reviewqueue.feedback.formats.frame import View as FormatView
from reviewqueue.feedback.recipe import Recipe, Unmapped, renamed
from reviewqueue.feedback.sieve import Sieve
from reviewqueue.intake.opt_outs import learnable
from reviewqueue.media import reading
from reviewqueue.models import DatasetDuplicate, Decision, Gold, Item, Person, Queue, QueueVersion, Resolution, Task
from reviewqueue.models.base import table
from reviewqueue.models.states import ResolvedBy, TaskKind, Verdict
from reviewqueue.queues import reveals
from reviewqueue.queues.catalog import Compiled, configuration
from reviewqueue.queues.sensitive import left_out
from reviewqueue.queues.views import View
from reviewqueue.review.agreement import share

PAGE = 500
"""Rows a query, at most."""
PAGE_CHARACTERS = 1 << 20
"""Of content that a page is to hold: an item may have a mebibyte."""
MOST_LOOKED_AT = 20_000
"""Items of the queue that a query for a page reads, where few belong to the export."""
SHARD_ROWS = 25_000
CHECKS = 50
"""Checks before anybody's answers are judged."""

_LOWEST, _HIGHEST = (f"{digit * 8}-{digit * 4}-{digit * 4}-{digit * 4}-{digit * 12}" for digit in "0f")
_item, _resolution, _decision = table(Item).c, table(Resolution).c, table(Decision).c
_person, _queue, _task = table(Person).c, table(Queue).c, table(Task).c
_gold, _duplicate = table(Gold).c, table(DatasetDuplicate).c


def conditions(export: Any) -> list[Any]:
    """What the export's filter and `as_of` ask for; `export` has the columns of a dataset version.

    Its `labels`, `agreement`, `reviews` and `reviewer_quality` are a sieve's, see `sieve_of`.

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
    if wanted.get("models"):
        found.append(or_(*map(_of_model, wanted["models"])))
    if not wanted.get("include_test"):
        found.append(~_item.test)
    if not wanted.get("include_gold"):
        found.append(~_is_gold(export))
    return found


def _of_model(named: str) -> Any:
    """`model@version`, or `model` for any version of it."""
    model, at, version = named.partition("@")
    return and_(_item.model == model, _item.model_version == version) if at else _item.model == model


def _is_gold(export: Any) -> Any:
    """Its answer was known: whoever trains on it can no longer be measured by it. A list, which is short, and not a
    join: that would have the database join in another order."""
    kept = or_(_gold.retired_at.is_(None), _gold.retired_at > export.as_of)
    return _item.id.in_(
        select(_gold.item_id).where(_gold.queue_id == export.queue_id, _gold.created_at <= export.as_of, kept)
    )


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
    numbered = (
        _from(export, _item.id, place, func.count().over().label("total"))
        .where(*conditions(export), *_but_duplicates(export))
        .subquery()
    )
    ends = session.execute(
        select(numbered.c.id, numbered.c.total)
        .where((numbered.c.place % SHARD_ROWS == 0) | (numbered.c.place == numbered.c.total))
        .order_by(numbered.c.place)
    ).all()
    return (ends[0].total if ends else 0), [end.id for end in ends[:-1]]


def _but_duplicates(export: Any) -> list[Any]:
    """Without what was found to be there twice, of an export that asks for that."""
    if not json.loads(export.recipe).get("deduplicate"):
        return []
    return [
        ~exists(select(_duplicate.item_id).where(_duplicate.export_id == export.id, _duplicate.item_id == _item.id))
    ]


class Pages:
    """The items of an export with their decisions, page by page. The statements are made once: making them costs as
    much as running them.

    Where to look is found first: the next so many items of the queue, which bounds both tables. However the database
    joins them then, it reads no more than that of either; bounded on one side only, a merge join reads the other from
    its beginning, page after page. The stretch grows while few of its items belong to the export. A page has fewer rows
    after one whose items were large.
    """

    def __init__(self, export: Any) -> None:
        self._rows = self._stretch = max(1, PAGE // 10)
        with_gold = json.loads(export.filter).get("include_gold")
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
                _resolution.created_at.label("resolved_at"), _item.rule, _plain(_item.action), _item.audit_sample,
                _item.probability,
                _item.metadata.label("metadata_json"), _item.created_at, _item.subject,
                _is_gold(export).label("gold") if with_gold else false().label("gold"),
            )
            .join(table(Queue), _queue.id == _item.queue_id)
            .where(
                *conditions(export), *_but_duplicates(export), _item.id > after, _item.id <= upto,
                _resolution.item_id > after, _resolution.item_id <= upto,
            )
            .order_by(_item.id).limit(bindparam("rows", type_=Integer))
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
                among(_decision.item_id, "item_ids"), _decision.queue_id == export.queue_id,
                _decision.withdrawn_at.is_(None), _decision.releases_at <= export.as_of,
                _decision.correct.is_(None),
            )
            .order_by(_decision.id)
        )  # fmt: skip
        self._item, self._decision = _maker(self._items), _maker(self._decisions)

    def read(
        self, session: Session, after: str | None, upto: str | None
    ) -> tuple[list[tuple[Any, list[Any]]], str | None]:
        """Items after `after`, up to `upto`, at most `PAGE`, each with its decisions in order of time; and the id to go
        on after, None at the end."""
        bounds = {"after": after or _LOWEST, "upto": upto or _HIGHEST}
        end = session.execute(self._end, {**bounds, "stretch": self._stretch}).scalar_one_or_none()
        bounds["upto"] = end or bounds["upto"]
        wanted = self._rows
        rows = [*map(self._item, session.execute(self._items, {**bounds, "rows": wanted}).all())]
        if rows:
            size = sum(len(row.input) + len(row.output) + len(row.final_output) for row in rows)
            self._rows = max(1, min(PAGE, PAGE_CHARACTERS * len(rows) // size))
        if len(rows) == wanted:
            end = rows[-1].id
            self._stretch = max(self._rows, self._stretch // 2)
        else:
            self._stretch = min(2 * self._stretch, MOST_LOOKED_AT)
        if not rows:
            return [], end
        decided: dict[str, list[Any]] = defaultdict(list)
        found = session.execute(self._decisions, {"item_ids": [row.id for row in rows]})
        for decision in map(self._decision, found.all()):
            decided[decision.item_id].append(decision)
        return [(row, decided.get(row.id, [])) for row in rows], end


def sieve_of(session: Session, export: Any) -> Sieve:
    """What is asked of items that no query can tell."""
    wanted = json.loads(export.filter)
    least = wanted.get("reviewer_quality")
    return Sieve(
        labels=tuple(wanted.get("labels") or ()), agreement=wanted.get("agreement"), reviews=wanted.get("reviews"),
        doubtful=frozenset() if least is None else _worse_than(session, export, least),
    )  # fmt: skip


def _worse_than(session: Session, export: Any, least: float) -> frozenset[str]:
    """Pseudonyms of people who met fewer checks of the queue than that, whatever chance did for or against them."""
    met = func.count().filter(_decision.correct)
    # Index ix_decision_gold.
    rows = session.execute(
        select(_person.pseudonym, met.label("met"), func.count().label("of"))
        .join_from(table(Decision), table(Person), _person.id == _decision.person_id)
        .where(
            _decision.queue_id == export.queue_id,
            _decision.correct.is_not(None),
            _decision.withdrawn_at.is_(None),
            _decision.decided_at <= export.as_of,
        )
        .group_by(_person.pseudonym)
    )
    return frozenset(row.pseudonym for row in rows if row.of >= CHECKS and share(row.met, row.of).high < least)


class Reader:
    """The items that an export holds, as it holds them: filtered, and with the labels of the version asked for."""

    def __init__(self, session: Session, export: Any, number: int = 0) -> None:
        self.recipe = Recipe.parse(export.recipe)
        self.sieve = sieve_of(session, export)
        self.frame = frame_of(session, export, number)
        self.dropped: Counter[str] = Counter()
        """How many did not fit the version asked for, by why."""
        self._pages = Pages(export)
        version = self.recipe.as_version
        self._target = None if version is None else configuration(session, export.queue_id, version)
        self._left_out = () if self.recipe.sensitive else reveals.sensitive_of(session, export.queue_id).parts

    def read(
        self, session: Session, after: str | None, upto: str | None
    ) -> tuple[list[tuple[Any, list[Any]]], str | None]:
        """As `Pages.read`, without what is not in the export."""
        rows, end = self._pages.read(session, after, upto)
        if not self.sieve.passes_all:
            views = self.frame.views
            rows = [pair for pair in rows if self.sieve.keeps(views[pair[0].config_version], *pair)]
        if self._target is not None:
            rows = list(filter(None, (self._as_there(row, decisions, self._target) for row, decisions in rows)))
        if self._left_out:
            rows = [(self._without_sensitive(row), decisions) for row, decisions in rows]
        return rows, end

    def _without_sensitive(self, row: Any) -> Any:
        texts = {"input": row.input, "metadata": row.metadata_json}
        found = {name: spliced(as_written(left_out(exact(text), name, self._left_out))) for name, text in texts.items()}
        return row._replace(input=found["input"], metadata_json=found["metadata"])

    def _as_there(self, row: Any, decisions: list[Any], target: Compiled) -> tuple[Any, list[Any]] | None:
        """The item with the outputs that the other version knows; None where it knows none such."""
        view, labels = self.frame.views[row.config_version], self.recipe.labels
        try:
            final = _renamed(view, row.final_output, labels)
        except Unmapped as error:
            self.dropped[f"label {error}"] += 1
            return None
        parsed, given = json.loads(final), json.loads(row.input)
        if parsed is not None and target.validate_output(parsed, given=given):
            self.dropped["does not fit the version"] += 1
            return None
        changed = row._replace(final_output=final, output=self._said_there(view, row.output))
        return changed, [one._replace(output=self._said_there(view, one.output)) for one in decisions]

    def _said_there(self, view: FormatView, output: str) -> str:
        """What the AI or somebody said; null for what is not there, for the item's answer is another."""
        try:
            return _renamed(view, output, self.recipe.labels)
        except Unmapped:
            return "null"


def _renamed(view: FormatView, text: str, labels: Mapping[str, str | None]) -> str:
    return spliced(as_written(renamed(view, exact(text), labels))) if labels else text


def views_of(session: Session, queue_id: str) -> dict[int, View]:
    """The view of each version of the queue."""
    return {found.version: found.config.view for found in _configurations(session, queue_id)}


def _configurations(session: Session, queue_id: str) -> list[Compiled]:
    versions = session.scalars(
        select(QueueVersion.version).where(QueueVersion.queue_id == queue_id).order_by(QueueVersion.version)
    )
    return [configuration(session, queue_id, version) for version in versions.all()]


def frame_of(session: Session, export: Any, number: int) -> Frame:
    """What formats need to know of the queue; `number` is the shard's."""
    found = _configurations(session, export.queue_id)
    labels = [label if isinstance(label, str) else json.dumps(label) for one in found for label in one.config.labels]
    views = {one.version: one.config.view for one in found}
    return Frame(views, list(dict.fromkeys(labels)), number, Recipe.parse(export.recipe).as_version)


def media_of(session: Session, rows: list[tuple[Any, list[Any]]]) -> dict[str, list[Any]]:
    """The media of these items."""
    return reading.media_of(session, [row.id for row, _ in rows])


def _maker(query: Any) -> Callable[[Iterable[Any]], Any]:
    """What makes a tuple with names of a row. To ask SQLAlchemy's own for a column by its name takes ten times as long,
    and a record asks forty times."""
    kind: Any = namedtuple("Row", query.selected_columns.keys())  # type: ignore[misc]  # noqa: PYI024
    return cast("Callable[[Iterable[Any]], Any]", kind._make)


def _plain(column: Any) -> Any:
    """The text of an enumeration, without making a member of it: half of what a row would cost."""
    return type_coerce(column, String).label(column.name)
