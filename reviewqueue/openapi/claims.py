"""Claims and decisions in the API's document: what is answered, and the operations. Pure tables."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from reviewqueue.core.access import Scope
from reviewqueue.intake.shapes import Alternative, Failure, Part
from reviewqueue.models.states import Audience, Risk, StandingState, TaskKind, Verdict
from reviewqueue.openapi.items import NEW, RESOLUTION, Resolution
from reviewqueue.openapi.operations import Answer, Operation, Tag, Told, json_body
from reviewqueue.openapi.parameters import ITEM, PATHS, QUEUE, TASK
from reviewqueue.queues.api import RevealShape
from reviewqueue.review.shapes import (
    AssigneeShape,
    DecisionShape,
    DraftShape,
    EscalationShape,
    PostponementShape,
    SkipShape,
    TransferShape,
)


class Lease(Told):
    id: str
    """`<task>.<fence>`"""
    fence: int
    """Rises with every claim."""
    lease_until: datetime


class ClaimedTask(Told):
    id: UUID
    queue: str
    kind: TaskKind
    round: int
    priority: int
    due: datetime
    config_version: int
    audience: Audience
    blind: bool
    """What the AI said is hidden: output, confidence, parts, alternatives, explanation and trace_url are null."""


class RevealedItem(Told):
    parts: list[str]
    """What was covered."""
    input: Any
    metadata: dict[str, Any]


class ClaimedItem(Told):
    """What the reviewer needs of the item."""

    id: UUID
    external_id: str | None
    input: Any
    output: Any
    failure: Failure | None
    confidence: float | None
    risk: Risk
    model: str | None
    model_version: str | None
    parts: list[Part] | None
    alternatives: list[Alternative] | None
    explanation: str | None
    trace_url: str | None
    metadata: dict[str, Any]
    hidden: list[str]
    """Parts that are covered as sensitive: JSON Pointers into the item."""
    rule: int | None
    """The place of the rule that sent it here."""
    title: str
    """The rule's title."""
    submitted_at: datetime


class ReviewedAs(Told):
    """What one of those said who disagree."""

    verdict: Verdict
    output: Any
    reason: str | None
    comment: str | None


class Claim(Told):
    """A lease on a task, with the item to judge."""

    claim: Lease
    task: ClaimedTask
    item: ClaimedItem
    draft: dict[str, Any] | None
    """What was typed before, by the same person."""
    answers: list[ReviewedAs]
    """With an adjudication: what the reviews say, in order of time."""


class Renewal(Told):
    claim: Lease


class Draft(Told):
    body: dict[str, Any] | None


class Decision(Told):
    id: UUID
    task: UUID
    item: UUID
    verdict: Verdict
    output: Any
    reason: str | None
    suggested_label: str | None
    comment: str | None
    message: str | None
    spent_seconds: float | None
    config_version: int
    decided_at: datetime
    releases_at: datetime
    """From then on it can no longer be withdrawn."""


class KnownAnswer(Told):
    """What an item's answer is that measures reviewers."""

    correct: bool
    """Whether the decision is that answer."""
    verdict: Verdict
    output: Any
    note: str | None
    """Why it is the answer."""
    standing: StandingState | None
    """Into which it brought the reviewer: `reviewing` after a calibration that was passed, `failed`, `paused`; else
    null, also when the same decision is sent again."""


class Decided(Told):
    decision: Decision
    resolution: Resolution | None
    """Null while the decision can still be withdrawn, while other reviews are awaited, and with gold."""
    gold: KnownAnswer | None
    """Where the answer was known: the item was a check, and nothing else comes of the decision."""
    next: Claim | None = None
    """Only where asked for: the next claim of the queue; null when nothing waits."""


# -- examples ---------------------------------------------------------------------------------------------------------

LEASE = {"id": f"{TASK}.3", "fence": 3, "lease_until": "2026-11-20T10:13:40.000Z"}
CLAIM: dict[str, Any] = {
    "claim": LEASE,
    "task": {
        "id": TASK, "queue": QUEUE, "kind": "review", "round": 1, "priority": 0, "due": "2026-11-21T10:00:00.123Z",
        "config_version": 7, "audience": "reviewer", "blind": False,
    },
    "item": {
        "id": ITEM, "external_id": "chat-1", "input": NEW["input"], "output": NEW["output"], "failure": None,
        "confidence": 0.42, "risk": "low", "model": "intents", "model_version": "7", "parts": None,
        "alternatives": NEW["alternatives"], "explanation": None, "trace_url": None, "metadata": {}, "hidden": [],
        "rule": 1,
        "title": "Unsure", "submitted_at": "2026-11-20T10:00:00.123Z",
    },
    "draft": None,
    "answers": [],
}  # fmt: skip
DECISION = {"output": {"label": "card_arrival"}, "message": "See the section on cards.", "spent_seconds": 4.2}
REJECTION = {"verdict": "reject", "reason": "unusable", "next": True}
DECIDED = {
    "decision": {
        "id": PATHS["decision_id"].example, "task": TASK, "item": ITEM, "verdict": "override",
        "output": {"label": "card_arrival"}, "reason": None, "suggested_label": None, "comment": None,
        "message": "See the section on cards.", "spent_seconds": 4.2, "config_version": 7,
        "decided_at": "2026-11-20T10:04:11.482Z", "releases_at": "2026-11-20T10:04:11.482Z",
    },
    "resolution": RESOLUTION,
    "gold": None,
}  # fmt: skip

# -- operations -------------------------------------------------------------------------------------------------------

LOST = ("lease_lost", "not_yours", "item_ended")
NOTHING = Answer("Nothing waits.")

