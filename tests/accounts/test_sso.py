"""Single sign-on: who comes in from the provider, as whom, with which roles; and who does not."""

from __future__ import annotations

import dataclasses
import json
import re
from urllib.parse import parse_qs, urlsplit
from urllib.request import urlopen

import pytest
from sqlalchemy import select, update

from reviewqueue import cli, config
from reviewqueue.accounts import memberships, people, provider, sso
from reviewqueue.core.db import clock, read_session, write_session
from reviewqueue.models import AuditContent, Membership, Person, SpentState, SsoIdentity, WebSession
from reviewqueue.models.states import QueueRole, SiteRole
from tests.accounts.conftest import OPERATOR, PASSWORD
from tests.accounts.test_second_factor import code_at, enrol
from tests.fixtures import provider as fixture

ROLES = {"admins": "admin", "auditors": ["auditor"], "staff": "member", "mail": "mail:reviewer", "leads": "mail:lead"}


@pytest.fixture(scope="module")
def running():
    with fixture.running() as found:
        yield found


@pytest.fixture
def idp(running):
    """The provider, honest, with nobody at the keyboard."""
    fresh = fixture.Provider(url=running.url, key=running.key)
    vars(running).update(vars(fresh))
    return running


def setting(house, idp, **changes):
    sso_settings = {"issuer": idp.url, "client_id": fixture.CLIENT, "client_secret": fixture.SECRET, "title": "Corp"}
    own = {name: changes.pop(name) for name in ("roles", "domains", "second_factor") if name in changes}
    found = config.SingleSignOn(
        **sso_settings,
        **{"roles": {k: tuple([v] if isinstance(v, str) else v) for k, v in own.pop("roles", {}).items()}, **own},
    )
    house.app.config["SETTINGS"] = dataclasses.replace(house.app.config["SETTINGS"], sso=found, **changes)
    provider.init_app(house.app)


@pytest.fixture
def corp(house, idp):
    setting(house, idp)
    return house


def journey(browser, target=""):
    """To the provider, and back with its answer, which is not delivered yet: path and query of the return."""
    answer = browser.get(f"/login/sso?next={target}" if target else "/login/sso")
    assert answer.status_code == 303
    page = urlopen(answer.headers["Location"].replace(" ", "%20")).read().decode()
    found = re.search(r'href="([^"]+)"', page)
    assert found, page
    parts = urlsplit(found[1].replace("&amp;", "&"))
    return f"{parts.path}?{parts.query}"


def come(browser, target=""):
    return browser.get(journey(browser, target))


def person(email):
    with read_session() as session:
        return session.scalars(select(Person).where(Person.email == email)).one_or_none()


def roles_of(email):
    with read_session() as session:
        return {place.role for place in memberships.places(session, person(email).id)}


def why(house):
    return json.loads(house.events("login.sso_refused")[-1].facts)["why"]


# -- who comes in -----------------------------------------------------------------------------------------------------


def test_somebody_new_becomes_a_member_and_lands_where_they_wanted(corp, idp):
    idp.knows("s-1", "Nora@example.org")
    browser = corp.browser()
    assert "Sign in with Corp" in browser.get("/login").text
    answer = come(browser, "/decisions")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/decisions")
    assert browser.is_signed_in
    made = person("Nora@example.org")
    assert (made.name, made.role, made.password_hash) == ("Nora", SiteRole.MEMBER, "")
    assert "Current password" not in browser.get("/account").text
    again = corp.browser()
    # The subject counts from now on, not the e-mail.
    idp.knows("s-1", "nora.married@example.org")
    assert come(again).status_code == 303
    assert person("nora.married@example.org") is None
    with read_session() as session:
        assert session.scalars(select(SsoIdentity.subject)).all() == ["s-1"]
        assert len(session.scalars(select(WebSession.id).where(WebSession.person_id == made.id)).all()) == 2


def test_no_password_opens_an_account_without_one(corp, idp):
    idp.knows("s-1", "nora@example.org")
    come(corp.browser())
    for password in ("", " ", PASSWORD):
        assert corp.browser().sign_in("nora@example.org", password).status_code == 422


