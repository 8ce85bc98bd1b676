"""What an item said goes from everywhere; what happened to it stays, and the log verifies."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import func, insert, inspect, select, text

from reviewqueue.audit import commands, erasing
from reviewqueue.core.db import db, read_session, write_session
from reviewqueue.core.ids import id_at
from reviewqueue.delivery.jobs import on_queued
from reviewqueue.errors import Forbidden, Invalid, NotFound
from reviewqueue.feedback.commands import export
from reviewqueue.models import AuditEvent, IdempotencyKey, Item, ItemLikeness, Task
from reviewqueue.models.base import table
from reviewqueue.models.states import ItemState, TaskState
from reviewqueue.queues.applying import apply
from tests.desk_steps import act, claim, decide, submit
from tests.fixtures.people import INTENTS, OPERATOR, Cast, item
from tests.fixtures.postgres import waiting_for_a_lock
from tests.fixtures.processes import until

SECRET = "Wilhelmine"
"""In everything that is said of the item."""


def places_with(word: str) -> set[str]:
    """Every table and column of the database in which the word stands."""
    found = set()
    with read_session() as session:
        for name in inspect(db.engine).get_table_names():
            for row in session.execute(text(f'SELECT * FROM "{name}"')).mappings():
                found |= {f"{name}.{column}" for column, value in row.items() if word in str(value)}
    return found


def said(client: Any, cast: Cast) -> tuple[str, str]:
    """An item that was decided, and one that is in somebody's hands, both about the same person."""
    about = {
        "subject": f"{SECRET}-1", "input": {"text": f"I am {SECRET}"}, "metadata": {"name": SECRET},
        "explanation": f"{SECRET} asks",
    }  # fmt: skip
    key = {**cast.submitter.bearer, "Idempotency-Key": "one"}
    passed = {"queue": "intents", "output": {"label": "refund"}, "confidence": 0.99, "external_id": SECRET, **about}
    assert client.post("/api/v1/items", json=passed, headers=key).status_code == 201
    one = submit(client, cast, **about, external_id=f"{SECRET}-a")["id"]
    client.post(f"/api/v1/items/{one}/comments", json={"body": f"Is it {SECRET}?"}, headers=cast.bob.bearer)
    decide(client, cast.alice, verdict="override", output={"label": "refund"}, comment=SECRET, message=f"Dear {SECRET}")
    two = submit(client, cast, **about, external_id=f"{SECRET}-b")["id"]
    held = claim(client, cast.carol)["claim"]["id"]
    draft = client.put(f"/api/v1/claims/{held}/draft", json={"body": {"comment": SECRET}}, headers=cast.carol.bearer)
    assert draft.status_code < 300
    client.put("/api/v1/opt-outs", json={"subject": f"{SECRET}-1"}, headers=cast.submitter.bearer)
    return one, two


def test_nothing_that_items_about_somebody_said_is_left_and_the_log_verifies(
    keeper: Any, client: Any, cast: Cast
) -> None:
    one, two = said(client, cast)
    keeper.seal()
    keeper.sign()
    assert {"item.input", "decision.comment", "draft.body", "comment.body", "audit_content.payload"} <= places_with(
        SECRET
    )
    run = CliRunner().invoke(
        commands.erase, ["--subject", f"{SECRET}-1", "--reason", "They asked for it"], catch_exceptions=False
    )
    assert run.stdout == "3 items erased.\n"
    assert places_with(SECRET) == {"opt_out.subject"}, "whom nothing may be learned from must be known"
    assert keeper.faults() == set(), "not even before the erasure itself is sealed"
    keeper.seal()
    keeper.sign()
    assert keeper.faults() == set()
    with read_session() as session:
        assert session.get_one(Item, two).state is ItemState.CANCELLED
        assert set(session.scalars(select(Task.state).where(Task.item_id == two))) == {TaskState.CANCELLED}
        assert session.get_one(Item, one).state is ItemState.RESOLVED
    # Whoever asks for it is told that there was such an item, and sees nothing of it.
    assert client.get(f"/api/v1/items/{one}", headers=cast.submitter.bearer).status_code == 200
    feed = client.get("/api/v1/queues/intents/resolutions", headers=cast.submitter.bearer)
    assert feed.status_code == 200
    client.post("/login", data={"email": cast.bob.email, "password": cast.bob.password})
    for path in (f"/items/{one}", f"/items/{two}", "/queues/intents/items", "/decisions"):
        assert client.get(path).status_code == 200, path
    assert "content erased" in client.get(f"/items/{one}").text
    answer = act(client, cast.carol, f"{two}.1", "decision", verdict="approve")
    assert answer.status_code in {404, 409}


