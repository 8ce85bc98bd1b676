"""Operations on decisions: decide, and withdraw within the grace time."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

from sqlalchemy import bindparam, delete, exists, select, text, update
from sqlalchemy.orm import Session

from reviewqueue.core import trail
from reviewqueue.core.access import Action, Actor, require
from reviewqueue.core.db import append, clock, database_now, on_postgresql
from reviewqueue.core.ids import known_id, new_id
from reviewqueue.core.moments import iso
from reviewqueue.core.strictjson import Raw, dumps, spliced
from reviewqueue.errors import AlreadyDecided, Conflict, Faults, GraceOver, Invalid, ItemEnded, NotFound
from reviewqueue.media.reading import hashes_of
from reviewqueue.models import Decision, Draft, Item, ItemMedia, PendingRelease, Task
from reviewqueue.models.base import table
from reviewqueue.models.states import ENDED, ActorKind, ItemState, TaskKind, TaskState, Verdict
from reviewqueue.queues import views
from reviewqueue.queues.catalog import Compiled, configuration
from reviewqueue.queues.configuration import offered_reasons
from reviewqueue.resolution import reading
from reviewqueue.resolution.verdicts import MISSING, Judged, judge, same
from reviewqueue.review import drafts, golden, rounds, standings
from reviewqueue.review.claims import leases, taking
from reviewqueue.review.settling import mark_in_review, put_into_effect


@dataclass(frozen=True)
class Submission:
    """What a reviewer sends. `output` is MISSING where none was sent; `draft` is kept if the lease is lost."""

    verdict: Verdict | None
    output: Any = MISSING
    output_text: str | None = None
    """The output as it was sent, so that its digits survive; None: write it anew."""
    reason: str | None = None
    suggested_label: str | None = None
    comment: str | None = None
    message: str | None = None
    spent_seconds: float | None = None
    seen: Sequence[str] | None = None
    started_blank: bool = False
    grace: bool = False
    """Whether the queue's `undo_seconds` apply: in the desk, not over the API."""
    draft: str = "{}"
    """JSON text."""


@dataclass(frozen=True)
class Decided:
    """A standing decision."""

    decision_id: str
    decision: dict[str, Any]
    resolution: dict[str, Any] | None
    """None in the grace time."""
    releases_at: datetime
    undo_seconds: float
    """What is left of the grace time when it was answered."""
    verdict: Verdict
    item_id: str
    replayed: bool
    gold: golden.Feedback | None = None
    """Where the answer was known."""


@dataclass(frozen=True)
class Lost:
    """The decision was not taken; the draft was kept. Commit, then raise `error`."""

    error: Conflict


_task, _item, _decision, _draft = table(Task).c, table(Item).c, table(Decision).c, table(Draft).c
_other = table(Task).alias("other").c
_item_media = table(ItemMedia).c


def _locked_statement(*, locks: bool) -> Any:
    query = (
        select(
            _task.id, _task.queue_id, _task.item_id, _task.round, _task.kind, _task.config_version, _task.fence,
            _task.blind, _task.last_holder, _task.state, _item.output, _item.state.label("item_state"), _item.reviews,
            _item.queue_id.label("item_queue_id"), _item.config_version.label("item_version"),
            exists(text("1"))
            .where(_draft.task_id == _task.id, _draft.person_id == bindparam("by_person"))
            .label("has_draft"),
            exists(text("1"))
            .where(_other.item_id == _task.item_id, _other.id != _task.id, _other.state.in_(("open", "claimed")),
                   _other.kind != TaskKind.GOLD)
            .label("has_siblings"),
            exists(text("1")).where(_item_media.item_id == _task.item_id).label("has_media"),
        )
        .join_from(table(Task), table(Item), _item.id == _task.item_id)
        .where(_task.id == bindparam("task_id"))
    )  # fmt: skip
    return query.with_for_update(of=table(Item)) if locks else query


# Built once, for PostgreSQL and for SQLite.
_LOCKED = {True: _locked_statement(locks=True), False: _locked_statement(locks=False)}
_TAKE_DOWN = (
    update(table(Task))
    .where(*leases.LIVE_CLAIM)
    .values(state=TaskState.DONE, last_holder=_task.holder, holder=None, lease_until=None)
    .returning(clock().label("now"))
)


