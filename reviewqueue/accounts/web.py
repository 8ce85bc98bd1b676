"""Pages: sign in and out, one's own account, people, tokens, members of a queue."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from flask import Blueprint, flash, g, make_response, redirect, render_template, request, session, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext, ngettext
from werkzeug.wrappers import Response

from reviewqueue.accounts import (
    devices,
    entering,
    forms,
    identity,
    logins,
    memberships,
    people,
    preferences,
    second_factor,
    second_factor_web,
    sessions,
    sso,
    sso_web,
    tokens,
)
from reviewqueue.accounts.throttle import Attempt
from reviewqueue.core import http
from reviewqueue.core.access import Action, Actor, may, require
from reviewqueue.core.db import read_session, write_session
from reviewqueue.core.http import signed_in
from reviewqueue.core.ids import known_id
from reviewqueue.core.language import spoken
from reviewqueue.core.writing import zones
from reviewqueue.errors import Conflict, Error, Invalid, NotFound, TooMany
from reviewqueue.models.states import QueueRole, SiteRole

blueprint = Blueprint("accounts", __name__)

WRONG = lazy_gettext("The e-mail or the password is not right.")


# -- signing in and out -----------------------------------------------------------------------------------------------


@blueprint.get("/login")
def login() -> Any:
    target = http.safe_next(request.args.get("next"))
    if g.actor is not None:
        return redirect(target or entering.home())
    return sso_web.login_page(forms.LoginForm(data={"next": target or ""}))


@blueprint.post("/login")
def try_login() -> Any:
    form = forms.LoginForm()
    if not form.validate():
        return sso_web.login_page(form), 422
    email = form.email.data
    attempt = Attempt(email, request.remote_addr or "", devices.device_for(email))
    try:
        entry = _sign_in(attempt, form.password.data)
    except TooMany as error:
        form.form_errors.append(error.message)
        page = make_response(sso_web.login_page(form), 429)
        page.headers["Retry-After"] = str(error.retry_after)
        return page
    if entry is None:
        form.form_errors.append(WRONG)
        form.ask_password_again()
        return sso_web.login_page(form), 422
    if entry.half_id is not None:
        return second_factor_web.ask(entry.half_id, form.next.data)
    if entry.session_id is None:
        form.form_errors.append(_("The password is right, but is not taken from you here. Sign in with the provider."))
        return sso_web.login_page(form), 403
    return entering.let_in(entry.session_id, email, form.next.data)


def _sign_in(attempt: Attempt, password: str) -> logins.Entry | None:
    """Where the password leads; None for a wrong e-mail or password. Raises `TooMany`."""
    with write_session() as writer:
        logins.admit(session=writer, attempt=attempt)
    with read_session() as reader:
        account = logins.look_up(session=reader, email=attempt.account)
    judgement = logins.judge(account, password)
    with write_session() as writer:
        if account is None or not judgement.right:
            logins.note_failure(session=writer, attempt=attempt, account=account)
            return None
        return logins.sign_in(
            session=writer,
            account=account,
            judgement=judgement,
            attempt=attempt,
            user_agent=request.user_agent.string,
            hours=entering.hours(),
        )


@blueprint.post("/logout")
def logout() -> Response:
    answer = sso_web.leave()
    session.clear()
    return answer


# -- one's own account ------------------------------------------------------------------------------------------------


def _searched() -> str:
    """What was typed into the search box of a list."""
    return request.args.get("q", "")[:200]


def _me() -> Actor:
    actor: Actor = g.actor
    return actor


@blueprint.get("/account")
@signed_in
def account() -> Any:
    return _account_page()


def _account_page(
    status: int = 200,
    *,
    password_form: forms.PasswordForm | None = None,
    token_form: forms.TokenForm | None = None,
    preferences_form: forms.PreferencesForm | None = None,
    new_token: tokens.NewToken | None = None,
) -> Any:
    me = _me()
    with read_session() as reader:
        page = render_template(
            "accounts/account.html",
            email=identity.signed_in_person().email,
            must_change=identity.signed_in_person().must_change_password,
            password_form=password_form or forms.PasswordForm(formdata=None),
            token_form=token_form or _token_form(reader, personal=True, formdata=None),
            preferences_form=preferences_form or _preferences_form(),
            zones=sorted(zones()),
            new_token=new_token,
            second_factor=second_factor.state_of(reader, me.id),
            has_password=entering.has_password(),
            links=sso.links_of(reader, me.id),
            sessions=sessions.open_sessions(reader, me.id, current=g.session_id),
            tokens=tokens.of_person(reader, me.id),
            places=memberships.places(reader, me.id),
            button=forms.PlainForm(formdata=None),
        )
    return make_response(page, status)


@blueprint.post("/account/password")
@signed_in
def password() -> Any:
    form = forms.PasswordForm()
    if not form.validate():
        return _account_page(422, password_form=form)
    try:
        session_id = _change_password(form)
    except (Invalid, TooMany) as error:
        forms.blame(form, error, field="current")
        return _account_page(http.status_of(error), password_form=form)
    identity.enter(session_id)
    flash(_("Password changed. All other sessions were signed out."), "good")
    return redirect(url_for("accounts.account"), 303)


def _change_password(form: forms.PasswordForm) -> str:
    """The id of the session that replaces this one. Raises `Invalid`, `TooMany`."""
    attempt = entering.counted_attempt()
    if not entering.is_own_password(form.current.data):
        raise Invalid("This is not your current password.")
    with write_session() as writer:
        origin = entering.origin(writer)
        people.change_password(session=writer, actor=_me(), password=form.password.data)
        logins.take_back(session=writer, attempt=attempt)
        return entering.renewed_session(writer, origin)


def _preferences_form() -> forms.PreferencesForm:
    return forms.PreferencesForm(formdata=None, data={**asdict(g.preferences), "images": g.preferences.images.value})


@blueprint.post("/account/preferences")
@signed_in
def save_preferences() -> Any:
    form = forms.PreferencesForm()
    if form.validate():
        try:
            with write_session() as writer:
                preferences.save(session=writer, actor=_me(), wanted=form.wanted())
        except Invalid as error:
            forms.blame(form, error)
    if form.errors:
        return _account_page(422, preferences_form=form)
    flash(_("Kept. It holds from the next page on."), "good")
    return redirect(url_for("accounts.account"), 303)


@blueprint.post("/account/sessions/sign-out")
@signed_in
def end_other_sessions() -> Response:
    with write_session() as writer:
        count = sessions.end_others(session=writer, actor=_me(), current=g.session_id)
    flash(ngettext("Signed out %(num)s other session.", "Signed out %(num)s other sessions.", count), "good")
    return redirect(url_for("accounts.account"), 303)


@blueprint.post("/account/sessions/<handle>/sign-out")
@signed_in
def end_session(handle: str) -> Response:
    with write_session() as writer:
        sessions.end_one(session=writer, actor=_me(), handle=handle)
    flash(_("Signed out that session."), "good")
    return redirect(url_for("accounts.account"), 303)


def _token_form(reader: Any, *, personal: bool, **options: Any) -> forms.TokenForm:
    queues = memberships.queues_of(reader)
    if personal:
        queues = [queue for queue in queues if may(_me(), Action.SEE_QUEUE, queue.id)]
    choices = {queue.slug: queue.title for queue in queues}
    return forms.TokenForm(**options).offer(personal=personal, queues=choices)


@blueprint.post("/account/tokens")
@signed_in
def create_personal_token() -> Any:
    with read_session() as reader:
        form = _token_form(reader, personal=True)
    new_token = None
    if form.validate():
        try:
            with write_session() as writer:
                new_token = tokens.create_personal(
                    session=writer, actor=_me(), person_id=_me().id, **_token_fields(form)
                )
        except Invalid as error:
            forms.blame(form, error)
    if new_token is None:
        return _account_page(422, token_form=form)
    return _account_page(201, new_token=new_token)


def _token_fields(form: forms.TokenForm) -> dict[str, Any]:
    return {
        "name": form.name.data,
        "scopes": form.scopes.data,
        "queues": form.queues.data or [],
        "expires_days": form.expires_days.data,
        "requests_per_second": form.requests_per_second.data if "requests_per_second" in form else None,
    }


@blueprint.post("/account/tokens/<token_id>/revocation")
@signed_in
def revoke_personal_token(token_id: str) -> Response:
    with write_session() as writer:
        tokens.revoke_own(session=writer, actor=_me(), token_id=token_id)
    flash(_("Token revoked. It stopped working at once."), "good")
    return redirect(url_for("accounts.account"), 303)


# -- people -----------------------------------------------------------------------------------------------------------


@blueprint.get("/admin/people")
@signed_in
def people_list() -> Any:
    return _people_page()


def _people_page(
    status: int = 200, *, form: forms.PersonForm | None = None, created: people.Created | None = None
) -> Any:
    text = _searched()
    cursor = http.parse_cursor(request.args.get("cursor"), 2)
    if cursor is not None and not all(part.isprintable() for part in cursor):
        raise Invalid("The cursor is not one that this list gave. Start without it.", code="bad_cursor")
    with read_session() as reader:
        after = (cursor[0], known_id(cursor[1])) if cursor else None
        found = people.search(session=reader, actor=_me(), text=text, after=after, limit=people.PAGE + 1)
    shown = found[: people.PAGE]
    more = http.cursor_of(shown[-1].name, shown[-1].id) if len(found) > people.PAGE else None
    page = render_template(
        "accounts/people.html",
        people=shown,
        text=text,
        more=more,
        paged=cursor is not None,
        form=form or forms.PersonForm(formdata=None),
        created=created,
    )
    return make_response(page, status)


@blueprint.post("/admin/people")
@signed_in
def create_person() -> Any:
    require(_me(), Action.MANAGE_PEOPLE)
    form = forms.PersonForm()
    created = None
    if form.validate():
        try:
            with write_session() as writer:
                created = people.create(
                    session=writer,
                    actor=_me(),
                    email=form.email.data,
                    name=form.name.data or "",
                    role=SiteRole(form.role.data),
                )
        except (Invalid, Conflict) as error:
            forms.blame(form, error, field="email")
    if created is None:
        return _people_page(422, form=form)
    return _people_page(201, created=created)


@blueprint.get("/admin/people/<person_id>")
@signed_in
def person(person_id: str) -> Any:
    return _person_page(person_id)


def _person_page(
    person_id: str, status: int = 200, *, form: forms.RoleForm | None = None, password: str | None = None
) -> Any:
    require(_me(), Action.READ_PEOPLE)
    person_id = known_id(person_id)
    with read_session() as reader:
        found = people.find(session=reader, actor=_me(), person_id=person_id)
        page = render_template(
            "accounts/person.html",
            person=found,
            form=form or forms.RoleForm(formdata=None, data={"role": found.role.value}),
            password=password,
            places=memberships.places(reader, person_id),
            second_factor=second_factor.state_of(reader, person_id),
            has_password=people.has_password(reader, person_id),
            links=sso.links_of(reader, person_id),
            sessions=sessions.open_sessions(reader, person_id),
            tokens=tokens.of_person(reader, person_id),
        )
    return make_response(page, status)


@blueprint.post("/admin/people/<person_id>/role")
@signed_in
def change_role(person_id: str) -> Any:
    require(_me(), Action.MANAGE_PEOPLE)
    form = forms.RoleForm()
    error: Error | None = None
    if form.validate():
        try:
            with write_session() as writer:
                role = SiteRole(form.role.data)
                people.change_role(session=writer, actor=_me(), person_id=known_id(person_id), role=role)
        except Conflict as conflict:
            error = conflict
            forms.blame(form, conflict, field="role")
    if form.errors or error is not None:
        return _person_page(person_id, 422 if error is None else http.status_of(error), form=form)
    flash(_("Role changed. Their sessions were signed out."), "good")
    return redirect(url_for("accounts.person", person_id=person_id), 303)


def _done_to(person_id: str, act: Callable[..., object], told: str) -> Response:
    """Have the operation done, and say on the person's page that it was, or what stands against it."""
    require(_me(), Action.MANAGE_PEOPLE)
    try:
        with write_session() as writer:
            act(session=writer, actor=_me(), person_id=known_id(person_id))
        flash(told, "good")
    except Conflict as error:
        flash(error.message, "bad")
    return redirect(url_for("accounts.person", person_id=person_id), 303)


