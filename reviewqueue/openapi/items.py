"""Items in the API's document: what is answered, and the operations. Pure tables."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from reviewqueue.core.access import Scope
from reviewqueue.delivery.waiting import LONGEST_SECONDS
from reviewqueue.intake.api import MOST_ITEMS, CancellationShape
from reviewqueue.intake.shapes import Alternative, Failure, ItemShape, Part
from reviewqueue.models.states import ItemState, ResolvedBy, Risk, RoutingAction, Verdict
from reviewqueue.openapi.operations import Answer, Operation, Parameter, Tag, Told, json_body
from reviewqueue.openapi.parameters import IDEMPOTENCY_KEY, ITEM, OF_QUEUE, PAGES, QUEUE, STATE, TASK
from reviewqueue.openapi.problems import InvalidProblem, Problem, example_of
from reviewqueue.queues.api import RevealShape
from reviewqueue.review.shapes import CommentShape, ReopeningShape


class Resolution(Told):
    """How an item ended. Never edited, only superseded by the next revision."""

    verdict: Verdict | None
    """Null for a withdrawn item, and where the time ran out without a default."""
    output: Any
    """The answer: use this one. Null where there is none."""
    by: ResolvedBy
    revision: int
    """From 1; a later one supersedes those before."""
    reason: str | None
    message: str | None
    """From the reviewer, for the program."""
    resolved_at: datetime


class Route(Told):
    """What routing decided, and by which rule."""

    rule: int | None
    """The rule's place, from 1; null for `otherwise` and the safeguards."""
    title: str
    action: RoutingAction
    priority: int
    audit_sample: bool
    """Whether it was drawn for an audit."""
    probability: float
    """The chance that it had of being seen by a person."""
    config_version: int


class Links(Told):
    self: str
    page: str
    """For people, in a browser."""


class Submission(Told):
    """The answer to a new item."""

    id: UUID
    queue: str
    """Another than that of the request where a full queue handed it on."""
    state: ItemState
    routing: Route
    resolution: Resolution | None
    """There at once when the item passed, or is a duplicate."""
    duplicate_of: UUID | None
    """The item whose resolution answered this one."""
    due_at: datetime
    expected_at: datetime | None
    """When an answer can be expected, by the latest decisions of the queue."""
    links: Links


class Item(Told):
    """An item as it is now; its content exactly as it was sent."""

    id: UUID
    queue: str
    external_id: str | None
    state: ItemState
    input: Any
    output: Any
    failure: Failure | None
    confidence: float | None
    risk: Risk
    model: str | None
    model_version: str | None
    prompt_version: str | None
    subject: str | None
    parts: list[Part] | None
    alternatives: list[Alternative] | None
    explanation: str | None
    trace_url: str | None
    cost: float | None
    latency_ms: float | None
    metadata: dict[str, Any]
    test: bool
    supersedes: UUID | None
    duplicate_of: UUID | None
    """The item whose resolution answered this one."""
    routing: Route
    resolution: Resolution | None
    """In force: the latest revision. While the queue is held, the latest that was told before."""
    submitted_at: datetime
    due_at: datetime
    expires_at: datetime | None
    """When its time to live is over."""
    links: Links


class Revealed(Told):
    parts: list[str]
    """What was covered."""


class ItemList(Told):
    items: list[Item]
    cursor: str | None
    """For the next page; null on the last one."""


class StoredResult(Told):
    status: Literal[201]
    item: Submission


class RepeatedResult(Told):
    status: Literal[200]
    item: Item


class RefusedResult(Told):
    status: Annotated[int, Field(ge=400)]
    error: InvalidProblem | Problem


class BatchResults(Told):
    results: list[StoredResult | RepeatedResult | RefusedResult]
    """One an item, in their order."""


class Comment(Told):
    id: UUID
    person: str
    body: str
    at: datetime


class Comments(Told):
    comments: list[Comment]


class Said(Told):
    id: UUID
    at: datetime
    mentioned: list[str]
    """Those who were told, by name."""
    unknown: list[str]
    """Words after an @ that mean nobody, or more than one."""


class Reopening(Told):
    task: UUID
    """The task that somebody else gets."""


