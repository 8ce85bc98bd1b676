"""The codes of a second factor: time-based ones (RFC 6238), recovery codes, how secrets are kept, the QR code.

No database.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from datetime import datetime
from itertools import groupby

import pyotp
import segno
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

STEP_SECONDS = 30
DIGITS = 6
RECOVERY_CODES = 10
_SKEW = 1
"""How many steps a clock may be before or behind."""
_NONCE_BYTES = 12
_QUIET = 4
"""Empty modules around a QR code, as its standard asks for."""
# Without look-alikes (0 o, 1 l i): these are copied from paper.
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"


# -- secrets ----------------------------------------------------------------------------------------------------------


def new_secret() -> str:
    """160 random bits in base32, as authenticator apps take them."""
    return pyotp.random_base32()


def _cipher(secret_key: str) -> AESGCM:
    key = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"reviewqueue second factor").derive(secret_key.encode())
    return AESGCM(key)


def seal(secret: str, *, secret_key: str, person_id: str) -> str:
    """`secret` as it is kept: of no use without the secret key, nor in another person's row."""
    nonce = secrets.token_bytes(_NONCE_BYTES)
    sealed = _cipher(secret_key).encrypt(nonce, secret.encode(), person_id.encode())
    return base64.urlsafe_b64encode(nonce + sealed).decode()


def unseal(sealed: str, *, secret_key: str, person_id: str) -> str | None:
    """What `seal` was given; None where the secret key or the person is another."""
    content = base64.urlsafe_b64decode(sealed)
    try:
        found = _cipher(secret_key).decrypt(content[:_NONCE_BYTES], content[_NONCE_BYTES:], person_id.encode())
    except InvalidTag:
        return None
    return found.decode()


# -- codes ------------------------------------------------------------------------------------------------------------


def matching_step(secret: str, typed: str, now: datetime) -> int | None:
    """The time step whose code was typed: that of `now`, the one before or the one after; None for no code of them."""
    given = "".join(typed.split()).encode()
    totp, current, found = pyotp.TOTP(secret, digits=DIGITS, interval=STEP_SECONDS), int(now.timestamp()), None
    # All of them each time: how long it takes says nothing.
    for step in range(current // STEP_SECONDS - _SKEW, current // STEP_SECONDS + _SKEW + 1):
        if hmac.compare_digest(totp.generate_otp(step).encode(), given):
            found = step
    return found


def new_recovery_codes() -> list[str]:
    """Ten codes of 16 characters, 79 bits each."""
    return [
        "-".join("".join(secrets.choice(_LETTERS) for _ in range(4)) for _ in range(4)) for _ in range(RECOVERY_CODES)
    ]


def digest_of(recovery_code: str, person_id: str) -> str:
    """What is kept of a recovery code, in any case of letters and with or without its dashes."""
    plain = "".join(recovery_code.split()).replace("-", "").casefold()
    return hashlib.sha256(f"{person_id}\x1f{plain}".encode("utf-8", "replace")).hexdigest()


# -- for the app ------------------------------------------------------------------------------------------------------


def address_of(secret: str, email: str) -> str:
    """The `otpauth://` address that an authenticator app takes."""
    totp = pyotp.TOTP(secret, digits=DIGITS, interval=STEP_SECONDS)
    return totp.provisioning_uri(name=email, issuer_name="reviewqueue")


def grouped(secret: str) -> str:
    """The key for typing, in groups of four."""
    return " ".join(secret[at : at + 4] for at in range(0, len(secret), 4))


def qr_path(text: str) -> tuple[int, str]:
    """A QR code as the side of its square and the path of its dark modules, for SVG."""
    modules = segno.make(text, error="m", micro=False).matrix
    runs = []
    for y, row in enumerate(modules):
        x = 0
        for dark, cells in groupby(row):
            width = len(list(cells))
            if dark:
                runs.append(f"M{x + _QUIET} {y + _QUIET}h{width}v1h-{width}z")
            x += width
    return len(modules) + 2 * _QUIET, "".join(runs)
