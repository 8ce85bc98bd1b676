"""Nobody can tell a check from work until they have decided it: each way in which they might is tried on both."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from types import SimpleNamespace

import pytest
from sqlalchemy import select, update

from reviewqueue.accounts import memberships
from reviewqueue.core.db import clock, database_now
from reviewqueue.models import Gold, Item, Notice, Task
from reviewqueue.models.states import QueueRole
from reviewqueue.queues.applying import apply
from tests.desk_steps import act, claim, decide, submit
from tests.fixtures.people import INTENTS, OPERATOR, PASSWORD

OLD = {"input": {"text": "Known"}, "output": {"label": "lost_card"}, "confidence": 0.4}


@pytest.fixture
def meet(client, cast, transaction):
    """`meet()`: a check of Alice's, on an item of long ago of which people have spoken, and Carol's claim on work."""
    rules = {"rules": [{"when": "confidence < 0.6", "action": "review", "title": "Doubtful"}], "otherwise": "refuse"}
    document = {
        **INTENTS, "routing": rules, "send_to": ["others"], "timeout": {"after_hours": 5, "action": "expire"},
    }  # fmt: skip
    with transaction() as session:
        apply(session=session, actor=OPERATOR, document={**INTENTS, "name": "others"})
        memberships.add(session=session, actor=OPERATOR, slug="others", email=cast.olga.email, role=QueueRole.REVIEWER)

    def met(number: int = 77):
        known = submit(client, cast, number=number)["id"]
        client.post(f"/api/v1/items/{known}/comments", json={"body": "I know this one"}, headers=cast.bob.bearer)
        with transaction() as session:
            session.execute(
                update(Task).where(Task.state == "open", Task.item_id != known).values(available_at=clock(99))
            )
        decide(client, cast.bob, output={"label": "refund"})
        client.post("/api/v1/queues/intents/gold", json={"item": known}, headers=cast.bob.bearer)
        with transaction() as session:
            month_ago = clock(-30 * 86_400.0)
            session.execute(update(Item).values(created_at=month_ago, due_at=month_ago, expires_at=month_ago))
            apply(session=session, actor=OPERATOR, document={**document, "reviews": {"gold": 1.0}})
        submit(client, cast, number=1)
        check = claim(client, cast.alice)
        with transaction() as session:
            session.execute(update(Gold).values(retired_at=clock()))
            apply(session=session, actor=OPERATOR, document=document)
        real = claim(client, cast.carol)
        with transaction() as session:
            session.execute(update(Gold).where(Gold.item_id == known).values(retired_at=None))
        assert check["item"]["input"]["text"].endswith(f"({number})")
        assert real["item"]["input"]["text"].endswith("(1)")
        return SimpleNamespace(known=known, both=((cast.alice, check), (cast.carol, real)), check=check, real=real)

    return met


@pytest.fixture
def pair(meet):
    return meet()


def _plain(page: str, piece) -> list[str]:
    """The page's own part, without what differs between any two items, in lines."""
    for value in (piece["claim"]["id"], piece["task"]["id"], piece["item"]["id"]):
        page = page.replace(value, "ID")
    page = re.sub(r"Where is my card\? \(\d+\)|@?(alice|carol)\b", "X", page, flags=re.IGNORECASE)
    page = re.sub(r"(\d+ s ago|just now|now)</time>", "", page)
    page = re.sub(
        r'(csrf_token" value|data-person|datetime|title|data-countdown|data-seconds-left|data-left)="[^"]*"|\d+ s\b',
        "",
        page,
    )
    return [line for line in page[page.index("<main") :].splitlines() if "Tell somebody" not in line]


def _sign_in(client, who):
    client.post("/logout")
    client.post("/login", data={"email": who.email, "password": PASSWORD})


def test_the_desk_and_every_address_on_it_answer_alike(client, cast, pair):
    pages, answers = [], []
    for who, piece in pair.both:
        _sign_in(client, who)
        item, held = piece["item"]["id"], piece["claim"]["id"]
        desk = client.get(f"/claims/{held}").text
        assert f"/items/{item}/comments" in desk
        assert "I know this one" not in desk
        pages.append([
            _plain(client.get(address).text, piece)
            for address in (f"/claims/{held}", f"/items/{item}/comments", "/tasks", "/decisions")
        ])  # fmt: skip
        told = []
        for method, address, body in (
            ("GET", f"/items/{item}", None),
            ("GET", f"/api/v1/items/{item}", None),
            ("POST", f"/api/v1/items/{item}/cancellation", {}),
            ("POST", f"/api/v1/items/{item}/reopenings", {"reason": "x"}),
            ("GET", f"/api/v1/items/{item}/comments", None),
            ("POST", f"/items/{item}/gold", None),
            ("POST", "/api/v1/queues/intents/gold", {"item": item}),
            ("GET", f"/api/v1/claims/{held}/draft", None),
            ("POST", f"/api/v1/claims/{held}/postponement", {"until": "2020-01-01T00:00:00Z"}),
            ("POST", f"/api/v1/claims/{held}/transfer", {"queue": "nowhere"}),
        ):
            headers = who.bearer if address.startswith("/api") else {}
            answer = client.open(address, method=method, json=body, headers=headers)
            told.append((method, address.replace(item, "ID"), answer.status_code, (answer.json or {}).get("code")))
        answers.append([(*line[:1], line[1].split("/")[-1], *line[2:]) for line in told])
    for of_check, of_work in zip(*pages, strict=True):
        assert of_check == of_work
    assert [line[2:] for line in answers[0]] == [line[2:] for line in answers[1]]
    assert pair.check["item"]["title"] == pair.real["item"]["title"] == "Doubtful", "by the rules of now"


