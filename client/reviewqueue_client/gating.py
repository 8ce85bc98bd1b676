"""`gate`: what a function gives, or is about to do, passes review where the queue's rules say so."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, ParamSpec, TypeVar, cast

from reviewqueue_client.async_client import AsyncClient
from reviewqueue_client.client import Client
from reviewqueue_client.errors import Rejected, Unfit
from reviewqueue_client.json_values import plain, same
from reviewqueue_client.models import Item

P = ParamSpec("P")
R = TypeVar("R")


def gate(
    *,
    queue: str,
    client: Client | AsyncClient | None = None,
    of: Literal["result", "arguments"] = "result",
    confidence: Callable[[Any], float | None] | float | None = None,
    input: Callable[..., Any] | None = None,  # noqa: A002
    external_id: Callable[..., str] | None = None,
    load: Callable[[Any], Any] | None = None,
    timeout: float | None = None,
    on_reject: Callable[[Rejected], Any] | None = None,
    **more: Any,
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorate a function, plain or async: its result, or its arguments before it runs, are an item of `queue`.

    The item's input is what the function is called with, by name (without `self` and `cls`); its output the result, or
    the arguments again. Both must be JSON, see `NotJson`; dataclasses and Pydantic models are turned into it. What
    passes unchanged is the original object; what people have changed is the decided JSON with its types (a Pydantic
    model is made of it again; `load` makes whatever else the caller expects). Of arguments, those that are unchanged
    stay the objects they were.

    `client`         made from `REVIEWQUEUE_URL` and `REVIEWQUEUE_TOKEN` where it is not given
    `confidence`     how sure the model is: a number, or called with what is reviewed (the result, or the arguments by
                     name)
    `input`          called with the function's arguments: the item's input instead of them
    `external_id`    called with the function's arguments: the same call after a restart finds its item again
    `timeout`        seconds to wait for people, then `WaitTimeout`; the item goes on waiting
    `on_reject`      called with `Rejected`: what it returns is returned; without it `Rejected` is raised
    `more`           of the item: `model`, `model_version`, `risk`, `metadata` …, see `Client.submit`

    Raises `Rejected` after a rejection, and when the time for an answer is over and the queue has no output for that;
    `Unfit` when decided arguments are not those of the function.
    """
    if of not in {"result", "arguments"}:
        raise ValueError("of must be 'result' or 'arguments'.")

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise TypeError("A generator gives its result bit by bit: gate a function that returns it.")
        found = Gate(function, queue, client, of, confidence, input, external_id, load, timeout, on_reject, more)
        return cast("Callable[P, R]", found.awaited() if inspect.iscoroutinefunction(function) else found.called())

    return decorate


@dataclass
class Gate:
    """A function with its gate."""

    function: Callable[..., Any]
    queue: str
    client: Client | AsyncClient | None
    of: str
    confidence: Callable[[Any], float | None] | float | None
    input: Callable[..., Any] | None
    external_id: Callable[..., str] | None
    load: Callable[[Any], Any] | None
    timeout: float | None
    on_reject: Callable[[Rejected], Any] | None
    more: Mapping[str, Any]

    def called(self) -> Callable[..., Any]:
        if isinstance(self.client, AsyncClient):
            raise TypeError("Give a Client for a function that is not async.")

        @functools.wraps(self.function)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            bound = self._bound(args, kwargs)
            if self.of == "arguments":
                try:
                    bound = self._decided_arguments(bound, self._ask(self._item(bound, named(bound))))
                except Rejected as error:
                    return self._rejected(error)
                return self.function(*bound.args, **bound.kwargs)
            result = self.function(*args, **kwargs)
            try:
                return self._decided_result(result, self._ask(self._item(bound, result)))
            except Rejected as error:
                return self._rejected(error)

        return guarded

    def awaited(self) -> Callable[..., Awaitable[Any]]:
        @functools.wraps(self.function)
        async def guarded(*args: Any, **kwargs: Any) -> Any:
            bound = self._bound(args, kwargs)
            if self.of == "arguments":
                try:
                    bound = self._decided_arguments(bound, await self._ask_async(self._item(bound, named(bound))))
                except Rejected as error:
                    return await _settled(self._rejected(error))
                return await self.function(*bound.args, **bound.kwargs)
            result = await self.function(*args, **kwargs)
            try:
                return self._decided_result(result, await self._ask_async(self._item(bound, result)))
            except Rejected as error:
                return await _settled(self._rejected(error))

        return guarded

    # -- asking -------------------------------------------------------------------------------------------------------

    @cached_property
    def _own(self) -> Client:
        return Client()

    def _ask(self, item: Mapping[str, Any]) -> Item:
        client = self.client if isinstance(self.client, Client) else self._own
        found = client.submit(**item)
        return found if found.ended else client.wait(found.id, self.timeout)

    async def _ask_async(self, item: Mapping[str, Any]) -> Item:
        if isinstance(self.client, Client):
            return await asyncio.to_thread(self._ask, item)
        if self.client is not None:
            return await self._awaited_answer(self.client, item)
        # Made anew for each call: the next may come from another event loop.
        async with AsyncClient() as client:
            return await self._awaited_answer(client, item)

    async def _awaited_answer(self, client: AsyncClient, item: Mapping[str, Any]) -> Item:
        found = await client.submit(**item)
        return found if found.ended else await client.wait(found.id, self.timeout)

    def _bound(self, args: Any, kwargs: Any) -> inspect.BoundArguments:
        bound = inspect.signature(self.function).bind(*args, **kwargs)
        bound.apply_defaults()
        return bound

    def _item(self, bound: inspect.BoundArguments, reviewed: Any) -> dict[str, Any]:
        given = named(bound) if self.input is None else self.input(*bound.args, **bound.kwargs)
        item = {**self.more, "queue": self.queue, "input": given, "output": reviewed}
        if self.confidence is not None:
            item["confidence"] = self.confidence(reviewed) if callable(self.confidence) else self.confidence
        if self.external_id is not None:
            item["external_id"] = self.external_id(*bound.args, **bound.kwargs)
        return item

    # -- what was decided ---------------------------------------------------------------------------------------------

    def _decided_result(self, result: Any, item: Item) -> Any:
        decided = item.decided()
        if item.approved:
            return result
        if self.load is not None:
            return self.load(decided)
        validate = getattr(type(result), "model_validate", None)
        return decided if validate is None else validate(decided)

    def _decided_arguments(self, bound: inspect.BoundArguments, item: Item) -> inspect.BoundArguments:
        decided, sent = item.decided(), named(bound)
        if item.approved:
            return bound
        if self.load is not None:
            decided = self.load(decided)
        if not isinstance(decided, dict) or decided.keys() != sent.keys():
            raise Unfit(f"Item {item.id}: the decided arguments are not those of {self.function.__qualname__}.")
        for name, value in decided.items():
            if not same(value, plain(sent[name])):
                is_rest = bound.signature.parameters[name].kind is inspect.Parameter.VAR_POSITIONAL
                bound.arguments[name] = tuple(value) if is_rest else value
        return bound

    def _rejected(self, error: Rejected) -> Any:
        if self.on_reject is None:
            raise error
        return self.on_reject(error)


def named(bound: inspect.BoundArguments) -> dict[str, Any]:
    """The arguments by name, without the object or class that a method is called on."""
    first = next(iter(bound.signature.parameters), None)
    return {name: value for name, value in bound.arguments.items() if name != first or name not in {"self", "cls"}}


async def _settled(value: Any) -> Any:
    return await value if inspect.isawaitable(value) else value
