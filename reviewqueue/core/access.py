"""Who acts, and what each role and scope allows: one table, asked by every operation. Pure but for its error types."""

from __future__ import annotations

import getpass
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from reviewqueue.errors import Forbidden, NotFound
from reviewqueue.models.states import ActorKind, QueueRole, SiteRole, Via


class Action(StrEnum):
    SUBMIT_ITEMS = "items.submit"
    PREDICT = "predictions.send"
    """Say what another model makes of items, to be scored."""
    REPORT_OUTCOMES = "outcomes.report"
    """Say what an item's answer led to."""
    READ_ITEMS = "items.read"
    """Items, their input and output, and their resolution."""
    SEE_QUEUE = "queue.see"
    """That it exists, its title, instructions and how much waits."""
    CONFIGURE_QUEUES = "queues.configure"
    READ_CONFIGURATION = "queues.read_configuration"
    PULL_BRAKES = "brakes.pull"
    """Stop a queue or hold it, or the site, and let go."""
    RECORD_OPT_OUTS = "opt_outs.record"
    """That somebody is not to be learned from."""
    REVIEW = "tasks.review"
    """Claim, decide, skip, escalate."""
    TAKE_ESCALATIONS = "tasks.take_escalations"
    ASSIGN_TASKS = "tasks.assign"
    """Give a task to a person, take it back from them, make it more or less urgent."""
    SEE_WORKLOAD = "workload.see"
    """The board: what waits, who works on what, how fast it moves."""
    CLOSE_ITEMS = "items.close"
    """End an item without an answer."""
    COMMENT = "items.comment"
    """Read and write what people say about an item."""
    REOPEN_ITEMS = "items.reopen"
    """Have an item that has ended judged once more, by somebody else."""
    MANAGE_GOLD = "gold.manage"
    """Items whose answer is known: add them, see them, retire them."""
    MANAGE_STANDINGS = "standings.manage"
    """Let reviewers begin or go on, have them calibrated, pause them."""
    READ_QUALITY = "quality.read"
    """How people meet gold, and how they agree."""
    READ_INSIGHTS = "insights.read"
    """What the reviews say about models, routing and cost; nobody's own figures."""
    READ_HISTORY = "history.read"
    """The audit events of an item, with the names of those who acted."""
    READ_AUDIT = "audit.read"
    """The whole audit log, with what proves it."""
    REVEAL = "sensitive.reveal"
    """See what a queue marks as sensitive of an item that one may see; each time is recorded."""
    EXPORT_SENSITIVE = "exports.sensitive"
    """Have it in an export."""
    REVIEW_ACCESS = "access.review"
    """See what everybody may do, and note in the log that one has looked at it."""
    ERASE = "content.erase"
    """Remove for good what items said."""
    BACK_UP = "installation.back_up"
    """Copy all of it, and say that it was restored from such a copy."""
    EXPORT = "exports.create"
    MANAGE_MEMBERS = "members.manage"
    MANAGE_PEOPLE = "people.manage"
    READ_PEOPLE = "people.read"
    MANAGE_TOKENS = "tokens.manage"
    """Everybody's; one's own personal tokens need no permission."""
    READ_TOKENS = "tokens.read"
    SEE_BACKGROUND = "background.see"
    """RQ queues, workers, outbox."""
    RETRY_BACKGROUND = "background.retry"
    READ_ALERTS = "alerts.read"
    ACKNOWLEDGE_ALERTS = "alerts.acknowledge"
    READ_METRICS = "metrics.read"
    """Figures for monitoring: of all queues, of no person."""


class Scope(StrEnum):
    ITEMS_WRITE = "items:write"
    ITEMS_READ = "items:read"
    EXPORTS = "exports"
    QUEUES_WRITE = "queues:write"
    METRICS = "metrics"
    REVIEW = "review"
    """On personal tokens alone: only people decide as people."""


SITE: Mapping[SiteRole, frozenset[Action]] = {
    SiteRole.ADMIN: frozenset(Action) - {Action.REVIEW, Action.TAKE_ESCALATIONS},
    SiteRole.AUDITOR: frozenset(
        {
            Action.READ_ITEMS,
            Action.SEE_QUEUE,
            Action.READ_CONFIGURATION,
            Action.READ_HISTORY,
            Action.READ_AUDIT,
            Action.REVIEW_ACCESS,
            Action.REVEAL,
            Action.READ_QUALITY,
            Action.READ_INSIGHTS,
            Action.SEE_WORKLOAD,
            Action.READ_PEOPLE,
            Action.READ_TOKENS,
            Action.SEE_BACKGROUND,
            Action.READ_METRICS,
            Action.READ_ALERTS,
        }
    ),
    SiteRole.MEMBER: frozenset(),
}
"""What a site role allows in every queue and on the site."""

QUEUE: Mapping[QueueRole, frozenset[Action]] = {
    QueueRole.REVIEWER: frozenset({Action.SEE_QUEUE, Action.REVIEW, Action.COMMENT, Action.REVEAL}),
    QueueRole.LEAD: frozenset(
        {
            Action.SEE_QUEUE,
            Action.REVIEW,
            Action.TAKE_ESCALATIONS,
            Action.ASSIGN_TASKS,
            Action.SEE_WORKLOAD,
            Action.CLOSE_ITEMS,
            Action.COMMENT,
            Action.REVEAL,
            Action.REOPEN_ITEMS,
            Action.READ_ITEMS,
            Action.READ_HISTORY,
            Action.READ_CONFIGURATION,
            Action.PULL_BRAKES,
            Action.MANAGE_GOLD,
            Action.MANAGE_STANDINGS,
            Action.READ_QUALITY,
            Action.READ_ALERTS,
            Action.ACKNOWLEDGE_ALERTS,
            Action.READ_INSIGHTS,
        }
    ),
    QueueRole.ANALYST: frozenset(
        {
            Action.SEE_QUEUE,
            Action.READ_ALERTS,
            Action.COMMENT,
            Action.REOPEN_ITEMS,
            Action.READ_ITEMS,
            Action.READ_HISTORY,
            Action.EXPORT,
            Action.READ_INSIGHTS,
            Action.PREDICT,
            Action.READ_CONFIGURATION,
        }
    ),
}
"""What a membership allows in its queue."""

