"""`gate`: approved, corrected, rejected; results and arguments; plain and async functions."""

from __future__ import annotations

import asyncio
import inspect
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import httpx2
import pytest
from reviewqueue_client import AsyncClient, Client, Forbidden, NotJson, Rejected, Unfit, WaitTimeout, gate
from reviewqueue_client.gating import Gate

from reviewqueue.accounts import tokens
from reviewqueue.queues.applying import apply
from tests.client import event_loops
from tests.client.reviewers import reviewing
from tests.client.test_client import stored
from tests.client.transports import Async, Scripted, answered, body_of, resolution_json
from tests.fixtures.people import OPERATOR

APPROVE: dict[str, Any] = {"verdict": "approve"}
REJECT = {"verdict": "reject", "reason": "other", "comment": "no", "message": "Not this one."}
ANYTHING = {
    "name": "anything", "output_schema": {"type": "object"}, "view": {"type": "json"},
    "routing": {"rules": [{"when": "confidence >= 0.9", "action": "auto_approve", "title": "Sure"}]},
}  # fmt: skip


@pytest.fixture
def anything(cast, transaction):
    """A queue for objects of any kind, with Alice."""
    from reviewqueue.accounts import memberships
    from reviewqueue.models.states import QueueRole

    with transaction() as session:
        apply(session=session, actor=OPERATOR, document=ANYTHING)
        memberships.add(
            session=session, actor=OPERATOR, slug="anything", email="alice@example.com", role=QueueRole.REVIEWER
        )
    return "anything"


def test_what_is_approved_is_the_original_object(rq, app, cast):
    made = []

    @gate(queue="intents", client=rq, confidence=lambda result: 0.3)
    def classify(text: str) -> dict[str, str]:
        """Says what a customer wants."""
        made.append({"label": "lost_card"})
        return made[-1]

    with reviewing(app, cast.alice, APPROVE) as seen:
        assert classify("Where is my card?") is made[0]
    assert seen[0]["item"]["input"] == {"text": "Where is my card?"}
    assert (classify.__name__, classify.__doc__) == ("classify", "Says what a customer wants.")
    assert list(inspect.signature(classify).parameters) == ["text"]


@pytest.mark.parametrize("confidence", [0.3, 0.95])
def test_a_token_that_may_not_read_is_refused_before_anybody_works_for_it(connected, transaction, app, confidence):
    with transaction() as session:
        writer = tokens.create_service(session=session, actor=OPERATOR, name="writer", scopes=["items:write"])
    rq = connected(token=writer.secret)

    @gate(queue="intents", client=rq, confidence=confidence, timeout=5)
    def classify(text: str) -> dict[str, str]:
        return {"label": "refund"}

    with pytest.raises(Forbidden, match="items:read"):
        classify("Money back")
    assert stored(app) == 0
    assert rq.submit("intents", {"text": "x"}, {"label": "refund"}).state == "queued"
    with pytest.raises(Forbidden, match="items:read"):
        rq.submit("intents", {"text": "y"}, {"label": "refund"}, waits=True)
    assert stored(app) == 1


def test_what_passes_by_the_rules_needs_nobody(rq):
    @gate(queue="intents", client=rq, confidence=0.95, model="intents", model_version="7")
    def classify(text: str) -> dict[str, str]:
        return {"label": "refund"}

    assert classify("Money back") == {"label": "refund"}
    assert next(rq.items()).raw["model_version"] == "7"


def test_a_correction_takes_the_place_of_the_result(rq, app, cast):
    @gate(queue="intents", client=rq)
    def classify(text: str) -> dict[str, str]:
        return {"label": "lost_card"}

    with reviewing(app, cast.alice, {"output": {"label": "refund"}}):
        assert classify("Where is my card?") == {"label": "refund"}


def test_a_rejection_is_raised_or_answered(rq, app, cast):
    def classify(text: str) -> dict[str, str]:
        return {"label": "lost_card"}

    with reviewing(app, cast.alice, REJECT, REJECT):
        with pytest.raises(Rejected) as caught:
            gate(queue="intents", client=rq)(classify)("1")
        assert (caught.value.reason, caught.value.message) == ("other", "Not this one.")
        instead = gate(queue="intents", client=rq, on_reject=lambda error: error.message)(classify)
        assert instead("2") == "Not this one."


