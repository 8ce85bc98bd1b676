"""Answers side by side, leaf by leaf, with what differs marked. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from reviewqueue.core.strictjson import unescape_pointer
from reviewqueue.resolution.verdicts import MISSING, leaves, same
from reviewqueue.review.shown import scalar, words


@dataclass(frozen=True)
class Cell:
    """What one of them says there; `text` is None where it says nothing."""

    text: str | None
    group: int
    """Cells of a row that say the same have the same number, from 0 for the first; -1 where there is no output."""


@dataclass(frozen=True)
class Row:
    """One leaf of the outputs: the model's first, then the reviews'."""

    name: str
    cells: list[Cell]

    @property
    def disputed(self) -> bool:
        """Whether the reviews differ here."""
        return len({cell.group for cell in self.cells[1:] if cell.group >= 0}) > 1


def side_by_side(outputs: Sequence[Any]) -> list[Row]:
    """The leaves of all `outputs`, in the order in which they first come; MISSING is an output that there is none of,
    which is left out of the comparison."""
    told = [dict(leaves(output)) if output is not MISSING else {} for output in outputs]
    pointers = dict.fromkeys(pointer for output in told for pointer in output)
    return [
        Row(_name(pointer), _cells([output.get(pointer, MISSING) for output in told], outputs)) for pointer in pointers
    ]


def _cells(values: Sequence[Any], outputs: Sequence[Any]) -> list[Cell]:
    known: list[Any] = []
    cells = []
    for value, output in zip(values, outputs, strict=True):
        if output is MISSING:
            cells.append(Cell(None, -1))
            continue
        group = next((at for at, other in enumerate(known) if value is other or same(value, other)), len(known))
        if group == len(known):
            known.append(value)
        cells.append(Cell(None if value is MISSING else scalar(value), group))
    return cells


def _name(pointer: str) -> str:
    keys = [unescape_pointer(key) for key in pointer.split("/")[1:]]
    return " · ".join(str(int(key) + 1) if key.isdigit() and key.isascii() else words(key) for key in keys) or "Output"
