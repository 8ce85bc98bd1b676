"""LangChain and LangGraph: people decide the interrupts of a graph's run. Needs `langgraph`.

    result = agent.invoke({"messages": [...]}, config)
    while interrupts_of(result):
        result = agent.invoke(review(client, "tool-calls", result), config)

**What comes from the graph.** `HumanInTheLoopMiddleware` interrupts in one of two shapes. Batched, one a turn:

    {"action_requests": [{"name", "args", "description"}],
     "review_configs": [{"action_name", "allowed_decisions": ["approve", "edit", "reject", "respond"]}]}

and one interrupt a tool call (`interrupt_mode="per_call"`), whose `response_schema` says which decisions are allowed:

    {"type": "tool_approval", "tool_call_id", "name", "args", "description"}

**What is reviewed.** One item an interrupt, with what came as its input, and as its output what is to be done:

    {"actions": [{"decision": "run", "name": "send_email", "args": {"to": "a@example.com"}, "message": ""}]}

Its `external_id` is the interrupt's id and a digest of what came: the same interrupt is the same item, also after a
restart, and an answer can never reach another interrupt.

**What goes back.** `Command(resume={<interrupt id>: {"decisions": [...]}})`; of a `tool_approval` one decision instead
of the list. Each, in the order of the requests, is

    {"type": "approve"}                                          `run`, as it was
    {"type": "edit", "edited_action": {"name", "args"}}          `run`, changed
    {"type": "reject", "message"}                                `reject`, or the whole item rejected or expired
    {"type": "respond", "message"}                               `respond`: the person answers in place of the tool

Arguments keep their JSON types.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from reviewqueue_client.async_client import AsyncClient
from reviewqueue_client.client import Client
from reviewqueue_client.errors import Rejected, Unfit
from reviewqueue_client.gated_calls import GatedCall, review_all
from reviewqueue_client.json_values import digest, plain, same
from reviewqueue_client.models import Item

EVERY_DECISION = ("approve", "edit", "reject", "respond")


@dataclass(frozen=True)
class Request:
    """One interrupt: what it asks for, and how it may be answered."""

    interrupt_id: str
    payload: Mapping[str, Any]
    actions: Sequence[Mapping[str, Any]]
    """`{name, args}` in the order in which the answer must be."""
    allowed: Sequence[Sequence[str]]
    """For each action, the decisions that the graph takes."""
    batched: bool

    @classmethod
    def of(cls, interrupt: Any) -> Request:
        """Raises `Unfit` for an interrupt of another kind."""
        payload = plain(interrupt.value)
        if isinstance(payload, dict) and payload.get("type") == "tool_approval":
            allowed = _allowed_by_schema(getattr(interrupt, "response_schema", None))
            return cls(interrupt.id, payload, [payload], [allowed], batched=False)
        if not isinstance(payload, dict) or "action_requests" not in payload:
            raise Unfit(f"Interrupt {interrupt.id} is not a request of HumanInTheLoopMiddleware.")
        actions = payload["action_requests"]
        configs = {each["action_name"]: each["allowed_decisions"] for each in payload.get("review_configs", ())}
        return cls(
            interrupt.id,
            payload,
            actions,
            [configs.get(each["name"], EVERY_DECISION) for each in actions],
            batched=True,
        )

    def item(self) -> dict[str, Any]:
        """The members of its item."""
        actions = [
            {"decision": "run", "name": each["name"], "args": each["args"], "message": ""} for each in self.actions
        ]
        external_id = f"{self.interrupt_id}:{digest(self.payload)}"
        return {"input": self.payload, "output": {"actions": actions}, "external_id": external_id}

    def answer(self, item: Item) -> dict[str, Any]:
        """What to resume the interrupt with. Raises `Rejected` where the graph takes no rejection, `Unfit` where what
        people decided is not an answer to this interrupt, or not one that it allows."""
        if item.external_id != self.item()["external_id"]:
            raise Unfit(f"Item {item.id} is not that of interrupt {self.interrupt_id}.")
        decisions = self._decisions(item)
        for decision, allowed, action in zip(decisions, self.allowed, self.actions, strict=True):
            if decision["type"] not in allowed:
                raise Unfit(f"Item {item.id}: {action['name']} may be answered with {', '.join(allowed)} alone, "
                            f"and {decision['type']} was decided.")  # fmt: skip
        return {"decisions": decisions} if self.batched else decisions[0]

    def _decisions(self, item: Item) -> list[dict[str, Any]]:
        try:
            decided = item.decided()
        except Rejected as error:
            if not all("reject" in allowed for allowed in self.allowed):
                raise
            return [_rejection(error.message or error.reason) for _ in self.actions]
        steps = decided.get("actions") if isinstance(decided, dict) else None
        if not isinstance(steps, list) or len(steps) != len(self.actions):
            raise Unfit(f"Item {item.id}: there must be a decision for each of the {len(self.actions)} actions.")
        return [_decision(step, action) for step, action in zip(steps, self.actions, strict=True)]


def _decision(step: Any, action: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(step, Mapping):
        raise Unfit(f"A decision is an object, not {step!r}.")
    decision, message = step.get("decision"), step.get("message")
    if message is not None and not isinstance(message, str):
        raise Unfit(f"A message is text, not {message!r}.")
    if decision == "reject":
        return _rejection(message)
    if decision == "respond":
        return {"type": "respond", "message": message or ""}
    if decision != "run":
        raise Unfit(f"A decision is run, reject or respond, not {decision!r}.")
    name, args = step.get("name"), step.get("args")
    if name == action["name"] and same(args, action["args"]):
        return {"type": "approve"}
    if not isinstance(name, str) or not isinstance(args, Mapping):
        raise Unfit("What is to run has the name of a tool, and args, which are an object.")
    return {"type": "edit", "edited_action": {"name": name, "args": args}}


def _rejection(message: str | None) -> dict[str, Any]:
    return {"type": "reject", "message": message} if message else {"type": "reject"}


def _allowed_by_schema(schema: Any) -> Sequence[str]:
    if not isinstance(schema, Mapping):
        return EVERY_DECISION
    mapping = (schema.get("discriminator") or {}).get("mapping")
    if mapping:
        return list(mapping)
    only = schema.get("properties", {}).get("type", {}).get("const")
    return EVERY_DECISION if only is None else [only]


def interrupts_of(result: Any) -> list[Any]:
    """The interrupts at which a run stands still: of what `invoke` returned, or of a state snapshot."""
    found = result.get("__interrupt__", ()) if isinstance(result, Mapping) else getattr(result, "interrupts", result)
    return list(found or ())


def review(client: Client, queue: str, result: Any, *, timeout: float | None = None, **more: Any) -> Any:
    """Have every interrupt of `result` (what `invoke` returned, or interrupts) reviewed; the `Command` to go on with.

    All items are there before the first is waited for. `timeout` is for each, None waits for ever, for room in a full
    queue, too; `more` is what else an item has, such as
    `model`, `risk` or `metadata`. Raises `WaitTimeout` (call it again later: the items are found again), `Unfit`, and
    `Rejected` where the graph takes no rejection.
    """
    requests = _requests(result)
    return _command(requests, client._run(review_all(_calls(queue, requests, timeout, more), client._policy)))


async def areview(
    client: AsyncClient, queue: str, result: Any, *, timeout: float | None = None,  # noqa: ASYNC109 - see `review`
    **more: Any,
) -> Any:  # fmt: skip
    """See `review`."""
    requests = _requests(result)
    return _command(requests, await client._run(review_all(_calls(queue, requests, timeout, more), client._policy)))


def _calls(
    queue: str, requests: Iterable[Request], timeout: float | None, more: Mapping[str, Any]
) -> list[tuple[GatedCall, Any]]:
    """Each with the output that its item has."""
    found = []
    for request in requests:
        item = request.item()
        output = item.pop("output")
        found.append((GatedCall.of(timeout, queue=queue, **item, **more), output))
    return found


def _requests(result: Any) -> list[Request]:
    found = [Request.of(each) for each in interrupts_of(result)]
    if not found:
        raise ValueError("The run has no interrupts: there is nothing to review.")
    return found


def _command(requests: Iterable[Request], items: Iterable[Item]) -> Any:
    answers = {request.interrupt_id: request.answer(item) for request, item in zip(requests, items, strict=True)}
    return import_module("langgraph.types").Command(resume=answers)
