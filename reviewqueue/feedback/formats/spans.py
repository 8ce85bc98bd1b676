"""Labelled spans of a text: by offsets in Unicode code points, or as IOB tags of its words. Pure.

    offsets  {text, spans: [{start, end, label}], item_id}
    IOB2     {tokens: [word], tags: ["B-name", "I-name", "O"], item_id}

A word is a run of letters and digits, or one other mark. It has one tag: where spans overlap, that of the longest.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from reviewqueue.core.strictjson import exact
from reviewqueue.feedback.formats.frame import Frame, decided
from reviewqueue.feedback.formats.lines import Examples

TYPES = frozenset({"spans"})
_WORD = re.compile(r"\w+|[^\w\s]")


def offsets(frame: Frame) -> Examples:
    return Examples(frame, with_offsets)


def iob(frame: Frame) -> Examples:
    return Examples(frame, with_tags)


def _spans(frame: Frame, row: Any) -> tuple[str, list[dict[str, Any]]] | None:
    view, given = frame.view_of(row), exact(row.input)
    found = decided(view, exact(row.final_output))
    if found is None:
        return None
    text = given[view.input] if view.input is not None else given
    return text, [{**one, "start": int(one["start"]), "end": int(one["end"])} for one in found]


def with_offsets(frame: Frame, row: Any, _: Sequence[Any]) -> Iterator[dict[str, Any]]:
    if (found := _spans(frame, row)) is not None:
        yield {"text": found[0], "spans": found[1], "item_id": row.id}


def with_tags(frame: Frame, row: Any, _: Sequence[Any]) -> Iterator[dict[str, Any]]:
    if (found := _spans(frame, row)) is None:
        return
    text, spans = found
    words = [(match.start(), match.end()) for match in _WORD.finditer(text)]
    tags = ["O"] * len(words)
    # The longest last, so that it stands.
    for span in sorted(spans, key=lambda one: one["end"] - one["start"]):
        inside = [place for place, (start, end) in enumerate(words) if start < span["end"] and end > span["start"]]
        for place in inside:
            tags[place] = f"{'B' if place == inside[0] else 'I'}-{span['label']}"
    yield {"tokens": [text[start:end] for start, end in words], "tags": _legal(tags), "item_id": row.id}


def _legal(tags: list[str]) -> list[str]:
    """An `I-` begins no span: what a longer span has cut off begins anew."""
    before = "O"
    for place, tag in enumerate(tags):
        if tag.startswith("I-") and before[2:] != tag[2:]:
            tags[place] = f"B-{tag[2:]}"
        before = tags[place]
    return tags
