"""The desk without a script: forms and redirects alone, on both databases."""

from __future__ import annotations

import html
import json
import re
from typing import Any

import pytest
from sqlalchemy import select, update

from reviewqueue.core.access import Action
from reviewqueue.core.db import clock, read_session
from reviewqueue.core.http import checked
from reviewqueue.core.strictjson import dumps
from reviewqueue.intake.shapes import ItemShape
from reviewqueue.intake.submissions import submit
from reviewqueue.models import AuditEvent, Decision, Draft, Item, PendingRelease, Skip, Task
from reviewqueue.models.states import TaskState
from reviewqueue.queues.applying import apply
from reviewqueue.resolution.endings import expire_items
from reviewqueue.review.claims.returning import return_expired
from reviewqueue.review.settling import settle_due
from tests.fixtures.noscript import Desk
from tests.fixtures.people import OPERATOR, Cast, item

REPLIES: dict[str, Any] = {
    "name": "replies",
    "output_schema": {"type": "object", "required": ["reply"], "properties": {"reply": {"type": "string"}}},
    "routing": {"otherwise": "review"},
    "on_invalid_output": "review",
}
RECEIPTS: dict[str, Any] = {
    "name": "receipts",
    "output_schema": {
        "type": "object", "required": ["total"], "additionalProperties": False,
        "properties": {
            "total": {"type": "number", "maximum": 1000}, "company": {"type": "string"},
            "tags": {"type": "array", "items": {"type": "string"}},
        },
    },
    "routing": {"otherwise": "review"},
}  # fmt: skip


@pytest.fixture
def alice(app: Any, cast: Cast, transaction: Any) -> Desk:
    from reviewqueue.accounts import memberships
    from reviewqueue.models.states import QueueRole

    with transaction() as session:
        for document in (REPLIES, RECEIPTS):
            apply(session=session, actor=OPERATOR, document=document)
            for member in (cast.alice, cast.bob):
                role = QueueRole.LEAD if member is cast.bob else QueueRole.REVIEWER
                memberships.add(session=session, actor=OPERATOR, slug=document["name"], email=member.email, role=role)
    return Desk(app, cast.alice)


@pytest.fixture
def put(transaction: Any) -> Any:
    """Submit an item."""

    def submitted(queue: str, output: Any, **more: Any) -> str:
        body = {"queue": queue, "input": {"text": "Hello"}, "output": output, **more}
        with transaction() as session:
            answer = submit(session=session, actor=OPERATOR, body=checked(ItemShape, dumps(body).encode()))
        return str(answer.item_id)

    return submitted


@pytest.fixture
def kept(app: Any) -> Any:
    """All rows of a table, oldest first."""

    def rows(model: Any) -> list[Any]:
        with app.app_context(), read_session() as session:
            return list(session.scalars(select(model)))

    return rows


def verdicts(kept: Any) -> list[tuple[str, Any]]:
    return [(row.verdict.value, json.loads(row.output)) for row in sorted(kept(Decision), key=lambda row: row.id)]


def test_choices_are_decided_by_forms_and_redirects(alice, put, kept):
    for number in range(3):
        put(**{"queue": "intents", **item(number)})
    assert "3</b> <span" in alice.get("/").text
    alice.post("/queues/intents/claims")
    assert alice.address.startswith("/claims/")
    assert "Unsure: confidence 0.41, below 0.8" in alice.page
    assert re.search(r'value="&#34;lost_card&#34;" checked', alice.page)
    alice.send()
    alice.send(choice='"refund"', comment="one\r\ntwo", reason="two_intents")
    alice.send(verdict="reject", reason="no_label_fits", suggested_label="lost_pin")
    assert "Nothing waits here" in alice.page
    assert verdicts(kept) == [
        ("approve", {"label": "lost_card"}), ("override", {"label": "refund"}), ("reject", None),
    ]  # fmt: skip
    assert sorted(row.comment or "" for row in kept(Decision)) == ["", "", "one\ntwo"]
    assert {row.suggested_label for row in kept(Decision)} == {None, "lost_pin"}
    assert [row.seen for row in kept(Decision)] == [None] * 3, "without a script nobody can tell what was looked at"