def test_arguments_are_decided_before_the_function_runs(rq, app, cast, anything):
    calls = []
    options = [1.0, {"deep": [True, None]}]

    @gate(queue="anything", of="arguments", client=rq)
    def transfer(amount: float, *rest: Any, to: str = "nobody", **more: Any) -> str:
        calls.append((amount, rest, to, more))
        return "done"

    def correct(piece: Any) -> dict[str, Any]:
        assert piece["item"]["output"] == {"amount": 10, "rest": [options, "x"], "to": "nobody", "more": {"note": "n"}}
        return {"output": {**piece["item"]["output"], "amount": 7.5, "to": "Anna"}}

    with reviewing(app, cast.alice, correct, REJECT, APPROVE, queue="anything"):
        assert transfer(10, options, "x", note="n") == "done"
        assert calls == [(7.5, (options, "x"), "Anna", {"note": "n"})]
        assert calls[0][1][0] is options, "what was not changed is the object that was given"
        with pytest.raises(Rejected):
            transfer(1)
        assert len(calls) == 1, "a rejected call does not run"
        assert transfer(2, to="Ben") == "done"
    assert calls[1] == (2, (), "Ben", {})


def test_numbers_keep_their_type(rq, app, cast, anything):
    @gate(queue="anything", client=rq)
    def count(text: str) -> dict[str, Any]:
        return {"n": 1, "share": 1.0, "yes": True, "none": None, "big": 2**60}

    def correct(piece: Any) -> dict[str, Any]:
        return {"output": {**piece["item"]["output"], "n": 2, "share": 2.0, "text": "1"}}

    with reviewing(app, cast.alice, correct, queue="anything"):
        found = count("x")
    assert found == {"n": 2, "share": 2.0, "yes": True, "none": None, "big": 2**60, "text": "1"}
    assert [type(found[name]) for name in ("n", "share", "yes", "text")] == [int, float, bool, str]


def test_an_argument_changed_from_1_to_1_point_0_is_changed(acted):
    ended = answered(state="resolved", resolution=resolution_json("edit", {"n": 1.0, "yes": 1}))
    found = acted(Scripted(ended))

    @gate(queue="q", client=found.client, of="arguments")
    def show(n: Any, yes: Any) -> Any:
        return [type(n), type(yes)]

    assert show(1, True) == [float, int]


def test_a_method_is_gated_without_its_object(rq, app, cast, anything):
    class Shop:
        @gate(queue="anything", client=rq, of="arguments", confidence=lambda given: given["amount"])
        def refund(self, amount: float) -> float:
            assert isinstance(self, Shop)
            return amount

    with reviewing(app, cast.alice, {"output": {"amount": 3}}, queue="anything") as seen:
        assert Shop().refund(0.25) == 3
    assert seen[0]["item"]["input"] == {"amount": 0.25}
    assert seen[0]["item"]["confidence"] == 0.25


@dataclass
class Guess:
    label: str


def test_dataclasses_and_models_are_reviewed_as_objects(rq, app, cast):
    pydantic = pytest.importorskip("pydantic")

    class Model(pydantic.BaseModel):
        label: str

    plain = gate(queue="intents", client=rq, load=lambda value: Guess(**value))(lambda text: Guess("lost_card"))
    model = gate(queue="intents", client=rq)(lambda text: Model(label="lost_card"))
    with reviewing(app, cast.alice, {"output": {"label": "refund"}}, {"output": {"label": "refund"}}):
        assert plain("1") == Guess("refund")
        assert model("2") == Model(label="refund")


def test_what_is_not_json_is_told_before_anybody_waits(rq):
    with pytest.raises(NotJson, match="/text"):
        gate(queue="intents", client=rq)(lambda text: {"label": "refund"})(object())
    shown = gate(queue="intents", client=rq, input=lambda text: {"text": str(text)}, confidence=0.9)
    assert shown(lambda text: {"label": "refund"})(12) == {"label": "refund"}


def test_time_runs_out_and_the_item_stays(rq):
    @gate(queue="intents", client=rq, timeout=0.3, external_id=lambda text: f"call-{text}")
    def classify(text: str) -> dict[str, str]:
        return {"label": "lost_card"}

    with pytest.raises(WaitTimeout) as caught:
        classify("1")
    with pytest.raises(WaitTimeout) as again:
        classify("1")
    assert again.value.item.id == caught.value.item.id, "the same call after a restart finds its item"
    assert rq.get(caught.value.item.id).state == "queued"


