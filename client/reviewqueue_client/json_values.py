"""Python values as JSON that says the same, and back: nothing is turned into another type on the way. Pure."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

from reviewqueue_client.errors import NotJson, Unfit
from reviewqueue_client.models import Media

_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)
DEEPEST = 64
"""Levels of nesting that the server accepts."""
LONGEST_INTEGER_BITS = 13_288
"""Of 4,000 digits, which the server accepts."""


def plain(value: Any, pointer: str = "", level: int = 0) -> Any:
    """`value` in JSON's own types. Dataclasses and Pydantic models become objects, tuples lists, enumerations
    values, uploads references to them.

    Raises `NotJson` with a pointer to what JSON cannot hold: other types, keys that are not text, NaN, infinity.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Enum):
        return plain(value.value, pointer, level)
    if isinstance(value, str):
        return _text(value, pointer)
    if isinstance(value, int):
        if value.bit_length() > LONGEST_INTEGER_BITS:
            raise NotJson(f"{pointer or '/'}: a number of more than 4,000 digits is not accepted.")
        return int(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise NotJson(f"{pointer or '/'}: JSON has no {value}.")
        return float(value)
    if level > DEEPEST:
        raise NotJson(f"{pointer[:80]}…: nested deeper than {DEEPEST} levels, or within itself.")
    if isinstance(value, Mapping):
        return {_key(key, pointer): plain(each, f"{pointer}/{key}", level + 1) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each, f"{pointer}/{place}", level + 1) for place, each in enumerate(value)]
    return plain(_members(value, pointer), pointer, level + 1)


def _members(value: Any, pointer: str) -> Any:
    if isinstance(value, Media):
        return value.reference
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: getattr(value, each.name) for each in fields(value)}
    dump = getattr(value, "model_dump", None)
    if callable(dump) and not isinstance(value, type):
        # By alias: these are the names that `remade`, and the model's own schema, go by.
        try:
            return dump(mode="json", by_alias=True)
        except (ValueError, TypeError, RecursionError) as error:
            raise NotJson(f"{pointer or '/'}: {type(value).__name__} does not turn into JSON: {error}") from error
    raise NotJson(
        f"{pointer or '/'}: JSON has no {type(value).__name__}. Turn it into text, a number, a list or a dict."
    )


def remade(value: Any, kind: type) -> Any:
    """A plain value as a `kind`, if that is a Pydantic model; else as it is. Raises `Unfit` where it does not fit."""
    validate = getattr(kind, "model_validate_json", None)
    if validate is None:
        return value
    try:
        # As JSON: a strict model takes a date as text from there alone.
        return validate(encoded(value))
    except ValueError as error:
        raise Unfit(f"What was decided is no {kind.__qualname__}: {error}") from error


def _key(key: Any, pointer: str) -> str:
    if not isinstance(key, str):
        raise NotJson(f"{pointer or '/'}: the key {key!r} is not text.")
    return _text(key, pointer)


def _text(value: str, pointer: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise NotJson(f"{pointer or '/'}: half of a surrogate pair is not text.") from None
    if "\x00" in value:
        raise NotJson(f"{pointer or '/'}: a NUL character is not accepted.")
    return str.__str__(value)  # of an enumeration's member `str` would give the name


def encoded(value: Any) -> bytes:
    """A plain value as compact JSON in UTF-8."""
    return _ENCODER.encode(value).encode()


def digest(value: Any) -> str:
    """SHA-256 of a plain value, whatever the order of its keys, in hexadecimal digits."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def same(one: Any, other: Any) -> bool:
    """Whether two plain values are the same JSON. Python says that 1, 1.0 and True are equal; they are not here."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(same(*pair) for pair in zip(one, other, strict=True))
    return bool(one == other)