def decide(*, session: Session, actor: Actor, claim_id: str, submission: Submission) -> Decided | Lost:
    """Decide the claimed task.

    The same decision again returns the first one. A lost lease is returned, not raised, so that the draft is
    committed with it. Raises `Invalid` with pointers, `NotFound`, `Forbidden`.
    """
    task_id, fence = leases.parse_claim_id(claim_id)
    leases.require_person(actor)
    task = _locked_task(session, task_id, actor)
    require(actor, Action.REVIEW, task.queue_id)
    compiled = configuration(session, task.queue_id, task.config_version)
    if task.blind and submission.verdict is not Verdict.REJECT:
        # They cannot know whether they change anything.
        submission = replace(submission, verdict=None)
    earlier = _replayed(session, actor, task, fence, submission)
    if earlier is not None:
        return earlier
    try:
        given = _input_for(session, task, compiled)
        judged = checked(compiled, given, json.loads(task.output), submission, blind=task.blind)
        _check_at_home(session, task, judged)
    except Invalid:
        # Of somebody who has lost the task, what they typed is kept first; the rules may have changed meanwhile, too.
        if leases.is_live(session, actor, task_id, fence):
            raise
        return _lost(session, actor, task, fence, submission, None)
    now = session.execute(_TAKE_DOWN, leases.claim_parameters(task_id, fence, actor)).scalar_one_or_none()
    if now is None:
        # Whoever held the item's lock may have moved the task after it was read. Now the lock is ours.
        task = _locked_task(session, task_id, actor)
        earlier = _replayed(session, actor, task, fence, submission)
        return earlier or _lost(session, actor, task, fence, submission, judged)
    if task.kind is TaskKind.GOLD:
        return _measure(session, actor, task, fence, submission, judged, now, compiled.config.reviews.agree_on)
    grace = compiled.config.undo_seconds if submission.grace else 0
    if compiled.config.reviews.newcomers is not None:
        task = standings.second_look(session, actor, task, compiled.config.reviews.newcomers)
    return _stand(session, actor, task, fence, submission, judged, now, grace)


def _locked_task(session: Session, task_id: str, actor: Actor) -> Any:
    """The task with its item, whose row is locked first, so that two decisions on one item see each other."""
    row = session.execute(_LOCKED[on_postgresql(session)], {"task_id": task_id, "by_person": actor.id}).one_or_none()
    if row is None:
        raise NotFound
    return row


def _input_for(session: Session, task: Any, compiled: Compiled) -> Any:
    """The item's input, where the view reads it; else None."""
    if not views.reads_input(compiled.config.view):
        return None
    return json.loads(session.execute(select(_item.input).where(_item.id == task.item_id)).scalar_one())


def checked(
    compiled: Compiled, given: Any, ai_output: Any, submission: Submission, *, blind: bool = False
) -> Judged:  # fmt: skip
    """What the submission amounts to. `given` is the input, where the view reads it. Raises `Invalid` with them all."""
    faults = Faults()
    judged = judge(
        given=submission.verdict, ai_output=ai_output, output=submission.output, view=compiled.config.view.type,
        started_blank=submission.started_blank, faults=faults,
    )  # fmt: skip
    if judged.verdict in {Verdict.EDIT, Verdict.OVERRIDE} and not faults.found:
        faults.found.extend(compiled.validate_output(judged.output, given=given))
    _check_reason(compiled, judged.verdict, submission, faults, blind=blind)
    faults.raise_if_any("The decision cannot be taken like this.", code="invalid_decision")
    return judged


def _check_at_home(session: Session, task: Any, judged: Judged) -> None:
    """A task that was sent to another queue is judged by that one's rules, and answers its item's program, which knows
    those of the item's own queue. Raises `Invalid`."""
    if task.queue_id == task.item_queue_id or judged.verdict not in {Verdict.EDIT, Verdict.OVERRIDE}:
        return
    home = configuration(session, task.item_queue_id, task.item_version)
    if found := home.validate_output(judged.output, given=_input_for(session, task, home)):
        message = f"The answer goes back to the queue {home.config.name}, whose outputs it must satisfy."
        raise Invalid(message, found, code="invalid_decision")


