"""Where the files of exports live: a folder an export, below the data directory or in a bucket of S3.

A file appears under its name whole, or not at all: on the disk by being renamed, in a bucket by the end of a multipart
upload.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from flask import current_app

from reviewqueue.core.ids import known_id, new_id
from reviewqueue.errors import NotFound

NAME = re.compile(r"(?:data/)?[A-Za-z0-9_-]+\.(?:jsonl|csv|json|parquet|md|txt)")
CHUNK = 1 << 20
PART = 8 << 20
"""Bytes of one part of a multipart upload."""


def _root() -> Path:
    path: Path = current_app.config["SETTINGS"].exports_dir
    return path


def _path(export_id: str) -> Path:
    return _root() / known_id(export_id)


def folder(export_id: str) -> Path:
    path = _path(export_id)
    path.mkdir(parents=True, exist_ok=True)
    return path


def _bucket() -> str:
    """`s3://bucket/prefix`; empty where files live on the disk."""
    found: str = current_app.config["SETTINGS"].exports_url
    return found


def _key(export_id: str, name: str = "") -> str:
    return f"{_bucket()}/{known_id(export_id)}/{name}".removeprefix("s3://")


def _s3() -> Any:
    """The bucket's file system. Credentials are those of the AWS environment."""
    import s3fs

    return s3fs.S3FileSystem(use_listings_cache=False)


# -- reading ----------------------------------------------------------------------------------------------------------


@contextmanager
def opened(export_id: str, name: str) -> Iterator[Any]:
    """The file, to read. Raises `NotFound` where it is not, and for any name that no export gives."""
    file, _ = open_file(export_id, name)
    with file:
        yield file


def open_file(export_id: str, name: str) -> tuple[Any, int]:
    """The file, to read and to close, and its length. Raises `NotFound`."""
    if not NAME.fullmatch(name):
        raise NotFound
    try:
        if _bucket():
            file = _s3().open(_key(export_id, name), "rb", block_size=CHUNK)
            return file, int(file.size)
        path = _path(export_id) / name
        return path.open("rb"), path.stat().st_size
    except FileNotFoundError:
        raise NotFound from None


def lines(export_id: str, name: str) -> Iterator[bytes]:
    """Its lines."""
    with opened(export_id, name) as file:
        yield from file


def digest(export_id: str, names: list[str]) -> str:
    """SHA-256 of the files, one after the other."""
    found = hashlib.sha256()
    for name in names:
        with opened(export_id, name) as file:
            while piece := file.read(CHUNK):
                found.update(piece)
    return found.hexdigest()


# -- deleting ---------------------------------------------------------------------------------------------------------


def remove(export_id: str) -> None:
    """All files of an export; none is no fault."""
    if _bucket():
        with suppress(FileNotFoundError):
            _s3().rm(_key(export_id), recursive=True)
    else:
        shutil.rmtree(_path(export_id), ignore_errors=True)


def remove_leftovers(before: datetime) -> int:
    """Half-written files that nobody has written to since: those of a process that was killed. Returns how many."""
    removed = 0
    for pattern in ("*/*.part", "*/data/*.part"):
        for part in _root().glob(pattern):
            # One may be published, and so renamed, at this moment.
            with suppress(FileNotFoundError):
                if part.stat().st_mtime < before.timestamp():
                    part.unlink()
                    removed += 1
    return removed


# -- writing ----------------------------------------------------------------------------------------------------------


class _Place(Protocol):
    """Where a file on its way is."""

    def write(self, data: bytes) -> Any: ...
    def finish(self) -> None: ...
    def publish(self) -> None: ...
    def discard(self) -> None: ...


class Writer:
    """A file on its way: counts and digests what is written, and appears under its own name when published."""

    def __init__(self, place: _Place) -> None:
        self._place = place
        self._digest = hashlib.sha256()
        self.bytes = 0

    def write(self, data: bytes) -> None:
        self._place.write(data)
        self._digest.update(data)
        self.bytes += len(data)

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    def finish(self) -> None:
        """Have it whole where it will be, without its name."""
        self._place.finish()

    def publish(self) -> None:
        """Give it its name."""
        self._place.finish()
        self._place.publish()

    def discard(self) -> None:
        """Throw away what was not published."""
        self._place.discard()


class _OnDisk:
    def __init__(self, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        self._target = target
        # Two jobs may write the same file at once, on two machines.
        self._temporary = target.with_name(f"{target.name}.{new_id()}.part")
        self._file = self._temporary.open("wb")
        self.write = self._file.write

    def finish(self) -> None:
        if not self._file.closed:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()

    def publish(self) -> None:
        self._temporary.replace(self._target)

    def discard(self) -> None:
        self._file.close()
        self._temporary.unlink(missing_ok=True)


class _InBucket:
    """A multipart upload, which nobody sees until it is completed."""

    def __init__(self, key: str) -> None:
        self._file = _s3().open(key, "wb", autocommit=False, block_size=PART)
        self._published = False
        self.write = self._file.write

    def finish(self) -> None:
        if not self._file.closed:
            self._file.close()

    def publish(self) -> None:
        self._file.commit()
        self._published = True

    def discard(self) -> None:
        if not self._published:
            self._file.discard()
            # Else it is closed, and so sent, when it is forgotten.
            self._file.closed = True


def new_file(export_id: str, name: str) -> Writer:
    """A file to write, and to publish or discard."""
    return Writer(_InBucket(_key(export_id, name)) if _bucket() else _OnDisk(_path(export_id) / name))


@contextmanager
def writing(export_id: str, name: str) -> Iterator[Writer]:
    """A file to write and publish; nothing of it stays when the block ends without."""
    writer = new_file(export_id, name)
    try:
        yield writer
    finally:
        writer.discard()
