"""Pages: to the provider of single sign-on and back, and out of both."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from flask import Blueprint, current_app, g, make_response, redirect, render_template, request, url_for
from flask_babel import gettext as _
from itsdangerous import BadData, URLSafeTimedSerializer
from werkzeug.wrappers import Response

from reviewqueue.accounts import entering, forms, second_factor_web, sessions, sso
from reviewqueue.accounts.provider import Journey, NotLetIn, Provider, Said, provider
from reviewqueue.core import http
from reviewqueue.core.db import database_now, write_session
from reviewqueue.errors import NotFound, Unavailable

blueprint = Blueprint("sso", __name__)

COOKIE = "reviewqueue_sso"


def _serializer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(current_app.secret_key or "", salt="reviewqueue-sso")


def _the_provider() -> Provider:
    found = provider()
    if found is None:
        raise NotFound
    return found


def _address(endpoint: str) -> str:
    """Of a page, in full: the provider compares it with what it was told."""
    public = current_app.config["SETTINGS"].public_url
    path = url_for(endpoint)
    return f"{public}{path.removeprefix(request.script_root)}" if public else url_for(endpoint, _external=True)


# A link and no form: `form-action` holds for redirects too, and would keep the browser here.
@blueprint.get("/login/sso")
def begin() -> Response:
    found = _the_provider()
    journey = Journey.begin(http.safe_next(request.args.get("next")))
    answer = redirect(found.address_for(journey, _address("sso.come_back")), 303)
    # Lax: the browser comes back from another site.
    answer.set_cookie(
        COOKIE, _serializer().dumps(asdict(journey)), max_age=sso.JOURNEY_SECONDS, httponly=True, samesite="Lax",
        secure=current_app.config["SESSION_COOKIE_SECURE"], path="/login/sso",
    )  # fmt: skip
    return answer


def _journey() -> Journey:
    """The one that this browser is on. Raises `NotLetIn` where it is on none, or has taken too long."""
    try:
        journey = Journey(**_serializer().loads(request.cookies.get(COOKIE, ""), max_age=sso.JOURNEY_SECONDS))
    except (BadData, TypeError):
        raise NotLetIn("no_journey", _("You were away too long, or did not begin here. Sign in again.")) from None
    if request.args.get("state") != journey.state:
        raise NotLetIn("state", _("This answer belongs to another sign-in. Begin again."))
    return journey


@blueprint.get("/login/sso/return")
def come_back() -> Any:
    found = _the_provider()
    try:
        journey = _journey()
    except NotLetIn as refusal:
        return _refused(refusal.message)
    try:
        said = _redeemed(found, journey)
        with write_session() as writer:
            entry = sso.sign_in(
                session=writer, sso=found.sso, said=said, address=request.remote_addr or "",
                user_agent=request.user_agent.string, hours=entering.hours(),
            )  # fmt: skip
    except NotLetIn as refusal:
        with write_session() as writer:
            sso.note_refusal(session=writer, why=refusal.why, address=request.remote_addr or "")
        return _refused(refusal.message)
    except Unavailable as error:
        return _refused(error.message, 503)
    if entry.session_id is None:
        answer = second_factor_web.ask(entry.half_id, journey.next)
    else:
        answer = entering.let_in(entry.session_id, entry.email, journey.next)
    return _over(answer)


def _redeemed(found: Provider, journey: Journey) -> Said:
    """What the provider says, asked outside of any transaction. Raises `NotLetIn`, `Unavailable`."""
    with write_session() as writer:
        sso.spend_state(session=writer, state=journey.state)
        now = database_now(writer)
    # RFC 9207: an answer that names another issuer was meant for another provider.
    if request.args.get("iss", found.sso.issuer) != found.sso.issuer:
        raise NotLetIn("other_issuer", _("Another provider answered than was asked."))
    if "code" not in request.args:
        raise NotLetIn("no_code", _("The provider did not sign you in."))
    return found.redeem(
        code=request.args["code"], journey=journey, redirect_uri=_address("sso.come_back"), now=int(now.timestamp())
    )


def _over(answer: Response) -> Response:
    answer.delete_cookie(COOKIE, path="/login/sso")
    return answer


def _refused(message: str, status: int = 403) -> Response:
    form = forms.LoginForm(formdata=None)
    form.form_errors.append(message)
    return _over(make_response(login_page(form), status))


def login_page(form: forms.LoginForm) -> str:
    """With what this installation lets people sign in with."""
    found, settings = provider(), current_app.config["SETTINGS"]
    return render_template(
        "accounts/login.html", form=form, provider=found.sso.title if found else None, passwords=settings.passwords
    )


def leave() -> Response:
    """Sign out here, and at the provider where the session came from it and it offers that."""
    origin = sessions.BY_PASSWORD
    if g.actor is not None:
        with write_session() as writer:
            origin = sessions.origin_of(writer, g.session_id)
            sessions.sign_out(session=writer, actor=g.actor, session_id=g.session_id)
    found, target = provider(), None
    if found is not None and origin.id_token is not None:
        target = found.leaving(origin.id_token, _address("accounts.login"))
    if found is None or target is None:
        return redirect(url_for("accounts.login"), 303)
    g.actor = None
    # Not a redirect, for the reason above.
    return make_response(render_template("accounts/leaving.html", target=target, provider=found.sso.title))
