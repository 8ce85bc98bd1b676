"""Taking a backup of a running installation.

In this order, so that what the copy of the database names is in the backup, and nothing in it is ahead of that copy:
the file of checkpoints; the files of media and exports that are there; the database, as one state of it; the files that
came meanwhile; the keys. A file stands on the disk before the row that names it is committed, and stays for an hour
after it came, at least: so whatever the copy names was there either at the first look or at the second.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alembic.runtime.migration import MigrationContext
from flask import current_app
from sqlalchemy import create_engine, select
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from reviewqueue import __version__
from reviewqueue.audit import sealing, verifying
from reviewqueue.backup import copying, manifest
from reviewqueue.backup.manifest import File, Manifest
from reviewqueue.config import Settings
from reviewqueue.core import trail
from reviewqueue.core.access import Action, Actor, require
from reviewqueue.core.db import database_now, db, read_session, write_session
from reviewqueue.core.ids import new_id
from reviewqueue.errors import Conflict, Invalid, Unavailable
from reviewqueue.media.files import remember_names
from reviewqueue.models import DatasetVersion, Media
from reviewqueue.models.states import ExportState, MediaState

Progress = Callable[[str, int, int], Any]
"""Is told what is done, how much of it is, and how much there is."""


@dataclass(frozen=True)
class Named:
    """Which files a state of the database names."""

    media: frozenset[str]
    exports: frozenset[str]


def take(*, actor: Actor, folder: Path, progress: Progress = lambda *_: None) -> Manifest:
    """Write a backup to `folder`, which appears whole or not at all.

    Records the event `backup.taken`, which is in the backup, too. Raises `Forbidden`, `Invalid` for a folder within the
    data directory, and `Conflict` for one that is there already.
    """
    require(actor, Action.BACK_UP)
    settings: Settings = current_app.config["SETTINGS"]
    if folder.resolve().is_relative_to(settings.data_dir):
        raise Invalid(f"{folder} is within the data directory: a backup belongs elsewhere, best on another machine.")
    if folder.exists():
        raise Conflict(f"{folder} is there already. Name a new folder: a backup is never written over another.")
    backup_id = new_id()
    with write_session() as session:
        trail.record(session, actor, "backup.taken", subject=backup_id)
        # The database's clock, and the time of that event.
        taken_at = sealing.exact(database_now(session))
    with _unfinished(folder) as partial:
        found = _filled(settings, partial, backup_id, taken_at, progress)
        copying.written(partial, manifest.NAME, manifest.dumped(found))
        copying.remember(partial)
        partial.rename(folder)
        remember_names(folder.parent)
    return found


@contextmanager
def _unfinished(folder: Path) -> Iterator[Path]:
    """A folder beside the backup's place, under a name that no backup has. What one that was killed left goes first."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = folder.with_name(f".{folder.name}.partial")
    partial.mkdir(mode=0o700, exist_ok=True)
    descriptor = os.open(partial, os.O_RDONLY)
    try:
        _alone(descriptor, folder)
        copying.clear(partial)
        yield partial
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    finally:
        os.close(descriptor)


