"""Tool calls that need approval become items, and decisions approve or reject them in the run's state."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from reviewqueue_client import Unfit
from reviewqueue_client.openai_agents import areview, review

from tests.client import event_loops
from tests.client.queues import shipped
from tests.client.reviewers import reviewing

APPROVE: dict[str, Any] = {"verdict": "approve"}
REJECT = {"verdict": "reject", "reason": "other", "comment": "no", "message": "Not without the manager."}


@pytest.fixture
def queue(cast, transaction) -> str:
    return shipped(transaction, "client/examples/agent-calls.yaml")


class State:
    """What the adapter uses of a run's state."""

    def __init__(self) -> None:
        self.said: list[Any] = []

    def approve(self, call: Any) -> None:
        self.said.append((call.name, None))

    def reject(self, call: Any, *, rejection_message: str) -> None:
        self.said.append((call.name, rejection_message))


def stopped(*calls: tuple[str, str | None]) -> Any:
    agent = SimpleNamespace(name="Support")
    found = [
        SimpleNamespace(name=name, arguments=arguments, agent=agent, raw_item=SimpleNamespace(call_id=f"call_{place}"))
        for place, (name, arguments) in enumerate(calls)
    ]
    return SimpleNamespace(interruptions=found, to_state=State)


def test_calls_are_approved_rejected_and_corrected(rq, app, cast, queue):
    run = stopped(("cancel", '{"order": 7}'), ("refund", '{"amount": 10, "share": 1.0}'), ("notify", "not json"))

    def decide(piece: Any) -> dict[str, Any]:
        assert piece["item"]["input"]["agent"] == "Support"
        return {
            "cancel": APPROVE, "notify": REJECT,
            "refund": {"output": {"tool": "refund", "arguments": {"amount": 5, "share": 1.0}}, "message": "Half."},
        }[piece["item"]["output"]["tool"]]  # fmt: skip

    with reviewing(app, cast.alice, decide, decide, decide, queue=queue):
        cancel, refund, notify = review(rq, queue, run, timeout=60).said
    assert cancel == ("cancel", None)
    asked = json.loads(refund[1].split(": ", 1)[1].removesuffix(" Half."))
    assert asked == {"tool": "refund", "arguments": {"amount": 5, "share": 1.0}}
    assert type(asked["arguments"]["share"]) is float
    assert refund[1].endswith(" Half.")
    assert notify == ("notify", "Not without the manager.")


def test_a_run_with_a_name_finds_its_items_again_and_one_without_never_does(rq, queue):
    run = stopped(("cancel", '{"order": 7}'))
    for _ in range(2):
        with pytest.raises(TimeoutError):
            review(rq, queue, run, run="chat-81", timeout=0)
    assert len(list(rq.items(queue=queue))) == 1
    for _ in range(2):
        with pytest.raises(TimeoutError):
            review(rq, queue, run, timeout=0)
    assert len(list(rq.items(queue=queue))) == 3


def test_a_run_finds_its_items_again_though_they_are_described_otherwise(rq, app, cast, queue):
    run = stopped(("cancel", '{"order": 7}'))
    with pytest.raises(TimeoutError):
        review(rq, queue, run, run="chat-81", timeout=0, model_version="1", metadata={"at": "noon"})
    with reviewing(app, cast.alice, lambda _: APPROVE, queue=queue):
        said = review(rq, queue, run, run="chat-81", timeout=60, model_version="2", metadata={"at": "one"}).said
    assert said == [("cancel", None)]
    assert len(list(rq.items(queue=queue))) == 1


@pytest.mark.parametrize(
    "text", ["not json", '{"share": NaN}', '"\\ud83d"', '"\\u0000"', "[" * 90 + "]" * 90, "[" * 100_000]
)
def test_arguments_that_are_not_quite_json_stay_text(rq, queue, text):
    with pytest.raises(TimeoutError):
        review(rq, queue, stopped(("notify", text)), timeout=0)
    (found,) = rq.items(queue=queue)
    assert rq.get(found.id).input["arguments"] == text


def test_a_call_that_says_nothing_or_has_no_name_to_be_found_by_is_not_shown_to_anybody(rq, queue):
    with pytest.raises(Unfit, match="does not say what it would do"):
        review(rq, queue, stopped(("mystery", None)))
    nameless = stopped(("pay", "{}"))
    nameless.interruptions[0].raw_item.call_id = None
    with pytest.raises(Unfit, match="has no id"):
        review(rq, queue, nameless, run="chat-81")
    assert list(rq.items(queue=queue)) == []