def test_a_text_with_any_line_ends_is_approved_untouched(alice, put, kept):
    texts = ["one\ntwo", "one\r\ntwo\r\n", "\n\nlead", "  spaces  ", "a\rb", "<b>&amp;</b>"]
    for text in texts:
        put("replies", {"reply": text})
    alice.post("/queues/replies/claims")
    for _ in texts:
        alice.send()
    assert verdicts(kept) == [("approve", {"reply": text}) for text in texts]


def test_the_difference_is_shown_before_it_is_saved(alice, put, kept):
    put("replies", {"reply": "Dear Madam, it is done"})
    alice.post("/queues/replies/claims")
    alice.send("draft", text="Dear Sir, it is done")
    assert "<del>Madam</del>" in alice.page
    assert "<ins>Sir</ins>" in alice.page
    assert "Save correction" in alice.page
    alice.send()
    assert verdicts(kept) == [("edit", {"reply": "Dear Sir, it is done"})]
    assert kept(Draft) == []


def test_a_form_is_corrected_and_rows_added_by_buttons(alice, put, kept):
    put("receipts", {"total": 35.0, "tags": ["cash"]})
    alice.post("/queues/receipts/claims")
    alice.send("draft", add="rows/tags")
    alice.send(**{"f/tags/n2": "tea", "f/total": "33.90"})
    assert verdicts(kept) == [("edit", {"total": 33.9, "tags": ["cash", "tea"]})]


def test_a_refused_decision_says_what_is_wrong_beside_the_field_and_keeps_what_was_typed(alice, put, kept):
    put("receipts", {"total": 35.0})
    alice.post("/queues/receipts/claims")
    answer = alice.send(**{"f/total": "4000", "comment": "so it says"})
    assert answer.status_code == 422
    field = alice.page[alice.page.index('data-pointer="/total"') :][:1500]
    assert "maximum" in field
    assert 'value="4000"' in field
    assert "so it says" in alice.page
    assert alice.send(verdict="reject", **{"f/total": "4000"}).status_code == 422
    assert "is required with reject" in alice.page
    assert kept(Decision) == []


def test_an_item_without_output_starts_blank(alice, put, kept):
    put("replies", None, failure={"code": "timeout", "raw": "<half a> {"})
    alice.post("/queues/replies/claims")
    assert "The AI gave no usable output" in alice.page
    assert "&lt;half a&gt; {" in alice.page
    assert alice.send().status_code == 422
    alice.send(text="By hand")
    assert verdicts(kept) == [("override", {"reply": "By hand"})]


def test_a_lost_lease_keeps_what_was_typed_as_a_draft(alice, put, kept, transaction):
    put("replies", {"reply": "Dear"})
    alice.post("/queues/replies/claims")
    with transaction() as session:
        session.execute(update(Task).where(Task.state == TaskState.CLAIMED).values(lease_until=clock(-1)))
    answer = alice.send(text="Dear all")
    assert answer.status_code == 409
    assert "no longer yours" in alice.page
    assert "Dear all" in alice.page
    assert kept(Decision) == []
    alice.post("/queues/replies/claims", {"task": kept(Task)[0].id})
    assert "Dear all" in alice.page
    alice.send()
    assert verdicts(kept) == [("edit", {"reply": "Dear all"})]


def test_a_decision_in_grace_is_undone_and_comes_back_as_it_was(alice, put, kept):
    put(**{"queue": "intents", **item()})
    alice.post("/queues/intents/claims")
    alice.send(choice='"refund"', comment="hasty")
    assert "Saved." in alice.page
    alice.get("/decisions")
    assert "Corrected" in alice.page
    alice.post(f"/decisions/{kept(Decision)[0].id}/withdrawal")
    assert alice.address.startswith("/claims/") or alice.address.endswith("/withdrawal")
    assert re.search(r'value="&#34;refund&#34;" checked', alice.page)
    assert "hasty" in alice.page
    assert kept(Decision)[0].withdrawn_at is not None


def test_an_item_decided_already_says_so(alice, put):
    put(**{"queue": "intents", **item()})
    alice.post("/queues/intents/claims")
    claim = alice.address
    alice.send()
    alice.get(claim)
    assert "You have decided this item" in alice.page
    assert 'id="decide"' not in alice.page


