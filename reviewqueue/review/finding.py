"""Queries that find items of a queue: by the filters that the list's address holds, page by page.

A page looks at `LOOKED_AT` items at most, however few of them match; then it says how far it has come, and its cursor
goes on from there. So filters on anything need no index each, and no request reads a queue from end to end.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice
from typing import Any
from urllib.parse import urlencode

from sqlalchemy import Row, Text, and_, case, exists, func, literal, or_, select, union_all
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from werkzeug.datastructures import MultiDict

from reviewqueue.core.access import Action, Actor
from reviewqueue.core.db import clock, database_now
from reviewqueue.core.http import cursor_of, parse_cursor
from reviewqueue.core.ids import first_id_at, known_id
from reviewqueue.core.strictjson import spliced
from reviewqueue.errors import Invalid, NotFound
from reviewqueue.models import Item, Person, Resolution, Task
from reviewqueue.models.base import table
from reviewqueue.models.states import UNFINISHED, Audience, ItemState, TaskKind, TaskState, Verdict
from reviewqueue.queues.catalog import QueueHead, configuration, find_queue
from reviewqueue.queues.reveals import kept_from, text_shown, value_shown
from reviewqueue.review import telling
from reviewqueue.review.board import SKEW_SECONDS

PAGE = 50
LOOKED_AT = 10_000
MOST_WORDS = 8
MOST_META = 3
LONGEST = 300
"""Of a filter's text."""
AGES = {"-1h": 1, "-24h": 24, "-7d": 168, "-30d": 720, "+24h": 24, "+7d": 168}
"""Received within so many hours (-), or longer ago (+)."""
WHO = ("free", "held", "assigned", "leads")
"""Of the item's unfinished tasks: free for anybody; in somebody's hands; somebody's alone; with the leads. Or the id of
a person who has it in hand, or alone."""
DUE = ("overdue", "soon")
WAITING = (ItemState.QUEUED, ItemState.IN_REVIEW)
_item, _task = table(Item).c, table(Task).c


@dataclass(frozen=True)
class Filters:
    """What a list of items is narrowed to; each an address's parameter of the same name."""

    q: str = ""
    """An item's id or external id exactly; else words, each of which stands in its input or output."""
    external_id: str = ""
    """Exactly as it was sent."""
    state: ItemState | None = None
    verdict: Verdict | None = None
    """Of the resolution in force."""
    label: str = ""
    """That the model proposes, in a queue of type `choice`."""
    model: str = ""
    """The model, its version, or both with a space between."""
    meta: tuple[str, ...] = ()
    """`key=value` of the metadata's first level."""
    priority: int | None = None
    """Of an unfinished task, at least."""
    age: str = ""
    due: str = ""
    who: str = ""

    @property
    def query(self) -> dict[str, Any]:
        """As parameters of an address; what is not set is left out."""
        found = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {
            name: list(value) if isinstance(value, tuple) else str(value)
            for name, value in found.items()
            if value not in ("", None, ())
        }

    @property
    def address(self) -> str:
        """The same as text."""
        return urlencode(self.query, doseq=True)

    @property
    def words(self) -> list[str]:
        return self.q.split()[:MOST_WORDS]

    @property
    def about_tasks(self) -> bool:
        return bool(self.who or self.due) or self.priority is not None

    @property
    def about_tasks_alone(self) -> bool:
        return self.about_tasks and not (self.words or self.verdict or self.label or self.meta)

    @property
    def about_content(self) -> bool:
        """Whether any looks into what may be sensitive."""
        return bool(self.words or self.meta)

    @property
    def further(self) -> bool:
        """Whether any is set but search and state."""
        return bool(replace(self, q="", state=None).query)


def filters_of(given: MultiDict[str, str]) -> Filters:
    """The filters in an address or a form. Raises `Invalid` for a value that is none."""
    if any("\x00" in value for value in given.values()):
        raise Invalid("There is a NUL character in a filter: remove it.", code="bad_parameter")
    text = {name: given.get(name, "").strip()[:LONGEST] for name in Filters.__dataclass_fields__}
    meta = tuple(one.strip()[:LONGEST] for one in given.getlist("meta") if one.strip())
    return Filters(
        q=text["q"], external_id=given.get("external_id", "").strip()[:500],
        state=ItemState(_one_of("state", text["state"], list(ItemState))) if text["state"] else None,
        verdict=Verdict(_one_of("verdict", text["verdict"], list(Verdict))) if text["verdict"] else None,
        label=text["label"], model=text["model"], meta=_checked_meta(meta), priority=_priority(text["priority"]),
        age=_one_of("age", text["age"].replace(" ", "+", 1), ["", *AGES]), due=_one_of("due", text["due"], ["", *DUE]),
        who=_who(text["who"]),
    )  # fmt: skip


