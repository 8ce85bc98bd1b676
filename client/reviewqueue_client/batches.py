"""Many items at once: cut into batches, sent again where there was no room."""

from __future__ import annotations

import math
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reviewqueue_client.errors import Invalid, NotJson, ReviewQueueError, TooLarge, TooManyRequests
from reviewqueue_client.exchange import Flow, Pause, Policy, api_error, exchange
from reviewqueue_client.json_values import encoded
from reviewqueue_client.models import Item, Result
from reviewqueue_client.operations import new_key, plain_item, posted

LARGEST_PAGE = 1_000
BATCH_BYTES = 8 * 1024 * 1024
"""A batch is sent when it has grown to this, however few items are in it."""
BODY_CODES = frozenset({"malformed_json", "too_deep", "bad_characters", "invalid_utf8"})
"""Refusals of a whole batch that one item in it has earned."""
FIRST_WAIT_FOR_ROOM = 4
"""The attempt of whose pause, 1 to 2 seconds, the first wait for room in a full queue is."""


@dataclass(frozen=True)
class Line:
    """One of many items: what it says and its text, or why it has none."""

    body: Mapping[str, Any]
    text: bytes = b""
    error: ReviewQueueError | None = None

    @classmethod
    def of(cls, body: Any) -> Line:
        if not isinstance(body, Mapping):
            return cls({}, error=NotJson(f"An item is a mapping, not {type(body).__name__}."))
        try:
            said = plain_item(body)
        except NotJson as error:
            return cls({}, error=error)
        return cls(said, encoded(said))


class Batcher:
    """Cuts a stream of items into batches of at most so many, and so many bytes."""

    def __init__(self, most: int) -> None:
        if not 1 <= most <= LARGEST_PAGE:
            raise ValueError(f"batch must be from 1 to {LARGEST_PAGE:,}.")
        self._most = most
        self._lines: list[Line] = []
        self._bytes = 0

    def of(self, items: Iterable[Mapping[str, Any]]) -> Iterator[list[Line]]:
        """Each as soon as it is full. What was read before `items` raised comes before that is raised."""
        try:
            for item in items:
                yield from self._add(item)
        except Exception:
            yield from self._rest()
            raise
        yield from self._rest()

    async def of_async(self, items: AsyncIterable[Mapping[str, Any]]) -> AsyncIterator[list[Line]]:
        """See `of`."""
        try:
            async for item in items:
                for full in self._add(item):
                    yield full
        except Exception:
            for rest in self._rest():
                yield rest
            raise
        for rest in self._rest():
            yield rest

    def _add(self, body: Mapping[str, Any]) -> Iterator[list[Line]]:
        line = Line.of(body)
        if self._bytes + len(line.text) > BATCH_BYTES:
            yield from self._rest()
        self._lines.append(line)
        self._bytes += len(line.text) + 1
        if len(self._lines) >= self._most:
            yield from self._rest()

    def _rest(self) -> Iterator[list[Line]]:
        lines, self._lines, self._bytes = self._lines, [], 0
        if lines:
            yield lines


class Room:
    """For how long room in full queues is waited for, all pauses together: `seconds`, None for as long as it takes."""

    def __init__(self, seconds: float | None) -> None:
        self._left = math.inf if seconds is None else seconds

    def pause(self, seconds: float) -> Pause | None:
        """At most what is left; None when nothing is."""
        if self._left <= 0:
            return None
        taken = min(seconds, self._left)
        self._left -= taken
        return Pause(taken)


class Sending:
    """What the batches of one stream have in common.

    `told(done, failed)` is called after each request: how many results there are, and how many of them are errors.
    """

    def __init__(self, told: Callable[[int, int], object] | None, seconds: float | None) -> None:
        self.room = Room(seconds)
        self._told = told
        self._done = self._failed = 0

    def count(self, results: Sequence[Result]) -> None:
        self._done += len(results)
        self._failed += sum(not result.ok for result in results)
        if self._told is not None:
            self._told(self._done, self._failed)


def send_batch(lines: Sequence[Line], policy: Policy, sending: Sending) -> Flow[list[Result]]:
    """A result for each, in their order. Those for which there is no room are sent again, while `sending` lets.

    Raises `ApiError` for what is not about an item, `Unreachable`.
    """
    results = {place: Result(None, line.error) for place, line in enumerate(lines) if line.error is not None}
    left = [place for place in range(len(lines)) if place not in results]
    told = in_vain = 0
    while True:
        sent = (yield from _send([lines[place] for place in left], policy)) if left else []
        results |= dict(zip(left, sent, strict=True))
        full = [place for place in left if _has_no_room(results[place])]
        in_vain = in_vain + 1 if full == left else 0
        # The answer to a batch says of no item how long to wait: less and less often, while nothing gets in.
        seconds = policy.pause_seconds(FIRST_WAIT_FOR_ROOM + max(0, in_vain - 1), None)
        pause = sending.room.pause(seconds) if full else None
        left = [] if pause is None else full
        for place in left:
            del results[place]
        sending.count(list(results.values())[told:])
        told = len(results)
        if pause is None:
            return [results[place] for place in range(len(lines))]
        yield pause


def _has_no_room(result: Result) -> bool:
    return isinstance(result.error, TooManyRequests)


def _send(lines: Sequence[Line], policy: Policy) -> Flow[list[Result]]:
    content = b'{"items":[' + b",".join(line.text for line in lines) + b"]}"
    again = frozenset({"in_flight", "conflict"})
    call = posted("/items/batch", content, key=new_key(), again_codes=again)
    try:
        found = (yield from exchange(call, policy)).read(lambda told: [*told["results"]])
    except (TooLarge, Invalid) as error:
        if isinstance(error, Invalid) and error.code not in BODY_CODES:
            raise
        if len(lines) == 1:
            return [Result(None, error)]
        # One item is to blame and the answer does not say which: it is found by halves.
        middle = len(lines) // 2
        first = yield from _send(lines[:middle], policy)
        second = yield from _send(lines[middle:], policy)
        return first + second
    if len(found) != len(lines):
        raise ReviewQueueError(f"{len(lines)} items were sent, and {len(found)} results came back.")
    return [_result(line, told) for line, told in zip(lines, found, strict=True)]


def _result(line: Line, told: Mapping[str, Any]) -> Result:
    if "error" in told:
        return Result(None, api_error(int(told["status"]), told["error"]))
    return Result(Item.of({**line.body, **told["item"]}), None, created=told["status"] == 201)
