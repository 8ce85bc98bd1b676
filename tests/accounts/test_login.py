"""Signing in: forms, redirects, throttling, passwords."""

from __future__ import annotations

import threading

import pytest
from argon2 import PasswordHasher
from sqlalchemy import select, update

from reviewqueue.accounts import passwords, people, throttle
from reviewqueue.accounts.throttle import Attempt, delay_seconds, keys_of
from reviewqueue.core.db import clock, read_session, write_session
from reviewqueue.errors import TooMany
from reviewqueue.models import LoginThrottle, Person

WRONG = "wrong, wrong, wrong"


@pytest.mark.parametrize("typed", ["alice@example.org", " ALICE@Example.ORG "])
def test_the_e_mail_is_known_in_any_case_of_letters(house, typed):
    assert house.browser().sign_in(typed).status_code == 303


def test_a_wrong_password_an_unknown_e_mail_and_a_disabled_person_get_the_same_page(house):
    house.write(people.create, email="gone@example.org", password="correct horse battery")
    with write_session() as session:
        session.execute(update(Person).where(Person.email == "gone@example.org").values(disabled_at=clock()))
    pages = []
    for email, password in (
        ("alice@example.org", WRONG), ("nobody@example.org", WRONG), ("gone@example.org", "correct horse battery"),
    ):  # fmt: skip
        answer = house.browser().sign_in(email, password)
        assert answer.status_code == 422
        pages.append(answer.text.replace(email, "").split("<form", 1)[1].split("csrf_token")[0])
        assert f'value="{email}"' in answer.text
        assert password not in answer.text
        assert "The e-mail or the password is not right." in answer.text
    assert len(set(pages)) == 1


def test_an_unknown_e_mail_costs_a_hash_as_a_known_one_does(house, monkeypatch):
    costs = []
    real = PasswordHasher.verify
    monkeypatch.setattr(PasswordHasher, "verify", lambda *arguments: costs.append(1) or real(*arguments))
    house.browser().sign_in("alice@example.org", WRONG)
    house.browser().sign_in("nobody@example.org", WRONG)
    assert costs == [1, 1]


def test_a_hash_made_at_another_cost_is_replaced_at_login(house):
    old = PasswordHasher(time_cost=2, memory_cost=16, parallelism=1).hash("correct horse battery")
    with write_session() as session:
        session.execute(update(Person).where(Person.id == house.alice).values(password_hash=old))
    house.signed_in()
    with read_session() as session:
        kept = session.scalar(select(Person.password_hash).where(Person.id == house.alice))
    assert kept != old
    assert not passwords.hasher().outdated(kept)
    house.signed_in()


@pytest.mark.parametrize(
    ("target", "lands"),
    [
        ("/admin/people?q=a", "/admin/people?q=a"),
        ("https://evil.example/", "/"),
        ("//evil.example/", "/"),
        ("/\\evil.example/", "/"),
        ("javascript:alert(1)", "/"),
        ("/\tevil", "/"),
        ("", "/"),
    ],
)
def test_after_login_one_lands_where_one_wanted_but_never_elsewhere(house, target, lands):
    answer = house.browser().sign_in("alice@example.org", next=target)
    assert answer.headers["Location"] == lands


def test_a_page_asked_for_without_a_session_comes_after_login(house):
    answer = house.browser().get("/admin/people?q=a")
    assert answer.status_code == 302
    assert answer.headers["Location"] == "/login?next=/admin/people?q%3Da"


@pytest.mark.parametrize(
    "path", ["/login", "/logout", "/account/password", "/account/tokens", "/admin/people", "/admin/tokens"]
)
def test_a_form_without_its_csrf_token_is_refused(house, path):
    browser = house.signed_in("admin")
    with house.app.app_context():
        answer = browser.client.post(path, data={"email": "x@example.org", "name": "x", "scopes": "exports"})
    assert answer.status_code == 403
    assert "The form was too old or came from elsewhere" in answer.text
    assert "Sign out" in answer.text
    assert browser.is_signed_in


def test_a_one_time_password_opens_nothing_but_the_account_page(house):
    created = house.write(people.create, email="new@example.org")
    browser = house.browser()
    assert browser.sign_in("new@example.org", created.password).status_code == 303
    assert browser.get("/admin/people").headers["Location"] == "/account"
    assert browser.post("/account/tokens", name="x", scopes="review").status_code == 303
    fields = {"current": created.password, "password": "a new one, longer", "repeat": "a new one, longer"}
    assert browser.post("/account/password", **fields).status_code == 303
    assert browser.get("/admin/people").status_code == 403


@pytest.mark.parametrize(
    ("password", "said"),
    [
        ("short", "at least 12"),
        ("aaaaaaaaaaaaaaaa", "5 different"),
        ("alice@example.org", "e-mail"),
        ("password1234", "tried first"),
        ("iloveyou1234", "tried first"),
        ("Letmeinletmein", "tried first"),
        ("Reviewqueue2026", "tried first"),
        ("alice12345678", "tried first"),
        ("x" * 300, "long"),
    ],
)
def test_a_weak_new_password_is_refused_beside_the_field(house, password, said):
    fields = {"current": "correct horse battery", "password": password, "repeat": password}
    answer = house.signed_in().post("/account/password", **fields)
    assert answer.status_code == 422
    assert said in answer.text
    house.signed_in()


