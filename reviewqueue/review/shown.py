"""How content is shown: hidden characters made visible, diffs, any JSON as readable rows, instructions. Pure."""

from __future__ import annotations

import difflib
import json
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import nh3
from markdown_it import MarkdownIt
from markupsafe import Markup

MAX_ROWS = 400
"""Rows of an input shown at once; what is beyond is offered as JSON."""
MAX_DIFF = 40_000
"""Characters; a longer text is compared by lines."""


# -- text -------------------------------------------------------------------------------------------------------------

_HIDDEN = re.compile(
    "[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    "\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\uffff\U000e0000-\U000e0fff]"
)
_JOINER = "\u200d"


@dataclass(frozen=True)
class Piece:
    """A run of text, or one hidden character: then `mark` is its code and `name` what it is."""

    text: str
    mark: str = ""
    name: str = ""


def pieces(text: str) -> list[Piece]:
    """`text` with characters that show nothing, or turn what follows around, taken out and named."""
    found: list[Piece] = []
    start = 0
    for match in _HIDDEN.finditer(text):
        at = match.start()
        if match.group() == _JOINER and _within_emoji(text, at):
            continue
        if match.group() == "\r" and text[at + 1 : at + 2] == "\n":
            if at > start:
                found.append(Piece(text[start:at]))
            start = at + 1
            continue
        if at > start:
            found.append(Piece(text[start:at]))
        found.append(_marked(match.group()))
        start = at + 1
    if start < len(text):
        found.append(Piece(text[start:]))
    return found


def _marked(character: str) -> Piece:
    code = f"U+{ord(character):04X}"
    return Piece(character, code, unicodedata.name(character, "control character").lower())


def _within_emoji(text: str, at: int) -> bool:
    before = text[at - 1 : at]
    after = text[at + 1 : at + 2]
    return bool(before and after) and (
        unicodedata.category(after) == "So" and (before == "\ufe0f" or unicodedata.category(before) in {"So", "Sk"})
    )


def hidden_in(text: str) -> list[str]:
    """The hidden characters of `text`, each once, as `U+202E right-to-left override`."""
    return list(dict.fromkeys(f"{piece.mark} {piece.name}" for piece in pieces(text) if piece.mark))


@dataclass(frozen=True)
class Change:
    """A run of a diff."""

    kind: Literal["same", "gone", "new"]
    text: str


_WORDS = re.compile(r"\s+|\w+|[^\w\s]")
_LINES = re.compile(r"[^\n]*\n|[^\n]+")


def diff(before: str, after: str) -> list[Change]:
    """What turns `before` into `after`, word by word; line by line where either is very long."""
    if before == after:
        return [Change("same", before)] if before else []
    pattern = _WORDS if max(len(before), len(after)) <= MAX_DIFF else _LINES
    old, new = pattern.findall(before), pattern.findall(after)
    changes: list[Change] = []
    for tag, i, j, k, m in difflib.SequenceMatcher(None, old, new, autojunk=len(old) > 2000).get_opcodes():
        if tag == "equal":
            changes.append(Change("same", "".join(old[i:j])))
            continue
        if j > i:
            changes.append(Change("gone", "".join(old[i:j])))
        if m > k:
            changes.append(Change("new", "".join(new[k:m])))
    return changes


# -- any JSON ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Line:
    """One row of a value laid open: `depth` levels in; `text` is None for a heading over the rows beneath it."""

    depth: int
    name: str
    text: str | None
    long: bool = False