def test_whoever_has_the_verified_email_is_matched_once(corp, idp):
    idp.knows("a-1", "ALICE@example.org")
    assert come(corp.browser()).status_code == 303
    assert roles_of("alice@example.org") == {QueueRole.REVIEWER}
    assert [event.subject for event in corp.events("sso.linked")] == [corp.alice]
    idp.knows("a-2", "alice@example.org")
    answer = come(corp.browser())
    assert answer.status_code == 403
    assert "belongs to another account here" in answer.text
    assert why(corp) == "other_identity"
    corp.write(sso.unlink, person_id=corp.alice)
    assert come(corp.browser()).status_code == 303


def test_a_disabled_person_stays_out(corp, idp):
    idp.knows("a-1", "alice@example.org")
    browser = corp.browser()
    come(browser)
    corp.write(people.disable, person_id=corp.alice)
    assert not browser.is_signed_in
    answer = come(corp.browser())
    assert answer.status_code == 403
    assert why(corp) == "disabled"


def test_what_is_only_in_the_userinfo_counts_too(house, idp):
    setting(house, idp, roles=ROLES)
    idp.knows("s-1", "nora@example.org", "mail")
    idp.only_in_userinfo = frozenset({"email", "email_verified", "groups"})
    assert come(house.browser()).status_code == 303
    assert roles_of("nora@example.org") == {QueueRole.REVIEWER}


# -- who does not -----------------------------------------------------------------------------------------------------

LIES = (
    ("nonce", {"nonce": "another"}), ("nonce", {"nonce": None}), ("iss", {"iss": "https://elsewhere.example"}),
    ("aud", {"aud": "another-client"}), ("azp", {"aud": [fixture.CLIENT, "another"], "azp": "another"}),
    ("Expired", {"exp": 1_000_000_000}), ("", {"nbf": 4_000_000_000}), ("exp", {"exp": None}),
    ("sub", {"sub": None}), ("sub", {"sub": 7}),
)  # fmt: skip


def test_a_token_that_says_what_it_must_not_is_not_believed(corp, idp):
    idp.knows("s-1", "nora@example.org")
    for claim, lie in LIES:
        idp.lies = lie
        _stays_out(corp, f"id_token:{claim}")


def test_a_token_that_the_issuer_did_not_sign_is_not_believed(corp, idp):
    idp.knows("s-1", "nora@example.org")
    for signing in ("none", "stranger", "HS256"):
        idp.signing = signing
        _stays_out(corp, "id_token:")


def _stays_out(house, reason):
    browser = house.browser()
    answer = come(browser)
    assert answer.status_code == 403
    assert not browser.is_signed_in
    assert person("nora@example.org") is None
    assert why(house).startswith(reason)
    with read_session() as session:
        contents = session.scalars(select(AuditContent.payload)).all()
    assert any("192.0.2.1" in content for content in contents)


def test_an_email_that_is_not_verified_is_nobodys(corp, idp):
    for claim in (False, "yes", None, 1.5):
        idp.knows("s-1", "nora@example.org", email_verified=claim)
        _stays_out(corp, "email_unverified")
    idp.knows("s-1", "")
    assert come(corp.browser()).status_code == 403


def test_only_the_domains_of_the_setting_are_let_in(house, idp):
    setting(house, idp, domains=frozenset({"example.com"}))
    for email in ("nora@example.org", "nora@example.com.example.org"):
        idp.knows("s-1", email)
        assert come(house.browser()).status_code == 403
        assert why(house) == "domain"
    idp.knows("s-1", "nora@Example.com")
    assert come(house.browser()).status_code == 303


def test_a_state_comes_back_once_and_to_the_browser_that_left(corp, idp):
    idp.knows("s-1", "nora@example.org")
    browser, thief = corp.browser(), corp.browser()
    back = journey(browser)
    assert thief.get(back).status_code == 403
    journey(thief)
    # Somebody else's answer, in a browser that is on a journey of its own.
    assert thief.get(back).status_code == 403
    assert not thief.is_signed_in
    cookie = browser.client.get_cookie("reviewqueue_sso", path="/login/sso").value
    assert browser.get(back).status_code == 303
    replayer = corp.browser()
    replayer.client.set_cookie("reviewqueue_sso", cookie, path="/login/sso")
    answer = replayer.get(back)
    assert answer.status_code == 403
    assert "finished before" in answer.text
    assert why(corp) == "state_used"
    assert browser.get(back).status_code == 403
    with write_session() as session:
        assert sso.sweep(session=session) == 0
        session.execute(update(SpentState).values(expires_at=clock(-1)))
        assert sso.sweep(session=session) == 1


