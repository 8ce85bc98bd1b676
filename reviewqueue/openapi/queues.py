"""Queues in the API's document: what is answered, and the operations. Pure tables."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from reviewqueue.core.access import Scope
from reviewqueue.models.states import Intake, ItemState
from reviewqueue.openapi.items import RESOLUTION, Resolution
from reviewqueue.openapi.operations import JSON, Answer, Body, Operation, Parameter, Tag, Told
from reviewqueue.openapi.parameters import CURSOR, ITEM, LIMIT, QUEUE
from reviewqueue.queues.configuration import QueueConfig


class QueueHead(Told):
    name: str
    title: str
    version: int
    """Of its configuration."""
    intake: Intake
    archived: bool


class Queue(QueueHead):
    configuration: dict[str, Any]
    """The document, as it was applied."""


class QueueList(Told):
    queues: list[QueueHead]
    cursor: None
    """They come all at once."""


class Applied(Told):
    """What applying a configuration did, or would do."""

    name: str
    version: int
    created: bool
    changed: bool
    """False when the document is the current one."""
    diff: list[str]
    """The changes, a line each."""
    waiting: int
    """Tasks that wait or are held."""
    misfits: int
    """Of the first 5,000 waiting items, those that the new schemas refuse: they stay under their version."""


class Version(Told):
    version: int
    applied_by: str
    """Who, as `person:<id>` and the like."""
    applied_at: datetime
    note: str
    sha256: str
    configuration: dict[str, Any]


class VersionList(Told):
    versions: list[Version]
    cursor: None
    """They come all at once."""


class FeedEntry(Told):
    """What an item ended with."""

    position: int
    """In the queue's feed, from 1."""
    event: str
    """`item.auto_approved`, `item.resolved`, `item.revised`, `item.expired` or `item.cancelled`."""
    item: UUID
    external_id: str | None
    state: ItemState
    """As this resolution left it."""
    test: bool
    model: str | None
    model_version: str | None
    resolution: Resolution


class Feed(Told):
    resolutions: list[FeedEntry]
    cursor: str
    """Always there, also after the last entry, and good for ever."""


# -- examples ---------------------------------------------------------------------------------------------------------

DOCUMENT = {
    "name": QUEUE, "title": "Support intents", "instructions": "Pick what the customer wants.",
    "input_schema": {"type": "object", "required": ["text"], "properties": {"text": {"type": "string"}}},
    "output_schema": {
        "type": "object", "required": ["label"],
        "properties": {"label": {"enum": ["card_arrival", "lost_card", "refund"]}},
    },
    "routing": {
        "rules": [{"when": "confidence < 0.8", "action": "review", "title": "Unsure"}], "otherwise": "auto_approve",
    },
    "audit": {"rate": 0.02},
}  # fmt: skip
HEAD = {"name": QUEUE, "title": "Support intents", "version": 7, "intake": "open", "archived": False}
APPLIED = {
    "name": QUEUE, "version": 7, "created": False, "changed": True,
    "diff": ["/audit/rate: 0.01 → 0.02"], "waiting": 214, "misfits": 0,
}  # fmt: skip
CREATED = {**APPLIED, "version": 1, "created": True, "diff": ["/name: + support-intents"], "waiting": 0}
VERSION = {
    "version": 7, "applied_by": "token:5d0f2c41a8b94e77", "applied_at": "2026-11-20T09:00:00.000Z",
    "note": "Audit twice as many", "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "configuration": DOCUMENT,
}  # fmt: skip
ENTRY = {
    "position": 1, "event": "item.resolved", "item": ITEM, "external_id": "chat-1", "state": "resolved", "test": False,
    "model": "intents", "model_version": "7", "resolution": RESOLUTION,
}  # fmt: skip

# -- operations -------------------------------------------------------------------------------------------------------

DRY_RUN = Parameter(
    "dry_run", "query", {"type": "boolean", "default": False},
    "Change nothing; the answer, and its status, are what they would be.", codes=("bad_parameter",),
)  # fmt: skip
NOTE = Parameter("note", "query", {"type": "string"}, "Kept with the version, its first 2,000 characters.")
IF_MATCH = Parameter(
    "If-Match", "header", {"type": "string"},
    'Refuse unless this version is current; `"0"`: unless there is no such queue.', '"7"', ("version_conflict",),
)  # fmt: skip

TAG = Tag(
    "Queues",
    "What is reviewed and how: configurations, their versions, and the feed of what was decided.",
    (
        Operation(
            "GET", "/queues", "list_queues", "List the queues that one may know of",
            {200: Answer("All at once, by title.", QueueList, {"queues": [HEAD], "cursor": None})},
        ),
        Operation(
            "GET", "/queues/{slug}", "read_queue", "Read a queue and its configuration",
            {200: Answer("The queue.", Queue, {**HEAD, "configuration": DOCUMENT}, ("ETag",))},
            scope=Scope.QUEUES_WRITE,
        ),
        Operation(
            "PUT", "/queues/{slug}", "apply_configuration", "Create or configure a queue",
            {
                200: Answer("Applied, or current already.", Applied, APPLIED),
                201: Answer("The queue is new.", Applied, CREATED),
            },
            "The document, as JSON or as YAML, becomes the next version. It names the same queue as the address.",
            scope=Scope.QUEUES_WRITE,
            parameters=(DRY_RUN, NOTE, IF_MATCH),
            body=Body(
                {JSON: QueueConfig, "application/yaml": {"type": "string"}}, {"A queue of labels": DOCUMENT},
                codes=("too_large", "malformed_json", "invalid_utf8", "too_deep", "bad_characters"),
            ),
            codes=("bad_configuration", "wrong_queue", "conflict"),
        ),
        Operation(
            "GET", "/queues/{slug}/versions", "list_versions", "List the versions of a configuration",
            {200: Answer("All, newest first.", VersionList, {"versions": [VERSION], "cursor": None})},
            scope=Scope.QUEUES_WRITE,
        ),
        Operation(
            "GET", "/queues/{slug}/resolutions", "list_resolutions", "Follow what the queue's items ended with",
            {200: Answer("In the order of commits.", Feed, {"resolutions": [ENTRY], "cursor": "ZmVlZB8x"}, ("Link",))},
            "The decision feed. Keep the cursor with what you have worked off, and go on from it: nothing is skipped "
            "and nothing comes twice.",
            scope=Scope.ITEMS_READ,
            parameters=(LIMIT, CURSOR),
        ),
    ),
)  # fmt: skip
