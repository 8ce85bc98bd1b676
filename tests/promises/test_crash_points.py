"""The process is gone at each boundary of each main flow, in turn; then it starts again, and clients repeat what got no
answer. What was promised holds: promises 1, 2, 3, 4, 5, 8, 10 and 11.

Each run has an item of its own in a system that is otherwise quiet, which is the cheapest fresh state there is.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from reviewqueue import config
from reviewqueue.audit import chain
from reviewqueue.core.background import connect
from reviewqueue.delivery.webhooks import sender
from reviewqueue.intake import imports, jobs
from tests.fixtures.people import Cast, item
from tests.fixtures.receivers import Receiver, receiving
from tests.promises.consistency import faults
from tests.promises.crashing import crashing
from tests.promises.restarting import SEALS, World
from tests.promises.stored import plain

# What a process leaves open when it is gone, the kernel closes; here the interpreter does, and would say so.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.timeout(240),
]
LOST, REFUND = {"verdict": "approve"}, {"output": {"label": "refund"}}
_numbers = itertools.count(1)


@pytest.fixture
def settings(settings: config.Settings) -> config.Settings:
    object.__setattr__(settings, "webhook_allow", "127.0.0.1")
    return settings


@pytest.fixture
def world(
    app: Flask, cast: Cast, settings: config.Settings, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[World]:
    monkeypatch.setattr(sender, "IDLE_FOR", 0.0)
    monkeypatch.setattr(jobs, "GAP", 0.0)
    monkeypatch.setattr(imports, "CHUNK_LINES", 2)
    engine = create_engine(settings.database_url, poolclass=NullPool)
    yield World(app, cast, redis_url, engine)
    engine.dispose()


@pytest.fixture
def receiver(world: World) -> Iterator[Receiver]:
    """Listens to all that happens in the queue."""
    with receiving() as receiver:
        body = {"url": receiver.url, "events": ["*"]}
        assert world.call(world.cast.admin, "POST", "/queues/intents/webhooks", body)[0] == 201
        world.notes["receiver"] = receiver
        yield receiver


@dataclass(frozen=True)
class Flow:
    """`act` is what is ended at each of its boundaries. `prepare` makes what it works on; `again` is what the client or
    the background does after the restart."""

    prepare: Callable[[World], Any]
    act: Callable[[World, Any], Any]
    check: Callable[[World, Any, Any], None]
    floor: int
    """So many boundaries it has at least: fewer, and the enumeration has gone blind."""
    again: Callable[[World, Any], Any] | None = None
    after: Callable[[World, Any], None] = lambda world, state: None
    """What holds as soon as the process is gone."""


def run(world: World, name: str, flow: Flow) -> None:
    began = time.process_time()
    for place in itertools.count():
        before = world.newest()
        state = flow.prepare(world)
        world.restart()
        with crashing(world.own_engine, place) as line:
            told = flow.act(world, state)
        flow.after(world, state)
        world.restart()
        if line.dead:
            told = (flow.again or flow.act)(world, state)
        where = f"{name} {line.where}"
        try:
            world.settle()
            flow.check(world, state, told)
            world.settle()
        except AssertionError as error:
            raise AssertionError(f"{where}: {error}") from error
        assert faults(world.engine, after=before) == [], where
        if not line.dead:
            break
    world.verify()
    assert faults(world.engine) == []
    kinds = {kind: sum(kind in what for what in line.crossed) for kind in ("COMMIT", "INSERT", "UPDATE", "DELETE")}
    print(f"{name}: {place} points, of them {kinds}, in {time.process_time() - began:.1f} s")
    assert place == len(line.crossed)
    assert place >= flow.floor, line.crossed


def rows(world: World, statement: str, **parameters: Any) -> list[tuple[Any, ...]]:
    with world.engine.connect() as connection:
        return [tuple(map(plain, row)) for row in connection.execute(text(statement), parameters)]


def count(world: World, statement: str, **parameters: Any) -> int:
    return int(rows(world, statement, **parameters)[0][0])


def events(world: World, item_id: str) -> list[str]:
    """What happened to the item, but for being looked at."""
    found = rows(world, "SELECT item_id, action FROM audit_event WHERE item_id IS NOT NULL ORDER BY id")
    return [action for of, action in found if of == item_id and action != "item.viewed"]


# -- items come in ----------------------------------------------------------------------------------------------------


def new_item(_world: World, **changes: Any) -> dict[str, Any]:
    """The request: a body that nobody has sent before, under a key of its own."""
    number = next(_numbers)
    return {"key": f"k{number}", "body": item(number, input={"text": f"Where is it? <k{number}>"}, **changes)}


def sure_item(world: World) -> dict[str, Any]:
    return new_item(world, confidence=0.99)


def submit(world: World, request: dict[str, Any]) -> Any:
    return world.call(world.cast.submitter, "POST", "/items", request["body"], request["key"])


def stored_once(world: World, request: dict[str, Any], told: Any) -> None:
    status, answer = told
    assert status == 201, answer
    assert submit(world, request) == told, "the answer of a key changes"
    found = rows(world, "SELECT id FROM item WHERE input LIKE :said", said=f"%<{request['key']}>%")
    assert found == [(answer["id"],)]


def give_up(_world: World, _request: dict[str, Any]) -> None:
    """A client that does not repeat what got no answer."""


def whole_or_nothing(world: World, request: dict[str, Any], _told: Any) -> None:
    keys = request.get("keys", [request["key"]])
    counts = [count(world, "SELECT count(*) FROM item WHERE input LIKE :said", said=f"%<{key}>%") for key in keys]
    assert counts in ([0] * len(keys), [1] * len(keys))


def new_batch(world: World) -> dict[str, Any]:
    doubtful, sure, odd = new_item(world), sure_item(world), new_item(world, output={"label": "no such label"})
    bodies = [one["body"] for one in (doubtful, sure, odd)]
    return {"key": doubtful["key"], "body": {"items": bodies}, "keys": [doubtful["key"], sure["key"]]}


def submit_batch(world: World, request: dict[str, Any]) -> Any:
    return world.call(world.cast.submitter, "POST", "/items/batch", request["body"], request["key"])


def batch_stored_once(world: World, request: dict[str, Any], told: Any) -> None:
    status, answer = told
    assert status == 200
    assert [one["status"] for one in answer["results"]] == [201, 201, 422]
    assert submit_batch(world, request) == told, "the answer of a key changes"
    for key, one in zip(request["keys"], answer["results"][:2], strict=True):
        found = rows(world, "SELECT id FROM item WHERE input LIKE :said", said=f"%<{key}>%")
        assert found == [(one["item"]["id"],)]


def new_stream(world: World) -> dict[str, Any]:
    name = f"s{next(_numbers)}"
    bodies = [item(1, external_id=f"{name}-{n}", confidence=(0.4, 0.99)[n % 2]) for n in range(3)]
    return {"name": name, "data": "\n".join(json.dumps(body) for body in (*bodies, {"odd": 1}))}


def send_stream(world: World, request: dict[str, Any]) -> Any:
    return world.call(
        world.cast.submitter,
        "POST",
        "/imports?queue=intents",
        data=request["data"],
        content_type="application/x-ndjson",
    )


def store_stream(world: World, _state: Any) -> None:
    world.work("import.store")


def store_later(world: World, state: Any) -> None:
    world.later()
    store_stream(world, state)


def begun_stream(world: World) -> dict[str, Any]:
    request = new_stream(world)
    status, answer = send_stream(world, request)
    assert status == 202
    return {**request, "id": answer["id"]}


def stream_stored_once(world: World, request: dict[str, Any], told: Any) -> None:
    found = rows(world, "SELECT external_id FROM item WHERE external_id LIKE :name", name=f"{request['name']}-%")
    assert sorted(found) == [(f"{request['name']}-{n}",) for n in range(3)]
    assert count(world, "SELECT count(*) FROM import_chunk WHERE payload IS NOT NULL") == 0
    import_id = request.get("id") or told[1]["id"]
    _, run = world.call(world.cast.submitter, "GET", f"/imports/{import_id}")
    assert (run["state"], run["lines"], run["stored"] + run["repeated"], run["refused"]) == ("done", 4, 3, 1)
    # Of one whose request had no answer, nobody knows; it is given up, and what came of it is stored once.
    assert count(world, "SELECT count(*) FROM import WHERE state NOT IN ('done', 'failed')") == 0


# -- people work ------------------------------------------------------------------------------------------------------


def waiting(world: World, **changes: Any) -> dict[str, Any]:
    status, answer = submit(world, new_item(world, **changes))
    assert status == 201
    return {"item": answer["id"]}


def claim(world: World, _state: Any) -> Any:
    status, piece = world.call(world.cast.alice, "POST", "/queues/intents/claims")
    assert status == 201, piece
    return piece


def held_once(world: World, state: dict[str, Any], piece: Any) -> None:
    assert piece["item"]["id"] == state["item"]
    assert piece["claim"]["fence"] == 1, "the claim of a process that is gone is the claim that one gets again"
    assert events(world, state["item"]) == ["item.submitted", "task.claimed"]
    finish(world, piece)


def finish(world: World, piece: Any) -> None:
    """So that nothing waits when the next run begins."""
    assert act_on(world, piece, "decision", LOST)[0] == 200


def act_on(world: World, piece: Any, what: str, body: Any = None) -> Any:
    return world.call(world.cast.alice, "POST", f"/claims/{piece['claim']['id']}/{what}", body or {})


def in_hand(world: World) -> dict[str, Any]:
    state = waiting(world)
    state["piece"] = claim(world, state)
    return state


def drafted(world: World) -> dict[str, Any]:
    state = in_hand(world)
    save_draft(world, state)
    return state


def save_draft(world: World, state: dict[str, Any]) -> Any:
    path = f"/claims/{state['piece']['claim']['id']}/draft"
    return world.call(world.cast.alice, "PUT", path, {"body": {**REFUND, "comment": state["item"]}})


def draft_of(world: World, state: dict[str, Any]) -> Any:
    return world.call(world.cast.alice, "GET", f"/claims/{state['piece']['claim']['id']}/draft")[1]["body"]


def drafted_once(world: World, state: dict[str, Any], told: Any) -> None:
    assert told[0] == 204
    assert draft_of(world, state) == {**REFUND, "comment": state["item"]}
    finish(world, state["piece"])


def two_to_do(world: World) -> dict[str, Any]:
    state = drafted(world)
    state["next"] = waiting(world)["item"]
    return state


def decide(world: World, state: dict[str, Any]) -> Any:
    return act_on(world, state["piece"], "decision", {**REFUND, "next": True})


def decided_once(world: World, state: dict[str, Any], told: Any) -> None:
    status, answer = told
    assert status == 200, answer
    again = decide(world, state)
    assert again == told, "the same request has another answer"
    assert events(world, state["item"]) == ["item.submitted", "task.claimed", "task.decided", "item.resolved"]
    assert draft_of(world, state) is None
    assert answer["resolution"]["output"] == REFUND["output"]
    assert answer["next"]["item"]["id"] == state["next"]
    assert answer["next"]["claim"]["fence"] == 1
    finish(world, answer["next"])


def taken_away(world: World) -> dict[str, Any]:
    """Alice was away for too long, and Carol has the task."""
    state = in_hand(world)
    with world.engine.begin() as connection:
        connection.execute(text("UPDATE task SET lease_until = created_at WHERE state = 'claimed'"))
    world.relay("return expired claims")
    status, state["carol"] = world.call(world.cast.carol, "POST", "/queues/intents/claims")
    assert status == 201
    return state


def decide_late(world: World, state: dict[str, Any]) -> Any:
    return act_on(world, state["piece"], "decision", {**REFUND, "comment": "Hours of work"})


def late_is_kept(world: World, state: dict[str, Any], told: Any) -> None:
    status, problem = told
    assert (status, problem["code"]) == (409, "lease_lost")
    assert draft_of(world, state) == {**REFUND, "comment": "Hours of work"}
    passed = ["item.submitted", "task.claimed", "task.lease_expired", "task.claimed"]
    assert events(world, state["item"]) == passed
    claim_id = state["carol"]["claim"]["id"]
    assert world.call(world.cast.carol, "POST", f"/claims/{claim_id}/decision", LOST)[0] == 200


def escalate(world: World, state: dict[str, Any]) -> Any:
    return act_on(world, state["piece"], "escalation", {"comment": "Not for me"})


def with_the_leads_once(world: World, state: dict[str, Any], told: Any) -> None:
    status, problem = told
    assert status == 204 or problem["code"] == "not_yours", "it was done, and its answer got lost"
    assert events(world, state["item"]) == ["item.submitted", "task.claimed", "task.escalated"]
    notices = rows(world, "SELECT person_id, item_id FROM notice WHERE kind = 'escalated'")
    assert notices.count((world.cast.bob.id, state["item"])) == 1
    status, piece = world.call(world.cast.bob, "POST", "/queues/intents/claims")
    assert (status, piece["item"]["id"]) == (201, state["item"])
    assert world.call(world.cast.bob, "POST", f"/claims/{piece['claim']['id']}/decision", LOST)[0] == 200


def skip(world: World, state: dict[str, Any]) -> Any:
    return act_on(world, state["piece"], "skip", {"comment": "Not me"})


def skipped_once(world: World, state: dict[str, Any], told: Any) -> None:
    status, problem = told
    assert status == 204 or problem["code"] == "not_yours", "it was done, and its answer got lost"
    assert events(world, state["item"]) == ["item.submitted", "task.claimed", "task.skipped"]
    assert world.call(world.cast.alice, "POST", "/queues/intents/claims")[0] == 204
    status, piece = world.call(world.cast.carol, "POST", "/queues/intents/claims")
    assert (status, piece["item"]["id"]) == (201, state["item"])
    assert world.call(world.cast.carol, "POST", f"/claims/{piece['claim']['id']}/decision", LOST)[0] == 200


# -- in the grace time, and after it ----------------------------------------------------------------------------------


def decide_in_grace(world: World, state: dict[str, Any]) -> Any:
    return world.decide_in_grace(world.cast.alice, state["piece"]["claim"]["id"], **REFUND)


def resolved_once(world: World, state: dict[str, Any], _told: Any) -> None:
    assert events(world, state["item"]) == ["item.submitted", "task.claimed", "task.decided", "item.resolved"]


def in_grace(world: World) -> dict[str, Any]:
    state = drafted(world)
    state["decision"] = decide_in_grace(world, state).decision_id
    return state


def undo(world: World, state: dict[str, Any]) -> Any:
    return world.call(world.cast.alice, "POST", f"/decisions/{state['decision']}/withdrawal")


def undone_once(world: World, state: dict[str, Any], told: Any) -> None:
    status, piece = told
    assert status == 200, piece
    assert piece["item"]["id"] == state["item"]
    passed = ["item.submitted", "task.claimed", "task.decided", "decision.withdrawn", "task.claimed"]
    assert events(world, state["item"]) == passed
    assert piece["draft"]["output"] == REFUND["output"]
    finish(world, piece)


def grace_over(world: World) -> dict[str, Any]:
    state = in_grace(world)
    world.later()
    return state


def end_of_grace(world: World, _state: Any) -> None:
    world.relay("settle decisions whose grace is over")


def later_again(world: World, _state: Any) -> None:
    world.later()
    world.relay()


# -- ends that nobody decided -----------------------------------------------------------------------------------------


def cancel(world: World, state: dict[str, Any]) -> Any:
    return world.call(world.cast.submitter, "POST", f"/items/{state['item']}/cancellation", {"reason": "No need"})


def cancelled_once(world: World, state: dict[str, Any], told: Any) -> None:
    assert (told[0], told[1]["state"]) == (200, "cancelled")
    assert events(world, state["item"]) == ["item.submitted", "task.claimed", "item.resolved", "task.cancelled"]


def time_over(world: World) -> dict[str, Any]:
    state = in_hand(world)
    with world.engine.begin() as connection:
        connection.execute(text("UPDATE item SET expires_at = created_at WHERE state = 'queued'"))
    return state


def expire(world: World, _state: Any) -> None:
    world.later()
    world.relay("expire items")


def expired_once(world: World, state: dict[str, Any], _told: Any) -> None:
    assert events(world, state["item"]) == ["item.submitted", "task.claimed", "item.resolved", "task.cancelled"]
    assert rows(world, "SELECT state FROM item WHERE expires_at IS NOT NULL AND state <> 'expired'") == []


def resolved(world: World) -> dict[str, Any]:
    state = in_hand(world)
    finish(world, state["piece"])
    world.settle()
    return state


def reopen(world: World, state: dict[str, Any]) -> Any:
    return world.call(world.cast.bob, "POST", f"/items/{state['item']}/reopenings", {"reason": "Look again"})


def reopened_once(world: World, state: dict[str, Any], told: Any) -> None:
    status, answer = told
    assert status == 201 or answer["code"] == "item_open", "it was done, and its answer got lost"
    assert events(world, state["item"])[-1:] == ["item.reopened"]
    status, piece = world.call(world.cast.carol, "POST", "/queues/intents/claims")
    assert (status, piece["item"]["id"]) == (201, state["item"])
    assert world.call(world.cast.carol, "POST", f"/claims/{piece['claim']['id']}/decision", LOST)[0] == 200
    assert events(world, state["item"])[-3:] == ["task.claimed", "task.decided", "item.revised"]


# -- what follows in the background -----------------------------------------------------------------------------------


def hand_over_and_work(world: World, _state: Any) -> None:
    world.relay(redis=True)
    world.worker()


def hand_over_later(world: World, state: Any) -> None:
    world.later()
    hand_over_and_work(world, state)
    # Not by `settle`: what is left must be done by way of Redis.
    assert rows(world, "SELECT topic, ref FROM outbox") == []


def done_by_a_worker(world: World, state: dict[str, Any], _told: Any) -> None:
    assert rows(world, "SELECT item_id FROM item_likeness").count((state["item"],)) == 1
    with connect(world.redis_url) as redis:
        assert redis.llen("rq:queue:review.intents") == 0
    finish(world, claim(world, state))


def passed(world: World) -> dict[str, Any]:
    status, answer = submit(world, sure_item(world))
    assert status == 201
    return {"item": answer["id"]}


def deliver(world: World, _state: Any) -> None:
    world.relay()
    world.work()


def deliver_later(world: World, state: Any) -> None:
    world.later()
    deliver(world, state)


def told_of_it(world: World, state: dict[str, Any], _told: Any) -> None:
    (resolution,) = rows(world, "SELECT id, item_id FROM resolution ORDER BY id DESC LIMIT 1")
    assert resolution[1] == state["item"]
    receiver: Receiver = world.notes["receiver"]
    with receiver.lock:
        came = [(headers["webhook-id"], json.loads(body)) for headers, body in receiver.came]
    mine = [(webhook_id, body) for webhook_id, body in came if state["item"] in json.dumps(body)]
    assert {webhook_id for webhook_id, _ in mine} == {f"msg_{resolution[0]}"}
    assert len({json.dumps(body, sort_keys=True) for _, body in mine}) == 1


def seal(world: World, _state: Any) -> None:
    world.relay(*SEALS)


def seal_later(world: World, state: Any) -> None:
    world.later()
    seal(world, state)


def sealed_once(world: World, _state: Any, _told: Any) -> None:
    world.verify()
    assert count(world, "SELECT count(*) FROM audit_seal") == count(world, "SELECT count(*) FROM audit_event")
    path = world.app.config["SETTINGS"].data_dir / "audit_checkpoints.jsonl"
    lines = path.read_text().splitlines()
    kept = {document for (document,) in rows(world, "SELECT document FROM audit_checkpoint")}
    assert kept <= set(lines), "the database is ahead of the file"
    assert all(chain.is_signed(json.loads(line)) for line in lines)


# -- exports ----------------------------------------------------------------------------------------------------------


def asked_for(world: World) -> dict[str, Any]:
    if "resolved" not in world.notes:
        world.notes["resolved"] = [resolved(world)["item"] for _ in range(3)]
    status, export = world.call(world.cast.anna, "POST", "/exports", {"queue": "intents", "format": "jsonl"})
    assert status == 202, export
    return {"export": export["id"]}


def build(world: World, _state: Any) -> None:
    world.work("export.plan", "export.shard")


def build_later(world: World, state: Any) -> None:
    world.later()
    build(world, state)


def whole_or_absent(world: World, state: dict[str, Any]) -> None:
    folder: Path = world.app.config["SETTINGS"].exports_dir / state["export"]
    for number, written in rows(world, "SELECT number, written FROM dataset_shard WHERE state = 'ready'"):
        told = json.loads(written)
        for file in (*told["files"], told["members"]):
            path = folder / file["name"]
            if path.exists():
                assert hashlib.sha256(path.read_bytes()).hexdigest() == file["sha256"], (number, path)
    ready = rows(world, "SELECT id, manifest FROM dataset_version WHERE state = 'ready'")
    for manifest in (json.loads(found) for export_id, found in ready if export_id == state["export"]):
        for file in (*manifest["files"], *manifest["members"], *manifest["withdrawn"]):
            assert hashlib.sha256((folder / file["name"]).read_bytes()).hexdigest() == file["sha256"]


def exported_once(world: World, state: dict[str, Any], _told: Any) -> None:
    whole_or_absent(world, state)
    _, export = world.call(world.cast.anna, "GET", f"/exports/{state['export']}")
    assert (export["state"], export["progress"]["rows"]) == ("ready", 3)
    folder: Path = world.app.config["SETTINGS"].exports_dir / state["export"]
    for file in export["files"]:
        assert hashlib.sha256((folder / file["name"]).read_bytes()).hexdigest() == file["sha256"], file["name"]
    lines = (folder / export["files"][0]["name"]).read_text().splitlines()
    assert sorted(json.loads(line)["item_id"] for line in lines) == sorted(world.notes["resolved"])
    named = rows(world, "SELECT subject, action FROM audit_event WHERE action IN ('export.started', 'dataset.ready')")
    assert sorted(action for subject, action in named if subject == state["export"]) == [
        "dataset.ready",
        "export.started",
    ]


FLOWS = {
    "submit": Flow(new_item, submit, stored_once, floor=4),
    "submit what passes": Flow(sure_item, submit, stored_once, floor=4),
    "submit, and give up": Flow(new_item, submit, whole_or_nothing, floor=4, again=give_up),
    "batch, and give up": Flow(new_batch, submit_batch, whole_or_nothing, floor=4, again=give_up),
    "batch": Flow(new_batch, submit_batch, batch_stored_once, floor=4),
    "import, received": Flow(new_stream, send_stream, stream_stored_once, floor=16),
    "import, stored": Flow(begun_stream, store_stream, stream_stored_once, floor=32, again=store_later),
    "claim": Flow(waiting, claim, held_once, floor=4),
    "draft": Flow(in_hand, save_draft, drafted_once, floor=3),
    "decide": Flow(two_to_do, decide, decided_once, floor=9),
    "decide too late": Flow(taken_away, decide_late, late_is_kept, floor=3),
    "decide in the grace time": Flow(drafted, decide_in_grace, resolved_once, floor=5),
    "undo": Flow(in_grace, undo, undone_once, floor=10),
    "end of grace": Flow(grace_over, end_of_grace, resolved_once, floor=11, again=later_again),
    "escalate": Flow(in_hand, escalate, with_the_leads_once, floor=5),
    "skip": Flow(in_hand, skip, skipped_once, floor=5),
    "cancel": Flow(in_hand, cancel, cancelled_once, floor=6),
    "time to live": Flow(time_over, expire, expired_once, floor=18),
    "reopen": Flow(resolved, reopen, reopened_once, floor=6),
    "hand over and work": Flow(waiting, hand_over_and_work, done_by_a_worker, floor=45, again=hand_over_later),
    "seal": Flow(in_hand, seal, sealed_once, floor=14, again=seal_later),
    "export": Flow(asked_for, build, exported_once, floor=42, again=build_later, after=whole_or_absent),
}  # fmt: skip


@pytest.mark.parametrize("name", FLOWS)
def test_it_may_crash_at_any_point_of(name: str, world: World):
    run(world, name, FLOWS[name])


def test_it_may_crash_at_any_point_of_a_webhook(world: World, receiver: Receiver):
    run(world, "webhook", Flow(passed, deliver, told_of_it, floor=28, again=deliver_later))
