"""Who may do what, as the table that decides it says; who looked at that; who looked at which item."""

from __future__ import annotations

import csv
import io
import re

import pytest
from sqlalchemy import text

from reviewqueue.accounts import memberships, people, tokens
from reviewqueue.audit.access_review import Wanted, holders
from reviewqueue.core.access import Action, Scope, may
from reviewqueue.core.db import read_session, write_session
from reviewqueue.models.audit import VIEWS
from reviewqueue.models.states import QueueRole
from reviewqueue.queues.applying import apply
from tests.desk_steps import claim, submit
from tests.fixtures.people import INTENTS, OPERATOR, PASSWORD


@pytest.fixture
def browser(app, cast):
    def signed_in(who):
        found = app.test_client()
        assert found.post("/login", data={"email": who.email, "password": PASSWORD}).status_code == 303
        return found

    return signed_in


def rows(browser, query="state=all"):
    answer = browser.get(f"/admin/access.csv?{query}")
    assert answer.mimetype == "text/csv"
    return {row["id"]: row for row in csv.DictReader(io.StringIO(answer.text))}


def test_it_says_what_the_one_table_says(app, cast):
    with app.app_context(), read_session() as session:
        found = {one.id: one for one in holders(session=session, actor=cast.auditor.actor, wanted=Wanted())}
    for member in cast.everybody:
        one = found[member.id]
        # The cast's actors carry tokens of their own; a person's page is about the person.
        actor = member.actor if member is cast.submitter else _without_token(member.actor)
        everywhere = {action for action in Action if may(actor, action)}
        there = {action for action in Action if may(actor, action, cast.queue_id)}
        said = set(one.may.get("", ())), set(one.may.get("", ())) | set(one.may.get("intents", ()))
        assert said == (everywhere, there if actor.memberships or everywhere else everywhere), member.name
    assert {one.kind for one in found.values()} == {"person", "personal", "service"}


def _without_token(actor):
    return type(actor)(**{**vars(actor), "scopes": None, "queue_ids": None, "token_id": None})


def test_the_page_filters_and_goes_out_as_csv(app, cast, browser):
    with app.app_context(), write_session() as session:
        apply(session=session, actor=OPERATOR, document={**INTENTS, "owner_team": "=Cards"})
        tokens.create_service(session=session, actor=OPERATOR, name="Bot", scopes=[Scope.EXPORTS], queues=["intents"])
        people.disable(session=session, actor=OPERATOR, person_id=cast.carol.id)
    auditor = browser(cast.auditor)
    every = rows(auditor)
    assert every[cast.bob.id]["queue_roles"] == "intents: lead"
    # Not a formula to whoever opens it in a spreadsheet.
    assert every[cast.bob.id]["teams"] == "'=Cards"
    assert (every[cast.carol.id]["state"], every[cast.carol.id]["may"]) == ("ended", "")
    assert every[cast.auditor.id]["last_used_at"]
    assert every[cast.bob.id]["last_used_at"] == ""
    assert cast.carol.id not in rows(auditor, "state=live")
    assert {row["name"] for row in rows(auditor, "kind=service&q=bot").values()} == {"Bot"}
    assert rows(auditor, "role=lead&kind=person").keys() == {cast.bob.id}
    page = auditor.get("/admin/access?q=Bob&kind=person").text
    assert "tasks.take_escalations" in page
    assert cast.carol.email not in page


def test_a_mark_says_who_looked_and_that_it_changed_since(app, cast, browser):
    auditor = browser(cast.auditor)
    assert auditor.post("/admin/access/reviews", data={"holder": cast.alice.id}).status_code == 303
    row = rows(auditor)[cast.alice.id]
    assert (row["reviewed_by"], row["changed_since"]) == ("Otto", "")
    assert cast.alice.id not in rows(auditor, "state=unreviewed")
    with app.app_context(), write_session() as session:
        memberships.add(session=session, actor=OPERATOR, slug="intents", email=cast.alice.email, role=QueueRole.ANALYST)
    assert rows(auditor)[cast.alice.id]["changed_since"] == "yes"
    assert cast.alice.id in rows(auditor, "state=unreviewed")
    assert "changed since" in auditor.get("/admin/access?q=alice").text
    assert "access reviewed" in auditor.get(f"/admin/events?subject={cast.alice.id}").text.lower()
    assert auditor.post("/admin/access/reviews", data={"holder": "nobody"}).status_code == 404


def test_who_looked_at_what_by_item_and_by_person(app, client, cast, browser):
    first, second = submit(client, cast)["id"], submit(client, cast, input={"text": "Other"})["id"]
    browser(cast.bob).get(f"/items/{first}")
    held = claim(client, cast.alice)["item"]["id"]
    auditor = browser(cast.auditor)
    page = auditor.get(f"/admin/views?person={cast.alice.id}").text
    assert "had in hand" in page
    assert held in page
    assert "Bob" not in re.sub("<header.*?</header>", "", page, flags=re.DOTALL)
    page = auditor.get(f"/admin/views?item={first}").text
    assert "opened" in page
    assert "Bob" in page
    assert second not in page or held == second
    assert auditor.get("/admin/views?item=nonsense").status_code == 404
    assert browser(cast.bob).get("/admin/views").status_code == 403


def test_the_views_of_a_person_are_found_by_index(app, cast, database):
    query = f"SELECT id FROM audit_event WHERE audit_event.{VIEWS} AND actor = 'x' ORDER BY id DESC LIMIT 51"
    with app.app_context(), read_session() as session:
        if database == "postgresql":
            session.execute(text("SET enable_seqscan = off"))
            plan = "\n".join(session.execute(text(f"EXPLAIN {query}")).scalars())
        else:
            plan = "\n".join(row[3] for row in session.execute(text(f"EXPLAIN QUERY PLAN {query}")))
    assert "ix_audit_event_viewer" in plan, plan