@blueprint.post("/admin/people/<person_id>/disabling")
@signed_in
def disable(person_id: str) -> Response:
    return _done_to(
        person_id, people.disable, _("Disabled. Sessions and tokens ended, claims went back, drafts went to the lead.")
    )


@blueprint.post("/admin/people/<person_id>/enabling")
@signed_in
def enable(person_id: str) -> Response:
    return _done_to(person_id, people.enable, _("Enabled. Tokens stay revoked; new ones can be made."))


@blueprint.post("/admin/people/<person_id>/password-reset")
@signed_in
def reset_password(person_id: str) -> Any:
    require(_me(), Action.MANAGE_PEOPLE)
    try:
        with write_session() as writer:
            new = people.reset_password(session=writer, actor=_me(), person_id=known_id(person_id))
    except Conflict as error:
        flash(error.message, "bad")
        return redirect(url_for("accounts.person", person_id=person_id), 303)
    return _person_page(person_id, password=new)


@blueprint.post("/admin/people/<person_id>/sso-unlinking")
@signed_in
def unlink(person_id: str) -> Response:
    return _done_to(
        person_id, sso.unlink, _("Forgotten. With their next sign-in the provider's e-mail says again who they are.")
    )


@blueprint.post("/admin/people/<person_id>/second-factor-reset")
@signed_in
def reset_second_factor(person_id: str) -> Response:
    return _done_to(
        person_id,
        second_factor.reset,
        _("Second factor reset. Their sessions were signed out, and their password alone signs them in."),
    )


