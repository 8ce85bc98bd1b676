"""An item's whole life at random, against a model in plain Python: what the database holds is what that says, after
every step. Promises 2, 3, 4, 5 and 11.

The model knows people by name, and times only as what has come to pass: a lease that is over, a grace time that is.
"""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

import hypothesis
import pytest
from flask import Flask
from hypothesis import strategies as some
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import create_engine, select, text
from sqlalchemy.pool import NullPool

from reviewqueue import config
from reviewqueue.accounts import memberships
from reviewqueue.core.db import write_session
from reviewqueue.models import Queue
from reviewqueue.models.states import QueueRole
from reviewqueue.queues.applying import apply
from reviewqueue.resolution import endings
from reviewqueue.review import settling
from reviewqueue.review.claims import returning
from tests.fixtures.people import INTENTS, OPERATOR, Cast, Member, item
from tests.promises.consistency import faults
from tests.promises.restarting import World
from tests.promises.stored import plain

PEOPLE = ("alice", "carol", "bob")
LEADS = {"bob"}
SAYS: dict[str, dict[str, Any]] = {
    "approve": {"verdict": "approve"},
    "refund": {"output": {"label": "refund"}},
    "exchange": {"output": {"label": "exchange_rate"}},
    "reject": {"verdict": "reject", "reason": "two_intents"},
}
UNFINISHED = {"open", "claimed"}
ENDED = {"auto_approved", "resolved", "expired", "cancelled"}
_numbers = itertools.count(1)


@dataclass
class Task:
    id: str
    item: Item
    kind: str
    round: int
    order: tuple[Any, ...]
    state: str = "open"
    holder: str | None = None
    last_holder: str | None = None
    fence: int = 0
    lapsed: bool = False
    """Its lease is over, and the relay has not looked yet."""
    for_leads: bool = False
    excluded: set[str] = field(default_factory=set)
    skipped: set[str] = field(default_factory=set)
    put_off: bool = False

    @property
    def row(self) -> tuple[Any, ...]:
        return self.kind, self.round, self.state, self.holder, self.fence


@dataclass
class Decision:
    id: str
    task: Task
    person: str
    fence: int
    says: str
    in_grace: bool = False
    withdrawn: bool = False
    late: bool = False

    @property
    def stands(self) -> bool:
        return not self.withdrawn and not self.late


@dataclass
class Item:
    id: str
    request: dict[str, Any]
    key: str | None
    answer: Any
    state: str
    reviews: int
    revision: int = 0
    round: int = 1
    tasks: list[Task] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)

    def unfinished(self, but: Task | None = None) -> list[Task]:
        return [task for task in self.tasks if task.state in UNFINISHED and task is not but]

    def deciders(self) -> set[str]:
        """Whose decision stands in this round."""
        return {one.person for one in self.decisions if one.stands and one.task.round == self.round}

    def judges(self, task: Task) -> set[str]:
        """Who may not have the task, whatever happens: an appeal is for somebody else than all who judged before."""
        return {one.person for one in self.decisions} if task.kind == "appeal" else self.deciders()


