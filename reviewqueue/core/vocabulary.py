"""Words that come from states and tables and are shown to people, marked for the catalogues. Pure.

`{{ state | spoken }}` gives one in the reader's language; what is not listed here stays as it is.
"""

from __future__ import annotations


def mark(*words: str) -> frozenset[str]:
    """`words`, as `make messages` sees them."""
    return frozenset(words)


# fmt: off
WORDS = mark(
    # states, verdicts, roles and ways, as they are kept
    "preparing", "queued", "in_review", "auto_approved", "resolved", "expired", "cancelled", "stop", "hold",
    "review", "adjudication", "audit", "gold", "appeal", "reviewer", "lead", "approve", "edit", "override",
    "reject", "waiting", "ready", "failed", "routing", "people", "default", "duplicate", "low", "medium", "high",
    "auto approve", "refuse", "open", "closed", "admin", "auditor", "member", "analyst", "calibrating", "reviewing",
    "paused", "pending", "running", "receiving", "done", "delivered", "dead", "preview", "skipped",
    # the same as titles
    "Preparing", "Queued", "In review", "Auto approved", "Resolved", "Expired", "Cancelled", "Approve", "Edit",
    "Override", "Reject",
    # what a worker does
    "idle", "busy", "started", "suspended",
    # pages of the administration
    "People", "Tokens", "Queues", "Imports", "Background",
    # signs that a lead may look at
    "many decisions in less time than reading takes", "a run of approvals that chance does not explain",
    "wrong outputs approved",
    # errors
    "A decision stands already", "A part that this needs is not reachable", "Credentials are needed", "Send JSON",
    "Something went wrong", "The body is not acceptable JSON", "The body is too large",
    "The claim is no longer yours", "The current state does not allow this",
    "The decision can no longer be withdrawn", "The item needs no decision any more",
    "The request cannot be understood", "The request is not valid", "The same request is still being answered",
    "There is nothing here", "This address does not take that method", "Too many requests",
    "Too much waits in the queue", "You get no work here now", "You may not do this",
)
# fmt: on
