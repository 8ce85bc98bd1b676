"""Where the files of media live: each once, named by the SHA-256 of its content, below the data directory."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from flask import current_app

from reviewqueue.core.ids import new_id
from reviewqueue.errors import NotFound

FOLDERS = 256


def _path(sha256: str) -> Path:
    folder: Path = current_app.config["SETTINGS"].media_dir
    return folder / sha256[:2] / sha256


@contextmanager
def _alone() -> Iterator[None]:
    """Nobody else, of any process, keeps or removes at this moment. Held for a rename, never for a write."""
    folder: Path = current_app.config["SETTINGS"].media_dir
    folder.mkdir(parents=True, exist_ok=True)
    # Open for writing: a network file system locks nothing else.
    with (folder / ".lock").open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def keep(data: bytes) -> str:
    """Have `data` whole on the disk, also after a loss of power; its SHA-256. What is there already is not written
    again."""
    sha256 = hashlib.sha256(data).hexdigest()
    path = _path(sha256)
    if not _kept_again(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f"{sha256}.{new_id()}.part")
        try:
            with temporary.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            with _alone():
                temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    # Also of what was there: whoever renamed it may not have come so far. The folder's name stands in the one above.
    remember_names(path.parent)
    remember_names(path.parent.parent)
    return sha256


def _kept_again(path: Path) -> bool:
    """Whether it is there; then whoever forgets an older upload of it sees that it is wanted again."""
    with _alone(), suppress(FileNotFoundError):
        os.utime(path)
        return True
    return False


def remember_names(folder: str | Path) -> None:
    """Have the disk know the names in the folder: a file's own fsync does not."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def path_of(sha256: str) -> Path:
    """The file. Raises `NotFound` where it is not."""
    path = _path(sha256)
    if not path.is_file():
        raise NotFound
    return path


def kept_in(number: int, *, kept_before: datetime) -> Iterator[str]:
    """Names in one of the folders, from 0 to `FOLDERS`, of what was kept before that moment: hashes, and what a process
    that was killed left half written."""
    folder: Path = current_app.config["SETTINGS"].media_dir / f"{number:02x}"
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):
                if entry.stat().st_mtime < kept_before.timestamp():
                    yield entry.name


def remove(name: str, *, kept_before: datetime) -> bool:
    """Whether it was there, and was kept before that moment: then it is there no more."""
    path = _path(name)
    with _alone(), suppress(FileNotFoundError):
        if path.stat().st_mtime < kept_before.timestamp():
            path.unlink()
            return True
    return False
