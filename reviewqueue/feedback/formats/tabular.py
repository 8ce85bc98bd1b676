"""Before and after, a row a field: what the AI said, what stands, and what became of it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from reviewqueue.core.strictjson import spliced
from reviewqueue.feedback.formats.frame import Frame
from reviewqueue.feedback.formats.lines import Table
from reviewqueue.feedback.records import parts

COLUMNS = (
    "item_id", "external_id", "model", "model_version", "pointer", "before", "after", "state", "verdict", "reviewer",
    "confidence", "probability",
)  # fmt: skip
"""`before` and `after` are JSON; empty where the field was not there."""


def writer(_: Frame) -> Table:
    return Table(COLUMNS, rows)


def rows(row: Any, decisions: Sequence[Any]) -> Iterator[list[Any]]:
    """A rejection has none: nothing was said of its fields."""
    reviewer = decisions[-1].pseudonym if decisions else None
    for part in parts(row, decisions):
        before, after = (spliced(part[name]) if name in part else None for name in ("was", "now"))
        yield [
            row.id, row.external_id, row.model, row.model_version, part["pointer"], before, after, part["state"],
            row.verdict, reviewer, row.confidence, row.probability,
        ]  # fmt: skip
