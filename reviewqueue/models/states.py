"""Every state and verdict, with its meaning, and the legal moves between item states. Pure.

submit ──► queued ──► in_review ──► resolved ◄─┐ (at once: a duplicate)
   │          │ ▲          │ │                 │ reopened: a task for somebody else,
   │          │ └──────────┘ │ (withdrawn,     │ ending in revision n + 1
   │          │              │  sent on)       │
   │          ├──────────────┼──► expired ─────┤
   │          └──────────────┴──► cancelled    │
   └──► auto_approved ─────────────────────────┘
"""

from __future__ import annotations

from enum import StrEnum


class ItemState(StrEnum):
    PREPARING = "preparing"
    """The queue's preparation (media to fetch, say) must finish before a task may open."""
    QUEUED = "queued"
    """A task waits or is held by somebody; nobody has decided."""
    IN_REVIEW = "in_review"
    """A decision exists (in its grace time, or one of several) and the item is not resolved."""
    AUTO_APPROVED = "auto_approved"
    """Routing let the output pass. An audit task may still be open beside it."""
    RESOLVED = "resolved"
    """People gave the answer."""
    EXPIRED = "expired"
    """Nobody answered within the time to live; the queue's default action was applied."""
    CANCELLED = "cancelled"
    """The program withdrew the item, or a lead closed it. Final."""


MOVES: dict[ItemState, frozenset[ItemState]] = {
    ItemState.PREPARING: frozenset({ItemState.QUEUED, ItemState.AUTO_APPROVED, ItemState.CANCELLED}),
    ItemState.QUEUED: frozenset({ItemState.IN_REVIEW, ItemState.RESOLVED, ItemState.EXPIRED, ItemState.CANCELLED}),
    ItemState.IN_REVIEW: frozenset({ItemState.QUEUED, ItemState.RESOLVED, ItemState.EXPIRED, ItemState.CANCELLED}),
    ItemState.AUTO_APPROVED: frozenset({ItemState.QUEUED, ItemState.RESOLVED}),
    ItemState.RESOLVED: frozenset({ItemState.QUEUED}),
    ItemState.EXPIRED: frozenset({ItemState.QUEUED}),
    ItemState.CANCELLED: frozenset(),
}
"""From each state, where an item may go."""

ENDED = frozenset({ItemState.AUTO_APPROVED, ItemState.RESOLVED, ItemState.EXPIRED, ItemState.CANCELLED})
"""The program has its answer."""


class BrakeKind(StrEnum):
    STOP = "stop"
    """Nothing passes: whatever would have been answered without a person goes to people."""
    HOLD = "hold"
    """A stop that also keeps answers back: webhooks, the feed, and whoever waits."""


class TaskState(StrEnum):
    OPEN = "open"
    """Waits to be claimed."""
    CLAIMED = "claimed"
    """Somebody holds it until `lease_until`."""
    DONE = "done"
    """A standing decision exists on it."""
    CANCELLED = "cancelled"
    """Needed no more: the item ended in another way."""


UNFINISHED = (TaskState.OPEN, TaskState.CLAIMED)
"""It waits, or somebody has it in hand."""


class TaskKind(StrEnum):
    REVIEW = "review"
    """A judgement that the item waits for."""
    ADJUDICATION = "adjudication"
    """Settles a disagreement between reviews."""
    AUDIT = "audit"
    """A sample of what passed; the item does not wait for it."""
    GOLD = "gold"
    """The answer is known; it measures the reviewer."""
    APPEAL = "appeal"
    """A new round on an item that had ended."""


class Audience(StrEnum):
    REVIEWER = "reviewer"
    """Anybody who reviews in the queue."""
    LEAD = "lead"
    """Escalated: the queue's leads."""


class Verdict(StrEnum):
    APPROVE = "approve"
    """The AI's output stands unchanged."""
    EDIT = "edit"
    """Corrected in part: at least one leaf of the output survives."""
    OVERRIDE = "override"
    """Replaced."""
    REJECT = "reject"
    """Must not be used, and nothing replaces it."""


class MediaState(StrEnum):
    WAITING = "waiting"
    """To be fetched."""
    READY = "ready"
    """The file is there."""
    FAILED = "failed"
    """It could not be fetched, or was nothing that is taken."""


class ResolvedBy(StrEnum):
    ROUTING = "routing"
    PEOPLE = "people"
    DEFAULT = "default"
    DUPLICATE = "duplicate"
    CANCELLED = "cancelled"


class Via(StrEnum):
    """The door that an act came through."""

    WEB = "web"
    API = "api"
    CLI = "cli"
    SYSTEM = "system"


class Risk(StrEnum):
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class RoutingAction(StrEnum):
    REVIEW = "review"
    AUTO_APPROVE = "auto_approve"
    REFUSE = "refuse"


class Intake(StrEnum):
    OPEN = "open"
    CLOSED = "closed"
    """New items are refused; what waits can still be decided."""


class SiteRole(StrEnum):
    ADMIN = "admin"
    """Configures everything: people, tokens, queues."""
    AUDITOR = "auditor"
    """Reads everything, changes nothing."""
    MEMBER = "member"
    """Does what their memberships say."""


class QueueRole(StrEnum):
    REVIEWER = "reviewer"
    """Claims and decides."""
    LEAD = "lead"
    """Also takes escalations, sees workload and history."""
    ANALYST = "analyst"
    """Exports and reads the history."""


class Images(StrEnum):
    """How a person is shown the images of an item."""

    SHOWN = "shown"
    """As they are."""
    GREY = "grey"
    """Without colour, until asked for."""
    HIDDEN = "hidden"
    """Not at all, until asked for."""


