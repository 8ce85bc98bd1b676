"""Queues in the API's document: what is answered, and the operations. Pure tables."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from reviewqueue.core.access import Scope
from reviewqueue.models.states import Intake, ItemState, ProposalState, RoutingAction
from reviewqueue.openapi.items import RESOLUTION, Resolution
from reviewqueue.openapi.operations import JSON, Answer, Body, Operation, Parameter, Tag, Told
from reviewqueue.openapi.parameters import CURSOR, ITEM, LIMIT, QUEUE
from reviewqueue.queues import simulation
from reviewqueue.queues.configuration import QueueConfig


class QueueHead(Told):
    name: str
    title: str
    version: int
    """Of its configuration."""
    intake: Intake
    archived: bool
    stopped: bool
    """Nothing passes: by its own brake or the site's."""
    held: bool
    """Nor does any answer go out."""


class Queue(QueueHead):
    configuration: dict[str, Any]
    """The document, as it was applied."""


class QueueList(Told):
    queues: list[QueueHead]
    cursor: None
    """They come all at once."""


class Warning(Told):  # noqa: A001 - the API's word
    """What is probably a slip in the configuration. It hinders nothing."""

    pointer: str
    """Where, as a JSON Pointer into the document."""
    detail: str


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
    warnings: list[Warning]
    """Of the whole document, also where nothing changed."""
    lowers: list[str]
    """Places that may lower review, in a queue that asks for two persons."""
    proposal: UUID | None
    """Nothing was applied: it waits under this id for another person."""


class Proposal(Told):
    id: UUID
    state: ProposalState
    base_version: int
    """The version that it changes."""
    lowers: list[str]
    """Places that may lower review."""
    diff: list[str]
    note: str
    proposed_by: str
    """Who, as `person:<id>` and the like."""
    proposed_at: datetime
    ended_by: str | None
    ended_at: datetime | None
    configuration: dict[str, Any]


class ProposalList(Told):
    proposals: list[Proposal]
    cursor: None


class Confirmed(Told):
    applied: Applied | None
    """None while one more person is needed: of what a program or the command line proposed."""


class ProposalEnd(Told):
    id: UUID
    state: ProposalState


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


class RoutedCounts(Told):
    review: int
    auto_approve: int
    refuse: int


class VerdictCounts(Told):
    approve: int
    edit: int
    override: int
    reject: int


class RuleOutcome(Told):
    """What one rule, `otherwise` or a safeguard would have done."""

    rule: int | None
    """Its place, from 1; null for `otherwise` and the safeguards."""
    title: str
    action: RoutingAction
    items: int
    before: RoutedCounts
    """How they were routed when they came."""
    verdicts: VerdictCounts
    """How people judged those that they saw."""


class Simulation(Told):
    """What a configuration would have made of items, and what became of them."""

    queue: str
    version: int
    """The present one."""
    last: str | None
    """How far back it looked."""
    items: int
    complete: bool
    """False where there were more: these are the newest."""
    before: RoutedCounts
    then: RoutedCounts
    audits: int
    """Of what would pass, those drawn to be reviewed all the same."""
    unfit: int
    """Items that do not fit the schemas."""
    freed: int
    """Were reviewed, and would pass."""
    added: int
    """Passed, and would be reviewed."""
    agreed: int
    """Of those freed, how many people had approved."""
    freed_judged: int
    """Of those freed, how many people had judged."""
    changed: int
    """Of all that would pass, how many people had changed or rejected."""
    judged: int
    """Of all that would pass, how many people had judged."""
    audited: int
    """Passed, and were drawn to be reviewed all the same."""
    refused: int
    """Lines of a file that are no items; always 0 here."""
    examples: list[str]
    """Ids of some of those."""
    rules: list[RuleOutcome]
    warnings: list[Warning]


class End(Told):
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


class FeedEntry(End):
    """What an item ended with, and where to go on after it."""

    cursor: str
    """Goes on after exactly this entry."""


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
HEAD = {
    "name": QUEUE, "title": "Support intents", "version": 7, "intake": "open", "archived": False,
    "stopped": False, "held": False,
}  # fmt: skip
APPLIED = {
    "name": QUEUE, "version": 7, "created": False, "changed": True,
    "diff": ["/audit/rate: 0.01 → 0.02"], "waiting": 214, "misfits": 0,
    "warnings": [
        {"pointer": "/routing/rules/1/when", "detail": "output.lable is not in output_schema: did you mean label?"},
    ],
    "lowers": [], "proposal": None,
}  # fmt: skip
CREATED = {**APPLIED, "version": 1, "created": True, "diff": ["/name: + support-intents"], "waiting": 0,
    "warnings": []}  # fmt: skip
PROPOSAL_ID = "01939d21-5a00-7145-a6d7-c8e9f0a1b23d"
LOWERED = {**APPLIED, "version": 6, "changed": False, "diff": ["audit.rate: 0.02 → 0.01"], "warnings": [],
    "lowers": ["audit"], "proposal": PROPOSAL_ID}  # fmt: skip
PROPOSAL = {
    "id": PROPOSAL_ID, "state": "waits", "base_version": 6, "lowers": ["audit"], "diff": ["audit.rate: 0.02 → 0.01"],
    "note": "Audit half as many", "proposed_by": "person:01939d10-7a00-7a11-8b22-1c2d3e4f5061",
    "proposed_at": "2026-11-20T09:00:00.000Z", "ended_by": None, "ended_at": None, "configuration": DOCUMENT,
}  # fmt: skip
VERSION = {
    "version": 7, "applied_by": "token:5d0f2c41a8b94e77", "applied_at": "2026-11-20T09:00:00.000Z",
    "note": "Audit twice as many", "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "configuration": DOCUMENT,
}  # fmt: skip
ENTRY = {
    "position": 1, "event": "item.resolved", "item": ITEM, "external_id": "chat-1", "state": "resolved", "test": False,
    "model": "intents", "model_version": "7", "resolution": RESOLUTION,
}  # fmt: skip
FEED = {"resolutions": [{**ENTRY, "cursor": "ZmVlZB9pbnRlbnRzHzE"}], "cursor": "ZmVlZB9pbnRlbnRzHzE"}