def test_a_code_without_the_verifier_is_of_no_use(corp, idp):
    idp.knows("s-1", "nora@example.org")
    mine, theirs = corp.browser(), corp.browser()
    stolen = parse_qs(urlsplit(journey(theirs)).query)["code"][0]
    back = urlsplit(journey(mine))
    state = parse_qs(back.query)["state"][0]
    answer = mine.get(f"{back.path}?code={stolen}&state={state}")
    assert answer.status_code == 403
    assert why(corp) == "code_refused"


def test_an_answer_that_names_another_issuer_or_no_code_is_refused(corp, idp):
    idp.knows("s-1", "nora@example.org")
    browser = corp.browser()
    back = journey(browser)
    assert browser.get(re.sub("iss=[^&]+", "iss=https://elsewhere.example", back)).status_code == 403
    assert why(corp) == "other_issuer"
    back = journey(browser)
    assert browser.get(re.sub("code=[^&]+", "error=access_denied", back)).status_code == 403
    assert why(corp) == "no_code"


def test_a_provider_that_is_down_or_somebody_else_is_said_so(house, idp):
    setting(house, idp)
    idp.down = True
    assert house.browser().get("/login/sso").status_code == 503
    assert house.browser().get("/login").status_code == 200
    idp.down = False
    idp.knows("s-1", "nora@example.org")
    browser = house.browser()
    back = journey(browser)
    idp.down = True
    assert browser.get(back).status_code == 503
    idp.down = False
    house.app.config["SETTINGS"] = dataclasses.replace(
        house.app.config["SETTINGS"], sso=dataclasses.replace(house.app.config["SETTINGS"].sso, issuer=idp.url + "/")
    )
    provider.init_app(house.app)
    assert house.browser().get("/login/sso").status_code == 503


def test_the_doctor_says_whether_the_provider_answers(house, idp):
    with house.app.app_context():
        assert cli._provider_check() == []
    setting(house, idp)
    with house.app.app_context():
        assert [(check.ok, check.seen) for check in cli._provider_check()] == [(True, f"{idp.url} answers")]
    idp.down = True
    provider.init_app(house.app)
    with house.app.app_context():
        [check] = cli._provider_check()
    assert (check.ok, "REVIEWQUEUE_SSO_ISSUER" in check.mend) == (False, True)


def test_the_provider_is_asked_outside_of_any_transaction(corp, idp, monkeypatch):
    idp.knows("s-1", "nora@example.org")
    seen, ask = [], provider.exchange

    def asked(*arguments, **options):
        with write_session() as session:
            # On SQLite nobody else could write while a transaction is open.
            people.create(session=session, actor=OPERATOR, email=f"while-{len(seen)}@example.org")
        seen.append(arguments[1].path)
        return ask(*arguments, **options)

    monkeypatch.setattr(provider, "exchange", asked)
    assert come(corp.browser()).status_code == 303
    assert seen == ["/.well-known/openid-configuration", "/token", "/keys"]


# -- roles ------------------------------------------------------------------------------------------------------------


def test_groups_make_roles_at_each_login_and_end_sessions_when_they_change(house, idp):
    setting(house, idp, roles=ROLES)
    idp.knows("s-1", "nora@example.org", "staff", "mail", "unheard of")
    first = house.browser()
    assert come(first).status_code == 303
    assert (person("nora@example.org").role, roles_of("nora@example.org")) == (SiteRole.MEMBER, {QueueRole.REVIEWER})
    with write_session() as session:
        memberships.add(session=session, actor=OPERATOR, slug="mail", email="nora@example.org", role=QueueRole.ANALYST)
    second = house.browser()
    assert come(second).status_code == 303
    assert first.is_signed_in
    idp.knows("s-1", "nora@example.org", "auditors", "leads")
    third = house.browser()
    assert come(third).status_code == 303
    assert person("nora@example.org").role is SiteRole.AUDITOR
    # What no group gives, people here gave.
    assert roles_of("nora@example.org") == {QueueRole.LEAD, QueueRole.ANALYST}
    assert [browser.is_signed_in for browser in (first, second, third)] == [False, False, True]
    idp.knows("s-1", "nora@example.org", "auditors")
    assert come(house.browser()).status_code == 303
    assert roles_of("nora@example.org") == {QueueRole.ANALYST}
    assert not third.is_signed_in


