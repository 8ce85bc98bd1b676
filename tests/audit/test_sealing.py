"""Sealing, signing and verifying a log in a real database."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from flask import Flask
from sqlalchemy import insert, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from reviewqueue.audit import chain, commands, jobs, keys, sealing, verifying
from reviewqueue.core import trail
from reviewqueue.core.access import SYSTEM
from reviewqueue.core.addresses import Refused
from reviewqueue.core.db import WriteSession, clock, db, on_postgresql, read_session, write_session
from reviewqueue.core.ids import new_id
from reviewqueue.errors import Conflict, Invalid, Unavailable
from reviewqueue.models import AuditCheckpoint, AuditEvent, AuditSeal, OutboxRow
from tests.fixtures.receivers import receiving


def test_what_was_committed_is_sealed_in_order_and_signed_outside_the_database(keeper: Any, app: Flask) -> None:
    ids = keeper.record(5)
    assert keeper.seal() == 5
    assert keeper.seal() == 0
    with read_session() as session:
        assert list(session.scalars(select(AuditSeal.event_id).order_by(AuditSeal.sequence))) == ids
    keeper.sign()
    keeper.sign()  # nothing new to sign
    folder = app.config["SETTINGS"].data_dir
    lines = (folder / "audit_checkpoints.jsonl").read_text().splitlines()
    assert len(lines) == 1
    checkpoint = json.loads(lines[0])
    assert chain.is_signed(checkpoint)
    assert checkpoint["size"] == 5
    assert stat.S_IMODE((folder / "audit_key").stat().st_mode) == 0o600
    checker = keeper.checker()
    assert (checker.faults, checker.place, checker.last_checkpoint) == ([], 5, checkpoint)


def test_the_relay_writes_only_when_something_is_due(keeper: Any) -> None:
    def due(statement: Any) -> bool:
        with read_session() as session:
            return session.execute(statement).first() is not None

    assert not due(sealing.WAITING)
    keeper.record()
    assert due(sealing.WAITING)
    assert not due(sealing.UNSIGNED)
    keeper.seal()
    assert not due(sealing.WAITING)
    assert due(sealing.UNSIGNED)
    keeper.sign()
    assert not due(sealing.UNSIGNED)


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_an_event_that_is_committed_late_is_sealed_late_and_once(keeper: Any) -> None:
    with WriteSession(db.engine) as slow, slow.begin():
        early = trail.record(slow, SYSTEM, "test.began")
        slow.send()
        later = keeper.record(3)
        assert keeper.seal() == 3, "those behind it do not wait"
    assert keeper.seal() == 1
    with read_session() as session:
        assert list(session.scalars(select(AuditSeal.event_id).order_by(AuditSeal.sequence))) == [*later, early]
    assert keeper.faults() == set()


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_of_two_sealers_at_once_one_seals(keeper: Any) -> None:
    keeper.record(3)
    with Session(db.engine) as other, other.begin():
        assert sealing.seal(session=other) == 3
        with write_session() as session:
            session.execute(text("SET LOCAL lock_timeout = '50ms'"))
            with pytest.raises(DBAPIError, match="lock timeout"), session.begin_nested():
                sealing.seal(session=session)
    assert keeper.seal() == 0
    assert keeper.faults() == set()


# -- tampering --------------------------------------------------------------------------------------------------------


def disarm(session: Session) -> None:
    """What somebody does who owns the database."""
    if on_postgresql(session):
        for table in ("audit_event", "audit_seal", "audit_content", "audit_checkpoint"):
            session.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER ALL"))
        return
    session.execute(text("PRAGMA defer_foreign_keys = ON"))
    for name in session.scalars(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).all():
        session.execute(text(f"DROP TRIGGER {name}"))


def rehash(session: Session) -> None:
    """All seals anew, as if the log had always been as it is."""
    ids = session.scalars(select(AuditSeal.event_id).order_by(AuditSeal.sequence)).all()
    session.execute(text("DELETE FROM audit_seal"))
    last, seals = chain.START, []
    events = {row.id: row for row in session.execute(sealing.EVENTS).all()}
    for place, event_id in enumerate((one for one in ids if one in events), 1):
        last = chain.link(last, place, chain.digest(sealing.as_hashed(events[event_id])))
        seals.append({"sequence": place, "event_id": event_id, "hash": last})
    session.execute(insert(AuditSeal), seals)


def changed_payload(session: Session, _app: Flask) -> None:
    session.execute(text("UPDATE audit_content SET payload = '{}'"))


def changed_event(session: Session, _app: Flask) -> None:
    session.execute(text("UPDATE audit_event SET actor = 'nobody'"))
    rehash(session)


def changed_hash(session: Session, _app: Flask) -> None:
    session.execute(text(f"UPDATE audit_seal SET hash = '{'a' * 64}' WHERE sequence = 3"))


def removed_event(session: Session, _app: Flask) -> None:
    event = session.scalars(select(AuditSeal.event_id).where(AuditSeal.sequence == 3)).one()
    session.execute(text("DELETE FROM audit_seal WHERE sequence = 3"))
    for table, column in (("audit_content", "event_id"), ("audit_event", "id")):
        stored = event if on_postgresql(session) else event.replace("-", "")
        session.execute(text(f"DELETE FROM {table} WHERE {column} = :id"), {"id": stored})
    rehash(session)


def inserted_event(session: Session, _app: Flask) -> None:
    values = {**trail.columns(SYSTEM, new_id(), "test.invented"), "at": clock()}
    session.execute(insert(AuditEvent).values(values))
    session.execute(text("UPDATE audit_seal SET sequence = -sequence"))
    session.execute(text("UPDATE audit_seal SET sequence = 10 - sequence"))
    session.execute(insert(AuditSeal).values(sequence=1, event_id=values["id"], hash=""))
    session.execute(text("DELETE FROM audit_waiting"))
    rehash(session)


def swapped_order(session: Session, _app: Flask) -> None:
    for before, after in ((3, -1), (4, 3), (-1, 4)):
        session.execute(text(f"UPDATE audit_seal SET sequence = {after} WHERE sequence = {before}"))


def forged_checkpoint(session: Session, _app: Flask) -> None:
    document = json.loads(session.scalars(select(AuditCheckpoint.document)).one())
    forged = json.dumps({**document, "root": "b" * 64})
    session.execute(text("UPDATE audit_checkpoint SET document = :document"), {"document": forged})


def truncated_tail(session: Session, _app: Flask) -> None:
    """With the checkpoint in the database: the one in the file is left."""
    for table in ("audit_checkpoint", "audit_content", "audit_seal", "audit_event"):
        session.execute(text(f"DELETE FROM {table}"))


def other_key(_session: Session, app: Flask) -> None:
    """Somebody's own key, and a log that it signed: the public key that others know is not theirs."""
    (app.config["SETTINGS"].data_dir / "audit_key").unlink()
    keys.signing_key()


