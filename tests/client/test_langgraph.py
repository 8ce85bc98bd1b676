"""Interrupts of a graph become items, and decisions become what the graph is resumed with."""

from __future__ import annotations

from copy import deepcopy
from types import SimpleNamespace
from typing import Any

import pytest
from reviewqueue_client import Item, Rejected, Unfit, WaitTimeout
from reviewqueue_client.langgraph import Request, areview, interrupts_of, review

from tests.client import event_loops
from tests.client.queues import shipped
from tests.client.reviewers import reviewing
from tests.client.transports import item_json, resolution_json

ARGS = {"n": 1, "share": 1.0, "yes": True}
APPROVE: dict[str, Any] = {"verdict": "approve"}
REJECT = {"verdict": "reject", "reason": "other", "comment": "no", "message": "Ask first."}


@pytest.fixture
def queue(cast, transaction) -> str:
    return shipped(transaction, "client/examples/tool-calls.yaml")


def interrupt(number: int = 1, *, names: tuple[str, ...] = ("send", "delete"), allowed: Any = None) -> Any:
    every = ["approve", "edit", "reject", "respond"]
    value = {
        "action_requests": [{"name": name, "args": dict(ARGS), "description": "d"} for name in names],
        "review_configs": [{"action_name": name, "allowed_decisions": allowed or every} for name in names],
    }  # fmt: skip
    return SimpleNamespace(id=f"interrupt-{number}", value=value)


def changed(place: int, **changes: Any) -> Any:
    def decide(piece: Any) -> dict[str, Any]:
        output = deepcopy(piece["item"]["output"])
        output["actions"][place].update(changes)
        return {"output": output}

    return decide


def answers(rq, app, cast, queue, interrupts, *decisions) -> Any:
    pytest.importorskip("langgraph")
    with reviewing(app, cast.alice, *decisions, queue=queue):
        return review(rq, queue, interrupts, timeout=60).resume


def ended(rq, app, cast, queue, found, *decisions) -> Any:
    """The answers without the library."""
    requests = [Request.of(each) for each in found]
    items = [rq.submit(queue, **request.item()) for request in requests]
    with reviewing(app, cast.alice, *decisions, queue=queue):
        waited = [rq.wait(each.id, 20) for each in items]
    return {request.interrupt_id: request.answer(item) for request, item in zip(requests, waited, strict=True)}


def test_approval_of_all(rq, app, cast, queue):
    found = ended(rq, app, cast, queue, [interrupt()], APPROVE)
    assert found == {"interrupt-1": {"decisions": [{"type": "approve"}, {"type": "approve"}]}}


def test_an_edit_keeps_the_types_and_the_other_actions(rq, app, cast, queue):
    found = ended(rq, app, cast, queue, [interrupt()], changed(1, args={"n": 2, "share": 2.0, "yes": False}))
    approve, edit = found["interrupt-1"]["decisions"]
    assert approve == {"type": "approve"}
    assert edit == {"type": "edit", "edited_action": {"name": "delete", "args": {"n": 2, "share": 2.0, "yes": False}}}
    assert [type(value) for value in edit["edited_action"]["args"].values()] == [int, float, bool]


def test_one_action_is_rejected_and_another_answered(rq, app, cast, queue):
    def decide(piece: Any) -> dict[str, Any]:
        output = deepcopy(piece["item"]["output"])
        output["actions"][0].update(decision="reject", message="No.")
        output["actions"][1].update(decision="respond", message="It is blue.")
        return {"output": output}

    found = ended(rq, app, cast, queue, [interrupt()], decide)
    assert found["interrupt-1"]["decisions"] == [
        {"type": "reject", "message": "No."}, {"type": "respond", "message": "It is blue."},
    ]  # fmt: skip


def test_a_rejection_of_the_item_rejects_all_its_actions(rq, app, cast, queue):
    found = ended(rq, app, cast, queue, [interrupt()], REJECT)
    assert found["interrupt-1"]["decisions"] == [{"type": "reject", "message": "Ask first."}] * 2


def test_what_the_graph_does_not_take_is_not_given_to_it(rq, app, cast, queue):
    with pytest.raises(Rejected):
        ended(rq, app, cast, queue, [interrupt(1, allowed=["approve", "edit"])], REJECT)
    with pytest.raises(Unfit, match="approve, reject alone, and edit"):
        ended(rq, app, cast, queue, [interrupt(2, allowed=["approve", "reject"])], changed(0, args={}))

    def fewer(piece: Any) -> dict[str, Any]:
        return {"output": {"actions": piece["item"]["output"]["actions"][:1]}}

    with pytest.raises(Unfit, match="each of the 2"):
        ended(rq, app, cast, queue, [interrupt(3)], fewer)


def test_an_answer_never_reaches_another_interrupt(rq, queue):
    one, other, same_id = interrupt(1), interrupt(2), interrupt(1, names=("send",))
    items = [rq.submit(queue, **Request.of(each).item()) for each in (one, other, same_id)]
    assert len({each.id for each in items}) == 3
    assert rq.submit(queue, **Request.of(one).item()).id == items[0].id, "the same interrupt is the same item"
    with pytest.raises(Unfit, match="not that of interrupt"):
        Request.of(other).answer(items[0])


