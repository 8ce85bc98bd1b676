"""Actions on many items: what the preview says is what is done, each once, on both databases."""

from __future__ import annotations

import re
from typing import Any

import pytest
from sqlalchemy import func, select, update
from sqlalchemy import text as sql

from reviewqueue.core import background
from reviewqueue.core.db import clock, read_session
from reviewqueue.errors import Conflict, Forbidden
from reviewqueue.models import AuditEvent, Bulk, BulkItem, Item, Notice, OutboxRow, Resolution, Task
from reviewqueue.models.states import BulkAction, BulkOutcome, BulkState, ItemState, TaskState
from reviewqueue.review import finding
from reviewqueue.review.assigning import assign, prioritise
from reviewqueue.review.bulk import actions, previewing, running
from reviewqueue.review.claims.returning import take_back
from reviewqueue.review.jobs import run_bulk
from tests.fixtures.noscript import Desk
from tests.fixtures.people import item


class Many:
    """Items of `intents`, and Bob, who leads it."""

    def __init__(self, app: Any, client: Any, cast: Any, transaction: Any) -> None:
        self.app, self.client, self.cast, self.transaction = app, client, cast, transaction
        self.bob = Desk(app, cast.bob)
        self.id = ""

    def submit(self, count: int, **more: Any) -> list[str]:
        found = []
        for number in range(count):
            body = {**item(number), **more}
            answer = self.client.post("/api/v1/items", json=body, headers=self.cast.submitter.bearer)
            found.append(answer.json["id"])
        return found

    def claim(self, who: Any) -> Any:
        return self.client.post("/api/v1/queues/intents/claims", headers=who.bearer).json

    def decide(self, who: Any) -> str:
        held = self.claim(who)
        body = {"fence": held["claim"]["fence"], "verdict": "approve"}
        self.client.post(f"/api/v1/claims/{held['claim']['id']}/decision", json=body, headers=who.bearer)
        return str(held["item"]["id"])

    def preview(self, action: str, items: list[str] | None = None, **more: Any) -> str:
        data = {"action": action, **({"item": items} if items is not None else {"which": "all"}), **more}
        self.bob.post("/queues/intents/bulk", data)
        self.id = self.bob.address.rpartition("/")[2]
        return str(self.bob.page)

    def confirm(self) -> str:
        self.bob.post(f"/bulk/{self.id}/confirmation")
        return str(self.bob.page)

    def outcomes(self) -> dict[str, int]:
        query = select(BulkItem.outcome, func.count()).where(BulkItem.bulk_id == self.id).group_by(BulkItem.outcome)
        return {str(outcome): count for outcome, count in self.read(query)}

    def read(self, query: Any) -> list[Any]:
        with self.app.app_context(), read_session() as session:
            return list(session.execute(query))

    def tasks(self, *items: str) -> list[Any]:
        return [row[0] for row in self.read(select(Task).where(Task.item_id.in_(items)).order_by(Task.id))]

    def events(self, action: str) -> int:
        return int(self.read(select(func.count()).where(AuditEvent.action == action))[0][0])


@pytest.fixture
def many(app: Any, client: Any, cast: Any, transaction: Any) -> Many:
    return Many(app, client, cast, transaction)


