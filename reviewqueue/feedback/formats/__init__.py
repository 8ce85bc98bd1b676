"""The formats of an export: how a record becomes a line. Pure."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from typing import Any, Protocol

from reviewqueue.core.moments import iso
from reviewqueue.feedback.formats import label_studio
from reviewqueue.feedback.formats.coco import Coco
from reviewqueue.feedback.formats.frame import Frame
from reviewqueue.feedback.records import record, weight_of

JSONL, CSV, COCO, LABEL_STUDIO = "jsonl", "csv", "coco", "label-studio"
FORMATS = (JSONL, CSV, COCO, LABEL_STUDIO)
TYPES = {COCO: frozenset({"image_boxes"}), LABEL_STUDIO: label_studio.TYPES}
"""The types of view that a format can say, where it cannot say all."""
MEDIA_TYPES = {JSONL: "application/x-ndjson", CSV: "text/csv", "json": "application/json"}

COLUMNS = (
    "item_id", "external_id", "queue", "config_version", "model", "model_version", "input", "output", "confidence",
    "risk", "verdict", "final_output", "resolved_by", "revision", "resolved_at", "reviewer", "reason", "comment",
    "spent_seconds", "decisions", "rule", "audit_sample", "probability", "metadata", "submitted_at", "weight",
)  # fmt: skip
"""Of a CSV file. `input`, `output`, `final_output` and `metadata` are JSON; reviewer, reason, comment and seconds are
those of the last decision."""

_DANGEROUS = ("=", "+", "-", "@", "\t", "\r")


class Writer(Protocol):
    """One file of an export."""

    @property
    def rows(self) -> int:
        """Items that are in it."""

    def begin(self) -> bytes:
        """What it begins with."""

    def take(self, row: Any, decisions: Sequence[Any], media: Sequence[Any]) -> bytes:
        """What an item adds; `media` is empty for a format without `TYPES`."""

    def end(self) -> bytes:
        """What it ends with."""


def writer(kind: str, frame: Frame) -> Writer:
    """For one file of that format. `frame` says nothing for a format without `TYPES`."""
    if kind == COCO:
        return Coco(frame)
    return label_studio.LabelStudio(frame) if kind == LABEL_STUDIO else Lines(kind)


def suffix(kind: str) -> str:
    """Of the names of its files."""
    return "json" if kind in TYPES else kind


class Lines:
    """JSONL and CSV: a line an item."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self.rows = 0

    def begin(self) -> bytes:
        return csv_line(COLUMNS) if self._kind == CSV else b""

    def take(self, row: Any, decisions: Sequence[Any], _: Sequence[Any]) -> bytes:
        self.rows += 1
        return line(self._kind, row, decisions)

    def end(self) -> bytes:
        return b""


def line(kind: str, row: Any, decisions: Sequence[Any]) -> bytes:
    """One item as a line, its end included."""
    if kind == JSONL:
        # Content may have been sent over several lines. Within its strings a line's end is always escaped.
        return record(row, decisions).replace("\n", " ").replace("\r", " ").encode() + b"\n"
    last = decisions[-1] if decisions else None
    return csv_line([
        row.id, row.external_id, row.slug, row.config_version, row.model, row.model_version, row.input, row.output,
        row.confidence, row.risk, row.verdict, row.final_output, row.by, row.revision, iso(row.resolved_at),
        last and last.pseudonym, last and last.reason, last and last.comment, last and last.spent_seconds,
        len(decisions), row.rule, json.dumps(row.audit_sample), row.probability, row.metadata_json, iso(row.created_at),
        weight_of(row),
    ])  # fmt: skip


def csv_line(cells: Sequence[Any]) -> bytes:
    """A line of CSV, its end included."""
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\r\n").writerow([_harmless(cell) for cell in cells])
    return buffer.getvalue().encode()


def _harmless(cell: Any) -> Any:
    """A text that a spreadsheet would run as a formula gets an apostrophe in front."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_DANGEROUS) else cell
