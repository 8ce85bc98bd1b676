"""The first run, on an installation with nothing but its administrator."""

from __future__ import annotations

import html
import json
import re
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from reviewqueue.accounts import people
from reviewqueue.core.access import Actor
from reviewqueue.core.db import read_session, write_session
from reviewqueue.core.http import checked
from reviewqueue.core.strictjson import dumps
from reviewqueue.intake.shapes import ItemShape
from reviewqueue.intake.submissions import submit
from reviewqueue.media.uploads import kept
from reviewqueue.models import AuditEvent, Item
from reviewqueue.models.states import ItemState, SiteRole
from reviewqueue.onboarding import examples, gallery, steps
from reviewqueue.queues.applying import apply
from reviewqueue.queues.catalog import configuration, find_queue
from tests.fixtures.people import OPERATOR, PASSWORD

ADA = "ada@example.com"


@pytest.fixture
def ada(app: Flask) -> Any:
    """A browser of the only person there is."""
    with app.app_context(), write_session() as session:
        people.create(
            session=session, actor=OPERATOR, email=ADA, name="Ada", role=SiteRole.ADMIN, password=PASSWORD,
            must_change_password=False,
        )  # fmt: skip
    client = app.test_client()
    client.post("/login", data={"email": ADA, "password": PASSWORD})
    return client


def done(page: Any) -> list[str]:
    return re.findall(r'class="panel step done[^"]*" id="step-(\w+)"', page.text)


def test_every_template_makes_a_queue_to_whose_people_its_example_goes(app: Flask) -> None:
    with app.app_context():
        pictures = {found.slug: kept(found.picture) for found in gallery.templates() if found.picture}
    assert set(pictures) == {"delivery-notes", "shelf-goods"}
    with app.app_context(), write_session() as session:
        for found in gallery.templates():
            name = f"my-{found.slug}"
            document = gallery.document_of(found, name=name, title=found.title)
            steps.create_queue(session=session, actor=OPERATOR, document=document, picture=pictures.get(found.slug))
            head = find_queue(session=session, actor=OPERATOR, slug=name)
            config = configuration(session, head.id, head.version).config
            picture = steps.uploaded(session, head.id, found.picture) if found.picture else None
            text = examples.example_for(config, name, picture)
            answer = submit(session=session, actor=OPERATOR, body=checked(ItemShape, text.encode()))
            item = session.execute(select(Item).where(Item.id == answer.item_id)).scalar_one()
            assert (item.state, item.test) == (ItemState.QUEUED, True), name
            assert found.preview.desk.view == config.view.type
    assert len(gallery.templates()) >= 9


def test_a_template_with_a_picture_shows_it_and_its_trial_item_is_judged_beside_it(app: Flask, ada: Any) -> None:
    page = ada.get("/start/templates")
    assert 'src="/start/templates/shelf-goods/picture"' in page.text
    assert page.text.count('class="box c') == 9
    shown = ada.get("/start/templates/shelf-goods/picture")
    assert (shown.mimetype, shown.data) == ("image/jpeg", gallery.template("shelf-goods").picture)
    assert ada.get("/start/templates/invoices/picture").status_code == 404
    assert ada.post("/start/templates/delivery-notes", data={"title": "Notes", "name": "notes"}).status_code == 303
    example = html.unescape(re.search(r"<textarea[^>]*>(.*?)</textarea>", ada.get("/start").text, re.DOTALL)[1])
    assert ada.post("/start/items", data={"item": example.strip()}).status_code == 303
    claim = ada.post("/queues/notes/claims")
    desk = ada.get(claim.headers["Location"]).text
    assert 'class="sheet"' in desk
    picture = ada.get(re.search(r'img src="(/claims/[^"]+)"', desk)[1])
    assert picture.data == gallery.template("delivery-notes").picture
    picture.close()


def test_a_queue_of_no_template_has_an_example_too(app: Flask) -> None:
    schema = {
        "type": "object", "required": ["when", "tags", "total"],
        "properties": {
            "when": {"$ref": "#/$defs/day"}, "tags": {"type": "array", "items": {"enum": ["a", "b"]}},
            "total": {"type": ["number", "null"], "minimum": 3}, "paid": {"type": "boolean"},
        },
        "$defs": {"day": {"type": "string"}},
    }  # fmt: skip
    document = {"name": "own", "output_schema": schema, "routing": {"otherwise": "review"}}
    with app.app_context(), write_session() as session:
        apply(session=session, actor=OPERATOR, document=document)
        head = find_queue(session=session, actor=OPERATOR, slug="own")
        text = examples.example_for(configuration(session, head.id, head.version).config, "own")
        assert json.loads(text)["output"] == {"when": "An example", "tags": ["a"], "total": 3}
        submit(session=session, actor=OPERATOR, body=checked(ItemShape, text.encode()))


