"""Pages of a document, and the words on them: `{text, box: [left, top, right, bottom], page}`, in pixels. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from reviewqueue.core.strictjson import escape_pointer
from reviewqueue.errors import Fault
from reviewqueue.queues.references import references_in

WORDS = "words"
"""The property of the input that has them, where the view names no other."""
MOST_WORDS = 20_000
MOST_FAULTS = 20


@dataclass(frozen=True)
class Box:
    """A place on a page."""

    page: int
    """From 1."""
    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True)
class Word:
    text: str
    box: Box


def places_in(given: Any, name: str | None) -> list[int]:
    """Which of the input's references are the pages, by their place: those below the property `name`; all for None."""
    below = "" if name is None else f"/{escape_pointer(name)}"
    found = enumerate(references_in(given))
    return [place for place, one in found if one.pointer == below or one.pointer.startswith(f"{below}/")]


def faults_in_pages(given: Any, name: str | None, pointer: str, *, only_one: bool) -> list[Fault]:
    """Where an input has no page, or more than the type shows."""
    found = places_in(given, name)
    place = pointer if name is None else f"{pointer}/{escape_pointer(name)}"
    if not found:
        return [Fault(place, 'must refer to a picture: {"$media": "<id or address>"}')]
    return [Fault(place, "must refer to one picture, not to several")] if only_one and len(found) > 1 else []


def faults_in_words(given: Any, name: str | None, pointer: str) -> list[Fault]:
    """Where the words of an input cannot be read; it need not have any. At most 20."""
    words = _listed(given, name)
    place = f"{pointer}/{escape_pointer(name or WORDS)}"
    if words is None:
        return []
    if not isinstance(words, list) or len(words) > MOST_WORDS:
        return [Fault(place, f"must be a list of at most {MOST_WORDS:,} words")]
    wanted = "must have text, a box [left, top, right, bottom] in pixels and, but on the first, a page from 1"
    bad = [index for index, word in enumerate(words) if not _fits(word)]
    return [Fault(f"{place}/{index}", wanted) for index in bad[:MOST_FAULTS]]


def _listed(given: Any, name: str | None) -> Any:
    return given.get(name or WORDS) if isinstance(given, dict) else None


def _fits(word: Any) -> bool:
    return isinstance(word, dict) and isinstance(word.get("text"), str) and box_of(word) is not None


def box_of(value: Any) -> Box | None:
    """The place that a word or a part's region says; None for none."""
    if not isinstance(value, dict):
        return None
    page, box = value.get("page", 1), value.get("box")
    if isinstance(page, bool) or not isinstance(page, int) or page < 1:
        return None
    if not isinstance(box, list) or len(box) != 4 or not all(_is_length(edge) for edge in box):
        return None
    left, top, right, bottom = (float(edge) for edge in box)
    return Box(page, left, top, right, bottom) if left <= right and top <= bottom else None


def _is_length(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e7 and math.isfinite(value)


def words_in(given: Any, name: str | None) -> Iterator[Word]:
    """The words of an input, in its order. A line that was read as one is cut at its spaces, and its box in
    proportion."""
    words = _listed(given, name)
    for line in words if isinstance(words, list) else []:
        box = box_of(line)
        text = line.get("text") if isinstance(line, dict) else None
        if box is None or not isinstance(text, str):
            continue
        width = (box.right - box.left) / max(1, len(text))
        for match in re.finditer(r"\S+", text):
            left, right = box.left + match.start() * width, box.left + match.end() * width
            yield Word(match.group(), Box(box.page, left, box.top, right, box.bottom))
