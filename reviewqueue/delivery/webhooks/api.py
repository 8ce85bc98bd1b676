"""JSON routes of webhook endpoints and their deliveries."""

from __future__ import annotations

from typing import Annotated

from flask import Blueprint, Response
from pydantic import Field
from sqlalchemy.orm import Session

from reviewqueue.core.db import read_session, write_session
from reviewqueue.core.http import (
    API_PREFIX,
    Shape,
    actor,
    cursor_of,
    id_cursor,
    json_answer,
    list_answer,
    page_size,
    read_body,
)  # fmt: skip
from reviewqueue.delivery.webhooks import deliveries, endpoints

blueprint = Blueprint("webhooks_api", __name__, url_prefix=API_PREFIX)


class EndpointShape(Shape):
    url: Annotated[str, Field(min_length=1, max_length=2000)]
    """Begins with `https://`."""
    events: Annotated[tuple[str, ...], Field(max_length=50, strict=False)] = ("*",)
    """Types of events; `*` is all of them, those of later versions, too."""
    description: Annotated[str, Field(max_length=300)] = ""


class ChangeShape(Shape):
    enabled: bool


@blueprint.post("/queues/<slug>/webhooks")
def create_endpoint(slug: str) -> Response:
    """Have an address hear of the queue's events: 201 with the endpoint and its `secret`."""
    body = read_body(EndpointShape).shape
    with write_session() as session:
        endpoint_id = endpoints.create(
            session=session, actor=actor(), slug=slug, url=body.url, wanted=body.events, description=body.description
        )
        return _answer(session, endpoint_id, 201, with_secret=True)


def _answer(session: Session, endpoint_id: str, status: int = 200, *, with_secret: bool = False) -> Response:
    endpoint = endpoints.permitted(session=session, actor=actor(), endpoint_id=endpoint_id)
    shown = endpoints.as_json(session, endpoint)
    if with_secret:
        shown["secret"] = endpoints.secrets_of(session, endpoint)[0]
    return json_answer(shown, status)


@blueprint.get("/queues/<slug>/webhooks")
def list_endpoints(slug: str) -> Response:
    """The queue's endpoints, oldest first, each with what waits and what was given up."""
    with read_session() as session:
        found = endpoints.endpoints_of(session=session, actor=actor(), slug=slug)
        counts = deliveries.counts(session, [endpoint.id for endpoint in found])
        shown = [{**endpoints.as_json(session, endpoint), **counts[endpoint.id]} for endpoint in found]
    return list_answer("webhooks", shown, None)


@blueprint.get("/webhooks/<endpoint_id>")
def read_endpoint(endpoint_id: str) -> Response:
    """The endpoint, with its present secret."""
    with read_session() as session:
        return _answer(session, endpoint_id, with_secret=True)


@blueprint.put("/webhooks/<endpoint_id>/enabled")
def enable_endpoint(endpoint_id: str) -> Response:
    """Pause deliveries, or go on where they stopped: `{"enabled": false}`."""
    body = read_body(ChangeShape)
    with write_session() as session:
        endpoints.set_enabled(session=session, actor=actor(), endpoint_id=endpoint_id, enabled=body.shape.enabled)
        return _answer(session, endpoint_id)


@blueprint.post("/webhooks/<endpoint_id>/rotation")
def rotate_secret(endpoint_id: str) -> Response:
    """A new secret: 200 with it. For a day the old one signs, too."""
    with write_session() as session:
        endpoints.rotate(session=session, actor=actor(), endpoint_id=endpoint_id)
        return _answer(session, endpoint_id, with_secret=True)


@blueprint.delete("/webhooks/<endpoint_id>")
def remove_endpoint(endpoint_id: str) -> Response:
    """Forget the endpoint with its deliveries."""
    with write_session() as session:
        endpoints.remove(session=session, actor=actor(), endpoint_id=endpoint_id)
    return Response(status=204)


@blueprint.post("/webhooks/<endpoint_id>/test")
def test_endpoint(endpoint_id: str) -> Response:
    """Send an event of type `webhook.test`: 202 with the delivery's id."""
    with write_session() as session:
        delivery_id = deliveries.test(session=session, actor=actor(), endpoint_id=endpoint_id)
    return json_answer({"delivery": delivery_id}, 202)


@blueprint.get("/webhooks/<endpoint_id>/deliveries")
def list_deliveries(endpoint_id: str) -> Response:
    """Its deliveries with every attempt and answer, newest first: `?limit=&cursor=`."""
    limit, before = page_size(), id_cursor()
    with read_session() as session:
        found = deliveries.log(session=session, actor=actor(), endpoint_id=endpoint_id, before=before, limit=limit + 1)
    cursor = cursor_of(found[limit - 1]["id"]) if len(found) > limit else None
    return list_answer("deliveries", found[:limit], cursor)


@blueprint.get("/webhooks/<endpoint_id>/deliveries/<delivery_id>")
def read_delivery(endpoint_id: str, delivery_id: str) -> Response:
    """One delivery with every attempt and answer."""
    with read_session() as session:
        return json_answer(
            deliveries.read(session=session, actor=actor(), endpoint_id=endpoint_id, delivery_id=delivery_id)
        )


@blueprint.post("/webhooks/<endpoint_id>/redelivery")
def redeliver_dead(endpoint_id: str) -> Response:
    """Send all once more that were given up: 202 with how many."""
    with write_session() as session:
        count = deliveries.redeliver(session=session, actor=actor(), endpoint_id=endpoint_id)
    return json_answer({"deliveries": count}, 202)


@blueprint.post("/webhooks/<endpoint_id>/deliveries/<delivery_id>/redelivery")
def redeliver_one(endpoint_id: str, delivery_id: str) -> Response:
    """Send one now, under the same `webhook-id`: 202. Also one that waits for its next attempt."""
    with write_session() as session:
        count = deliveries.redeliver(session=session, actor=actor(), endpoint_id=endpoint_id, delivery_id=delivery_id)
    return json_answer({"deliveries": count}, 202)
