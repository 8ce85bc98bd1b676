"""Several labels of a list: each with the model's confidence, the proposed ones ticked. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from werkzeug.datastructures import MultiDict

from reviewqueue.core import strictjson
from reviewqueue.errors import Faults
from reviewqueue.review.shown import Change
from reviewqueue.review.workpiece import Workpiece

MOST_DIGITS = 9
SENT = "labels"
"""The form field; sent once with no value, so that a form without a tick is known from none."""


@dataclass
class Label:
    value: str
    """As JSON text: labels need not be text."""
    name: str
    confidence: float | None = None
    pointer: str = ""
    """Into the AI's output, of a proposed one."""
    doubtful: bool = False
    key: str = ""
    ticked: bool = False

    @property
    def proposed(self) -> bool:
        return bool(self.pointer)


class MultiChoice:
    """`listed` are in sight with their digits; `others` are found by searching."""

    def __init__(self, work: Workpiece, ai: Any, pointer: str) -> None:
        self._ai = ai
        self._given = [strictjson.dumps(label) for label in ai] if isinstance(ai, list) else []
        self._offered = [strictjson.dumps(label) for label in work.config.labels]
        self._pointer = pointer
        self._rated = _alternatives(work)
        places = {value: f"{pointer}/{index}" for index, value in reversed(list(enumerate(self._given)))}
        labels = {value: self._label(value, places.get(value, ""), work) for value in [*self._offered, *places]}
        if len(self._offered) <= MOST_DIGITS:
            self.listed = list(labels.values())
        else:
            spoken = dict.fromkeys([*self._given, *(value for value in self._rated if value in labels)])
            self.listed = [labels[value] for value in spoken]
        self.others = [label for label in labels.values() if label not in self.listed]
        for number, label in enumerate(self.listed[:MOST_DIGITS], 1):
            label.key = str(number)

    def _label(self, value: str, pointer: str, work: Workpiece) -> Label:
        name = json.loads(value)
        confidence = work.parts.get(pointer) if pointer else self._rated.get(value)
        doubtful = bool(pointer) and confidence is not None and confidence < work.config.doubtful_below
        return Label(
            value, name if isinstance(name, str) else value, confidence, pointer, doubtful, ticked=bool(pointer)
        )

    @property
    def all(self) -> list[Label]:
        return [*self.listed, *self.others]

    @property
    def first(self) -> Label | None:
        """The proposed label of the lowest confidence: to be looked at first."""
        rated = [label for label in self.listed if label.proposed and label.confidence is not None]
        return min(rated, key=lambda label: label.confidence or 0.0) if rated else None

    def take(self, data: MultiDict[str, str]) -> None:
        if SENT not in data:
            return
        sent = set(data.getlist(SENT))
        for label in self.all:
            label.ticked = label.value in sent
        self._unknown = sent - {label.value for label in self.all} - {""}
        # What was ticked stays in sight.
        found = [label for label in self.others if label.ticked]
        self.listed += found
        self.others = [label for label in self.others if label not in found]

    _unknown: frozenset[str] | set[str] = frozenset()

    def as_form(self, value: Any) -> Iterable[tuple[str, str]]:
        yield SENT, ""
        for label in value if isinstance(value, list) else []:
            yield SENT, strictjson.dumps(label)

    @property
    def changes(self) -> list[Change]:
        """Labels that go and come."""
        gone = [Change("gone", label.name) for label in self.all if label.proposed and not label.ticked]
        return gone + [Change("new", label.name) for label in self.all if label.ticked and not label.proposed]

    @property
    def changed(self) -> bool:
        return bool(self.changes or self._unknown) or not isinstance(self._ai, list)

    def decided(self, faults: Faults) -> Any:
        if not self.changed:
            return self._ai
        if self._unknown:
            faults.add(f"/output{self._pointer}", "has something that is not one of the labels")
        ticked = {label.value for label in self.all if label.ticked}
        kept = [value for value in dict.fromkeys(self._given) if value in ticked]
        return [json.loads(value) for value in [*kept, *(v for v in self._offered if v in ticked and v not in kept)]]


def _alternatives(work: Workpiece) -> dict[str, float | None]:
    """Labels of the model's alternatives, each with the confidence of the first that has it."""
    name = work.config.view.output
    rated: dict[str, float | None] = {}
    for alternative in work.alternatives:
        output = alternative.get("output")
        value = output.get(name) if name is not None and isinstance(output, dict) else output
        for label in value if isinstance(value, list) else []:
            rated.setdefault(strictjson.dumps(label), alternative.get("confidence"))
    return rated
