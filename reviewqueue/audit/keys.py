"""The key that signs checkpoints: made at first use, in the data directory, readable by its owner alone."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flask import current_app

from reviewqueue.audit import chain
from reviewqueue.errors import Unavailable


def _path() -> Path:
    folder: Path = current_app.config["SETTINGS"].data_dir
    return folder / "audit_key"


def signing_key() -> Ed25519PrivateKey:
    """Makes it where there is none. Raises `Unavailable` for a file that holds no such key."""
    path = _path()
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f".audit_key.{secrets.token_hex(4)}")
        with os.fdopen(os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
            file.write(
                Ed25519PrivateKey.generate().private_bytes(
                    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
                )
            )
            file.flush()
            os.fsync(file.fileno())
        # A link appears whole and only once, however many processes start together.
        with contextlib.suppress(FileExistsError):
            os.link(fresh, path)
        fresh.unlink()
    try:
        found = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except ValueError:
        found = None
    if not isinstance(found, Ed25519PrivateKey):
        raise Unavailable(f"{path} holds no Ed25519 key. Bring it back from a backup.")
    return found


def known_keys() -> frozenset[str]:
    """Public keys, in hex, whose checkpoints count: the one in the data directory, and retired ones beside it."""
    path = _path()
    found = {chain.public_hex(signing_key())} if path.exists() else set()
    retired = path.with_name("audit_keys_retired")
    if retired.exists():
        found |= {line.strip().lower() for line in retired.read_text().splitlines() if line.strip()}
    return frozenset(found)
