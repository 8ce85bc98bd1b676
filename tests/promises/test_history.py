"""The checker of histories catches each fault it is there for, put into a good history one at a time.

That it catches the bugs that make such faults: see test_seeded_bugs.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.promises.history import History, Receipt, faults
from tests.promises.stored import Decision, Delivery, Event, Item, Resolution, Stored, Task, key_in

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
SAID = {"verdict": "approve", "output": "a"}


def good() -> tuple[History, Stored]:
    """Three items: one decided by Alice, one waiting after Bob lost his claim on it, one passed by a rule."""
    history = History()

    def ok(act: str, sent: dict[str, Any], **told: Any) -> None:
        history.ok(history.invoke("client", act, **sent), **told)

    for key, item in (("k1", "i1"), ("k1", "i1"), ("k2", "i2")):
        ok("submit", {"key": key}, item=item)
    ok("batch", {"keys": ["k3"]}, items=["i3"])
    alice, bob = {"person": "alice", "task": "t1", "fence": 1}, {"person": "bob", "task": "t2", "fence": 1}
    lease = (NOON + timedelta(minutes=1)).isoformat()
    ok("claim", {"person": "alice"}, task="t1", fence=1, lease_until=lease)
    ok("decide", {**alice, "body": SAID}, decision="d1", **SAID)
    ok("claim", {"person": "bob"}, task="t2", fence=1, lease_until=lease)
    history.fail(history.invoke("client", "decide", **bob, body={"verdict": "reject"}), 409, "lease_lost")
    history.receipts = [
        Receipt("msg_r1", "item.resolved", {"resolution": SAID}),
        Receipt("msg_r3", "item.auto_approved", {"resolution": SAID}),
        Receipt("msg_i2_queued", "item.queued", {}),
    ]
    submitted = [Event("item.submitted", "program", item, facts={"state": state}) for item, state in BORN]
    stored = Stored(
        items=[Item("i1", "k1", "resolved", 1), Item("i2", "k2", "queued"), Item("i3", "k3", "auto_approved", 1)],
        tasks=[Task("t1", "i1", state="done", fence=1), Task("t2", "i2", fence=1)],
        decisions=[Decision("d1", "t1", "i1", 1, "alice", 1, SAID, NOON)],
        resolutions=[
            Resolution("r1", "i1", said=SAID, decision_id="d1", position=2),
            Resolution("r3", "i3", 1, "routing", SAID, position=1),
        ],
        events=[
            *submitted,
            Event("task.claimed", "alice", "i1", "t1", {"fence": 1}, NOON),
            Event("task.claimed", "bob", "i2", "t2", {"fence": 1}, NOON),
            Event("task.decided", "alice", "i1", "t1", {"fence": 1, "decision": "d1"}, NOON),
            Event("item.resolved", "alice", "i1", None, {"revision": 1, "state": "resolved"}, NOON),
            Event("task.lease_expired", "system", "i2", "t2", {"fence": 1}, NOON + timedelta(minutes=2)),
        ],
        drafts={("t2", "bob"): {"verdict": "reject"}},
        deliveries=[
            Delivery("msg_r1", "item.resolved", "r1", listens="e1"),
            Delivery("msg_r3", "item.auto_approved", "r3", listens="e1"),
            Delivery("msg_i2_queued", "item.queued", "i2", listens="e1"),
        ],
        listening={"i1": ["e1"], "i2": ["e1"], "i3": ["e1"]},
        looked_at={"i1", "i2"},
        answers=[{"id": "i1"}, {"results": [{"status": 201, "item": {"id": "i3"}}]}],
        known={"i1", "i2", "i3", "r1", "r3"},
    )
    return history, stored


BORN = (("i1", "queued"), ("i2", "queued"), ("i3", "auto_approved"))


def test_it_finds_nothing_in_a_good_history():
    assert faults(*good()) == []


def _without(rows: list[Any], **marks: Any) -> None:
    rows[:] = [row for row in rows if any(getattr(row, name) != value for name, value in marks.items())]


def _changed(rows: list[Any], place: int, **changes: Any) -> None:
    rows[place] = replace(rows[place], **changes)


def lose_item(_: History, stored: Stored) -> None:
    _without(stored.items, id="i2")


def store_an_item_twice(_: History, stored: Stored) -> None:
    stored.items.append(Item("i4", "k1", "queued"))


def answer_a_key_with_two_ids(history: History, _: Stored) -> None:
    history.ok(history.invoke("client", "submit", key="k1"), item="i9")


def answer_with_another_item(history: History, _: Stored) -> None:
    history.ok(history.invoke("client", "submit", key="k3"), item="i2")


def invent_an_item(_: History, stored: Stored) -> None:
    stored.items.append(Item("i5", "k5", "queued"))


def give_a_task_to_two(history: History, _: Stored) -> None:
    told = {"task": "t1", "fence": 1, "lease_until": NOON.isoformat()}
    history.ok(history.invoke("client", "claim", person="bob"), **told)


def take_a_task_back_too_early(_: History, stored: Stored) -> None:
    _changed(stored.events, -1, at=NOON)


def decide_after_the_lease(_: History, stored: Stored) -> None:
    _changed(stored.decisions, 0, at=NOON + timedelta(hours=1))


def keep_a_task_for_ever(_: History, stored: Stored) -> None:
    _changed(stored.tasks, 1, state="claimed", holder="bob", lease_over=True)


def lose_a_decision(_: History, stored: Stored) -> None:
    stored.decisions.clear()


def change_a_decision(_: History, stored: Stored) -> None:
    _changed(stored.decisions, 0, said={"verdict": "approve", "output": "b"})


def withdraw_a_decision(_: History, stored: Stored) -> None:
    _changed(stored.decisions, 0, withdrawn=True)


def undo_too_late(_: History, stored: Stored) -> None:
    _changed(stored.decisions, 0, withdrawn=True, withdrawn_late=True)


def forget_an_undo(history: History, _: Stored) -> None:
    history.ok(history.invoke("client", "undo", person="alice", task="t1", decision="d1"))


def answer_a_claim_with_two_decisions(history: History, stored: Stored) -> None:
    sent = {"person": "alice", "task": "t1", "fence": 1}
    history.ok(history.invoke("client", "decide", **sent), decision="d9")


def decide_a_task_twice(_: History, stored: Stored) -> None:
    stored.decisions.append(Decision("d2", "t1", "i1", 1, "bob", 1, SAID))


def let_one_person_decide_an_item_twice(_: History, stored: Stored) -> None:
    stored.decisions.append(Decision("d2", "t2", "i1", 1, "alice", 1, SAID))


def ask_for_one_and_take_two(_: History, stored: Stored) -> None:
    stored.decisions.append(Decision("d2", "t2", "i1", 1, "bob", 1, SAID))


def take_what_was_refused(_: History, stored: Stored) -> None:
    stored.decisions.append(Decision("d2", "t2", "i2", 1, "bob", 1, SAID))


def lose_a_draft(_: History, stored: Stored) -> None:
    stored.drafts.clear()


def change_a_draft(_: History, stored: Stored) -> None:
    stored.drafts["t2", "bob"] = {"verdict": "approve"}


def resolve_twice(_: History, stored: Stored) -> None:
    stored.resolutions.append(Resolution("r2", "i1", decision_id="d1"))


def forget_a_resolution(_: History, stored: Stored) -> None:
    _without(stored.resolutions, id="r1")


def resolve_what_waits(_: History, stored: Stored) -> None:
    stored.resolutions.append(Resolution("r2", "i2", 1, "routing"))


def resolve_without_a_decision(_: History, stored: Stored) -> None:
    _changed(stored.resolutions, 0, decision_id="d9")


def leave_an_item_stuck(_: History, stored: Stored) -> None:
    _changed(stored.tasks, 1, state="cancelled")


def make_no_delivery(_: History, stored: Stored) -> None:
    _without(stored.deliveries, ref="r1")


def tell_nobody_of_what_waits(_: History, stored: Stored) -> None:
    _without(stored.deliveries, ref="i2")


def leave_a_webhook(_: History, stored: Stored) -> None:
    _changed(stored.deliveries, 0, state="pending")


def lose_a_webhook(history: History, _: Stored) -> None:
    del history.receipts[0]


def tell_of_nothing(history: History, _: Stored) -> None:
    history.receipts.append(Receipt("msg_r9", "item.resolved", {}))


def tell_otherwise(history: History, _: Stored) -> None:
    told = {"resolution": {"verdict": "approve", "output": "b"}}
    history.receipts.append(Receipt("msg_r1", "item.resolved", told))


def move_against_the_rules(_: History, stored: Stored) -> None:
    stored.events.append(Event("item.resolved", "alice", "i1", None, {"revision": 2, "state": "expired"}))


def move_an_item_unseen(_: History, stored: Stored) -> None:
    _changed(stored.items, 1, state="in_review")


def claim_what_is_held(_: History, stored: Stored) -> None:
    stored.events.insert(-1, Event("task.claimed", "alice", "i2", "t2", {"fence": 2}, NOON))


def decide_under_an_old_fence(_: History, stored: Stored) -> None:
    _changed(stored.events, 3, facts={"fence": 2})


def raise_a_fence_unseen(_: History, stored: Stored) -> None:
    _changed(stored.tasks, 1, fence=2)


def open_a_task_unseen(_: History, stored: Stored) -> None:
    stored.tasks.append(Task("t9", "i2"))


def audit_what_never_was(_: History, stored: Stored) -> None:
    stored.events.append(Event("decision.withdrawn", "alice", "i1", "t1", {"decision": "d9"}))


def forget_an_audit_event(_: History, stored: Stored) -> None:
    _without(stored.events, item_id="i2")


def forget_the_event_of_a_decision(_: History, stored: Stored) -> None:
    _without(stored.events, action="task.decided")


def forget_the_event_of_a_claim(_: History, stored: Stored) -> None:
    _without(stored.events, action="task.claimed", actor="bob")


def leave_an_event_unsealed(_: History, stored: Stored) -> None:
    stored.unsealed.append("e9")


def break_the_chain(_: History, stored: Stored) -> None:
    stored.chain.append("Event 7 is not what was sealed.")


def leave_work(_: History, stored: Stored) -> None:
    stored.outbox.append("items.queued of i2 (None)")


def leave_a_decision_in_grace(_: History, stored: Stored) -> None:
    stored.in_grace.add("d1")


def leave_a_task_on_what_has_ended(_: History, stored: Stored) -> None:
    _changed(stored.tasks, 0, state="open")


def take_effect_of_nothing(_: History, stored: Stored) -> None:
    stored.in_grace.add("d9")


def answer_a_key_with_what_is_not_there(_: History, stored: Stored) -> None:
    stored.answers.append({"id": "i9"})


def deliver_what_is_not_there(_: History, stored: Stored) -> None:
    stored.deliveries.append(Delivery("msg_i9_queued", "item.queued", "i9"))


def look_at_no_item(_: History, stored: Stored) -> None:
    stored.looked_at.clear()


def leave_a_hole_in_the_feed(_: History, stored: Stored) -> None:
    _changed(stored.resolutions, 0, position=3)


def leave_something_out_of_the_feed(_: History, stored: Stored) -> None:
    _changed(stored.resolutions, 0, position=None)


def open_a_task_on_what_has_ended(_: History, stored: Stored) -> None:
    stored.events.append(Event("task.opened", "system", "i1", "t9", {"kind": "review"}))


def withdraw_what_did_not_stand(_: History, stored: Stored) -> None:
    stored.events.append(Event("decision.withdrawn", "bob", "i2", "t2", {"decision": "d9"}))


def note_a_decision_twice(_: History, stored: Stored) -> None:
    stored.events.append(replace(stored.events[5], id="again"))


def reopen_into_a_wrong_round(_: History, stored: Stored) -> None:
    stored.events.append(Event("item.reopened", "bob", "i1", "t9", {"round": 3}))


def reopen_what_waits(_: History, stored: Stored) -> None:
    stored.events.append(Event("item.reopened", "bob", "i2", "t9", {"round": 2}))


def call_a_revision_an_end(_: History, stored: Stored) -> None:
    _changed(stored.events, 6, action="item.revised")


def escalate_what_is_held_beyond_its_holder(_: History, stored: Stored) -> None:
    stored.events.insert(-1, Event("task.escalated", "bob", "i2", "t2", {}))


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (lose_item, "acknowledged item i2 is lost"),
        (store_an_item_twice, "key k1 made 2 items"),
        (answer_a_key_with_two_ids, "key k1 was answered with 2 ids"),
        (answer_with_another_item, "item i2 was answered to k3"),
        (invent_an_item, "nobody sent k5"),
        (give_a_task_to_two, "task t1 was given to 2 people under fence 1"),
        (take_a_task_back_too_early, "task t2 was taken back before its lease was over"),
        (decide_after_the_lease, "task t1 was decided after its lease was over"),
        (keep_a_task_for_ever, "task t2 is held although its lease is over"),
        (lose_a_decision, "acknowledged decision d1 is lost"),
        (change_a_decision, "acknowledged decision d1 was changed"),
        (withdraw_a_decision, "acknowledged decision d1 no longer stands"),
        (undo_too_late, "decision d1 was taken back after its grace time"),
        (forget_an_undo, "decision d1 was taken back and stands"),
        (answer_a_claim_with_two_decisions, "claim t1.1 was answered with 2 decisions"),
        (decide_a_task_twice, "task t1 has 2 standing decisions"),
        (let_one_person_decide_an_item_twice, "alice decided i1 2 times"),
        (ask_for_one_and_take_two, "item i1 has 2 first reviews where 1 were asked for"),
        (take_what_was_refused, "decision on t2 by bob was refused and stands"),
        (lose_a_draft, "what bob typed on t2 is lost"),
        (change_a_draft, "what bob typed on t2 is kept otherwise"),
        (resolve_twice, "item i1 has resolutions [1, 1]"),
        (forget_a_resolution, "item i1 is resolved and has no resolution"),
        (resolve_what_waits, "item i2 is queued and has a resolution"),
        (resolve_without_a_decision, "resolution r1 stands on no decision"),
        (leave_an_item_stuck, "item i2 is queued and nobody can end it"),
        (make_no_delivery, "resolution r1 has 0 deliveries"),
        (tell_nobody_of_what_waits, "nobody was told that item i2 waits"),
        (leave_a_webhook, "webhook msg_r1 is still to be sent"),
        (lose_a_webhook, "webhook msg_r1 is said to have arrived and has not"),
        (tell_of_nothing, "webhook msg_r9 tells of what is not stored"),
        (tell_otherwise, "webhook msg_r1 tells something else than resolution r1"),
        (move_against_the_rules, "item i1 goes from resolved to expired"),
        (move_an_item_unseen, "item i2 is in_review, and queued by the audit log"),
        (claim_what_is_held, "task t2 is claimed by bob when alice claims it"),
        (decide_under_an_old_fence, "task t1 is at fence 2 at task.decided under fence 1"),
        (raise_a_fence_unseen, "task t2 is ('open', None, 2), and ('open', None, 1) by the audit log"),
        (open_a_task_unseen, "item i2 has 2 tasks that nothing opened, for 1 reviews"),
        (audit_what_never_was, "decision.withdrawn of d9 has 1 audit events and 0 rows"),
        (forget_an_audit_event, "item i2 has no audit event"),
        (forget_the_event_of_a_decision, "task.decided of d1 has 0 audit events and 1 rows"),
        (forget_the_event_of_a_claim, "claim of t2 by bob has no audit event"),
        (leave_an_event_unsealed, "event e9 is not sealed"),
        (break_the_chain, "audit verify: Event 7"),
        (leave_a_task_on_what_has_ended, "item i1 is resolved and somebody is to decide it"),
        (take_effect_of_nothing, "decision d9 is to take effect, and does not stand"),
        (answer_a_key_with_what_is_not_there, "a key is answered with item i9, which is not there"),
        (deliver_what_is_not_there, "webhook msg_i9_queued is of i9, which is not there"),
        (look_at_no_item, "no job ever looked at item i2"),
        (leave_a_hole_in_the_feed, "a feed has the places [1, 3]"),
        (leave_something_out_of_the_feed, "a feed has the places [0, 1]"),
        (open_a_task_on_what_has_ended, "item i1 is resolved when a task is opened"),
        (withdraw_what_did_not_stand, "item i2 has d9 withdrawn, which did not stand"),
        (note_a_decision_twice, "item i1 has d1 noted twice"),
        (reopen_into_a_wrong_round, "item i1 begins round 3 where 2 is next"),
        (reopen_what_waits, "item i2 is queued when it is reopened"),
        (call_a_revision_an_end, "item i1 gets revision 1 by item.revised"),
        (escalate_what_is_held_beyond_its_holder, "task t2 is claimed when it goes beyond the leads"),
        (leave_work, "outbox row items.queued of i2 (None) is left"),
        (leave_a_decision_in_grace, "1 decisions wait for the end of their grace time"),
    ],
)
def test_it_catches_a_seeded_fault(fault: Callable[[History, Stored], None], words: str):
    history, stored = good()
    fault(history, stored)
    assert words in "\n".join(faults(history, stored))


def test_it_reads_the_key_that_a_client_wrote():
    assert key_in('{"text": "Where is my card? <a-1>"}') == "a-1"