def _check_reason(compiled: Compiled, verdict: Verdict, submission: Submission, faults: Faults, *, blind: bool) -> None:
    reasons = {reason.code: reason for reason in offered_reasons(compiled.config)}
    if submission.reason is not None and submission.reason not in reasons:
        faults.add("/reason", f"is not a reason of this queue: {', '.join(reasons)}")
    if submission.reason is None:
        asked_for = any(verdict in reason.required_for for reason in reasons.values()) and not blind
        required = verdict is Verdict.REJECT or asked_for
        if required:
            faults.add("/reason", f"is required with {verdict.value}: one of {', '.join(reasons)}")
    given = reasons.get(submission.reason or "")
    if given is not None and given.note_required and not (submission.comment or "").strip():
        faults.add("/comment", f"is required with the reason {given.code}")
    if submission.suggested_label is not None and submission.reason != "no_label_fits":
        faults.add("/suggested_label", "goes with the reason no_label_fits")


def _stand(
    session: Session, actor: Actor, task: Any, fence: int, submission: Submission, judged: Judged, now: datetime,
    grace: float,
) -> Decided:  # fmt: skip
    row = _append(session, actor, task, fence, submission, judged, now, grace=grace)
    content = {"comment": submission.comment} if submission.comment else None
    _note(session, actor, task, row, "task.decided", {"reason": submission.reason}, content)
    resolution = None
    if task.has_siblings:
        rounds.exclude(session, item_id=task.item_id, task_id=task.id, person_id=actor.id)
    if grace:
        _hold_back(session, row, task)
    else:
        resolution = _into_effect(session, actor, row, task)
    return _decided(row, resolution, grace, replayed=False)


def _measure(
    session: Session, actor: Actor, task: Any, fence: int, submission: Submission, judged: Judged, now: datetime,
    agree_on: Sequence[str],
) -> Decided:  # fmt: skip
    """A decision on gold: what is known is told at once, so that there is no undo, and nothing else comes of it."""
    known = golden.known_answer(session, task.item_id)
    rejects = judged.verdict is Verdict.REJECT
    correct = golden.is_met(known, rejects=rejects, output=judged.output, agree_on=agree_on)
    row = _append(session, actor, task, fence, submission, judged, now, correct=correct)
    _note(session, actor, task, row, "gold.decided", {"correct": correct})
    standing = standings.note_check(session=session, actor=actor, queue_id=task.queue_id)
    return _decided(row, None, 0, replayed=False, gold=golden.Feedback(correct, known, standing))


def _note(
    session: Session, actor: Actor, task: Any, row: Any, event: str, facts: dict[str, Any],
    content: dict[str, Any] | None = None,
) -> None:  # fmt: skip
    """The decision stands: its event, and no draft any more."""
    if task.has_draft:
        drafts.drop(session, task_id=task.id, person_id=actor.id)
    trail.record(
        session, actor, event, queue_id=task.queue_id, item_id=task.item_id, subject=task.id,
        facts={"fence": row.fence, "verdict": row.verdict, "decision": row.id, **facts}, content=content,
    )  # fmt: skip


_SHOWN = (
    _decision.id, _decision.task_id, _decision.item_id, _decision.queue_id, _decision.verdict, _decision.output,
    _decision.reason, _decision.suggested_label, _decision.comment, _decision.message, _decision.spent_seconds,
    _decision.decided_at, _decision.releases_at, _decision.config_version, _decision.correct,
)  # fmt: skip


def _append(
    session: Session, actor: Actor, task: Any, fence: int, submission: Submission, judged: Judged, now: datetime,
    *, grace: float = 0, late: bool = False, correct: bool | None = None,
) -> Any:  # fmt: skip
    """The decision's row; `now` is the database's time while the item is locked."""
    row = {
        "id": new_id(), "task_id": task.id, "item_id": task.item_id, "queue_id": task.item_queue_id,
        "round": task.round,
        "person_id": actor.id, "fence": fence, "config_version": task.config_version, "verdict": judged.verdict,
        "output": _output_text(task, submission, judged), "reason": submission.reason,
        "suggested_label": submission.suggested_label, "comment": submission.comment or None,
        "message": submission.message or None,
        "spent_seconds": None if submission.spent_seconds is None else round(submission.spent_seconds, 1),
        "seen": None if submission.seen is None else dumps(list(submission.seen)),
        "shown": dumps(_shown_to(session, task)), "via": actor.via,
        "late": late, "correct": correct, "decided_at": now, "releases_at": now + timedelta(seconds=grace),
    }  # fmt: skip
    append(session, Decision, row)
    return SimpleNamespace(**row)