def test_whoever_is_mapped_to_nothing_stays_out_and_changes_nothing(house, idp):
    setting(house, idp, roles=ROLES)
    for groups in ([], ["unheard of"], "admin", {"admins": True}):
        idp.knows("s-1", "nora@example.org")
        idp.claims["groups"] = groups
        _stays_out(house, "no_role")
    idp.knows("a-1", "alice@example.org")
    assert come(house.browser()).status_code == 403
    assert roles_of("alice@example.org") == {QueueRole.REVIEWER}


def test_the_last_administrator_stays_one(house, idp):
    setting(house, idp, roles=ROLES)
    idp.knows("ada", "admin@example.org", "staff")
    assert come(house.browser()).status_code == 303
    assert person("admin@example.org").role is SiteRole.ADMIN


def test_a_mapping_is_read_strictly():
    env = {
        "REVIEWQUEUE_SSO_ISSUER": "https://id.example",
        "REVIEWQUEUE_SSO_CLIENT_ID": "rq",
        "REVIEWQUEUE_SECRET_KEY": "x",
    }
    good = config.load({**env, "REVIEWQUEUE_SSO_ROLES": json.dumps(ROLES), "REVIEWQUEUE_PASSWORDS": "admins"})
    assert good.sso.roles["mail"] == ("mail:reviewer",)
    assert (good.sso.title, good.passwords) == ("id.example", "admins")
    for bad in ("[]", "{", '{"a": "root"}', '{"a": "reviewer"}', '{"a": "mail:admin"}', '{"a": 7}', '{"a": [null]}'):
        with pytest.raises(config.BadSetting, match="SSO_ROLES"):
            config.load({**env, "REVIEWQUEUE_SSO_ROLES": bad})
    for name, value in (
        ("SSO_ISSUER", "http://id.example"), ("SSO_CLIENT_ID", ""), ("SSO_SCOPES", "email"), ("PASSWORDS", "some"),
    ):  # fmt: skip
        with pytest.raises(config.BadSetting, match=name):
            config.load({**env, f"REVIEWQUEUE_{name}": value})
    with pytest.raises(config.BadSetting, match="SSO_ISSUER"):
        config.load({"REVIEWQUEUE_SECRET_KEY": "x", "REVIEWQUEUE_PASSWORDS": "admins"})


# -- passwords and second factors -------------------------------------------------------------------------------------


def test_passwords_for_administrators_only(house, idp):
    before, admin = house.signed_in(), house.signed_in("admin")
    setting(house, idp, passwords="admins")
    # Sessions that were begun with a password end.
    assert before.get("/decisions").headers["Location"] == "/login"
    assert not before.is_signed_in
    assert admin.is_signed_in
    answer = house.browser().sign_in("alice@example.org")
    assert answer.status_code == 403
    assert "is not taken from you here" in answer.text
    # Whoever has not got the password learns nothing.
    assert house.browser().sign_in("alice@example.org", "wrong horse battery").status_code == 422
    assert house.signed_in("admin").is_signed_in
    idp.knows("a-1", "alice@example.org")
    browser = house.browser()
    assert come(browser).status_code == 303
    assert browser.is_signed_in
    # A new password does not end the session that came from the provider.
    answer = browser.post("/account/password", current=PASSWORD, password="another long one", repeat="another long one")
    assert answer.status_code == 303
    assert browser.is_signed_in


def test_passwords_for_nobody(house, idp):
    admin = house.signed_in("admin")
    setting(house, idp, passwords="nobody")
    assert not admin.is_signed_in
    assert 'type="password"' not in house.browser().get("/login").text
    house.app.config["WTF_CSRF_ENABLED"] = False
    typed = {"email": "admin@example.org", "password": PASSWORD}
    assert house.browser().client.post("/login", data=typed).status_code == 403


