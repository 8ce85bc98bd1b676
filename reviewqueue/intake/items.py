"""Items as programs read them, and as they are answered at submission."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from reviewqueue.core.access import Actor
from reviewqueue.core.http import API_PREFIX
from reviewqueue.core.moments import iso
from reviewqueue.core.strictjson import Raw, raw, spliced
from reviewqueue.errors import NotFound
from reviewqueue.intake.preparing import Prepared
from reviewqueue.models import Item, Queue
from reviewqueue.models.states import ItemState
from reviewqueue.queues import reveals
from reviewqueue.queues.routing import Route
from reviewqueue.resolution import reading


def answer_of(item: Prepared, due_at: datetime, expected_at: datetime | None, resolution: Any) -> str:
    """The answer to a submission, as JSON text."""
    return spliced({
        "id": item.item_id, "queue": item.head.slug, "state": item.state,
        "routing": _routing(item.route, item.head.version),
        "resolution": None if resolution is None else reading.as_json(resolution),
        "duplicate_of": item.columns["duplicate_of"], "due_at": iso(due_at), "expected_at": iso(expected_at),
        "links": _links(item.item_id),
    })  # fmt: skip


def item_json(session: Session, row: Item, slug: str) -> dict[str, Any]:
    """The whole item with its resolution in force, for `spliced`; content exactly as it was sent.

    While its queue is held, an item that was resolved meanwhile is shown as it was before.
    """
    resolution = reading.told(session, row.id) if row.revision else None
    kept_back = row.revision > 0 and resolution is None
    return {
        "id": row.id, "queue": slug, "external_id": row.external_id,
        "state": ItemState.IN_REVIEW if kept_back else row.state, "input": Raw(row.input),
        "output": Raw(row.output), "failure": raw(row.failure), "confidence": row.confidence, "risk": row.risk,
        "model": row.model, "model_version": row.model_version, "prompt_version": row.prompt_version,
        "subject": row.subject, "parts": raw(row.parts), "alternatives": raw(row.alternatives),
        "explanation": row.explanation, "trace_url": row.trace_url, "cost": row.cost, "latency_ms": row.latency_ms,
        "metadata": Raw(row.metadata_json), "test": row.test, "supersedes": row.supersedes,
        "duplicate_of": row.duplicate_of,
        "routing": _routing(row_route(row), row.config_version), "resolution": resolution,
        "submitted_at": iso(row.created_at), "due_at": iso(row.due_at), "expires_at": iso(row.expires_at),
        "links": _links(row.id),
    }  # fmt: skip


def stored_size(row: Item) -> int:
    """About how many bytes `item_json` has; its answer counts as much as its output."""
    large = row.input, row.output, row.output, row.metadata_json, row.alternatives, row.failure, row.parts
    return sum(len(text) for text in (*large, row.explanation) if text)


def shown_to(session: Session, actor: Actor, row: Item, slug: str) -> dict[str, Any]:
    """`item_json`, for people with its sensitive parts covered. Asks no permission."""
    found = item_json(session, row, slug)
    hidden = reveals.hidden_from(session, actor, item_id=row.id, queue_id=row.queue_id)
    if hidden:
        found["input"] = reveals.text_shown(row.input, "input", hidden)
        found["metadata"] = reveals.text_shown(row.metadata_json, "metadata", hidden)
    return found


def shown_by_id(session: Session, actor: Actor, item_id: str) -> dict[str, Any]:
    """`shown_to` by id. Raises `NotFound`."""
    row = session.execute(
        select(Item, Queue.slug).join(Queue, Queue.id == Item.queue_id).where(Item.id == item_id)
    ).one_or_none()
    if row is None:
        raise NotFound
    return shown_to(session, actor, row.Item, row.slug)


def row_route(row: Any) -> Route:
    """What routing said, from the item's columns."""
    return Route(row.action, row.rule, row.rule_title, row.priority, row.audit_sample, row.probability)


def _routing(route: Route, version: int) -> dict[str, Any]:
    return {
        "rule": route.rule, "title": route.title, "action": route.action, "priority": route.priority,
        "audit_sample": route.audit_sample, "probability": route.probability, "config_version": version,
    }  # fmt: skip


def _links(item_id: str) -> dict[str, str]:
    return {"self": f"{API_PREFIX}/items/{item_id}", "page": f"/items/{item_id}"}