def _shown_to(session: Session, task: Any) -> dict[str, Any]:
    """What the reviewer had before them."""
    shown = {"config_version": task.config_version, "blind": task.blind}
    return {**shown, "media": hashes_of(session, task.item_id)} if task.has_media else shown


def _output_text(task: Any, submission: Submission, judged: Judged) -> str:
    if judged.verdict is Verdict.REJECT:
        return "null"
    if judged.verdict is Verdict.APPROVE:
        return str(task.output)
    return submission.output_text if submission.output_text is not None else dumps(judged.output)


def _hold_back(session: Session, row: Any, task: Any) -> None:
    append(session, PendingRelease, {"decision_id": row.id, "releases_at": row.releases_at})
    mark_in_review(session, task.item_id)


def _into_effect(session: Session, actor: Actor, row: Any, task: Any) -> dict[str, Any] | None:
    decision = _Effective(
        row.id, row.item_id, row.queue_id, row.verdict, row.output, row.reason, row.message, task.round, task.kind,
        task.item_state, task.reviews,
    )  # fmt: skip
    resolution = put_into_effect(session=session, actor=actor, decision=decision, has_siblings=task.has_siblings)
    return reading.in_force(session, task.item_id) if resolution is None else reading.as_json(resolution)


@dataclass(frozen=True)
class _Effective:
    """What `put_into_effect` reads."""

    id: str
    item_id: str
    queue_id: str
    verdict: Verdict
    output: str
    reason: str | None
    message: str | None
    round: int
    kind: TaskKind
    item_state: ItemState
    reviews: int


def _decided(
    row: Any, resolution: dict[str, Any] | None, undo_seconds: float, *, replayed: bool,
    gold: golden.Feedback | None = None,
) -> Decided:  # fmt: skip
    shown = {
        "id": row.id, "task": row.task_id, "item": row.item_id, "verdict": row.verdict, "output": Raw(row.output),
        "reason": row.reason, "suggested_label": row.suggested_label, "comment": row.comment, "message": row.message,
        "spent_seconds": row.spent_seconds, "config_version": row.config_version, "decided_at": iso(row.decided_at),
        "releases_at": iso(row.releases_at),
    }  # fmt: skip
    return Decided(row.id, shown, resolution, row.releases_at, undo_seconds, row.verdict, row.item_id, replayed, gold)


# -- again, and too late ----------------------------------------------------------------------------------------------


def _standing(session: Session, task_id: str, actor: Actor, fence: int) -> Any:
    return session.execute(
        select(*_SHOWN).where(
            Decision.task_id == task_id, Decision.person_id == actor.id, Decision.fence == fence,
            Decision.withdrawn_at.is_(None),
        )
    ).one_or_none()  # fmt: skip


def _replayed(session: Session, actor: Actor, task: Any, fence: int, submission: Submission) -> Decided | Lost | None:
    """The same request again gets the same answer; another decision under the same claim changes nothing. None where
    nobody has decided under this claim."""
    row = _standing(session, task.id, actor, fence) if task.state is TaskState.DONE else None
    if row is None:
        return None
    if not _equal(row, submission):
        drafts.keep(session, task_id=task.id, person_id=actor.id, body=submission.draft)
        return Lost(AlreadyDecided("You have decided this task already, differently. That decision stands."))
    if row.correct is not None:
        known = golden.known_answer(session, task.item_id)
        return _decided(row, None, 0, replayed=True, gold=golden.Feedback(row.correct, known))
    resolution = reading.in_force(session, task.item_id)
    left = session.execute(
        select(PendingRelease.releases_at).where(PendingRelease.decision_id == row.id)
    ).scalar_one_or_none()
    return _decided(row, None if left else resolution, 0, replayed=True)


def _equal(row: Any, submission: Submission) -> bool:
    """Whether the decision that stands says what is sent now."""
    if submission.verdict not in {row.verdict, None}:
        return False
    says_output = row.verdict is not Verdict.REJECT and submission.output is not MISSING
    if says_output and not same(json.loads(row.output), submission.output):
        return False
    words = "reason", "suggested_label", "comment", "message"
    return all((getattr(submission, word) or None) == getattr(row, word) for word in words)


