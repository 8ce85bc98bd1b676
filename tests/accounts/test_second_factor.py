"""The second factor: set up, asked for, used once, lost, required."""

from __future__ import annotations

import dataclasses
import html
import re
import threading
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from reviewqueue import config
from reviewqueue.accounts import codes, commands, logins, people, second_factor, tokens
from reviewqueue.accounts.throttle import LONGEST_DELAY_SECONDS
from reviewqueue.core.db import clock, database_now, read_session, write_session
from reviewqueue.models import (
    AuditContent,
    AuditEvent,
    HalfLogin,
    LoginThrottle,
    RecoveryCode,
    SecondFactor,
    WebSession,
)
from reviewqueue.models.states import QueueRole, SiteRole
from tests.accounts.conftest import PASSWORD
from tests.accounts.test_commands import run

EMAIL = "alice@example.org"
WRONG = "The code is not right, or was used before."


def code_at(secret: str, steps: int = 0) -> str:
    """What the app shows so many steps from now."""
    with read_session() as session:
        now = database_now(session) + timedelta(seconds=steps * codes.STEP_SECONDS)
    return codes.pyotp.TOTP(secret).at(now)


def begin(browser, password=PASSWORD) -> str:
    """The secret, as the page shows it for typing."""
    assert browser.post("/account/second-factor/beginning", password=password).status_code == 303
    found = re.search(r'mono secret">([A-Z2-7 ]+)<', browser.get("/account/second-factor").text)
    assert found
    return found[1].replace(" ", "")


def enrol(browser) -> tuple[str, list[str]]:
    """The secret and the recovery codes. The code of the step before is used: those of now and after are left."""
    secret = begin(browser)
    page = browser.post("/account/second-factor/confirmation", code=code_at(secret, -1))
    assert page.status_code == 201, page.text
    return secret, re.findall(r"<li>([a-z2-9]{4}(?:-[a-z2-9]{4}){3})</li>", page.text)


def test_it_is_set_up_and_asked_for_and_until_then_nothing_else_opens(house):
    other, browser = house.signed_in(), house.signed_in()
    before = browser.cookie()
    secret, recovery = enrol(browser)
    assert len(set(recovery)) == 10
    assert browser.is_signed_in
    assert browser.cookie() != before
    assert not other.is_signed_in
    assert recovery[0] not in browser.get("/account/second-factor").text
    assert "10 recovery codes are left" in browser.get("/account").text

    half = house.browser()
    answer = half.sign_in(EMAIL, next="/decisions")
    assert answer.headers["Location"] == "/login/code"
    assert half.client.get_cookie("reviewqueue_device", path="/login") is None
    for path in ("/", "/account", "/account/second-factor", "/decisions"):
        assert half.get(path).headers["Location"].startswith("/login?next=")
    assert half.post("/account/second-factor/turning-off").status_code == 401
    answer = half.post("/login/code", code=f" {code_at(secret)[:3]} {code_at(secret)[3:]} ")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/decisions")
    assert half.is_signed_in
    assert half.cookie("reviewqueue_device")
    with read_session() as session:
        assert session.scalar(select(HalfLogin.id)) is None
    assert [event.action for event in house.events("second_factor.turned_on")] == ["second_factor.turned_on"]


def test_a_code_is_taken_once_and_within_a_step_of_now(house):
    secret, _recovery = enrol(house.signed_in())
    first, second = house.browser(), house.browser("203.0.113.9")
    first.sign_in(EMAIL)
    for wrong in (code_at(secret, -1), code_at(secret, 5), code_at(secret, -5), "ｘ"):
        answer = first.post("/login/code", code=wrong)
        assert answer.status_code == 422
        assert WRONG in answer.text
        assert wrong not in answer.text.split("<form")[0]
    assert not first.is_signed_in
    second.sign_in(EMAIL)
    ahead = code_at(secret, 1)
    assert second.post("/login/code", code=ahead).status_code == 303
    # What finished one login ends what else was half done: somebody may have watched.
    assert first.post("/login/code", code=ahead).headers["Location"] == "/login"
    second.sign_in(EMAIL)
    assert second.post("/login/code", code=ahead).status_code == 422
    assert second.post("/login/code", code=code_at(secret)).status_code == 422
    assert len(house.events("login.second_factor_failed")) == 6