def _one_of(name: str, value: str, known: list[Any]) -> str:
    if value not in known:
        raise Invalid(f"{name} must be one of {', '.join(filter(None, known))}.", code="bad_parameter")
    return value


def _priority(text: str) -> int | None:
    if not text:
        return None
    if not text.removeprefix("-").isdecimal() or not text.isascii() or abs(int(text)) > 1000:
        raise Invalid("priority must be a whole number from -1000 to 1000.", code="bad_parameter")
    return int(text)


def _checked_meta(pairs: tuple[str, ...]) -> tuple[str, ...]:
    for pair in pairs:
        key, equals, _ = pair.partition("=")
        if not key or not equals or '"' in key:
            raise Invalid("meta must be key=value, and the key without quotation marks.", code="bad_parameter")
    if len(pairs) > MOST_META:
        raise Invalid(f"There may be {MOST_META} meta at most.", code="bad_parameter")
    return pairs


def _who(text: str) -> str:
    if not text or text in WHO:
        return text
    try:
        return known_id(text)
    except NotFound:
        raise Invalid(f"who must be one of {', '.join(WHO)}, or a person's id.", code="bad_parameter") from None


# -- the page ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Found:
    """A page of items, newest first."""

    queue: QueueHead
    rows: list[Any]
    work: Mapping[str, list[Any]]
    """The unfinished tasks of the items shown, by item: state, priority, due, audience, holder_name, assignee_name."""
    lines: Mapping[str, str]
    """What each item says, in a line."""
    cursor: str | None
    """Of what follows; None at the end."""
    back_to: datetime | None
    """It has looked at as many as a page may, and come to what was received then; None where it has not."""


_COLUMNS = (
    _item.id, _item.external_id, _item.state, _item.confidence, _item.risk, _item.rule_title, _item.model,
    _item.model_version, _item.created_at, _item.due_at, _item.audit_sample,
)  # fmt: skip
_CONTENT = _item.input, _item.output, _item.metadata, _item.revision


def items_of(*, session: Session, actor: Actor, slug: str, filters: Filters, cursor: str | None = None) -> Found:
    """Items of a queue. Raises `NotFound`, `Forbidden`, `Invalid` for a cursor that is not ours."""
    head = find_queue(session=session, actor=actor, slug=slug, action=Action.READ_ITEMS)
    after = parse_cursor(cursor, 1)
    before = known_id(after[0]) if after else None
    exact = _exactly(session, head.id, filters.q) if filters.q and before is None else []
    if exact:
        return _found(session, head, exact, None, None)
    look = _Look(session, actor, head, filters)
    rows = look.rows(before, PAGE + 1)
    more, back_to = (cursor_of(rows[PAGE - 1].id) if len(rows) > PAGE else None), None
    if more is None and (end := look.end(before)) is not None:
        more, back_to = cursor_of(end.id), end.created_at
    return _found(session, head, rows[:PAGE], more, back_to)


def _found(session: Session, head: QueueHead, rows: list[Any], cursor: str | None, back_to: datetime | None) -> Found:
    ids = [row.id for row in rows]
    return Found(head, rows, tasks_of(session, ids), _lines(session, head, ids), cursor, back_to)


def _lines(session: Session, head: QueueHead, item_ids: list[str]) -> dict[str, str]:
    config = configuration(session, head.id, head.version).config
    short = case((func.length(_item.input) <= telling.MOST_READ, _item.input))
    rows = session.execute(select(_item.id, short.label("input")).where(_item.id.in_(item_ids)))
    return {row.id: telling.line_of(config, row.input, config.sensitive.parts) for row in rows}


def _exactly(session: Session, queue_id: str, text: str) -> list[Any]:
    """The item of that id or external id."""
    found = [Item.external_id == text]
    with suppress(NotFound):
        found.append(Item.id == known_id(text))
    # By primary key, and by uq_item_queue_id_external_id.
    return [
        row
        for condition in found
        for row in session.execute(select(*_COLUMNS).where(Item.queue_id == queue_id, condition)).all()
    ]


@dataclass(frozen=True)
class Step:
    """Those that match among the next `LOOKED_AT` items."""

    ids: list[str]
    """Newest first."""
    before: str | None
    """Where the next step begins; None at the end."""


