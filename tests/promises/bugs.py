"""Bugs, each of which takes away one mechanism that a promise stands on. The package itself has none of them.

Where a constraint of the database would stop the bug, as it should, `unguarded` drops that, too: so it is seen that
the checker finds what the constraint is there for.
"""

from __future__ import annotations

import json
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import count, product
from typing import Any

import pytest
from sqlalchemy import and_, delete, false, select, true, update
from sqlalchemy.exc import OperationalError

from reviewqueue.audit import sealing
from reviewqueue.core import idempotency, trail
from reviewqueue.core.db import WriteSession, append, clock, db, read_session, upsert, write_session
from reviewqueue.core.ids import new_id
from reviewqueue.delivery.webhooks import deliveries, events
from reviewqueue.intake import api as intake_api
from reviewqueue.intake import submissions
from reviewqueue.models import AuditEvent, AuditWaiting, Decision, PendingRelease, Task
from reviewqueue.models.base import table
from reviewqueue.models.states import TaskState
from reviewqueue.resolution import endings
from reviewqueue.review import edge, settling
from reviewqueue.review.claims import leases, passing_on, reach, returning, taking
from reviewqueue.review.decisions import deciding
from tests.promises.company import Scene, come_late, hand_over, pairs, pass_on, repeat, rush, undo_late, vanish

_task = table(Task).c


@dataclass(frozen=True)
class Bug:
    seed: Callable[[pytest.MonkeyPatch, str], None]
    """Given the address of the receiver of webhooks."""
    scenes: tuple[Scene, ...]
    """That provoke it."""
    says: str
    """What the checker must find; other faults may follow from the bug as well."""
    promise: int
    unguarded: tuple[str, ...] = ()
    """Unique indexes without which it can happen."""
    quiet: float = 30.0
    """Seconds to wait for what the product does by itself: fewer where the bug is that it does not."""

    @property
    def name(self) -> str:
        return self.seed.__name__


def every(number: int, first: int = 1) -> Callable[[], bool]:
    """Says yes at the `first` time and each `number`th after."""
    counter = count(-first % number)
    return lambda: next(counter) % number == number - 1


# -- items ------------------------------------------------------------------------------------------------------------


def the_answer_goes_out_before_the_commit(patch: pytest.MonkeyPatch, _: str) -> None:
    """And the commit fails now and then."""
    fails = every(4)

    @contextmanager
    def answers_first() -> Iterator[Any]:
        with WriteSession(db.engine, expire_on_commit=False) as session:
            yield session
            if not fails():
                session.commit()

    patch.setattr(intake_api, "write_session", answers_first)


def no_idempotency_row_is_written(patch: pytest.MonkeyPatch, _: str) -> None:
    patch.setattr(idempotency, "save", lambda *_: None)


def a_repetition_gets_another_id(patch: pytest.MonkeyPatch, _: str) -> None:
    looked_up = idempotency._saved

    def other(row: Any, key: Any) -> Any:
        saved = looked_up(row, key)
        return saved and replace(saved, answer=json.dumps({**json.loads(saved.answer), "id": new_id()}))

    patch.setattr(idempotency, "_saved", other)


def no_outbox_row_is_written(patch: pytest.MonkeyPatch, _: str) -> None:
    """The event that the item waits is lost."""
    patch.setattr(submissions.outbox, "append", lambda *_args, **_more: None)


# -- claims -----------------------------------------------------------------------------------------------------------


def a_claim_reads_and_then_writes(patch: pytest.MonkeyPatch, _: str) -> None:
    """Without asking whether the task is still open. The first two read before either writes."""
    readers, both = count(), threading.Barrier(2)

    def take(actor: Any, slug: str, then: Any) -> Any:
        with read_session() as session:
            sight = reach.lanes_for(session, actor, slug)
            place = reach.best_lane(session, actor, sight.lanes, apart=sight.holds)
            if place is None:
                return None
            found = session.execute(reach.claimable(*place, actor.id, _task.id, apart=True)).scalar_one()
        if next(readers) < 2:
            both.wait(10)
        statement = taking._lease_update(_task.id == found)
        with write_session() as session:
            return then(session, taking._lease(session, actor, sight.heads[place[0]], statement, {}, leases.DESK))

    patch.setattr(edge, "take_next", take)


def a_lease_ends_too_early(patch: pytest.MonkeyPatch, _: str) -> None:
    patch.setattr(returning, "clock", lambda: clock(3600.0))
    patch.setattr(returning, "LEASE_OVER", select(_task.id).where(leases.CLAIMED).limit(1))


def a_lost_lease_never_returns(patch: pytest.MonkeyPatch, _: str) -> None:
    patch.setattr(returning, "return_expired", lambda *, session: 0)


