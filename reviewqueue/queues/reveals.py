"""Operations on sensitive parts of items: who is shown them, and asking for them, which is an event."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import ScalarSelect, bindparam, literal, select
from sqlalchemy.orm import Session

from reviewqueue.core import trail
from reviewqueue.core.access import Action, Actor, may, require
from reviewqueue.core.db import clock
from reviewqueue.core.strictjson import Raw, as_written, exact, spliced
from reviewqueue.errors import Fault, Invalid
from reviewqueue.models import AuditEvent, Queue
from reviewqueue.models.base import table
from reviewqueue.models.states import ActorKind
from reviewqueue.queues.catalog import configuration
from reviewqueue.queues.configuration import Sensitive
from reviewqueue.queues.sensitive import covered

REVEALED_SECONDS = 900
"""How long somebody is shown what they asked for, wherever the item is shown to them."""
LONGEST_WHY = 500
ACTION = "item.revealed"

_event, _home = table(AuditEvent).c, table(Queue).alias("home").c
# Index ix_audit_event_item_id_id.
_REVEALED = (
    select(literal(1))
    .where(
        _event.item_id == bindparam("item_id"), _event.action == ACTION, _event.actor == bindparam("person_id"),
        _event.at > clock(-REVEALED_SECONDS),
    )
    .limit(1)
)  # fmt: skip


def home_version(queue_id: Any) -> ScalarSelect[int]:
    """SQL: the present version of an item's queue, for those who read the item anyway."""
    return select(_home.version).where(_home.id == queue_id).scalar_subquery()


def sensitive_of(session: Session, queue_id: str, version: int | None = None) -> Sensitive:
    """What the queue marks now, whatever it did when an item came. `version`: its present one, where that is known."""
    if version is None:
        version = session.execute(select(table(Queue).c.version).where(table(Queue).c.id == queue_id)).scalar_one()
    return configuration(session, queue_id, version).config.sensitive


def hidden_from(
    session: Session, actor: Actor, *, item_id: str, queue_id: str, version: int | None = None
) -> tuple[str, ...]:
    """The parts of the item that `actor` is not shown now. `version`: the queue's present one, where that is known."""
    if _is_program(actor):
        return ()
    parts = sensitive_of(session, queue_id, version).parts
    if parts and session.execute(_REVEALED, {"item_id": item_id, "person_id": actor.id}).first() is not None:
        return ()
    return parts


def reveal(
    *, session: Session, actor: Actor, item_id: str, queue_id: str, why: str = "", of_claim: str | None = None
) -> tuple[str, ...]:
    """Show `actor` the item's sensitive parts for a while, and record that, with the parts and why. Returns the parts.

    The caller has seen to it that `actor` may see the item; `of_claim` is the queue whose task on it they hold. Raises
    `Invalid` where the queue asks why and nobody says, `Forbidden`.
    """
    require(actor, Action.REVEAL, of_claim or queue_id)
    asked = sensitive_of(session, queue_id)
    why = " ".join(why.split())
    if len(why) > LONGEST_WHY or (asked.ask_why and not why):
        raise Invalid(
            "Say why you need to see it.", [Fault("/why", f"is needed here, in at most {LONGEST_WHY} characters")]
        )
    if asked.parts:
        trail.record(
            session, actor, ACTION, queue_id=queue_id, item_id=item_id, facts={"parts": list(asked.parts)},
            content={"why": why} if why else None,
        )  # fmt: skip
    return asked.parts


def may_reveal(actor: Actor, queue_id: str) -> bool:
    return may(actor, Action.REVEAL, queue_id)


def kept_from(session: Session, actor: Actor, queue_id: str) -> tuple[str, ...]:
    """The parts of the queue's items that `actor` is not shown, whatever they ask for."""
    return () if _is_program(actor) or may_reveal(actor, queue_id) else sensitive_of(session, queue_id).parts


def _is_program(actor: Actor) -> bool:
    """Programs are shown what programs sent."""
    return actor.kind is not ActorKind.PERSON


def value_shown(text: str, root: str, hidden: tuple[str, ...]) -> Any:
    """An item's stored `root` as it is shown: a value."""
    return covered(json.loads(text), root, hidden)


def text_shown(text: str, root: str, hidden: tuple[str, ...]) -> Raw:
    """An item's stored `root` as it is shown, for `spliced`: with every digit."""
    return Raw(spliced(as_written(covered(exact(text), root, hidden)))) if hidden else Raw(text)
