"""Passwords: the rule for new ones, their Argon2id hashes, and one-time passwords. No database."""

from __future__ import annotations

import re
import secrets
import unicodedata
from functools import cached_property, lru_cache
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from flask import current_app

from reviewqueue.errors import Fault, Invalid
from reviewqueue.models.states import SiteRole

NONE = ""
"""In place of a hash: no password opens the account."""
SHORTEST = 12
LONGEST = 256
MOST_GUESSED = 64
"""Characters that are looked at as a guesser does: it takes time that grows with their square."""
FEWEST_GUESSES = 1_000_000
_WORDS_OF_OURS = ("reviewqueue", "review", "queue", "reviewer", "auditor", "analyst", "admin", "administrator")
"""Words of this product, which are in nobody's password alone."""
# Without look-alikes (0 O, 1 l I): a one-time password is read out or copied from paper.
_LETTERS = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"


class Hasher:
    """Argon2id at one cost."""

    def __init__(self, time_cost: int, memory_kib: int) -> None:
        # One lane: a request has one thread, and the machine's other cores have other requests.
        self._argon = PasswordHasher(time_cost=time_cost, memory_cost=memory_kib, parallelism=1)

    @cached_property
    def _of_nobody(self) -> str:
        return self._argon.hash(secrets.token_hex(16))

    def hash(self, password: str) -> str:
        return self._argon.hash(_normal(password))

    def matches(self, kept: str | None, password: str) -> bool:
        """Whether `password` belongs to the hash `kept`. Without one it takes as long, and the answer is no."""
        nobody = self._of_nobody
        try:
            return self._argon.verify(kept or nobody, _normal(password)) and kept is not None
        except (VerificationError, InvalidHashError):
            return False

    def outdated(self, kept: str) -> bool:
        """Whether `kept` was made at another cost than today's."""
        return self._argon.check_needs_rehash(kept)


@lru_cache(maxsize=8)
def _hasher(time_cost: int, memory_kib: int) -> Hasher:
    return Hasher(time_cost, memory_kib)


def hasher() -> Hasher:
    """The hasher at the cost that the settings ask for."""
    settings = current_app.config["SETTINGS"]
    return _hasher(settings.argon2_time_cost, settings.argon2_memory_kib)


def may_be_used(role: SiteRole | None) -> bool:
    """Whether somebody of that site role may sign in with a password, `REVIEWQUEUE_PASSWORDS`."""
    who = current_app.config["SETTINGS"].passwords
    return who == "everybody" or (who == "admins" and role is SiteRole.ADMIN)


def _normal(password: str) -> str:
    # The same character can be typed as different code points on two keyboards.
    return unicodedata.normalize("NFKC", password)


def check(password: str, *, email: str) -> None:
    """Whether `password` may be a new one. Raises `Invalid` pointing at `/password`."""
    said = fault_in(password, email=email)
    if said:
        raise Invalid(f"The password {said}.", [Fault("/password", said)], code="weak_password")


def fault_in(password: str, *, email: str) -> str | None:
    """What is wrong with `password`, in words; length counts, kinds of characters do not (NIST SP 800-63B)."""
    if len(password) < SHORTEST:
        return f"must have at least {SHORTEST} characters"
    if len(password) > LONGEST:
        return f"must have at most {LONGEST} characters"
    if len(set(password)) < 5:
        return "must have at least 5 different characters"
    if password.casefold() == email.casefold():
        return "must not be the e-mail address"
    if _guessed_soon(password, email):
        return "is one of those that are tried first: common words, names or rows of keys. Take several words"
    return None


def _guessed_soon(password: str, email: str) -> bool:
    """Whether a guesser who knows the 30,000 most common passwords, words, names, rows of keys, and this installation
    needs fewer than a million tries."""
    from zxcvbn import zxcvbn

    found: dict[str, Any] = zxcvbn(password[:MOST_GUESSED], user_inputs=[*_WORDS_OF_OURS, *re.split(r"[^\w]+", email)])
    return bool(found["guesses"] < FEWEST_GUESSES)


def one_time() -> str:
    """A random password to hand over: 20 characters, 116 bits."""
    return "-".join("".join(secrets.choice(_LETTERS) for _ in range(5)) for _ in range(4))