BATCH = {
    "type": "object",
    "required": ["items"],
    "additionalProperties": False,
    "properties": {
        "items": {"type": "array", "minItems": 1, "maxItems": MOST_ITEMS,
                  "items": {"$ref": "#/components/schemas/ItemRequest"}},
    },
}  # fmt: skip

# -- examples ---------------------------------------------------------------------------------------------------------

NEW = {
    "queue": QUEUE, "external_id": "chat-1", "input": {"text": "My card never came"}, "output": {"label": "lost_card"},
    "confidence": 0.42, "model": "intents", "model_version": "7",
    "alternatives": [{"output": {"label": "card_arrival"}, "confidence": 0.38}],
}  # fmt: skip
ROUTE = {
    "rule": 1, "title": "Unsure", "action": "review", "priority": 0, "audit_sample": False, "probability": 1.0,
    "config_version": 7,
}  # fmt: skip
RESOLUTION = {
    "verdict": "override", "output": {"label": "card_arrival"}, "by": "people", "revision": 1, "reason": None,
    "message": "See the section on cards.", "resolved_at": "2026-11-20T10:04:11.482Z",
}  # fmt: skip
COMMENT = {"id": TASK, "person": "Alice", "body": "@bob, is this a complaint?", "at": "2026-11-20T10:02:00.000Z"}
SAID = {"id": TASK, "at": "2026-11-20T10:02:00.000Z", "mentioned": ["Bob"], "unknown": []}
LINKS = {"self": f"/api/v1/items/{ITEM}", "page": f"/items/{ITEM}"}
SUBMITTED = {
    "id": ITEM, "queue": QUEUE, "state": "queued", "routing": ROUTE, "resolution": None, "duplicate_of": None,
    "due_at": "2026-11-21T10:00:00.123Z",
    "expected_at": "2026-11-20T10:05:00.000Z", "links": LINKS,
}  # fmt: skip
RESOLVED = {
    "id": ITEM, "queue": QUEUE, "external_id": "chat-1", "state": "resolved", "input": NEW["input"],
    "output": NEW["output"], "failure": None, "confidence": 0.42, "risk": "low", "model": "intents",
    "model_version": "7", "prompt_version": None, "subject": None, "parts": None, "alternatives": NEW["alternatives"],
    "explanation": None, "trace_url": None, "cost": None, "latency_ms": None, "metadata": {}, "test": False,
    "supersedes": None, "duplicate_of": None, "routing": ROUTE, "resolution": RESOLUTION,
    "submitted_at": "2026-11-20T10:00:00.123Z",
    "due_at": "2026-11-21T10:00:00.123Z", "expires_at": None, "links": LINKS,
}  # fmt: skip
WITHDRAWN = {
    **RESOLVED, "state": "cancelled",
    "resolution": {**RESOLUTION, "verdict": None, "output": None, "by": "cancelled", "message": "Asked twice."},
}  # fmt: skip

# -- operations -------------------------------------------------------------------------------------------------------

SUBMIT_CODES = (
    "unknown_queue", "invalid_item", "refused_by_rule", "intake_closed", "external_id_taken", "queue_full",
)  # fmt: skip
WAIT = Parameter(
    "wait", "query", {"type": "number", "minimum": 0, "maximum": LONGEST_SECONDS, "default": 0},
    "Answer as soon as the item has ended, at the latest after so many seconds.", 30, ("bad_parameter",),
)  # fmt: skip
WAITS = Parameter(
    "waits", "query", {"enum": ["0", "1", "false", "true"], "default": "0"},
    "You will wait for the answer: nothing is stored where this token may not read it.", "1", ("bad_parameter",),
)  # fmt: skip

