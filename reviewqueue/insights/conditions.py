"""Operations on what alerts a queue asks for, one at a time: they stand in its configuration, each change a version."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from reviewqueue.core.access import Action, Actor, require
from reviewqueue.errors import Fault, Invalid, NotFound
from reviewqueue.queues.applying import apply, document_of
from reviewqueue.queues.catalog import configuration, find_queue
from reviewqueue.queues.configuration import Alert


def conditions_of(*, session: Session, actor: Actor, slug: str) -> tuple[Alert, ...]:
    """In the order of the configuration. Raises `NotFound`, `Forbidden`."""
    head = find_queue(session=session, actor=actor, slug=slug, action=Action.READ_ALERTS)
    return configuration(session, head.id, head.version).config.alerts


def put(*, session: Session, actor: Actor, slug: str, name: str, wanted: Mapping[str, Any]) -> tuple[Alert, bool]:
    """Ask for an alert, in place of the one of that name if there is one; returns it, and whether it is new.

    `wanted` is as in the configuration. Raises `Invalid` with pointers into it, `NotFound`, `Forbidden`, `Conflict`
    where somebody else changes the configuration just now."""
    if wanted.get("name", name) != name:
        raise Invalid("The body names another alert than the address.", [Fault("/name", f"is not {name!r}")])
    version, document, alerts = _alerts(session, actor, slug)
    place = next((place for place, each in enumerate(alerts) if _name(each) == name), len(alerts))
    new = place == len(alerts)
    alerts[place : place + 1] = [{**wanted, "name": name}]
    _apply(session, actor, slug, version, {**document, "alerts": alerts}, f"/alerts/{place}")
    found = conditions_of(session=session, actor=actor, slug=slug)
    return next(each for each in found if each.name == name), new


def remove(*, session: Session, actor: Actor, slug: str, name: str) -> None:
    """Ask for it no more; an open one is over with the next look. Raises `NotFound`, `Forbidden`, `Conflict`."""
    version, document, alerts = _alerts(session, actor, slug)
    kept = [each for each in alerts if _name(each) != name]
    if len(kept) == len(alerts):
        raise NotFound(f"The queue asks for no alert {name!r}.")
    _apply(session, actor, slug, version, {**document, "alerts": kept}, "/alerts")


def _alerts(session: Session, actor: Actor, slug: str) -> tuple[int, dict[str, Any], list[dict[str, Any]]]:
    head = find_queue(session=session, actor=actor, slug=slug)
    require(actor, Action.CONFIGURE_QUEUES, head.id)
    version, text = document_of(session=session, actor=actor, slug=slug)
    document = json.loads(text)
    return version, document, list(document.get("alerts") or [])


def _name(alert: Mapping[str, Any]) -> str:
    return str(alert.get("name") or alert["on"])


def _apply(
    session: Session, actor: Actor, slug: str, version: int, document: Mapping[str, Any], place: str
) -> None:  # fmt: skip
    try:
        apply(
            session=session, actor=actor, document=document, slug=slug, expected_version=version,
            note="One of its alerts",
        )  # fmt: skip
    except Invalid as error:
        faults = [Fault(fault.pointer.removeprefix(place), fault.detail) for fault in error.faults]
        raise Invalid(error.message, faults, code=error.code) from None


def as_json(alert: Alert) -> dict[str, Any]:
    """With what was left out filled in."""
    return {
        "name": alert.name, "on": alert.on, "above": alert.above, "below": alert.below, "until": alert.over_at,
        "hours": alert.hours, "at_least": alert.at_least, "stop": alert.stop, "audit_rate": alert.audit_rate,
    }  # fmt: skip