def test_what_is_said_during_a_check_stays_with_it_and_a_lead_can_answer(client, cast, pair, transaction):
    item = pair.check["item"]["id"]

    def say(who, where, body):
        return client.post(f"/api/v1/items/{where}/comments", json={"body": body}, headers=who.bearer)

    def said(who, where):
        return [
            one["body"] for one in client.get(f"/api/v1/items/{where}/comments", headers=who.bearer).json["comments"]
        ]

    assert say(cast.alice, item, "@bob is this one new?").json["mentioned"] == ["Bob"]
    assert said(cast.alice, item) == said(cast.carol, item) == ["@bob is this one new?"]
    with transaction() as session:
        notices = session.execute(select(Notice.person_id, Notice.kind, Notice.item_id)).all()
    assert notices == [(cast.bob.id, "mentioned", pair.known)], "who spoke of it long ago is not told"
    assert said(cast.bob, pair.known) == ["I know this one", "@bob is this one new?"]
    assert say(cast.bob, pair.known, "It is.").status_code == 201
    assert said(cast.alice, item) == said(cast.alice, pair.known) == ["@bob is this one new?", "It is."]
    _sign_in(client, cast.alice)
    page = client.get("/notices").text
    assert item in page
    assert pair.known not in page
    notice = re.search(r"/notices/[0-9a-f-]{36}", page).group()
    assert client.get(notice).location == f"/items/{item}/comments"
    assert "I know this one" not in client.get(f"/items/{pair.known}/comments").text
    act(client, cast.alice, pair.check["claim"]["id"], "decision", output={"label": "refund"})
    assert "I know this one" in client.get(f"/items/{item}/comments").text, "now they know"


def test_what_is_handed_on_says_the_same_and_a_skip_can_be_undone(client, cast, meet, transaction):
    for number, what in enumerate(("skip", "escalation", "transfer", "postponement", "release"), 70):
        pair = meet(number)
        with transaction() as session:
            soon, late = (database_now(session) + timedelta(hours=hours) for hours in (2, 6))
        bodies = {"transfer": {"queue": "others"}, "postponement": {"until": soon.isoformat()}}
        told = []
        for who, piece in pair.both:
            held, task_id = piece["claim"]["id"], piece["task"]["id"]
            seen = [act(client, who, held, "postponement", until=late.isoformat()).json["code"]]
            assert act(client, who, held, what, **bodies.get(what, {})).status_code == 204, what
            _sign_in(client, who)
            lost = act(client, who, held, "renewal").json
            seen += [lost["code"], lost["detail"], client.get(f"/claims/{held}").status_code]
            if what != "transfer":
                seen += [_plain(client.get(f"/claims/{held}").text, piece)]
            seen += [
                _plain(client.get(path).text, piece) for path in ("/tasks", f"/items/{piece['item']['id']}/comments")
            ]
            if what == "skip":
                back = client.post(f"/tasks/{task_id}/skip/withdrawal")
                seen.append((back.status_code, back.location.replace(task_id, "ID")))
            if what == "postponement":
                with transaction() as session:
                    session.execute(update(Task).where(Task.id == task_id).values(available_at=clock()))
                seen.append(re.findall(r"\d+ yours alone", client.get("/").text))
            told.append(seen)
        for of_check, of_work in zip(*told, strict=True):
            assert of_check == of_work, what
        for who, _ in pair.both:
            client.post("/pause") if who is cast.carol else None
            held = claim(client, who)
            assert what not in {"release", "postponement"} or held["task"]["id"] in {
                p["task"]["id"] for _, p in pair.both
            }
            act(client, who, held["claim"]["id"], "decision", verdict="approve") if held else None


def test_no_check_is_given_where_work_is_about_to_expire(client, cast, pair, transaction):
    for _, piece in pair.both:
        act(client, cast.alice if piece is pair.check else cast.carol, piece["claim"]["id"], "release")
    with transaction() as session:
        apply(
            session=session,
            actor=OPERATOR,
            document={**INTENTS, "reviews": {"gold": 1.0}, "timeout": {"after_hours": 5, "action": "expire"}},
        )
        session.execute(update(Gold).values(retired_at=None))
        session.execute(update(Task).where(Task.kind == "review").values(created_at=clock(-4.5 * 3600)))
    assert claim(client, cast.carol)["task"]["id"] == pair.real["task"]["id"]


def test_a_new_item_that_is_gold_waits_like_others_on_the_pages_that_count(client, cast, transaction):
    new = {"new": OLD, "answer": {"label": "refund"}}
    with transaction() as session:
        apply(session=session, actor=OPERATOR, document={**INTENTS, "reviews": {"gold": 1.0}})
    client.post("/api/v1/queues/intents/gold", json=new, headers=cast.bob.bearer)
    for number in range(3):
        submit(client, cast, number=number)
    _sign_in(client, cast.alice)
    for expected in (2, 2, 1):
        held = client.post("/queues/intents/claims").location
        waiting = re.findall(r"(\d) waiting", client.get(held).text)[0]
        assert (waiting, f"<b>{expected}</b>" in client.get("/").text) == (str(expected), True)
        client.post(f"{held}/decision", data={"choice": json.dumps("refund")})
