"""Who makes this request: fills `g.actor`, under `/api/` from the token, elsewhere from the session."""

from __future__ import annotations

import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from flask import Flask, current_app, flash, g, redirect, request, session, url_for
from flask_babel import gettext as _
from flask_login import LoginManager, UserMixin, current_user, login_user
from sqlalchemy import bindparam, or_, select, update
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as AnyResponse

from reviewqueue.accounts import limits, passwords, sessions, tokens
from reviewqueue.accounts.preferences import Preferences
from reviewqueue.core import http
from reviewqueue.core.access import Actor, Scope
from reviewqueue.core.db import clock, read_connection, write_session
from reviewqueue.errors import Unauthenticated
from reviewqueue.models import Membership, Person, Preference, SecondFactor, Token, TokenQueue, WebSession
from reviewqueue.models.base import table
from reviewqueue.models.states import ActorKind, QueueRole, SiteRole, Via

SEEN_EVERY_SECONDS = 300
USED_EVERY_SECONDS = 3600
_NOBODY = frozenset({"static", "health.healthz", "health.readyz", "openapi_api.read_openapi"})
"""Endpoints that answer everybody alike."""
_WITH_OLD_PASSWORD = frozenset({"accounts.account", "accounts.password", "accounts.login", "accounts.logout"})
"""Where somebody with a one-time password may go."""
_WITHOUT_SECOND_FACTOR = frozenset(
    {
        "second_factor.index", "second_factor.begin", "second_factor.confirm", "accounts.logout",
    }
)  # fmt: skip
"""Where somebody may go who has yet to set up the second factor that their role asks for."""


@dataclass(frozen=True)
class SignedIn(UserMixin):  # type: ignore[misc]
    """A person with a live session, as Flask-Login keeps it for the request."""

    session_id: str
    email: str
    actor: Actor
    must_change_password: bool
    has_second_factor: bool
    """One of their own, or one at the provider that counts."""
    via_provider: bool
    """Signed in with it, not with a password."""
    rotate: bool
    stale: bool
    """`seen_at` is due to be written."""
    preferences: Preferences

    def get_id(self) -> str:
        return self.session_id


_manager = LoginManager()
# Sessions are rows and end there; a browser that changes its address or version stays signed in.
_manager.session_protection = None


def init_app(app: Flask) -> None:
    """Make `g.actor` known in every request, and `current_actor` in every template."""
    # Not `init_app`: its hooks read the session of every request, also of static files.
    app.login_manager = _manager  # type: ignore[attr-defined]
    app.config["SESSION_REFRESH_EACH_REQUEST"] = False
    app.before_request(_identify)
    app.context_processor(_template_context)


def _identify() -> AnyResponse | None:
    g.actor, g.preferences = None, Preferences()
    if request.endpoint in _NOBODY:
        return None
    if http.is_api_request():
        g.actor = bearer_actor()
        # Before anything of the body is looked at; an address that does not exist says so to everybody.
        if g.actor is None and request.url_rule is not None:
            raise Unauthenticated("Send a token: Authorization: Bearer rq_…")
        return None
    user = current_user._get_current_object()
    if not isinstance(user, SignedIn):
        return None
    if not user.via_provider and not passwords.may_be_used(user.actor.site_role):
        return _send_to_provider(user)
    g.actor = user.actor
    g.session_id = user.session_id
    g.preferences = user.preferences
    if user.rotate or user.stale:
        _keep(user)
    if user.must_change_password and request.endpoint not in _WITH_OLD_PASSWORD:
        flash(_("Choose a password of your own first."), "warning")
        return redirect(url_for("accounts.account"), 303)
    if (
        not user.must_change_password
        and not user.has_second_factor
        and request.endpoint not in _WITHOUT_SECOND_FACTOR
        and needs_second_factor(user.actor)
    ):
        flash(_("Your role asks for a second factor. Set it up first."), "warning")
        return redirect(url_for("second_factor.index"), 303)
    return None


def _send_to_provider(user: SignedIn) -> AnyResponse | None:
    """End a session that was begun with a password, which its owner must not use any more."""
    with write_session() as writer:
        sessions.sign_out(session=writer, actor=user.actor, session_id=user.session_id)
    session.clear()
    flash(_("Passwords are no longer taken from you here. Sign in with the provider."), "warning")
    return redirect(url_for("accounts.login"), 303)


