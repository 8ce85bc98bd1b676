"""How the records of a dataset version become files: splits, groups, duplicates, labels of another version. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Self

BY_INPUT = "input"
"""As `group_by`: items with the same input stay together."""
WHOLE = 1 << 64


@dataclass(frozen=True)
class Recipe:
    splits: Mapping[str, float] = field(default_factory=dict)
    """Shares by name, which make 1; empty: one file a shard."""
    group_by: str | None = None
    """A path as in `$.customer`, or `input`; None: the item's subject, else its external id."""
    salt: str | None = None
    """Before the key of a group; None: the queue's name."""
    deduplicate: bool = False
    """Of items with the same input, the one that was resolved last."""
    since_version: int | None = None
    """Only what was added or changed since that version of the queue's datasets."""
    as_version: int | None = None
    """Outputs as that version of the configuration has them; what does not fit is left out."""
    labels: Mapping[str, str | None] = field(default_factory=dict)
    """With `as_version`: what a label is called there; null: it is not there."""
    sensitive: bool = False
    """Also what the queue marks as sensitive; for administrators."""

    @classmethod
    def parse(cls, text: str) -> Self:
        return cls(**json.loads(text))

    def as_json(self) -> dict[str, Any]:
        """What differs from the default."""
        plain = type(self)()
        named = ((one.name, getattr(self, one.name)) for one in fields(self))
        return {
            name: dict(value) if isinstance(value, Mapping) else value
            for name, value in named
            if value != getattr(plain, name)
        }

    def split_of(self, row: Any, canonical_input: Any) -> str:
        """The split of an item: that of its group. `canonical_input` makes the input's canonical text."""
        salt = row.slug if self.salt is None else self.salt
        key = self.group_of(row, canonical_input)
        return self.drawn(int.from_bytes(hashlib.sha256(f"{salt}{key}".encode()).digest()[:8], "big"))

    def drawn(self, number: int) -> str:
        """The split that a number of 64 bits falls into, in the order of their names: members of JSON have none."""
        ends, upto = sorted(self.splits), 0.0
        for name in ends[:-1]:
            upto += self.splits[name]
            if number < upto * WHOLE:
                return name
        return ends[-1]

    def group_of(self, row: Any, canonical_input: Any) -> str:
        """What must not be torn apart."""
        if self.group_by == BY_INPUT:
            return str(canonical_input(json.loads(row.input)))
        if self.group_by is not None:
            for text in (row.input, row.metadata_json):
                found = at_path(json.loads(text), self.group_by)
                if found is not None:
                    return found if isinstance(found, str) else json.dumps(found, sort_keys=True)
        return str(row.subject or row.external_id or row.id)


def at_path(value: Any, path: str) -> Any:
    """What `$.customer.id` names; None where it is not there."""
    for name in path.removeprefix("$.").split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


# -- labels of another version ----------------------------------------------------------------------------------------


class Unmapped(Exception):
    """The label has no counterpart there."""


def relabelled(value: Any, labels: Mapping[str, str | None]) -> Any:
    """What a view decides, with its labels renamed. Raises `Unmapped` for a label that is mapped to none.

    A label is a text, or the `label` of a span or a box; lists of either are many.
    """
    if isinstance(value, list):
        return [relabelled(one, labels) for one in value]
    if isinstance(value, dict) and "label" in value:
        return {**value, "label": relabelled(value["label"], labels)}
    if isinstance(value, str) and value in labels:
        found = labels[value]
        if found is None:
            raise Unmapped(value)
        return found
    return value


def renamed(view: Any, output: Any, labels: Mapping[str, str | None]) -> Any:
    """An output with the labels of its decided property renamed. Raises `Unmapped`."""
    if not labels or output is None:
        return output
    if view.output is None:
        return relabelled(output, labels)
    if isinstance(output, dict) and view.output in output:
        return {**output, view.output: relabelled(output[view.output], labels)}
    return output