def a_skip_is_recorded_and_not_made(patch: pytest.MonkeyPatch, _: str) -> None:
    patch.setattr(passing_on, "hand_on", lambda *_args, **_more: None)


# -- decisions --------------------------------------------------------------------------------------------------------


def a_decision_asks_for_no_fence(patch: pytest.MonkeyPatch, _: str) -> None:
    """Nor whose claim it is: the task is held, by somebody."""
    _takes_as_live(patch, lambda task: task.state == TaskState.CLAIMED)


def a_decision_compares_no_lease(patch: pytest.MonkeyPatch, _: str) -> None:
    _takes_as_live(patch, lambda task: and_(*leases.still_theirs(task)[:-1]))


def a_decision_is_made_twice(patch: pytest.MonkeyPatch, _: str) -> None:
    """Whatever the task's state, and whether it was sent before."""
    _takes_as_live(patch, lambda _: true())
    patch.setattr(deciding, "answered_before", lambda *_: None)
    patch.setattr(deciding, "_into_effect", lambda *_: None)


def _takes_as_live(patch: pytest.MonkeyPatch, is_live: Callable[[Any], Any]) -> None:
    patch.setattr(deciding, "_is_live", is_live)
    patch.setattr(deciding, "_LOCKED", {locks: deciding._locked_statement(locks=locks) for locks in (True, False)})


def a_person_judges_an_item_twice(patch: pytest.MonkeyPatch, _: str) -> None:
    patch.setattr(deciding.rounds, "exclude", lambda *_args, **_more: None)
    patch.setattr(reach, "_found", lambda *_: false())
    statements = {
        which: taking._take_statement(locks=which[0], one_queue=which[1], apart=which[2])
        for which in product((True, False), repeat=3)
    }
    patch.setattr(taking, "_TAKE", statements)


def a_lost_lease_drops_the_draft(patch: pytest.MonkeyPatch, _: str) -> None:
    """The refusal is raised inside the transaction, and takes the draft with it."""
    decide = edge.decide

    def raising(**arguments: Any) -> Any:
        result = decide(**arguments)
        if isinstance(result, edge.Lost):
            raise result.error
        return result

    patch.setattr(edge, "decide", raising)


def an_undo_is_taken_after_its_time(patch: pytest.MonkeyPatch, _: str) -> None:
    from reviewqueue.review.web import desk

    withdraw = desk.withdraw

    def ever(*, session: Any, actor: Any, decision_id: str) -> Any:
        row = {"decision_id": decision_id, "releases_at": clock(60.0)}
        held = upsert(session, PendingRelease).values(**row)
        session.execute(held.on_conflict_do_update(index_elements=["decision_id"], set_=row))
        return withdraw(session=session, actor=actor, decision_id=decision_id)

    patch.setattr(desk, "withdraw", ever)


def a_decision_changes_afterwards(patch: pytest.MonkeyPatch, _: str) -> None:
    resolve = settling._resolve

    def changing(session: Any, actor: Any, decision: Any, **more: Any) -> Any:
        found = resolve(session, actor, decision, **more)
        session.execute(update(Decision).where(Decision.id == decision.id).values(output='{"label": "lost"}'))
        return found

    patch.setattr(settling, "_resolve", changing)


# -- webhooks ---------------------------------------------------------------------------------------------------------


def a_webhook_goes_out_before_the_commit(patch: pytest.MonkeyPatch, receiver: str) -> None:
    """And the commit fails now and then: it tells of what never was."""
    resolve, fails = settling._resolve, every(3)

    def tells(session: Any, actor: Any, decision: Any, **more: Any) -> Any:
        made = resolve(session, actor, decision, **more)
        body = b'{"type": "item.resolved", "data": {"resolution": {"verdict": "approve", "output": null}}}'
        request = urllib.request.Request(receiver, body, {"webhook-id": f"msg_{made.id}"})
        urllib.request.urlopen(request, timeout=10).close()
        if fails():
            raise OperationalError("COMMIT", None, Exception("the connection is gone"))
        return made

    patch.setattr(settling, "_resolve", tells)


def an_event_goes_out_under_two_ids(patch: pytest.MonkeyPatch, _: str) -> None:
    announce = deliveries._announce

    def twice(session: Any, endpoint: Any, told: Any) -> int:
        told = list(told)
        return announce(session, endpoint, [*told, *((event, f"{one}_2", ref) for event, one, ref in told)])

    patch.setattr(deliveries, "_announce", twice)


def an_event_is_never_told(patch: pytest.MonkeyPatch, _: str) -> None:
    """The endpoint's place in the feed moves on without it."""
    announce, forgets = deliveries._announce, every(3)

    def forgetting(session: Any, endpoint: Any, told: Any) -> int:
        return announce(session, endpoint, [one for one in told if one[0] == events.QUEUED or not forgets()])

    patch.setattr(deliveries, "_announce", forgetting)


