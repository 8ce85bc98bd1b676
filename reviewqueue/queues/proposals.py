"""Operations on proposed configurations: where a queue asks for two persons, what may lower review waits for another.

Two different people stand behind each: whoever proposed it and whoever confirms it. A program and the command line are
nobody, so what they propose needs two people who confirm.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from reviewqueue.core import trail
from reviewqueue.core.access import Action, Actor
from reviewqueue.core.db import clock
from reviewqueue.core.ids import known_id, new_id
from reviewqueue.errors import Conflict, Forbidden, NotFound
from reviewqueue.models import Person, ProposedVersion
from reviewqueue.models.states import ActorKind, NoticeKind, ProposalState, SiteRole
from reviewqueue.notices import inbox
from reviewqueue.queues.catalog import find_queue


@dataclass(frozen=True)
class Proposal:
    """A configuration that waits for another person."""

    id: str
    base_version: int
    document: str
    diff: list[str]
    lowers: list[str]
    note: str
    state: ProposalState
    proposed_by: str
    """`Actor.label`."""
    proposed_by_name: str
    first_person: str | None
    """Who stands behind it already."""
    proposed_at: datetime
    ended_by: str | None
    ended_at: datetime | None

    def may_be_confirmed_by(self, actor: Actor) -> bool:
        return actor.kind is ActorKind.PERSON and actor.id != self.first_person

    def is_of(self, actor: Actor) -> bool:
        return actor.label == self.proposed_by


_COLUMNS = (
    ProposedVersion.id, ProposedVersion.base_version, ProposedVersion.document, ProposedVersion.diff,
    ProposedVersion.lowers, ProposedVersion.note, ProposedVersion.state, ProposedVersion.proposed_by,
    ProposedVersion.proposed_by_name, ProposedVersion.first_person, ProposedVersion.proposed_at,
    ProposedVersion.ended_by, ProposedVersion.ended_at,
)  # fmt: skip
LISTED = 50


def propose(
    session: Session, actor: Actor, *, queue_id: str, base_version: int, document: str, sha256: str, diff: list[str],
    lowers: list[str], note: str,
) -> str:  # fmt: skip
    """Keep `document` until another person confirms it; returns the proposal's id, that of the same one again.

    Called by `applying.apply`, which has asked for permission. Raises `Conflict` (`proposal_waits`) while another does.
    """
    proposal_id = new_id()
    person = actor.id if actor.kind is ActorKind.PERSON else None
    values = {
        "id": proposal_id, "queue_id": queue_id, "base_version": base_version, "document": document, "sha256": sha256,
        "diff": json.dumps(diff), "lowers": json.dumps(lowers), "note": note[:2000], "state": ProposalState.WAITS,
        "proposed_by": actor.label, "proposed_by_name": actor.name[:200], "first_person": person,
    }  # fmt: skip
    try:
        with session.begin_nested():
            session.execute(insert(ProposedVersion).values(**values, proposed_at=clock()))
    except IntegrityError:
        waits = session.execute(
            select(ProposedVersion.id, ProposedVersion.sha256).where(
                ProposedVersion.queue_id == queue_id, ProposedVersion.state == ProposalState.WAITS
            )
        ).one()
        if waits.sha256 == sha256:
            return str(waits.id)
        raise Conflict(
            "Another configuration that may lower review waits for a second person. Confirm or withdraw it first.",
            code="proposal_waits",
        ) from None
    facts = {"version": base_version + 1, "sha256": sha256, "lowers": lowers, "changes": len(diff)}
    trail.record(session, actor, "queue.proposed", queue_id=queue_id, subject=proposal_id, facts=facts)
    inbox.tell_of_queue(
        session, actor, _who_may_confirm(session), NoticeKind.PROPOSED, queue_id=queue_id, words=note or None
    )
    return proposal_id


def _who_may_confirm(session: Session) -> set[str]:
    return set(session.scalars(select(Person.id).where(Person.role == SiteRole.ADMIN, Person.disabled_at.is_(None))))


def take(session: Session, actor: Actor, *, slug: str, proposal_id: str) -> Proposal | None:
    """`actor` stands behind the proposal, too: returns it where that makes two people, or None where one is missing.

    Held until the end of the transaction. Raises `Conflict` (`yourself`, `proposal_over`), `Forbidden`, `NotFound`.
    """
    found = find(session=session, actor=actor, slug=slug, proposal_id=proposal_id, action=Action.CONFIGURE_QUEUES)
    if actor.kind is not ActorKind.PERSON:
        raise Forbidden("Only people confirm what may lower review.")
    session.execute(select(ProposedVersion.id).where(ProposedVersion.id == found.id).with_for_update())
    found = find(session=session, actor=actor, slug=slug, proposal_id=proposal_id, action=Action.CONFIGURE_QUEUES)
    if found.state is not ProposalState.WAITS:
        raise Conflict(f"It was {found.state.value} already.", code="proposal_over")
    if actor.id == found.first_person:
        raise Conflict("You stand behind it already. Another person must confirm it.", code="yourself")
    if found.first_person is None:
        session.execute(update(ProposedVersion).where(ProposedVersion.id == found.id).values(first_person=actor.id))
        queue_id = _queue_id(session, found.id)
        trail.record(session, actor, "queue.proposal_seconded", queue_id=queue_id, subject=found.id)
        return None
    return found


def _queue_id(session: Session, proposal_id: str) -> str:
    query = select(ProposedVersion.queue_id).where(ProposedVersion.id == proposal_id)
    return str(session.execute(query).scalar_one())


def withdraw(*, session: Session, actor: Actor, slug: str, proposal_id: str) -> ProposalState:
    """End a proposal that waits: its author withdraws it, anybody else who configures the queue refuses it.

    Raises `Conflict` (`proposal_over`), `Forbidden`, `NotFound`.
    """
    found = find(session=session, actor=actor, slug=slug, proposal_id=proposal_id, action=Action.CONFIGURE_QUEUES)
    state = ProposalState.WITHDRAWN if found.is_of(actor) else ProposalState.REFUSED
    if not _end(session, actor, ProposedVersion.id == found.id, state):
        raise Conflict("It does not wait any more.", code="proposal_over")
    return state


def supersede(session: Session, actor: Actor, queue_id: str) -> None:
    """Another version was applied: what waits was proposed of the one before it."""
    _end(session, actor, ProposedVersion.queue_id == queue_id, ProposalState.SUPERSEDED)


def note_applied(session: Session, actor: Actor, proposal_id: str) -> None:
    _end(session, actor, ProposedVersion.id == proposal_id, ProposalState.APPLIED)


def _end(session: Session, actor: Actor, which: ColumnElement[bool], state: ProposalState) -> bool:
    row = session.execute(
        update(ProposedVersion)
        .where(which, ProposedVersion.state == ProposalState.WAITS)
        .values(state=state, ended_by=actor.label, ended_at=clock())
        .returning(ProposedVersion.id, ProposedVersion.queue_id)
        .execution_options(synchronize_session=False)
    ).one_or_none()
    if row is None:
        return False
    trail.record(session, actor, f"queue.proposal_{state.value}", queue_id=row.queue_id, subject=row.id)
    return True


# -- queries ----------------------------------------------------------------------------------------------------------


def find(
    *, session: Session, actor: Actor, slug: str, proposal_id: str, action: Action = Action.READ_CONFIGURATION
) -> Proposal:  # fmt: skip
    """One proposal of the queue. Raises `NotFound`, `Forbidden`."""
    head = find_queue(session=session, actor=actor, slug=slug, action=action)
    row = session.execute(
        select(*_COLUMNS).where(ProposedVersion.id == known_id(proposal_id), ProposedVersion.queue_id == head.id)
    ).one_or_none()
    if row is None:
        raise NotFound
    return _proposal(row)


def of_queue(*, session: Session, actor: Actor, slug: str) -> list[Proposal]:
    """The newest 50, the one that waits among them. Index ix_proposed_version_queue_id_id."""
    head = find_queue(session=session, actor=actor, slug=slug, action=Action.READ_CONFIGURATION)
    rows = session.execute(
        select(*_COLUMNS).where(ProposedVersion.queue_id == head.id).order_by(ProposedVersion.id.desc()).limit(LISTED)
    )
    return [_proposal(row) for row in rows]


def _proposal(row: Any) -> Proposal:
    values = dict(row._mapping)
    return Proposal(**{**values, "diff": json.loads(values["diff"]), "lowers": json.loads(values["lowers"])})
