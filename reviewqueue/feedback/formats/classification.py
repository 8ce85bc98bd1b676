"""A text and its label: `{text, label, weight, item_id}`, or `labels` where there may be several. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from reviewqueue.core.strictjson import exact
from reviewqueue.feedback.formats.frame import Frame, decided, text_of
from reviewqueue.feedback.formats.lines import Examples

TYPES = frozenset({"choice", "multi_choice"})


def writer(frame: Frame) -> Examples:
    return Examples(frame, examples)


def examples(frame: Frame, row: Any, _: Sequence[Any]) -> Iterator[dict[str, Any]]:
    """A rejected item has no label, and makes none. `weight` is the inverse of its chance of being here."""
    view = frame.view_of(row)
    value = decided(view, exact(row.final_output))
    if value is None:
        return
    name = "labels" if isinstance(value, list) else "label"
    weight = 1 / row.probability if row.probability else 1.0
    yield {"text": text_of(view, exact(row.input)), name: value, "weight": weight, "item_id": row.id}
