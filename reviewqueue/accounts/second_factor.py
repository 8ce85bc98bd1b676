"""Operations on second factors: set up, confirm, spend a code, turn off, reset."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from flask import current_app
from sqlalchemy import delete, func, insert, literal, select, update
from sqlalchemy.orm import Session

from reviewqueue.accounts import codes, sessions
from reviewqueue.core import trail
from reviewqueue.core.access import Action, Actor, require
from reviewqueue.core.db import clock, database_now, upsert
from reviewqueue.errors import Conflict, Fault, Forbidden, Invalid, NotFound
from reviewqueue.models import Person, RecoveryCode, SecondFactor
from reviewqueue.models.states import ActorKind

SET_UP_SECONDS = 900
"""How long a secret that was not confirmed is shown and can be confirmed."""
_log = logging.getLogger(__name__)


class Means(StrEnum):
    """What somebody showed as their second factor."""

    APP = "app"
    RECOVERY_CODE = "recovery_code"


@dataclass(frozen=True)
class State:
    """A person's second factor as its owner and administrators see it."""

    on_since: datetime | None
    """None: it is not on, though it may be half set up."""
    recovery_codes: int
    """How many are left."""


def is_on(session: Session, person_id: str) -> bool:
    query = select(literal(1)).where(SecondFactor.person_id == person_id, SecondFactor.confirmed_at.is_not(None))
    return session.scalar(query) is not None


def state_of(session: Session, person_id: str) -> State:
    since = session.scalar(select(SecondFactor.confirmed_at).where(SecondFactor.person_id == person_id))
    left = session.scalar(select(func.count()).select_from(RecoveryCode).where(RecoveryCode.person_id == person_id))
    return State(since, left or 0)


def secret_being_set_up(session: Session, person_id: str) -> str | None:
    """The secret that its owner is to give to an app now; None when they did not begin, or long ago, or are done."""
    kept = session.scalar(
        select(SecondFactor.secret).where(
            SecondFactor.person_id == person_id,
            SecondFactor.confirmed_at.is_(None),
            SecondFactor.created_at > clock(-SET_UP_SECONDS),
        )
    )
    return None if kept is None else _unseal(kept, person_id)


def _secret_key() -> str:
    key: str = current_app.config["SETTINGS"].secret_key
    return key


def _unseal(kept: str, person_id: str) -> str | None:
    secret = codes.unseal(kept, secret_key=_secret_key(), person_id=person_id)
    if secret is None:
        _log.warning("The second factor of person %s was sealed with another secret key: reset it.", person_id)
    return secret


def _own(actor: Actor) -> str:
    if actor.kind is not ActorKind.PERSON or actor.token_id is not None:
        raise Forbidden("A second factor is set up by the person, signed in.")
    return actor.id


# -- its owner --------------------------------------------------------------------------------------------------------


def begin(*, session: Session, actor: Actor) -> None:
    """Make a secret for `actor`, who has just shown their password. What was begun before is forgotten.

    Raises `Conflict` where a second factor is on already.
    """
    person_id = _own(actor)
    sealed = codes.seal(codes.new_secret(), secret_key=_secret_key(), person_id=person_id)
    fresh = {"secret": sealed, "last_step": 0, "created_at": clock(), "confirmed_at": None}
    begun = session.scalar(
        upsert(session, SecondFactor)
        .values(person_id=person_id, **fresh)
        .on_conflict_do_update(
            index_elements=[SecondFactor.person_id], set_=fresh, where=SecondFactor.confirmed_at.is_(None)
        )
        .returning(SecondFactor.person_id)
    )
    if begun is None:
        raise Conflict("Your second factor is on already. Turn it off to set up another one.")
    trail.record(session, actor, "second_factor.begun", subject=person_id)


def confirm(*, session: Session, actor: Actor, typed: str) -> list[str]:
    """Turn on the second factor that `actor` set up; returns the recovery codes, which are kept nowhere.

    Ends all their sessions: the caller begins a new one. Raises `Invalid` pointing at `/code`, `Conflict` where nothing
    is being set up.
    """
    person_id = _own(actor)
    # Held until the end: a login with the password alone comes before all of this, and is ended, or after it.
    session.execute(select(Person.id).where(Person.id == person_id).with_for_update())
    secret = secret_being_set_up(session, person_id)
    if secret is None:
        raise Conflict("Nothing is being set up, or it was begun too long ago. Begin again.")
    step = codes.matching_step(secret, typed, database_now(session))
    if step is None:
        raise Invalid(
            "This is not the code of this moment.",
            [Fault("/code", "is not the code of this moment: look at the app again, and at the clock of its device")],
        )
    confirmed = session.execute(
        update(SecondFactor)
        .where(SecondFactor.person_id == person_id, SecondFactor.confirmed_at.is_(None))
        .values(confirmed_at=clock(), last_step=step)
        .returning(literal(1))
    ).one_or_none()
    if confirmed is None:
        raise Conflict("Your second factor was turned on just now.")
    fresh = _replace_recovery_codes(session, person_id)
    ended = sessions.end_all(session, person_id)
    trail.record(session, actor, "second_factor.turned_on", subject=person_id, facts={"sessions": ended})
    return fresh