# -- tokens -----------------------------------------------------------------------------------------------------------


@blueprint.get("/admin/tokens")
@signed_in
def token_list() -> Any:
    return _tokens_page()


def _tokens_page(
    status: int = 200, *, form: forms.TokenForm | None = None, new_token: tokens.NewToken | None = None
) -> Any:
    text = _searched()
    with read_session() as reader:
        page = render_template(
            "accounts/tokens.html",
            tokens=tokens.listed(session=reader, actor=_me(), text=text),
            text=text,
            form=form or _token_form(reader, personal=False, formdata=None),
            new_token=new_token,
        )
    return make_response(page, status)


@blueprint.post("/admin/tokens")
@signed_in
def create_token() -> Any:
    require(_me(), Action.MANAGE_TOKENS)
    with read_session() as reader:
        form = _token_form(reader, personal=False)
    new_token = None
    if form.validate():
        try:
            with write_session() as writer:
                new_token = tokens.create_service(session=writer, actor=_me(), **_token_fields(form))
        except Invalid as error:
            forms.blame(form, error)
    if new_token is None:
        return _tokens_page(422, form=form)
    return _tokens_page(201, new_token=new_token)


@blueprint.post("/admin/tokens/<token_id>/revocation")
@signed_in
def revoke_token(token_id: str) -> Response:
    require(_me(), Action.MANAGE_TOKENS)
    with write_session() as writer:
        tokens.revoke(session=writer, actor=_me(), token_id=token_id)
    flash(_("Token revoked. It stopped working at once."), "good")
    return redirect(url_for("accounts.token_list"), 303)