@pytest.mark.parametrize("password", ["correct horse battery", "k7-Qm2-xZ9-pp", "ä" * 7 + " wörter ohne", "word " * 51])
def test_any_kind_of_characters_makes_a_password_and_long_ones_are_looked_at_in_a_moment(app, password):
    assert passwords.fault_in(password, email="alice@example.org") is None


def test_letters_typed_as_other_code_points_are_the_same_password(house):
    house.write(people.create, email="eve@example.org", password="caf\u00e9 caf\u00e9 caf\u00e9")
    assert house.browser().sign_in("eve@example.org", "cafe\u0301 cafe\u0301 cafe\u0301").status_code == 303


@pytest.mark.parametrize("text", ["\x00", "a\x00@example.org", "é" * 300, "'; --", "{{7*7}}", "\u202e"])
def test_nothing_typed_into_the_login_breaks_it(house, text):
    answer = house.browser().sign_in(text, text)
    assert answer.status_code in {422, 429}
    assert house.browser().get("/login", query_string={"next": text}).status_code in {200, 422}


# -- throttling -------------------------------------------------------------------------------------------------------


def test_guessing_is_delayed_longer_and_longer():
    assert [delay_seconds(n, 5) for n in (1, 4, 5, 6, 7, 20, 10_000)] == [0, 0, 5, 10, 20, 900, 900]


def _until_delayed(browser, email, limit=80):
    for number in range(limit):
        if browser.sign_in(email, WRONG).status_code == 429:
            return number
    raise AssertionError("never delayed")


def test_guessing_from_one_address_is_delayed_there_and_nowhere_else(house):
    stranger = house.browser("198.51.100.7")
    assert _until_delayed(stranger, "alice@example.org") == 5
    answer = stranger.sign_in("alice@example.org")
    assert answer.status_code == 429
    assert 1 <= int(answer.headers["Retry-After"]) <= 6
    house.signed_in("alice", "192.0.2.44")
    assert stranger.sign_in("admin@example.org").status_code == 303


def test_an_unknown_e_mail_is_delayed_as_a_known_one(house):
    assert _until_delayed(house.browser("198.51.100.7"), "nobody@example.org") == 5


def test_strangers_everywhere_do_not_lock_out_a_browser_that_signed_in_before(house):
    known = house.signed_in("alice", "192.0.2.44")
    known.post("/logout")
    for number in range(60):
        house.browser(f"198.51.100.{number}").sign_in("alice@example.org", WRONG)
    assert house.browser("203.0.113.9").sign_in("alice@example.org").status_code == 429
    assert known.sign_in("alice@example.org").status_code == 303


def test_somebody_on_the_same_address_does_not_lock_out_a_known_browser(house):
    known = house.signed_in("alice")
    known.post("/logout")
    _until_delayed(house.browser(), "alice@example.org")
    assert known.sign_in("alice@example.org").status_code == 303


def test_a_known_browser_is_delayed_by_its_own_failures(house):
    known = house.signed_in("alice")
    known.post("/logout")
    assert _until_delayed(known, "alice@example.org") == 10


def test_a_forged_device_cookie_is_worth_nothing(house):
    browser = house.browser()
    browser.client.set_cookie("reviewqueue_device", "eyJpZCI6IngiLCJhY2NvdW50cyI6W119.x.y", path="/login")
    assert _until_delayed(browser, "alice@example.org") == 5


def test_a_device_known_to_one_account_is_a_stranger_to_another(house):
    browser = house.signed_in("alice")
    browser.post("/logout")
    assert _until_delayed(browser, "admin@example.org") == 5


def test_a_right_password_forgets_the_failures(house):
    browser = house.browser()
    for _ in range(4):
        browser.sign_in("alice@example.org", WRONG)
    browser.sign_in("alice@example.org")
    with read_session() as session:
        assert session.scalars(select(LoginThrottle.failures)).all() == [4]
    assert _until_delayed(house.browser(), "alice@example.org") == 5


def test_failures_of_yesterday_count_no_more(house):
    browser = house.browser()
    _until_delayed(browser, "alice@example.org")
    with write_session() as session:
        session.execute(update(LoginThrottle).values(last_failed_at=clock(-90_000), blocked_until=clock(-1)))
    assert browser.sign_in("alice@example.org", WRONG).status_code == 422
    with read_session() as session:
        assert set(session.scalars(select(LoginThrottle.failures))) == {1}
    with write_session() as session:
        session.execute(update(LoginThrottle).values(last_failed_at=clock(-90_000)))
        assert throttle.sweep(session=session) == 2


def test_one_subscribers_ipv6_addresses_are_one_address():
    first, second, third = (
        {key.digest for key in keys_of(Attempt("a@example.org", address))}
        for address in ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", "2001:db8:1:3::1")
    )
    assert first == second
    assert len(first & third) == 1


def test_attempts_sent_at_once_get_no_further_than_in_turn(house):
    attempt = Attempt("alice@example.org", "198.51.100.7")
    outcomes, start = [], threading.Barrier(12)

    def try_once():
        with house.app.app_context():
            start.wait()
            try:
                with write_session() as session:
                    throttle.admit(session=session, attempt=attempt)
                outcomes.append(True)
            except TooMany:
                outcomes.append(False)

    threads = [threading.Thread(target=try_once) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == [False] * 7 + [True] * 5