def spend(*, session: Session, person_id: str, typed: str) -> Means | None:
    """Take a code that was typed, once and for all: of the app or for recovery; None when it is no code of theirs or
    was used before. The caller has counted the attempt."""
    kept = session.scalar(
        select(SecondFactor.secret).where(SecondFactor.person_id == person_id, SecondFactor.confirmed_at.is_not(None))
    )
    if kept is None:
        return None
    secret = _unseal(kept, person_id)
    step = None if secret is None else codes.matching_step(secret, typed, database_now(session))
    if step is not None:
        # One guarded statement: of two who send the same code at once, one is let in.
        taken = session.execute(
            update(SecondFactor)
            .where(SecondFactor.person_id == person_id, SecondFactor.secret == kept, SecondFactor.last_step < step)
            .values(last_step=step)
            .returning(literal(1))
        ).one_or_none()
        return None if taken is None else Means.APP
    used = session.execute(
        delete(RecoveryCode)
        .where(RecoveryCode.person_id == person_id, RecoveryCode.digest == codes.digest_of(typed, person_id))
        .returning(literal(1))
    ).one_or_none()
    return None if used is None else Means.RECOVERY_CODE


def note_refusal(*, session: Session, actor: Actor) -> None:
    """Record that somebody signed in as `actor` could not show password and code."""
    trail.record(session, actor, "second_factor.refused", subject=_own(actor))


def renew_recovery_codes(*, session: Session, actor: Actor) -> list[str]:
    """Ten new recovery codes for `actor`, who has just shown password and code; the old ones end."""
    person_id = _own(actor)
    if not is_on(session, person_id):
        raise Conflict("Your second factor is not on.")
    fresh = _replace_recovery_codes(session, person_id)
    trail.record(session, actor, "second_factor.recovery_codes_renewed", subject=person_id)
    return fresh


def _replace_recovery_codes(session: Session, person_id: str) -> list[str]:
    fresh = codes.new_recovery_codes()
    session.execute(delete(RecoveryCode).where(RecoveryCode.person_id == person_id))
    session.execute(
        insert(RecoveryCode),
        [{"person_id": person_id, "digest": codes.digest_of(code, person_id)} for code in fresh],
    )
    return fresh


def turn_off(*, session: Session, actor: Actor) -> None:
    """Forget the second factor of `actor`, who has just shown password and code. Ends all their sessions: the caller
    begins a new one."""
    person_id = _own(actor)
    if not _forget(session, person_id):
        raise Conflict("Your second factor is not on.")
    ended = sessions.end_all(session, person_id)
    trail.record(session, actor, "second_factor.turned_off", subject=person_id, facts={"sessions": ended})


def _forget(session: Session, person_id: str) -> bool:
    session.execute(delete(RecoveryCode).where(RecoveryCode.person_id == person_id))
    gone = session.execute(delete(SecondFactor).where(SecondFactor.person_id == person_id).returning(literal(1)))
    return gone.one_or_none() is not None


# -- an administrator -------------------------------------------------------------------------------------------------


def reset(*, session: Session, actor: Actor, person_id: str) -> None:
    """Forget the second factor of somebody who lost it, and end their sessions: their password alone opens again.

    Raises `Conflict` (`yourself`, and where there is none), `NotFound`, `Forbidden`.
    """
    require(actor, Action.MANAGE_PEOPLE)
    if actor.kind is ActorKind.PERSON and actor.id == person_id:
        raise Conflict("Turn off your own second factor on your account page.", code="yourself")
    if session.scalar(select(Person.id).where(Person.id == person_id)) is None:
        raise NotFound("Nobody is known under this address.")
    if not _forget(session, person_id):
        raise Conflict("They have no second factor.")
    ended = sessions.end_all(session, person_id)
    trail.record(session, actor, "second_factor.reset", subject=person_id, facts={"sessions": ended})
