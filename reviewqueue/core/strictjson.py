"""JSON as we accept it: what every database, browser and consumer downstream can hold without change. Pure.

Refused, each with a pointer or a place: invalid UTF-8, NaN and Infinity, numbers that overflow, duplicate keys,
nesting deeper than 64, lone surrogates, NUL characters. Content is kept as text, so that the order of keys and every
digit of a number survive.
"""

from __future__ import annotations

import json
import math
import re
from json.decoder import JSONDecodeError, scanstring  # type: ignore[attr-defined]
from typing import Any, NamedTuple, Self

import orjson

from reviewqueue.errors import Fault, Malformed

MAX_DEPTH = 64
_SPACE = re.compile(r"[ \t\n\r]*")
# The string part also ends at the end of the text: were it able to fail, a hostile body would cost quadratic time.
_BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|[\[\]{}]', re.DOTALL)
_ESCAPED_TROUBLE = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")


class Document(NamedTuple):
    """A parsed object: `value` as Python, `raw` the text of each top-level member, with every digit that was sent."""

    value: dict[str, Any]
    raw: dict[str, str]


def parse(text: str | bytes) -> Any:
    """Any JSON value. Raises `Malformed`."""
    text = _decoded(text)
    _check_depth(text)
    try:
        value = _DECODER.decode(text)
    except (JSONDecodeError, _Refused, ValueError, RecursionError) as error:
        raise _malformed(error) from None
    _check_characters(text, value)
    return value


def parse_object(text: str | bytes) -> Document:
    """An object, with the raw text of its members. Raises `Malformed`."""
    text = _decoded(text)
    _check_depth(text)
    try:
        document, at = _document(text, _skip_space(text, 0))
        _expect_end(text, at)
    except (JSONDecodeError, _Refused, ValueError, RecursionError) as error:
        raise _malformed(error) from None
    _check_characters(text, document.value)
    return document


def parse_objects(text: str | bytes, member: str) -> list[tuple[Document | Malformed, str]]:
    """An object with the one member `member`, a list of objects: each of them, or what is wrong with its characters,
    and its text. Raises `Malformed` for what is no such list."""
    text = _decoded(text)
    try:
        found = _listed(text, member)
    except RecursionError as error:
        _check_depth(text)
        raise _malformed(error) from None
    except (JSONDecodeError, _Refused, ValueError) as error:
        raise _malformed(error) from None
    return [(_with_good_characters(document, part), part) for document, part in found]


def _with_good_characters(document: Document, text: str) -> Document | Malformed:
    try:
        _check_depth(text)
        _check_characters(text, document.value)
    except Malformed as error:
        return error
    return document


def dumps(value: Any) -> str:
    """`value` as compact JSON text, keys in the order given."""
    return _ENCODER.encode(value)


# json.dumps makes an encoder a call, which takes as long as the encoding.
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)


class _Refused(ValueError):
    pass


def _decoded(text: str | bytes) -> str:
    if isinstance(text, str):
        return text
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Malformed(f"The body is not UTF-8: byte {error.start} cannot be read.", code="invalid_utf8") from None


def _check_depth(text: str) -> None:
    # Python's own scanner recurses, and so does who reads the value after us.
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return
    depth = 0
    for match in _BRACKETS.finditer(text):
        mark = match.group()
        if mark in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise Malformed(
                    f"The JSON is nested deeper than {MAX_DEPTH} levels, at character {match.start()}.", code="too_deep"
                )
        elif mark in "]}":
            depth -= 1


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise _Refused(f"The key {key[:80]!r} stands twice in one object.")
            seen.add(key)
    return value


def _constant(name: str) -> Any:
    raise _Refused(f"{name} is not JSON: send null, or leave the field out.")


