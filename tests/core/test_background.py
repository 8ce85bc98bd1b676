"""The job that works off outbox rows: once, whatever comes twice, late or poisoned; and the retry by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import func, insert, select, text, update

from reviewqueue.core import background, outbox
from reviewqueue.core.db import clock, read_session, write_session
from reviewqueue.core.ids import new_id
from reviewqueue.errors import Forbidden, NotFound
from reviewqueue.models import AuditEvent, OutboxRow

HERE = "tests.core.test_background"
DONE: list[str] = []
ATTEMPTS: list[int] = []
A, B, POISON = new_id(), new_id(), new_id()


def note(*, session, refs) -> None:
    if POISON in refs:
        raise RuntimeError("this one never works")
    DONE.extend(refs)


def note_what_has_begun(*, session, refs) -> None:
    if POISON in refs:
        raise RuntimeError("this one never works")
    DONE.append(str(session.scalar(select(func.count()).where(OutboxRow.lease.is_not(None)))))


def note_long(*, ref, renew) -> None:
    renew()
    DONE.append(ref)


def renew_twice(*, ref, renew) -> None:
    for _ in range(2):
        renew()
        with read_session() as session:
            DONE.append(session.scalars(select(OutboxRow.leased_until)).one())
            ATTEMPTS[:] = session.scalars(select(OutboxRow.attempts)).all()


def get_on(*, ref, renew) -> None:
    renew(progress=True)
    with read_session() as session:
        ATTEMPTS[:] = session.scalars(select(OutboxRow.attempts)).all()


def lose_the_lease(*, ref, renew) -> None:
    with write_session() as session:
        session.execute(update(OutboxRow).values(lease="somebody else"))
    renew()
    DONE.append(ref)


@pytest.fixture(autouse=True)
def in_app(app):
    DONE.clear()
    with app.app_context():
        yield


def rows_for(*refs: str, attempts: int = 0, failed: bool = False) -> list[int]:
    with write_session() as session:
        return [
            session.execute(
                insert(OutboxRow)
                .values(
                    topic="item.queued", rq_queue="review.intents", ref=ref, created_at=clock(), next_at=clock(),
                    attempts=attempts, failed_at=clock() if failed else None,
                )
                .returning(OutboxRow.id)
            ).scalar_one()
            for ref in refs
        ]  # fmt: skip


def stored() -> dict[str, OutboxRow]:
    with read_session() as session:
        return {row.ref: row for row in session.scalars(select(OutboxRow))}


def test_a_job_does_its_rows_and_removes_them():
    ids = rows_for(A, B)
    assert background.run(f"{HERE}.note", ids, long=False) == 2
    assert sorted(DONE) == sorted([A, B])
    assert stored() == {}


@pytest.mark.parametrize(("handler", "long"), [("note", False), ("note_long", True)])
def test_a_job_that_comes_again_does_nothing(handler, long):
    ids = rows_for(A)
    background.run(f"{HERE}.{handler}", ids, long=long)
    assert background.run(f"{HERE}.{handler}", ids, long=long) == 0
    assert DONE == [A]


def test_a_job_that_comes_while_another_works_does_nothing():
    ids = rows_for(A)
    with write_session() as session:
        session.execute(update(OutboxRow).values(lease="other", leased_until=clock(30)))
    assert background.run(f"{HERE}.note", ids, long=False) == 0
    assert DONE == []
    assert stored()[A].lease == "other"


def test_a_job_takes_over_when_the_other_has_been_silent_for_too_long():
    ids = rows_for(A)
    with write_session() as session:
        session.execute(update(OutboxRow).values(lease="other", leased_until=clock(-1)))
    assert background.run(f"{HERE}.note", ids, long=False) == 1


def test_long_work_stops_when_its_lease_is_gone_and_removes_nothing():
    ids = rows_for(A)
    assert background.run(f"{HERE}.lose_the_lease", ids, long=True) == 0
    assert DONE == []
    assert set(stored()) == {A}


@pytest.mark.parametrize(("handler", "attempts"), [("renew_twice", 8), ("get_on", 1)])
def test_work_that_gets_on_is_not_what_kills_its_workers(handler, attempts):
    """Ten workers in a row may be killed for reasons of their own, as when a machine is short of memory."""
    ids = rows_for(A, attempts=7)
    ATTEMPTS.clear()
    background.run(f"{HERE}.{handler}", ids, long=True)
    assert [attempts] == ATTEMPTS


@pytest.mark.parametrize(("seconds", "times"), [(3600, 1), (0, 2)])
def test_long_work_that_renews_all_the_time_writes_now_and_then(app, monkeypatch, seconds, times):
    monkeypatch.setitem(app.config, "SETTINGS", replace(app.config["SETTINGS"], execution_lease_seconds=seconds))
    background.run(f"{HERE}.renew_twice", rows_for(A), long=True)
    assert len(set(DONE)) == times


def test_a_poisoned_row_does_not_hold_up_its_batch():
    ids = rows_for(A, POISON, B)
    assert background.run(f"{HERE}.note", ids, long=False) == 2
    assert sorted(DONE) == sorted([A, B])
    row = stored()[POISON]
    assert row.error == "RuntimeError: this one never works"
    assert row.failed_at is None
    assert row.leased_until is None


def many(*refs: str) -> list[int]:
    with write_session() as session:
        outbox.append_many(session, "item.queued", rq_queue="review.intents", refs=refs)
    with read_session() as session:
        return list(session.scalars(select(OutboxRow.id).order_by(OutboxRow.id)))


def test_a_row_may_be_about_many():
    refs = [new_id() for _ in range(outbox.TOGETHER + 2)]
    ids = many(*refs)
    assert len(ids) == 2
    assert background.run(f"{HERE}.note", ids, long=False) == 2
    assert refs == DONE
    assert stored() == {}


def test_of_many_in_a_row_the_poisoned_one_does_not_hold_up_the_others():
    [row] = many(A, POISON, B)
    assert background.run(f"{HERE}.note", [row], long=False) == 0
    assert set(stored()) == {A, POISON, B}, "one row each"
    again = [row.id for row in stored().values()]
    assert background.run(f"{HERE}.note", again, long=False) == 2
    assert sorted(DONE) == sorted([A, B])
    assert set(stored()) == {POISON}


def test_rows_of_a_job_that_are_apart_begin_when_it_is_their_turn(app, monkeypatch):
    monkeypatch.setattr(background, "_app_of_worker", [app])
    many(A, POISON)
    ids = many(B, new_id())
    background.work(f"{HERE}.note_what_has_begun", False, ids, True)
    assert DONE == ["1"], "what is broken took nothing else with it, and nothing else had begun"
    assert set(stored()) == {A, POISON}


def test_the_tenth_failure_gives_up_and_a_retry_starts_anew(cast):
    ids = rows_for(POISON, attempts=9)
    background.run(f"{HERE}.note", ids, long=False)
    assert stored()[POISON].failed_at is not None
    background.run(f"{HERE}.note", ids, long=False)
    assert stored()[POISON].attempts == 10
    with write_session() as session:
        assert background.retry(session=session, actor=cast.admin.actor, row_id=ids[0]) == 1
    row = stored()[POISON]
    assert (row.failed_at, row.attempts) == (None, 0)
    with read_session() as session:
        events = session.scalars(select(AuditEvent).where(AuditEvent.action == "background.retried")).all()
    assert [event.actor for event in events] == [cast.admin.id]


def test_failures_back_off_further_and_further():
    waits = []
    for attempts in (0, 1, 5):
        ids = rows_for(POISON, attempts=attempts)
        background.run(f"{HERE}.note", ids, long=False)
        with write_session() as session:
            row = session.execute(select(OutboxRow.next_at, clock().label("now"))).one()
            waits.append(round((row.next_at - row.now).total_seconds()))
            session.execute(text("DELETE FROM outbox"))
    assert waits == [pytest.approx(15, abs=1), pytest.approx(30, abs=1), pytest.approx(480, abs=1)]


def test_only_what_failed_can_be_retried_and_only_by_administrators(cast):
    waiting, failed = rows_for(A)[0], rows_for(B, attempts=10, failed=True)[0]
    with pytest.raises(NotFound), write_session() as session:
        background.retry(session=session, actor=cast.admin.actor, row_id=waiting)
    for who in (cast.auditor, cast.bob, cast.submitter):
        with pytest.raises(Forbidden), write_session() as session:
            background.retry(session=session, actor=who.actor, row_id=failed)
    assert stored()[B].failed_at is not None


def test_the_page_shows_what_failed_and_retries_it(client, cast, transaction):
    rows_for(A, attempts=10, failed=True)
    with write_session() as session:
        session.execute(update(OutboxRow).values(error="<script>alert(1)</script>"))
    client.post("/login", data={"email": cast.admin.email, "password": cast.admin.password})
    page = client.get("/admin/background")
    assert page.status_code == 200
    assert "&lt;script&gt;alert(1)" in page.text
    assert client.post("/admin/background/failures/retry").status_code == 303
    assert all(row.failed_at is None for row in stored().values())


def test_the_page_says_when_redis_is_down(app, client, cast):
    from dataclasses import replace

    app.config["SETTINGS"] = replace(app.config["SETTINGS"], redis_url="unix:///nowhere/valkey.sock")
    client.post("/login", data={"email": cast.admin.email, "password": cast.admin.password})
    page = client.get("/admin/background")
    assert page.status_code == 200
    assert "Redis does not answer" in page.text


def test_work_that_kills_its_worker_every_time_is_given_up(app):
    [row] = rows_for(A, attempts=background.MOST_ATTEMPTS)
    with write_session() as session:
        session.execute(update(OutboxRow).values(lease="of a killed worker", leased_until=clock(-1)))
    assert background.run(f"{HERE}.note", [row], long=False) == 0
    assert DONE == []
    [left] = stored().values()
    assert left.failed_at is not None
    assert left.error == background.KILLED
