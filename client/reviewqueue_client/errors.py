"""The errors, one tree:

ReviewQueueError
├── ApiError            the server said no: `status`, `code`, `detail`, `errors`
│   ├── Unauthorized        401  no token, or one that is not good
│   ├── Forbidden           403  a known thing that this token may not do
│   ├── NotFound            404  it does not exist, or this token may not know that it does
│   ├── Conflict            409  the state does not allow it
│   ├── TooLarge            413  the body or the item is over the limit
│   ├── Invalid             422  something in the request is wrong; `errors` points at it
│   ├── TooManyRequests     429  slow down
│   │   └── QueueFull           more waits for people than the queue lets; nothing was stored
│   └── Unavailable         502, 503, 504: the server, or a part of it, is down
├── Unreachable         no answer came, however often it was tried
├── NotJson             a value that JSON cannot hold without change
├── WaitTimeout         nobody has decided yet: `item` as it is
├── Rejected            people said no: `reason`, `message`, `item`
├── Unfit               what people decided does not fit what asked for it
├── Misconfigured       no address, no token, or a secret that is none
└── BadSignature        a webhook that the holder of the secret did not send, or that is too old
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reviewqueue_client.models import Item


class ReviewQueueError(Exception):
    """The base of the tree."""


@dataclass(frozen=True)
class Fault:
    """One fault in a request: `pointer` is a JSON Pointer into its body."""

    pointer: str
    detail: str


class ApiError(ReviewQueueError):
    """An answer that is an error. `code` is stable and made for programs, `detail` for people."""

    def __init__(
        self, status: int, code: str, detail: str = "", errors: Sequence[Fault] = (), retry_after: float | None = None
    ) -> None:
        # All of it in `args`: such an error can be sent from one process to another.
        super().__init__(status, code, detail, errors, retry_after)
        self.status = status
        self.code = code
        self.detail = detail
        self.errors = tuple(errors)
        self.retry_after = retry_after
        """Seconds, where the answer said so."""

    def __str__(self) -> str:
        faults = "".join(f"\n  {fault.pointer or '/'}: {fault.detail}" for fault in self.errors)
        return f"{self.status} {self.code}: {self.detail}{faults}"


class Unauthorized(ApiError): ...


class Forbidden(ApiError): ...


class NotFound(ApiError): ...


class Conflict(ApiError): ...


class TooLarge(ApiError): ...


class Invalid(ApiError): ...


class TooManyRequests(ApiError): ...


class QueueFull(TooManyRequests): ...


class Unavailable(ApiError): ...


OF_STATUS: dict[int, type[ApiError]] = {
    401: Unauthorized, 403: Forbidden, 404: NotFound, 409: Conflict, 413: TooLarge, 422: Invalid, 429: TooManyRequests,
    502: Unavailable, 503: Unavailable, 504: Unavailable,
}  # fmt: skip
OF_CODE: dict[str, type[ApiError]] = {"queue_full": QueueFull}
"""Where the status does not say enough."""


class Unreachable(ReviewQueueError):
    """No answer. What was asked may have been done all the same. `hopeless`: asking again cannot help."""

    def __init__(self, message: str, hopeless: bool = False) -> None:
        super().__init__(message, hopeless)
        self.hopeless = hopeless

    def __str__(self) -> str:
        return str(self.args[0])


class NotJson(ReviewQueueError, TypeError):
    """A value that JSON cannot hold without change."""


class WaitTimeout(ReviewQueueError, TimeoutError):
    """The time to wait is over. The item goes on waiting: ask again, or `cancel` it."""

    def __init__(self, item: Item) -> None:
        super().__init__(item)
        self.item = item

    def __str__(self) -> str:
        return f"Item {self.item.id} is still {self.item.state}."


class Rejected(ReviewQueueError):
    """The output must not be used, and nothing replaces it.

    `reason` is the code that the reviewer chose, or `expired` or `cancelled`; `message` is what they wrote to the
    program, None where they wrote nothing.
    """

    def __init__(self, reason: str | None, message: str | None, item: Item) -> None:
        super().__init__(reason, message, item)
        self.reason = reason
        self.message = message
        self.item = item

    def __str__(self) -> str:
        return f"Item {self.item.id} was rejected ({self.reason or 'no reason given'})" + (
            f": {self.message}" if self.message else "."
        )


class Unfit(ReviewQueueError):
    """What people decided cannot be used by what asked for it: see the queue's `output_schema`."""


class Misconfigured(ReviewQueueError, ValueError):
    """No address, no token, or a webhook's secret that is none: nothing was sent, and nothing verified."""


class BadSignature(ReviewQueueError):
    """Do not trust this body; answer 401."""
