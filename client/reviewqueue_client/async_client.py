"""`AsyncClient`: the same operations without blocking, under asyncio. One belongs to one event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Mapping
from typing import Any, Self, TypeVar, Unpack

import httpx2

from reviewqueue_client import batches, connection, operations
from reviewqueue_client.exchange import Answer, Call, Flow, Lost, Policy, carried_out
from reviewqueue_client.models import FeedEntry, Item, ItemFields, Media, Result
from reviewqueue_client.version import __version__

T = TypeVar("T")
Items = Iterable[Mapping[str, Any]] | AsyncIterable[Mapping[str, Any]]


class AsyncClient:
    """See `Client`: same arguments, same methods, same errors. `async with AsyncClient(url, token) as client:`."""

    def __init__(
        self, base_url: str | None = None, token: str | None = None, *, timeout: float = 30.0, retries: int = 5,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:  # fmt: skip
        self.base_url = connection.address(base_url)
        self._timeout = timeout
        self._policy = Policy(retries)
        self._http = httpx2.AsyncClient(transport=transport, **connection.options(token, timeout, __version__))
        self._sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.base_url!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *failure: object) -> None:
        await self.close()

    async def close(self) -> None:
        await self._http.aclose()

    async def submit(
        self, queue: str, input: Any, output: Any, *, idempotency_key: str | None = None,  # noqa: A002
        timeout: float | None = None,  # noqa: ASYNC109 - see `Client.submit`
        waits: bool = False, **more: Unpack[ItemFields],
    ) -> Item:  # fmt: skip
        """See `Client.submit`."""
        body = operations.item_members(queue, input, output, more)
        return await self._run(operations.submit(body, idempotency_key, self._policy, timeout, waits=waits))

    def submit_many(
        self, items: Items, *, batch: int = 500, progress: Callable[[int, int], object] | None = None,
        timeout: float | None = None,
    ) -> AsyncIterator[Result]:  # fmt: skip
        """See `Client.submit_many`; `items` may be an async iterable, too."""
        batcher, sending = batches.Batcher(batch), batches.Sending(progress, timeout)

        async def results() -> AsyncIterator[Result]:
            async for lines in batcher.of_async(_each(items)):
                for result in await self._run(batches.send_batch(lines, self._policy, sending)):
                    yield result

        return results()

    async def upload(self, file: operations.Upload, queue: str, *, idempotency_key: str | None = None) -> Media:
        """See `Client.upload`."""
        data = await asyncio.to_thread(operations.read, file)
        return await self._run(operations.upload(data, queue, idempotency_key, self._policy))

    async def get(self, item_id: str) -> Item:
        """See `Client.get`."""
        return await self._run(operations.get(item_id, self._policy))

    async def wait(self, item_id: str, timeout: float | None = None) -> Item:  # noqa: ASYNC109 - raises `WaitTimeout`
        """See `Client.wait`."""
        return await self._run(operations.wait(item_id, timeout, self._policy))

    async def cancel(self, item_id: str, reason: str | None = None) -> Item:
        """See `Client.cancel`."""
        return await self._run(operations.cancel(item_id, reason, self._policy))

    async def reopen(self, item_id: str, reason: str) -> str:
        """See `Client.reopen`."""
        return await self._run(operations.reopen(item_id, reason, self._policy))

    async def items(
        self, *, queue: str | None = None, state: str | None = None, external_id: str | None = None,
        subject: str | None = None, page: int = 100,
    ) -> AsyncIterator[Item]:  # fmt: skip
        """See `Client.items`."""
        query = {"queue": queue, "state": state, "external_id": external_id, "subject": subject, "limit": str(page)}
        cursor: str | None = None
        while True:
            found = await self._run(operations.items(query, cursor, self._policy))
            for item in found.members:
                yield item
            cursor = found.cursor
            if not found.more:
                return

    def resolutions(
        self, queue: str, cursor: str | None = None, *, follow: bool = False, sleep: float = 5.0, page: int = 100
    ) -> AsyncResolutions:
        """See `Client.resolutions`."""
        return AsyncResolutions(self, queue, cursor, follow=follow, sleep=sleep, page=page)

    async def _run(self, flow: Flow[T]) -> T:
        return await carried_out(flow, self._take)

    async def _take(self, step: Any) -> Answer | Lost | None:
        if not isinstance(step, Call):
            await self._sleep(step.seconds)
            return None
        request = connection.arguments(step, self.base_url, self._timeout)
        try:
            return connection.answer(await self._http.request(**request))
        except httpx2.RequestError as error:
            return connection.lost(error)


async def _each(items: Items) -> AsyncIterator[Mapping[str, Any]]:
    if isinstance(items, AsyncIterable):
        async for item in items:
            yield item
    else:
        for item in items:
            yield item


class AsyncResolutions(AsyncIterator[FeedEntry]):
    """See `Resolutions`."""

    def __init__(
        self, client: AsyncClient, queue: str, cursor: str | None, *, follow: bool, sleep: float, page: int
    ) -> None:
        self.cursor = cursor
        self._entries = self._read(client, queue, follow, sleep, page)

    async def __anext__(self) -> FeedEntry:
        return await anext(self._entries)

    async def _read(
        self, client: AsyncClient, queue: str, follow: bool, sleep: float, page: int
    ) -> AsyncIterator[FeedEntry]:
        while True:
            found = await client._run(operations.feed(queue, self.cursor, page, client._policy))
            for entry in found.members:
                yield entry
                self.cursor = entry.cursor
            self.cursor = found.cursor
            if not found.more:
                if not follow:
                    return
                await client._sleep(sleep)