def test_an_expired_item_without_an_output_is_a_rejection(acted):
    found = acted(Scripted(answered(), answered(state="expired", resolution=resolution_json(None, None, by="default"))))
    with pytest.raises(Rejected) as caught:
        gate(queue="q", client=found.client)(lambda: 2)()
    assert caught.value.reason == "expired"


def test_decided_arguments_that_are_not_the_functions_are_refused(acted):
    for output in ({"a": 1}, {"a": 1, "b": 2, "c": 3}, [1, 2], None):
        found = acted(Scripted(answered(state="resolved", resolution=resolution_json("edit", output))))
        with pytest.raises(Unfit):
            gate(queue="q", client=found.client, of="arguments")(lambda a, b: None)(1, 2)


def test_a_rejection_inside_the_function_is_not_taken_for_the_gates(acted):
    def inner() -> None:
        raise Rejected("inner", None, None)

    found = acted(Scripted(answered(state="auto_approved", resolution=resolution_json())))
    outer = gate(queue="q", client=found.client, of="arguments", on_reject=lambda error: "instead")(inner)
    with pytest.raises(Rejected):
        outer()


def test_async_functions_are_gated_without_blocking(arq, rq, app, cast):
    ticks = []

    async def tick() -> None:
        while True:
            ticks.append(1)
            await asyncio.sleep(0.01)

    async def classify(text: str) -> dict[str, str]:
        await asyncio.sleep(0)
        return {"label": "lost_card"}

    async def instead(error: Rejected) -> str:
        return f"no: {error.reason}"

    async def work() -> None:
        beside = asyncio.create_task(tick())
        result = await gate(queue="intents", client=arq)(classify)("1")
        assert result == {"label": "refund"}
        assert await gate(queue="intents", client=rq)(classify)("2") == {"label": "lost_card"}
        before = gate(
            queue="intents", client=arq, of="arguments", on_reject=instead, input=lambda label: {"text": label}
        )
        assert await before(use)("refund") == "no: other"
        beside.cancel()

    async def use(label: str) -> None:
        raise AssertionError("must not run")

    with reviewing(app, cast.alice, {"output": {"label": "refund"}}, APPROVE, REJECT):
        event_loops.run(work())
    assert len(ticks) > 5


def test_without_a_client_it_is_made_from_the_environment(monkeypatch):
    scripted = Scripted(*[answered(state="auto_approved", resolution=resolution_json()) for _ in range(4)])
    monkeypatch.setenv("REVIEWQUEUE_URL", "http://reviewqueue.test")
    monkeypatch.setenv("REVIEWQUEUE_TOKEN", "rq_a.b")
    made = []

    def own(self: Gate) -> Client:
        made.append(Client(transport=scripted))
        return made[-1]

    replaced = cached_property(own)
    replaced.__set_name__(Gate, "_own")
    monkeypatch.setattr(Gate, "_own", replaced)
    monkeypatch.setattr("reviewqueue_client.gating.AsyncClient", OnScript)
    monkeypatch.setattr(OnScript, "script", scripted)

    @gate(queue="q")
    def twice(n: int) -> int:
        return 2 * n

    @gate(queue="q")
    async def thrice(n: int) -> int:
        return 3 * n

    assert (twice(1), twice(2)) == (2, 4)
    assert len(made) == 1
    assert (event_loops.run(thrice(1)), event_loops.run(thrice(2))) == (3, 6), "an event loop each"
    assert [body_of(request)["input"] for request in scripted.seen] == [{"n": 1}, {"n": 2}] * 2
    made[0].close()


class OnScript(AsyncClient):
    script: Any = None

    def __init__(self) -> None:
        super().__init__(transport=Async(self.script))


def test_mistakes_are_told_when_the_function_is_decorated(arq, acted):
    with pytest.raises(TypeError, match="Client"):
        gate(queue="q", client=arq)(lambda: 1)
    with pytest.raises(ValueError, match="of must be"):
        gate(queue="q", of="both")

    def bit_by_bit():
        yield 1

    with pytest.raises(TypeError, match="generator"):
        gate(queue="q")(bit_by_bit)
    found = acted(Scripted(httpx2.ConnectError("x")), retries=0)
    with pytest.raises(TypeError, match="modle"):
        gate(queue="q", client=found.client, modle="x")(lambda: 1)()