# -- members of a queue -----------------------------------------------------------------------------------------------


@blueprint.get("/admin/queues/<slug>/members")
@signed_in
def members(slug: str) -> Any:
    return _members_page(slug)


def _members_page(slug: str, status: int = 200, *, form: forms.MemberForm | None = None) -> Any:
    text = _searched()
    with read_session() as reader:
        queue = memberships.find_queue(reader, _me(), slug, Action.READ_PEOPLE)
        page = render_template(
            "accounts/members.html",
            queue=queue,
            members=memberships.members(session=reader, actor=_me(), slug=slug, text=text),
            text=text,
            form=form or forms.MemberForm(formdata=None),
            may_manage=may(_me(), Action.MANAGE_MEMBERS, queue.id),
        )
    return make_response(page, status)


@blueprint.post("/admin/queues/<slug>/members")
@signed_in
def add_member(slug: str) -> Any:
    with read_session() as reader:
        memberships.find_queue(reader, _me(), slug, Action.MANAGE_MEMBERS)
    form = forms.MemberForm()
    if not form.validate():
        return _members_page(slug, 422, form=form)
    try:
        with write_session() as writer:
            role = QueueRole(form.role.data)
            memberships.add(session=writer, actor=_me(), slug=slug, email=form.email.data, role=role)
    except (Conflict, NotFound) as error:
        forms.blame(form, error, field="email")
        return _members_page(slug, 422, form=form)
    flash(_("%(email)s is %(role)s now.", email=form.email.data, role=spoken(form.role.data)), "good")
    return redirect(url_for("accounts.members", slug=slug), 303)


@blueprint.post("/admin/queues/<slug>/members/<membership_id>/removal")
@signed_in
def remove_member(slug: str, membership_id: str) -> Response:
    with read_session() as reader:
        memberships.find_queue(reader, _me(), slug, Action.MANAGE_MEMBERS)
    with write_session() as writer:
        memberships.remove(session=writer, actor=_me(), slug=slug, membership_id=known_id(membership_id))
    flash(_("Removed."), "good")
    return redirect(url_for("accounts.members", slug=slug), 303)