def test_of_several_who_send_one_code_at_once_one_is_let_in(house):
    secret, recovery = enrol(house.signed_in())
    for code in (code_at(secret), recovery[3]):
        together, taken = threading.Barrier(4), []

        def spend(code=code, together=together, taken=taken):
            with house.app.app_context():
                together.wait()
                with write_session() as session:
                    taken.append(second_factor.spend(session=session, person_id=house.alice, typed=code))

        threads = [threading.Thread(target=spend) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sum(means is not None for means in taken) == 1, taken


def test_a_recovery_code_works_once_in_any_writing(house):
    _secret, recovery = enrol(house.signed_in())
    first, second = house.browser(), house.browser()
    first.sign_in(EMAIL)
    assert first.post("/login/code", code=recovery[0].upper().replace("-", " ")).status_code == 303
    assert "9 recovery codes are left" in first.get("/account").text
    assert house.events("login")[-1].facts == '{"known_device":false,"second_factor":"recovery_code"}'
    second.sign_in(EMAIL)
    assert second.post("/login/code", code=recovery[0]).status_code == 422


def test_the_half_done_login_ends_with_time_and_with_a_new_password(house):
    secret, _recovery = enrol(house.signed_in())
    late, reset = house.browser(), house.browser()
    late.sign_in(EMAIL)
    with write_session() as session:
        session.execute(update(HalfLogin).values(expires_at=clock(-1)))
    answer = late.post("/login/code", code=code_at(secret))
    assert answer.headers["Location"] == "/login"
    assert "typed too long ago" in late.get("/login").text
    with write_session() as session:
        assert logins.sweep(session=session) == 1
    reset.sign_in(EMAIL)
    house.write(people.reset_password, person_id=house.alice)
    assert reset.post("/login/code", code=code_at(secret)).headers["Location"] == "/login"
    assert not late.is_signed_in
    assert not reset.is_signed_in


def test_guessing_codes_gets_slow_and_does_not_delay_the_owners_browser(house):
    owner = house.signed_in()
    secret, _recovery = enrol(owner)
    thief = house.browser("203.0.113.9")
    thief.sign_in(EMAIL)
    for _ in range(5):
        assert thief.post("/login/code", code="1").status_code == 422
    answer = thief.post("/login/code", code=code_at(secret))
    assert answer.status_code == 429
    assert 0 < int(answer.headers["Retry-After"]) <= LONGEST_DELAY_SECONDS
    # A right password, again and again, forgives no wrong code.
    assert thief.sign_in(EMAIL).headers["Location"] == "/login/code"
    assert thief.post("/login/code", code=code_at(secret)).status_code == 429
    with write_session() as session:
        session.execute(update(LoginThrottle).values(failures=500, blocked_until=clock(600)))
    owner.post("/logout")
    assert owner.sign_in(EMAIL).headers["Location"] == "/login/code"
    assert owner.post("/login/code", code=code_at(secret)).status_code == 303


def test_secrets_are_kept_sealed_and_are_in_no_event(house):
    secret, recovery = enrol(house.signed_in())
    with read_session() as session:
        kept = session.scalar(select(SecondFactor.secret))
        digests = set(session.scalars(select(RecoveryCode.digest)))
        said = [*session.scalars(select(AuditEvent.facts)), *session.scalars(select(AuditContent.payload))]
    key = house.app.config["SETTINGS"].secret_key
    assert secret not in kept
    assert codes.unseal(kept, secret_key=key, person_id=house.alice) == secret
    assert codes.unseal(kept, secret_key=key, person_id=house.admin) is None
    assert codes.unseal(kept, secret_key="another", person_id=house.alice) is None
    assert len(digests) == 10
    assert not digests & {code.replace("-", "") for code in recovery}
    assert not any(word in text for text in said for word in (secret, kept, *recovery))


def test_setting_up_asks_for_the_password_and_for_the_right_code(house):
    browser = house.signed_in()
    assert browser.post("/account/second-factor/beginning", password="wrong").status_code == 422
    assert browser.post("/account/second-factor/confirmation", code="000000").headers["Location"].endswith("factor")
    secret = begin(browser)
    assert browser.post("/account/second-factor/confirmation", code=code_at(secret, 9)).status_code == 422
    assert house.browser().sign_in(EMAIL).headers["Location"] == "/"
    page = browser.get("/account/second-factor")
    assert f"otpauth://totp/reviewqueue:alice%40example.org?secret={secret}" in html.unescape(page.text)
    assert page.headers["Cache-Control"] == "no-store"
    with write_session() as session:
        session.execute(update(SecondFactor).values(created_at=clock(-second_factor.SET_UP_SECONDS - 1)))
    assert "mono secret" not in browser.get("/account/second-factor").text
    assert browser.post("/account/second-factor/confirmation", code=code_at(secret)).status_code == 303
    assert not house.events("second_factor.turned_on")
    enrol(browser)
    assert browser.post("/account/second-factor/beginning", password=PASSWORD).status_code == 303
    assert "on already" in browser.get("/account").text


def test_new_recovery_codes_and_turning_off_ask_for_password_and_code(house):
    browser = house.signed_in()
    secret, recovery = enrol(browser)
    for form, path in (("renew", "recovery-codes"), ("off", "turning-off")):
        for password, code in (("wrong", code_at(secret)), (PASSWORD, "123"), (PASSWORD, "")):
            fields = {f"{form}-password": password, f"{form}-code": code}
            assert browser.post(f"/account/second-factor/{path}", **fields).status_code == 422
    fields = {"renew-password": PASSWORD, "renew-code": recovery[0]}
    page = browser.post("/account/second-factor/recovery-codes", **fields)
    assert page.status_code == 201
    assert recovery[1] not in page.text
    other = house.browser()
    other.sign_in(EMAIL)
    assert other.post("/login/code", code=recovery[1]).status_code == 422
    off = {"off-password": PASSWORD, "off-code": code_at(secret)}
    assert browser.post("/account/second-factor/turning-off", **off).status_code == 303
    assert browser.is_signed_in
    assert house.browser().sign_in(EMAIL).headers["Location"] == "/"
    with read_session() as session:
        assert session.scalar(select(RecoveryCode.digest)) is None
    assert len(house.events("second_factor.refused")) == 4


def test_who_lost_it_is_let_in_by_an_administrator_or_at_the_command_line(house):
    owner, admin = house.signed_in(), house.signed_in("admin")
    enrol(owner)
    assert "Reset second factor" in admin.get(f"/admin/people/{house.alice}").text
    assert admin.post(f"/admin/people/{house.alice}/second-factor-reset").status_code == 303
    assert not owner.is_signed_in
    owner = house.signed_in()
    assert owner.is_signed_in
    event = house.events("second_factor.reset")[0]
    assert (event.actor, event.subject) == (house.admin, house.alice)
    enrol(owner)
    assert run(commands.users, "reset-two-factor", EMAIL).exit_code == 0
    assert house.browser().sign_in(EMAIL).headers["Location"] == "/"
    enrol(admin)
    admin.post(f"/admin/people/{house.admin}/second-factor-reset")
    assert "Turn off your own" in admin.get("/account").text


def test_whoever_must_have_one_is_led_to_it_before_anything_else(house):
    browser, admin = house.signed_in(), house.signed_in("admin")
    token = house.write(
        tokens.create_personal, person_id=house.alice, name="laptop", scopes=["review"]
    ).secret  # fmt: skip
    settings = house.app.config["SETTINGS"]
    house.app.config["SETTINGS"] = dataclasses.replace(settings, second_factor_roles=frozenset({"reviewer"}))
    for path in ("/", "/account", "/decisions"):
        assert browser.get(path).headers["Location"] == "/account/second-factor"
    assert browser.post("/account/tokens", name="x", scopes="review").headers["Location"] == "/account/second-factor"
    assert admin.get("/account").status_code == 200
    with house.app.app_context():
        headers = {"Authorization": f"Bearer {token}"}
        assert browser.client.post("/api/v1/queues/mail/claims", headers=headers).status_code == 204
    secret, _recovery = enrol(browser)
    assert browser.get("/account").status_code == 200
    off = {"off-password": PASSWORD, "off-code": code_at(secret)}
    assert browser.post("/account/second-factor/turning-off", **off).status_code == 303
    assert browser.get("/").headers["Location"] == "/account/second-factor"


def test_the_setting_names_roles_that_there_are(tmp_path):
    assert {*SiteRole, *QueueRole} == config.ROLES
    environ = {"REVIEWQUEUE_SECOND_FACTOR_ROLES": "admin, lead"}
    assert config.load(environ, data_dir=tmp_path).second_factor_roles == {"admin", "lead"}
    with pytest.raises(config.BadSetting, match="boss"):
        config.load({"REVIEWQUEUE_SECOND_FACTOR_ROLES": "boss"}, data_dir=tmp_path)


def test_a_session_that_was_opened_meanwhile_with_the_password_alone_does_not_stay(house):
    browser = house.signed_in()
    house.signed_in(address="203.0.113.9")
    enrol(browser)
    with read_session() as session:
        assert len(session.scalars(select(WebSession.id).where(WebSession.person_id == house.alice)).all()) == 1
