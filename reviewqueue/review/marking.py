"""Spans as the desk shows them: the text in runs whose offsets a browser can read back, what is marked, what changes.
Pure."""

from __future__ import annotations

import bisect
import json
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from reviewqueue.review.fields import Part
from reviewqueue.review.shown import Change, pieces

MOST_DIGITS = 9
_OFFSET = re.compile(r"[0-9]{1,9}")
COLOURS = 6


@dataclass(frozen=True)
class Span:
    start: int
    end: int
    label: str
    key: str = ""
    """Of its row in the form."""


@dataclass(frozen=True)
class Run:
    """Text that stands at `at`, in code points; a hidden character has a `mark` and a `name`."""

    at: int
    text: str
    mark: str = ""
    name: str = ""


@dataclass(frozen=True)
class Segment:
    """Text under the same spans; `closes` are those that end with it."""

    runs: list[Run]
    spans: list[Span]
    closes: list[Span]


@dataclass(frozen=True)
class Label:
    name: str
    value: str
    """As JSON text."""
    key: str
    colour: int


@dataclass(frozen=True)
class Marking:
    text: str
    given: list[Span]
    now: list[Span]
    labels: list[Label]

    @property
    def segments(self) -> list[Segment]:
        return list(_segments(self.text, self.now))

    @property
    def colours(self) -> dict[str, int]:
        return {label.name: label.colour for label in self.labels}

    @property
    def as_given(self) -> str:
        """The AI's spans, for the script: `[[start, end, label], …]`."""
        return json.dumps([[span.start, span.end, span.label] for span in self.given])

    def quoted(self, span: Span) -> str:
        return self.text[span.start : span.end]

    def quotes(self) -> dict[str, str]:
        """What each row of the form marks."""
        return {span.key: self.quoted(span) for span in self.now}

    @property
    def changes(self) -> list[Change]:
        """Spans that go and come."""
        before, after = ({(span.start, span.end, span.label) for span in spans} for spans in (self.given, self.now))
        gone = [span for span in self.given if (span.start, span.end, span.label) not in after]
        new = [span for span in self.now if (span.start, span.end, span.label) not in before]
        return [Change("gone", self._said(span)) for span in gone] + [Change("new", self._said(span)) for span in new]

    def _said(self, span: Span) -> str:
        return f"{self.quoted(span)} · {span.label}"


def marking(text: str, labels: list[Any], ai: Any, part: Part) -> Marking:
    """`part` is the list of spans as the form holds it. With more than nine labels the digits are the model's first."""
    given = [span for index, one in enumerate(ai if isinstance(ai, list) else []) if (span := _given(one, str(index)))]
    offered = offered_labels(labels, [span.label for span in given])
    now = [span for row in part.children if (span := _typed(row))] if part.kind == "array" else given
    return Marking(text, _within(given, text), _within(now, text), offered)


def offered_labels(labels: list[Any], proposed: list[str]) -> list[Label]:
    """The labels with their keys and colours: with more than nine of them, those that the model used come first."""
    names = [label if isinstance(label, str) else json.dumps(label) for label in labels]
    order = names
    if len(names) > MOST_DIGITS:
        order = list(dict.fromkeys([*(name for name in proposed if name in names), *names]))
    keys = {name: str(number) for number, name in enumerate(order[:MOST_DIGITS], 1)}
    return [
        Label(name, json.dumps(label, ensure_ascii=False), keys.get(name, ""), index % COLOURS)
        for index, (name, label) in enumerate(zip(names, labels, strict=True))
    ]


def _within(spans: list[Span], text: str) -> list[Span]:
    return [span for span in spans if 0 <= span.start < span.end <= len(text)]


def _given(span: Any, key: str) -> Span | None:
    return _span(span.get("start"), span.get("end"), span.get("label"), key) if isinstance(span, dict) else None


def _typed(row: Part) -> Span | None:
    """The span in a row of the form; None while it is none."""
    texts = {leaf.name.rpartition("/")[2]: leaf.text.strip() for leaf in row.children}
    start, end, label = (texts.get(name, "") for name in ("start", "end", "label"))
    if not (_OFFSET.fullmatch(start) and _OFFSET.fullmatch(end) and label):
        return None
    with suppress(ValueError):
        return _span(int(start), int(end), json.loads(label), row.key)
    return None


def _span(start: Any, end: Any, label: Any, key: str) -> Span | None:
    if not isinstance(start, int | float) or not isinstance(end, int | float):
        return None
    return Span(int(start), int(end), label if isinstance(label, str) else json.dumps(label), key)


def _segments(text: str, spans: list[Span]) -> Iterator[Segment]:
    edges = sorted({0, len(text), *(span.start for span in spans), *(span.end for span in spans)})
    cut: list[list[Run]] = [[] for _ in edges]
    for run in _runs(text):
        for segment in range(bisect.bisect_right(edges, run.at) - 1, len(edges) - 1):
            first, end = max(edges[segment], run.at), min(edges[segment + 1], run.at + len(run.text))
            if first >= end:
                break
            cut[segment].append(Run(first, run.text[first - run.at : end - run.at], run.mark, run.name))
    for start, end, runs in zip(edges, edges[1:], cut, strict=False):
        over = [span for span in spans if span.start <= start and end <= span.end]
        yield Segment(runs, over, [span for span in over if span.end == end])


def _runs(text: str) -> Iterator[Run]:
    at = 0
    for piece in pieces(text):
        # A carriage return before a line feed is not shown, and counts.
        if text[at : at + 1] == "\r" and piece.text[:1] != "\r":
            at += 1
        yield Run(at, piece.text, piece.mark, piece.name)
        at += len(piece.text)