class StandingState(StrEnum):
    CALIBRATING = "calibrating"
    """New to the queue: judges items whose answer is known before any work."""
    FAILED = "failed"
    """Met too few of those: gets no work until a lead lets them begin, or try again."""
    REVIEWING = "reviewing"
    """Gets work."""
    PAUSED = "paused"
    """Met fewer checks than the queue's bar, beyond chance: gets no work until a lead resumes them."""


class ActorKind(StrEnum):
    PERSON = "person"
    SERVICE = "service"
    """A program with a token."""
    OPERATOR = "operator"
    """Somebody at the server's command line."""
    SYSTEM = "system"
    """The product itself: a lease ran out, a grace time passed."""


class NoticeKind(StrEnum):
    MENTIONED = "mentioned"
    """Somebody named the person in a comment."""
    REPLIED = "replied"
    """Somebody else commented where the person had, or decided what they had escalated or sent to another queue."""
    ASSIGNED = "assigned"
    """A lead gave them a task."""
    ESCALATED = "escalated"
    """A task came to the leads, of whom they are one."""
    FOLLOW_UP = "follow_up"
    """What they had put off is due again."""
    REOPENING_ASKED = "reopening_asked"
    """Somebody asks to have an item judged once more."""
    PAUSED = "paused"
    """The person gets no work in a queue any more: by their checks, or by a lead."""
    REVIEWER_PAUSED = "reviewer_paused"
    """Somebody else is paused, in a queue of which the person is a lead."""
    STOPPED = "stopped"
    """A queue of which they are a lead lets nothing pass."""
    HELD = "held"
    """So, and no answer goes out; of all queues where the notice names none."""
    ALERT_OPENED = "alert_opened"
    """A figure of a queue that they lead is beyond its bar."""
    ALERT_RESOLVED = "alert_resolved"
    """It is back."""
    PROPOSED = "proposed"
    """A configuration that may lower review waits for another person, and they may confirm it."""


class ProposalState(StrEnum):
    """Of a configuration that may lower review."""

    WAITS = "waits"
    """For another person."""
    APPLIED = "applied"
    """Two people stood behind it: it is a version."""
    WITHDRAWN = "withdrawn"
    """Its author took it back."""
    REFUSED = "refused"
    """Somebody else said no."""
    SUPERSEDED = "superseded"
    """Another version was applied meanwhile."""


DISAGREEMENTS = frozenset({Verdict.EDIT, Verdict.OVERRIDE, Verdict.REJECT})
"""Verdicts that the model's output did not survive: what every override rate counts."""


class AlertFigure(StrEnum):
    OVERRIDE_RATE = "override_rate"
    """Share of the latest decisions that the output did not survive: edit, override, reject."""
    CONFIDENCE_DRIFT = "confidence_drift"
    """How differently the confidence of the latest items is spread from that of those before: a stability index."""
    INPUT_DRIFT = "input_drift"
    """The same of how long their inputs are."""
    LABEL_DRIFT = "label_drift"
    """The same of the labels that the model gave them."""
    OVERRIDE_DRIFT = "override_drift"
    """How far the override rate of the latest decisions is from that of those before, where that is not chance."""
    WAITING = "waiting"
    """Tasks that nobody holds."""
    OVERDUE = "overdue"
    """Tasks that nobody holds and that are past their due time."""
    AGREEMENT = "agreement"
    """Share of the latest items with several reviews that all judged alike."""
    SIGNS_OF_HASTE = "signs_of_haste"
    """People whose decisions show signs of being made without looking."""
    WEBHOOKS_GIVEN_UP = "webhooks_given_up"
    """Events of the queue that could not be delivered."""


class ExportState(StrEnum):
    PENDING = "pending"
    """Asked for; no job has begun."""
    RUNNING = "running"
    """Shards are being written."""
    READY = "ready"
    """All files are there and the manifest names them."""
    FAILED = "failed"
    """Gave up; `error` says why."""
    CANCELLED = "cancelled"
    """Stopped by somebody."""


class ImportState(StrEnum):
    RECEIVING = "receiving"
    """The stream is being read."""
    RUNNING = "running"
    """Received whole; its lines are being stored."""
    DONE = "done"
    """Every line is stored or refused."""
    FAILED = "failed"
    """Given up: the stream broke off, or its token lost its right. What was stored stays."""


class DeliveryState(StrEnum):
    PENDING = "pending"
    """To be sent, for the first time or again."""
    DELIVERED = "delivered"
    """The receiver has answered 2xx."""
    DEAD = "dead"
    """Given up after ten attempts; waits for somebody to send it again."""


class BulkAction(StrEnum):
    ASSIGN = "assign"
    """To a person, or to whoever comes first."""
    PRIORITISE = "prioritise"
    RELEASE = "release"
    """Take it back from whoever holds it."""
    CLOSE = "close"
    """End it without an answer."""
    REOPEN = "reopen"
    """Have it judged once more."""


class BulkState(StrEnum):
    PREVIEW = "preview"
    """Nothing is done yet; forgotten after a day."""
    RUNNING = "running"
    """Confirmed; items are worked off."""
    DONE = "done"
    """Every item was changed, skipped or refused."""
    FAILED = "failed"
    """Given up: its job failed ten times, or whoever began it may not do it any more. What was changed stays, and what
    was not tried can be gone on with."""


class BulkOutcome(StrEnum):
    PENDING = "pending"
    """Will be tried."""
    DONE = "done"
    SKIPPED = "skipped"
    """Seen at the preview: there is nothing to do, or it cannot be done."""
    FAILED = "failed"
    """Refused when it was tried: something had changed since the preview."""
