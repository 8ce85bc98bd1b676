"""What a backup holds, what a restore refuses, and what the log says of it afterwards."""

from __future__ import annotations

import json
import sqlite3
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from flask import Flask
from flask_migrate import upgrade
from sqlalchemy import delete, insert, select, text

from reviewqueue import config
from reviewqueue.accounts import sessions
from reviewqueue.audit import chain, commands, sealing, verifying
from reviewqueue.audit import restoring as log_restoring
from reviewqueue.backup import copying, manifest, taking
from reviewqueue.core import supervisor, trail
from reviewqueue.core.access import SYSTEM
from reviewqueue.core.db import clock, on_postgresql, read_session, write_session
from reviewqueue.core.ids import new_id
from reviewqueue.core.migrations import is_current
from reviewqueue.errors import Conflict, Error, Forbidden, Invalid, Unavailable
from reviewqueue.models import AuditEvent, Media, WebSession
from tests.audit.conftest import Keeper
from tests.backup.conftest import add_media, opened, restore
from tests.fixtures import installation
from tests.fixtures.people import OPERATOR, Cast

SQLITE = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
Take = Callable[..., Path]


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# -- taking -----------------------------------------------------------------------------------------------------------


@SQLITE
def test_a_backup_has_what_the_database_names_and_is_its_owners_alone(full: Flask, take: Take) -> None:
    folder = take()
    found = manifest.read(folder)
    data = full.config["SETTINGS"].data_dir
    paths = {file.path for file in found.files}
    assert {"reviewqueue.db", "audit_key", "audit_checkpoints.jsonl"} < paths
    assert sum(path.startswith("media/") for path in paths) == 3
    assert sum(path.startswith("exports/") for path in paths) == 2, "and nothing that is half written"
    assert (found.missing, found.audit["events"], found.audit["waiting"]) == ([], 5 + _events_of_the_cast(full), 1)
    assert found.elsewhere == ["REVIEWQUEUE_SECRET_KEY, which is in the environment"]
    assert (folder / "audit_key").read_bytes() == (data / "audit_key").read_bytes()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE((folder / path).stat().st_mode) for path in paths} == {0o600}


def _events_of_the_cast(app: Flask) -> int:
    with app.app_context(), read_session() as session:
        return sealing.head(session)[0] - 5


@SQLITE
def test_what_was_erased_is_in_no_backup_and_what_was_lost_is_named(
    full: Flask, cast: Cast, take: Take, tmp_path: Path
) -> None:
    gone, lost = add_media(full, cast.queue_id, 2)
    media = full.config["SETTINGS"].media_dir
    with full.app_context(), write_session() as session:
        session.execute(delete(Media).where(Media.sha256 == gone))
    (media / lost[:2] / lost).unlink()
    found = manifest.read(take())
    assert (media / gone[:2] / gone).exists()
    assert f"media/{gone[:2]}/{gone}" not in {file.path for file in found.files}
    assert found.missing == [f"media/{lost[:2]}/{lost}"]
    # One whose bytes are no longer what its name says is as good as lost.
    (media / lost[:2] / lost).write_bytes(b"rotten")
    assert manifest.read(take("second")).missing == found.missing