TAG = Tag(
    "Items",
    "Outputs of an AI that are submitted for judgement, and what became of them.",
    (
        Operation(
            "POST", "/items", "submit_item", "Submit an item",
            {
                201: Answer("Stored: what routing decided.", Submission, SUBMITTED, ("Location",)),
                200: Answer("There already, by its external_id: the item as it is now.", Item, RESOLVED, ("Location",)),
            },
            "Say what the AI proposes. Routing answers at once whether it passes or a person looks at it.",
            scope=Scope.ITEMS_WRITE,
            parameters=(WAITS, IDEMPOTENCY_KEY),
            body=json_body(ItemShape, {"A guess that the model is unsure of": NEW}),
            codes=SUBMIT_CODES,
        ),
        Operation(
            "POST", "/items/batch", "submit_batch", "Submit many items",
            {
                200: Answer(
                    "A result for each, in their order.", BatchResults,
                    {"results": [{"status": 201, "item": SUBMITTED},
                                 {"status": 422, "error": example_of("invalid_item")}]},
                ),
            },
            f"1 to {MOST_ITEMS:,} items in one transaction. One that is refused hinders no other; what is no JSON "
            "is refused whole.",
            scope=Scope.ITEMS_WRITE,
            parameters=(IDEMPOTENCY_KEY,),
            body=json_body(BATCH, {"Two items": {"items": [NEW, {**NEW, "external_id": "chat-2"}]}}),
            codes=("conflict",),
        ),
        Operation(
            "GET", "/items", "list_items", "List items",
            {200: Answer("Newest first.", ItemList, {"items": [RESOLVED], "cursor": None}, ("Link",))},
            scope=Scope.ITEMS_READ,
            parameters=(
                OF_QUEUE, STATE,
                Parameter("external_id", "query", {"type": "string"}, "Only with this external_id.", "chat-1"),
                Parameter("subject", "query", {"type": "string"}, "Only about this subject."),
                *PAGES,
            ),
        ),
        Operation(
            "GET", "/items/{item_id}", "read_item", "Read an item, or wait for its answer",
            {200: Answer("The item. `Retry-After` where too many wait already.", Item, RESOLVED, ("Retry-After",))},
            "With `wait` the answer comes when the item has ended, or with the item as it is when the time is over: "
            "look at `state`, and ask again.",
            scope=Scope.ITEMS_READ,
            parameters=(WAIT,),
        ),
        Operation(
            "POST", "/items/{item_id}/reveals", "reveal_item", "See what is sensitive of an item",
            {200: Answer("The parts that were covered: read the item now.", Revealed, {"parts": ["/input/iban"]})},
            "For people, whose tokens read them covered. It is recorded, and holds for a quarter of an hour.",
            scope=Scope.ITEMS_READ,
            body=json_body(RevealShape, {"With a reason": {"why": "The customer called."}}, required=False),
        ),
        Operation(
            "POST", "/items/{item_id}/cancellation", "cancel_item", "Withdraw an item",
            {200: Answer("The item, withdrawn; also when it was already.", Item, WITHDRAWN)},
            "Whoever has it in hand is told so. A person's decision comes first.",
            scope=Scope.ITEMS_WRITE,
            body=json_body(CancellationShape, {"With a reason": {"reason": "Asked twice."}}, required=False),
            codes=("item_ended", "item_decided"),
        ),
        Operation(
            "GET", "/items/{item_id}/comments", "list_comments", "What people say to each other about an item",
            {200: Answer("Oldest first, the last 500.", Comments, {"comments": [COMMENT]})},
            "Also with a personal token of the scope `review`.",
            scope=Scope.ITEMS_READ,
        ),
        Operation(
            "POST", "/items/{item_id}/comments", "comment_on_item", "Say something about an item",
            {201: Answer("Who was told, and the words after an @ that mean nobody or more than one.", Said, SAID)},
            "Never told to its program. `@` and a name, or what stands before the @ of an e-mail, gives that member of "
            "the queue a notice; so does a reply to those who commented before.",
            scope=Scope.REVIEW,
            body=json_body(CommentShape, {"A question": {"body": "@bob, is this a complaint?"}}),
        ),
        Operation(
            "POST", "/items/{item_id}/reopenings", "reopen_item", "Have an item judged once more",
            {201: Answer("Somebody else gets it.", Reopening, {"task": TASK})},
            "For an item that has ended, by somebody who has not decided it yet. The present answer stands until then.",
            scope=Scope.REVIEW,
            body=json_body(ReopeningShape, {"With a reason": {"reason": "The customer called again."}}),
            codes=("item_cancelled", "item_open", "nobody_else"),
        ),
    ),
)  # fmt: skip
