"""Who said what of which item: the long frame that crowd-kit reads, `task, worker, label`. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from reviewqueue.feedback.formats.frame import Frame, decided
from reviewqueue.feedback.formats.lines import Table


def writer(frame: Frame) -> Table:
    def rows(row: Any, decisions: Sequence[Any]) -> Iterator[list[Any]]:
        view = frame.view_of(row)
        for one in decisions:
            value = decided(view, json.loads(one.output))
            if not one.late and value is not None:
                yield [row.id, one.pseudonym, value if isinstance(value, str) else json.dumps(value)]

    return Table(("task", "worker", "label"), rows)