def test_the_steps_tick_themselves_and_the_page_goes_away(app: Flask, ada: Any) -> None:
    assert "a queue of your own" in ada.get("/").text
    assert ada.post("/start/people", data={"email": "x@example.com", "role": "reviewer"}).status_code == 409
    page = ada.get("/start")
    assert done(page) == []
    assert page.text.count("gallery-card") == len(gallery.templates())

    wrong = ada.post("/start/templates/invoices", data={"title": "Bills", "name": "Our Bills"})
    assert wrong.status_code == 422
    assert "Small letters" in wrong.text
    assert ada.post("/start/templates/invoices", data={"title": "Bills", "name": "bills"}).status_code == 303
    taken = ada.post("/start/templates/invoices", data={"title": "Bills", "name": "bills"})
    assert taken.status_code == 409
    assert "Choose another" in taken.text
    page = ada.get("/start")
    assert done(page) == ["queue"]

    broken = ada.post("/start/items", data={"item": '{"queue": "bills", "input": {}, "output": {"total": "x"}}'})
    assert broken.status_code == 422
    assert "/output/total" in broken.text
    assert "&#34;total&#34;: &#34;x&#34;" in broken.text
    nowhere = ada.post("/start/items", data={"item": '{"queue": "nowhere", "input": {}, "output": {}}'})
    assert nowhere.status_code == 422
    assert "nowhere" in nowhere.text
    example = gallery.trial_item(gallery.template("invoices").config, "bills")
    assert ada.post("/start/items", data={"item": dumps(example)}).status_code == 303
    assert done(ada.get("/start")) == ["queue", "item"]

    claim = ada.post("/queues/bills/claims")
    data = {"verdict": "reject", "reason": "unusable"}
    assert ada.post(f"{claim.headers['Location']}/decision", data=data).status_code == 303
    assert "Set-up: 3 of 5 done" in ada.get("/queues/bills").text

    added = ada.post("/start/people", data={"email": "bob@example.com", "name": "Bob", "role": "reviewer"})
    assert added.status_code == 201
    assert "One-time password for bob@example.com" in added.text
    again = ada.post("/start/people", data={"email": "bob@example.com", "role": "reviewer"})
    assert again.status_code == 422
    assert "is reviewer of this queue already" in again.text
    assert ada.post("/start/people", data={"email": "bob@example.com", "role": "lead"}).status_code == 303
    password = re.search(r'class="mono secret">([^<]+)<', added.text)
    bob = app.test_client()
    assert password
    assert bob.post("/login", data={"email": "bob@example.com", "password": password[1]}).status_code == 303

    made = ada.post("/start/token", data={"name": "Scanner"})
    secret = re.search(r"rq_[0-9a-f]{16}\.[A-Za-z0-9_-]{43}", made.text)
    assert made.status_code == 201
    assert secret
    assert "All set" in made.text
    assert made.text.count(secret[0]) == 2, "the token, and the command with it"
    sent = app.test_client().post("/api/v1/items", json=example, headers={"Authorization": f"Bearer {secret[0]}"})
    assert sent.status_code == 201
    assert ada.get("/start").headers["Location"] == "/"
    assert "Set-up" not in ada.get("/").text


def test_it_can_be_put_away_for_good_by_each_administrator(app: Flask, ada: Any) -> None:
    assert ada.post("/start/dismissal").status_code == 303
    assert ada.post("/start/dismissal").status_code == 303
    assert "Set-up" not in ada.get("/").text
    assert ada.get("/start").status_code == 303
    assert ada.get("/start/templates").status_code == 200
    with app.app_context(), read_session() as session:
        assert len(session.scalars(select(AuditEvent.id).where(AuditEvent.action == "set_up.put_away")).all()) == 1


def test_whoever_does_not_set_up_the_site_hears_nothing_of_it(cast: Any, app: Flask) -> None:
    with app.app_context(), read_session() as session:
        who: Actor
        for who in (cast.bob.actor, cast.auditor.actor, cast.submitter.actor):
            assert steps.progress(session=session, actor=who) is None
        found = steps.progress(session=session, actor=cast.admin.actor)
        assert found is not None
        assert found.queue is None, "a queue of somebody else's is none of theirs"
