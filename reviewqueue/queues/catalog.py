"""Queries about queues, and their compiled configurations, kept a process and version."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any

from flask import current_app
from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from reviewqueue.core.access import Action, Actor, may, no_queue, require
from reviewqueue.errors import Fault, NotFound
from reviewqueue.models import Queue, QueueVersion
from reviewqueue.models.base import table
from reviewqueue.models.states import BrakeKind, Intake, RoutingAction
from reviewqueue.queues import brakes, routing, schemas, views
from reviewqueue.queues.configuration import QueueConfig, restored
from reviewqueue.queues.expressions import compile_rule


@dataclass(frozen=True)
class QueueHead:
    """A queue without its document."""

    id: str
    slug: str
    title: str
    version: int
    intake: Intake
    archived: bool
    stopped: BrakeKind | None
    """Why nothing passes: its stop, or else a hold, its own or the site's; None where its rules decide."""
    held: bool
    """Nor does any answer go out: by its own hold or the site's."""


class Compiled:
    """One version, ready to route and to check."""

    def __init__(self, version: int, config: QueueConfig, document: str) -> None:
        self.version = version
        self.config = config
        self.document = document
        self._input = schemas.compiled(config.input_schema)
        self._output = schemas.compiled(config.output_schema)
        self.rules = routing.Ruleset(
            rules=tuple(
                routing.CompiledRule(*compile_rule(rule.when), rule.when, rule.action, rule.priority, rule.title)
                for rule in config.routing.rules
            ),
            otherwise=config.routing.otherwise,
            audit_rate=config.audit.rate,
            audit_hold=config.audit.hold,
            approved_models=frozenset(config.models.approved) if config.models else None,
        )

    def validate_input(self, value: Any, pointer: str = "/input") -> list[Fault]:
        """Where an input breaks its schema, or lacks what the view needs of it."""
        return schemas.faults_in(self._input, value, pointer) or views.faults_in_input(self.config.view, value, pointer)

    def validate_output(self, value: Any, *, given: Any, pointer: str = "/output") -> list[Fault]:
        """Where an output breaks its schema, or does not go with the input `given`."""
        return schemas.faults_in(self._output, value, pointer) or views.faults_in_output(
            self.config.view, value, given, pointer
        )

    def route(
        self, facts: Mapping[str, Any], *, item_id: str, failed: bool, stopped: BrakeKind | None
    ) -> routing.Route:
        """Routing with the safeguards and the audit draw."""
        route = routing.decide(self.rules, facts)
        return self.guarded(route, facts, item_id=item_id, failed=failed, stopped=stopped)

    def guarded(
        self, route: routing.Route, facts: Mapping[str, Any], *, item_id: str, failed: bool, stopped: BrakeKind | None
    ) -> routing.Route:
        """`route` after the safeguards and the audit draw, which look at what would pass."""
        if route.action is not RoutingAction.AUTO_APPROVE:
            return route
        settings = current_app.config["SETTINGS"]
        route = routing.safeguarded(
            route, facts, self.rules, failed=failed, final_say=settings.final_say, stopped=stopped
        )
        return routing.sampled(route, self.rules, item_id=item_id, key=settings.secret_key.encode())


_table = table(Queue).c
HEAD = (
    _table.id, _table.slug, _table.title, _table.version, _table.intake, _table.archived_at,
    brakes.stopped(_table.id).label("stopped"), brakes.holding(_table.id).label("held"),
)  # fmt: skip
BY_SLUG = select(*HEAD).where(_table.slug == bindparam("slug"))
_BY_ID = select(*HEAD).where(_table.id == bindparam("id"))


def head_of(row: Any) -> QueueHead:
    """From a row that has the columns `HEAD`."""
    stopped = BrakeKind.STOP if row.stopped else BrakeKind.HOLD if row.held else None
    return QueueHead(
        row.id, row.slug, row.title, row.version, row.intake, row.archived_at is not None, stopped, bool(row.held)
    )


def find_queue(*, session: Session, actor: Actor, slug: str, action: Action = Action.SEE_QUEUE) -> QueueHead:
    """The queue called `slug`.

    Raises `NotFound` when there is none or the actor may not know of it, `Forbidden` when they may not do `action`.
    """
    return permitted_head(session.execute(BY_SLUG, {"slug": slug}).one_or_none(), actor=actor, action=action)


def permitted_head(row: Any, *, actor: Actor, action: Action) -> QueueHead:
    """As `find_queue`, of the row that `BY_SLUG` gave, or None."""
    if row is None:
        raise no_queue()
    require(actor, action, row.id, by_name=True)
    return head_of(row)


def queue_by_id(session: Session, queue_id: str) -> QueueHead:
    """Raises `NotFound`. Asks no permission: for ids that come from rows already permitted."""
    row = session.execute(_BY_ID, {"id": queue_id}).one_or_none()
    if row is None:
        raise NotFound
    return head_of(row)


def queues_for(*, session: Session, actor: Actor, action: Action = Action.SEE_QUEUE) -> list[QueueHead]:
    """All queues in which `actor` may do `action`, by title; archived ones last."""
    rows = session.execute(select(*HEAD).order_by(Queue.archived_at.is_not(None), Queue.title, Queue.slug))
    return [head_of(row) for row in rows if may(actor, action, row.id)]


def queues_or_refusal(*, session: Session, actor: Actor, action: Action) -> list[QueueHead]:
    """As `queues_for`. Raises `Forbidden` for who may do `action` nowhere."""
    heads = queues_for(session=session, actor=actor, action=action)
    if not heads:
        require(actor, action)
    return heads


_cache: OrderedDict[tuple[str, int], Compiled] = OrderedDict()
_cache_lock = Lock()
_CACHE_SIZE = 500


def configuration(session: Session, queue_id: str, version: int) -> Compiled:
    """The compiled version. A version never changes, so that it may be kept. Raises `NotFound`."""
    key = (queue_id, version)
    found = _cache.get(key)
    if found is not None:
        return found
    document = session.execute(
        select(QueueVersion.document).where(QueueVersion.queue_id == queue_id, QueueVersion.version == version)
    ).scalar_one_or_none()
    if document is None:
        raise NotFound
    compiled = Compiled(version, restored(document), document)
    with _cache_lock:
        _cache[key] = compiled
        while len(_cache) > _CACHE_SIZE:
            _cache.popitem(last=False)
    return compiled


def overflow_of(session: Session, head: QueueHead) -> QueueHead | None:
    """The queue that takes what is too much for this one, by its present configuration. Asks no permission."""
    limit = configuration(session, head.id, head.version).config.max_waiting
    if limit is None or limit.to is None:
        return None
    row = session.execute(BY_SLUG, {"slug": limit.to}).one_or_none()
    return None if row is None else head_of(row)


def versions(*, session: Session, actor: Actor, slug: str) -> list[QueueVersion]:
    """All versions, newest first. Needs the right to read the configuration."""
    head = find_queue(session=session, actor=actor, slug=slug, action=Action.READ_CONFIGURATION)
    return list(
        session.scalars(
            select(QueueVersion).where(QueueVersion.queue_id == head.id).order_by(QueueVersion.version.desc())
        )
    )