def test_skip_escalate_and_pause_hand_the_item_on(app, cast, alice, put, kept):
    for number in range(3):
        put(**{"queue": "intents", **item(number)})
    alice.post("/queues/intents/claims")
    alice.send("skip")
    alice.send("escalation", comment="Which of the two?")
    alice.post("/pause")
    assert "1 held item went back" in alice.page
    assert [task.state for task in kept(Task)] == [TaskState.OPEN] * 3
    bob = Desk(app, cast.bob)
    escalated = next(task for task in kept(Task) if task.audience == "lead")
    bob.post("/queues/intents/claims", {"task": escalated.id})
    assert "Which of the two?" in bob.page


def test_hostile_content_is_escaped_on_every_page(app, cast, alice, put, transaction):
    evil = "<script>alert(1)</script>\u202e\"'><img src=x onerror=alert(1)>"
    created = put(
        "replies", {"reply": evil, "more": {evil: evil}}, external_id=evil, metadata={evil: evil}, model=evil,
        explanation=evil, prompt_version=evil,
    )  # fmt: skip
    alice.post("/queues/replies/claims")
    pages = [alice.page]
    alice.send(comment=evil, message=evil)
    pages += [alice.page, alice.get("/decisions").text]
    bob = Desk(app, cast.bob)
    pages += [bob.get(f"/items/{created}").text, bob.get("/queues/replies/items").text]
    for page in pages:
        assert "<script>alert" not in page
        assert "<img" not in page
    assert "U+202E" in pages[0]


def test_an_items_page_shows_its_history_to_those_who_may_see_it(app, cast, alice, put, kept):
    created = put(**{"queue": "intents", **item(external_id="b77-1")})
    alice.post("/queues/intents/claims")
    alice.send(choice='"refund"', comment="clear case")
    assert alice.get(f"/items/{created}").status_code == 403
    bob = Desk(app, cast.bob)
    assert bob.get(f"/items/{created}").status_code == 200
    for words in ("task.claimed", "task.decided", "Alice", "clear case", "lost_card", "refund"):
        assert words in bob.page
    assert any(event.action == "item.viewed" and event.actor == cast.bob.id for event in kept(AuditEvent))
    olga = Desk(app, cast.olga)
    assert olga.get(f"/items/{created}").status_code == 404


def test_items_are_listed_by_state_and_external_id_page_by_page(app, cast, put):
    for number in range(60):
        put(**{"queue": "intents", **item(number, external_id=f"b77-{number:03}")})
    bob = Desk(app, cast.bob)
    bob.get("/queues/intents/items?state=queued")
    assert "b77-059" in bob.page
    assert "b77-009" not in bob.page
    older = html.unescape(re.search(r'href="([^"]+)" rel="next"', bob.page)[1])
    assert "state=queued" in older
    bob.get(older)
    assert "b77-009" in bob.page
    assert "b77-059" not in bob.page
    bob.get("/queues/intents/items?external_id=b77-007")
    assert "b77-007" in bob.page
    assert "b77-008" not in bob.page
    assert bob.get("/queues/intents/items?state=resolved").text.count("<tr>") == 0
    assert bob.get("/queues/intents/items?state=nonsense").status_code == 422


@pytest.mark.parametrize(
    "path", ["/queues/intents", "/queues/intents/items", "/queues/nowhere", "/claims/nothing.1", "/items/nothing"]
)
def test_an_outsider_learns_nothing(app, cast, path):
    assert Desk(app, cast.olga).get(path).status_code == 404


@pytest.mark.parametrize("path", ["/", "/decisions", "/queues/intents", "/claims/nothing.1", "/items/nothing"])
def test_without_a_session_one_is_sent_to_sign_in(client, cast, path):
    assert client.get(path).headers["Location"].startswith("/login")


def test_a_nul_in_a_form_is_no_error(alice, put, kept):
    put("replies", {"reply": "Dear"})
    alice.post("/queues/replies/claims")
    assert alice.send(text="Dear\x00 all", comment="\x00").status_code == 200
    assert verdicts(kept) == [("edit", {"reply": "Dear\ufffd all"})]


