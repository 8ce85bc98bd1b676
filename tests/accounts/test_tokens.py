"""Tokens: what they open, for how long, and never more than their person."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest
from sqlalchemy import event, select, update

from reviewqueue.accounts import identity, limits, memberships, people, tokens
from reviewqueue.core.access import Action, Scope, may
from reviewqueue.core.db import clock, db, read_session, write_session
from reviewqueue.errors import Forbidden, Invalid, NotFound, Unauthenticated
from reviewqueue.models import Membership, Person, Token
from reviewqueue.models.states import ActorKind, SiteRole, Via


def actor_for(house, secret):
    header = {} if secret is None else {"Authorization": f"Bearer {secret}"}
    with house.app.test_request_context("/api/v1/items", headers=header):
        return identity.bearer_actor()


@pytest.fixture
def service(house):
    return house.write(tokens.create_service, name="bot", scopes=["items:write"])


def test_a_service_token_acts_as_itself_within_its_scopes(house, service):
    actor = actor_for(house, service.secret)
    assert (actor.kind, actor.id, actor.via, actor.name) == (ActorKind.SERVICE, service.id, Via.API, "bot")
    assert may(actor, Action.SUBMIT_ITEMS, "any")
    assert not may(actor, Action.READ_ITEMS, "any")


def test_the_database_keeps_no_secret(house, service):
    token_id, secret = service.secret.removeprefix("rq_").split(".")
    with read_session() as session:
        row = session.get(Token, token_id)
    assert row.secret_sha256 == hashlib.sha256(secret.encode()).hexdigest()
    assert secret not in repr(vars(row))


def test_a_service_token_asks_the_database_once(house, service):
    actor_for(house, service.secret)
    statements = []
    engines = list(db.engines.values())
    for engine in engines:
        event.listen(engine, "before_cursor_execute", lambda *arguments: statements.append(arguments[2]))
    actor_for(house, service.secret)
    assert len([text for text in statements if text != "BEGIN"]) == 1


@pytest.mark.parametrize(
    "text",
    ["", "x", "rq_", "rq_0123456789abcdef.", "rq_0123456789abcdef." + "x" * 43, "rq_\x00", "é", "rq_" + "0" * 9999],
)
def test_what_is_no_token_is_refused(house, text):
    with pytest.raises(Unauthenticated):
        actor_for(house, text)


def test_the_right_id_with_another_secret_is_refused(house, service):
    other = house.write(tokens.create_service, name="other", scopes=["items:write"])
    mixed = service.secret.split(".")[0] + "." + other.secret.split(".")[1]
    with pytest.raises(Unauthenticated):
        actor_for(house, mixed)


def test_a_revoked_token_stops_at_once_and_says_so_in_problem_details(house, service):
    house.write(tokens.revoke, token_id=service.id)
    answer = house.app.test_client().get("/api/v1/queues", headers={"Authorization": f"Bearer {service.secret}"})
    assert answer.status_code == 401
    assert answer.mimetype == "application/problem+json"
    assert answer.json["code"] == "bad_token"
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_an_expired_token_is_refused(house):
    token = house.write(tokens.create_service, name="short", scopes=["items:write"], expires_days=1)
    assert actor_for(house, token.secret) is not None
    with write_session() as session:
        session.execute(update(Token).values(expires_at=clock(-1)))
    with pytest.raises(Unauthenticated):
        actor_for(house, token.secret)


def test_last_used_is_written_at_most_hourly(house, service):
    def last_used():
        with read_session() as session:
            return session.scalar(select(Token.last_used_at))

    assert last_used() is None
    actor_for(house, service.secret)
    first = last_used()
    actor_for(house, service.secret)
    assert last_used() == first
    with write_session() as session:
        session.execute(update(Token).values(last_used_at=clock(-3601)))
    actor_for(house, service.secret)
    assert last_used() >= first


def test_a_token_limited_to_queues_has_no_say_elsewhere(house):
    token = house.write(tokens.create_service, name="one", scopes=["items:write", "queues:write"], queues=["mail"])
    actor = actor_for(house, token.secret)
    (mail,) = actor.queue_ids
    assert may(actor, Action.SUBMIT_ITEMS, mail)
    assert not may(actor, Action.SUBMIT_ITEMS, "another")
    assert not may(actor, Action.CONFIGURE_QUEUES)


def test_a_personal_token_never_exceeds_its_person(house):
    scopes = [scope.value for scope in Scope]
    token = house.write(tokens.create_personal, person_id=house.alice, name="mine", scopes=scopes)
    actor = actor_for(house, token.secret)
    assert (actor.kind, actor.id, actor.site_role) == (ActorKind.PERSON, house.alice, SiteRole.MEMBER)
    (mail,) = actor.memberships
    assert may(actor, Action.REVIEW, mail)
    for action in (Action.SUBMIT_ITEMS, Action.EXPORT, Action.CONFIGURE_QUEUES, Action.READ_ITEMS):
        assert not may(actor, action, mail)
    with read_session() as session:
        membership_id = session.scalar(select(Membership.id))
    house.write(memberships.remove, slug="mail", membership_id=membership_id)
    assert not may(actor_for(house, token.secret), Action.REVIEW, mail)


def test_a_personal_token_is_held_to_its_scopes(house):
    token = house.write(tokens.create_personal, person_id=house.alice, name="mine", scopes=["items:read"])
    actor = actor_for(house, token.secret)
    assert not may(actor, Action.REVIEW, next(iter(actor.memberships)))


def test_only_people_decide_as_people(house):
    with pytest.raises(Invalid) as refused:
        house.write(tokens.create_service, name="robot", scopes=["review"])
    assert refused.value.faults[0].pointer == "/scopes"


def test_nobody_makes_a_personal_token_for_somebody_else(house):
    mine = house.write(tokens.create_personal, person_id=house.admin, name="mine", scopes=["items:read"])
    actor = actor_for(house, mine.secret)
    for person_id in (house.alice, house.admin):
        with pytest.raises(Forbidden):
            house.write(tokens.create_personal, actor=actor, person_id=person_id, name="x", scopes=["review"])


def test_a_disabled_persons_tokens_end_and_stay_ended(house):
    token = house.write(tokens.create_personal, person_id=house.alice, name="mine", scopes=["review"])
    house.write(people.disable, person_id=house.alice)
    house.write(people.enable, person_id=house.alice)
    with pytest.raises(Unauthenticated):
        actor_for(house, token.secret)


def test_a_token_does_not_work_while_its_person_is_disabled(house):
    token = house.write(tokens.create_personal, person_id=house.alice, name="mine", scopes=["review"])
    with write_session() as session:
        session.execute(update(Person).where(Person.id == house.alice).values(disabled_at=clock()))
    with pytest.raises(Unauthenticated):
        actor_for(house, token.secret)


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({"name": ""}, "/name"), ({"name": "x" * 201}, "/name"), ({"name": "a\x00b"}, "/name"),
        ({"scopes": []}, "/scopes"), ({"scopes": ["root"]}, "/scopes"), ({"queues": ["nope"]}, "/queues"),
        ({"queues": ["\x00"]}, "/queues"), ({"expires_days": 0}, "/expires_days"),
    ],
)  # fmt: skip
def test_a_token_that_makes_no_sense_is_refused_with_a_pointer(house, wrong, pointer):
    with pytest.raises(Invalid) as refused:
        house.write(tokens.create_service, **{"name": "bot", "scopes": ["items:write"], **wrong})
    assert refused.value.faults[0].pointer == pointer


def test_the_api_does_not_look_at_the_cookie_and_pages_do_not_look_at_the_token(house, service):
    browser = house.signed_in("admin")
    assert browser.get("/api/v1/queues").status_code == 401
    answer = house.browser().get("/account", headers={"Authorization": f"Bearer {service.secret}"})
    assert answer.status_code == 302


def test_the_page_shows_the_secret_once_and_revokes_it(house):
    browser = house.signed_in()
    answer = browser.post("/account/tokens", name="laptop", scopes="review")
    assert answer.status_code == 201
    secret = answer.text.split("<output", 1)[1].split(">", 1)[1].split("<")[0]
    assert actor_for(house, secret).id == house.alice
    assert secret not in browser.get("/account").text
    token_id = secret.removeprefix("rq_").split(".")[0]
    assert house.signed_in("admin").post(f"/account/tokens/{token_id}/revocation").status_code == 404
    assert browser.post(f"/account/tokens/{token_id}/revocation").status_code == 303
    with pytest.raises(Unauthenticated):
        actor_for(house, secret)


def test_a_faulty_form_keeps_what_was_typed(house):
    answer = house.signed_in("admin").post("/admin/tokens", name="nightly job", expires_days="0")
    assert answer.status_code == 422
    assert 'value="nightly job"' in answer.text
    assert "Choose at least one." in answer.text
    assert "Between 1 and" in answer.text


def test_revoking_what_is_not_there_is_not_found(house):
    for token_id in ("0" * 16, "x", "\x00"):
        with pytest.raises(NotFound):
            house.write(tokens.revoke, token_id=token_id)


def test_creating_and_revoking_are_events(house, service):
    house.write(tokens.revoke, token_id=service.id)
    house.write(tokens.revoke, token_id=service.id)
    assert [event.subject for event in house.events("token.created")] == [service.id]
    assert [event.subject for event in house.events("token.revoked")] == [service.id]
    assert "bot" not in house.events("token.created")[0].facts


def test_a_token_has_a_limit_of_its_own_or_that_of_the_site(house, monkeypatch):
    clock = [1000.0]
    monkeypatch.setattr(limits, "now", lambda: clock[0])
    token = house.write(tokens.create_service, name="busy", scopes=["items:read"], requests_per_second=2).secret
    other = house.write(tokens.create_service, name="calm", scopes=["items:read"]).secret

    def ask(secret):
        return house.app.test_client().get("/api/v1/items", headers={"Authorization": f"Bearer {secret}"})

    assert [ask(token).status_code for _ in range(3)] == [200, 200, 429]
    refused = ask(token)
    assert (refused.json["code"], refused.headers["Retry-After"]) == ("too_many_requests", "1")
    assert {ask(other).status_code for _ in range(5)} == {200}, "no other token is held up"
    clock[0] += 0.5
    assert [ask(token).status_code for _ in range(2)] == [200, 429], "what was refused counted for nothing"
    settings = house.app.config["SETTINGS"]
    house.app.config["SETTINGS"] = replace(settings, requests_per_second=1)
    assert [ask(other).status_code for _ in range(2)] == [200, 429]
    wrong = house.signed_in("admin").post("/admin/tokens", name="wrong", scopes="exports", requests_per_second="0")
    assert wrong.status_code == 422
