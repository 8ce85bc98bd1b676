"""Where the files of exports live: a folder an export, below the data directory."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from flask import current_app

from reviewqueue.core.ids import known_id, new_id
from reviewqueue.errors import NotFound

_NAME = re.compile(r"[a-z0-9-]+\.(jsonl|csv|json)")


def _root() -> Path:
    path: Path = current_app.config["SETTINGS"].exports_dir
    return path


def _path(export_id: str) -> Path:
    return _root() / known_id(export_id)


def folder(export_id: str) -> Path:
    path = _path(export_id)
    path.mkdir(parents=True, exist_ok=True)
    return path


def path_of(export_id: str, name: str) -> Path:
    """The file, if it is there. Raises `NotFound` for any other name, whatever it is made of."""
    if not _NAME.fullmatch(name):
        raise NotFound
    path = folder(export_id) / name
    if not path.is_file():
        raise NotFound
    return path


def remove(export_id: str) -> None:
    """All files of an export; none is no fault."""
    shutil.rmtree(_path(export_id), ignore_errors=True)


def remove_leftovers(before: datetime) -> int:
    """Half-written files that nobody has written to since: those of a process that was killed. Returns how many."""
    removed = 0
    for part in _root().glob("*/*.part"):
        # One may be published, and so renamed, at this moment.
        with suppress(FileNotFoundError):
            if part.stat().st_mtime < before.timestamp():
                part.unlink()
                removed += 1
    return removed


class Writer:
    """A file on its way: counts and digests what is written, and appears under its own name when published."""

    def __init__(self, target: Path) -> None:
        self._target = target
        # Two jobs may write the same file at once, on two machines.
        self._temporary = target.with_name(f"{target.name}.{new_id()}.part")
        self._file = self._temporary.open("wb")
        self._digest = hashlib.sha256()
        self.bytes = 0

    def write(self, data: bytes) -> None:
        self._file.write(data)
        self._digest.update(data)
        self.bytes += len(data)

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    def finish(self) -> None:
        """Have it whole on the disk, under its temporary name."""
        if not self._file.closed:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()

    def publish(self) -> None:
        """Give it its name."""
        self.finish()
        self._temporary.replace(self._target)

    def discard(self) -> None:
        """Throw away what was not published."""
        self._file.close()
        self._temporary.unlink(missing_ok=True)


@contextmanager
def writing(export_id: str, name: str) -> Iterator[Writer]:
    """A file to write and publish; nothing of it stays when the block ends without."""
    writer = Writer(folder(export_id) / name)
    try:
        yield writer
    finally:
        writer.discard()
