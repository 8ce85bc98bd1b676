"""Pages: the second step of signing in, and one's own second factor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Blueprint, flash, g, make_response, redirect, render_template, request, session, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from reviewqueue.accounts import codes, devices, entering, forms, identity, logins, second_factor
from reviewqueue.core import http
from reviewqueue.core.access import Actor
from reviewqueue.core.db import read_session, write_session
from reviewqueue.core.http import signed_in
from reviewqueue.errors import Conflict, Invalid, TooMany

blueprint = Blueprint("second_factor", __name__)

WRONG = lazy_gettext("The code is not right, or was used before. Each works once.")
_HALF, _NEXT = "half", "next"


# -- the second step of signing in ------------------------------------------------------------------------------------


def ask(half_id: str | None, target: str | None) -> Response:
    """The password was right: this browser is asked for the second factor, and is signed in to nothing."""
    session.clear()
    session[_HALF], session[_NEXT] = half_id, http.safe_next(target) or ""
    return redirect(url_for("second_factor.code"), 303)


def _half() -> logins.Half | None:
    half_id = session.get(_HALF)
    if half_id is None:
        return None
    with read_session() as reader:
        return logins.half_of(session=reader, half_id=half_id)


def _begin_again() -> Response:
    if session.pop(_HALF, None) is not None:
        flash(_("The password was typed too long ago, or the account was changed. Sign in again."), "warning")
    return redirect(url_for("accounts.login"), 303)


@blueprint.get("/login/code")
def code() -> Any:
    if _half() is None:
        return _begin_again()
    return render_template("accounts/code.html", form=forms.CodeForm(formdata=None))


@blueprint.post("/login/code")
def try_code() -> Any:
    half = _half()
    if half is None:
        return _begin_again()
    form = forms.CodeForm()
    if not form.validate():
        return render_template("accounts/code.html", form=form), 422
    attempt = logins.second_attempt(half, request.remote_addr or "", devices.device_for(half.email))
    try:
        with write_session() as writer:
            logins.admit(session=writer, attempt=attempt)
    except TooMany as error:
        form.form_errors.append(error.message)
        page = make_response(render_template("accounts/code.html", form=form), 429)
        page.headers["Retry-After"] = str(error.retry_after)
        return page
    with write_session() as writer:
        session_id = logins.finish(
            session=writer, half=half, typed=form.code.data, attempt=attempt,
            user_agent=request.user_agent.string, hours=entering.hours(),
        )  # fmt: skip
    if session_id is None:
        form.code.data, form.code.errors = "", [WRONG]
        return render_template("accounts/code.html", form=form), 422
    return entering.let_in(session_id, half.email, session.get(_NEXT))


# -- one's own --------------------------------------------------------------------------------------------------------


def _me() -> Actor:
    actor: Actor = g.actor
    return actor


@blueprint.get("/account/second-factor")
@signed_in
def index() -> Any:
    return _page()


def _page(status: int = 200, *, recovery_codes: list[str] | None = None, **given: Any) -> Any:
    me, email = _me(), identity.signed_in_person().email
    with read_session() as reader:
        state = second_factor.state_of(reader, me.id)
        secret = second_factor.secret_being_set_up(reader, me.id)
    address = None if secret is None else codes.address_of(secret, email)
    known: dict[str, Any] = {
        "begin_form": _own(forms.OwnPasswordForm(formdata=None)), "code_form": forms.AppCodeForm(formdata=None),
        "renew_form": _own(forms.BothForm(formdata=None, prefix="renew-")),
        "off_form": _own(forms.BothForm(formdata=None, prefix="off-")),
    }  # fmt: skip
    page = make_response(
        render_template(
            "accounts/second_factor.html",
            email=email, state=state, required=identity.needs_second_factor(me), recovery_codes=recovery_codes,
            key=None if secret is None else codes.grouped(secret), address=address,
            qr=None if address is None else codes.qr_path(address), **(known | given),
        ),
        status,
    )  # fmt: skip
    page.headers["Cache-Control"] = "no-store"
    return page


def _shown_again(error: Conflict) -> Response:
    flash(error.message, "bad")
    return redirect(url_for("second_factor.index"), 303)


@blueprint.post("/account/second-factor/beginning")
@signed_in
def begin() -> Any:
    form = _own(forms.OwnPasswordForm())
    if form.validate():
        try:
            _prove(form, lambda writer: second_factor.begin(session=writer, actor=_me()))
            return redirect(url_for("second_factor.index"), 303)
        except (Invalid, TooMany) as error:
            forms.blame(form, error, field="password")
            return _page(http.status_of(error), begin_form=form)
        except Conflict as error:
            return _shown_again(error)
    return _page(422, begin_form=form)


def _prove(form: Any, then: Callable[[Session], Any]) -> Any:
    """Do `then` for whoever shows their password, and their code where the form asks for one. Raises `Invalid`,
    `TooMany`."""
    attempt = entering.counted_attempt()
    if entering.is_own_password(form.password.data) if "password" in form else entering.came_just_now():
        with write_session() as writer:
            if "code" not in form or second_factor.spend(session=writer, person_id=_me().id, typed=form.code.data):
                result = then(writer)
                logins.take_back(session=writer, attempt=attempt)
                return result
    with write_session() as writer:
        second_factor.note_refusal(session=writer, actor=_me())
    if "password" not in form and not entering.came_just_now():
        raise Invalid(_("You signed in too long ago for this. Sign out, and sign in with the provider again."))
    raise Invalid(_("The password or the code is not right.") if "code" in form else _("This is not your password."))


def _own(form: Any) -> Any:
    """`form` without the password that whoever signs in with the provider has not got."""
    if not entering.has_password():
        del form.password
    return form


@blueprint.post("/account/second-factor/confirmation")
@signed_in
def confirm() -> Any:
    form = forms.AppCodeForm()
    if not form.validate():
        return _page(422, code_form=form)
    try:
        with write_session() as writer:
            origin = entering.origin(writer)
            fresh = second_factor.confirm(session=writer, actor=_me(), typed=form.code.data)
            session_id = entering.renewed_session(writer, origin)
    except Invalid as error:
        forms.blame(form, error)
        return _page(422, code_form=form)
    except Conflict as error:
        return _shown_again(error)
    identity.enter(session_id)
    return _page(201, recovery_codes=fresh)


@blueprint.post("/account/second-factor/recovery-codes")
@signed_in
def renew_recovery_codes() -> Any:
    form = _own(forms.BothForm(prefix="renew-"))
    if form.validate():
        try:
            fresh = _prove(form, lambda writer: second_factor.renew_recovery_codes(session=writer, actor=_me()))
            return _page(201, recovery_codes=fresh)
        except (Invalid, TooMany) as error:
            forms.blame(form, error, field="code")
            return _page(http.status_of(error), renew_form=form)
        except Conflict as error:
            return _shown_again(error)
    return _page(422, renew_form=form)


@blueprint.post("/account/second-factor/turning-off")
@signed_in
def turn_off() -> Any:
    form = _own(forms.BothForm(prefix="off-"))
    if not form.validate():
        return _page(422, off_form=form)
    try:
        session_id = _prove(form, _turn_off)
    except (Invalid, TooMany) as error:
        forms.blame(form, error, field="code")
        return _page(http.status_of(error), off_form=form)
    except Conflict as error:
        return _shown_again(error)
    identity.enter(session_id)
    flash(_("Turned off. All other sessions were signed out."), "good")
    return redirect(url_for("second_factor.index"), 303)


def _turn_off(writer: Session) -> str:
    origin = entering.origin(writer)
    second_factor.turn_off(session=writer, actor=_me())
    return entering.renewed_session(writer, origin)
