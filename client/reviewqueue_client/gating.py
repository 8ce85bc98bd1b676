"""`gate`: what a function gives, or is about to do, passes review where the queue's rules say so."""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Literal, ParamSpec, TypeAlias, TypeVar, cast, get_type_hints

from reviewqueue_client import threads
from reviewqueue_client.async_client import AsyncClient
from reviewqueue_client.client import Client
from reviewqueue_client.errors import NotJson, Rejected, Unfit
from reviewqueue_client.exchange import Flow, Policy
from reviewqueue_client.gated_calls import GatedCall
from reviewqueue_client.json_values import plain, remade, same
from reviewqueue_client.models import Item
from reviewqueue_client.operations import check_names

P = ParamSpec("P")
R = TypeVar("R")
Operation: TypeAlias = Callable[[Policy], Flow[Any]]


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
    the arguments again. Both must be JSON, see `NotJson`; dataclasses and Pydantic models (by their aliases) are turned
    into it. What passes unchanged is the original object; what people have changed is the decided JSON with its types
    (a Pydantic model is made of it again; `load` makes whatever else the caller expects). Of arguments, those that are
    unchanged stay the objects they were.

    `client`         made from `REVIEWQUEUE_URL` and `REVIEWQUEUE_TOKEN` where it is not given
    `confidence`     how sure the model is: a number, or called with what is reviewed (the result, or the arguments by
                     name)
    `input`          called with the function's arguments: the item's input instead of them
    `external_id`    called with the function's arguments: the same call after a restart finds its item again, and the
                     function does not run again for a result that is in review or decided
    `timeout`        seconds to wait for people, then `WaitTimeout`; the item goes on waiting. `QueueFull` where the
                     queue has no room until then
    `on_reject`      called with `Rejected`: what it returns is returned; without it `Rejected` is raised
    `more`           of the item: `model`, `model_version`, `risk`, `metadata` …, see `Client.submit`

    Raises `Rejected` after a rejection, and when the time for an answer is over and the queue has no output for that;
    `Unfit` when what was decided does not fit the function; `Conflict` for an `external_id` of another call.
    """
    if of not in {"result", "arguments"}:
        raise ValueError("of must be 'result' or 'arguments'.")
    check_names(more)

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
            ask, bound = self._ask, self._bound(args, kwargs)
            call = self._call(bound)
            if self.of == "arguments":
                try:
                    sent = plain(named(bound))
                    bound = self._decided_arguments(bound, sent, ask(self._review(call, sent, named(bound))))
                except Rejected as error:
                    return self._rejected(error)
                return self.function(*bound.args, **bound.kwargs)
            try:
                earlier = ask(call.earlier)
                if earlier is not None:
                    return self._loaded(earlier.decided(), self._kind)
            except Rejected as error:
                return self._rejected(error)
            result = self.function(*args, **kwargs)
            try:
                return self._decided_result(result, call, ask(self._review(call, result, result)))
            except Rejected as error:
                return self._rejected(error)

        return guarded

    def awaited(self) -> Callable[..., Awaitable[Any]]:
        @functools.wraps(self.function)
        async def guarded(*args: Any, **kwargs: Any) -> Any:
            bound = self._bound(args, kwargs)
            call = self._call(bound)
            async with self._asking() as ask:
                if self.of == "arguments":
                    try:
                        sent = plain(named(bound))
                        bound = self._decided_arguments(bound, sent, await ask(self._review(call, sent, named(bound))))
                    except Rejected as error:
                        return await _settled(self._rejected(error))
                    return await self.function(*bound.args, **bound.kwargs)
                try:
                    earlier = await ask(call.earlier)
                    if earlier is not None:
                        return self._loaded(earlier.decided(), self._kind)
                except Rejected as error:
                    return await _settled(self._rejected(error))
                result = await self.function(*args, **kwargs)
                try:
                    return self._decided_result(result, call, await ask(self._review(call, result, result)))
                except Rejected as error:
                    return await _settled(self._rejected(error))

        return guarded

    # -- asking -------------------------------------------------------------------------------------------------------

    @cached_property
    def _own(self) -> Client:
        return Client()

    @property
    def _ask(self) -> Callable[[Operation], Any]:
        client = self.client if isinstance(self.client, Client) else self._own
        return lambda operation: client._run(operation(client._policy))

    @asynccontextmanager
    async def _asking(self) -> AsyncIterator[Callable[[Operation], Awaitable[Any]]]:
        client = self.client
        if isinstance(client, Client):
            yield lambda operation: threads.run(client, operation(threads.policy_of(client)))
        elif client is not None:
            yield lambda operation: client._run(operation(client._policy))
        else:
            # Made anew for each call: the next may come from another event loop.
            async with AsyncClient() as own:
                yield lambda operation: own._run(operation(own._policy))

    def _bound(self, args: Any, kwargs: Any) -> inspect.BoundArguments:
        bound = inspect.signature(self.function).bind(*args, **kwargs)
        bound.apply_defaults()
        return bound

    def _call(self, bound: inspect.BoundArguments) -> GatedCall:
        """All that is read of the arguments is read here: the function may change them."""
        given = named(bound) if self.input is None else self.input(*bound.args, **bound.kwargs)
        members = {**plain(self.more), "queue": self.queue, "input": plain(given, "/input")}
        if self.external_id is not None:
            members["external_id"] = plain(self.external_id(*bound.args, **bound.kwargs), "/external_id")
        return GatedCall(members, math.inf if self.timeout is None else self.timeout, exact=self.of == "arguments")

    def _review(self, call: GatedCall, output: Any, reviewed: Any) -> Operation:
        confidence = self.confidence(reviewed) if callable(self.confidence) else self.confidence
        return partial(call.review, output, confidence=confidence)

    # -- what was decided ---------------------------------------------------------------------------------------------

    @cached_property
    def _kind(self) -> type:
        """What the function's annotation says it gives; `object` where that cannot be read."""
        try:
            found = get_type_hints(self.function).get("return")
        except (NameError, TypeError, AttributeError, SyntaxError):
            return object
        return found if isinstance(found, type) else object

    def _loaded(self, decided: Any, kind: type) -> Any:
        return remade(decided, kind) if self.load is None else self.load(decided)

    def _decided_result(self, result: Any, call: GatedCall, item: Item) -> Any:
        decided = item.decided()
        return result if item.approved and call.ours else self._loaded(decided, type(result))

    def _decided_arguments(
        self, bound: inspect.BoundArguments, sent: dict[str, Any], item: Item
    ) -> inspect.BoundArguments:
        decided, given = item.decided(), named(bound)
        if item.approved and _says(given, sent):
            return bound
        if self.load is not None:
            decided = self.load(decided)
        if not isinstance(decided, dict) or decided.keys() != sent.keys():
            raise Unfit(f"Item {item.id}: the decided arguments are not those of {self.function.__qualname__}.")
        for name, value in decided.items():
            if not _says(given[name], value):
                is_rest = bound.signature.parameters[name].kind is inspect.Parameter.VAR_POSITIONAL
                made = remade(value, type(given[name])) if self.load is None else value
                bound.arguments[name] = tuple(made) if is_rest else made
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


def _says(value: Any, decided: Any) -> bool:
    """Whether `value` is what was decided on: it may have been changed while people decided."""
    try:
        return same(plain(value), decided)
    except NotJson:
        return False