class Life(RuleBasedStateMachine):
    """A queue of its own for each example, in one database."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.items: list[Item] = []
        self.claims: list[tuple[Task, int, str]] = []
        """All that were ever given."""
        self.drafts: dict[tuple[str, str], Any] = {}
        self.name_of = {getattr(world.cast, name).id: name for name in PEOPLE}
        self.before = world.newest()
        self.members: dict[str, Member] = {}

    # -- the queue ----------------------------------------------------------------------------------------------------

    @initialize(
        required=some.sampled_from([1, 2]), on_disagreement=some.sampled_from(["tie_break", "adjudicate"]),
        adjudicator=some.sampled_from(["lead", "reviewer"]), audits=some.booleans(),
    )  # fmt: skip
    def begin(self, required: int, on_disagreement: str, adjudicator: str, audits: bool) -> None:
        self.slug = f"life-{next(_numbers)}"
        self.required, self.on_disagreement, self.adjudicator = required, on_disagreement, adjudicator
        self.audits = audits and required == 1
        document = {
            **INTENTS, "name": self.slug, "undo_seconds": 600, "lease_minutes": 60,
            "reviews": {"required": required, "on_disagreement": on_disagreement, "adjudicator": adjudicator},
            "audit": {"rate": 1.0 if self.audits else 0.0}, "timeout": {"after_hours": 100, "action": "expire"},
        }  # fmt: skip
        with self.world.app.app_context(), write_session() as session:
            apply(session=session, actor=OPERATOR, document=document)
            queue_id = session.scalars(select(Queue.id).where(Queue.slug == self.slug)).one()
            for name in PEOPLE:
                role = QueueRole.LEAD if name in LEADS else QueueRole.REVIEWER
                email = getattr(self.world.cast, name).email
                memberships.add(session=session, actor=OPERATOR, slug=self.slug, email=email, role=role)
                member = getattr(self.world.cast, name)
                known = {**member.actor.memberships, queue_id: frozenset({role})}
                self.members[name] = replace(member, actor=replace(member.actor, memberships=known))

    # -- what the model looks up --------------------------------------------------------------------------------------

    def tasks(self) -> list[Task]:
        return [task for one in self.items for task in one.tasks]

    def held(self, who: str) -> Task | None:
        return next((task for task in self.tasks() if task.state == "claimed" and task.holder == who), None)

    def may_take(self, who: str, task: Task) -> bool:
        return who not in task.excluded | task.skipped | task.item.judges(task) and (who in LEADS or not task.for_leads)

    def all_decisions(self) -> list[Decision]:
        return [one for item in self.items for one in item.decisions]

    def in_grace(self) -> list[Decision]:
        return [one for one in self.all_decisions() if one.in_grace]

    # -- the product --------------------------------------------------------------------------------------------------

    def call(self, who: str, method: str, path: str, body: Any = None, key: str | None = None) -> tuple[int, Any]:
        return self.world.call(getattr(self.world.cast, who), method, path, body, key)

    def act_on(self, task: Task, what: str, **body: Any) -> tuple[int, Any]:
        assert task.holder is not None
        return self.call(task.holder, "POST", f"/claims/{task.id}.{task.fence}/{what}", body)

    def duty(self, act: Any) -> None:
        with self.world.app.app_context(), write_session() as session:
            act(session=session)

    def time_passes(self, statement: str, row_id: str) -> None:
        with self.world.engine.begin() as connection:
            connection.execute(text(statement), {"id": self.id_in_rows(row_id)})

    def id_in_rows(self, row_id: str) -> str:
        return row_id if self.world.engine.dialect.name == "postgresql" else UUID(row_id).hex

    def rows(self, statement: str, row_id: str | None = None) -> list[tuple[Any, ...]]:
        with self.world.engine.connect() as connection:
            found = connection.execute(text(statement), {"id": self.id_in_rows(row_id or self.before)})
            return [tuple(map(plain, row)) for row in found]

    def meet_tasks(self, item: Item, count: int, kind: str, **values: Any) -> None:
        """So many tasks have come to the item: learn their names and their place in the queue."""
        found = self.rows("SELECT id, kind, priority, due FROM task WHERE item_id = :id ORDER BY id", item.id)
        known = {task.id for task in item.tasks}
        new = [row for row in found if row[0] not in known]
        assert [row[1] for row in new] == [kind] * count
        for task_id, _, priority, due in new:
            order = (-priority, due, task_id)
            item.tasks.append(Task(task_id, item, kind, item.round, order, **values))

    # -- items come in ------------------------------------------------------------------------------------------------

    @precondition(lambda self: len([one for one in self.items if one.state not in ENDED]) < 3)
    @rule(sure=some.sampled_from([False, False, True]), with_key=some.booleans())
    def submit(self, sure: bool, with_key: bool) -> None:
        number = next(_numbers)
        request = item(number, queue=self.slug, confidence=0.99 if sure else 0.4)
        key = f"life-{number}" if with_key else None
        status, answer = self.call("submitter", "POST", "/items", request, key)
        assert status == 201, answer
        one = Item(answer["id"], request, key, answer, "auto_approved" if sure else "queued", self.required)
        one.revision = int(sure)
        self.items.append(one)
        self.meet_tasks(one, int(self.audits) if sure else self.required, "audit" if sure else "review")

    @precondition(lambda self: any(one.key for one in self.items))
    @rule(pick=some.integers(0, 99), same=some.booleans())
    def submit_again(self, pick: int, same: bool) -> None:
        one = chosen([one for one in self.items if one.key], pick)
        request = one.request if same else {**one.request, "confidence": 0.5}
        status, answer = self.call("submitter", "POST", "/items", request, one.key)
        if same:
            assert (status, answer) == (201, one.answer)
        else:
            assert (status, answer["code"]) == (422, "idempotency_key_reused")

    @precondition(lambda self: self.items)
    @rule(pick=some.integers(0, 99))
    def cancel(self, pick: int) -> None:
        one = chosen(self.items, pick)
        status, answer = self.call("submitter", "POST", f"/items/{one.id}/cancellation", {})
        if one.state == "cancelled":
            assert status == 200
        elif one.state in ENDED or one.revision:
            assert (status, answer["code"]) == (409, "item_ended")
        elif one.state == "in_review":
            assert (status, answer["code"]) == (409, "item_decided")
        else:
            assert (status, answer["state"]) == (200, "cancelled")
            self.end(one, "cancelled")

    @precondition(lambda self: any(one.state in {"queued", "in_review"} and one.round == 1 for one in self.items))
    @rule(pick=some.integers(0, 99))
    def time_to_live_is_over(self, pick: int) -> None:
        one = chosen([one for one in self.items if one.state in {"queued", "in_review"} and one.round == 1], pick)
        self.time_passes("UPDATE item SET expires_at = created_at WHERE id = :id", one.id)
        self.duty(endings.expire_items)
        if any(decision.in_grace for decision in one.decisions):
            self.time_passes("UPDATE item SET expires_at = NULL WHERE id = :id", one.id)
        else:
            self.end(one, "expired")

    @precondition(lambda self: any(one.state in ENDED for one in self.items))
    @rule(pick=some.integers(0, 99))
    def reopen(self, pick: int) -> None:
        one = chosen([one for one in self.items if one.state in ENDED], pick)
        status, answer = self.call("bob", "POST", f"/items/{one.id}/reopenings", {"reason": "Look again"})
        judges = {decision.person for decision in one.decisions}
        if one.state == "cancelled":
            assert (status, answer["code"]) == (409, "item_cancelled")
        elif one.unfinished() or any(decision.in_grace for decision in one.decisions):
            assert (status, answer["code"]) == (409, "item_open")
        elif judges >= set(PEOPLE):
            assert (status, answer["code"]) == (409, "nobody_else")
        else:
            assert status == 201, answer
            one.state, one.round = "queued", one.round + 1
            self.meet_tasks(one, 1, "appeal", excluded=judges)

    # -- people take tasks, and hand them on --------------------------------------------------------------------------

    @rule(who=some.sampled_from(PEOPLE))
    def claim(self, who: str) -> None:
        task = self.held(who)
        if task is None:
            takes = [t for t in self.tasks() if t.state == "open" and not t.put_off and self.may_take(who, t)]
            task = min(takes, key=lambda one: one.order, default=None)
        status, piece = self.call(who, "POST", f"/queues/{self.slug}/claims")
        if task is None:
            assert status == 204, piece
            return
        assert status == 201, f"{who} was to get {task}"
        if task.state == "open" or task.lapsed:
            self.take(task, who)
        self.given(task, piece)

    def take(self, task: Task, who: str) -> None:
        task.state, task.holder, task.fence, task.lapsed = "claimed", who, task.fence + 1, False
        self.claims.append((task, task.fence, who))

    def given(self, task: Task, piece: Any) -> None:
        assert (piece["task"]["id"], piece["claim"]["fence"]) == (task.id, task.fence)
        assert piece["draft"] == self.drafts.get((task.id, str(task.holder)))

    def anybody_holds(self) -> bool:
        return any(task.state == "claimed" for task in self.tasks())

    def a_held_one(self, pick: int) -> Task:
        return chosen([task for task in self.tasks() if task.state == "claimed"], pick)

    @precondition(anybody_holds)
    @rule(pick=some.integers(0, 99), says=some.sampled_from(list(SAYS)))
    def draft(self, pick: int, says: str) -> None:
        task = self.a_held_one(pick)
        body = {**SAYS[says], "comment": f"draft {pick}"}
        path = f"/claims/{task.id}.{task.fence}/draft"
        assert self.call(str(task.holder), "PUT", path, {"body": body})[0] == 204
        self.drafts[task.id, str(task.holder)] = body

    @precondition(anybody_holds)
    @rule(pick=some.integers(0, 99))
    def pause(self, pick: int) -> None:
        task = self.a_held_one(pick)
        assert self.act_on(task, "release")[0] == 204
        open_again(task)

    @precondition(anybody_holds)
    @rule(pick=some.integers(0, 99))
    def lease_is_over(self, pick: int) -> None:
        task = self.a_held_one(pick)
        self.time_passes("UPDATE task SET lease_until = created_at WHERE id = :id", task.id)
        task.lapsed = True

    @precondition(lambda self: any(task.lapsed for task in self.tasks()))
    @rule()
    def the_relay_returns_what_is_over(self) -> None:
        self.duty(returning.return_expired)
        for task in self.tasks():
            if task.lapsed:
                open_again(task)

    @precondition(anybody_holds)
    @rule(pick=some.integers(0, 99))
    def skip(self, pick: int) -> None:
        task = self.a_held_one(pick)
        who = str(task.holder)
        status, problem = self.act_on(task, "skip")
        if task.lapsed:
            assert (status, problem["code"]) == (409, "lease_lost")
            return
        assert status == 204, problem
        judges = task.item.judges(task)
        task.excluded.add(who)
        task.skipped.add(who)
        to_leads = not task.for_leads and (len(task.skipped) >= 3 or not set(PEOPLE) - task.excluded)
        leads = LEADS - judges
        task.for_leads = task.for_leads or (to_leads and bool(leads))
        again = (leads or task.excluded - judges) if to_leads or task.for_leads else set()
        if again and again <= task.excluded:
            task.excluded -= again
            task.skipped -= again
            task.put_off = True
        open_again(task)
        self.leave_the_others(task, who)

    @precondition(anybody_holds)
    @rule(pick=some.integers(0, 99))
    def escalate(self, pick: int) -> None:
        task = self.a_held_one(pick)
        who = str(task.holder)
        status, problem = self.act_on(task, "escalation")
        if task.lapsed:
            assert (status, problem["code"]) == (409, "lease_lost")
        elif task.for_leads:
            assert (status, problem["code"]) == (409, "already_escalated")
        elif not LEADS - {who} - task.item.judges(task):
            assert (status, problem["code"]) == (409, "no_lead")
        else:
            assert status == 204, problem
            task.for_leads = True
            # Whoever has skipped it is asked once more: it is their authority that is wanted.
            if task.excluded >= LEADS - {who} - task.item.judges(task):
                task.excluded -= LEADS - task.item.judges(task)
                task.skipped -= LEADS - task.item.judges(task)
            open_again(task)
            self.leave_the_others(task, who)

    @precondition(lambda self: any(task.put_off for task in self.tasks()))
    @rule()
    def ten_minutes_pass(self) -> None:
        for task in self.tasks():
            self.time_passes("UPDATE task SET available_at = created_at WHERE id = :id", task.id)
            task.put_off = False

    def leave_the_others(self, task: Task, who: str) -> None:
        """Whoever has decided one of an item's tasks, or handed it on, takes none of the others."""
        for other in task.item.unfinished(but=task):
            self.restrict(other, other.excluded | {who})

    def restrict(self, task: Task, excluded: set[str]) -> None:
        if task.for_leads and not LEADS - excluded:
            task.for_leads = False
        judges = task.item.judges(task)
        if not task.for_leads and not set(PEOPLE) - excluded and excluded - judges:
            excluded, task.put_off = excluded & judges, True
        task.excluded = excluded

    # -- people decide ------------------------------------------------------------------------------------------------

    @precondition(lambda self: any(task.state == "claimed" and not task.lapsed for task in self.tasks()))
    @rule(pick=some.integers(0, 99), says=some.sampled_from(list(SAYS)), grace=some.booleans())
    def decide(self, pick: int, says: str, grace: bool) -> None:
        task = chosen([task for task in self.tasks() if task.state == "claimed" and not task.lapsed], pick)
        who, one = str(task.holder), task.item
        if grace:
            decided = self.world.decide_in_grace(self.members[who], f"{task.id}.{task.fence}", **SAYS[says])
            decision_id, resolution = decided.decision_id, decided.resolution
        else:
            status, answer = self.act_on(task, "decision", **SAYS[says])
            assert status == 200, answer
            decision_id, resolution = answer["decision"]["id"], answer["resolution"]
        decision = Decision(decision_id, task, who, task.fence, says, in_grace=grace)
        one.decisions.append(decision)
        task.state, task.holder, task.last_holder = "done", None, who
        self.drafts.pop((task.id, who), None)
        self.leave_the_others(task, who)
        if grace:
            one.state = "in_review" if one.state == "queued" else one.state
            assert resolution is None
        else:
            self.take_effect(decision)
            assert (resolution is not None) == (one.revision > 0)

    @precondition(lambda self: self.in_grace())
    @rule(pick=some.integers(0, 99))
    def undo(self, pick: int) -> None:
        decision = chosen(self.in_grace(), pick)
        task, who, one = decision.task, decision.person, decision.task.item
        status, piece = self.call(who, "POST", f"/decisions/{decision.id}/withdrawal")
        assert status == 200, piece
        decision.in_grace, decision.withdrawn = False, True
        if one.state == "in_review" and not one.deciders():
            one.state = "queued"
        for other in one.unfinished(but=task):
            self.restrict(other, other.excluded - {who})
        said = {name: SAYS[decision.says].get(name) for name in ("output", "reason")}
        verdict = SAYS[decision.says].get("verdict", "override")
        said["output"] = {"label": "lost_card"} if verdict == "approve" else said["output"]
        words = {"comment": None, "message": None, "suggested_label": None}
        self.drafts[task.id, who] = {"verdict": verdict, **said, **words}
        held = self.held(who)
        if held is not None:
            open_again(held)
        self.take(task, who)
        self.given(task, piece)

    @precondition(lambda self: any(not one.in_grace for one in self.all_decisions()))
    @rule(pick=some.integers(0, 99))
    def undo_too_late_or_again(self, pick: int) -> None:
        decision = chosen([one for one in self.all_decisions() if not one.in_grace], pick)
        task, who = decision.task, decision.person
        status, answer = self.call(who, "POST", f"/decisions/{decision.id}/withdrawal")
        if decision.withdrawn and task.state == "claimed" and task.holder == who and not task.lapsed:
            assert status == 200, "the claim that it gave the first time"
            self.given(task, answer)
        else:
            assert (status, answer["code"]) == (409, "grace_over")

    @precondition(lambda self: self.in_grace())
    @rule(pick=some.integers(0, 99))
    def grace_is_over(self, pick: int) -> None:
        decision = chosen(self.in_grace(), pick)
        statement = (
            "UPDATE pending_release SET releases_at ="
            " (SELECT decided_at FROM decision WHERE id = decision_id) WHERE decision_id = :id"
        )
        self.time_passes(statement, decision.id)
        self.duty(settling.settle_due)
        decision.in_grace = False
        self.take_effect(decision)

    @precondition(lambda self: any(not is_live(*claim) for claim in self.claims))
    @rule(pick=some.integers(0, 99), says=some.sampled_from(list(SAYS)))
    def decide_with_a_claim_that_is_no_more(self, pick: int, says: str) -> None:
        task, fence, who = chosen([claim for claim in self.claims if not is_live(*claim)], pick)
        status, answer = self.call(who, "POST", f"/claims/{task.id}.{fence}/decision", SAYS[says])
        mine = [one for one in task.item.decisions if (one.task, one.fence, one.person) == (task, fence, who)]
        earlier = next((one for one in mine if not one.withdrawn), None)
        if earlier is not None and task.state == "done" and earlier.says == says:
            assert (status, answer["decision"]["id"]) == (200, earlier.id), "a repeated decision is the first one"
            return
        assert status == 409, answer
        if earlier is not None and task.state == "done":
            assert answer["code"] == "already_decided"
        self.drafts[task.id, who] = SAYS[says]
        counts = task.state == "cancelled" and task.item.state in ENDED - {"cancelled"} and earlier is None
        if counts and task.last_holder == who and task.fence == fence + 1:
            (found,) = self.rows("SELECT id FROM decision WHERE task_id = :id AND late ORDER BY id", task.id)
            task.item.decisions.append(Decision(found[0], task, who, fence, says, late=True))

    # -- what decisions amount to -------------------------------------------------------------------------------------

    def take_effect(self, decision: Decision) -> None:
        task, one = decision.task, decision.task.item
        if task.kind == "audit" and one.state == "auto_approved" and decision.says == "approve":
            return
        if task.kind == "review" and one.reviews > 1:
            self.count(one, task)
        else:
            self.end(one, "resolved")

    def count(self, one: Item, task: Task) -> None:
        if one.state in ENDED or one.round != task.round:
            return
        given = [d for d in one.decisions if d.stands and not d.in_grace and d.task.kind == "review"]
        says = [d.says for d in given if d.task.round == one.round]
        most = max(says.count(word) for word in says)
        winners = {word for word in says if says.count(word) == most}
        if most > 1 and len(winners) == 1:
            for other in one.decisions:
                other.in_grace = False
            self.end(one, "resolved")
            return
        one.state = "in_review"
        if len(says) >= one.reviews and not one.unfinished():
            ties = len(says) == one.reviews and self.on_disagreement == "tie_break"
            excluded = one.deciders()
            for_leads = not ties and self.adjudicator == "lead" and bool(LEADS - excluded)
            self.meet_tasks(one, 1, "review" if ties else "adjudication", excluded=excluded, for_leads=for_leads)

    def end(self, one: Item, state: str) -> None:
        one.state, one.revision = state, one.revision + 1
        for task in one.unfinished():
            task.state, task.last_holder, task.holder = "cancelled", task.holder, None
            task.fence, task.lapsed = task.fence + 1, False

    # -- what holds after every step ----------------------------------------------------------------------------------

    @invariant()
    def the_rows_are_the_models(self) -> None:
        if not self.items:
            return
        found = self.rows("SELECT id, state, revision, round FROM item WHERE id > :id")
        assert {row[0]: row[1:] for row in found} == {
            one.id: (one.state, one.revision, one.round) for one in self.items
        }
        found = self.rows("SELECT id, kind, round, state, holder, fence FROM task WHERE item_id > :id")
        named = {row[0]: (*row[1:4], self.name_of.get(row[4]), row[5]) for row in found}
        assert named == {task.id: task.row for task in self.tasks()}
        found = self.rows("SELECT id, task_id, withdrawn_at, late FROM decision WHERE item_id > :id")
        assert {row[0]: (row[1], row[2] is not None, bool(row[3])) for row in found} == {
            one.id: (one.task.id, one.withdrawn, one.late) for one in self.all_decisions()
        }
        drafts = "SELECT task_id, person_id, body FROM draft JOIN task ON task.id = task_id WHERE item_id > :id"
        found = self.rows(drafts)
        assert {(row[0], self.name_of[row[1]]): json.loads(row[2]) for row in found} == self.drafts

    @invariant()
    def the_events_tell_the_rows(self) -> None:
        assert faults(self.world.engine, quiet=False, after=self.before) == []

    @invariant()
    def somebody_can_take_what_waits(self) -> None:
        for task in self.tasks():
            if task.state == "open" and set(PEOPLE) - task.item.judges(task):
                assert any(self.may_take(who, task) for who in PEOPLE), f"nobody can ever take {task}"


