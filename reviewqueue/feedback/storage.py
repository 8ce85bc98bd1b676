"""Where the files of exports live: a folder an export, below the data directory."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flask import current_app

from reviewqueue.core.ids import known_id
from reviewqueue.errors import NotFound

_NAME = re.compile(r"[a-z0-9-]+\.(jsonl|csv|json)")


def folder(export_id: str) -> Path:
    path: Path = current_app.config["SETTINGS"].exports_dir / known_id(export_id)
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


class Writer:
    """A file on its way: counts and digests what is written."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")
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
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()

    def give_up(self) -> None:
        self._file.close()


@contextmanager
def writing(export_id: str, name: str) -> Iterator[Writer]:
    """Write under a temporary name; the file appears under its own, whole and on the disk, when the block ends well."""
    target = folder(export_id) / name
    temporary = target.with_name(f"{name}.{os.getpid()}.part")
    writer = Writer(temporary)
    try:
        yield writer
        writer.finish()
        temporary.replace(target)
    except BaseException:
        writer.give_up()
        temporary.unlink(missing_ok=True)
        raise
