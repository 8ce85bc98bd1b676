"""What can be asked of the server, each as an operation that `Client` and `AsyncClient` carry out."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import quote

from reviewqueue_client.errors import WaitTimeout
from reviewqueue_client.exchange import (
    TEMPORARY,
    Answer,
    Call,
    Flow,
    Pause,
    Policy,
    clock,
    exchange,
    patiently,
    with_room,
)
from reviewqueue_client.json_values import encoded, plain
from reviewqueue_client.models import FeedEntry, Item, ItemFields, Media

LONGEST_WAIT_SECONDS = 60.0
"""The longest `?wait=` that the server takes."""
QUICK_ANSWER_SECONDS = 1.0
"""An unfinished item that is answered sooner than this was not waited for: do not ask again at once."""


def item_members(queue: str, input: Any, output: Any, given: Mapping[str, Any]) -> dict[str, Any]:  # noqa: A002
    """The body of an item. Raises `TypeError` for a member that items do not have."""
    check_names(given)
    return plain_item({"queue": queue, "input": input, "output": output, **given})


def check_names(given: Mapping[str, Any]) -> None:
    """Raises `TypeError` for a member that items do not have."""
    unknown = sorted(given.keys() - ItemFields.__annotations__.keys())
    if unknown:
        raise TypeError(f"Items have no {', '.join(unknown)}.")


def plain_item(members: Mapping[str, Any]) -> dict[str, Any]:
    said = {name: value for name, value in members.items() if value is not None or name in {"input", "output"}}
    found: dict[str, Any] = plain(said)
    return found


def new_key() -> str:
    return secrets.token_urlsafe(18)


def posted(path: str, content: bytes, *, key: str | None = None, **more: Any) -> Call:
    headers = {"Content-Type": "application/json"}
    if key is not None:
        headers["Idempotency-Key"] = key
    return Call("POST", path, content=content, headers=headers, **more)


def submit(
    body: Mapping[str, Any], key: str | None, policy: Policy, timeout: float | None = None, *, waits: bool = False
) -> Flow[Item]:
    """Every attempt has the same key and the same bytes. With `timeout` seconds, room is waited for that long."""
    call = posted("/items", encoded(body), key=key or new_key(), query={"waits": "1"} if waits else {})
    if timeout is None:
        answer = yield from exchange(call, policy)
    else:
        answer = yield from with_room(call, policy, until=clock() + timeout)
    return answer.read(lambda told: Item.of({**body, **told}))


Upload: TypeAlias = "str | os.PathLike[str] | bytes | bytearray | memoryview"
"""A path, or the bytes of a file."""


def read(file: Upload) -> bytes:
    """The bytes. Raises `OSError` where there is no such file."""
    return Path(file).read_bytes() if isinstance(file, str | os.PathLike) else bytes(file)


def upload(data: bytes, queue: str, key: str | None, policy: Policy) -> Flow[Media]:
    """Every attempt has the same key and the same bytes."""
    boundary = secrets.token_hex(16)
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="'
    form = b"".join((
        f'{head}queue"\r\n\r\n{queue}\r\n'.encode(),
        f'{head}file"; filename="file"\r\nContent-Type: application/octet-stream\r\n\r\n'.encode(), data,
        f"\r\n--{boundary}--\r\n".encode(),
    ))  # fmt: skip
    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}", "Idempotency-Key": key or new_key()}
    answer = yield from exchange(Call("POST", "/media", content=form, headers=headers), policy)
    return answer.read(Media.of)


def get(item_id: str, policy: Policy) -> Flow[Item]:
    answer = yield from exchange(Call("GET", _item_path(item_id)), policy)
    return answer.read(Item.of)


def _item_path(item_id: str, what: str = "") -> str:
    return f"/items/{quote(item_id, safe='')}{what}"


def wait(item_id: str, timeout: float | None, policy: Policy) -> Flow[Item]:
    """Long polls until the item has ended. Raises `WaitTimeout` after `timeout` seconds."""
    until = None if timeout is None else clock() + timeout
    longest = LONGEST_WAIT_SECONDS if policy.held else 0.0
    item: Item | None = None
    asked = 0
    while True:
        began = clock()
        seconds = longest if until is None else min(longest, max(0.0, until - began))
        call = Call("GET", _item_path(item_id), {"wait": f"{seconds:.3f}"}, wait_seconds=seconds)
        try:
            answer = yield from patiently(call, policy, until=until)
        except TEMPORARY:
            if item is None:
                raise
            raise WaitTimeout(item) from None
        item = answer.read(Item.of)
        if item.ended:
            return item
        if until is not None and clock() >= until:
            raise WaitTimeout(item)
        asked += 1
        quick = clock() - began < min(seconds, QUICK_ANSWER_SECONDS)
        if not policy.held:
            yield _pause(policy.pause_seconds(min(asked, 5), None), until)
        elif quick or "retry-after" in answer.headers:
            yield _pause(policy.pause_seconds(3, QUICK_ANSWER_SECONDS), until)


def _pause(seconds: float, until: float | None) -> Pause:
    return Pause(seconds if until is None else max(0.0, min(seconds, until - clock())))


def cancel(item_id: str, reason: str | None, policy: Policy) -> Flow[Item]:
    answer = yield from exchange(posted(_item_path(item_id, "/cancellation"), encoded({"reason": reason})), policy)
    return answer.read(Item.of)


def reopen(item_id: str, reason: str, policy: Policy) -> Flow[str]:
    """Not sent again after a lost answer: the item may be open, and the second would be refused."""
    call = posted(_item_path(item_id, "/reopenings"), encoded({"reason": reason}), repeatable=False)
    answer = yield from exchange(call, policy)
    return answer.read(lambda told: str(told["task"]))


# -- lists ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Page:
    """Some of a list: `cursor` is where it goes on, `more` whether there is something now."""

    members: Sequence[Any]
    cursor: str | None
    more: bool


def items(
    query: Mapping[str, str | None], cursor: str | None, policy: Policy, *, until: float | None = None
) -> Flow[Page]:
    given = {name: value for name, value in {**query, "cursor": cursor}.items() if value is not None}
    answer = yield from exchange(Call("GET", "/items", given), policy, until=until)
    return answer.read(
        lambda told: Page([Item.of(each) for each in told["items"]], told["cursor"], told["cursor"] is not None)
    )


def feed(queue: str, cursor: str | None, limit: int, policy: Policy) -> Flow[Page]:
    path = f"/queues/{quote(queue, safe='')}/resolutions"
    query = {"limit": str(limit)} | ({"cursor": cursor} if cursor else {})
    answer = yield from patiently(Call("GET", path, query), policy)
    return answer.read(
        lambda told: Page([FeedEntry.of(each) for each in told["resolutions"]], told["cursor"], _has_next(answer))
    )


def _has_next(answer: Answer) -> bool:
    return 'rel="next"' in answer.headers.get("link", "")