def chosen(among: list[Any], pick: int) -> Any:
    return among[pick % len(among)]


def open_again(task: Task) -> None:
    task.state, task.last_holder, task.holder, task.lapsed = "open", task.holder, None, False


def is_live(task: Task, fence: int, who: str) -> bool:
    return task.state == "claimed" and (task.fence, task.holder) == (fence, who) and not task.lapsed


@pytest.fixture
def world(app: Flask, cast: Cast, settings: config.Settings, redis_url: str) -> Iterator[World]:
    engine = create_engine(settings.database_url, poolclass=NullPool)
    yield World(app, cast, redis_url, engine)
    engine.dispose()


@pytest.mark.parametrize("examples", [12, pytest.param(1_000, marks=[pytest.mark.soak, pytest.mark.timeout(3600)])])
def test_an_item_lives_as_the_model_says(world: World, examples: int):
    seed = int(os.environ.get("REVIEWQUEUE_TEST_SEED") or 1)
    print(f"seed {seed}: another with REVIEWQUEUE_TEST_SEED={seed + 1}")
    settings = hypothesis.settings(
        max_examples=examples, stateful_step_count=40, deadline=None, database=None,
        suppress_health_check=list(hypothesis.HealthCheck), print_blob=False,
        phases=[hypothesis.Phase.generate, *([hypothesis.Phase.shrink] if examples > 100 else [])],
    )  # fmt: skip
    run_state_machine_as_test(hypothesis.seed(seed)(lambda: Life(world)), settings=settings)
