"""Candidates side by side: pick the best, or put them in order. Pure.

The page knows them as A, B, C, in an order that follows from the task alone, so that neither the place nor the name
tells which model a candidate is from, and two reviewers see them in different orders.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from werkzeug.datastructures import MultiDict

from reviewqueue.errors import Faults
from reviewqueue.queues import candidates
from reviewqueue.queues.schemas import property_schema
from reviewqueue.resolution.verdicts import MISSING
from reviewqueue.review.shown import Change, Line, lines
from reviewqueue.review.workpiece import Workpiece

NO_DIFFERENCE = "none"


@dataclass(frozen=True)
class Candidate:
    letter: str
    key: str
    id: str
    """Never shown: it may name a model."""
    text: str | None
    rows: list[Line]
    """Of an output that is no text."""


class Compare:
    """`chosen` is a letter, or `none`, or empty; `places` has each letter's place, from 1, as text."""

    def __init__(self, work: Workpiece, ai: Any, pointer: str) -> None:
        config = work.config
        schema = property_schema(config.output_schema, config.view.output)
        self._ai, self._pointer = ai, pointer
        self.ranks = candidates.how(schema) == "rank"
        self.offers_no_difference = config.view.output is not None and isinstance(schema.get("type"), list)
        found = candidates.found_in(work.input, config.view.candidates)
        found = sorted(found, key=lambda one: hashlib.sha256(f"{work.task_id}:{one['id']}".encode()).digest())
        self.candidates = [_candidate(index, one) for index, one in enumerate(found)]
        self._letters = {one.id: one.letter for one in self.candidates}
        self.proposed = self._said(ai)
        self.chosen, self.places = "", dict.fromkeys(self._letters.values(), "")
        self.take(MultiDict(list(self.as_form(ai))))

    def _said(self, value: Any) -> list[str]:
        """Letters, the best first; `none` where there is no difference."""
        if value is None and self.offers_no_difference:
            return [NO_DIFFERENCE]
        named = value if isinstance(value, list) else [value]
        return [self._letters[each] for each in named if isinstance(each, str) and each in self._letters]

    def take(self, data: MultiDict[str, str]) -> None:
        self.chosen = data.get("pick", self.chosen)
        self.places = {letter: data.get(f"place/{letter}", place).strip() for letter, place in self.places.items()}

    def as_form(self, value: Any) -> Iterable[tuple[str, str]]:
        said = self._said(value)
        if self.ranks:
            yield from ((f"place/{letter}", str(place)) for place, letter in enumerate(said, 1))
        elif said:
            yield "pick", said[0]

    @property
    def said(self) -> list[str]:
        """What the form says, as `proposed`."""
        if not self.ranks:
            return [self.chosen] if self.chosen else []
        placed = [letter for letter, place in self.places.items() if place.isdecimal()]
        return sorted(placed, key=lambda letter: int(self.places[letter]))

    @property
    def changed(self) -> bool:
        return self.said != self.proposed or self._ai is MISSING

    @property
    def changes(self) -> list[Change]:
        if not self.changed or not self.said or not self.proposed:
            return []
        return [Change("gone", in_words(self.proposed)), Change("new", in_words(self.said))]

    def decided(self, faults: Faults) -> Any:
        if not self.changed:
            return self._ai
        ids = {one.letter: one.id for one in self.candidates}
        if self.ranks:
            if not any(self.places.values()):
                return MISSING
            if sorted(self.places.values()) != sorted(str(place) for place in range(1, len(ids) + 1)):
                faults.add(f"/output{self._pointer}", f"give each a place, 1 to {len(ids)}, and none the same")
                return MISSING
            return [ids[letter] for letter in self.said]
        if self.chosen == NO_DIFFERENCE and self.offers_no_difference:
            return None
        if self.chosen and self.chosen not in ids:
            faults.add(f"/output{self._pointer}", "is not one of the candidates")
        return ids.get(self.chosen, MISSING)


def in_words(said: list[str]) -> str:
    """`B, A, C`: the best first."""
    return "No difference" if said == [NO_DIFFERENCE] else ", ".join(said)


def _candidate(index: int, given: Any) -> Candidate:
    output = given["output"]
    text = output if isinstance(output, str) else None
    return Candidate(
        chr(ord("A") + index), str(index + 1), given["id"], text, [] if text is not None else list(lines(output))
    )
