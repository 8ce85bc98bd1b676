"""What a rule's condition reads and compares, as far as its text says so plainly: the CEL library shows no tree. Pure.

For conditions that compile. Where something is computed (a call, arithmetic, an index that is a variable), nothing is
said of it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_TOKEN = re.compile(
    r"""(?P<space>\s+|//[^\n]*)
    |(?P<text>[rRbB]{0,2}(?:\"{3}.*?\"{3}|'{3}.*?'{3}|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'))
    |(?P<number>0[xX][0-9a-fA-F]+[uU]?|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?[uU]?)
    |(?P<name>[A-Za-z_][A-Za-z_0-9]*)
    |(?P<mark>==|!=|<=|>=|&&|\|\||.)""",
    re.VERBOSE | re.DOTALL,
)
_CONSTANTS = {"true": True, "false": False, "null": None}
_COMPARE = {"==", "!=", "<", "<=", ">", ">=", "in"}
_BEFORE = {"", "(", "&&", "||", "?", ":", ",", "["}
_AFTER = {"", ")", "&&", "||", "?", ":", ",", "]"}

Path = tuple[str | int, ...]
Tokens = list[tuple[str, str]]


@dataclass(frozen=True)
class Operand:
    """A fact with members, as `output.label`, or what is written out: one value or a list of them."""

    path: Path | None = None
    values: tuple[Any, ...] = ()
    is_list: bool = False


@dataclass(frozen=True)
class Comparison:
    left: Operand
    by: str
    right: Operand


@dataclass(frozen=True)
class Reading:
    paths: tuple[Path, ...]
    comparisons: tuple[Comparison, ...]


def read(when: str) -> Reading:
    """The facts that the condition names, each once, and the comparisons of plain operands."""
    tokens = [(match.lastgroup or "", match.group()) for match in _TOKEN.finditer(when) if match.lastgroup != "space"]
    return Reading(tuple(dict.fromkeys(_paths(tokens))), tuple(_comparisons(tokens)))


def written(path: Path) -> str:
    """A path as a condition may write it."""
    parts = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in path[1:]]
    return f"{path[0]}{''.join(parts)}"


def _paths(tokens: Tokens) -> Iterator[Path]:
    for at, (kind, text) in enumerate(tokens):
        is_fact = kind == "name" and text not in _CONSTANTS and text != "in"
        if is_fact and _text(tokens, at - 1) != "." and _text(tokens, at + 1) != "(":
            yield _path(tokens, at)[0]


def _comparisons(tokens: Tokens) -> Iterator[Comparison]:
    for at in range(len(tokens)):
        if _text(tokens, at - 1) not in _BEFORE:
            continue
        left, end = _operand(tokens, at)
        by = _text(tokens, end)
        if left is None or by not in _COMPARE:
            continue
        right, end = _operand(tokens, end + 1)
        if right is not None and _text(tokens, end) in _AFTER:
            yield Comparison(left, by, right)


def _text(tokens: Tokens, at: int) -> str:
    return tokens[at][1] if 0 <= at < len(tokens) else ""


def _operand(tokens: Tokens, at: int) -> tuple[Operand | None, int]:
    """The operand that begins at `at`, and what comes after it; None where it is none that is plain."""
    if _text(tokens, at) != "[":
        return _single(tokens, at)
    values: list[Any] = []
    while _text(tokens, at) in {"[", ","}:
        found, at = _single(tokens, at + 1)
        if found is None or found.path is not None:
            return None, at
        values += found.values
    return (Operand(values=tuple(values), is_list=True), at + 1) if _text(tokens, at) == "]" else (None, at)


def _single(tokens: Tokens, at: int) -> tuple[Operand | None, int]:
    kind, text = tokens[at] if at < len(tokens) else ("", "")
    if text == "-" and at + 1 < len(tokens) and tokens[at + 1][0] == "number":
        return Operand(values=(-_number(tokens[at + 1][1]),)), at + 2
    if kind == "number":
        return Operand(values=(_number(text),)), at + 1
    if kind == "text":
        value = _unquoted(text)
        return (None if value is None else Operand(values=(value,))), at + 1
    if text in _CONSTANTS:
        return Operand(values=(_CONSTANTS[text],)), at + 1
    if kind != "name" or _text(tokens, at + 1) == "(":
        return None, at
    path, end = _path(tokens, at)
    return (None if _text(tokens, end) in {".", "["} else Operand(path=path)), end


def _path(tokens: Tokens, at: int) -> tuple[Path, int]:
    path: list[str | int] = [tokens[at][1]]
    at += 1
    while True:
        if _text(tokens, at) == "." and at + 1 < len(tokens) and tokens[at + 1][0] == "name":
            if _text(tokens, at + 2) == "(":
                break
            path.append(tokens[at + 1][1])
            at += 2
            continue
        key = _key(tokens, at)
        if key is None:
            break
        path.append(key)
        at += 3
    return tuple(path), at


def _key(tokens: Tokens, at: int) -> str | int | None:
    if _text(tokens, at) != "[" or _text(tokens, at + 2) != "]":
        return None
    kind, text = tokens[at + 1]
    if kind == "number" and text.isdigit():
        return int(text)
    return _unquoted(text) if kind == "text" else None


def _number(text: str) -> float:
    text = text.rstrip("uU")
    return int(text, 16) if text[:2] in {"0x", "0X"} else float(text)


def _unquoted(text: str) -> str | None:
    """What a quoted text says; None for bytes, and for escapes, which are not quite Python's."""
    if "\\" in text and text[0] not in "rR":
        return None
    value = ast.literal_eval(text)
    return value if isinstance(value, str) else None