def test_home_is_empty_for_somebody_without_queues(app, cast):
    olga = Desk(app, cast.olga)
    assert "An administrator adds you" in olga.get("/").text
    assert Action.REVIEW not in olga.page
    anna = Desk(app, cast.anna)
    assert 'href="/exports"' in anna.get("/").text.split("<main")[1], "an analyst is led on"


def test_the_address_of_a_skipped_task_says_so_and_offers_no_way_back(app, alice, put):
    put("replies", {"reply": "Dear customer"})
    alice.post("/queues/replies/claims")
    address = alice.address
    alice.send("skip")
    page = alice.get(address).text
    assert "You have skipped this task" in page
    assert "Claim again" not in page
    task = re.search(r'data-task="([^"]+)"', page)
    assert task is not None
    alice.post("/queues/replies/claims", {"task": task[1]})
    assert alice.address == "/queues/replies"
    assert "for somebody else" in alice.page


def test_another_reason_needs_a_note(alice, put):
    put("replies", {"reply": "Dear customer"})
    alice.post("/queues/replies/claims")
    refused = alice.send("decision", verdict="reject", reason="other")
    assert refused.status_code == 422
    assert "Note is required with the reason “Another reason, see the note”" in refused.text
    assert alice.send("decision", verdict="reject", reason="other", comment="Rude").status_code == 200


def test_an_item_that_expires_in_hand_says_so_and_keeps_the_decision_as_a_label(alice, put, kept, transaction):
    with transaction() as session:
        apply(session=session, actor=OPERATOR, document={**REPLIES, "timeout": {"after_hours": 1, "action": "expire"}})
    put("replies", {"reply": "Dear"})
    alice.post("/queues/replies/claims")
    assert "expires in" in alice.page
    with transaction() as session:
        session.execute(update(Item).values(expires_at=clock(-1)))
        expire_items(session=session)
    put("replies", {"reply": "Next one"})
    assert alice.send(text="Dear all").status_code == 409
    assert "The time to answer was over" in alice.page
    assert "Claim again" not in alice.page
    assert [(row.late, json.loads(row.output)) for row in kept(Decision)] == [(True, {"reply": "Dear all"})]
    alice.post("/queues/replies/claims")
    assert "Next one" in alice.page


def test_a_lost_lease_says_that_somebody_else_has_the_item_now(app, cast, alice, put, transaction):
    put("replies", {"reply": "Dear"})
    alice.post("/queues/replies/claims")
    with transaction() as session:
        session.execute(update(Task).where(Task.state == TaskState.CLAIMED).values(lease_until=clock(-1)))
        return_expired(session=session)
    Desk(app, cast.bob).post("/queues/replies/claims")
    assert alice.send(text="Dear all").status_code == 409
    assert "somebody else has it now" in alice.page
    assert "Dear all" in alice.page


def test_a_task_is_sent_to_another_queue_from_the_page_of_ways_to_hand_on(app, cast, alice, put):
    put("receipts", {"total": 1.5}, input={"text": "A bill"})
    alice.post("/queues/receipts/claims")
    alice.get(f"{alice.address}/handing")
    assert "Not to Intents" in alice.page
    assert '<option value="replies">' not in alice.page, "it has no reply"
    claim_address = alice.address.removesuffix("/handing")
    alice.post(f"{claim_address}/transfer", {"queue": "intents"})
    assert "does not fit the queue intents" in alice.page
    assert alice.address == claim_address


def test_a_task_is_put_off_by_a_form_and_given_by_a_lead_on_its_page(app, cast, alice, put):
    first = put("replies", {"reply": "Yes"}, input={"text": "One"}, external_id="first")
    alice.post("/queues/replies/claims")
    claim_address = alice.address
    alice.get(f"{claim_address}/handing")
    assert "Give to a person" not in alice.page, "she is no lead"
    alice.post(f"{claim_address}/postponement", {"hours": "24"})
    alice.get("/")
    assert "1 put off" in alice.page
    assert "Nothing waits for you now" in alice.page
    alice.get("/tasks")
    assert "first" in alice.page
    assert "Take it now" in alice.page
    bob = Desk(app, cast.bob)
    bob.get(f"/items/{first}")
    assert "Alice’s alone" in bob.page
    task = re.search(r'action="(/tasks/[^"]+/assignment)"', bob.page)[1]
    bob.post(task, {"item": first, "person": cast.bob.id})
    bob.post("/queues/replies/claims")
    bob.get(f"{bob.address}/handing")
    bob.post(f"{bob.address.removesuffix('/handing')}/assignment", {"person": cast.alice.id})
    alice.get("/tasks")
    assert ">Review</button>" in alice.page


