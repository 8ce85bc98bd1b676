"""The table behind each chart: shown on the page, and as CSV. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from reviewqueue.feedback.formats.lines import csv_line
from reviewqueue.insights.rates import Rate


@dataclass(frozen=True)
class Column:
    title: str
    kind: str = "text"
    """`text`, `count`, `rate` (with its interval), `share`, `difference` (of shares), `heat` (a count, shaded),
    `seconds`, `figure`, `money`, `day`."""
    name: str = ""
    """In CSV; left out: the title in lower case."""

    @property
    def names(self) -> list[str]:
        name = self.name or self.title.lower().replace(" ", "_")
        return [name, f"{name}_low", f"{name}_high", f"{name}_met", f"{name}_of"] if self.kind == "rate" else [name]


@dataclass(frozen=True)
class Table:
    key: str
    """Its name in addresses."""
    title: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Any]]


def as_csv(table: Table) -> bytes:
    """With a heading; a rate has five columns."""
    heading = csv_line([name for column in table.columns for name in column.names])
    return heading + b"".join(csv_line([cell for value in row for cell in _cells(value)]) for row in table.rows)


def _cells(value: Any) -> list[Any]:
    if isinstance(value, Rate):
        return [value.value, value.low, value.high, value.met, value.of]
    return [value]