# -- the audit log ----------------------------------------------------------------------------------------------------


def an_audit_event_is_lost(patch: pytest.MonkeyPatch, _: str) -> None:
    """As if it were written after the commit, by a process that is killed now and then."""
    loses, lost = every(5), set()

    def losing(session: Any, model: Any, row: Any) -> None:
        if model is AuditEvent and row["action"] == "task.decided" and loses():
            lost.add(row["id"])
        elif model is AuditEvent or row["event_id"] not in lost:  # its content with it
            append(session, model, row)

    patch.setattr(trail, "append", losing)


def a_change_has_no_audit_event(patch: pytest.MonkeyPatch, _: str) -> None:
    """What a task goes back by."""
    patch.setattr(returning.trail, "record", _but("task.lease_expired", trail.record))


def _but(action: str, record: Any) -> Any:
    return lambda session, actor, what, **more: None if what == action else record(session, actor, what, **more)


def a_seal_skips_an_event(patch: pytest.MonkeyPatch, _: str) -> None:
    seal, skips = sealing.seal, every(3)

    def skipping(*, session: Any) -> int:
        if skips():
            first = select(AuditWaiting.event_id).limit(1).scalar_subquery()
            session.execute(delete(table(AuditWaiting)).where(table(AuditWaiting).c.event_id == first))
        return seal(session=session)

    patch.setattr(sealing, "seal", skipping)


def a_seal_forgets_the_one_before(patch: pytest.MonkeyPatch, _: str) -> None:
    head = sealing.head
    patch.setattr(sealing, "head", lambda session: (head(session)[0], sealing.chain.START))


def more_judge_than_were_asked(patch: pytest.MonkeyPatch, _: str) -> None:
    """A task too many is opened, and none is cancelled when the item ends."""
    patch.setattr(endings, "cancel_tasks", lambda *_args, **_more: None)
    task_columns = submissions.Prepared.task_columns

    def one_more(item: Any, ids: Any, **times: Any) -> Any:
        return task_columns(item, [*ids, new_id()] if len(ids) > 1 else ids, **times)

    patch.setattr(submissions.Prepared, "task_columns", one_more)


BUGS = (
    Bug(the_answer_goes_out_before_the_commit, (repeat,), "is lost", 1),
    Bug(no_idempotency_row_is_written, (repeat,), "made 2 items", 2),
    Bug(a_repetition_gets_another_id, (repeat,), "was answered with 2 ids", 2),
    Bug(no_outbox_row_is_written, (repeat,), "nobody was told that item", 8, quiet=1.0),
    Bug(a_claim_reads_and_then_writes, (rush,), "is claimed by", 3),
    Bug(a_lease_ends_too_early, (hand_over,), "was taken back before its lease was over", 3),
    Bug(a_lost_lease_never_returns, (vanish, come_late), "is held although its lease is over", 9, quiet=6.0),
    Bug(a_skip_is_recorded_and_not_made, (pass_on,), "by the audit log", 11),
    Bug(a_decision_asks_for_no_fence, (hand_over,), "decides it", 3),
    Bug(a_decision_compares_no_lease, (come_late,), "was decided after its lease was over", 3),
    Bug(
        a_decision_is_made_twice, (rush,), "standing decisions", 3,
        unguarded=("uq_decision_standing_task", "uq_decision_standing_person"),
    ),
    Bug(a_person_judges_an_item_twice, (pairs,), "2 times", 3, unguarded=("uq_decision_standing_person",)),
    Bug(more_judge_than_were_asked, (pairs,), "first reviews where 2 were asked for", 3),
    Bug(a_lost_lease_drops_the_draft, (come_late,), "typed on", 4),
    Bug(an_undo_is_taken_after_its_time, (undo_late,), "was taken back after its grace time", 5),
    Bug(a_decision_changes_afterwards, (rush,), "was changed", 5),
    Bug(a_webhook_goes_out_before_the_commit, (rush,), "tells of what is not stored", 8),
    Bug(an_event_goes_out_under_two_ids, (rush,), "tells of what is not stored", 8),
    Bug(an_event_is_never_told, (rush,), "has 0 deliveries", 8),
    Bug(an_audit_event_is_lost, (rush,), "has 0 audit events", 11),
    Bug(a_change_has_no_audit_event, (vanish, come_late), "by the audit log", 11),
    Bug(a_seal_skips_an_event, (rush,), "is not sealed", 10),
    Bug(a_seal_forgets_the_one_before, (hand_over,), "audit verify", 10),
)  # fmt: skip
