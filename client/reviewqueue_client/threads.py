"""A `Client` beside an event loop: a thread for each request and none between them."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TypeVar

from reviewqueue_client.client import Client
from reviewqueue_client.exchange import Answer, Call, Flow, Lost, Pause, Policy, carried_out

T = TypeVar("T")


def policy_of(client: Client) -> Policy:
    """Nothing is held: the loop has few threads, they serve its name look-ups too, and its end waits for them."""
    return replace(client._policy, held=False)


async def run(client: Client, flow: Flow[T]) -> T:
    """What the operation gives. Cancelled, it asks nothing more."""

    async def take(step: Call | Pause) -> Answer | Lost | None:
        if isinstance(step, Pause):
            await asyncio.sleep(step.seconds)
            return None
        return await asyncio.to_thread(client._take, step)

    return await carried_out(flow, take)
