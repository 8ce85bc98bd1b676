"""The grid: several claims of one person, each a claim like any other."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, update

from reviewqueue.core.db import clock, read_session, write_session
from reviewqueue.errors import Conflict
from reviewqueue.models import AuditEvent, Decision, Draft, Task
from reviewqueue.models.lanes import lane_of
from reviewqueue.models.states import Audience, TaskState
from reviewqueue.queues.applying import apply
from reviewqueue.queues.catalog import queue_by_id
from reviewqueue.queues.configuration import parse
from reviewqueue.review import edge, grid
from reviewqueue.review.claims import returning, taking
from tests.desk_steps import claim, submit
from tests.fixtures.people import INTENTS, OPERATOR, PASSWORD, Cast, Member


def signed_in(app: Flask, who: Member) -> Any:
    client = app.test_client()
    client.post("/login", data={"email": who.email, "password": PASSWORD})
    return client


def held(app: Flask, who: Member) -> dict[int, str]:
    with app.app_context(), read_session() as session:
        return grid.in_hand(session=session, actor=who.actor, slug="intents")[1]


def rows_of(model: Any, app: Flask, *conditions: Any) -> list[Any]:
    with app.app_context(), read_session() as session:
        return list(session.scalars(select(model).where(*conditions).order_by(model.id)))


def form_of(claims_held: dict[int, str], **rows: dict[str, str]) -> dict[str, Any]:
    """The form without a script: `row1={"do": …}` are the fields of seat 1."""
    fields: dict[str, Any] = {"claim": list(claims_held.values())}
    for name, values in rows.items():
        claim_id = claims_held[int(name[3:])]
        fields.update({f"{claim_id}:{key}": value for key, value in values.items()})
    return fields


def test_rows_are_claims_of_their_own_and_the_desk_has_one_beside_them(app: Flask, cast: Cast, client: Any) -> None:
    for number in range(25):
        submit(client, cast, input={"text": f"Question {number}"})
    at_desk = claim(client, cast.alice)["claim"]["id"]
    page = signed_in(app, cast.alice)
    assert page.get("/queues/intents/grid").text.count("grid-row") == 0, "nothing is claimed by looking"
    assert page.post("/queues/intents/grid").status_code == 303
    mine = held(app, cast.alice)
    assert list(mine) == list(range(1, 21))
    assert page.post("/queues/intents/grid").status_code == 303
    assert held(app, cast.alice) == mine, "twice changes nothing"
    assert claim(client, cast.alice)["claim"]["id"] == at_desk
    other = signed_in(app, cast.carol)
    other.post("/queues/intents/grid")
    assert len(held(app, cast.carol)) == 4
    assert claim(client, cast.carol) is None, "a row is nothing to go on with at the desk"
    tasks = rows_of(Task, app, Task.state == TaskState.CLAIMED)
    assert Counter(task.holder for task in tasks) == {cast.alice.id: 21, cast.carol.id: 4}
    events = rows_of(AuditEvent, app, AuditEvent.action == "task.claimed")
    assert Counter(event.subject for event in events) == {task.id: 1 for task in tasks}
    assert page.post("/queues/intents/grid/renewal").json == {"claims": list(mine.values())}
    assert page.post("/queues/intents/grid/release").status_code == 303
    assert (len(held(app, cast.alice)), len(rows_of(Task, app, Task.holder == cast.alice.id))) == (0, 1)


def test_two_requests_at_once_cannot_take_one_seat_twice(app: Flask, cast: Cast, client: Any) -> None:
    submit(client, cast)
    submit(client, cast, input={"text": "Another"})
    with app.app_context():
        edge.claiming(lambda session: grid.take(session=session, actor=cast.alice.actor, slug="intents", most=1))
        with pytest.raises(Conflict, match="same moment"):
            edge.claiming(
                lambda session: taking._lease(
                    session, cast.alice.actor, queue_by_id(session, cast.queue_id), taking._TAKE_ONE,
                    {"task_id": _open(session), "in_lane": ""}, 1,
                )
            )  # fmt: skip


def _open(session: Any) -> str:
    return str(session.scalar(select(Task.id).where(Task.state == TaskState.OPEN)))


def test_without_a_script_each_row_is_decided_or_left_and_nothing_typed_is_lost(
    app: Flask, cast: Cast, client: Any
) -> None:
    for number in range(5):
        submit(client, cast, input={"text": f"Question {number}"})
    page = signed_in(app, cast.alice)
    page.post("/queues/intents/grid")
    mine = held(app, cast.alice)
    tasks = {seat: claim_id.partition(".")[0] for seat, claim_id in mine.items()}
    refund = {"choice": '"refund"'}
    with app.app_context(), write_session() as session:
        returning.release(session=session, actor=cast.alice.actor, claim_id=mine[4])
    answer = page.post("/queues/intents/grid/decisions", data=form_of(
        mine, row1={"do": "decide", "choice": '"lost_card"'}, row2={"do": "decide", **refund}, row3={"do": "reject"},
        row4={"do": "decide", **refund}, row5={"do": "leave", **refund},
    ))  # fmt: skip
    assert answer.status_code == 422
    states = re.findall(r'class="grid-row (\w+)', answer.text)
    assert states == ["saved", "saved", "refused", "lost", "open"]
    assert "is required with reject" in answer.text
    decided = {row.task_id: (row.verdict, json.loads(row.output)) for row in rows_of(Decision, app)}
    assert decided == {tasks[1]: ("approve", {"label": "lost_card"}), tasks[2]: ("override", {"label": "refund"})}
    assert {row.subject for row in rows_of(AuditEvent, app, AuditEvent.action == "task.decided")} == set(decided)
    with app.app_context(), read_session() as session:
        drafts = {row.task_id: json.loads(row.body)["output"] for row in session.scalars(select(Draft))}
    assert drafts == {tasks[4]: {"label": "refund"}, tasks[5]: {"label": "refund"}}
    shown = page.get("/queues/intents/grid").text
    assert re.search(r'<option value="&#34;refund&#34;"[^>]*selected', shown)
    again = page.post("/queues/intents/grid/decisions", data=form_of(mine, row1={"do": "decide"}))
    assert again.status_code == 200, "the same again is the first one"
    assert len(rows_of(Decision, app)) == 2


def test_what_is_typed_is_kept_whichever_button_sends_the_form(app: Flask, cast: Cast, client: Any) -> None:
    for number in range(3):
        submit(client, cast, input={"text": f"Question {number}"})
    page = signed_in(app, cast.alice)
    page.post("/queues/intents/grid")
    mine = held(app, cast.alice)
    tasks = {seat: claim_id.partition(".")[0] for seat, claim_id in mine.items()}

    def kept() -> dict[str, str]:
        with app.app_context(), read_session() as session:
            return {row.task_id: json.loads(row.body)["output"]["label"] for row in session.scalars(select(Draft))}

    # A row that is refused, and one that waits for its button.
    refused = {"do": "reject", "choice": '"refund"'}
    shown = page.post("/queues/intents/grid/decisions", data=form_of(mine, row1=refused))
    assert kept() == {tasks[1]: "refund"}
    more, back = (
        re.search(rf'formaction="([^"]+)"[^>]*>{name}', shown.text) for name in ("Next rows", "Hand the rest")
    )
    assert more
    assert back
    marked = {"do": "decide", "choice": '"refund"'}
    after = page.post(more[1], data=form_of(mine, row1={"choice": '"lost_card"'}, row2=marked), follow_redirects=True)
    assert kept() == {tasks[1]: "lost_card", tasks[2]: "refund"}, "what was taken back is not typed any more"
    assert "Marked rows are decided by" in after.text
    assert rows_of(Decision, app) == []
    page.post(back[1], data=form_of(mine, row3={"choice": '"refund"'}))
    assert held(app, cast.alice) == {}
    assert kept() == {tasks[1]: "lost_card", tasks[2]: "refund", tasks[3]: "refund"}


def test_a_row_that_cannot_be_shown_ends_no_other(app: Flask, cast: Cast, client: Any) -> None:
    for number in range(3):
        submit(client, cast, input={"text": f"Question {number}"})
    page = signed_in(app, cast.alice)
    page.post("/queues/intents/grid")
    mine = held(app, cast.alice)
    with app.app_context(), write_session() as session:
        given = {"state": "open", "holder": None, "lease_until": None, "audience": "lead", "lane": "lead||"}
        session.execute(update(Task).where(Task.id == mine[2].partition(".")[0]).values(**given))
    typed = {"do": "decide", "choice": '"refund"', "comment": "It is a refund"}
    answer = page.post(
        "/queues/intents/grid/decisions", data=form_of(mine, row1={"do": "decide"}, row2=typed, row3=typed)
    )
    assert re.findall(r'class="grid-row (\w+)', answer.text) == ["saved", "gone", "saved"]
    assert "It is a refund" in answer.text.partition('class="grid-row gone')[2].partition("</tbody>")[0]
    assert answer.status_code == 409
    assert len(rows_of(Decision, app)) == 2


def test_a_row_is_undone_into_a_free_seat(app: Flask, cast: Cast, client: Any) -> None:
    submit(client, cast)
    page = signed_in(app, cast.alice)
    page.post("/queues/intents/grid")
    only = held(app, cast.alice)[1]
    asked = {"headers": {"X-Desk": "1"}}
    sent = {"only": only, f"{only}:choice": '"refund"', f"{only}:do": "decide"}
    saved = page.post("/queues/intents/grid/decisions", data=sent, **asked)
    assert saved.status_code == 200
    assert saved.text.count("<tr") == 1
    submit(client, cast, input={"text": "Another"})
    page.post("/queues/intents/grid")
    decision = re.search(r'formaction="([^"]+)"', saved.text)
    assert decision
    back = page.post(decision[1], **asked)
    assert 'class="grid-row open changed"' in back.text
    assert list(held(app, cast.alice)) == [1, 2]
    assert rows_of(Decision, app, Decision.withdrawn_at.is_(None)) == []


def test_of_an_item_with_two_reviews_one_person_has_one_row(app: Flask, cast: Cast, client: Any) -> None:
    with app.app_context(), write_session() as session:
        apply(session=session, actor=OPERATOR, document={**INTENTS, "reviews": {"required": 2}})
    for number in range(3):
        submit(client, cast, input={"text": f"Question {number}"})
    signed_in(app, cast.alice).post("/queues/intents/grid")
    items = [task.item_id for task in rows_of(Task, app, Task.holder == cast.alice.id)]
    assert len(items) == len(set(items)) == 3


def test_the_desk_gives_no_review_of_an_item_of_which_another_is_in_the_grid(
    app: Flask, cast: Cast, client: Any
) -> None:
    with app.app_context(), write_session() as session:
        apply(session=session, actor=OPERATOR, document={**INTENTS, "reviews": {"required": 2}})
    first = submit(client, cast)["id"]
    with app.app_context():
        edge.claiming(lambda session: grid.take(session=session, actor=cast.alice.actor, slug="intents", most=1))
    assert claim(client, cast.alice) is None
    other = [task.id for task in rows_of(Task, app, Task.state == TaskState.OPEN)]
    page = signed_in(app, cast.alice)
    answer = page.post("/queues/intents/claims", data={"task": other[0]}, follow_redirects=True)
    assert "another review of this item in hand" in answer.text
    # Also where another lane has work that is less urgent.
    second = submit(client, cast, input={"text": "Another"})["id"]
    with app.app_context(), write_session() as session:
        lane = lane_of(audience=Audience.REVIEWER, assignee=None, excluded=[cast.carol.id])
        session.execute(update(Task).where(Task.item_id == second).values(lane=lane, priority=-1))
    assert page.get("/").status_code == 200
    held = client.post("/api/v1/claims", headers=cast.alice.bearer)
    assert held.json["item"]["id"] == second
    assert {task.item_id for task in rows_of(Task, app, Task.holder == cast.alice.id)} == {first, second}


def test_what_was_typed_into_a_second_review_of_an_item_is_kept(app: Flask, cast: Cast, client: Any) -> None:
    with app.app_context(), write_session() as session:
        apply(session=session, actor=OPERATOR, document={**INTENTS, "reviews": {"required": 2}})
    submit(client, cast)
    page = signed_in(app, cast.alice)
    page.post("/queues/intents/grid")
    with app.app_context(), write_session() as session:
        # As a claim that was taken before this was looked at.
        values = {"state": "claimed", "holder": cast.alice.id, "seat": 2, "lease_until": clock(60)}
        session.execute(update(Task).where(Task.state == TaskState.OPEN).values(**values))
    mine = held(app, cast.alice)
    refund = {"do": "decide", "choice": '"refund"'}
    answer = page.post("/queues/intents/grid/decisions", data=form_of(mine, row1=refund, row2=refund))
    assert re.findall(r'class="grid-row (\w+)', answer.text) == ["saved", "lost"]
    assert "Your draft is kept." in answer.text
    with app.app_context(), read_session() as session:
        kept = {row.task_id: json.loads(row.body)["output"] for row in session.scalars(select(Draft))}
    assert kept == {mine[2].partition(".")[0]: {"label": "refund"}}


def test_a_grid_holds_no_more_checks_than_a_calibration_has(app: Flask, cast: Cast, client: Any) -> None:
    with app.app_context(), write_session() as session:
        reviews = {"calibration": {"gold": 2, "correct": 0.5}}
        apply(session=session, actor=OPERATOR, document={**INTENTS, "reviews": reviews})
    for number in range(4):
        new = {"input": {"text": f"Known {number}"}, "output": {"label": "lost_card"}, "confidence": 0.4}
        body = {"new": new, "answer": {"label": "lost_card"}}
        client.post("/api/v1/queues/intents/gold", json=body, headers=cast.bob.bearer)
    submit(client, cast)
    page = signed_in(app, cast.alice)
    page.post("/queues/intents/grid")
    mine = held(app, cast.alice)
    assert len(mine) == 2
    refused = client.post("/api/v1/queues/intents/claims", headers=cast.alice.bearer)
    assert (refused.status_code, refused.json["code"]) == (403, "calibration_in_hand")
    page.post("/queues/intents/grid/decisions", data=form_of(mine, row1={"do": "decide"}, row2={"do": "decide"}))
    page.post("/queues/intents/grid")
    assert [task.kind for task in rows_of(Task, app, Task.holder == cast.alice.id)] == ["review"]


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"enum": ["a", "b"]}, True),
        ({"type": "string"}, True),
        ({"type": "object", "properties": {"total": {"type": "number"}, "paid": {"type": "boolean"}}}, True),
        ({"type": "object", "properties": {"lines": {"type": "array", "items": {"type": "string"}}}}, False),
        ({"type": "object", "properties": {f"field{n}": {"type": "string"} for n in range(7)}}, False),
    ],
)
def test_only_short_things_suit_a_grid(schema: dict[str, Any], expected: bool) -> None:
    config, _ = parse({"name": "q", "output_schema": schema, "routing": {"otherwise": "review"}}, final_say=True)
    assert grid.suits(config) is expected


def test_a_queue_that_needs_the_desk_has_no_grid(app: Flask, cast: Cast, client: Any) -> None:
    schema = {"type": "object", "properties": {"lines": {"type": "array", "items": {"type": "string"}}}}
    document = {"name": "intents", "output_schema": schema, "routing": {"otherwise": "review"}}
    with app.app_context(), write_session() as session:
        apply(session=session, actor=OPERATOR, document=document)
    page = signed_in(app, cast.alice)
    assert "has no grid" in page.get("/queues/intents/grid").text
    assert page.post("/queues/intents/grid").status_code == 409
