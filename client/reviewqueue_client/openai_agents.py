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

Arguments that are not JSON stay text. For calls without any, of a shell or a patch, they are what the call says instead
(`{"action": {"commands": [...]}}`); calls of a hosted server's tools also have its `server_label`. With `run`, a name
for this run that no other has, the `external_id` is that name, the call's id and a digest of the input: `review` may be
called again, also after a restart, and finds the items. Without it each call of `review` makes new items: ids of calls
are not the same everywhere, and an old approval must not be taken for a new one.

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
from reviewqueue_client.errors import NotJson, Rejected, Unfit
from reviewqueue_client.gated_calls import GatedCall, review_all
from reviewqueue_client.json_values import digest, plain
from reviewqueue_client.models import Item

ENVELOPE = frozenset({"type", "id", "call_id", "status", "name", "caller", "created_by"})
"""Members of a call that do not say what it would do."""
NOT_AS_IT_IS = "A person did not let this call run as it is. Make this call instead: {call}"
NOT_AT_ALL = "A person did not let this call run."


def review(
    client: Client, queue: str, result: Any, *, run: str | None = None, timeout: float | None = None, **more: Any
) -> Any:
    """Have every interruption of `result` reviewed; the `RunState` to go on with.

    All items are there before the first is waited for. `timeout` is for each, None waits for ever, for room in a full
    queue, too; `more` is what else an item has. Raises
    `WaitTimeout` and `Unfit`; nothing is approved or rejected then.
    """
    return _state(result, client._run(review_all(_calls(queue, result, run, timeout, more), client._policy)))


async def areview(
    client: AsyncClient, queue: str, result: Any, *, run: str | None = None,
    timeout: float | None = None,  # noqa: ASYNC109 - see `review`
    **more: Any,
) -> Any:  # fmt: skip
    """See `review`."""
    return _state(result, await client._run(review_all(_calls(queue, result, run, timeout, more), client._policy)))


def _calls(
    queue: str, result: Any, run: str | None, timeout: float | None, more: Mapping[str, Any]
) -> list[tuple[GatedCall, Any]]:
    """Each with the output that its item has."""
    found = []
    for call in result.interruptions:
        shown = _shown(call)
        members = {"queue": queue, "input": shown, **({} if run is None else {"external_id": _name(run, shown)})}
        output = {"tool": shown["tool"], "arguments": shown["arguments"]}
        found.append((GatedCall.of(timeout, **members, **more), output))
    return found


def _shown(call: Any) -> dict[str, Any]:
    """What is to be known of a call, as JSON. Raises `Unfit` for one that does not say what it would do."""
    shown = {
        "agent": call.agent.name, "tool": call.name, "arguments": _arguments(call),
        "call_id": _said(call, "call_id") or _said(call, "id"),
    }  # fmt: skip
    # Two servers, or two namespaces, may have tools of the same name.
    shown.update((name, said) for name in ("server_label", "namespace") if (said := _said(call, name)))
    found: dict[str, Any] = plain(shown)
    return found


def _said(call: Any, name: str) -> Any:
    """What stands under that name in the call, which the SDK has as an object or as a mapping."""
    raw = call.raw_item
    return raw.get(name) if isinstance(raw, Mapping) else getattr(raw, name, None)


def _name(run: str, shown: Mapping[str, Any]) -> str:
    """The `external_id`. Raises `Unfit` for a call without an id: an equal one would pass for it."""
    if shown["call_id"] is None:
        raise Unfit(f"The call of {shown['tool']} has no id. Without `run` it can be reviewed all the same.")
    return f"{run}:{shown['call_id']}:{digest(shown)}"


def _arguments(call: Any) -> Any:
    text = call.arguments
    if text is None:
        return _rest(call)
    if not text:
        return {}
    try:
        return plain(json.loads(text))
    except (ValueError, RecursionError, NotJson):
        return text


def _rest(call: Any) -> dict[str, Any]:
    """What a call without arguments, of a shell or a patch, says that it would do."""
    raw = call.raw_item
    said: Any = raw.model_dump(mode="json", exclude_none=True) if hasattr(raw, "model_dump") else raw
    found = {name: value for name, value in said.items() if name not in ENVELOPE} if isinstance(said, Mapping) else {}
    if not found:
        raise Unfit(f"The call of {call.name} does not say what it would do: nobody can approve it.")
    return found


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
