"""Comments, mentions, and who is told of what."""

from __future__ import annotations

from sqlalchemy import select, update

from reviewqueue.core.db import clock
from reviewqueue.models import OutboxRow, Task
from reviewqueue.review.comments import Named, mentions
from reviewqueue.review.handing import FOLLOW_UP, remind_of
from tests.desk_steps import act, claim, submit
from tests.fixtures.people import PASSWORD


def say(client, who, item_id, body):
    return client.post(f"/api/v1/items/{item_id}/comments", json={"body": body}, headers=who.bearer)


def signed_in(app, who):
    browser = app.test_client()
    browser.post("/login", data={"email": who.email, "password": PASSWORD})
    return browser


def test_a_mention_is_an_unread_notice_until_its_item_was_looked_at(app, client, cast):
    item = submit(client, cast)
    said = say(client, cast.alice, item["id"], "@bob and @nobody: is this <b>one</b> intent?")
    assert (said.status_code, said.json["mentioned"], said.json["unknown"]) == (201, ["Bob"], ["nobody"])
    bob, carol = signed_in(app, cast.bob), signed_in(app, cast.carol)
    assert "1<span" in bob.get("/").text
    assert "bell-count" not in carol.get("/").text
    page = bob.get("/notices").text
    assert "Alice mentioned you" in page
    assert "&lt;b&gt;one" in page
    address = page.split('href="/notices/')[1].split('"')[0]
    assert carol.get(f"/notices/{address}").status_code == 404, "other people's notices are nobody's business"
    shown = bob.get(f"/notices/{address}", follow_redirects=True)
    assert shown.request.path == f"/items/{item['id']}/comments"
    assert "is this &lt;b&gt;one" in shown.text
    assert "bell-count" not in bob.get("/").text
    bob.post(f"/items/{item['id']}/comments", data={"body": "Two. Ask @carol"})
    assert "Bob replied" in signed_in(app, cast.alice).get("/notices").text
    assert "Bob mentioned you" in carol.get("/notices").text
    held = claim(client, cast.alice)["claim"]["id"]
    assert "Ask @carol" in signed_in(app, cast.alice).get(f"/claims/{held}").text, "beside the item at the desk"


def test_who_may_not_see_the_queue_neither_reads_nor_writes_comments(client, cast):
    item = submit(client, cast)
    assert say(client, cast.olga, item["id"], "hm").status_code == 404
    assert say(client, cast.auditor, item["id"], "hm").status_code == 403
    assert say(client, cast.alice, item["id"], "  ").status_code == 422
    read = client.get(f"/api/v1/items/{item['id']}/comments", headers=cast.auditor.bearer)
    assert read.json == {"comments": []}


def test_escalating_giving_and_a_follow_up_tell_whom_they_concern(app, client, cast, transaction):
    submit(client, cast)
    held = claim(client, cast.alice)
    act(client, cast.alice, held["claim"]["id"], "escalation", comment="A complaint?")
    bob = signed_in(app, cast.bob)
    assert "Alice escalated" in bob.get("/notices").text
    submit(client, cast, number=2)
    task = claim(client, cast.alice)["task"]["id"]
    client.put(f"/api/v1/tasks/{task}/assignee", json={"person": cast.carol.email}, headers=cast.bob.bearer)
    carol = signed_in(app, cast.carol)
    assert "Bob gave" in carol.get("/notices").text
    held = claim(client, cast.carol)["claim"]["id"]
    act(client, cast.carol, held, "postponement", until="2027-01-01T00:00:00Z")
    with transaction() as session:
        row = session.scalars(select(OutboxRow).where(OutboxRow.topic == FOLLOW_UP)).one()
        assert row.next_at.isoformat().startswith("2027-01-01T00:00:0") or row.next_at.year == 2026
        remind_of(session=session, task_id=row.ref)
    assert "Due again" not in carol.get("/notices").text
    with transaction() as session:
        session.execute(update(Task).values(available_at=clock(-1)))
        remind_of(session=session, task_id=task)
    assert "Due again" in carol.get("/notices").text


def test_mentions_are_words_after_an_at_sign_that_mean_one_person():
    ann = Named("1", "Ann Lee", "ann", frozenset({"ann", "annlee", "ann@example.org"}))
    other = Named("2", "Ann Lee", "ann.lee", frozenset({"ann.lee", "annlee", "ann.lee@example.org"}))
    found = mentions("Hi @ann, @Ann@example.org. and mail@ann is none; @annlee is two.", [ann, other])
    assert found == ([ann], ["annlee"])