def _float(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise _Refused(f"The number {text[:40]} is too large.")
    return number


def _int(text: str) -> int:
    if len(text) > 4000:
        raise _Refused("A number has more than 4,000 digits.")
    return int(text)


_DECODER = json.JSONDecoder(object_pairs_hook=_pairs, parse_constant=_constant, parse_float=_float, parse_int=_int)


def _plain_float(text: str) -> float:
    number = float(text)
    if repr(number) != text:
        raise _NotPlain
    return number


def _plain_int(text: str) -> int:
    if text == "-0":
        raise _NotPlain
    return _int(text)


class _NotPlain(Exception):
    """A number that would not be written as it was sent."""


_plain = json.JSONDecoder(
    object_pairs_hook=_pairs, parse_constant=_constant, parse_float=_plain_float, parse_int=_plain_int
).scan_once  # type: ignore[attr-defined]


def _document(text: str, at: int) -> tuple[Document, int]:
    """The object that begins at `at`, and where it ends.

    Where every number is written as Python writes it, as nearly all are, the text of members is made from their values:
    to find it in `text` takes three times as long.
    """
    try:
        value, end = _plain(text, at)
        if type(value) is dict:
            return Document(value, {key: orjson.dumps(member).decode() for key, member in value.items()}), end
    except (_NotPlain, StopIteration, TypeError):
        # TypeError: an integer of more than 64 bits, or half of a surrogate pair.
        pass
    return _members(text, at)


# One match, and no call that Python makes, a member.
_scan = _DECODER.scan_once  # type: ignore[attr-defined]
_COLON = re.compile(r"[ \t\n\r]*:[ \t\n\r]*").match
_MARK = re.compile(r"[ \t\n\r]*([,}])").match


def _skip_space(text: str, at: int) -> int:
    if text[at : at + 1] not in " \t\n\r":
        return at
    match = _SPACE.match(text, at)
    return match.end() if match else at


def _members(text: str, at: int) -> tuple[Document, int]:
    """The object that begins at `at`, and where it ends."""
    at = _skip_space(text, at)
    if text[at : at + 1] != "{":
        _DECODER.raw_decode(text, at)
        raise _Refused("The body must be a JSON object.")
    pairs: list[tuple[str, Any]] = []
    raw: dict[str, str] = {}
    at = _skip_space(text, at + 1)
    if text[at : at + 1] == "}":
        return Document({}, {}), at + 1
    while True:
        if text[at : at + 1] != '"':
            raise JSONDecodeError("Expecting property name enclosed in double quotes", text, at)
        key, at = scanstring(text, at + 1, True)
        colon = _COLON(text, at)
        if colon is None:
            raise JSONDecodeError("Expecting ':' delimiter", text, _skip_space(text, at))
        start = colon.end()
        try:
            value, end = _scan(text, start)
        except StopIteration as error:
            raise JSONDecodeError("Expecting value", text, error.value) from None
        pairs.append((key, value))
        raw[key] = text[start:end]
        mark = _MARK(text, end)
        if mark is None:
            raise JSONDecodeError("Expecting ',' delimiter", text, _skip_space(text, end))
        if mark[1] == "}":
            return Document(_pairs(pairs), raw), mark.end()
        at = _skip_space(text, mark.end())


def _listed(text: str, member: str) -> list[tuple[Document, str]]:
    at = _expect(text, 0, "{")
    at = _expect(text, at, '"')
    name, at = scanstring(text, at, True)
    if name != member:
        raise _Refused(f"The body must be an object with the one member {member}.")
    at = _expect(text, at, ":")
    at = _expect(text, at, "[")
    found: list[tuple[Document, str]] = []
    start = _skip_space(text, at)
    if text[start : start + 1] == "]":
        at = start + 1
    else:
        while True:
            start = _skip_space(text, at)
            if text[start : start + 1] != "{":
                _DECODER.raw_decode(text, start)
                raise _Refused(f"Each of {member} must be an object, and number {len(found)} is none.")
            document, end = _document(text, start)
            found.append((document, text[start:end]))
            at = _skip_space(text, end)
            if text[at : at + 1] == "]":
                at += 1
                break
            at = _expect(text, at, ",")
    _expect_end(text, _expect(text, at, "}"))
    return found


def _expect(text: str, at: int, mark: str) -> int:
    """Past `mark`, which must come next but for white space."""
    at = _skip_space(text, at)
    if text[at : at + 1] != mark:
        raise JSONDecodeError(f"Expecting {mark!r}", text, at)
    return at + 1


def _expect_end(text: str, at: int) -> None:
    at = _skip_space(text, at)
    if at != len(text):
        raise JSONDecodeError("Extra data", text, at)


def _malformed(error: Exception) -> Malformed:
    if isinstance(error, JSONDecodeError):
        line = f"line {error.lineno}, " if "\n" in error.doc.rstrip() else ""
        return Malformed(f"The body is not JSON: {error.msg} at {line}column {error.colno}.")
    if isinstance(error, _Refused):
        return Malformed(str(error))
    return Malformed("The body is not JSON that can be read.")


def _check_characters(text: str, value: Any) -> None:
    # A raw NUL cannot be here (the scanner refuses control characters), so only escapes can bring trouble.
    # One letter is found many times as fast as two.
    if "\\" not in text or _ESCAPED_TROUBLE.search(text) is None:
        return
    faults: list[Fault] = []
    _find_trouble(value, "", faults)
    if faults:
        raise Malformed("The text has characters that cannot be stored.", faults, code="bad_characters")


def _find_trouble(value: Any, pointer: str, faults: list[Fault]) -> None:
    if isinstance(value, str):
        if "\x00" in value:
            faults.append(Fault(pointer, "has a NUL character (\\u0000): remove it"))
        if any("\ud800" <= character <= "\udfff" for character in value):
            faults.append(Fault(pointer, "has half of a surrogate pair: send the whole character"))
    elif isinstance(value, list):
        for index, element in enumerate(value):
            _find_trouble(element, f"{pointer}/{index}", faults)
    elif isinstance(value, dict):
        for key, element in value.items():
            _find_trouble(key, pointer, faults)
            _find_trouble(element, f"{pointer}/{escape_pointer(key)}", faults)


def escape_pointer(key: str) -> str:
    """One segment of a JSON Pointer (RFC 6901)."""
    return key.replace("~", "~0").replace("/", "~1")


def unescape_pointer(segment: str) -> str:
    """The key that a segment of a JSON Pointer names."""
    return segment.replace("~1", "/").replace("~0", "~")


Raw = orjson.Fragment
"""Text that is JSON already; `spliced` puts it in as it is."""


def raw(text: str | None) -> Raw | None:
    """A column of JSON text, for `spliced`."""
    return None if text is None else Raw(text)


def spliced(value: Any) -> str:
    """`value` as compact JSON text; what is `Raw` in it goes in unchanged, so that stored content keeps every digit.
    Integers of our own must fit 64 bits."""
    return orjson.dumps(value).decode()


def spliced_line(value: Any) -> bytes:
    """As `spliced`, in UTF-8 and one line, without its end: content may have been sent over several. Within strings a
    line's end is always escaped."""
    found = orjson.dumps(value)
    return found.replace(b"\n", b" ").replace(b"\r", b" ") if b"\n" in found or b"\r" in found else found


class Number(float):
    """A float that remembers how it was written."""

    __slots__ = ("text",)
    text: str

    def __new__(cls, text: str) -> Self:
        number = super().__new__(cls, text)
        number.text = text
        return number


_EXACT = json.JSONDecoder(parse_float=Number)


def exact(text: str) -> Any:
    """A stored JSON value, its floats as `Number`."""
    return _EXACT.decode(text)


def as_written(value: Any) -> Any:
    """A value from `exact`, for `spliced`, with every digit."""
    if isinstance(value, Number):
        return Raw(value.text)
    if type(value) is int and not -(2**63) <= value < 2**63:
        return Raw(str(value))
    if isinstance(value, dict):
        return {key: as_written(element) for key, element in value.items()}
    return [as_written(element) for element in value] if isinstance(value, list) else value


def plain(value: Any) -> Any:
    """A value from `exact` with ordinary numbers, for those who know no others."""
    if isinstance(value, Number):
        return float(value)
    if isinstance(value, dict):
        return {key: plain(element) for key, element in value.items()}
    return [plain(element) for element in value] if isinstance(value, list) else value


def indented(value: Any) -> str:
    """A value from `exact` as JSON text for people: with every digit, two spaces a level."""
    return orjson.dumps(as_written(value), option=orjson.OPT_INDENT_2).decode()
