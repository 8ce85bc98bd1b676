"""The pages of the administration find things, and tell what happened to them."""

from __future__ import annotations

import re
from typing import Any

import pytest

from reviewqueue.accounts import events, people
from reviewqueue.core.db import read_session, write_session
from reviewqueue.errors import NotFound
from reviewqueue.queues.applying import apply
from tests.desk_steps import submit
from tests.fixtures.people import INTENTS, OPERATOR, Cast


@pytest.fixture
def ada(client: Any, cast: Cast) -> Any:
    client.post("/login", data={"email": cast.admin.email, "password": cast.admin.password})
    return client


def rows(page: Any) -> list[str]:
    """The text of each row of the page's table."""
    body = page.text.partition("<tbody>")[2].partition("</tbody>")[0]
    return [" ".join(re.sub(r"<[^>]+>", " ", row).split()) for row in body.split("<tr>")[1:]]


def test_what_happened_to_a_person_a_token_and_a_queue_is_told_with_names(ada: Any, cast: Cast) -> None:
    submit(ada, cast)
    ada.post(f"/admin/people/{cast.olga.id}/role", data={"role": "auditor"})
    ada.post(f"/admin/tokens/{cast.submitter.id}/revocation")
    found = rows(ada.get(f"/admin/events?subject={cast.olga.id}"))
    assert [row for row in found if "Person role changed Ada web Olga" in row and "To auditor" in row]
    assert all("Olga" in row for row in found)
    assert "Token revoked Ada web Submitter" in rows(ada.get(f"/admin/events?subject={cast.submitter.id}"))[0]
    of_queue = rows(ada.get("/admin/events?queue=intents"))
    assert any("Queue created" in row for row in of_queue)
    assert any("Membership added" in row for row in of_queue)
    assert ada.get(f"/admin/events?subject={'z' * 36}").status_code == 200
    everything = ada.get("/admin/events").text
    assert "Item submitted" not in everything, "that is in the item's own history"
    assert f"/admin/events?subject={cast.olga.id}" in ada.get(f"/admin/people/{cast.olga.id}").text


def test_they_go_on_by_cursor_and_a_lead_reads_those_of_their_queue(app: Any, ada: Any, cast: Cast) -> None:
    with app.app_context(), write_session() as session:
        for number in range(events.PAGE):
            people.create(session=session, actor=OPERATOR, email=f"person{number}@example.org")
    first = ada.get("/admin/events")
    following = re.search(r'href="([^"]+)" rel="next"', first.text)
    assert following
    second = ada.get(following[1].replace("&amp;", "&"))
    assert len(rows(first)) == events.PAGE
    assert rows(second)
    with app.app_context(), read_session() as session:
        ids = [event.id for event in events.events(session=session, actor=cast.bob.actor, slug="intents")]
        assert ids == sorted(ids, reverse=True)
        with pytest.raises(NotFound):
            events.events(session=session, actor=cast.olga.actor, slug="intents")


@pytest.mark.parametrize(
    ("page", "found", "other"),
    [("/admin/tokens?q=submit", "Submitter", "Olga&#39;s"), ("/admin/queues/intents/members?q=CAROL", "Carol", "Alice"),
     ("/admin/queues?q=tent", "Intents", "No queue found"), ("/admin/queues?q=nothing", "No queue found", ">Intents<")],
)  # fmt: skip
def test_a_list_finds_what_is_typed(ada: Any, page: str, found: str, other: str) -> None:
    text = ada.get(page).text.partition("<main")[2]
    assert found in text
    assert other not in text


def test_a_version_says_what_it_changed_and_can_be_gone_back_to(app: Any, ada: Any) -> None:
    with app.app_context(), write_session() as session:
        apply(session=session, actor=OPERATOR, document={**INTENTS, "lease_minutes": 20})
    page = ada.get("/admin/queues/intents?version=2").text
    assert "What version 2 changed" in page
    assert "lease_minutes: 10 → 20" in page
    assert "It is the first" in ada.get("/admin/queues/intents?version=1").text
    assert "What version" not in ada.get("/admin/queues/intents").text