def _lost(session: Session, actor: Actor, task: Any, fence: int, submission: Submission, judged: Judged | None) -> Lost:
    """Keep what was typed. After the end of the item it also counts as a late label of whoever held it, if it is valid
    (`judged`)."""
    drafts.keep(session, task_id=task.id, person_id=actor.id, body=submission.draft)
    if task.state is not TaskState.CANCELLED or task.item_state not in ENDED or task.kind is TaskKind.GOLD:
        return Lost(leases.lost_lease(session, actor, task.id))
    if task.item_state is ItemState.CANCELLED:
        return Lost(ItemEnded("Withdrawn by the program. Nothing needed.", code="item_cancelled"))
    is_holder = task.last_holder == actor.id and task.fence == fence + 1
    if judged is not None and is_holder and _standing(session, task.id, actor, fence) is None:
        row = _append(session, actor, task, fence, submission, judged, database_now(session), late=True)
        trail.record(
            session,
            actor,
            "task.decided_late",
            queue_id=task.queue_id,
            item_id=task.item_id,
            subject=task.id,
            facts={"verdict": judged.verdict, "decision": row.id},
        )
    kept = "It is kept as a label, and as a draft."
    if task.item_state is ItemState.RESOLVED:
        return Lost(ItemEnded(f"Others have settled this item before your decision came. {kept}", code="item_ended"))
    return Lost(ItemEnded(f"The time to answer was over before your decision came. {kept}", code="item_expired"))


# -- undo -------------------------------------------------------------------------------------------------------------


def withdraw(*, session: Session, actor: Actor, decision_id: str, seat: int = leases.DESK) -> leases.Held:
    """Take back one's own decision within its grace time: the task reopens and is claimed again by its author.

    What they hold in that queue, in that seat, is handed back. Raises `GraceOver`, and `NotFound` for other people's
    decisions.
    """
    if actor.kind is not ActorKind.PERSON:
        raise NotFound
    row = session.execute(
        select(Decision.id, Decision.task_id, Decision.item_id, Task.queue_id, Decision.output, Decision.verdict,
               Decision.reason, Decision.comment, Decision.message, Decision.suggested_label, Decision.person_id)
        .join(Task, Task.id == Decision.task_id)
        .where(Decision.id == known_id(decision_id))
    ).one_or_none()  # fmt: skip
    if row is None or row.person_id != actor.id:
        raise NotFound
    require(actor, Action.REVIEW, row.queue_id)
    item = select(Item.id).where(Item.id == row.item_id)
    session.execute(item.with_for_update() if on_postgresql(session) else item)
    # Whoever deletes this row decides: its author here, or the relay in `settle_due`.
    pending = session.execute(
        delete(PendingRelease)
        .where(PendingRelease.decision_id == row.id, PendingRelease.releases_at > clock())
        .returning(PendingRelease.decision_id)
    ).one_or_none()
    if pending is None:
        raise GraceOver("The time to undo this decision is over.")
    session.execute(update(Decision).where(Decision.id == row.id).values(withdrawn_at=clock()))
    if not rounds.deciders(session, row.item_id):
        session.execute(
            update(Item)
            .where(Item.id == row.item_id, Item.state == ItemState.IN_REVIEW)
            .values(state=ItemState.QUEUED)
            .execution_options(synchronize_session=False)
        )
    rounds.readmit(session, item_id=row.item_id, task_id=row.task_id, person_id=actor.id)
    session.execute(update(Task).where(Task.id == row.task_id).values(state=TaskState.OPEN))
    _as_draft(session, actor, row)
    trail.record(
        session, actor, "decision.withdrawn", queue_id=row.queue_id, item_id=row.item_id, subject=row.task_id,
        facts={"decision": row.id},
    )  # fmt: skip
    return taking.claim_task(session=session, actor=actor, task_id=row.task_id, seat=seat, again=True)


def _as_draft(session: Session, actor: Actor, row: Any) -> None:
    """What was decided comes back as a draft, so that a slip is mended, not typed again."""
    body = {
        "verdict": row.verdict, "output": Raw(row.output), "reason": row.reason, "comment": row.comment,
        "message": row.message, "suggested_label": row.suggested_label,
    }  # fmt: skip
    drafts.keep(session, task_id=row.task_id, person_id=actor.id, body=spliced(body))
