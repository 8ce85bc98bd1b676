"""What can be asked of the server, each as an operation that `Client` and `AsyncClient` carry out."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from reviewqueue_client.errors import Invalid, NotJson, ReviewQueueError, TooLarge, WaitTimeout
from reviewqueue_client.exchange import (
    TEMPORARY,
    Answer,
    Call,
    Flow,
    Pause,
    Policy,
    api_error,
    clock,
    exchange,
    patiently,
)
from reviewqueue_client.json_values import encoded, plain
from reviewqueue_client.models import FeedEntry, Item, ItemFields, Result

LONGEST_WAIT_SECONDS = 60.0
"""The longest `?wait=` that the server takes."""
QUICK_ANSWER_SECONDS = 1.0
"""An unfinished item that is answered sooner than this was not waited for: do not ask again at once."""
LARGEST_PAGE = 1_000
BATCH_BYTES = 8 * 1024 * 1024
"""A batch is sent when it has grown to this, however few items are in it."""
BODY_CODES = frozenset({"malformed_json", "too_deep", "bad_characters", "invalid_utf8"})
"""Refusals of a whole batch that one item in it has earned."""


def item_members(queue: str, input: Any, output: Any, given: Mapping[str, Any]) -> dict[str, Any]:  # noqa: A002
    """The body of an item. Raises `TypeError` for a member that items do not have."""
    unknown = sorted(given.keys() - ItemFields.__annotations__.keys())
    if unknown:
        raise TypeError(f"Items have no {', '.join(unknown)}.")
    return _plain_item({"queue": queue, "input": input, "output": output, **given})


def _plain_item(members: Mapping[str, Any]) -> dict[str, Any]:
    said = {name: value for name, value in members.items() if value is not None or name in {"input", "output"}}
    found: dict[str, Any] = plain(said)
    return found


def new_key() -> str:
    return secrets.token_urlsafe(18)


def _posted(path: str, content: bytes, *, key: str | None = None, **more: Any) -> Call:
    headers = {"Content-Type": "application/json"}
    if key is not None:
        headers["Idempotency-Key"] = key
    return Call("POST", path, content=content, headers=headers, **more)


def submit(body: Mapping[str, Any], key: str | None, policy: Policy) -> Flow[Item]:
    """Every attempt has the same key and the same bytes."""
    answer = yield from exchange(_posted("/items", encoded(body), key=key or new_key()), policy)
    return Item.of({**body, **answer.json()})


def get(item_id: str, policy: Policy) -> Flow[Item]:
    answer = yield from exchange(Call("GET", _item_path(item_id)), policy)
    return Item.of(answer.json())


def _item_path(item_id: str, what: str = "") -> str:
    return f"/items/{quote(item_id, safe='')}{what}"


def wait(item_id: str, timeout: float | None, policy: Policy) -> Flow[Item]:
    """Long polls until the item has ended. Raises `WaitTimeout` after `timeout` seconds."""
    until = None if timeout is None else clock() + timeout
    item: Item | None = None
    while True:
        began = clock()
        seconds = LONGEST_WAIT_SECONDS if until is None else min(LONGEST_WAIT_SECONDS, max(0.0, until - began))
        call = Call("GET", _item_path(item_id), {"wait": f"{seconds:.3f}"}, wait_seconds=seconds)
        try:
            answer = yield from patiently(call, policy, until=until)
        except TEMPORARY:
            if item is None:
                raise
            raise WaitTimeout(item) from None
        item = Item.of(answer.json())
        if item.ended:
            return item
        if until is not None and clock() >= until:
            raise WaitTimeout(item)
        quick = clock() - began < min(seconds, QUICK_ANSWER_SECONDS)
        if quick or "retry-after" in answer.headers:
            pause = policy.pause_seconds(3, QUICK_ANSWER_SECONDS)
            yield Pause(pause if until is None else max(0.0, min(pause, until - clock())))


def cancel(item_id: str, reason: str | None, policy: Policy) -> Flow[Item]:
    answer = yield from exchange(_posted(_item_path(item_id, "/cancellation"), encoded({"reason": reason})), policy)
    return Item.of(answer.json())


def reopen(item_id: str, reason: str, policy: Policy) -> Flow[str]:
    """Not sent again after a lost answer: the item may be open, and the second would be refused."""
    call = _posted(_item_path(item_id, "/reopenings"), encoded({"reason": reason}), repeatable=False)
    answer = yield from exchange(call, policy)
    return str(answer.json()["task"])


# -- lists ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Page:
    """Some of a list: `cursor` is where it goes on, `more` whether there is something now."""

    members: Sequence[Any]
    cursor: str | None
    more: bool


def items(query: Mapping[str, str | None], cursor: str | None, policy: Policy) -> Flow[Page]:
    given = {name: value for name, value in {**query, "cursor": cursor}.items() if value is not None}
    found = (yield from exchange(Call("GET", "/items", given), policy)).json()
    return Page([Item.of(each) for each in found["items"]], found["cursor"], found["cursor"] is not None)


def feed(queue: str, cursor: str | None, limit: int, policy: Policy) -> Flow[Page]:
    path = f"/queues/{quote(queue, safe='')}/resolutions"
    query = {"limit": str(limit)} | ({"cursor": cursor} if cursor else {})
    answer = yield from patiently(Call("GET", path, query), policy)
    found = answer.json()
    entries = [FeedEntry.of(each) for each in found["resolutions"]]
    return Page(entries, found["cursor"], _has_next(answer))


def _has_next(answer: Answer) -> bool:
    return 'rel="next"' in answer.headers.get("link", "")


# -- many items at once -----------------------------------------------------------------------------------------------


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
            said = _plain_item(body)
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

    def add(self, body: Mapping[str, Any]) -> list[Line] | None:
        """The batch that is full now, if one is."""
        line = Line.of(body)
        full = None
        if self._lines and (len(self._lines) >= self._most or self._bytes + len(line.text) > BATCH_BYTES):
            full = self.rest()
        self._lines.append(line)
        self._bytes += len(line.text) + 1
        return full

    def rest(self) -> list[Line]:
        lines, self._lines, self._bytes = self._lines, [], 0
        return lines


def send_batch(lines: Sequence[Line], policy: Policy) -> Flow[list[Result]]:
    """A result for each, in their order. Raises `ApiError` for what is not about an item, `Unreachable`."""
    good = [line for line in lines if line.error is None]
    results = iter((yield from _send(good, policy)) if good else ())
    return [next(results) if line.error is None else Result(None, line.error) for line in lines]


def _send(lines: Sequence[Line], policy: Policy) -> Flow[list[Result]]:
    content = b'{"items":[' + b",".join(line.text for line in lines) + b"]}"
    again = frozenset({"in_flight", "conflict"})
    call = _posted("/items/batch", content, key=new_key(), again_codes=again)
    try:
        found = (yield from exchange(call, policy)).json()["results"]
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


class Progress:
    """Counts results, and tells `told(done, failed)` after each batch: how many there are, how many are errors."""

    def __init__(self, told: Any) -> None:
        self._told = told
        self._done = self._failed = 0

    def count(self, results: Sequence[Result]) -> Iterator[Result]:
        self._done += len(results)
        self._failed += sum(not result.ok for result in results)
        if self._told is not None:
            self._told(self._done, self._failed)
        return iter(results)
