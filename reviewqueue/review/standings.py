"""Operations on standings: who gets work in a queue that calibrates people or has a bar, and who is new to it.

no row ──► calibrating ──► reviewing ◄──► paused (checks under the bar; a lead resumes)
   │            └────────► failed (a lead waives it, or lets them try again)
   └──► reviewing (had decided work there before)

A queue whose configuration says nothing of it pays nothing. Leads manage gold, so that they are not measured by it.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from sqlalchemy import Integer, case, func, literal, select, text, update
from sqlalchemy.orm import Session

from reviewqueue.accounts.memberships import people_with
from reviewqueue.core import trail
from reviewqueue.core.access import SYSTEM, Action, Actor, may
from reviewqueue.core.db import clock, on_postgresql, upsert
from reviewqueue.errors import Fault, Invalid, NotAdmitted, NotFound
from reviewqueue.models import Decision, Item, Standing, Task
from reviewqueue.models.base import table
from reviewqueue.models.states import NoticeKind, QueueRole, StandingState, TaskKind
from reviewqueue.notices import inbox
from reviewqueue.queues.catalog import QueueHead, configuration, find_queue, queue_by_id
from reviewqueue.queues.configuration import Newcomers, Reviews
from reviewqueue.review import rounds
from reviewqueue.review.agreement import surely_below

_standing = table(Standing).c
GRANTABLE = (StandingState.REVIEWING, StandingState.CALIBRATING, StandingState.PAUSED)
"""What a lead may bring somebody into."""


@dataclass(frozen=True)
class Stands:
    """How somebody stands in a queue that asks for it."""

    state: StandingState
    checks: int
    correct: int
    needed: int
    """Checks of a calibration; 0 elsewhere."""
    bar: float | None
    """Share that must be correct."""
    note: str | None
    """What a lead said."""


def sift(
    session: Session, actor: Actor, heads: Mapping[str, QueueHead], lanes: list[tuple[str, str]], *, named: bool
) -> tuple[list[tuple[str, str]], QueueHead | None]:
    """The lanes without those of queues where `actor` gets no work now; and the queue, if it is `named`, that is to
    calibrate them. Raises `NotAdmitted` for a named queue where they are paused or have failed."""
    for head in heads.values():
        row = _row(session, actor, head)
        if row is None or row.state is StandingState.REVIEWING:
            continue
        lanes = [lane for lane in lanes if lane[0] != head.id]
        if named and row.state is StandingState.CALIBRATING:
            return lanes, head
        if named:
            raise _refusal(row.state)
    return lanes, None


def require_admitted(session: Session, actor: Actor, head: QueueHead, kind: TaskKind) -> None:
    """Raises `NotAdmitted` where `actor` gets no work now; a check is none."""
    row = _row(session, actor, head) if kind is not TaskKind.GOLD else None
    if row is not None and row.state is not StandingState.REVIEWING:
        raise _refusal(row.state)


def _refusal(state: StandingState) -> NotAdmitted:
    if state is StandingState.PAUSED:
        return NotAdmitted(
            "Your reviewing here is paused: your checks are under the queue's bar. A lead can resume it."
        )
    if state is StandingState.FAILED:
        return NotAdmitted(
            "You met too few of the items whose answer is known. A lead can let you try again, or begin.",
            code="calibration_failed",
        )
    return NotAdmitted("Your calibration comes first: claim in this queue.", code="calibration_first")


def nothing_to_calibrate() -> NotAdmitted:
    return NotAdmitted(
        "You are new here, and the queue has no item with a known answer left to begin with. Ask a lead to add some, "
        "or to let you begin.",
        code="no_gold_left",
    )


def require_checks_left(session: Session, actor: Actor, head: QueueHead) -> None:
    """Raises `NotAdmitted` where `actor`, who is calibrated there, has all the checks of it done or in hand."""
    rules, row = _rules(session, head), _read(session, head.id, actor.id)
    if rules is None or rules.calibration is None or row is None:
        return
    # Index uq_task_held.
    in_hand = select(func.count()).where(
        Task.holder == actor.id, text("task.state = 'claimed'"), Task.queue_id == head.id, Task.kind == TaskKind.GOLD
    )
    if _measured(session, row)[0] + session.execute(in_hand).scalar_one() >= rules.calibration.gold:
        raise NotAdmitted(
            "You have all the items of your calibration in your hands: decide those first.", code="calibration_in_hand"
        )


def _rules(session: Session, head: Any) -> Reviews | None:
    rules = configuration(session, head.id, head.version).config.reviews
    return rules if rules.calibration or rules.bar or rules.newcomers else None


def _row(session: Session, actor: Actor, head: QueueHead) -> Any:
    """Their standing, made when they first ask for work; None where the queue does not ask, or not for that."""
    rules = _rules(session, head)
    if rules is None or may(actor, Action.TAKE_ESCALATIONS, head.id):
        return None
    row = _read(session, head.id, actor.id) or _begin(session, actor, head, rules)
    if row.state is StandingState.PAUSED and rules.bar is None:
        return None
    return row if rules.calibration or row.state in {StandingState.PAUSED, StandingState.REVIEWING} else None


def _read(session: Session, queue_id: str, person_id: str, *, locks: bool = False) -> Any:
    query = select(table(Standing)).where(_standing.queue_id == queue_id, _standing.person_id == person_id)
    return session.execute(query.with_for_update() if locks and on_postgresql(session) else query).one_or_none()


def _begin(session: Session, actor: Actor, head: QueueHead, rules: Reviews) -> Any:
    # Index ix_decision_person_id_id. Once a person and queue.
    worked = select(literal(1)).where(
        Decision.person_id == actor.id, Decision.queue_id == head.id, Decision.correct.is_(None)
    )
    is_new = session.execute(worked.limit(1)).first() is None
    calibrates = is_new and rules.calibration is not None
    _write(
        session, head.id, actor.id, StandingState.CALIBRATING if calibrates else StandingState.REVIEWING, by=SYSTEM,
        decided=0 if is_new else Newcomers.MOST,
    )  # fmt: skip
    return _read(session, head.id, actor.id)


def _write(
    session: Session, queue_id: str, person_id: str, state: StandingState, *, by: Actor, checks: int = 0,
    correct: int = 0, note: str | None = None, decided: int | None = None,
) -> None:  # fmt: skip
    """Bring them into that state; what is measured counts anew."""
    told = {
        "state": state, "since": clock(), "measured_from": clock(), "checks": checks, "correct": correct,
        "by": by.label, "note": note,
    }  # fmt: skip
    session.execute(
        upsert(session, Standing)
        .values(queue_id=queue_id, person_id=person_id, decided=decided or 0, **told)
        .on_conflict_do_update(index_elements=["queue_id", "person_id"], set_=told)
    )


# -- what checks say --------------------------------------------------------------------------------------------------


def note_check(*, session: Session, actor: Actor, queue_id: str) -> StandingState | None:
    """`actor` has decided a check: the state into which that brings them, None where they stay in theirs."""
    head = queue_by_id(session, queue_id)
    rules = _rules(session, head)
    row = _read(session, head.id, actor.id, locks=True) if rules else None
    if rules is None or row is None or may(actor, Action.TAKE_ESCALATIONS, head.id):
        return None
    checks, correct = _measured(session, row)
    state = _after(row.state, rules, checks, correct)
    if state is None:
        return None
    _write(session, head.id, actor.id, state, by=SYSTEM, checks=checks, correct=correct)
    trail.record(
        session, SYSTEM, _EVENTS[row.state, state], queue_id=head.id, subject=actor.id,
        facts={"checks": checks, "correct": correct},
    )  # fmt: skip
    if state is StandingState.PAUSED:
        _tell_of_pause(session, SYSTEM, head.id, actor.id)
    return state


def _tell_of_pause(
    session: Session, actor: Actor, queue_id: str, person_id: str, note: str | None = None
) -> None:  # fmt: skip
    """Whoever is paused, and the leads, each once."""
    inbox.tell_of_queue(session, actor, [person_id], NoticeKind.PAUSED, queue_id=queue_id)
    leads = people_with(session, queue_id, QueueRole.LEAD) - {person_id}
    inbox.tell_of_queue(
        session, actor, leads, NoticeKind.REVIEWER_PAUSED, queue_id=queue_id, about=person_id, words=note
    )


_EVENTS = {
    (StandingState.CALIBRATING, StandingState.REVIEWING): "calibration.passed",
    (StandingState.CALIBRATING, StandingState.FAILED): "calibration.failed",
    (StandingState.REVIEWING, StandingState.PAUSED): "reviewer.paused",
}


def _after(state: StandingState, rules: Reviews, checks: int, correct: int) -> StandingState | None:
    if state is StandingState.CALIBRATING and rules.calibration and checks >= rules.calibration.gold:
        passed = correct >= rules.calibration.correct * checks
        return StandingState.REVIEWING if passed else StandingState.FAILED
    bar = rules.bar
    if state is StandingState.REVIEWING and bar and checks >= bar.after and surely_below(correct, checks, bar.correct):
        return StandingState.PAUSED
    return None


def _measured(session: Session, row: Any) -> tuple[int, int]:
    """Checks that count, and how many of them were met. Index ix_decision_gold."""
    correct = func.coalesce(func.sum(case((Decision.correct.is_(True), 1), else_=0), type_=Integer), 0)
    found = session.execute(
        select(func.count(), correct).where(
            Decision.queue_id == row.queue_id, Decision.person_id == row.person_id, Decision.correct.is_not(None),
            Decision.decided_at > row.measured_from,
        )
    ).one()  # fmt: skip
    return found[0], found[1]


# -- newcomers --------------------------------------------------------------------------------------------------------


def second_look(session: Session, actor: Actor, task: Any, rules: Newcomers) -> Any:
    """`task`, decided now by `actor`; as one of two reviews, if they are new and their work is drawn for a second look.

    Precondition: the item row is locked (PostgreSQL) or the session writes (SQLite).
    """
    if task.kind is not TaskKind.REVIEW or task.reviews > 1 or task.queue_id != task.item_queue_id:
        return task
    counted = session.execute(
        update(table(Standing))
        .where(
            _standing.queue_id == task.queue_id, _standing.person_id == actor.id, _standing.decided < rules.first
        )
        .values(decided=_standing.decided + 1)
        .returning(_standing.decided)
    ).one_or_none()  # fmt: skip
    if counted is None or secrets.randbelow(1_000_000) >= rules.second_look * 1_000_000:
        return task
    if not rounds.reviewers(session, task.queue_id) - {actor.id}:
        return task
    item = session.execute(
        update(Item).where(Item.id == task.item_id).values(reviews=2)
        .returning(Item.priority, Item.due_at).execution_options(synchronize_session=False)
    ).one()  # fmt: skip
    rounds.open_one(
        session, actor, task, kind=TaskKind.REVIEW, excluded=[actor.id], priority=item.priority, due=item.due_at
    )
    return SimpleNamespace(**{**task._mapping, "reviews": 2, "has_siblings": True})


# -- what leads say ---------------------------------------------------------------------------------------------------


def rule(
    *, session: Session, actor: Actor, slug: str, person_id: str, state: StandingState, note: str | None = None
) -> None:
    """Let somebody begin or go on, have them calibrated (again), or pause them. What was measured counts no more.

    Raises `NotFound` for nobody who reviews there, `Forbidden`, and `Invalid` for another state, or where the queue
    neither calibrates nor has a bar.
    """
    head = find_queue(session=session, actor=actor, slug=slug, action=Action.MANAGE_STANDINGS)
    if person_id not in people_with(session, head.id, QueueRole.REVIEWER):
        raise NotFound
    rules = configuration(session, head.id, head.version).config.reviews
    wanted = {StandingState.CALIBRATING: rules.calibration, StandingState.PAUSED: rules.bar}
    if state not in GRANTABLE or (state in wanted and wanted[state] is None):
        detail = "is not a state in which a lead can put somebody in this queue"
        raise Invalid(f"{state} {detail}.", [Fault("/state", detail)], code="bad_parameter")
    _write(session, head.id, person_id, state, by=actor, note=note)
    trail.record(
        session, actor, "reviewer.ruled", queue_id=head.id, subject=person_id, facts={"state": state},
        content={"note": note} if note else None,
    )  # fmt: skip
    if state is StandingState.PAUSED:
        _tell_of_pause(session, actor, head.id, person_id, note)


# -- telling ----------------------------------------------------------------------------------------------------------


def of(*, session: Session, actor: Actor, head: Any) -> Stands | None:
    """How `actor` stands there; None where the queue does not ask, and before they first ask for work."""
    rules = _rules(session, head)
    if rules is None or may(actor, Action.TAKE_ESCALATIONS, head.id):
        return None
    row = _read(session, head.id, actor.id)
    return None if row is None else told(session, rules, row)


def told(session: Session, rules: Reviews, row: Any) -> Stands | None:
    """In figures; None where the queue asks for that no more."""
    checks, correct = row.checks, row.correct
    if row.state in {StandingState.CALIBRATING, StandingState.REVIEWING}:
        checks, correct = _measured(session, row)
    if row.state in {StandingState.CALIBRATING, StandingState.FAILED}:
        if rules.calibration is None:
            return None
        return Stands(row.state, checks, correct, rules.calibration.gold, rules.calibration.correct, row.note)
    if row.state is StandingState.PAUSED and rules.bar is None:
        return None
    return Stands(row.state, checks, correct, 0, rules.bar.correct if rules.bar else None, row.note)


def all_of(session: Session, head: Any) -> dict[str, Stands]:
    """By person, those who have asked for work there. Asks no permission."""
    rules = _rules(session, head)
    if rules is None:
        return {}
    rows = session.execute(select(table(Standing)).where(_standing.queue_id == head.id))
    found = {row.person_id: told(session, rules, row) for row in rows}
    return {person_id: stands for person_id, stands in found.items() if stands is not None}


def waiting_for_leads(session: Session, head: Any) -> int:
    """How many people there get no work until a lead says something. Asks no permission."""
    if _rules(session, head) is None:
        return 0
    held_up = StandingState.PAUSED, StandingState.FAILED
    return len([stands for stands in all_of(session, head).values() if stands.state in held_up])
