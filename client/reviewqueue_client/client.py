"""`Client`: the server's operations as blocking calls. One may be shared by any number of threads."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Self, TypeVar, Unpack

import httpx2

from reviewqueue_client import batches, connection, operations
from reviewqueue_client.exchange import Answer, Call, Flow, Lost, Policy
from reviewqueue_client.models import FeedEntry, Item, ItemFields, Media, Result
from reviewqueue_client.version import __version__

T = TypeVar("T")


class Client:
    """A program's connection to the server: `with Client(url, token) as client:`.

    `base_url` and `token` default to `REVIEWQUEUE_URL` and `REVIEWQUEUE_TOKEN`. `timeout` is in seconds, for one
    attempt; a request without an answer, or with 429, 502, 503 or 504, is sent again up to `retries` times.
    """

    def __init__(
        self, base_url: str | None = None, token: str | None = None, *, timeout: float = 30.0, retries: int = 5,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:  # fmt: skip
        self.base_url = connection.address(base_url)
        self._timeout = timeout
        self._policy = Policy(retries)
        self._options = {"transport": transport, **connection.options(token, timeout, __version__)}
        self._http = httpx2.Client(**self._options)
        self._process = os.getpid()
        self._of_parents: list[httpx2.Client] = []
        self._sleep: Callable[[float], None] = time.sleep

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.base_url!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def submit(
        self, queue: str, input: Any, output: Any, *, idempotency_key: str | None = None,  # noqa: A002
        timeout: float | None = None, waits: bool = False, **more: Unpack[ItemFields],
    ) -> Item:  # fmt: skip
        """Submit an item: `state` says whether a person will see it, `routing` which rule said so.

        It is sent again until there is an answer, always with the same key: it is stored once. Your own
        `idempotency_key` (1 to 255 printable ASCII characters) or `external_id` makes it once also across restarts.
        With `timeout`, nothing is sent again after so many seconds, and until then a full queue is waited for, however
        often. With `waits` it is stored only where the token may read it, too: say so if you `wait` for it. Raises
        `Forbidden`, `Invalid`, `Conflict`, `TooLarge`, `QueueFull`, `NotJson`, `Unreachable`.
        """
        body = operations.item_members(queue, input, output, more)
        return self._run(operations.submit(body, idempotency_key, self._policy, timeout, waits=waits))

    def submit_many(
        self, items: Iterable[Mapping[str, Any]], *, batch: int = 500,
        progress: Callable[[int, int], object] | None = None, timeout: float | None = None,
    ) -> Iterator[Result]:  # fmt: skip
        """Submit any number of items, a result for each in their order. At most one batch is in memory.

        `items` is read as the results are: nothing is sent before the first is asked for. When reading it raises, what
        was read before is sent, and its results come first. Items for which their queue
        has no room are sent again until it has: after `timeout` seconds of waiting, all pauses together, they are
        `QueueFull` in their place; None waits for as long as it takes. `progress(done, failed)` is called after each
        batch, and each time some of it was sent again. Raises `Unreachable` and what is not about a single item; give
        items an `external_id`, and all of them can be sent again.
        """
        batcher, sending = batches.Batcher(batch), batches.Sending(progress, timeout)

        def results() -> Iterator[Result]:
            for lines in batcher.of(items):
                yield from self._run(batches.send_batch(lines, self._policy, sending))

        return results()

    def upload(self, file: operations.Upload, queue: str, *, idempotency_key: str | None = None) -> Media:
        """Upload a picture or a document, by its path or its bytes, for items of the queue: put what is returned into
        their input.

        It is sent again until there is an answer, always with the same key: it is kept once. Raises `OSError` for a
        path that cannot be read, `Invalid` for what is no PNG, JPEG, GIF, WebP or PDF, `TooLarge`, `Forbidden`,
        `Unreachable`.
        """
        return self._run(operations.upload(operations.read(file), queue, idempotency_key, self._policy))

    def get(self, item_id: str) -> Item:
        """The item as it is now. Raises `NotFound`."""
        return self._run(operations.get(item_id, self._policy))

    def wait(self, item_id: str, timeout: float | None = None) -> Item:
        """The item once it has ended. Raises `WaitTimeout` after `timeout` seconds; None waits for ever.

        Outages of up to ten minutes are outlasted; after a longer one `Unreachable` or `Unavailable` is raised.
        """
        return self._run(operations.wait(item_id, timeout, self._policy))

    def cancel(self, item_id: str, reason: str | None = None) -> Item:
        """Withdraw an item that nobody has decided. Raises `Conflict` when it has ended."""
        return self._run(operations.cancel(item_id, reason, self._policy))

    def reopen(self, item_id: str, reason: str) -> str:
        """Have an item that has ended judged once more, by somebody else; the task's id. Its resolution stays in force
        until then. Raises `Conflict`."""
        return self._run(operations.reopen(item_id, reason, self._policy))

    def items(
        self, *, queue: str | None = None, state: str | None = None, external_id: str | None = None,
        subject: str | None = None, page: int = 100,
    ) -> Iterator[Item]:  # fmt: skip
        """Items, newest first, asked for by pages of 1 to 1,000."""
        query = {"queue": queue, "state": state, "external_id": external_id, "subject": subject, "limit": str(page)}
        cursor: str | None = None
        while True:
            found = self._run(operations.items(query, cursor, self._policy))
            yield from found.members
            cursor = found.cursor
            if not found.more:
                return

    def resolutions(
        self, queue: str, cursor: str | None = None, *, follow: bool = False, sleep: float = 5.0, page: int = 100
    ) -> Resolutions:
        """The decision feed from `cursor` on, in order; see `Resolutions`. With `follow` it never ends: when there is
        nothing new it asks again after `sleep` seconds."""
        return Resolutions(self, queue, cursor, follow=follow, sleep=sleep, page=page)

    def _run(self, flow: Flow[T]) -> T:
        try:
            step = next(flow)
            while True:
                step = flow.send(self._take(step))
        except StopIteration as end:
            found: T = end.value
            return found

    def _take(self, step: Any) -> Answer | Lost | None:
        if not isinstance(step, Call):
            self._sleep(step.seconds)
            return None
        request = connection.arguments(step, self.base_url, self._timeout)
        try:
            return connection.answer(self._connections().request(**request))
        except httpx2.RequestError as error:
            return connection.lost(error)

    def _connections(self) -> httpx2.Client:
        """Of this process. Those of the parent of a fork are open here, too: each would get answers of the other."""
        if self._process != os.getpid():
            self._of_parents.append(self._http)  # kept, for to close them is the parent's
            self._http, self._process = httpx2.Client(**self._options), os.getpid()
        return self._http


class Resolutions(Iterator[FeedEntry]):
    """The decision feed of a queue. `cursor` is where to go on later, and stays good for ever.

    It moves on past an entry when the next is asked for: whoever stores it and starts there again misses nothing, and
    may see the last entry twice. `entry.cursor` goes on after exactly that entry: store it when the entry is done.
    """

    def __init__(
        self, client: Client, queue: str, cursor: str | None, *, follow: bool, sleep: float, page: int
    ) -> None:
        self.cursor = cursor
        self._entries = self._read(client, queue, follow, sleep, page)

    def __next__(self) -> FeedEntry:
        return next(self._entries)

    def _read(self, client: Client, queue: str, follow: bool, sleep: float, page: int) -> Iterator[FeedEntry]:
        while True:
            found = client._run(operations.feed(queue, self.cursor, page, client._policy))
            for entry in found.members:
                yield entry
                self.cursor = entry.cursor
            self.cursor = found.cursor
            if not found.more:
                if not follow:
                    return
                client._sleep(sleep)
