"""Which items an export's filter keeps, by what stands in them and who judged them. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reviewqueue.feedback.formats.frame import View, decided
from reviewqueue.resolution.verdicts import same


@dataclass(frozen=True)
class Sieve:
    """What a query cannot tell of an item."""

    labels: tuple[Any, ...] = ()
    """The final output is one of these, or has one."""
    agreement: float | None = None
    """At least this share of its decisions gave the final answer."""
    reviews: int | None = None
    """At least so many people decided it."""
    doubtful: frozenset[str] = frozenset()
    """Pseudonyms of people whose answers are known to be worse than asked for: none of them decided it."""

    @property
    def passes_all(self) -> bool:
        return not (self.labels or self.doubtful or self.reviews or self.agreement)

    def keeps(self, view: View, row: Any, decisions: Sequence[Any]) -> bool:
        standing = [one for one in decisions if not one.late]
        if self.reviews is not None and len({one.pseudonym for one in standing}) < self.reviews:
            return False
        if any(one.pseudonym in self.doubtful for one in standing):
            return False
        if self.agreement is not None and agreement_of(row, standing) < self.agreement:
            return False
        return not self.labels or has_label(decided(view, json.loads(row.final_output)), self.labels)


def agreement_of(row: Any, standing: Sequence[Any]) -> float:
    """Share of the decisions that gave the answer in force; 0 where nobody decided."""
    if not standing:
        return 0.0
    final = json.loads(row.final_output)
    return sum(same(json.loads(one.output), final) for one in standing) / len(standing)


def has_label(value: Any, labels: Sequence[Any]) -> bool:
    """Whether what was decided is one of the labels, or a list with one of them, or with a span or a box of one."""
    if isinstance(value, list):
        return any(has_label(one, labels) for one in value)
    if isinstance(value, Mapping):
        return "label" in value and has_label(value["label"], labels)
    return any(same(value, label) for label in labels)