@pytest.mark.filterwarnings("default")
def test_what_a_shell_would_run_and_a_hosted_tool_would_do_is_shown_and_asked_each_time(rq, queue):
    agents = pytest.importorskip("agents")
    from agents.items import ToolApprovalItem
    from openai.types.responses import ResponseApplyPatchToolCall, ResponseFunctionShellToolCall
    from openai.types.responses.response_output_item import McpApprovalRequest

    agent = agents.Agent(name="Support")
    shell = {
        "id": "s",
        "call_id": "c1",
        "type": "shell_call",
        "status": "completed",
        "action": {"commands": ["rm -rf /"]},
    }
    patch = {
        "id": "p", "call_id": "c2", "type": "apply_patch_call", "status": "completed",
        "operation": {"type": "delete_file", "path": "a.py"},
    }  # fmt: skip
    asked = {"name": "pay", "arguments": '{"amount": 100}', "server_label": "bank", "type": "mcp_approval_request"}
    raws = [
        ResponseFunctionShellToolCall.model_validate(shell), shell, ResponseApplyPatchToolCall.model_validate(patch),
        *(McpApprovalRequest.model_validate({**asked, "id": name}) for name in ("m1", "m2")),
    ]  # fmt: skip
    names = ["shell", "shell", "apply_patch", "pay", "pay"]
    calls = [ToolApprovalItem(agent, raw, name) for raw, name in zip(raws, names, strict=True)]
    with pytest.raises(TimeoutError):
        review(rq, queue, SimpleNamespace(interruptions=calls, to_state=State), run="chat-81", timeout=0)
    found = [rq.get(each.id).input for each in rq.items(queue=queue)][::-1]
    assert [each["arguments"] for each in found] == [
        {"action": {"commands": ["rm -rf /"]}}, {"operation": {"type": "delete_file", "path": "a.py"}},
        {"amount": 100}, {"amount": 100},
    ]  # fmt: skip
    assert [each.get("server_label") for each in found] == [None, None, "bank", "bank"]


@pytest.mark.filterwarnings("default")
def test_an_agent_of_the_library_goes_on_with_what_was_decided(arq, app, cast, queue):
    agents = pytest.importorskip("agents")
    from agents.items import ModelResponse
    from agents.models.interface import Model
    from agents.usage import Usage
    from openai.types.responses import ResponseFunctionToolCall, ResponseOutputMessage, ResponseOutputText

    agents.set_tracing_disabled(True)
    done: list[Any] = []
    heard: list[Any] = []

    @agents.function_tool(needs_approval=True)
    def cancel(order: int) -> str:
        done.append(order)
        return "cancelled"

    def call(order: int) -> Any:
        return ResponseFunctionToolCall(
            arguments=json.dumps({"order": order}), call_id=f"call_{order}", name="cancel", type="function_call"
        )

    text = ResponseOutputText(text="done", type="output_text", annotations=[])
    last = ResponseOutputMessage(id="m", content=[text], role="assistant", status="completed", type="message")

    class Fake(Model):
        turns = iter([[call(7), call(8)], [last]])

        async def get_response(self, *args: Any, **more: Any) -> Any:
            heard.append(args[1] if len(args) > 1 else more["input"])
            return ModelResponse(output=next(self.turns), usage=Usage(), response_id=None)

        async def stream_response(self, *args: Any, **more: Any) -> Any:
            raise AssertionError("not streamed")
            yield

    agent = agents.Agent(name="Support", model=Fake(), tools=[cancel])

    def decide(piece: Any) -> dict[str, Any]:
        return APPROVE if piece["item"]["input"]["arguments"] == {"order": 7} else REJECT

    async def work() -> Any:
        result = await agents.Runner.run(agent, "Cancel orders 7 and 8.")
        assert len(result.interruptions) == 2
        state = await areview(arq, queue, result, run="chat-81", timeout=60)
        return await agents.Runner.run(agent, state)

    with reviewing(app, cast.alice, decide, decide, queue=queue):
        result = event_loops.run(work())
    assert done == [7]
    assert result.final_output == "done"
    assert "Not without the manager." in str(heard[-1])
