"""What a backup says of itself: its files with their digests, and which product wrote it. Pure.

`manifest.json` is written last. It has the SHA-256 of every file, and one of its own, and is read back only if it is
byte for byte what would be written: a changed byte anywhere in a backup is noticed.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from reviewqueue.errors import Invalid

FORMAT = "reviewqueue.backup/1"
NAME = "manifest.json"
DATABASE = "reviewqueue.db"
CHECKPOINTS = "audit_checkpoints.jsonl"
KEYS = ("secret_key", "audit_key", "audit_keys_retired", "audit_checkpoints_lost.jsonl")
"""Besides the file of checkpoints, the single files of a data directory that are kept."""
PASSED_OVER = ("lock", "valkey.sock", "valkey.log", "metrics", f"{DATABASE}-wal", f"{DATABASE}-shm")
"""What an installation makes anew by itself."""
_PATH = re.compile(
    r"reviewqueue\.db|secret_key|audit_key|audit_keys_retired|audit_checkpoints(?:_lost)?\.jsonl"
    r"|media/[0-9a-f]{2}/[0-9a-f]{64}|exports/[0-9a-f-]{36}/(?:data/)?[A-Za-z0-9_-]+\.[a-z]+"
)


@dataclass(frozen=True)
class File:
    """One of a backup's files; `path` is below the backup as below the data directory."""

    path: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """A backup, in its own words."""

    id: str
    taken_at: str
    product: str
    """Version of the product that took it."""
    schema: str | None
    """Revision of the database's schema."""
    database: str | None
    """The database's file; None where the database is a server's, and is kept by its own means."""
    audit: dict[str, Any]
    """How far the log had come: `events` that are sealed, the hash of the last (`root`), how many `waiting`."""
    files: list[File] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    """Files that the database names and the installation had lost before."""
    elsewhere: list[str] = field(default_factory=list)
    """What is no part of it, and must be kept by other means."""

    @property
    def bytes(self) -> int:
        return sum(file.bytes for file in self.files)


def dumped(manifest: Manifest) -> str:
    """As it is written."""
    said = {"format": FORMAT, **asdict(manifest)}
    return _text({**said, "sha256": _digest(said)})


def _text(value: Any) -> str:
    return json.dumps(value, indent=1, sort_keys=True) + "\n"


def _digest(said: dict[str, Any]) -> str:
    return hashlib.sha256(_text(said).encode()).hexdigest()


def read(folder: Path) -> Manifest:
    """The manifest of the backup in `folder`. Raises `Invalid` for what is no whole backup, or was changed."""
    path = folder / NAME
    if not path.is_file():
        raise Invalid(f"{folder} is no backup, or one that was never finished: it has no {NAME}.")
    text = path.read_bytes()
    try:
        said = json.loads(text)
        sealed = said.pop("sha256")
        if said["format"] != FORMAT:
            raise Invalid(f"{path} has the format {said['format']!r}; this version reads {FORMAT}.")
        unchanged = sealed == _digest(said) and _text({**said, "sha256": sealed}).encode() == text
        del said["format"]
        found = Manifest(**{**said, "files": [File(**file) for file in said["files"]]})
    except (AttributeError, KeyError, TypeError, ValueError):
        unchanged = False
    if not unchanged:
        raise Invalid(f"{path} is not as it was written. Take another backup.")
    odd = [file.path for file in found.files if not _PATH.fullmatch(file.path)]
    if odd:
        raise Invalid(f"{path} names {odd[0]!r}, which is no file of an installation.")
    return found


def strangers(folder: Path, manifest: Manifest) -> list[str]:
    """What is in the folder and not in its manifest."""
    known = {NAME, *(file.path for file in manifest.files)}
    found = (
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir() or path.is_symlink()
    )
    return sorted(set(found) - known)
