"""Verdicts: what follows from the change, and the refusal of one that contradicts it. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import Any

from reviewqueue.core.strictjson import escape_pointer
from reviewqueue.errors import Faults
from reviewqueue.models.states import Verdict

MISSING = object()


@dataclass(frozen=True)
class Judged:
    """The verdict, and the output it ends with (None for a rejection)."""

    verdict: Verdict
    output: Any


def judge(
    *, given: Verdict | None, ai_output: Any, output: Any, view: str, started_blank: bool, faults: Faults
) -> Judged:
    """The verdict that follows from the change. `output` is MISSING where none was sent.

    Adds a fault where the verdict given contradicts the change: approve with another output, edit or override without
    a change, edit where nothing of the AI's output survives, override where something does (unless the reviewer
    started blank), reject with an output.
    """
    if given is Verdict.REJECT:
        if output is not MISSING and output is not None:
            faults.add("/output", "must be null or absent with reject: nothing replaces the AI's output")
        return Judged(Verdict.REJECT, None)
    if given is Verdict.APPROVE:
        return _approved(ai_output, output, faults)
    if output is MISSING or (output is None and ai_output is None):
        faults.add("/output", "is required: the corrected output")
        return Judged(given or Verdict.OVERRIDE, None)
    if same(ai_output, output):
        if given is not None:
            faults.add("/verdict", f"{given.value} changes something, and this output equals the AI's: approve it")
        return Judged(Verdict.APPROVE, ai_output)
    derived = _derived(ai_output, output, view, started_blank=started_blank)
    if given is not None and not _consistent(given, derived, view):
        faults.add("/verdict", _contradiction(derived))
    return Judged(given or derived, output)


def _approved(ai_output: Any, output: Any, faults: Faults) -> Judged:
    if ai_output is None:
        faults.add("/verdict", "the AI gave no output: there is nothing to approve; send override or reject")
    elif output is not MISSING and not same(ai_output, output):
        faults.add(
            "/verdict", "approve leaves the AI's output as it is, and this output differs: send edit or override"
        )
    return Judged(Verdict.APPROVE, ai_output)


def _derived(ai_output: Any, output: Any, view: str, *, started_blank: bool) -> Verdict:
    if view == "choice" or started_blank or ai_output is None:
        return Verdict.OVERRIDE
    if view == "text":
        survives = bool(_words(ai_output) & _words(output))
    elif view in {"multi_choice", "spans", "image_boxes"}:
        survives = bool(set(_units(ai_output)) & set(_units(output)))
    else:
        new = dict(leaves(output))
        survives = any(same(value, new.get(pointer, MISSING)) for pointer, value in leaves(ai_output))
        survives = survives or (view == "chat" and bool(_words(ai_output) & _words(output)))
    return Verdict.EDIT if survives else Verdict.OVERRIDE


def _consistent(given: Verdict, derived: Verdict, view: str) -> bool:
    # A text is one leaf: changing a word of it may be called either.
    return given is derived or (view in {"text", "chat"} and given is Verdict.OVERRIDE)


def _contradiction(derived: Verdict) -> str:
    if derived is Verdict.OVERRIDE:
        return "nothing of the AI's output survives: that is override, not edit"
    return "part of the AI's output survives: that is edit; for a fresh start send started_blank: true with override"


def _words(value: Any) -> set[str]:
    return {word.casefold() for _, leaf in leaves(value) if isinstance(leaf, str) for word in re.findall(r"\w+", leaf)}


def _units(value: Any, place: str = "") -> Iterator[tuple[str, str]]:
    """What may survive of lists: leaves by their place, whatever their index, for a label that stays may stand earlier;
    of a span, two of its start, end and label; of a box, its place or its label."""
    if isinstance(value, dict) and value.keys() >= {"start", "end", "label"}:
        for kept in (("start", "end"), ("start", "label"), ("end", "label")):
            yield f"{place}/{'+'.join(kept)}", json.dumps([value[key] for key in kept])
    elif isinstance(value, dict) and value.keys() >= {"x", "y", "width", "height", "label"}:
        yield f"{place}/sides", json.dumps([value[key] for key in ("x", "y", "width", "height")])
        yield f"{place}/label", json.dumps(value["label"])
    elif isinstance(value, dict):
        for key, element in value.items():
            yield from _units(element, f"{place}/{escape_pointer(key)}")
    elif isinstance(value, list):
        for element in value:
            yield from _units(element, f"{place}/*")
    else:
        yield place, json.dumps(value)


def same(left: Any, right: Any) -> bool:
    """Equality of JSON values: 1 and 1.0 are the same number, true is not 1, and keys have no order."""
    if isinstance(left, str):
        return isinstance(right, str) and left == right
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(value, right[key]) for key, value in left.items())
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(same(*pair) for pair in zip(left, right, strict=True))
    return type(left) is type(right) and left == right if not _numbers(left, right) else bool(left == right)


def _numbers(left: Any, right: Any) -> bool:
    return isinstance(left, int | float) and isinstance(right, int | float)


def sameness(value: Any) -> Hashable:
    """What two values have in common just if they are the `same`: a key, so that many are compared in linear time."""
    if isinstance(value, dict):
        return "object", frozenset((key, sameness(element)) for key, element in value.items())
    if isinstance(value, list):
        return "array", tuple(sameness(element) for element in value)
    # Python takes 1 for True, and hashes 1 as 1.0.
    kind = "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value)
    return kind, value


def leaves(value: Any, pointer: str = "") -> Iterator[tuple[str, Any]]:
    """Every leaf with its JSON Pointer; an empty object or array is a leaf."""
    if isinstance(value, dict) and value:
        for key, element in value.items():
            yield from leaves(element, f"{pointer}/{escape_pointer(key)}")
    elif isinstance(value, list) and value:
        for index, element in enumerate(value):
            yield from leaves(element, f"{pointer}/{index}")
    else:
        yield pointer, value