def test_the_own_second_factor_is_asked_for_unless_the_providers_counts(house, idp):
    secret, _recovery = enrol(house.signed_in())
    setting(house, idp, second_factor=frozenset({"hwk", "mfa"}))
    idp.knows("a-1", "alice@example.org", amr=["pwd"])
    browser = house.browser()
    assert come(browser, "/decisions").headers["Location"] == "/login/code"
    assert not browser.is_signed_in
    answer = browser.post("/login/code", code=code_at(secret))
    assert answer.headers["Location"] == "/decisions"
    assert json.loads(house.events("login")[-1].facts)["sso"] is True
    idp.knows("a-1", "alice@example.org", amr=["pwd", "mfa"])
    other = house.browser()
    assert come(other).headers["Location"] == "/"
    assert other.is_signed_in


def test_the_required_second_factor_may_be_the_providers(house, idp):
    setting(house, idp, second_factor=frozenset({"mfa"}), second_factor_roles=frozenset({"member"}))
    idp.knows("s-1", "nora@example.org", amr=["mfa"])
    strong = house.browser()
    come(strong)
    assert strong.get("/decisions").status_code == 200
    idp.knows("s-1", "nora@example.org", amr=["pwd"])
    weak = house.browser()
    come(weak)
    assert weak.get("/decisions").headers["Location"] == "/account/second-factor"
    # They have no password to show: that they came just now is what counts.
    page = weak.get("/account/second-factor").text
    assert 'type="password"' not in page
    with write_session() as session:
        session.execute(update(WebSession).values(created_at=clock(-700)))
    answer = weak.post("/account/second-factor/beginning")
    assert answer.status_code == 422
    assert "too long ago" in answer.text
    with write_session() as session:
        session.execute(update(WebSession).values(created_at=clock(-500)))
    assert weak.post("/account/second-factor/beginning").status_code == 303
    assert "QR code" in weak.get("/account/second-factor").text


# -- out --------------------------------------------------------------------------------------------------------------


def test_signing_out_goes_on_to_the_provider_for_whoever_came_from_it(corp, idp):
    by_password = corp.signed_in()
    answer = by_password.post("/logout")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/login")
    idp.knows("s-1", "nora@example.org")
    browser = corp.browser()
    come(browser)
    answer = browser.post("/logout")
    assert answer.status_code == 200
    target = re.search(r'content="0;url=([^"]+)"', answer.text)[1].replace("&amp;", "&")
    asked = parse_qs(urlsplit(target).query)
    assert target.startswith(f"{idp.url}/leave?")
    assert asked["post_logout_redirect_uri"] == ["http://localhost/login"]
    assert asked["client_id"] == [fixture.CLIENT]
    assert asked["id_token_hint"][0].count(".") == 2
    assert not browser.is_signed_in
    with read_session() as session:
        assert session.scalar(select(WebSession.id)) is None


def test_without_a_provider_there_is_nothing_to_be_found(house):
    assert house.browser().get("/login/sso").status_code == 404
    assert house.browser().get("/login/sso/return?code=1&state=2").status_code == 404
    assert "Sign in with" not in house.browser().get("/login").text


def test_the_public_address_is_what_the_provider_is_told(house, idp):
    setting(house, idp, public_url="https://review.example.com")
    answer = house.browser().get("/login/sso")
    asked = parse_qs(urlsplit(answer.headers["Location"]).query)
    assert asked["redirect_uri"] == ["https://review.example.com/login/sso/return"]
    assert asked["scope"] == ["openid profile email"]


def test_only_an_administrator_forgets_whom_the_provider_knows(corp, idp):
    idp.knows("a-1", "alice@example.org")
    browser, admin = corp.browser(), corp.signed_in("admin")
    come(browser)
    page = admin.get(f"/admin/people/{corp.alice}").text
    assert idp.url in page
    assert admin.post(f"/admin/people/{corp.alice}/sso-unlinking").status_code == 303
    assert not browser.is_signed_in
    with read_session() as session:
        assert session.scalar(select(SsoIdentity.subject)) is None
        assert session.scalar(select(Membership.id)) is not None
