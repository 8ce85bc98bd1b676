"""OpenAI Agents SDK: people approve the tool calls of a run. Needs `openai-agents`.

    result = await Runner.run(agent, "Cancel order 7")
    while result.interruptions:
        state = await areview(client, "agent-calls", result, run="chat-81")
        result = await Runner.run(agent, state)

**What comes from the run.** `result.interruptions`: for each tool with `needs_approval`, the agent's name, the tool's
name, the arguments as JSON text, and the call's id.

**What is reviewed.** One item a call:

    input   {"agent": "Support", "tool": "cancel_order", "arguments": {"order": 7}, "call_id": "call_1"}
    output  {"tool": "cancel_order", "arguments": {"order": 7}}

Arguments that are not JSON stay text. With `run`, a name for this run that no other has, the `external_id` is that
name, the call's id and a digest of the input: `review` may be called again, also after a restart, and finds the items.
Without it each call of `review` makes new items: ids of calls are not the same everywhere, and an old approval must not
be taken for a new one.

**What goes back.** The run's state, with `state.approve(call)` for an approval and `state.reject(call,
rejection_message=…)` for anything else. The SDK cannot run a call with other arguments: an edit is a rejection that
tells the model which call to make instead. When that comes, it is reviewed as well.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from reviewqueue_client.async_client import AsyncClient
from reviewqueue_client.client import Client
from reviewqueue_client.errors import Rejected
from reviewqueue_client.json_values import digest, plain
from reviewqueue_client.models import Item

NOT_AS_IT_IS = "A person did not let this call run as it is. Make this call instead: {call}"
NOT_AT_ALL = "A person did not let this call run."


def review(
    client: Client, queue: str, result: Any, *, run: str | None = None, timeout: float | None = None, **more: Any
) -> Any:
    """Have every interruption of `result` reviewed; the `RunState` to go on with.

    All items are there before the first is waited for. `timeout` is for each; `more` is what else an item has. Raises
    `WaitTimeout`; nothing is approved or rejected then.
    """
    items = [
        client.submit(queue, **_item(call, run), timeout=timeout, waits=True, **more) for call in result.interruptions
    ]
    return _state(result, [item if item.ended else client.wait(item.id, timeout) for item in items])


async def areview(
    client: AsyncClient, queue: str, result: Any, *, run: str | None = None,
    timeout: float | None = None,  # noqa: ASYNC109 - see `review`
    **more: Any,
) -> Any:  # fmt: skip
    """See `review`."""
    items = [
        await client.submit(queue, **_item(call, run), timeout=timeout, waits=True, **more)
        for call in result.interruptions
    ]
    return _state(result, [item if item.ended else await client.wait(item.id, timeout) for item in items])


def _item(call: Any, run: str | None) -> dict[str, Any]:
    arguments = _arguments(call.arguments)
    raw = call.raw_item
    call_id = raw.get("call_id") if isinstance(raw, Mapping) else getattr(raw, "call_id", None)
    shown = {"agent": call.agent.name, "tool": call.name, "arguments": arguments, "call_id": call_id}
    item: dict[str, Any] = {"input": shown, "output": {"tool": call.name, "arguments": arguments}}
    if run is not None:
        item["external_id"] = f"{run}:{call_id}:{digest(plain(shown))}"
    return item


def _arguments(text: str | None) -> Any:
    if not text:
        return {}
    try:
        return json.loads(text)
    except ValueError:
        return text


def _state(result: Any, items: Iterable[Item]) -> Any:
    state = result.to_state()
    for call, item in zip(result.interruptions, items, strict=True):
        message = _refusal(item)
        if message is None:
            state.approve(call)
        else:
            state.reject(call, rejection_message=message)
    return state


def _refusal(item: Item) -> str | None:
    """What to tell the model; None where the call may run."""
    try:
        decided = item.decided()
    except Rejected as error:
        return error.message or (f"{NOT_AT_ALL} Reason: {error.reason}." if error.reason else NOT_AT_ALL)
    if item.approved:
        return None
    said = item.resolution.message if item.resolution else None
    text = NOT_AS_IT_IS.format(call=json.dumps(decided, ensure_ascii=False))
    return f"{text} {said}" if said else text