def step(*, session: Session, actor: Actor, head: QueueHead, filters: Filters, before: str | None = None) -> Step:
    """One step on the way through all items that match, from the newest on. Asks no permission."""
    exact = _exactly(session, head.id, filters.q) if filters.q and before is None else []
    if exact:
        return Step([row.id for row in exact], None)
    look = _Look(session, actor, head, filters)
    rows, end = look.rows(before, LOOKED_AT), look.end(before)
    return Step([row.id for row in rows], None if end is None else end.id)


class _Look:
    """Looks at a queue's items in steps, from the newest to the oldest."""

    def __init__(self, session: Session, actor: Actor, head: QueueHead, filters: Filters) -> None:
        self._session, self._queue_id = session, head.id
        self._states = [filters.state] if filters.state else list(WAITING) if filters.about_tasks else []
        self._bounds = _bounds(filters.age, database_now(session))
        view = configuration(session, head.id, head.version).config.view
        self._filters, self._labelled = filters, view.output
        self._hidden = kept_from(session, actor, head.id) if filters.about_content else ()

    def _next(self, before: str | None, *columns: Any) -> Any:
        """The next `LOOKED_AT`: indexes ix_item_queue_id_id and ix_item_queue_id_state_id. Its LIMIT keeps conditions
        from being asked of the whole table first, which PostgreSQL does once it takes that for cheaper."""
        conditions = [_item.queue_id == self._queue_id, *self._bounds]
        if before is not None:
            conditions.append(_item.id < before)
        newest = select(*columns).order_by(_item.id.desc()).limit(LOOKED_AT)
        if not self._states:
            return newest.where(*conditions).subquery()
        parts = [newest.where(*conditions, _item.state == state).subquery() for state in self._states]
        if len(parts) == 1:
            return parts[0]
        both = union_all(*(select(part) for part in parts)).subquery()
        return select(both).order_by(both.c.id.desc()).limit(LOOKED_AT).subquery()

    def rows(self, before: str | None, limit: int) -> list[Any]:
        # Wide columns cost SQLite a copy of each, where states are merged.
        content = () if self._filters.about_tasks_alone else _CONTENT
        seen = self._next(before, *_COLUMNS, *content).c
        query = select(*(seen[column.key] for column in _COLUMNS)).where(
            *_conditions(self._filters, self._labelled, seen)
        )
        newest = query.order_by(seen.id.desc())
        if self._hidden:
            return list(islice(self._open(self._session.execute(newest).all()), limit))
        return list(self._session.execute(newest.limit(limit)))

    def _open(self, rows: Sequence[Row[Any]]) -> Iterator[Row[Any]]:
        """Those that match also without what is hidden."""
        for start in range(0, len(rows), PAGE):
            some = rows[start : start + PAGE]
            columns = _item.id, _item.input, _item.output, _item.metadata
            read = self._session.execute(select(*columns).where(_item.id.in_([row.id for row in some])))
            content = {row.id: row for row in read}
            yield from (row for row in some if self._matches_openly(row.external_id, content[row.id]))

    def _matches_openly(self, external_id: str | None, content: Any) -> bool:
        shown = spliced(text_shown(content.input, "input", self._hidden))
        searched = f"{shown}\n{content.output}\n{external_id or ''}".casefold()
        if not all(any(one.casefold() in searched for one in _written(word)) for word in self._filters.words):
            return False
        keys = [pair.partition("=")[0] for pair in self._filters.meta]
        given, open_ = (value_shown(content.metadata, "metadata", parts) for parts in ((), self._hidden))
        # A key that the database understands and we do not is none.
        return all(key in given and given[key] == open_[key] for key in keys)

    def end(self, before: str | None) -> Any:
        """The last that a step looks at, with `id` and `created_at`; None where there are no more after the step."""
        ids = self._next(before, _item.id)
        last = select(ids.c.id).order_by(ids.c.id.desc()).offset(LOOKED_AT - 1).limit(1).scalar_subquery()
        return self._session.execute(select(Item.id, Item.created_at).where(Item.id == last)).one_or_none()


def _bounds(age: str, now: datetime) -> list[Any]:
    """Of ids, which sort by time, as near as clocks agree; `created_at` says exactly."""
    if not age:
        return []
    at = now - timedelta(hours=AGES[age])
    if age.startswith("-"):
        return [_item.id >= first_id_at(at.timestamp() - SKEW_SECONDS), _item.created_at >= at]
    return [_item.id < first_id_at(at.timestamp() + SKEW_SECONDS), _item.created_at < at]


