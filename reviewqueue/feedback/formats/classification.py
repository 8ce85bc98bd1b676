"""A text and its label: `{text, label, weight, item_id}`, or `labels` where there may be several. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from reviewqueue.core.strictjson import exact
from reviewqueue.feedback.formats.frame import Frame, decided, text_of
from reviewqueue.feedback.formats.lines import Examples
from reviewqueue.feedback.records import weight_of

TYPES = frozenset({"choice", "multi_choice"})


def writer(frame: Frame) -> Examples:
    return Examples(frame, examples)


def examples(frame: Frame, row: Any, _: Sequence[Any]) -> Iterator[dict[str, Any]]:
    """A rejected item has no label, and makes none. `weight` says for how many items it stands, itself at least."""
    view = frame.view_of(row)
    value = decided(view, exact(row.final_output))
    if value is None:
        return
    name = "labels" if isinstance(value, list) else "label"
    weight = weight_of(row) or 1.0
    yield {"text": text_of(view, exact(row.input)), name: value, "weight": weight, "item_id": row.id}