def test_a_check_in_somebodys_hands_ends_when_its_item_is_erased(keeper: Any, client: Any, cast: Cast) -> None:
    with write_session() as session:
        apply(session=session, actor=OPERATOR, document={**INTENTS, "reviews": {"gold": 1.0}})
    known = submit(client, cast, number=1)["id"]
    decide(client, cast.bob, output={"label": "refund"})
    added = client.post("/api/v1/queues/intents/gold", json={"item": known}, headers=cast.bob.bearer)
    assert added.status_code == 201
    submit(client, cast, number=2)
    check = claim(client, cast.alice)
    with write_session() as session:
        erasing.erase(session=session, actor=OPERATOR, reason="Asked for it", item_id=known)
    late = act(client, cast.alice, check["claim"]["id"], "decision", output={"label": "refund"})
    assert (late.status_code, late.json["code"]) == (409, "item_ended")
    with read_session() as session:
        kinds = select(Task.kind, Task.state).where(Task.id == check["task"]["id"])
        assert tuple(session.execute(kinds).one()) == ("gold", TaskState.CANCELLED)
        actions = list(session.scalars(select(AuditEvent.action).where(AuditEvent.item_id == known)))
    assert actions.count("gold.retired") == 1


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_what_was_erased_is_not_in_the_file_either(keeper: Any, client: Any, cast: Cast) -> None:
    gone = [submit(client, cast, number=number, input={"text": f"{SECRET} " * 900})["id"] for number in range(3)]
    file = Path(str(db.engine.url.database))

    def is_in_the_file() -> bool:
        with db.engine.connect() as connection:
            connection.exec_driver_sql("COMMIT")  # a checkpoint is made outside of transactions
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        return SECRET.encode() in file.read_bytes()

    assert is_in_the_file()
    for item_id in gone:
        CliRunner().invoke(commands.erase, ["--item", item_id, "--reason", "Asked"], catch_exceptions=False)
    assert not is_in_the_file()


def test_who_guesses_what_an_erased_item_said_is_not_told_by_a_digest(keeper: Any, client: Any, cast: Cast) -> None:
    """Of a short text, or one of ten answers, a plain SHA-256 tells as much as the text."""
    body, key = item(1), {**cast.submitter.bearer, "Idempotency-Key": "one"}
    first = client.post("/api/v1/items", json=body, headers=key)
    alone = first.json["id"]
    batch = client.post("/api/v1/items/batch", json={"items": [item(2)]}, headers=cast.submitter.bearer)
    together = batch.json["results"][0]["item"]["id"]
    with read_session() as session:
        digests = session.scalars(select(Item.body_sha256)).all()
        digests += session.scalars(select(IdempotencyKey.body_sha256)).all()
    assert ["audit_content.payload" in places_with(digest) for digest in digests] == [True, True, False]
    for item_id in (alone, together):
        erasing.erase_all(actor=OPERATOR, reason="They asked for it", item_id=item_id)
    assert [places_with(digest) for digest in digests] == [set(), set(), set()]
    again = client.post("/api/v1/items", json=body, headers=key)
    assert (again.status_code, again.json["id"]) == (201, alone)
    keeper.seal()
    assert keeper.faults() == set()