SIMULATED = {
    "queue": QUEUE, "version": 7, "last": "30d", "items": 8412, "complete": True,
    "before": {"review": 2310, "auto_approve": 6102, "refuse": 0},
    "then": {"review": 1590, "auto_approve": 6822, "refuse": 0}, "audits": 131, "unfit": 0, "freed": 791, "added": 71,
    "agreed": 742, "freed_judged": 780, "changed": 38, "judged": 849, "audited": 122, "refused": 0,
    "examples": [ITEM],
    "rules": [
        {"rule": 1, "title": "Unsure", "action": "review", "items": 1590,
         "before": {"review": 1519, "auto_approve": 71, "refuse": 0},
         "verdicts": {"approve": 903, "edit": 0, "override": 398, "reject": 4}},
    ],
    "warnings": [],
}  # fmt: skip

# -- operations -------------------------------------------------------------------------------------------------------

DRY_RUN = Parameter(
    "dry_run", "query", {"type": "boolean", "default": False},
    "Change nothing; the answer, and its status, are what they would be.", codes=("bad_parameter",),
)  # fmt: skip
NOTE = Parameter("note", "query", {"type": "string"}, "Kept with the version, its first 2,000 characters.")
IF_MATCH = Parameter(
    "If-Match", "header", {"type": "string", "pattern": '^(W/)?"?[0-9]{1,9}"?$'},
    'Refuse unless this version is current; `"0"`: unless there is no such queue.', '"7"', ("version_conflict",),
)  # fmt: skip

LAST = Parameter(
    "last", "query", {"type": "string", "default": simulation.LAST}, "How far back: `12h`, `30d` or `2w`.", "30d",
    ("bad_parameter",),
)  # fmt: skip
MOST = Parameter(
    "most", "query", {"type": "integer", "minimum": 1, "maximum": simulation.LARGEST, "default": simulation.MOST},
    "Look at no more than the newest so many.", codes=("bad_parameter",),
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
                202: Answer("It may lower review, and waits for another person.", Applied, LOWERED),
            },
            "The document, as JSON or as YAML, becomes the next version. It names the same queue as the address.",
            scope=Scope.QUEUES_WRITE,
            parameters=(DRY_RUN, NOTE, IF_MATCH),
            body=Body(
                {JSON: QueueConfig, "application/yaml": {"type": "string"}}, {"A queue of labels": DOCUMENT},
                codes=("too_large", "malformed_json", "invalid_utf8", "too_deep", "bad_characters"),
            ),
            codes=("bad_configuration", "wrong_queue", "conflict", "proposal_waits"),
        ),
        Operation(
            "GET", "/queues/{slug}/proposals", "list_proposals", "List configurations that wait for a second person",
            {200: Answer("The newest 50, also those that are over.", ProposalList,
                {"proposals": [PROPOSAL], "cursor": None})},
            scope=Scope.QUEUES_WRITE,
        ),
        Operation(
            "POST", "/queues/{slug}/proposals/{proposal_id}/confirmation", "confirm_proposal",
            "Confirm a configuration as another person",
            {
                200: Answer("Applied.", Confirmed, {"applied": APPLIED}),
                202: Answer("One more person is needed.", Confirmed, {"applied": None}),
            },
            "With a personal token: only people confirm.",
            scope=Scope.QUEUES_WRITE,
            codes=("proposal_over", "yourself", "version_conflict", "bad_configuration"),
        ),
        Operation(
            "POST", "/queues/{slug}/proposals/{proposal_id}/withdrawal", "withdraw_proposal",
            "Withdraw or refuse a configuration",
            {200: Answer("It waits no more.", ProposalEnd, {"id": PROPOSAL_ID, "state": "withdrawn"})},
            "Its author withdraws it; anybody else who may configure the queue refuses it.",
            scope=Scope.QUEUES_WRITE,
            codes=("proposal_over",),
        ),
        Operation(
            "POST", "/queues/{slug}/simulations", "simulate_configuration", "Try a configuration on what came",
            {200: Answer("What it would have made of them; nothing is changed.", Simulation, SIMULATED)},
            "The body is a configuration as for applying it; without one, the present one is tried.",
            scope=Scope.QUEUES_WRITE,
            parameters=(LAST, MOST),
            body=Body(
                {JSON: QueueConfig, "application/yaml": {"type": "string"}}, {"A queue of labels": DOCUMENT},
                required=False, codes=("too_large", "malformed_json", "invalid_utf8", "too_deep", "bad_characters"),
            ),
            codes=("bad_configuration",),
        ),
        Operation(
            "GET", "/queues/{slug}/versions", "list_versions", "List the versions of a configuration",
            {200: Answer("All, newest first.", VersionList, {"versions": [VERSION], "cursor": None})},
            scope=Scope.QUEUES_WRITE,
        ),
        Operation(
            "GET", "/queues/{slug}/resolutions", "list_resolutions", "Follow what the queue's items ended with",
            {200: Answer("In the order of commits.", Feed, FEED, ("Link",))},
            "The decision feed. Keep the cursor with what you have worked off, and go on from it: nothing is skipped "
            "and nothing comes twice.",
            scope=Scope.ITEMS_READ,
            parameters=(LIMIT, CURSOR),
        ),
    ),
)  # fmt: skip
