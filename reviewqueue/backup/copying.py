"""Copying files so that they are whole on the disk, and known by their digest."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path
from typing import IO

from reviewqueue.backup.manifest import File
from reviewqueue.media.files import remember_names

CHUNK = 1 << 20


def copied(source: Path, folder: Path, path: str, *, most: int | None = None) -> File:
    """Copy `source` to `path` in `folder`, readable by its owner alone; at most the first `most` bytes of it."""
    target = folder / path
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    digest, left = hashlib.sha256(), most
    with source.open("rb") as reading, _made(target) as writing:
        while piece := reading.read(CHUNK if left is None else min(CHUNK, left)):
            digest.update(piece)
            writing.write(piece)
            left = None if left is None else left - len(piece)
        writing.flush()
        os.fsync(writing.fileno())
    return File(path, target.stat().st_size, digest.hexdigest())


def _made(target: Path) -> IO[bytes]:
    return os.fdopen(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb")


def looked_at(folder: Path, path: str) -> File:
    """A file that is there already, once it is whole on the disk."""
    digest = hashlib.sha256()
    with (folder / path).open("r+b") as file:
        os.fsync(file.fileno())
        while piece := file.read(CHUNK):
            digest.update(piece)
    (folder / path).chmod(0o600)
    return File(path, (folder / path).stat().st_size, digest.hexdigest())


def written(folder: Path, path: str, text: str) -> None:
    """`text` as a file, whole on the disk."""
    with _made(folder / path) as file:
        file.write(text.encode())
        file.flush()
        os.fsync(file.fileno())


def remember(folder: Path) -> None:
    """Have the disk know the names in `folder` and in all that are below it."""
    for place, _, _ in os.walk(folder):
        remember_names(place)


def clear(folder: Path) -> None:
    """An empty folder, whatever was in it."""
    for entry in list(folder.iterdir()):
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