def test_erasing_is_for_administrators_and_wants_a_reason(app: Any, client: Any, cast: Cast) -> None:
    item_id = submit(client, cast)["id"]
    with app.app_context(), write_session() as session:
        for nobody in (cast.auditor, cast.bob, cast.analyst, cast.alice):
            with pytest.raises(Forbidden):
                erasing.erase(session=session, actor=nobody.actor, item_id=item_id, reason="x")
        with pytest.raises(Invalid):
            erasing.erase(session=session, actor=cast.admin.actor, item_id=item_id, reason="  ")
        with pytest.raises(NotFound):
            erasing.erase(session=session, actor=cast.admin.actor, item_id=cast.queue_id, reason="x")
        assert erasing.erase(session=session, actor=OPERATOR, item_id=item_id, reason="x").items == 1
    with app.app_context(), write_session() as session:
        assert erasing.erase(session=session, actor=OPERATOR, item_id=item_id, reason="x").items == 0


def test_a_queue_erases_what_it_keeps_no_longer(app: Any, client: Any, cast: Cast, keeper: Any) -> None:
    fresh = submit(client, cast)["id"]
    with write_session() as session:
        old = [id_at(1.0 + number, "old") for number in range(erasing.BATCH + 2)]
        columns = dict(session.execute(select(table(Item)).where(table(Item).c.id == fresh)).mappings().one())
        session.execute(insert(table(Item)), [{**columns, "id": item_id} for item_id in old])

    def duty() -> int:
        with read_session() as session:
            return erasing.retain(session=session)

    assert duty() == 0, "the queue says nothing of it"
    with write_session() as session:
        apply(session=session, actor=OPERATOR, document={**INTENTS, "retention": {"days": 30}})
    assert [duty(), duty(), duty()] == [erasing.BATCH, 2, 0]
    with read_session() as session:
        assert session.get_one(Item, fresh).erased_at is None
        assert session.scalar(select(func.count()).select_from(Item).where(Item.erased_at.is_(None))) == 1
    keeper.seal()
    assert keeper.faults() == set()


def test_no_export_made_later_holds_an_erased_item(client: Any, cast: Cast, keeper: Any, tmp_path: Path) -> None:
    gone, kept = submit(client, cast)["id"], submit(client, cast)["id"]
    for _ in (gone, kept):
        decide(client, cast.alice, verdict="override", output={"label": "refund"})
    with write_session() as session:
        erasing.erase(session=session, actor=OPERATOR, item_id=gone, reason="x")
    answer = CliRunner().invoke(export, ["intents", "--out", str(tmp_path / "out")], catch_exceptions=False)
    assert answer.exit_code == 0
    records = "".join(path.read_text() for path in (tmp_path / "out").glob("*.jsonl"))
    assert kept in records
    assert gone not in records


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
@pytest.mark.parametrize("first", ["job", "erasure"])
def test_a_job_that_reads_what_is_being_erased_leaves_nothing_of_it(
    app: Any, client: Any, cast: Cast, first: str
) -> None:
    item_id = submit(client, cast)["id"]

    def erase(session: Any) -> None:
        erasing.erase(session=session, actor=OPERATOR, reason="asked for", item_id=item_id)

    def note(session: Any) -> None:
        on_queued(session=session, refs=[item_id])

    one, other = (note, erase) if first == "job" else (erase, note)

    def beside() -> None:
        with app.app_context(), write_session() as session:
            other(session)

    with ThreadPoolExecutor(1) as pool, app.app_context():
        with write_session() as session:
            one(session)
            done = pool.submit(beside)
            until(lambda: done.done() or waiting_for_a_lock())
            assert not done.done(), "the second waits for the first"
        done.result()
        with read_session() as reading:
            assert reading.scalars(select(ItemLikeness.key)).all() == []
