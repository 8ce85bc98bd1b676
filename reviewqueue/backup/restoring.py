"""Making an installation of a backup.

All of it happens in a folder beside the data directory, which no command works on, and which takes the data directory's
place by one rename at the end. While it is there nothing starts on the data directory either.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask import Flask

from reviewqueue import __version__, config
from reviewqueue.audit import restoring as audit_restoring
from reviewqueue.audit import verifying
from reviewqueue.backup import copying, manifest
from reviewqueue.backup.manifest import Manifest
from reviewqueue.backup.taking import Progress
from reviewqueue.core import supervisor
from reviewqueue.core.access import Actor
from reviewqueue.core.db import init_app, opened, write_session
from reviewqueue.core.migrations import is_known, migrate_to_newest
from reviewqueue.errors import Conflict, Invalid
from reviewqueue.media.files import remember_names


@dataclass(frozen=True)
class Restored:
    """What was done."""

    manifest: Manifest
    events: int
    """Of the audit log, checked."""
    restores: int
    """How many restores the log told of before this one."""
    before: Path | None
    """Where the installation is that was there before."""


def restore(
    *, actor: Actor, source: Path, target: Path, reason: str, replace: bool = False, despite_faults: bool = False,
    environ: Mapping[str, str] = os.environ, progress: Progress = lambda *_: None,
) -> Restored:  # fmt: skip
    """Make the data directory `target` from the backup in `source`.

    `replace`: an installation that is there is moved aside. Raises `Invalid` for a backup that is not whole, was
    changed, or is of a newer version, and for one whose log has faults unless `despite_faults`; `Conflict` for a
    directory that is not empty, or in use.
    """
    found = manifest.read(source)
    _require_fitting(source, found, environ)
    target = target.expanduser().resolve()
    with _held(target, replace=replace), _workplace(target) as place:
        _copy(source, place, found, progress)
        checked, at = (
            _made_current(actor, place, found, reason, despite_faults, environ) if found.database else (None, "")
        )
        copying.remember(place)
        before = _put_in_place(place, target, at or found.taken_at)
    events, restores = (checked.place, len(checked.restores)) if checked else (0, 0)
    return Restored(found, events, restores, before)


def _require_fitting(source: Path, found: Manifest, environ: Mapping[str, str]) -> None:
    if found.schema is None or not is_known(found.schema):
        raise Invalid(
            f"The backup is of reviewqueue {found.product}, whose schema {found.schema} this version, {__version__}, "
            "does not know. Install that version or a newer one."
        )
    if found.database and environ.get("DATABASE_URL"):
        raise Conflict("The backup has a database of its own, and DATABASE_URL names another. Unset it to restore.")
    strange = manifest.strangers(source, found)
    if strange:
        raise Invalid(f"The backup has {strange[0]!r}, which its manifest does not name. Take it out, or take another.")


@contextmanager
def _held(target: Path, *, replace: bool) -> Iterator[None]:
    """Nobody else runs on the directory that is to be replaced."""
    if not target.exists() or not any(target.iterdir()):
        yield
        return
    if not replace:
        raise Conflict(f"{target} is not empty. Name another --data-dir, or move what is there aside with --replace.")
    lock = supervisor.lock(target)
    try:
        _require_unused(target / manifest.DATABASE)
        yield
    finally:
        lock.close()


def _require_unused(database: Path) -> None:
    if not database.exists():
        return
    try:
        with closing(sqlite3.connect(database, timeout=0, isolation_level=None)) as connection:
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            connection.execute("BEGIN EXCLUSIVE")
            connection.execute("ROLLBACK")
    except sqlite3.OperationalError:
        raise Conflict(f"{database} is in use. Stop every process of the installation first.") from None
    except sqlite3.DatabaseError:
        return  # broken, which may be why there is a restore


@contextmanager
def _workplace(target: Path) -> Iterator[Path]:
    place = config.restore_place(target)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.mkdir(mode=0o700, exist_ok=True)
    descriptor = os.open(place, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Conflict(f"Another restore into {target} is under way.") from None
        copying.clear(place)
        yield place
    except Exception:
        # Of a restore that was refused nothing is left; of one that was killed, what says so.
        _remove_own(place, descriptor)
        raise
    finally:
        os.close(descriptor)


def _remove_own(place: Path, descriptor: int) -> None:
    if place.exists() and os.path.samestat(place.stat(), os.fstat(descriptor)):
        copying.clear(place)
        place.rmdir()


def _copy(source: Path, place: Path, found: Manifest, progress: Progress) -> None:
    """Every file, each held against its digest as it is read: nothing is put in place before all agree."""
    done = 0
    for file in found.files:
        origin = source / file.path
        if origin.is_symlink() or not origin.is_file():
            raise Invalid(f"The backup lacks {file.path}.")
        if copying.copied(origin, place, file.path) != file:
            raise Invalid(f"{origin} is not as it was written: its digest is another. Nothing was restored.")
        done += file.bytes
        progress("files", done, found.bytes)


def _made_current(
    actor: Actor, place: Path, found: Manifest, reason: str, despite_faults: bool, environ: Mapping[str, str]
) -> tuple[Any, str]:
    """Bring the schema forward, check database and log, and have the log say that it was restored."""
    own = {
        **environ,
        "DATABASE_URL": "",
        "REVIEWQUEUE_SECRET_KEY": environ.get("REVIEWQUEUE_SECRET_KEY") or "restoring",
    }
    settings = config.load(own, data_dir=place, restoring=True)
    app = Flask("restore")
    app.config["SETTINGS"] = settings
    init_app(app, settings)
    with opened(app):
        _require_sound(place / manifest.DATABASE, found)
        migrate_to_newest()
        checker, _ = verifying.verify(actor=actor)
        if checker.faults and not despite_faults:
            raise Invalid(
                f"The backup's audit log has faults: {checker.faults[0].detail} Take an earlier backup, or restore "
                "it as it is with --despite-faults."
            )
        with write_session() as session:
            done = audit_restoring.record(session=session, actor=actor, reason=reason, backup=found.id)
    with closing(sqlite3.connect(place / manifest.DATABASE)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return checker, done.at.strftime("%Y%m%dT%H%M%S")


def _require_sound(database: Path, found: Manifest) -> None:
    try:
        with closing(sqlite3.connect(database)) as connection:
            said = connection.execute("PRAGMA integrity_check").fetchone()[0]
            broken = connection.execute("PRAGMA foreign_key_check").fetchone()
            (schema,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.DatabaseError as error:
        raise Invalid(f"The backup's database is not sound: {error}.") from None
    if said != "ok" or broken is not None or schema != found.schema:
        raise Invalid(f"The backup's database is not sound: {said if said != 'ok' else broken or schema}.")


def _put_in_place(place: Path, target: Path, stamp: str) -> Path | None:
    before = None
    if target.exists():
        if any(target.iterdir()):
            before = target.with_name(f"{target.name}.before-{stamp}")
            target.rename(before)
        else:
            target.rmdir()
    try:
        place.rename(target)
    except OSError:
        if before is not None:
            before.rename(target)
        raise
    copying.remember(target)
    remember_names(target.parent)
    return before
