"""Files of lines: the feedback records themselves, CSV, and whatever makes examples of a record. Pure."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from reviewqueue.core.moments import iso
from reviewqueue.core.strictjson import as_written, spliced
from reviewqueue.feedback.formats.frame import Frame
from reviewqueue.feedback.records import weight_of

COLUMNS = (
    "item_id", "external_id", "queue", "config_version", "model", "model_version", "input", "output", "confidence",
    "risk", "verdict", "final_output", "resolved_by", "revision", "resolved_at", "reviewer", "reason", "comment",
    "spent_seconds", "decisions", "rule", "audit_sample", "probability", "metadata", "submitted_at", "weight",
)  # fmt: skip
"""Of a CSV file. `input`, `output`, `final_output` and `metadata` are JSON; reviewer, reason, comment and seconds are
those of the last decision."""

_DANGEROUS = ("=", "+", "-", "@", "\t", "\r")


class Records:
    """JSONL: the record a line."""

    def __init__(self, _: Frame) -> None:
        self.rows = 0

    def begin(self) -> bytes:
        return b""

    def take(self, _: Any, __: Sequence[Any], ___: Sequence[Any], record: bytes) -> bytes:
        self.rows += 1
        return record + b"\n"

    def end(self) -> bytes:
        return b""


class Table:
    """CSV: so many rows an item as `cells` gives."""

    def __init__(self, columns: Sequence[str], cells: Callable[[Any, Sequence[Any]], Iterable[Sequence[Any]]]) -> None:
        self._columns, self._cells = columns, cells
        self.rows = 0

    def begin(self) -> bytes:
        return csv_line(self._columns)

    def take(self, row: Any, decisions: Sequence[Any], _: Sequence[Any], __: bytes) -> bytes:
        found = [csv_line(cells) for cells in self._cells(row, decisions)]
        self.rows += len(found)
        return b"".join(found)

    def end(self) -> bytes:
        return b""


class Examples:
    """JSONL: so many examples an item as `examples` gives, with every digit of the numbers in them."""

    def __init__(self, frame: Frame, examples: Callable[[Frame, Any, Sequence[Any]], Iterable[Any]]) -> None:
        self._frame, self._examples = frame, examples
        self.rows = 0

    def begin(self) -> bytes:
        return b""

    def take(self, row: Any, decisions: Sequence[Any], _: Sequence[Any], __: bytes) -> bytes:
        found = [spliced(as_written(one)).encode() + b"\n" for one in self._examples(self._frame, row, decisions)]
        self.rows += len(found)
        return b"".join(found)

    def end(self) -> bytes:
        return b""


def items(_: Frame) -> Table:
    """CSV: a row an item."""
    return Table(COLUMNS, one_row)


def one_row(row: Any, decisions: Sequence[Any]) -> list[list[Any]]:
    """The cells of an item."""
    last = decisions[-1] if decisions else None
    return [[
        row.id, row.external_id, row.slug, row.config_version, row.model, row.model_version, row.input, row.output,
        row.confidence, row.risk, row.verdict, row.final_output, row.by, row.revision, iso(row.resolved_at),
        last and last.pseudonym, last and last.reason, last and last.comment, last and last.spent_seconds,
        len(decisions), row.rule, json.dumps(row.audit_sample), row.probability, row.metadata_json, iso(row.created_at),
        weight_of(row),
    ]]  # fmt: skip


def csv_line(cells: Sequence[Any]) -> bytes:
    """A line of CSV, its end included."""
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\r\n").writerow([_harmless(cell) for cell in cells])
    return buffer.getvalue().encode()


def _harmless(cell: Any) -> Any:
    """A text that a spreadsheet would run as a formula gets an apostrophe in front."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_DANGEROUS) else cell
