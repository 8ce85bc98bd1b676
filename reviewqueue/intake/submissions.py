"""The operation `submit`: check an item, route it, store it with its task, and answer."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from flask import current_app
from sqlalchemy import insert, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from reviewqueue.core import outbox, trail
from reviewqueue.core.access import Action, Actor, may
from reviewqueue.core.db import clock, clock_in, on_postgresql
from reviewqueue.core.http import Body
from reviewqueue.core.ids import known_id, new_id
from reviewqueue.core.strictjson import dumps, spliced
from reviewqueue.errors import Conflict, Fault, Faults, Invalid, NotFound, TooLarge
from reviewqueue.intake import idempotency
from reviewqueue.intake.expectation import expected_at
from reviewqueue.intake.items import answer_of, item_json
from reviewqueue.intake.shapes import Failure, ItemShape
from reviewqueue.models import Item, Task
from reviewqueue.models.base import table
from reviewqueue.models.states import (
    Audience,
    Intake,
    ItemState,
    ResolvedBy,
    RoutingAction,
    TaskKind,
    TaskState,
    Verdict,
)
from reviewqueue.queues import routing
from reviewqueue.queues.catalog import Compiled, QueueHead, configuration, find_queue
from reviewqueue.resolution.endings import record_resolution

ITEM_QUEUED = "item.queued"
ROUTE = "POST /items"


@dataclass(frozen=True)
class Answer:
    """What the program is told: an HTTP status and JSON text. A refusal by rule is an answer, too: it is on record."""

    status: int
    text: str
    item_id: str | None = None
    refused: Invalid | None = None


@dataclass(frozen=True)
class _Checked:
    """A submitted item that satisfies its queue."""

    shape: ItemShape
    output: Any
    output_text: str
    failure: Failure | None
    supersedes: str | None


def submit(*, session: Session, actor: Actor, body: Body[ItemShape], idempotency_key: str | None = None) -> Answer:
    """Store an item and say what routing decided.

    201 for a new item, 200 for the same `external_id` with the same body. Commit also when `refused` is set, and raise
    it after: the refusal is an audit event. Raises `Invalid` with pointers, `Conflict` (`external_id` taken by another
    body, intake closed), `InFlight`, `TooLarge`.
    """
    key = None
    if idempotency_key is not None:
        key = idempotency.key_of(
            token_id=actor.token_id or actor.id[:16], route=ROUTE, key=idempotency_key, body=body.text
        )
        saved = idempotency.begin(session, key)
        if saved is not None:
            return Answer(saved.status, saved.answer, json.loads(saved.answer)["id"])
    answer = _submit(session, actor, body)
    if key is not None and answer.refused is None:
        idempotency.save(session, key, answer.status, answer.text)
    return answer


def _submit(session: Session, actor: Actor, body: Body[ItemShape]) -> Answer:
    _check_size(body)
    head = _queue(session, actor, body.shape.queue)
    compiled = configuration(session, head.id, head.version)
    item = _checked(session, actor, compiled, body)
    item_id = new_id()
    facts = _facts(item)
    route = compiled.route(facts, item_id=item_id, failed=item.failure is not None)
    if route.action is RoutingAction.REFUSE:
        return _refuse(session, actor, head, route)
    state = _first_state(route, compiled)
    values = _values(actor, head, body, item, item_id, route, state)
    config = compiled.config
    values["due_seconds"] = config.sla.due_minutes * 60.0
    values["expiry_seconds"] = config.timeout.after_hours * 3600.0 if config.timeout else None
    row = session.execute(_ITEM[on_postgresql(session)], values).one_or_none()
    if row is None:
        return _repetition(session, head, body, values["body_sha256"])
    resolution = None
    if state is ItemState.AUTO_APPROVED:
        resolution = record_resolution(
            session=session, item_id=item_id, queue_id=head.id, revision=1, by=ResolvedBy.ROUTING,
            verdict=Verdict.APPROVE, output=item.output_text,
        )  # fmt: skip
    if state is ItemState.QUEUED or route.audit_sample:
        _open_task(session, head, item_id, route, compiled)
    trail.record(
        session,
        actor,
        "item.submitted",
        queue_id=head.id,
        item_id=item_id,
        facts={
            "state": state,
            "rule": route.rule,
            "action": route.action,
            "version": head.version,
            "audit_sample": route.audit_sample,
            "probability": route.probability,
            "body_sha256": values["body_sha256"],
        },
    )
    expected = expected_at(session, head.id, row.created_at) if state is ItemState.QUEUED else None
    return Answer(201, answer_of(item_id, state, route, head.version, row.due_at, expected, resolution), item_id)


def _check_size(body: Body[ItemShape]) -> None:
    limit = current_app.config["SETTINGS"].max_item_bytes
    if len(body.text) > limit:
        raise TooLarge(
            f"The item is {len(body.text):,} bytes and the limit is {limit:,}. Send less of the input, or a link to it."
        )


def _queue(session: Session, actor: Actor, slug: str) -> QueueHead:
    try:
        head = find_queue(session=session, actor=actor, slug=slug, action=Action.SUBMIT_ITEMS)
    except NotFound:
        raise Invalid(
            "The queue is not known.",
            [Fault("/queue", "is not a queue that this token may submit to")],
            code="unknown_queue",
        ) from None
    if head.intake is Intake.CLOSED:
        raise Conflict(f"The queue {slug} takes no new items at the moment.", code="intake_closed")
    return head


def _checked(session: Session, actor: Actor, compiled: Compiled, body: Body[ItemShape]) -> _Checked:
    shape = body.shape
    faults = Faults(compiled.validate_input(shape.input))
    output, output_text, failure = shape.output, body.raw["output"], shape.failure
    reviews_broken = compiled.config.on_invalid_output == "review"
    if failure is not None and output is not None:
        faults.add("/failure", "says that the AI failed, yet output is not null: send one of them")
    elif failure is not None and not reviews_broken:
        faults.add("/failure", "is not accepted here: the queue refuses failed outputs (on_invalid_output: refuse)")
    elif failure is None:
        broken = compiled.validate_output(output)
        if broken and reviews_broken:
            failure = Failure(code="invalid_output", raw=output)
            output, output_text = None, "null"
        else:
            faults.found.extend(broken)
    supersedes = _superseded(session, actor, shape.supersedes, faults)
    faults.raise_if_any(f"The item does not fit the queue {compiled.config.name}.", code="invalid_item")
    return _Checked(shape, output, output_text, failure, supersedes)


def _superseded(session: Session, actor: Actor, given: str | None, faults: Faults) -> str | None:
    """The id of the item that this one replaces; an item of a queue that the actor may not submit to is none."""
    if given is None:
        return None
    try:
        item_id = known_id(given)
        queue_id = session.execute(select(Item.queue_id).where(Item.id == item_id)).scalar_one_or_none()
    except NotFound:
        queue_id = None
    if queue_id is None or not may(actor, Action.SUBMIT_ITEMS, queue_id):
        faults.add("/supersedes", "is not the id of an item")
        return None
    return item_id


def _facts(item: _Checked) -> dict[str, Any]:
    shape = item.shape
    parts = [part.model_dump() for part in shape.parts or ()]
    return {
        "input": shape.input,
        "output": item.output,
        "confidence": shape.confidence,
        "risk": shape.risk.value,
        "model": shape.model,
        "model_version": shape.model_version,
        "metadata": shape.metadata,
        "lowest_part": routing.lowest_part(parts),
    }


def _refuse(session: Session, actor: Actor, head: QueueHead, route: routing.Route) -> Answer:
    trail.record(session, actor, "item.refused", queue_id=head.id, facts={"rule": route.rule, "version": head.version})
    refusal = Invalid(f"Refused by rule {route.rule}: {route.title}.", code="refused_by_rule")
    return Answer(422, "", refused=refusal)


def _first_state(route: routing.Route, compiled: Compiled) -> ItemState:
    if route.action is RoutingAction.REVIEW or (route.audit_sample and compiled.rules.audit_hold):
        return ItemState.QUEUED
    return ItemState.AUTO_APPROVED


def _values(
    actor: Actor,
    head: QueueHead,
    body: Body[ItemShape],
    item: _Checked,
    item_id: str,
    route: routing.Route,
    state: ItemState,
) -> dict[str, Any]:
    shape, raw = body.shape, body.raw
    return {
        "id": item_id, "queue_id": head.id, "config_version": head.version, "state": state,
        "revision": 1 if state is ItemState.AUTO_APPROVED else 0, "round": 1, "external_id": shape.external_id,
        "body_sha256": hashlib.sha256(trail.canonical(body.value).encode()).hexdigest(),
        "input": raw["input"], "output": item.output_text,
        "failure": None if item.failure is None else dumps(item.failure.model_dump()),
        "confidence": shape.confidence, "risk": shape.risk, "model": shape.model, "model_version": shape.model_version,
        "prompt_version": shape.prompt_version, "subject": shape.subject,
        "parts": raw.get("parts") if shape.parts else None,
        "alternatives": raw.get("alternatives") if shape.alternatives else None,
        "explanation": shape.explanation, "trace_url": shape.trace_url, "cost": shape.cost,
        "latency_ms": shape.latency_ms, "metadata": raw.get("metadata", "{}"), "test": shape.test,
        "supersedes": item.supersedes, "rule": route.rule, "rule_title": route.title, "action": route.action,
        "priority": route.priority, "audit_sample": route.audit_sample, "probability": route.probability,
        "submitted_by": actor.label,
    }  # fmt: skip


def _item_statement(dialect: Any) -> Any:
    statement = dialect.insert(table(Item)).values(
        created_at=clock(), due_at=clock_in("due_seconds"), expires_at=clock_in("expiry_seconds")
    )
    return statement.on_conflict_do_nothing(index_elements=["queue_id", "external_id"]).returning(
        Item.created_at, Item.due_at
    )


# Built once: building a statement of forty columns anew costs as much as running it.
_ITEM = {True: _item_statement(postgresql), False: _item_statement(sqlite)}
_TASK = insert(table(Task)).values(due=clock_in("due_seconds"), available_at=clock(), created_at=clock())


def _repetition(session: Session, head: QueueHead, body: Body[ItemShape], digest: str) -> Answer:
    row = session.execute(
        select(Item).where(Item.queue_id == head.id, Item.external_id == body.shape.external_id)
    ).scalar_one()
    if row.body_sha256 != digest:
        raise Conflict(
            f"The queue has an item with external_id {body.shape.external_id!r} and another body. "
            "Send the same body, or use another external_id.",
            code="external_id_taken",
        )
    return Answer(200, spliced(item_json(session, row, head.slug)), row.id)


def _open_task(session: Session, head: QueueHead, item_id: str, route: routing.Route, compiled: Compiled) -> None:
    session.execute(
        _TASK,
        {
            "id": new_id(), "item_id": item_id, "queue_id": head.id, "config_version": head.version, "round": 1,
            "kind": TaskKind.AUDIT if route.audit_sample else TaskKind.REVIEW, "state": TaskState.OPEN,
            "audience": Audience.REVIEWER, "priority": route.priority, "excluded": "[]", "lane": "", "fence": 0,
            "due_seconds": compiled.config.sla.due_minutes * 60.0,
        },
    )  # fmt: skip
    outbox.append(session, ITEM_QUEUED, rq_queue=outbox.review_queue(head.slug), ref=item_id)