def needs_second_factor(actor: Actor) -> bool:
    """Whether one of the person's roles, on the site or in a queue, must sign in with a second factor."""
    wanted = current_app.config["SETTINGS"].second_factor_roles
    return bool(wanted) and not wanted.isdisjoint({actor.site_role}.union(*actor.memberships.values()))


def _template_context() -> dict[str, Any]:
    return {"current_actor": g.get("actor"), "preferences": g.get("preferences")}


# -- browser sessions -------------------------------------------------------------------------------------------------

_PREFERENCES = tuple(getattr(Preference, field.name) for field in fields(Preferences))
_SESSION = (
    select(
        WebSession.id,
        WebSession.rotate,
        (WebSession.seen_at < clock(-SEEN_EVERY_SECONDS)).label("stale"),
        Person.id.label("person_id"),
        Person.email,
        Person.name,
        Person.role,
        Person.must_change_password,
        or_(SecondFactor.confirmed_at.is_not(None), WebSession.factor_elsewhere).label("has_second_factor"),
        WebSession.id_token.is_not(None).label("via_provider"),
        *_PREFERENCES,
        Membership.queue_id,
        Membership.role.label("queue_role"),
    )
    .join(Person, Person.id == WebSession.person_id)
    .outerjoin(Preference, Preference.person_id == Person.id)
    .outerjoin(SecondFactor, SecondFactor.person_id == Person.id)
    .outerjoin(Membership, Membership.person_id == Person.id)
    .where(WebSession.id == bindparam("session_id"), WebSession.expires_at > clock(), Person.disabled_at.is_(None))
)


@_manager.user_loader  # type: ignore[untyped-decorator]
def load(session_id: str) -> SignedIn | None:
    """The person behind a session's id; None once it has ended."""
    with read_connection() as reader:
        rows = reader.execute(_SESSION, {"session_id": session_id}).all()
    if not rows:
        session.clear()
        return None
    first = rows[0]
    actor = Actor(
        kind=ActorKind.PERSON,
        id=first.person_id,
        name=first.name,
        via=Via.WEB,
        site_role=first.role,
        memberships=_memberships((row.queue_id, row.queue_role) for row in rows),
    )
    own = _preferences(first)
    return SignedIn(
        first.id, first.email, actor, first.must_change_password, bool(first.has_second_factor),
        bool(first.via_provider), first.rotate, bool(first.stale), own,
    )  # fmt: skip


def _preferences(row: Any) -> Preferences:
    if row.images is None:
        return Preferences()
    return Preferences(*(getattr(row, field.name) for field in fields(Preferences)))


def _memberships(pairs: Any) -> dict[str, frozenset[QueueRole]]:
    found: dict[str, frozenset[QueueRole]] = {}
    for queue_id, role in pairs:
        if queue_id is not None:
            found[queue_id] = found.get(queue_id, frozenset()) | {role}
    return found


def _keep(user: SignedIn) -> None:
    """Prolong the session, under a new id where the person's privileges changed."""
    hours = current_app.config["SETTINGS"].session_hours
    with write_session() as writer:
        if user.rotate:
            new_id = sessions.rotate(session=writer, session_id=user.session_id, hours=hours)
        else:
            sessions.touch(session=writer, session_id=user.session_id, hours=hours)
            new_id = None
    if new_id is not None:
        session["_user_id"] = g.session_id = new_id
    session.modified = True


def signed_in_person() -> SignedIn:
    """The person behind this request's session; only after `signed_in`."""
    user = current_user._get_current_object()
    if not isinstance(user, SignedIn):
        raise Unauthenticated("Sign in to go on.")
    return user


def enter(session_id: str) -> None:
    """This browser is signed in from now on: a fresh cookie with the session's id and nothing from before."""
    session.clear()
    session.permanent = True
    user = load(session_id)
    if user is None:
        raise Unauthenticated("The account was changed just now. Sign in again.")
    login_user(user)
    g.actor, g.session_id = user.actor, session_id


# -- bearer tokens ----------------------------------------------------------------------------------------------------

