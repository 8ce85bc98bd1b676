"""`gate`: what is read before the function runs, calls that are found again, waiting beside an event loop."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable
from datetime import date
from enum import Enum
from typing import Any

import httpx2
import pytest
from reviewqueue_client import (
    Client,
    Conflict,
    Misconfigured,
    NotFound,
    NotJson,
    QueueFull,
    Rejected,
    Unfit,
    WaitTimeout,
    gate,
)

from tests.client import event_loops
from tests.client.conftest import URL
from tests.client.reviewers import reviewing
from tests.client.transports import Scripted, answered, body_of, item_json, problem, resolution_json

REJECT = {"verdict": "reject", "reason": "other", "comment": "no"}
LABEL = {"label": "lost_card"}


def passed(request: httpx2.Request) -> httpx2.Response:
    """Takes what was sent as it is."""
    sent = body_of(request)
    return answered(**sent, state="auto_approved", resolution=resolution_json("approve", sent["output"]))


def listed(*found: dict[str, Any]) -> httpx2.Response:
    return httpx2.Response(200, json={"items": list(found), "cursor": None})


# -- before the function runs -----------------------------------------------------------------------------------------


def test_the_input_is_what_the_function_was_called_with(acted):
    found = acted(Scripted(listed(), passed))

    @gate(queue="q", client=found.client, external_id=lambda args: args["id"])
    def answer(args: dict[str, str]) -> int:
        args.clear()
        return 1

    answer({"id": "7"})
    sent = body_of(found.transport.seen[1])
    assert (sent["input"], sent["external_id"]) == ({"args": {"id": "7"}}, "7")


def test_what_cannot_be_sent_is_told_before_the_function_runs(acted):
    ran: list[str] = []

    def answer(what: Any) -> str:
        ran.append("answer")
        return "x"

    async def later(what: Any) -> str:
        ran.append("later")
        return "x"

    found = acted(Scripted())
    with pytest.raises(NotJson, match="/input/what"):
        gate(queue="q", client=found.client)(answer)(object())
    with pytest.raises(NotJson, match="/metadata"):
        gate(queue="q", client=found.client, metadata={"x": object()})(answer)(1)
    with pytest.raises(NotJson, match="/input/what"):
        event_loops.run(gate(queue="q", client=found.client)(later)(object()))
    with pytest.raises(TypeError, match="modle"):
        gate(queue="q", client=found.client, modle="x")
    with pytest.raises(Misconfigured, match="REVIEWQUEUE_URL"):
        gate(queue="q")(answer)(1)
    assert ran == []


def test_arguments_that_change_while_people_decide_run_as_they_were_reviewed(acted):
    to = ["Anna"]

    def meanwhile(request: httpx2.Request) -> httpx2.Response:
        to[0] = "Mallory"
        return passed(request)

    found = acted(Scripted(meanwhile))
    assert gate(queue="q", client=found.client, of="arguments")(lambda to: to)(to) == ["Anna"]


# -- found again ------------------------------------------------------------------------------------------------------


def test_the_same_call_after_a_restart_waits_for_its_item_and_does_not_run_again(rq, app, cast):
    answers = iter([LABEL, {"label": "refund"}])
    ran: list[str] = []

    @gate(queue="intents", client=rq, timeout=0, external_id=lambda text: f"call-{text}")
    def classify(text: str) -> dict[str, str]:
        ran.append(text)
        return next(answers)

    for _ in range(2):
        with pytest.raises(WaitTimeout):
            classify("1")
    with reviewing(app, cast.alice, {"verdict": "approve"}):
        pass
    assert classify("1") == LABEL, "what was reviewed, whatever the model would say now"
    assert ran == ["1"]


def test_an_async_call_is_found_again_too(arq, rq, app, cast):
    rq.submit("intents", {"text": "1"}, LABEL, external_id="call-1")

    @gate(queue="intents", client=arq, external_id=lambda text: f"call-{text}", on_reject=lambda error: error.reason)
    async def classify(text: str) -> dict[str, str]:
        raise AssertionError("must not run")

    with reviewing(app, cast.alice, REJECT):
        assert event_loops.run(classify("1")) == "other"


def test_another_call_with_the_same_external_id_is_refused_before_it_runs(rq):
    ran: list[str] = []

    @gate(queue="intents", client=rq, timeout=0, external_id=lambda text: "one")
    def classify(text: str) -> dict[str, str]:
        ran.append(text)
        return LABEL

    with pytest.raises(WaitTimeout):
        classify("1")
    with pytest.raises(Conflict, match="another input"):
        classify("2")
    assert ran == ["1"]


def test_a_queue_that_is_not_there_is_told_before_the_function_runs(rq):
    with pytest.raises(NotFound):
        gate(queue="nowhere", client=rq, external_id=lambda: "1")(lambda: pytest.fail("must not run"))()


def test_a_twin_that_was_quicker_is_waited_for(acted):
    theirs = item_json(input={}, output=1, state="resolved", resolution=resolution_json("approve", 1))
    found = acted(Scripted(listed(), problem(409, "external_id_taken"), listed(theirs)))
    assert gate(queue="q", client=found.client, external_id=lambda: "e")(lambda: 2)() == 1
    assert found.transport.seen[2].url.params["external_id"] == "e"
    found = acted(Scripted(listed(), problem(409, "external_id_taken"), listed()))
    with pytest.raises(Conflict):
        gate(queue="q", client=found.client, external_id=lambda: "e")(lambda: 2)()
    found = acted(Scripted(listed(), problem(409, "intake_closed")))
    with pytest.raises(Conflict, match="intake_closed"):
        gate(queue="q", client=found.client, external_id=lambda: "e")(lambda: 2)()


def test_arguments_that_nobody_reviewed_do_not_run_under_an_external_id(acted):
    def gated(*scenes: Any) -> Any:
        return gate(queue="q", client=acted(Scripted(*scenes)).client, of="arguments", external_id=lambda n: "e")

    ended = {"state": "resolved", "resolution": resolution_json("approve", {"n": 1})}
    theirs = item_json(input={"n": 1}, output={"n": 1}, **ended)
    taken = problem(409, "external_id_taken")
    assert gated(taken, listed(theirs))(lambda n: n)(1) == 1, "the same arguments under, say, another model_version"
    with pytest.raises(Conflict):
        gated(taken, listed({**theirs, "output": {"n": 2}}))(lambda n: pytest.fail("must not run"))(1)


# -- models -----------------------------------------------------------------------------------------------------------

pydantic = pytest.importorskip("pydantic")


class Reply(pydantic.BaseModel):
    kind: str = pydantic.Field(alias="theKind")


def corrected(to: Any) -> Any:
    def answer(request: httpx2.Request) -> httpx2.Response:
        assert body_of(request)["output"] in ({"theKind": "old"}, {"reply": {"theKind": "old"}})
        return answered(**body_of(request), state="resolved", resolution=resolution_json("edit", to))

    return answer


def test_models_with_aliases_come_back_as_models(acted):
    found = acted(Scripted(corrected({"theKind": "new"}), corrected({"reply": {"theKind": "new"}})))
    assert gate(queue="q", client=found.client)(lambda: Reply(theKind="old"))() == Reply(theKind="new")
    shown = gate(queue="q", client=found.client, of="arguments")(lambda reply: reply)
    assert shown(Reply(theKind="old")) == Reply(theKind="new")


class Due(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(strict=True)
    day: date
    labels: tuple[str, ...]


class Kind(str, Enum):  # noqa: UP042 - whose `str()` is not its text
    CARD = "card"


def test_a_correction_of_a_strict_model_is_that_model(acted):
    def decided(request: httpx2.Request) -> httpx2.Response:
        output = {**body_of(request)["output"], "day": "2026-12-01"}
        return answered(**body_of(request), state="resolved", resolution=resolution_json("edit", output))

    due = Due(day=date(2026, 11, 30), labels=("a",))
    gated = gate(queue="q", client=acted(Scripted(decided)).client)(lambda: due)
    assert gated() == Due(day=date(2026, 12, 1), labels=("a",))


def test_keys_that_are_members_of_an_enumeration_keep_their_text(acted):
    def passed(request: httpx2.Request) -> httpx2.Response:
        assert body_of(request)["output"] == {"card": "card"}
        return answered(**body_of(request), state="auto_approved", resolution=resolution_json(output={"card": "card"}))

    found = {Kind.CARD: Kind.CARD}
    assert gate(queue="q", client=acted(Scripted(passed)).client)(lambda: found)() is found


def test_a_correction_that_is_no_such_model_is_unfit(acted):
    found = acted(Scripted(corrected({"kind": 5})))
    with pytest.raises(Unfit, match="Reply"):
        gate(queue="q", client=found.client)(lambda: Reply(theKind="old"))()


def test_a_model_that_is_found_again_is_made_as_the_annotation_says(acted):
    def reply() -> Reply:
        raise AssertionError("must not run")

    theirs = item_json(input={}, state="resolved", resolution=resolution_json("approve", {"theKind": "old"}))
    found = acted(Scripted(*[listed(theirs)] * 3))
    assert gate(queue="q", client=found.client, external_id=lambda: "e")(reply)() == Reply(theKind="old")
    shown = gate(queue="q", client=found.client, external_id=lambda: "e", load=lambda value: ("loaded", value))
    assert shown(reply)() == ("loaded", {"theKind": "old"})
    reply.__annotations__["return"] = "Unknown"
    assert gate(queue="q", client=found.client, external_id=lambda: "e")(reply)() == {"theKind": "old"}


# -- a Client under asyncio -------------------------------------------------------------------------------------------


class Patient(httpx2.BaseTransport):
    """A server where nobody decides until `over`: it keeps a request for as long as it may."""

    def __init__(self) -> None:
        self.over = threading.Event()
        self.asked: Callable[[], object] = bool

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        if request.method == "GET":
            self.asked()
            self.over.wait(float(request.url.params["wait"]))
        return answered(state="expired", resolution=resolution_json(None)) if self.over.is_set() else answered()


def test_a_client_that_waits_for_people_leaves_the_threads_of_the_loop_alone():
    transport = Patient()

    async def classify(text: str) -> str:
        return text

    async def work(client: Client) -> None:
        loop, asked = asyncio.get_running_loop(), asyncio.Event()
        transport.asked = lambda: loop.call_soon_threadsafe(asked.set)
        gated = gate(queue="q", client=client)(classify)
        waiting = [asyncio.create_task(gated(str(number))) for number in range(40)]
        async with asyncio.timeout(10):
            await asked.wait()
            await loop.getaddrinfo("127.0.0.1", 80, type=socket.SOCK_STREAM)
            for each in waiting:
                each.cancel()
            ends = await asyncio.gather(*waiting, return_exceptions=True)
        assert all(isinstance(end, asyncio.CancelledError) for end in ends)

    late = threading.Timer(12, transport.over.set)
    late.start()
    with Client(URL, "rq_a.b", transport=transport) as client:
        event_loops.run(work(client))
    assert not transport.over.is_set(), "the loop ended while nobody had decided"
    late.cancel()


def test_a_client_beside_a_loop_gives_up_after_its_time(rq):
    @gate(queue="intents", client=rq, timeout=0.3)
    async def classify(text: str) -> dict[str, str]:
        return LABEL

    with pytest.raises(WaitTimeout):
        event_loops.run(classify("1"))


# -- a full queue -----------------------------------------------------------------------------------------------------


def full(seconds: int = 60) -> httpx2.Response:
    return problem(429, "queue_full", Retry_After=str(seconds))


def test_a_gate_waits_for_room_as_it_waits_for_people(acted):
    found = acted(Scripted(*[full()] * 30, passed))
    assert gate(queue="q", client=found.client)(lambda: 2)() == 2
    assert min(found.pauses) >= 60
    assert len(found.pauses) == 30


def test_a_gate_with_a_time_out_does_not_outstay_it(acted):
    found = acted(Scripted(full()))
    with pytest.raises(QueueFull):
        gate(queue="q", client=found.client, timeout=30)(lambda: 2)()
    assert found.pauses == []


def test_a_duplicate_is_decided_at_once(acted):
    ended = answered(state="resolved", duplicate_of="01a0", resolution=resolution_json("edit", 3, by="duplicate"))
    assert gate(queue="q", client=acted(Scripted(ended)).client)(lambda: 2)() == 3
    ended = answered(state="resolved", duplicate_of="01a0", resolution=resolution_json("reject", None, by="duplicate"))
    with pytest.raises(Rejected):
        gate(queue="q", client=acted(Scripted(ended)).client)(lambda: 2)()