def test_a_run_finds_its_items_again_though_they_are_described_otherwise(rq, app, cast, queue):
    pytest.importorskip("langgraph")
    with pytest.raises(WaitTimeout):
        review(rq, queue, [interrupt()], timeout=0, model_version="1")
    with reviewing(app, cast.alice, lambda _: APPROVE, queue=queue):
        found = review(rq, queue, [interrupt()], timeout=60, model_version="2").resume
    assert [each["type"] for each in found["interrupt-1"]["decisions"]] == ["approve", "approve"]
    assert len(list(rq.items(queue=queue))) == 1


@pytest.mark.parametrize(
    "step", [{}, "x", None, {"decision": "run"}, {"decision": "stop"}, {"decision": "run", "name": 5, "args": {}},
             {"decision": "run", "name": "send", "args": [1]}, {"decision": "reject", "message": 5}],
    ids=str,
)  # fmt: skip
def test_a_decision_that_is_none_never_reaches_the_graph(step):
    request = Request.of(interrupt(names=("send",)))
    asked = request.item()
    resolution = resolution_json("override", {"actions": [step]})
    found = item_json(**asked, state="resolved", resolution=resolution)
    with pytest.raises(Unfit):
        request.answer(Item.of(found))


def test_another_kind_of_interrupt_is_said_to_be_one():
    with pytest.raises(Unfit, match="HumanInTheLoopMiddleware"):
        Request.of(SimpleNamespace(id="x", value="Are you sure?"))
    with pytest.raises(ValueError, match="no interrupts"):
        review(None, "q", {"messages": []})  # type: ignore[arg-type]


# -- with the library -------------------------------------------------------------------------------------------------


def build(mode: str, calls: list[tuple[str, dict[str, Any]]], done: list[Any]) -> Any:
    """An agent whose model makes `calls` in one turn, then says that it is done."""
    pytest.importorskip("langchain.agents.middleware")
    from langchain.agents import create_agent
    from langchain.agents.middleware import HumanInTheLoopMiddleware
    from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
    from langchain_core.messages import AIMessage
    from langgraph.checkpoint.memory import InMemorySaver

    class Model(GenericFakeChatModel):
        def bind_tools(self, tools: Any, **more: Any) -> Any:
            return self

    def send(to: str, copies: int, share: float = 0.5) -> str:
        """Send it."""
        done.append(("send", to, copies, share))
        return "sent"

    def delete(path: str) -> str:
        """Delete it."""
        done.append(("delete", path))
        return "deleted"

    turn = AIMessage("", tool_calls=[{"name": n, "args": a, "id": f"c{i}"} for i, (n, a) in enumerate(calls)])
    model = Model(messages=iter([turn, AIMessage("done")]))
    middleware = HumanInTheLoopMiddleware(interrupt_on={"send": True, "delete": True}, interrupt_mode=mode)  # type: ignore[call-arg]
    return create_agent(model, [send, delete], middleware=[middleware], checkpointer=InMemorySaver())


CALLS = [("send", {"to": "a@example.com", "copies": 1}), ("delete", {"path": "/tmp/x"})]
ASK = {"messages": [{"role": "user", "content": "Go on."}]}


@pytest.mark.filterwarnings("default")
def test_an_agent_is_resumed_with_an_edit_and_a_rejection(rq, app, cast, queue):
    done: list[Any] = []
    agent = build("batched", CALLS, done)
    config = {"configurable": {"thread_id": "1"}}
    result = agent.invoke(ASK, config)
    assert len(interrupts_of(result)) == 1

    def decide(piece: Any) -> dict[str, Any]:
        output = deepcopy(piece["item"]["output"])
        output["actions"][0]["args"]["copies"] = 3
        output["actions"][1].update(decision="reject", message="Keep it.")
        return {"output": output}

    with pytest.raises(WaitTimeout):
        review(rq, queue, result, timeout=0)
    with reviewing(app, cast.alice, decide, queue=queue):
        result = agent.invoke(review(rq, queue, result, timeout=60), config)
    assert done == [("send", "a@example.com", 3, 0.5)]
    assert type(done[0][2]) is int
    assert any("Keep it." in str(message.content) for message in result["messages"])
    assert len(list(rq.items(queue=queue))) == 1


@pytest.mark.filterwarnings("default")
def test_several_interrupts_of_one_turn_each_get_their_own_answer(rq, arq, app, cast, queue):
    done: list[Any] = []
    agent = build("per_call", CALLS, done)
    config = {"configurable": {"thread_id": "1"}}
    result = agent.invoke(ASK, config)
    assert len(interrupts_of(result)) == 2

    def decide(piece: Any) -> dict[str, Any]:
        if piece["item"]["input"]["name"] == "delete":
            return REJECT
        return changed(0, args={"to": "b@example.com", "copies": 2, "share": 1.0})(piece)

    with reviewing(app, cast.alice, decide, decide, queue=queue):
        command = event_loops.run(areview(arq, queue, result, timeout=60))
    assert len(command.resume) == 2
    agent.invoke(command, config)
    assert done == [("send", "b@example.com", 2, 1.0)]


def test_the_command_is_the_librarys(rq, app, cast, queue):
    found = answers(rq, app, cast, queue, [interrupt(1), interrupt(2, names=("send",))], APPROVE, APPROVE)
    assert {name: len(value["decisions"]) for name, value in found.items()} == {"interrupt-1": 2, "interrupt-2": 1}