# On the way of every submitted item: one statement for a service token, by primary keys. Columns of the tables, not of
# the models: the ORM would look at each row again.
_token, _person, _limit, _member = table(Token).c, table(Person).c, table(TokenQueue).c, table(Membership).c
_TOKEN = (
    select(
        _token.id, _token.name, _token.secret_sha256, _token.scopes, _token.person_id, _token.requests_per_second,
        or_(_token.last_used_at.is_(None), _token.last_used_at < clock(-USED_EVERY_SECONDS)).label("stale"),
        _limit.queue_id, _person.name.label("person_name"), _person.role, _member.queue_id.label("member_of"),
        _member.role.label("member_role"),
    )
    .outerjoin_from(table(Token), table(TokenQueue), _limit.token_id == _token.id)
    .outerjoin(table(Person), _person.id == _token.person_id)
    .outerjoin(table(Membership), _member.person_id == _person.id)
    .where(
        _token.id == bindparam("token_id"),
        _token.revoked_at.is_(None),
        or_(_token.expires_at.is_(None), _token.expires_at > clock()),
        _person.disabled_at.is_(None),
    )
)  # fmt: skip
_SCOPES = {scope.value: scope for scope in Scope}


def bearer_actor() -> Actor | None:
    """Whom the request's token stands for; None without one. Raises `Unauthenticated` for one that does not hold,
    `TooMany`."""
    header = request.headers.get("Authorization")
    if header is None:
        return None
    kind, _, text = header.partition(" ")
    parts = tokens.split(text.strip()) if kind.lower() == "bearer" else None
    if parts is None:
        raise Unauthenticated("The Authorization header is not `Bearer rq_<id>.<secret>`.", code="bad_token")
    token_id, digest = parts
    with read_connection() as reader:
        rows = reader.execute(_TOKEN, {"token_id": token_id}).all()
    kept = rows[0].secret_sha256 if rows else ""
    if not hmac.compare_digest(kept, digest):
        raise Unauthenticated("The token is unknown, revoked or expired. Make a new one.", code="bad_token")
    limit = rows[0].requests_per_second or current_app.config["SETTINGS"].requests_per_second
    if limit:
        limits.take(token_id, limit)
    if rows[0].stale:
        _note_use(token_id)
    return _token_actor(rows)


def actor_of_token(session: Session, token_id: str) -> Actor | None:
    """Whom a token stands for at this moment, for work that goes on after its request; None once it does not hold."""
    rows = session.execute(_TOKEN, {"token_id": token_id}).all()
    return _token_actor(rows) if rows else None


def actor_of_person(session: Session, person_id: str | None) -> Actor | None:
    """Whom a person stands for at this moment, for work that goes on after their request; None for a disabled one."""
    query = (
        select(Person.id, Person.name, Person.role, Membership.queue_id, Membership.role.label("queue_role"))
        .outerjoin(Membership, Membership.person_id == Person.id)
        .where(Person.id == person_id, Person.disabled_at.is_(None))
    )
    rows = session.execute(query).all()
    if not rows:
        return None
    return Actor(
        kind=ActorKind.PERSON, id=rows[0].id, name=rows[0].name, via=Via.WEB, site_role=rows[0].role,
        memberships=_memberships((row.queue_id, row.queue_role) for row in rows),
    )  # fmt: skip


def _token_actor(rows: Sequence[Any]) -> Actor:
    row = rows[0]
    queue_ids = frozenset(each.queue_id for each in rows if each.queue_id is not None) or None
    scopes = frozenset(_SCOPES[scope] for scope in json.loads(row.scopes) if scope in _SCOPES)
    memberships = _memberships((each.member_of, each.member_role) for each in rows)
    is_person = row.person_id is not None
    role: SiteRole | None = row.role
    return Actor(
        kind=ActorKind.PERSON if is_person else ActorKind.SERVICE,
        id=row.person_id if is_person else row.id,
        name=row.person_name if is_person else row.name,
        via=Via.API,
        site_role=role,
        memberships=memberships,
        # `review` on a service token would do nothing, but it must not even seem to be there.
        scopes=scopes if is_person else scopes - {Scope.REVIEW},
        queue_ids=queue_ids,
        token_id=row.id,
    )


def _note_use(token_id: str) -> None:
    with write_session() as writer:
        writer.execute(
            update(Token)
            .where(
                Token.id == token_id,
                or_(Token.last_used_at.is_(None), Token.last_used_at < clock(-USED_EVERY_SECONDS)),
            )
            .values(last_used_at=clock())
        )


def name_of(session: Session, label: str) -> str:
    """Who `Actor.label` means: by name where it is a person or a token, else as it is."""
    kind, _, who = label.partition(":")
    if kind == ActorKind.PERSON:
        return session.scalar(select(Person.name).where(Person.id == who)) or label
    if kind == ActorKind.SERVICE:
        return session.scalar(select(Token.name).where(Token.id == who)) or label
    return label
