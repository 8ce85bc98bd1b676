"""Sessions are rows: what ends is over, also for a cookie that was captured before."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from sqlalchemy import delete, select, update

from reviewqueue.accounts import memberships, people, sessions
from reviewqueue.app import create_app
from reviewqueue.core.db import clock, read_session, write_session
from reviewqueue.models import Membership, WebSession
from reviewqueue.models.states import QueueRole, SiteRole
from tests.accounts.conftest import OPERATOR, PASSWORD
from tests.fixtures import installation


def test_a_cookie_captured_before_logout_does_not_work_after(house):
    browser = house.signed_in()
    captured = browser.cookie()
    assert house.browser().with_cookie(captured).is_signed_in
    assert browser.post("/logout").status_code == 303
    assert not browser.is_signed_in
    assert not house.browser().with_cookie(captured).is_signed_in


def test_signing_in_gives_a_session_that_was_not_there_before(house):
    browser = house.browser()
    browser.get("/login")
    before = browser.cookie()
    browser.sign_in("alice@example.org")
    first = browser.cookie()
    assert first != before
    assert not house.browser().with_cookie(before).is_signed_in
    again = house.signed_in()
    assert again.cookie() != first


def test_a_password_change_ends_all_other_sessions_and_renews_this_one(house):
    other, browser = house.signed_in(), house.signed_in()
    captured = browser.cookie()
    fields = {"current": "correct horse battery", "password": "a new one, longer", "repeat": "a new one, longer"}
    assert browser.post("/account/password", **fields).status_code == 303
    assert browser.is_signed_in
    assert not other.is_signed_in
    assert not house.browser().with_cookie(captured).is_signed_in
    assert house.browser().sign_in("alice@example.org").status_code == 422
    assert house.browser().sign_in("alice@example.org", "a new one, longer").status_code == 303


def test_a_wrong_current_password_changes_nothing_and_is_said_beside_the_field(house):
    browser = house.signed_in()
    fields = {"current": "not it, certainly", "password": "a new one, longer", "repeat": "a new one, longer"}
    answer = browser.post("/account/password", **fields)
    assert answer.status_code == 422
    assert "This is not your current password." in answer.text
    assert house.signed_in().is_signed_in


def test_a_new_site_role_ends_the_sessions(house):
    browser = house.signed_in()
    house.write(people.change_role, person_id=house.alice, role=SiteRole.AUDITOR)
    assert not browser.is_signed_in


@pytest.mark.parametrize("change", ["added", "removed"])
def test_a_change_of_membership_gives_the_session_a_new_id(house, change):
    browser = house.signed_in()
    captured = browser.cookie()
    if change == "added":
        house.write(memberships.add, slug="mail", email="alice@example.org", role=QueueRole.LEAD)
    else:
        with read_session() as session:
            membership_id = session.scalar(select(Membership.id).where(Membership.person_id == house.alice))
        house.write(memberships.remove, slug="mail", membership_id=membership_id)
    assert browser.is_signed_in
    assert browser.cookie() != captured
    with read_session() as session:
        rows = session.execute(
            select(WebSession.expires_at <= clock(sessions.OVERLAP_SECONDS)).order_by(WebSession.created_at)
        ).scalars()
        assert [bool(ends) for ends in rows] == [True, False]
    browser.post("/logout")
    assert not house.browser().with_cookie(captured).is_signed_in


def test_a_session_ends_after_its_hours_without_a_request(house):
    browser = house.signed_in()
    with write_session() as session:
        session.execute(update(WebSession).values(expires_at=clock(-1)))
    assert not browser.is_signed_in
    with write_session() as session:
        assert sessions.sweep(session=session) == 1


def test_a_request_prolongs_the_session_but_writes_at_most_every_five_minutes(house):
    browser = house.signed_in()
    with write_session() as session:
        session.execute(update(WebSession).values(seen_at=clock(-301), expires_at=clock(60)))
    assert browser.is_signed_in
    with read_session() as session:
        row = session.execute(select(WebSession.seen_at, WebSession.expires_at > clock(3600))).one()
    assert row[1]
    assert browser.is_signed_in
    with read_session() as session:
        assert session.scalar(select(WebSession.seen_at)) == row[0]


def test_a_session_ends_a_week_after_it_began_however_much_it_is_used(house):
    browser = house.signed_in()
    with write_session() as session:
        began = clock(1 - sessions.LONGEST_SECONDS)
        session.execute(update(WebSession).values(created_at=began, seen_at=clock(-301), rotate=True))
    assert browser.is_signed_in, "not yet; and a new id makes it no younger"
    with write_session() as session:
        assert session.scalar(select(WebSession.id).where(WebSession.created_at > clock(-3600))) is None
        session.execute(update(WebSession).values(created_at=clock(-sessions.LONGEST_SECONDS), seen_at=clock(-301)))
        session.execute(update(WebSession).values(expires_at=clock(60)))
    assert browser.is_signed_in
    with read_session() as session:
        assert session.scalar(select(WebSession.id).where(WebSession.expires_at > clock(61))) is None


def test_other_sessions_can_be_signed_out_one_by_one_and_together(house):
    browser, second, third = house.signed_in(), house.signed_in(), house.signed_in()
    with read_session() as session:
        rows = sessions.open_sessions(session, house.alice)
    page = browser.get("/account").text
    handles = [row.handle for row in rows if f"/account/sessions/{row.handle}/sign-out" in page]
    assert len(handles) == 2
    assert browser.post(f"/account/sessions/{handles[0]}/sign-out").status_code == 303
    assert second.is_signed_in + third.is_signed_in == 1
    browser.post("/account/sessions/sign-out")
    assert browser.is_signed_in
    assert not second.is_signed_in
    assert not third.is_signed_in


def test_nobody_can_sign_out_somebody_elses_session(house):
    admin = house.signed_in("admin")
    with read_session() as session:
        (row,) = sessions.open_sessions(session, house.admin)
    assert house.signed_in("alice").post(f"/account/sessions/{row.handle}/sign-out").status_code == 404
    assert admin.is_signed_in


def test_the_page_does_not_give_a_sessions_id_away(house):
    browser = house.signed_in()
    with read_session() as session:
        session_id = session.scalar(select(WebSession.id))
    assert session_id not in browser.get("/account").text


def test_login_logout_and_sessions_are_events(house):
    browser = house.signed_in()
    browser.post("/logout")
    house.browser().sign_in("alice@example.org", "wrong, wrong, wrong")
    assert [event.actor for event in house.events("login")] == [house.alice]
    assert [event.actor for event in house.events("logout")] == [house.alice]
    (failed,) = house.events("login.failed")
    assert failed.subject == house.alice
    assert "example.org" not in failed.facts


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(house):
    answer = house.browser().sign_in("alice@example.org")
    cookies = answer.headers.getlist("Set-Cookie")
    assert len(cookies) == 2
    assert all("HttpOnly" in cookie and "SameSite=Lax" in cookie for cookie in cookies)


def test_behind_tls_browsers_take_the_cookies_over_tls_and_from_this_host_alone(settings):
    app = create_app(replace(settings, secure_cookies=True))
    with app.app_context():
        with write_session() as session:
            people.create(session=session, actor=OPERATOR, email="eve@example.org", password=PASSWORD)
        client = app.test_client()
        over_tls = {"base_url": "https://localhost", "headers": {"Referer": "https://localhost/login"}}
        token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', client.get("/login", **over_tls).text)[1]
        form = {"csrf_token": token, "email": "eve@example.org", "password": PASSWORD}
        answer = client.post("/login", data=form, **over_tls)
        session_cookie, device = sorted(answer.headers.getlist("Set-Cookie"))
        assert session_cookie.startswith("__Host-reviewqueue=")
        assert {"Secure", "Path=/"} <= set(session_cookie.split("; "))
        assert "Domain" not in session_cookie
        assert device.startswith("__Secure-reviewqueue_device=")
        assert "Secure" in device
        assert client.get("/account", **over_tls).status_code in {200, 302, 303}
        assert "max-age=31536000; includeSubDomains" in answer.headers["Strict-Transport-Security"]
        installation.dispose()


def test_static_files_and_health_ask_nobody_who_they_are(house):
    browser = house.signed_in()
    for path in ("/static/app.css", "/healthz"):
        answer = browser.get(path)
        assert answer.status_code == 200
        assert "Cookie" not in answer.headers.get("Vary", "")
        answer.close()


def test_a_form_sent_after_its_session_ended_leads_to_the_login_and_back(house):
    browser = house.signed_in()
    fields = {"csrf_token": browser.csrf()}
    with write_session() as session:
        session.execute(delete(WebSession))
    ours = {"Referer": "http://localhost/queues/intents?x=1"}
    answer = browser.client.post("/pause", data=fields, headers=ours)
    assert answer.status_code == 401
    assert 'href="/login?next=/queues/intents?x%3D1"' in answer.text
    elsewhere = browser.client.post("/pause", data=fields, headers={"Referer": "http://evil.example/queues"})
    assert 'href="/login"' in elsewhere.text