SCOPE: Mapping[Scope, frozenset[Action]] = {
    Scope.ITEMS_WRITE: frozenset(
        {Action.SUBMIT_ITEMS, Action.SEE_QUEUE, Action.RECORD_OPT_OUTS, Action.PREDICT, Action.REPORT_OUTCOMES}
    ),
    Scope.ITEMS_READ: frozenset({Action.READ_ITEMS, Action.SEE_QUEUE, Action.REVEAL}),
    Scope.EXPORTS: frozenset(
        {Action.EXPORT, Action.EXPORT_SENSITIVE, Action.READ_INSIGHTS, Action.READ_ALERTS, Action.SEE_QUEUE}
    ),
    Scope.QUEUES_WRITE: frozenset(
        {
            Action.CONFIGURE_QUEUES,
            Action.READ_CONFIGURATION,
            Action.PULL_BRAKES,
            Action.MANAGE_GOLD,
            Action.MANAGE_STANDINGS,
            Action.READ_QUALITY,
            Action.READ_ALERTS,
            Action.SEE_QUEUE,
        }
    ),
    Scope.METRICS: frozenset({Action.READ_METRICS}),
    Scope.REVIEW: frozenset(
        {
            Action.REVIEW,
            Action.TAKE_ESCALATIONS,
            Action.ASSIGN_TASKS,
            Action.COMMENT,
            Action.REVEAL,
            Action.REOPEN_ITEMS,
            Action.READ_ALERTS,
            Action.ACKNOWLEDGE_ALERTS,
            Action.SEE_QUEUE,
        }
    ),
}
"""What a scope lets a token do. A service needs no more; a personal token also needs the person's right."""


@dataclass(frozen=True)
class Actor:
    """Who acts in an operation. Passed in, never fetched from a global."""

    kind: ActorKind
    id: str
    """Person's or token's id; the user at the command line; `system`."""
    name: str
    via: Via
    site_role: SiteRole | None = None
    memberships: Mapping[str, frozenset[QueueRole]] = field(default_factory=dict)
    """Queue id to roles."""
    scopes: frozenset[Scope] | None = None
    """NULL: not limited by a token."""
    queue_ids: frozenset[str] | None = None
    """NULL: not limited to queues by a token."""
    token_id: str | None = None

    @property
    def label(self) -> str:
        """`person:<id>` and the like, for columns that name who did something."""
        return f"{self.kind}:{self.id}"


SYSTEM = Actor(kind=ActorKind.SYSTEM, id="system", name="reviewqueue", via=Via.SYSTEM)


def operator(name: str | None = None) -> Actor:
    """Whoever runs the command line on the server: may configure everything, and decides nothing."""
    if name is None:
        try:
            name = getpass.getuser()
        except (KeyError, OSError):
            name = "operator"  # a container's user often has no name
    return Actor(kind=ActorKind.OPERATOR, id=name[:64], name=name, via=Via.CLI)


def may(actor: Actor, action: Action, queue_id: str | None = None) -> bool:
    """Whether `actor` may do `action`, in `queue_id` or, without one, on the site as a whole."""
    if actor.kind is ActorKind.SYSTEM:
        return True
    if actor.kind is ActorKind.OPERATOR:
        return action in SITE[SiteRole.ADMIN]
    if actor.queue_ids is not None and queue_id is not None and queue_id not in actor.queue_ids:
        return False
    if actor.queue_ids is not None and queue_id is None:
        # A token limited to queues has no say over the site or over queues that do not exist yet.
        return False
    if actor.scopes is not None and not any(action in SCOPE[scope] for scope in actor.scopes):
        return False
    if actor.kind is ActorKind.SERVICE:
        return True
    if actor.site_role is not None and action in SITE[actor.site_role]:
        return True
    roles = actor.memberships.get(queue_id, frozenset()) if queue_id is not None else frozenset()
    return any(action in QUEUE[role] for role in roles)


def no_queue() -> NotFound:
    """What is told of a queue that there is not, and of one that the caller may not know of: the two look the same."""
    return NotFound("There is no such queue, or you may not know of it.")


def require(actor: Actor, action: Action, queue_id: str | None = None, *, by_name: bool = False) -> None:
    """Raises `Forbidden`, or `NotFound` where the actor may not even know that the queue exists; that error speaks of
    the queue where it was asked for by its name."""
    if may(actor, action, queue_id):
        return
    if queue_id is not None and not may(actor, Action.SEE_QUEUE, queue_id):
        raise no_queue() if by_name else NotFound()
    raise Forbidden(_why_not(actor, action, queue_id))


def _why_not(actor: Actor, action: Action, queue_id: str | None) -> str:
    if actor.scopes is not None and not any(action in SCOPE[scope] for scope in actor.scopes):
        needed = " or ".join(scope.value for scope in Scope if action in SCOPE[scope])
        return f"This token lacks the scope {needed}." if needed else "No token may do this; sign in instead."
    if actor.queue_ids is not None and queue_id is None:
        return "This token is limited to queues, and this is about all of them."
    return "Your role does not allow this. An administrator can change it."