def _conditions(filters: Filters, labelled: str | None, item: Any) -> Iterator[Any]:
    """Of `item`, which has the columns `_COLUMNS`, and `_CONTENT` where that is asked for."""
    for word in filters.words:
        searched = item.input, item.output, item.external_id
        yield or_(*(column.ilike(pattern, escape="!") for pattern in _patterns(word) for column in searched))
    if filters.external_id:
        yield item.external_id == filters.external_id
    if filters.verdict:
        yield exists().where(
            Resolution.item_id == item.id, Resolution.revision == item.revision, Resolution.verdict == filters.verdict
        )
    if filters.label:
        yield member(item.output, labelled) == filters.label
    if filters.model:
        both = item.model + literal(" ") + item.model_version
        yield or_(item.model == filters.model, item.model_version == filters.model, both == filters.model)
    for pair in filters.meta:
        key, _, value = pair.partition("=")
        yield member(item.metadata, key) == value
    if filters.about_tasks:
        yield exists().where(Task.item_id == item.id, *UNFINISHED_WORK, *_task_conditions(filters))


UNFINISHED_WORK = (Task.state.in_(UNFINISHED), Task.kind != TaskKind.GOLD)
"""Not checks: whoever reads the list may be the one who is checked."""


def _patterns(word: str) -> set[str]:
    """For LIKE: the word, whether its sender wrote letters beyond ASCII out or not."""
    return {f"%{one.replace('!', '!!').replace('%', '!%').replace('_', '!_')}%" for one in _written(word)}


def _written(word: str) -> tuple[str, str]:
    """As it may stand in JSON text."""
    return json.dumps(word, ensure_ascii=False)[1:-1], json.dumps(word)[1:-1]


def _task_conditions(filters: Filters) -> Iterator[Any]:
    if filters.priority is not None:
        yield Task.priority >= filters.priority
    if filters.due == "overdue":
        yield Task.due < clock()
    elif filters.due == "soon":
        yield and_(Task.due >= clock(), Task.due < clock(3600))
    live = and_(Task.state == TaskState.CLAIMED, Task.lease_until > clock())
    if filters.who == "free":
        yield and_(Task.state == TaskState.OPEN, Task.assignee.is_(None), Task.audience == Audience.REVIEWER)
    elif filters.who == "held":
        yield live
    elif filters.who == "assigned":
        yield Task.assignee.is_not(None)
    elif filters.who == "leads":
        yield Task.audience == Audience.LEAD
    elif filters.who:
        yield or_(Task.assignee == filters.who, and_(live, Task.holder == filters.who))


class member(FunctionElement[str]):  # noqa: N801 - reads as SQL
    """Text of a JSON text's member of that name, or of the whole for None; NULL where there is none."""

    name = "member"
    type = Text()
    inherit_cache = True

    def __init__(self, column: Any, key: str | None) -> None:
        # How PostgreSQL names a member, and how SQLite does.
        place = "{}" if key is None else '{"' + key.replace("\\", "\\\\") + '"}'
        super().__init__(column, literal(place), literal("$" if key is None else f'$."{key}"'))


@compiles(member, "postgresql")
def _member_postgresql(element: member, compiler: SQLCompiler, **kw: Any) -> str:
    column, place, _ = (compiler.process(clause, **kw) for clause in element.clauses)
    # Not jsonb, which cannot hold every number that JSON can.
    return f"(CAST({column} AS json) #>> CAST({place} AS text[]))"


@compiles(member, "sqlite")
def _member_sqlite(element: member, compiler: SQLCompiler, **kw: Any) -> str:
    column, _, path = (compiler.process(clause, **kw) for clause in element.clauses)
    return (
        f"CASE json_type({column}, {path}) WHEN 'true' THEN 'true' WHEN 'false' THEN 'false' "
        f"ELSE CAST(json_extract({column}, {path}) AS TEXT) END"
    )


# -- what else the list shows -----------------------------------------------------------------------------------------


def tasks_of(session: Session, item_ids: list[str]) -> dict[str, list[Any]]:
    """The unfinished tasks of these items, by item."""
    holder, assignee = Person.__table__.alias("held_by"), Person.__table__.alias("assigned_to")
    rows = session.execute(
        select(
            Task.id, Task.item_id, Task.queue_id, Task.state, Task.priority, Task.due, Task.audience, Task.excluded,
            Task.assignee, Task.holder, holder.c.name.label("holder_name"), assignee.c.name.label("assignee_name"),
            (Task.due < clock()).label("overdue"),
        )
        .outerjoin(holder, (holder.c.id == Task.holder) & (Task.lease_until > clock()))
        .outerjoin(assignee, assignee.c.id == Task.assignee)
        .where(Task.item_id.in_(item_ids), *UNFINISHED_WORK)
        .order_by(Task.id)
    )  # fmt: skip
    found: dict[str, list[Any]] = {}
    for row in rows:
        found.setdefault(row.item_id, []).append(row)
    return found
