"""Where the files of media live: each once, named by the SHA-256 of its content, below the data directory."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from flask import current_app

from reviewqueue.core.ids import new_id
from reviewqueue.errors import NotFound


def _path(sha256: str) -> Path:
    folder: Path = current_app.config["SETTINGS"].media_dir
    return folder / sha256[:2] / sha256


def keep(data: bytes) -> str:
    """Have `data` whole on the disk; its SHA-256. What is there already is not written again."""
    sha256 = hashlib.sha256(data).hexdigest()
    path = _path(sha256)
    if path.exists():
        # Whoever forgets an older upload of it at this moment must see that it is wanted again.
        path.touch()
        return sha256
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{sha256}.{new_id()}.part")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return sha256


def path_of(sha256: str) -> Path:
    """The file. Raises `NotFound` where it is not."""
    path = _path(sha256)
    if not path.is_file():
        raise NotFound
    return path


def remove(sha256: str, *, kept_before: datetime) -> None:
    """Unless it was kept since that moment; none is no fault."""
    path = _path(sha256)
    with suppress(FileNotFoundError):
        if path.stat().st_mtime < kept_before.timestamp():
            path.unlink()
