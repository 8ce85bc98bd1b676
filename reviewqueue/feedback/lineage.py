"""What a dataset version was made of, counted while its shards are written. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

NAMES = ("config_versions", "models", "reviewers", "verdicts", "dropped", "changes")
"""Of what is counted: items by configuration version, by model and by verdict; decisions by reviewer; items that were
left out, by why; items by what became of them since the parent."""
Counts = dict[str, Counter[str]]


def nothing() -> Counts:
    return {name: Counter() for name in NAMES}


def take(counts: Counts, row: Any, decisions: Sequence[Any]) -> None:
    """Count an item that is in the version."""
    counts["config_versions"][str(row.config_version)] += 1
    if row.model:
        counts["models"][f"{row.model}@{row.model_version}"] += 1
    counts["verdicts"][str(row.verdict)] += 1
    for decision in decisions:
        counts["reviewers"][decision.pseudonym] += 1


def as_json(counts: Counts) -> dict[str, dict[str, int]]:
    return {name: dict(found) for name, found in counts.items() if found}


def together(shards: Iterable[Mapping[str, Mapping[str, int]]]) -> Counts:
    """What all shards counted."""
    found = nothing()
    for shard in shards:
        for name, counted in shard.items():
            found[name].update(counted)
    return found