def text(page: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def test_what_the_preview_says_is_given_once_and_told_once(many):
    items = many.submit(4)
    decided = many.decide(many.cast.alice)
    held = many.claim(many.cast.carol)["item"]["id"]
    page = text(many.preview("assign", person=many.cast.alice.id))
    assert "Give 3 items to Alice alone" in page
    assert "1 item of them is in somebody’s hands" in page
    assert "waits for nobody 1" in page
    assert all(task.assignee is None for task in many.tasks(*items))
    for _ in range(2):
        many.confirm()
    assert many.outcomes() == {"done": 3, "skipped": 1}
    others = set(items) - {decided}
    assert {task.assignee for task in many.tasks(*others)} == {many.cast.alice.id}
    assert [task.state for task in many.tasks(held)] == [TaskState.OPEN]
    assert many.events("task.assigned") == 3
    assert many.events("bulk.confirmed") == 1
    assert len(many.read(select(Notice.id).where(Notice.person_id == many.cast.alice.id))) == 1
    assert "is theirs already" in text(many.preview("assign", person=many.cast.alice.email))
    assert "<h1>Nothing would change</h1>" in many.bob.page


def test_priorities_are_set_and_the_next_claim_follows_them(many):
    items = many.submit(3)
    many.preview("prioritise", [items[2]], priority="9")
    many.confirm()
    assert many.claim(many.cast.alice)["item"]["id"] == items[2]
    page = text(many.preview("prioritise", priority="9"))
    assert "Give 2 items the priority 9" in page
    assert "has that priority already 1" in page


def test_what_people_hold_is_taken_back_and_their_claim_is_lost(many):
    many.submit(3)
    claims = [many.claim(who)["claim"] for who in (many.cast.alice, many.cast.carol)]
    assert "in nobody&#39;s hands" in many.preview("release")
    many.confirm()
    assert many.outcomes() == {"done": 2, "skipped": 1}
    body = {"fence": claims[0]["fence"], "verdict": "approve"}
    answer = many.client.post(f"/api/v1/claims/{claims[0]['id']}/decision", json=body, headers=many.cast.alice.bearer)
    assert (answer.status_code, answer.json["code"]) == (409, "lease_lost")
    assert many.events("task.taken_back") == 2
    task_id = claims[0]["id"].partition(".")[0]
    with many.transaction() as session:
        for operation, more in ((take_back, {}), (prioritise, {"priority": 1}), (assign, {"person": None})):
            with pytest.raises(Forbidden):
                operation(session=session, actor=many.cast.alice.actor, task_id=task_id, **more)
        with pytest.raises(Conflict):
            take_back(session=session, actor=many.cast.bob.actor, task_id=task_id)


def test_closed_items_end_without_an_answer_and_decided_ones_stay(many):
    items = many.submit(3)
    decided = many.decide(many.cast.alice)
    many.bob.post("/queues/intents/bulk", {"action": "close", "which": "all"})
    assert "Say why." in many.bob.page
    page = text(many.preview("close", reason="Sent by mistake"))
    assert "Close 2 items without an answer" in page
    many.confirm()
    rows = many.read(select(Item.id, Item.state, Resolution.by, Resolution.message).join(Resolution))
    told = {row.id: (row.state, row.by, row.message) for row in rows}
    closed = ItemState.CANCELLED, "cancelled", "Sent by mistake"
    assert {told[item_id] for item_id in set(items) - {decided}} == {closed}
    assert told[decided][1] == "people"
    page = text(many.preview("reopen", reason="Wrong label"))
    assert "Have 1 item judged once more" in page
    assert "was withdrawn or closed, which is final 2" in page
    many.confirm()
    assert [task.kind for task in many.tasks(decided) if task.state is TaskState.OPEN] == ["appeal"]


def test_many_are_done_by_jobs_that_may_run_twice_and_what_changed_meanwhile_is_listed(many, monkeypatch):
    monkeypatch.setattr(running, "AT_ONCE", 2)
    monkeypatch.setattr(running, "BATCH", 2)
    items = many.submit(5)
    many.preview("assign", person=many.cast.alice.id)
    with many.transaction() as session:
        session.execute(update(Task).where(Task.item_id == items[3]).values(state="cancelled"))
    assert 'data-refresh="2"' in many.confirm()
    assert many.outcomes() == {"pending": 5}
    rows = many.read(select(OutboxRow.id).where(OutboxRow.topic == running.RUN))
    assert len(rows) == 1
    with many.app.app_context():
        for _ in range(2):
            background.run("reviewqueue.review.jobs.run_bulk", [rows[0][0]], long=True)
            run_bulk(ref=many.id, renew=lambda **_: None)
    assert many.outcomes() == {"done": 4, "failed": 1}
    page = many.bob.get(f"/bulk/{many.id}").text
    assert "Nothing of it waits that they may take." in page
    assert "data-refresh" not in page
    assert many.events("bulk.done") == 1
    assert f'href="/bulk/{many.id}">Give to a person' in many.bob.get("/queues/intents/items").text


def test_who_is_no_lead_any_more_changes_nothing(many, monkeypatch):
    monkeypatch.setattr(running, "AT_ONCE", 0)
    items = many.submit(2)
    many.preview("prioritise", priority="5")
    many.confirm()
    with many.transaction() as session:
        monkeypatch.setattr(running, "actor_of_person", lambda *_: many.cast.alice.actor)
        assert running.work_off(session=session, bulk_id=many.id) is False
    assert {task.priority for task in many.tasks(*items)} == {0}
    assert [row[0] for row in many.read(select(Bulk.state))] == [BulkState.FAILED]
    assert many.outcomes() == {"pending": 2}


def test_only_whoever_prepared_it_confirms_and_old_previews_are_forgotten(many):
    many.submit(1)
    many.preview("prioritise", priority="5")
    otto, alice = Desk(many.app, many.cast.auditor), Desk(many.app, many.cast.alice)
    assert "Only whoever prepared it" in otto.get(f"/bulk/{many.id}").text
    assert otto.post(f"/bulk/{many.id}/confirmation").status_code == 404
    assert alice.get(f"/bulk/{many.id}").status_code == 404
    with many.transaction() as session:
        assert previewing.forget_unconfirmed(session=session) == 0
        session.execute(update(Bulk).values(created_at=clock(-90_000)))
        assert previewing.forget_unconfirmed(session=session) == 1
    assert many.outcomes() == {}


def test_it_takes_so_many_and_says_that_there_are_more(many, monkeypatch):
    monkeypatch.setattr(previewing, "MOST", 2)
    items = many.submit(3)
    page = many.preview("prioritise", priority="5")
    assert "the newest of them" in page
    many.confirm()
    assert [task.priority for task in many.tasks(*items)] == [0, 5, 5]
    assert many.outcomes() == {str(BulkOutcome.DONE): 2}


def test_nobody_waits_for_the_search_of_all_that_match(many, monkeypatch):
    items = many.submit(3)
    monkeypatch.setattr(finding, "LOOKED_AT", 1)
    searched = finding._Look.rows

    def rows(*arguments: Any) -> Any:
        # Another writer, while the search is under way.
        with many.transaction() as session:
            session.execute(update(Task).where(Task.item_id == items[0]).values(priority=Task.priority + 1))
        return searched(*arguments)

    monkeypatch.setattr(finding._Look, "rows", rows)
    many.preview("release")
    assert many.outcomes() == {"skipped": 3}
    assert many.tasks(items[0])[0].priority >= 3


def test_an_action_whose_job_was_given_up_fails_and_goes_on_past_what_broke_it(many, monkeypatch):
    monkeypatch.setattr(running, "AT_ONCE", 0)
    items = sorted(many.submit(4))
    many.preview("prioritise", priority="5")
    many.confirm()
    change = actions._ACTS[BulkAction.PRIORITISE]

    def breaks(session: Any, actor: Any, wanted: Any, item_id: str, tasks: list[Any]) -> None:
        if item_id == items[1]:
            raise RuntimeError("broken")
        change(session, actor, wanted, item_id, tasks)

    monkeypatch.setitem(actions._ACTS, BulkAction.PRIORITISE, breaks)
    waiting = select(OutboxRow.id).where(OutboxRow.topic == running.RUN)
    [[row_id]] = many.read(waiting)
    with many.app.app_context():
        for _ in range(background.MOST_ATTEMPTS):
            background.run("reviewqueue.review.jobs.run_bulk", [row_id], long=True)
    assert many.outcomes() == {"done": 1, "pending": 3}
    for _ in range(2):
        with many.transaction() as session:
            running.fail_given_up(session=session)
    page = text(many.bob.get(f"/bulk/{many.id}").text)
    assert "The work failed ten times (RuntimeError). What was changed stays." in page
    assert "2 items were not tried." in page
    assert many.outcomes() == {"done": 1, "failed": 1, "pending": 2}
    assert many.read(waiting) == []
    assert Desk(many.app, many.cast.admin).post(f"/bulk/{many.id}/resumption").status_code == 404
    for _ in range(2):
        many.bob.post(f"/bulk/{many.id}/resumption")
    assert many.events("bulk.resumed") == 1
    [[row_id]] = many.read(waiting)
    with many.app.app_context():
        background.run("reviewqueue.review.jobs.run_bulk", [row_id], long=True)
    assert [task.priority for task in many.tasks(*items)] == [5, 0, 5, 5]
    assert [row[0] for row in many.read(select(Bulk.state))] == [BulkState.DONE]


def test_old_previews_go_little_by_little_and_cannot_be_confirmed_meanwhile(many, monkeypatch, database):
    monkeypatch.setattr(previewing, "FORGOTTEN_AT_ONCE", 2)
    many.submit(3)
    many.preview("prioritise", priority="5")
    with many.transaction() as session:
        session.execute(update(Bulk).values(created_at=clock(-90_000)))
    if database == "postgresql":
        with many.transaction() as confirming, many.transaction() as session:
            confirming.execute(update(Bulk).values(confirmed_at=clock()))
            session.execute(sql("SET LOCAL lock_timeout = '1s'"))
            assert previewing.forget_unconfirmed(session=session) == 0
    with many.transaction() as session:
        assert previewing.forget_unconfirmed(session=session) == 1
    assert many.outcomes() == {"pending": 1}
    assert "more than a day old" in many.confirm()
    assert many.outcomes() == {"pending": 1}
    with many.transaction() as session:
        assert [previewing.forget_unconfirmed(session=session) for _ in range(2)] == [1, 0]
    assert many.read(select(Bulk.id)) == []