def test_instructions_that_changed_are_shown_until_they_are_known_and_no_longer(alice, put, transaction):
    for _ in range(3):
        put("replies", {"reply": "Yes"}, input={"text": "One"})
    alice.post("/queues/replies/claims")
    alice.send()
    with transaction() as session:
        apply(session=session, actor=OPERATOR, document={**REPLIES, "instructions": "Be **kind**."})
    alice.send()
    assert "The instructions have changed" in alice.page
    assert "<strong>kind</strong>" in alice.page
    alice.get(alice.address)
    assert "The instructions have changed" in alice.page
    alice.post("/queues/replies/instructions/reading")
    assert alice.address.startswith("/claims/")
    assert "The instructions have changed" not in alice.page


def test_a_skip_says_why_and_is_taken_back_while_nobody_else_has_the_task(app, cast, alice, put, kept):
    put(**{"queue": "intents", **item()})
    alice.post("/queues/intents/claims")
    held = alice.address
    alice.post(f"{held}/skip", {"skip_note": "Not my <language>"})
    assert "Skipped" in alice.page
    address = re.search(r'action="(/tasks/[^"]+/skip/withdrawal)"', alice.page)[1]
    carol = Desk(app, cast.carol)
    assert carol.post(address).status_code == 404, "she has skipped nothing"
    alice.post(address)
    assert alice.address.startswith("/claims/")
    assert kept(Skip) == []
    alice.post(f"{alice.address}/skip", {"skip_note": "Not my <language>"})
    carol.post("/queues/intents/claims")
    alice.post(address)
    assert "somebody else has the task" in alice.page
    carol.send("skip")
    bob = Desk(app, cast.bob)
    bob.post("/queues/intents/claims")
    bob.send("skip")
    bob.post("/queues/intents/claims", {"task": kept(Task)[0].id})
    assert "Alice skipped it: Not my &lt;language&gt;" in bob.page


def test_ones_own_decision_is_reopened_when_a_lead_agrees(app, cast, alice, put, transaction, kept):
    created = put(**{"queue": "intents", **item()})
    alice.post("/queues/intents/claims")
    alice.send()
    alice.get("/decisions")
    assert "Ask to reopen" not in alice.page, "it can be undone still"
    decision = kept(Decision)[0].id
    with transaction() as session:
        session.execute(update(PendingRelease).values(releases_at=clock(-1)))
        settle_due(session=session)
    alice.get("/decisions")
    assert "Ask to reopen" in alice.page
    address = f"/decisions/{decision}/reopening"
    alice.post(address, {"reason": "I mistook it"})
    assert "The leads have been asked" in alice.page
    alice.post(address, {"reason": "I mistook it"})
    assert "You have asked already" in alice.page
    bob = Desk(app, cast.bob)
    bob.get("/notices")
    assert "Alice asks to have" in bob.page
    bob.get(re.search(r'href="(/notices/[^"]+)"', bob.page[bob.page.index("<h1>") :])[1])
    assert bob.address == f"/items/{created}"
    assert f'action="/items/{created}/reopenings"' in bob.page


def test_home_lists_queues_as_claims_over_all_of_them_are_given(alice, put):
    put("replies", {"reply": "Yes"}, input={"text": "Oldest"})
    put("receipts", {"total": 1.5}, input={"text": "A bill"})
    put(**{"queue": "intents", **item(risk="high")})
    alice.get("/")
    order = re.findall(r'<h2><a href="/queues/([a-z]+)"', alice.page)
    assert order == ["intents", "replies", "receipts"]
    assert "Review the most urgent" in alice.page
    for slug in order:
        alice.post("/claims")
        assert f'data-queue="{slug}"' in alice.page
        alice.send()
