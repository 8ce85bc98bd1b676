"""In which order items teach most: the doubtful first, in turn over what the model says. Pure.

A model learns most from items whose two best answers are close (the margin; T. Scheffer, C. Decomain, S. Wrobel:
Active hidden Markov models for information extraction, IDA 2001). By that alone a few labels that it always confuses
would come before all others, so that each label is ordered by itself and they take turns.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

LEVELS = 1000
"""From 0 down to -1000: the priorities that a queue's rules may give, too."""


def doubt_of(confidence: float | None, alternatives: str | None) -> float:
    """How far the best answer is before the second, from 0; `alternatives` is JSON text. 0 where nothing is known."""
    others = json.loads(alternatives) if alternatives else []
    second = max((float(each.get("confidence") or 0.0) for each in others), default=0.0)
    return max(0.0, (confidence or 0.0) - second)


def group_of(view: str, model: str | None, model_version: str | None, output: str) -> str:
    """Among which items it is ordered: those of the same label from the same model version. Only a `choice` has labels;
    a new version begins anew."""
    said: Any = json.loads(output) if view == "choice" else None
    return hashlib.sha256(json.dumps([model, model_version, said], sort_keys=True).encode()).hexdigest()


def priority_of(more_doubtful: int, items: int, groups: int, *, known: bool) -> int:
    """Its place among those of its group, as a share of all items, so that groups take turns whatever their size and
    however many are still to come: 0 is first, -1000 last. What says the same as an earlier item comes last."""
    if known:
        return -LEVELS
    turn = (more_doubtful + 0.5) * groups / max(1, items)
    return -min(LEVELS - 1, 1 + int(LEVELS / 2 * turn))
