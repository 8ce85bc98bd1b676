"""Webhook endpoints in the API's document: what is answered, and the operations. Pure tables."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from reviewqueue.core.access import Scope
from reviewqueue.delivery.webhooks.api import ChangeShape, EndpointShape
from reviewqueue.models.states import DeliveryState
from reviewqueue.openapi.operations import Answer, Operation, Tag, Told, json_body
from reviewqueue.openapi.parameters import PAGES, PATHS, QUEUE


class Endpoint(Told):
    """An address that hears of a queue's events."""

    id: UUID
    queue: str
    url: str
    events: list[str]
    description: str
    enabled: bool
    disabled_why: str | None
    created_at: datetime


class EndpointWithSecret(Endpoint):
    secret: str
    """`whsec_…`: the receiver verifies signatures with it."""


class EndpointWithCounts(Endpoint):
    pending: int
    """Deliveries that wait."""
    dead: int
    """Deliveries that were given up."""


class EndpointList(Told):
    webhooks: list[EndpointWithCounts]
    cursor: None
    """They come all at once."""


class Attempt(Told):
    number: int
    at: datetime
    seconds: float
    status: int | None
    """Null where no answer came."""
    answer: str
    """Its first 2,000 characters, or why there was none."""


class Delivery(Told):
    """One event for one endpoint."""

    id: UUID
    event: str
    webhook_id: str
    """The same with every attempt."""
    ref: UUID
    """Id of what it tells of."""
    state: DeliveryState
    created_at: datetime
    ended_at: datetime | None
    next_at: datetime | None
    """When it is tried next."""
    attempts: list[Attempt]


class DeliveryList(Told):
    deliveries: list[Delivery]
    cursor: str | None
    """For the next page; null on the last one."""


class TestSent(Told):
    delivery: UUID


class Redelivery(Told):
    deliveries: int
    """How many are sent again."""


# -- examples ---------------------------------------------------------------------------------------------------------

ENDPOINT = {
    "id": PATHS["endpoint_id"].example, "queue": QUEUE, "url": "https://shop.example/hooks/reviews",
    "events": ["item.resolved", "item.revised"], "description": "The shop", "enabled": True, "disabled_why": None,
    "created_at": "2026-11-20T09:30:00.000Z",
}  # fmt: skip
WANTED = {name: ENDPOINT[name] for name in ("url", "events", "description")}
WITH_SECRET = {**ENDPOINT, "secret": "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"}
PAUSED = {**ENDPOINT, "enabled": False, "disabled_why": "by hand"}
DELIVERY = {
    "id": PATHS["delivery_id"].example, "event": "item.resolved",
    "webhook_id": "msg_01939d1c-9f01-7b66-a2d1-3e4f50617283",
    "ref": "01939d1c-9f01-7b66-a2d1-3e4f50617283", "state": "delivered", "created_at": "2026-11-20T10:04:11.500Z",
    "ended_at": "2026-11-20T10:04:11.702Z", "next_at": None,
    "attempts": [{"number": 1, "at": "2026-11-20T10:04:11.702Z", "seconds": 0.121, "status": 204, "answer": ""}],
}  # fmt: skip

# -- operations -------------------------------------------------------------------------------------------------------

TAG = Tag(
    "Webhooks",
    "Addresses that hear of a queue's events, as Standard Webhooks describes them.",
    (
        Operation(
            "POST", "/queues/{slug}/webhooks", "create_webhook", "Have an address hear of the queue's events",
            {201: Answer("The endpoint, with its secret.", EndpointWithSecret, WITH_SECRET)},
            scope=Scope.QUEUES_WRITE,
            body=json_body(EndpointShape, {"For answers alone": WANTED}),
            codes=("too_many_endpoints",),
        ),
        Operation(
            "GET", "/queues/{slug}/webhooks", "list_webhooks", "List the queue's endpoints",
            {200: Answer("Oldest first.", EndpointList,
                         {"webhooks": [{**ENDPOINT, "pending": 0, "dead": 0}], "cursor": None})},
            scope=Scope.QUEUES_WRITE,
        ),
        Operation(
            "GET", "/webhooks/{endpoint_id}", "read_webhook", "Read an endpoint and its secret",
            {200: Answer("The endpoint.", EndpointWithSecret, WITH_SECRET)},
            scope=Scope.QUEUES_WRITE,
            hides=True,
        ),
        Operation(
            "PUT", "/webhooks/{endpoint_id}/enabled", "enable_webhook", "Pause deliveries, or go on",
            {200: Answer("The endpoint.", Endpoint, PAUSED)},
            "Deliveries go on where they stopped.",
            scope=Scope.QUEUES_WRITE,
            body=json_body(ChangeShape, {"Pause": {"enabled": False}}),
            hides=True,
        ),
        Operation(
            "POST", "/webhooks/{endpoint_id}/rotation", "rotate_webhook_secret", "Make a new secret",
            {200: Answer("The endpoint, with its new secret.", EndpointWithSecret, WITH_SECRET)},
            "For a day the old one signs, too.",
            scope=Scope.QUEUES_WRITE,
            hides=True,
        ),
        Operation(
            "DELETE", "/webhooks/{endpoint_id}", "remove_webhook", "Remove an endpoint",
            {204: Answer("Gone, with its deliveries.")},
            scope=Scope.QUEUES_WRITE,
            hides=True,
        ),
        Operation(
            "POST", "/webhooks/{endpoint_id}/test", "test_webhook", "Send a test",
            {202: Answer("An event of type `webhook.test` is on its way.", TestSent,
                         {"delivery": DELIVERY["id"]})},
            scope=Scope.QUEUES_WRITE,
            codes=("endpoint_disabled",),
            hides=True,
        ),
        Operation(
            "GET", "/webhooks/{endpoint_id}/deliveries", "list_deliveries", "List deliveries",
            {200: Answer("Newest first, each with its attempts.", DeliveryList,
                         {"deliveries": [DELIVERY], "cursor": None}, ("Link",))},
            scope=Scope.QUEUES_WRITE,
            parameters=PAGES,
            hides=True,
        ),
        Operation(
            "GET", "/webhooks/{endpoint_id}/deliveries/{delivery_id}", "read_delivery", "Read a delivery",
            {200: Answer("The delivery, with its attempts.", Delivery, DELIVERY)},
            scope=Scope.QUEUES_WRITE,
            hides=True,
        ),
        Operation(
            "POST", "/webhooks/{endpoint_id}/redelivery", "redeliver_all", "Send again all that were given up",
            {202: Answer("They are on their way.", Redelivery, {"deliveries": 3})},
            scope=Scope.QUEUES_WRITE,
            hides=True,
        ),
        Operation(
            "POST", "/webhooks/{endpoint_id}/deliveries/{delivery_id}/redelivery", "redeliver", "Send one now",
            {202: Answer("It is on its way, under the same `webhook-id`.", Redelivery, {"deliveries": 1})},
            "One that arrived, was given up, or waits for its next attempt.",
            scope=Scope.QUEUES_WRITE,
            codes=("delivery_pending",),
            hides=True,
        ),
    ),
)  # fmt: skip
