"""The checker of histories catches each fault it is there for: bugs are seeded one at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.promises.history import Decided, History, Stored, StoredDecision, Submitted, faults, key_in


def good() -> tuple[History, Stored]:
    history = History(
        sent={"k1", "k2", "k3"},
        submitted=[Submitted("k1", "i1"), Submitted("k1", "i1"), Submitted("k2", "i2")],
        decided=[Decided("d1", "t1", "approve", '"a"')],
    )
    stored = Stored(
        items=[("i1", "k1"), ("i2", "k2"), ("i3", "k3")],
        states={"i1": "resolved", "i2": "queued", "i3": "auto_approved"},
        decisions=[StoredDecision("d1", "t1", "i1", 1, "alice", "approve", '"a"')],
        resolutions=[("i1", 1), ("i3", 1)],
        submissions_audited=["i1", "i2", "i3"],
    )
    return history, stored


def test_it_finds_nothing_in_a_good_history():
    assert faults(*good()) == []


def lose_item(history: History, stored: Stored) -> None:
    stored.items.remove(("i2", "k2"))


def store_an_item_twice(history: History, stored: Stored) -> None:
    stored.items.append(("i4", "k1"))
    stored.submissions_audited.append("i4")
    stored.states["i4"] = "queued"


def answer_a_key_with_two_ids(history: History, stored: Stored) -> None:
    history.submitted.append(Submitted("k1", "i9"))


def answer_with_another_item(history: History, stored: Stored) -> None:
    history.submitted.append(Submitted("k3", "i2"))


def invent_an_item(history: History, stored: Stored) -> None:
    stored.items.append(("i5", "k5"))


def lose_a_decision(history: History, stored: Stored) -> None:
    stored.decisions.clear()


def change_a_decision(history: History, stored: Stored) -> None:
    stored.decisions[0] = replace(stored.decisions[0], output='"b"')


def withdraw_a_decision(history: History, stored: Stored) -> None:
    stored.decisions[0] = replace(stored.decisions[0], standing=False)


def decide_a_task_twice(history: History, stored: Stored) -> None:
    stored.decisions.append(StoredDecision("d2", "t1", "i1", 1, "bob", "approve", '"a"'))


def let_one_person_decide_an_item_twice(history: History, stored: Stored) -> None:
    stored.decisions.append(StoredDecision("d2", "t2", "i1", 1, "alice", "approve", '"a"'))


def resolve_twice(history: History, stored: Stored) -> None:
    stored.resolutions.append(("i1", 1))


def forget_a_resolution(history: History, stored: Stored) -> None:
    stored.resolutions.remove(("i1", 1))


def resolve_what_waits(history: History, stored: Stored) -> None:
    stored.resolutions.append(("i2", 1))


def leave_work(history: History, stored: Stored) -> None:
    stored.outbox = 1


def forget_an_audit_event(history: History, stored: Stored) -> None:
    stored.submissions_audited.remove("i2")


@pytest.mark.parametrize(
    ("bug", "words"),
    [
        (lose_item, "acknowledged item i2 is lost"),
        (store_an_item_twice, "key k1 made 2 items"),
        (answer_a_key_with_two_ids, "key k1 was answered with 2 ids"),
        (answer_with_another_item, "item i2 was answered to k3"),
        (invent_an_item, "nobody sent k5"),
        (lose_a_decision, "acknowledged decision d1 is lost"),
        (change_a_decision, "acknowledged decision d1 was changed"),
        (withdraw_a_decision, "acknowledged decision d1 no longer stands"),
        (decide_a_task_twice, "task t1 has 2 standing decisions"),
        (let_one_person_decide_an_item_twice, "alice decided i1 2 times"),
        (resolve_twice, "item i1 has 2 resolutions 1"),
        (forget_a_resolution, "item i1 is decided and has no resolution"),
        (resolve_what_waits, "item i2 is queued and has a resolution"),
        (leave_work, "1 outbox rows are left"),
        (forget_an_audit_event, "submission of i2 has 0 audit events"),
    ],
)
def test_it_catches_a_seeded_bug(bug: Callable[[History, Stored], None], words: str):
    history, stored = good()
    bug(history, stored)
    assert words in "\n".join(faults(history, stored))


def test_it_reads_the_key_that_a_client_wrote():
    assert key_in('{"text": "Where is my card? <a-1>"}') == "a-1"