def words(name: str) -> str:
    """A key as a label: `order_total` reads `Order total`."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name).replace("_", " ").replace("-", " ").strip()
    return (spaced[:1].upper() + spaced[1:]) or name or "(no name)"


def scalar(value: Any) -> str:
    """A leaf in words: text as it is, the rest as JSON writes it."""
    if isinstance(value, str):
        return value
    if value in ({}, []) and not isinstance(value, bool):
        return "(empty)"
    return json.dumps(value, ensure_ascii=False)


def lines(value: Any, name: str = "", depth: int = 0) -> Iterator[Line]:
    """`value` as rows, in its own order."""
    if isinstance(value, Mapping) and value:
        if name:
            yield Line(depth, words(name), None)
        for key, element in value.items():
            yield from lines(element, str(key), depth + bool(name))
    elif isinstance(value, list) and value:
        if name:
            yield Line(depth, words(name), None)
        for index, element in enumerate(value, 1):
            yield from _element(element, index, depth + bool(name))
    else:
        text = scalar(value)
        yield Line(depth, words(name) if name else "", text, len(text) > 80 or "\n" in text)


def _element(element: Any, index: int, depth: int) -> Iterator[Line]:
    if isinstance(element, Mapping) and element and all(not isinstance(part, Mapping) for part in element.values()):
        # One row an element: a list of small objects reads as a list.
        text = " · ".join(
            scalar(part) if key in {"text", "content"} else f"{key} {scalar(part)}" for key, part in element.items()
        )
        yield Line(depth, str(index), text, len(text) > 80 or "\n" in text)
    else:
        yield from lines(element, str(index), depth)


@dataclass(frozen=True)
class Shown:
    """An input as the desk shows it: `main` in large type, then the rest."""

    main_name: str
    main: str | None
    rows: list[Line]
    more: int
    """Rows not shown."""
    raw: str

    @property
    def aligned(self) -> bool:
        """Whether the text is laid out in columns by spaces, and needs letters of one width."""
        return self.main is not None and len(re.findall(r"\S {3,}\S", self.main)) > 1


def input_shown(value: Any, name: str | None) -> Shown:
    """`value` with its property `name`, or the only text there is, in large type."""
    main_name, main, rest = _main_of(value, name)
    rows: list[Line] = []
    more = 0
    for line in lines(rest) if rest not in ({}, None) else ():
        if len(rows) < MAX_ROWS:
            rows.append(line)
        else:
            more += 1
    return Shown(main_name, main, rows, more, json.dumps(value, ensure_ascii=False, indent=2) if more else "")


def _main_of(value: Any, name: str | None) -> tuple[str, str | None, Any]:
    if isinstance(value, str):
        return "Input", value, None
    if isinstance(value, Mapping):
        if name is None:
            texts = [key for key, element in value.items() if isinstance(element, str)]
            name = texts[0] if len(texts) == 1 else None
        if name is not None and isinstance(value.get(name), str):
            return words(name), value[name], {key: part for key, part in value.items() if key != name}
    return "Input", None, value


# -- Markdown -----------------------------------------------------------------------------------------------------

_TAGS = {"p", "br", "em", "strong", "code", "pre", "ul", "ol", "li", "h3", "h4", "h5", "h6", "blockquote", "hr", "a",
         "table", "thead", "tbody", "tr", "th", "td"}  # fmt: skip


MAX_READ = 40_000
"""Characters of Markdown that are shown as they read; what is longer is shown as it is written."""
_OF_ITEMS = (
    MarkdownIt("commonmark", {"html": False}).enable("table").disable(["link", "image", "autolink", "reference"])
)


def as_it_reads(text: str) -> Markup | None:
    """Markdown out of an item as HTML that loads nothing and leads nowhere: links and images stand as they are written,
    hidden characters are named. None for what is too long."""
    if len(text) > MAX_READ:
        return None
    named = "".join(f"\u27e6{piece.mark}\u27e7" if piece.mark else piece.text for piece in pieces(text))
    clean = nh3.clean(_lowered(_OF_ITEMS.render(named)), tags=_TAGS - {"a"}, attributes={})
    return Markup(clean)  # noqa: S704 - of an item, hence hostile: made by the renderer without HTML, then sanitised


def reads_otherwise(text: str) -> bool:
    """Whether Markdown reads otherwise than it is written, but for white space."""
    html = as_it_reads(text)
    return html is not None and html.striptags() != " ".join(text.split())


def _lowered(html: str) -> str:
    """Headings below the page's own."""
    return re.sub(r"<(/?)h([12])>", lambda match: f"<{match[1]}h{int(match[2]) + 2}>", html)


@lru_cache(maxsize=256)
def markdown(text: str) -> Markup:
    """A queue's instructions as HTML: sanitised, without images, headings below the page's own."""
    html = _lowered(MarkdownIt("commonmark", {"html": False}).enable("table").render(text))
    clean = nh3.clean(html, tags=_TAGS, attributes={"a": {"href"}}, url_schemes={"https", "http", "mailto"})
    return Markup(clean)  # noqa: S704 - configuration written by administrators, sanitised above; never item content