@pytest.mark.parametrize(
    ("tamper", "expected"),
    [
        (changed_payload, "content"),
        (changed_event, "rewritten"),
        (changed_hash, "altered"),
        (removed_event, "truncated"),
        (inserted_event, "rewritten"),
        (swapped_order, "altered"),
        (forged_checkpoint, "forged"),
        (truncated_tail, "truncated"),
        (other_key, "forged"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_tampering_with_the_database_is_found(keeper: Any, app: Flask, tamper: Any, expected: str) -> None:
    keeper.record(6)
    keeper.seal()
    keeper.sign()
    with write_session() as session:
        disarm(session)
        tamper(session, app)
    assert expected in keeper.faults()
    answer = CliRunner().invoke(commands.audit, ["verify"])
    assert answer.exit_code == 1
    assert f"FAULT {expected}: " in answer.stderr


def test_an_event_that_slipped_by_the_sealer_is_found(keeper: Any) -> None:
    keeper.record(2)
    with write_session() as session:
        session.execute(text("DELETE FROM audit_waiting"))
    assert keeper.faults() == {"unsealed"}


# -- taking it elsewhere ----------------------------------------------------------------------------------------------


def test_an_export_and_a_proof_are_checked_by_one_file_that_knows_nothing_of_the_product(
    keeper: Any, tmp_path: Path
) -> None:
    ids = keeper.record(4)
    keeper.seal()
    with read_session() as session, pytest.raises(Conflict):
        verifying.proof(session=session, actor=SYSTEM, event_id=ids[1])
    keeper.sign()
    keeper.record(1)  # waits
    out = tmp_path / "out"
    answer = CliRunner().invoke(commands.audit, ["export", "--out", str(out)])
    assert answer.exit_code == 0, answer.output
    (out / "proof.jsonl").write_text(CliRunner().invoke(commands.audit, ["proof", ids[1]]).stdout)
    assert "Zoë 1" in (out / "proof.jsonl").read_text()
    assert "Zoë 2" not in (out / "proof.jsonl").read_text()
    assert ids[2] not in (out / "proof.jsonl").read_text()
    key = next(iter(keys.known_keys()))

    def check(name: str) -> Any:
        # Isolated: neither this directory nor PYTHONPATH is looked in.
        command = [sys.executable, "-I", str(out / "verify_audit_log.py"), str(out / name), "--key", key]
        return subprocess.run(command, cwd=out, capture_output=True, text=True)

    assert check("audit.jsonl").stdout.startswith("As it was written: 4 events")
    assert check("proof.jsonl").stdout.startswith("As it was written: 3 events")
    for name in ("audit.jsonl", "proof.jsonl"):
        (out / name).write_text((out / name).read_text().replace("test.happened", "test.invented"))
        assert (check(name).returncode, "FAULT altered" in check(name).stdout) == (1, True)


# -- sending ----------------------------------------------------------------------------------------------------------


def test_a_checkpoint_goes_to_where_the_operator_says_and_never_inside(keeper: Any, app: Flask) -> None:
    statuses = [200, 500]
    with receiving(lambda number, _handler: statuses[number - 1]) as receiver:
        closed = replace(app.config["SETTINGS"], checkpoint_url=receiver.url)
        app.config["SETTINGS"] = closed
        keeper.record(1)
        keeper.seal()
        keeper.sign()
        with read_session() as session:
            ref = session.scalars(select(OutboxRow.ref).where(OutboxRow.topic == "audit.checkpoint")).one()
        with pytest.raises(Invalid):
            jobs.post_checkpoint(ref=ref, renew=lambda: None)
        app.config["SETTINGS"] = replace(closed, checkpoint_url=receiver.url.replace("http:", "https:"))
        with pytest.raises(Refused):
            jobs.post_checkpoint(ref=ref, renew=lambda: None)
        assert receiver.came == []
        app.config["SETTINGS"] = replace(closed, webhook_allow="127.0.0.1")
        jobs.post_checkpoint(ref=ref, renew=lambda: None)
        assert chain.is_signed(receiver.bodies()[0])
        with pytest.raises(Unavailable):
            jobs.post_checkpoint(ref=ref, renew=lambda: None)