TAG = Tag(
    "Claims",
    "For people's own programs: claim a task, decide it. With a personal token of the scope `review`; only people "
    "decide. A claim is a lease: who does not decide or renew in time loses it, and never what was typed.",
    (
        Operation(
            "POST", "/queues/{slug}/claims", "claim_in_queue", "Claim the most urgent task of a queue",
            {201: Answer("The claim; who holds one in the queue gets that one again.", Claim, CLAIM), 204: NOTHING},
            scope=Scope.REVIEW,
            codes=("claim_race", "reviewer_paused", "calibration_failed", "calibration_in_hand", "no_gold_left"),
        ),
        Operation(
            "POST", "/claims", "claim_anywhere", "Claim the most urgent task over all one's queues",
            {201: Answer("The claim; who holds one gets that one again.", Claim, CLAIM), 204: NOTHING},
            scope=Scope.REVIEW,
            codes=("claim_race",),
        ),
        Operation(
            "POST", "/claims/{claim_id}/decision", "decide", "Decide",
            {200: Answer("It stands, at once.", Decided, DECIDED)},
            "The verdict may be left out with an output: it follows from the change. The same decision under the same "
            "claim may be sent again. When the claim no longer holds, what was sent is kept as a draft.",
            scope=Scope.REVIEW,
            body=json_body(DecisionShape, {"Another label": DECISION, "A rejection, and the next": REJECTION}),
            codes=(
                "invalid_decision", "already_decided", "item_expired", "item_cancelled", "claim_race", "four_eyes",
                *LOST,
            ),
        ),
        Operation(
            "POST", "/claims/{claim_id}/renewal", "renew_claim", "Extend the lease",
            {200: Answer("`lease_minutes` from now.", Renewal, {"claim": LEASE})},
            scope=Scope.REVIEW,
            codes=LOST,
        ),
        Operation(
            "POST", "/claims/{claim_id}/release", "release_claim", "Hand the task back",
            {204: Answer("It goes back to the queue; the draft stays.")},
            scope=Scope.REVIEW,
            codes=LOST,
        ),
        Operation(
            "POST", "/claims/{claim_id}/reveals", "reveal_claimed_item", "See what is sensitive of the item in hand",
            {200: Answer("The item's input and metadata as they are.", RevealedItem,
                {"parts": ["/input/iban"], "input": {"iban": "DE02…"}, "metadata": {}})},
            "It is recorded, and holds for a quarter of an hour.",
            scope=Scope.REVIEW,
            body=json_body(RevealShape, {"With a reason": {"why": "The customer called."}}, required=False),
        ),
        Operation(
            "POST", "/claims/{claim_id}/skip", "skip_task", "Not me: never get this task again",
            {204: Answer("It goes to somebody else.")},
            "After three skips, or when nobody is left, it goes to the leads.",
            scope=Scope.REVIEW,
            body=json_body(SkipShape, {"With a reason": {"comment": "Not my language."}}, required=False),
            codes=LOST,
        ),
        Operation(
            "POST", "/claims/{claim_id}/escalation", "escalate_task", "Not my authority: hand it to the leads",
            {204: Answer("The leads get it; from a lead, the queue that `escalation` names.")},
            scope=Scope.REVIEW,
            body=json_body(EscalationShape, {"With a note": {"comment": "Is this a complaint?"}}, required=False),
            codes=("already_escalated", "no_lead", "invalid_item", "intake_closed", "nobody_else", *LOST),
        ),
        Operation(
            "POST", "/claims/{claim_id}/transfer", "send_task", "Send the task to another queue",
            {204: Answer("The people of that queue get it.")},
            "One that the person is a member of, or that `send_to` names. They judge it by their queue's rules; the "
            "item stays in its own, and so does its answer.",
            scope=Scope.REVIEW,
            body=json_body(TransferShape, {"With a note": {"queue": "refunds", "comment": "Wants the money back."}}),
            codes=("unknown_queue", "invalid_item", "intake_closed", "nobody_else", *LOST),
        ),
        Operation(
            "POST", "/claims/{claim_id}/postponement", "put_off_task", "Have the task again later",
            {204: Answer("Nobody gets it before; then only this person.")},
            scope=Scope.REVIEW,
            body=json_body(PostponementShape, {"Tomorrow": {"until": "2026-11-21T09:00:00Z"}}),
            codes=("bad_follow_up", *LOST),
        ),
        Operation(
            "PUT", "/tasks/{task_id}/assignee", "assign_task", "Give a task to a person",
            {204: Answer("It is theirs alone; with null, whoever comes first gets it.")},
            "For leads. A task that waits or is held: whoever holds it loses it, and their draft stays.",
            scope=Scope.REVIEW,
            body=json_body(AssigneeShape, {"By e-mail": {"person": "carol@example.org"}, "To all": {"person": None}}),
            codes=("cannot_take", "item_ended"),
        ),
        Operation(
            "GET", "/claims/{claim_id}/draft", "read_draft", "Read one's draft",
            {200: Answer("Null without one.", Draft, {"body": {"comment": "Is this a complaint?"}})},
            scope=Scope.REVIEW,
        ),
        Operation(
            "PUT", "/claims/{claim_id}/draft", "save_draft", "Keep a draft",
            {204: Answer("Kept, also when the lease is lost.")},
            scope=Scope.REVIEW,
            body=json_body(DraftShape, {"A comment so far": {"body": {"comment": "Is this a complaint?"}}}),
        ),
        Operation(
            "POST", "/decisions/{decision_id}/withdrawal", "withdraw_decision", "Take a decision back",
            {200: Answer("The claim on its task, which is open again.", Claim, CLAIM)},
            "One's own, made at the desk, in its `undo_seconds`. What is made here takes effect at once.",
            scope=Scope.REVIEW,
            codes=("grace_over", "taken", "not_yours", "claim_race"),
            hides=True,
        ),
    ),
)  # fmt: skip