@SQLITE
def test_what_comes_while_the_database_is_copied_is_in_the_backup_and_what_goes_is_not(
    full: Flask, cast: Cast, take: Take, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, late = taking._copy_sqlite, []
    (gone,) = add_media(full, cast.queue_id, 1)

    def later(target: Path) -> None:
        late.extend(add_media(full, cast.queue_id, 5)[3:])
        with full.app_context(), write_session() as session:
            session.execute(delete(Media).where(Media.sha256 == gone))
        real(target)

    monkeypatch.setattr(taking, "_copy_sqlite", later)
    found = manifest.read(take())
    paths = {file.path for file in found.files}
    assert {f"media/{one[:2]}/{one}" for one in late} <= paths
    assert f"media/{gone[:2]}/{gone}" not in paths
    assert not (tmp_path / "backup" / "media" / gone[:2] / gone).exists()
    assert found.missing == []


@SQLITE
def test_a_backup_is_never_written_over_another_nor_into_the_installation(full: Flask, take: Take) -> None:
    take()
    before = files_of(take("other"))
    with pytest.raises(Conflict, match="is there already"):
        take("other")
    with pytest.raises(Invalid, match="within the data directory"):
        take("data/backup")
    assert files_of(take("third")).keys() == before.keys()


def test_taking_one_is_for_operators(app: Flask, cast: Cast, tmp_path: Path) -> None:
    for nobody in (cast.auditor, cast.bob, cast.alice):
        with app.app_context(), pytest.raises(Forbidden):
            taking.take(actor=nobody.actor, folder=tmp_path / "backup")


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_of_a_servers_database_the_files_are_kept_and_the_rest_is_said(full: Flask, take: Take, tmp_path: Path) -> None:
    found = manifest.read(take())
    assert found.database is None
    assert found.elsewhere[0] == "the database: keep it by its server's means"
    assert {file.path.split("/")[0] for file in found.files} == {
        "media", "exports", "audit_key", "audit_checkpoints.jsonl",
    }  # fmt: skip
    done = restore(tmp_path / "backup", tmp_path / "again", environ={"DATABASE_URL": "postgresql://elsewhere/db"})
    assert done.events == 0
    assert files_of(tmp_path / "again").keys() == {file.path for file in found.files}


# -- restoring --------------------------------------------------------------------------------------------------------


@SQLITE
def test_a_restored_installation_has_all_its_files_and_its_log_verifies(
    full: Flask, take: Take, tmp_path: Path, cast: Cast
) -> None:
    with full.app_context(), write_session() as session:
        sessions.begin(session=session, person_id=cast.alice.id, user_agent="x", hours=1)
    source, target = take(), tmp_path / "again"
    done = restore(source, target)
    assert (done.restores, done.before) == (0, None)
    theirs, ours = files_of(source), files_of(target)
    del theirs["manifest.json"]
    assert ours.keys() - {"reviewqueue.db-shm", "reviewqueue.db-wal"} == theirs.keys()
    assert all(ours[path] == theirs[path] for path in theirs if path != "reviewqueue.db")
    with opened(target) as app, app.app_context():
        keeper = Keeper()
        assert keeper.faults() == set()
        keeper.seal()
        keeper.sign()
        assert keeper.faults() == set()
        with read_session() as session:
            event = session.scalars(select(AuditEvent).where(AuditEvent.action == chain.RESTORED)).one()
            assert json.loads(event.facts)["events"] == manifest.read(source).audit["events"]
            assert event.subject == manifest.read(source).id
            assert session.scalars(select(WebSession.id)).all() == [], "who signed out since would be signed in again"


@SQLITE
def test_a_changed_byte_in_any_file_is_refused(full: Flask, take: Take, tmp_path: Path) -> None:
    source, target = take(), tmp_path / "again"
    for path, data in files_of(source).items():
        for place in (0, len(data) // 2, len(data) - 1):
            changed = bytearray(data)
            changed[place] ^= 1
            (source / path).write_bytes(changed)
            with pytest.raises(Invalid):
                restore(source, target)
            assert not target.exists(), path
            assert not config.restore_place(target).exists()
        (source / path).write_bytes(data)
    media = next(path for path in files_of(source) if path.startswith("media/"))
    data = (source / media).read_bytes()
    (source / media).unlink()
    with pytest.raises(Invalid, match="lacks media/"):
        restore(source, target)
    (source / media).symlink_to(tmp_path / "data" / media)
    with pytest.raises(Invalid, match="lacks media/"):
        restore(source, target)
    (source / media).unlink()
    (source / media).write_bytes(data)
    (source / "more").touch()
    with pytest.raises(Invalid, match="'more'"):
        restore(source, target)
    (source / "more").unlink()
    restore(source, target)


@SQLITE
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"schema": "9999"}, "does not know"),
        ({"schema": None}, "does not know"),
        ({"files": [manifest.File("../../etc/passwd", 1, "0" * 64)]}, "no file of an installation"),
        ({"files": [manifest.File("/etc/passwd", 1, "0" * 64)]}, "no file of an installation"),
    ],
)
def test_a_manifest_of_a_newer_version_or_with_strange_names_is_refused(
    full: Flask, take: Take, tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    source = take()
    forged = replace(manifest.read(source), **changes)
    (source / manifest.NAME).write_text(manifest.dumped(forged))
    with pytest.raises(Invalid, match=said):
        restore(source, tmp_path / "again")
    assert not (tmp_path / "again").exists()


@SQLITE
def test_a_database_that_was_broken_before_it_was_backed_up_is_refused_and_nothing_stays(
    full: Flask, take: Take, tmp_path: Path
) -> None:
    source = take()
    whole = (source / manifest.DATABASE).read_bytes()
    (source / manifest.DATABASE).write_bytes(whole[: len(whole) // 2])
    found = manifest.read(source)
    files = [copying.looked_at(source, file.path) for file in found.files]
    (source / manifest.NAME).write_text(manifest.dumped(replace(found, files=files)))
    with pytest.raises(Invalid, match="not sound"):
        restore(source, tmp_path / "again")
    assert not (tmp_path / "again").exists()
    assert not config.restore_place(tmp_path / "again").exists()
    with full.app_context():
        installation.dispose()
        (tmp_path / "data" / manifest.DATABASE).write_bytes(b"no database at all" * 500)
        with pytest.raises(Unavailable, match="cannot be copied"):
            taking._copy_sqlite(tmp_path / "copy")


@SQLITE
def test_what_is_there_is_kept_unless_it_is_to_be_replaced(full: Flask, take: Take, tmp_path: Path) -> None:
    source, target = take(), tmp_path / "data"
    with pytest.raises(Conflict, match="is not empty"):
        restore(source, target)
    held = supervisor.lock(target)
    with pytest.raises(Conflict, match="already runs"):
        restore(source, target, replace=True)
    held.close()
    reader = sqlite3.connect(target / "reviewqueue.db")
    reader.execute("SELECT count(*) FROM item").fetchone()
    with pytest.raises(Conflict, match="in use"):
        restore(source, target, replace=True)
    reader.close()
    with full.app_context():
        installation.dispose()
    (target / "mine").write_text("notes")
    done = restore(source, target, replace=True)
    assert done.before is not None
    assert (done.before / "mine").read_text() == "notes"
    assert not (target / "mine").exists()
    with pytest.raises(Conflict, match="DATABASE_URL"):
        restore(source, tmp_path / "again", environ={"DATABASE_URL": "postgresql://x/y"})


@SQLITE
def test_a_backup_of_an_older_schema_is_brought_forward(tmp_path: Path, cast: Cast) -> None:
    (tmp_path / "old").mkdir()
    old = config.load(installation.environment(tmp_path / "old"))
    app = installation.bare_app(old)
    app.config["SETTINGS"] = old
    with app.app_context():
        upgrade(directory=app.extensions["migrate"].directory, revision="0020")
        found = taking.take(actor=OPERATOR, folder=tmp_path / "backup")
        installation.dispose()
    assert found.schema == "0020"
    restore(tmp_path / "backup", tmp_path / "again")
    with opened(tmp_path / "again") as app, app.app_context():
        assert is_current()
        assert Keeper().faults() == set()


@SQLITE
def test_a_log_with_faults_is_restored_only_when_told_to(full: Flask, take: Take, tmp_path: Path) -> None:
    with full.app_context(), write_session() as session:
        session.execute(text("DROP TRIGGER audit_event_waits"))
        session.execute(insert(AuditEvent).values(**trail.columns(SYSTEM, new_id(), "test.invented"), at=clock()))
    source = take()
    with pytest.raises(Invalid, match="audit log has faults"):
        restore(source, tmp_path / "again")
    assert not (tmp_path / "again").exists()
    restore(source, tmp_path / "again", despite_faults=True)


@SQLITE
def test_nothing_starts_where_a_restore_broke_off(full: Flask, take: Take, tmp_path: Path) -> None:
    source, target = take(), tmp_path / "again"

    class Killed(BaseException):
        pass

    def die(what: str, done: int, total: int) -> None:
        raise Killed

    with pytest.raises(Killed):
        restore(source, target, progress=die)
    for place in (target, config.restore_place(target)):
        with pytest.raises(config.RestoreUnfinished, match="has not ended"):
            config.load(installation.environment(place))
    restore(source, target)
    config.load(installation.environment(target))


# -- what the log says of it ------------------------------------------------------------------------------------------


@SQLITE
def test_checkpoints_that_others_kept_tell_what_a_restore_lost(full: Flask, take: Take, tmp_path: Path) -> None:
    source, keeper = take(), Keeper()
    with full.app_context():
        for _ in range(2):
            keeper.record(30)
            keeper.seal()
            keeper.sign()
        kept = (tmp_path / "data" / "audit_checkpoints.jsonl").read_text()
    own = chain.checkpoints_in(kept)
    restore(source, tmp_path / "again")
    with opened(tmp_path / "again"):
        for _ in range(2):
            # As soon as it is restored, and when the log is as long again as it was.
            checker, _ = verifying.verify(actor=SYSTEM, own=own)
            assert [fault.kind for fault in checker.faults] == ["restored", "restored"]
            keeper.record(80)
            keeper.seal()
            keeper.sign()
        event = checker.restores[0].event_id
        (tmp_path / "kept.jsonl").write_text(kept)
        verify = ["verify", "--checkpoints", str(tmp_path / "kept.jsonl")]
        answer = CliRunner().invoke(commands.audit, verify)
        assert answer.exit_code == 1
        assert "FAULT restored: At 20" in answer.stderr
        assert f"(event {event})" in answer.stderr
        known = CliRunner().invoke(commands.audit, [*verify, "--restored", event])
        assert known.exit_code == 0
        assert "NOTE At 20" in known.stdout, "it is said whether or not anybody asks"
        export = CliRunner().invoke(commands.audit, ["export", "--out", str(tmp_path / "out")])
        assert export.exit_code == 0
        offline = [str(tmp_path / "out" / "audit.jsonl"), "--checkpoints", str(tmp_path / "kept.jsonl")]
        assert chain.main(offline) == 1
        assert chain.main([*offline, "--restored", event]) == 0


def test_a_log_that_was_cut_off_does_not_verify_by_saying_that_it_was_restored(app: Flask) -> None:
    with app.app_context():
        keeper = Keeper()
        for _ in range(2):
            keeper.record(5)
            keeper.seal()
            keeper.sign()
        _go_back(5)
        with write_session() as session:
            log_restoring.record(session=session, actor=OPERATOR, reason="So it seems")
        keeper.seal()
        assert keeper.faults() == {"restored"}
        keeper.record(30)
        keeper.seal()
        assert keeper.faults() == {"restored"}


def test_a_database_server_that_went_back_is_said_to_be_restored(app: Flask, tmp_path: Path) -> None:
    with app.app_context():
        keeper = Keeper()
        for _ in range(2):
            keeper.record(5)
            keeper.seal()
            keeper.sign()
        _go_back(5)
        assert keeper.faults() == {"truncated"}
        answer = CliRunner().invoke(commands.audit, ["restored", "--reason", "Back to before the mistake"])
        assert answer.exit_code == 0, answer.output
        assert "restored with 5 events" in answer.stdout
        lost = tmp_path / "data" / "audit_checkpoints_lost.jsonl"
        assert [one["size"] for one in chain.checkpoints_in(lost.read_text())] == [10]
        assert keeper.faults() == set()
        keeper.seal()
        keeper.sign()
        assert keeper.faults() == set()
        with pytest.raises(Error):
            log_restoring.record(session=None, actor=OPERATOR, reason=" ")  # type: ignore[arg-type]


def _go_back(events: int) -> None:
    """As the database was when it had so many: nothing of its log after that, and no checkpoint."""
    with write_session() as session:
        if on_postgresql(session):
            for name in ("audit_event", "audit_seal", "audit_content", "audit_checkpoint"):
                session.execute(text(f"ALTER TABLE {name} DISABLE TRIGGER ALL"))
        else:
            for name in session.scalars(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).all():
                if not name.endswith("waits"):
                    session.execute(text(f"DROP TRIGGER {name}"))
        later = "(SELECT event_id FROM audit_seal WHERE sequence > :events)"
        session.execute(text(f"DELETE FROM audit_content WHERE event_id IN {later}"), {"events": events})
        ids = session.scalars(
            text("SELECT event_id FROM audit_seal WHERE sequence > :events"), {"events": events}
        ).all()
        session.execute(text("DELETE FROM audit_seal WHERE sequence > :events"), {"events": events})
        for event_id in ids:
            session.execute(text("DELETE FROM audit_event WHERE id = :id"), {"id": event_id})
        session.execute(text("DELETE FROM audit_checkpoint WHERE size > :events"), {"events": events})
        if on_postgresql(session):
            for name in ("audit_event", "audit_seal", "audit_content", "audit_checkpoint"):
                session.execute(text(f"ALTER TABLE {name} ENABLE TRIGGER ALL"))
