"""Transactions of the edge that HTML and JSON routes share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from reviewqueue.core.access import Actor
from reviewqueue.core.db import read_session, write_session
from reviewqueue.errors import Conflict
from reviewqueue.review import drafts
from reviewqueue.review.bulk import actions, previewing
from reviewqueue.review.claims.leases import Held, parse_claim_id
from reviewqueue.review.claims.taking import claim_next
from reviewqueue.review.decisions.deciding import decide
from reviewqueue.review.decisions.recording import Decided, Lost, Submission
from reviewqueue.review.finding import Filters

Result = TypeVar("Result")


def take_next(actor: Actor, slug: str | None, then: Callable[[Session, Held], Result]) -> Result | None:
    """Claim the next task and run `then` in the same transaction; None when nothing waits."""

    def act(session: Session) -> Result | None:
        held = claim_next(session=session, actor=actor, slug=slug)
        return None if held is None else then(session, held)

    return claiming(act)


def claiming(act: Callable[[Session], Result]) -> Result:
    """Run `act`, which claims a task, in a transaction.

    Two requests of one person at the same moment meet at index uq_task_held; the second looks again, and finds the
    claim of the first.
    """
    for _ in range(3):
        try:
            with write_session() as session:
                return act(session)
        except IntegrityError as error:
            if "uq_task_held" not in str(error.orig) and "task.holder" not in str(error.orig):
                raise
    raise Conflict("Several claims at the same moment. Try again.", code="claim_race")


def decide_now(actor: Actor, claim_id: str, submission: Submission) -> Decided:
    """Decide and commit. Raises `LeaseLost` and its kin after the draft is safe."""
    try:
        with write_session() as session:
            result = decide(session=session, actor=actor, claim_id=claim_id, submission=submission)
    except IntegrityError as error:
        # Index uq_decision_standing_person, the last lock on this door.
        if "uq_decision_standing_person" not in str(error.orig) and "decision.person_id" not in str(error.orig):
            raise
        # That transaction is gone, and what was typed with it.
        with write_session() as session:
            drafts.save(session=session, actor=actor, task_id=parse_claim_id(claim_id)[0], body=submission.draft)
        raise Conflict(
            "You have judged this item already: somebody else is to do this. Your draft is kept.", code="four_eyes"
        ) from None
    if isinstance(result, Lost):
        raise result.error
    return result


def prepare_bulk(actor: Actor, slug: str, wanted: actions.Wanted, chosen: Iterable[str] | Filters) -> str:
    """Keep what an action would hit; the id of its preview.

    Each step of the search reads in a session of its own, and only what was found is written: on SQLite everybody else
    who writes would wait for a search within the transaction.
    """
    with read_session() as session:
        look = previewing.Look(session=session, actor=actor, slug=slug, wanted=wanted, chosen=chosen)
    more = True
    while more:
        with read_session() as session:
            more = look.go_on(session)
    with write_session() as session:
        return previewing.prepare(session=session, actor=actor, look=look)