def _alone(descriptor: int, folder: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise Conflict(f"Another backup is being written to {folder}.") from None


def _filled(settings: Settings, partial: Path, backup_id: str, taken_at: str, progress: Progress) -> Manifest:
    data = settings.data_dir
    files: dict[str, File] = {}
    _keep_checkpoints(data / manifest.CHECKPOINTS, partial, files)
    with read_session() as session:
        before, _, _ = _seen(session)
    _keep_all(data, partial, files, _files_of(settings, before), progress)
    if settings.is_sqlite:
        progress("database", 0, 1)
        _copy_sqlite(partial / manifest.DATABASE)
        files[manifest.DATABASE] = copying.looked_at(partial, manifest.DATABASE)
        progress("database", 1, 1)
        named, schema, audit = _seen_in(partial / manifest.DATABASE)
    else:
        with read_session() as session:
            named, schema, audit = _seen(session)
    wanted = set(_files_of(settings, named))
    _keep_all(data, partial, files, wanted, progress)
    _drop(partial, files, {path for path in files if path.startswith(("media/", "exports/"))} - wanted)
    for name in manifest.KEYS:
        if (data / name).is_file():
            files[name] = copying.copied(data / name, partial, name)
    return Manifest(
        id=backup_id, taken_at=taken_at, product=__version__, schema=schema, audit=audit,
        database=manifest.DATABASE if settings.is_sqlite else None,
        files=sorted(files.values(), key=lambda file: file.path), missing=_missing(named, files, settings),
        elsewhere=_elsewhere(settings),
    )  # fmt: skip


def _keep_checkpoints(source: Path, partial: Path, files: dict[str, File]) -> None:
    """Whole lines: another process may be writing one."""
    if source.is_file():
        whole = source.read_bytes().rfind(b"\n") + 1
        files[manifest.CHECKPOINTS] = copying.copied(source, partial, manifest.CHECKPOINTS, most=whole)


def _keep_all(data: Path, partial: Path, files: dict[str, File], wanted: Iterable[str], progress: Progress) -> None:
    new = sorted(set(wanted) - files.keys())
    for done, path in enumerate(new, 1):
        try:
            files[path] = copying.copied(data / path, partial, path)
        except FileNotFoundError:
            continue  # gone meanwhile, and then no longer named; or lost, and then told
        progress("files", done, len(new))


def _drop(partial: Path, files: dict[str, File], unnamed: set[str]) -> None:
    """What was forgotten or erased meanwhile is in no backup."""
    for path in unnamed:
        (partial / path).unlink()
        del files[path]


def _files_of(settings: Settings, named: Named) -> Iterator[str]:
    for sha256 in named.media:
        if (settings.media_dir / sha256[:2] / sha256).is_file():
            yield f"media/{sha256[:2]}/{sha256}"
    if settings.exports_url:
        return
    for export_id in named.exports:
        folder = settings.exports_dir / export_id
        for path in folder.rglob("*"):
            if path.is_file() and path.suffix != ".part":
                yield f"exports/{export_id}/{path.relative_to(folder).as_posix()}"


def _missing(named: Named, files: dict[str, File], settings: Settings) -> list[str]:
    media = (f"media/{sha256[:2]}/{sha256}" for sha256 in named.media)
    lost = [path for path in media if path not in files or not path.endswith(files[path].sha256)]
    if not settings.exports_url:
        have = {path.split("/")[1] for path in files if path.startswith("exports/")}
        lost += [f"exports/{export_id}" for export_id in named.exports - have]
    return sorted(lost)


def _elsewhere(settings: Settings) -> list[str]:
    found = []
    if not settings.is_sqlite:
        found.append("the database: keep it by its server's means")
    if settings.exports_url:
        found.append(f"the files of exports, in {settings.exports_url}")
    if not (settings.data_dir / "secret_key").is_file():
        found.append("REVIEWQUEUE_SECRET_KEY, which is in the environment")
    return found


# -- what a database names --------------------------------------------------------------------------------------------


def _copy_sqlite(target: Path) -> None:
    """One state of the database, written by it as a file of its own; writers go on meanwhile."""
    source = Path(str(db.engine.url.database))
    try:
        with closing(sqlite3.connect(source, timeout=30, isolation_level=None)) as connection:
            connection.execute("VACUUM INTO ?", (str(target),))
    except sqlite3.DatabaseError as error:
        raise Unavailable(f"The database cannot be copied: {error}.") from None


def _seen_in(copy: Path) -> tuple[Named, str | None, dict[str, Any]]:
    engine = create_engine(f"sqlite:///{copy}", poolclass=NullPool)
    with Session(engine) as session:
        return _seen(session)


def _seen(session: Session) -> tuple[Named, str | None, dict[str, Any]]:
    """Which files the database names, its schema, and how far the log has come."""
    media = session.scalars(select(Media.sha256).where(Media.state == MediaState.READY).distinct())
    exports = session.scalars(select(DatasetVersion.id).where(DatasetVersion.state == ExportState.READY))
    named = Named(frozenset(filter(None, media)), frozenset(exports))
    schema = MigrationContext.configure(session.connection()).get_current_revision()
    events, root = sealing.head(session)
    return named, schema, {"events": events, "root": root, "waiting": verifying.waiting_count(session)}
