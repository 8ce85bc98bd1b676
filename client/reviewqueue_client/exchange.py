"""Requests, and when they are sent again. Knows no sockets.

An operation is a generator: it yields a `Call` and is sent the `Answer` or a `Lost`, or it yields a `Pause`. `Client`
and `AsyncClient` carry out the same operations, the one with blocking calls and the other without.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Awaitable, Callable, Generator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeAlias, TypeVar

from reviewqueue_client.errors import OF_CODE, OF_STATUS, ApiError, Fault, TooManyRequests, Unavailable, Unreachable

T = TypeVar("T")

FIRST_PAUSE_SECONDS = 0.25
LONGEST_PAUSE_SECONDS = 20.0
LONGEST_RETRY_AFTER_SECONDS = 120.0
"""A server that wants to be left alone for longer is not asked again at all: the caller decides."""
IN_FLIGHT_SECONDS = 60.0
"""How long the answer to the same request, sent before, may take."""
OUTAGE_SECONDS = 600.0
"""How long an outage `patiently` outlasts."""
TEMPORARY = (Unreachable, Unavailable, TooManyRequests)
clock = time.monotonic


@dataclass(frozen=True)
class Call:
    """A request. `path` is below `/api/v1` and quoted."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    content: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    wait_seconds: float = 0.0
    """How long the server may keep it, on top of the usual time-out."""
    repeatable: bool = True
    """Whether sending it twice does the same as sending it once."""
    again_codes: frozenset[str] = frozenset({"in_flight"})
    """Codes of conflicts that pass by themselves."""


@dataclass(frozen=True)
class Pause:
    seconds: float


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    """With names in lower case."""
    body: bytes

    def json(self) -> Any:
        try:
            return json.loads(self.body)
        except ValueError:
            detail = "The answer is not JSON. Is the address that of a reviewqueue server?"
            raise ApiError(self.status, "not_json", detail) from None

    def read(self, made: Callable[[Any], T]) -> T:
        """What `made` makes of its JSON. Raises `ApiError` for JSON that is not what a server of ours would say."""
        found = self.json()
        try:
            return made(found)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            detail = "The answer is JSON, but not the one asked for. Is the address that of a reviewqueue server?"
            raise ApiError(self.status, "not_understood", detail) from error


@dataclass(frozen=True)
class Lost:
    """No answer came. `unsent`: the server cannot have seen the request; `hopeless`: it never will."""

    error: Exception
    unsent: bool = False
    hopeless: bool = False


Flow: TypeAlias = Generator[Call | Pause, Answer | Lost | None, T]


async def carried_out(flow: Flow[T], take: Callable[[Call | Pause], Awaitable[Answer | Lost | None]]) -> T:
    """What the operation gives; `take` does each of its steps."""
    try:
        step = next(flow)
        while True:
            step = flow.send(await take(step))
    except StopIteration as end:
        found: T = end.value
        return found


@dataclass(frozen=True)
class Policy:
    """How often a request is sent again, and after how long."""

    retries: int = 5
    held: bool = True
    """Whether the server may keep a request until there is an answer. Else it is asked again and again."""

    def pause_seconds(self, attempt: int, retry_after: float | None) -> float:
        """Doubles with each attempt, and half of it is chance, so that many clients do not come back together."""
        seconds = min(FIRST_PAUSE_SECONDS * 2.0 ** min(attempt - 1, 16), LONGEST_PAUSE_SECONDS)
        jitter = random.uniform(0, seconds / 2)  # noqa: S311 - no secret hangs on it
        return (seconds / 2 if retry_after is None else max(retry_after, seconds / 2)) + jitter


def exchange(call: Call, policy: Policy, *, until: float | None = None) -> Flow[Answer]:
    """The answer to `call`, which is sent again as it stands, same key, while that may help; not after `until`.

    Raises `ApiError` and `Unreachable`.
    """
    attempt, began = 1, clock()
    while True:
        got = yield call
        if isinstance(got, Answer) and 200 <= got.status < 300:
            return got
        error = _error_of(got)
        in_flight = isinstance(error, ApiError) and error.status == 409 and error.code in call.again_codes
        tries_left = clock() - began < IN_FLIGHT_SECONDS if in_flight else attempt <= policy.retries
        retry_after = error.retry_after if isinstance(error, ApiError) else None
        seconds = policy.pause_seconds(min(attempt, 4) if in_flight else attempt, retry_after)
        too_late = until is not None and clock() + seconds >= until
        if not tries_left or too_late or not (in_flight or _may_repeat(call, got, error)):
            raise error from (got.error if isinstance(got, Lost) else None)
        yield Pause(seconds)
        attempt += 1


def patiently(call: Call, policy: Policy, *, until: float | None = None) -> Flow[Answer]:
    """`exchange` that goes on through outages of up to ten minutes, and not after `until`."""
    began = clock()
    while True:
        try:
            return (yield from exchange(call, policy, until=until))
        except TEMPORARY as error:
            if isinstance(error, Unreachable) and error.hopeless:
                raise
            seconds = policy.pause_seconds(5, getattr(error, "retry_after", None))
            if clock() - began + seconds > OUTAGE_SECONDS or (until is not None and clock() + seconds >= until):
                raise
        yield Pause(seconds)


def with_room(call: Call, policy: Policy, *, until: float | None = None) -> Flow[Answer]:
    """`exchange` that waits while there are too many requests, or too much waits in the queue; not after `until`."""
    while True:
        try:
            return (yield from exchange(call, policy, until=until))
        except TooManyRequests as error:
            seconds = policy.pause_seconds(5, error.retry_after)
            if until is not None and clock() + seconds >= until:
                raise
        yield Pause(seconds)


def _may_repeat(call: Call, got: Answer | Lost | None, error: Exception) -> bool:
    if isinstance(got, Lost):
        return not got.hopeless and (call.repeatable or got.unsent)
    if not isinstance(error, ApiError) or (error.retry_after or 0) > LONGEST_RETRY_AFTER_SECONDS:
        return False
    if error.status in {502, 504}:
        return call.repeatable
    return error.status in {429, 503}


def _error_of(got: Answer | Lost | None) -> ApiError | Unreachable:
    if not isinstance(got, Answer):
        cause = got.error if got else None
        return Unreachable(f"No answer: {type(cause).__name__}: {cause}", hopeless=bool(got and got.hopeless))
    try:
        problem = json.loads(got.body)
    except ValueError:
        problem = None
    if not isinstance(problem, dict):
        problem = {}
    return api_error(got.status, problem, _retry_after(got.headers.get("retry-after")))


def api_error(status: int, problem: Mapping[str, Any], retry_after: float | None = None) -> ApiError:
    """Problem details as an error."""
    errors = problem.get("errors")
    # What stands between us and the server answers errors of its own, in shapes of its own.
    given = [each for each in errors if isinstance(each, Mapping)] if isinstance(errors, list) else []
    faults = [Fault(str(each.get("pointer", "")), str(each.get("detail", ""))) for each in given]
    code = str(problem.get("code") or "http_error")
    detail = str(problem.get("detail") or problem.get("title") or "The answer has no problem details.")
    kind = OF_CODE.get(code) or OF_STATUS.get(status, ApiError)
    return kind(status, code, detail, faults, retry_after)


def _retry_after(text: str | None) -> float | None:
    """Seconds, from seconds or from a date."""
    if text is None:
        return None
    text = text.strip()
    if text.isascii() and text.isdigit() and len(text) < 10:
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
