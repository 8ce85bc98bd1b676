"""The error tree. Operations raise these; `app.py` maps each to one HTTP status, the CLI to one line on stderr.

Error
├── Invalid            422  the request is understood and wrong; `faults` point at each place
│   └── Malformed      422  the bytes are not the JSON we accept
├── TooLarge           413  the body is over the limit
├── Unauthenticated    401  no or bad credentials
├── Forbidden          403  a known thing this actor may not do
│   └── NotAdmitted         gets no work in the queue: paused, or not calibrated yet
├── NotFound           404  does not exist, or may not be known to exist: the two look the same
├── Conflict           409  the state does not allow it
│   ├── InFlight            a twin of this request is still being answered
│   ├── LeaseLost           the claim is no longer yours; the draft was kept
│   ├── AlreadyDecided      somebody else's decision stands
│   ├── ItemEnded           the item was resolved, expired or cancelled meanwhile
│   └── GraceOver           the time to withdraw a decision has passed
├── TooMany            429  slow down; `retry_after` seconds
│   └── QueueFull           more waits than the queue lets
└── Unavailable        503  a part that this needs is down; `retry_after` seconds

Every class has a stable `code`; messages are safe to show to the caller.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Fault:
    """One fault in the input: `pointer` is a JSON Pointer (RFC 6901) into the request body."""

    pointer: str
    detail: str


class Error(Exception):
    """Base of everything that a caller may be told."""

    code = "error"
    title = "Something went wrong"

    def __init__(self, message: str, *, code: str | None = None, extra: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message = message
        if code is not None:
            self.code = code
        self.extra = extra or {}


class Invalid(Error):
    code = "invalid"
    title = "The request is not valid"

    def __init__(self, message: str, faults: list[Fault] | None = None, *, code: str | None = None) -> None:
        super().__init__(message, code=code)
        self.faults = faults or []


class Malformed(Invalid):
    code = "malformed_json"
    title = "The body is not acceptable JSON"


class TooLarge(Error):
    code = "too_large"
    title = "The body is too large"


class Unauthenticated(Error):
    code = "unauthenticated"
    title = "Credentials are needed"


class Forbidden(Error):
    code = "forbidden"
    title = "You may not do this"


class NotAdmitted(Forbidden):
    code = "reviewer_paused"
    title = "You get no work here now"


class NotFound(Error):
    code = "not_found"
    title = "There is nothing here"

    def __init__(self, message: str = "Nothing is known under this address.") -> None:
        super().__init__(message)


class Conflict(Error):
    code = "conflict"
    title = "The current state does not allow this"


class InFlight(Conflict):
    code = "in_flight"
    title = "The same request is still being answered"


class LeaseLost(Conflict):
    code = "lease_lost"
    title = "The claim is no longer yours"


class AlreadyDecided(Conflict):
    code = "already_decided"
    title = "A decision stands already"


class ItemEnded(Conflict):
    code = "item_ended"
    title = "The item needs no decision any more"


class GraceOver(Conflict):
    code = "grace_over"
    title = "The decision can no longer be withdrawn"


class TooMany(Error):
    code = "too_many_requests"
    title = "Too many requests"

    def __init__(self, message: str, *, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class QueueFull(TooMany):
    code = "queue_full"
    title = "Too much waits in the queue"


class Unavailable(Error):
    code = "unavailable"
    title = "A part that this needs is not reachable"

    def __init__(self, message: str, *, retry_after: int = 5) -> None:
        super().__init__(message)
        self.retry_after = retry_after


@dataclass
class Faults:
    """Collects faults, so that a caller is told of all of them at once."""

    found: list[Fault] = field(default_factory=list)

    def add(self, pointer: str, detail: str) -> None:
        self.found.append(Fault(pointer, detail))

    def raise_if_any(self, message: str, *, code: str | None = None) -> None:
        if self.found:
            raise Invalid(message, self.found, code=code)
