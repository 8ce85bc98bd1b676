"""Consensus: what several reviews of one item amount to. Pure.

answers given ──► too few to tell ──► wait
             ├──► enough agree ─────► that answer
             └──► all given, no agreement ──► one review more (tie-break) ──► adjudication
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

from reviewqueue.core.strictjson import unescape_pointer
from reviewqueue.resolution.verdicts import MISSING, sameness

Rule = Literal["unanimous", "majority"]


class Step(StrEnum):
    WAIT = "wait"
    """Reviews are still to come that may decide it."""
    AGREED = "agreed"
    """An answer stands."""
    TIE_BREAK = "tie_break"
    """One review more is to decide."""
    ADJUDICATE = "adjudicate"
    """Somebody who sees the answers side by side is to decide."""


@dataclass(frozen=True)
class Outcome:
    step: Step
    place: int | None = None
    """With `AGREED`: of the answer that stands, the first of those that agree."""


@dataclass(frozen=True)
class Given:
    """One review's answer."""

    rejects: bool
    output: Any
    """None for a rejection."""


def outcome(
    answers: Sequence[Given], *, required: int, rule: Rule, agree_on: Sequence[str], breaks_ties: bool
) -> Outcome:
    """What `answers`, in order of time, amount to where `required` reviews were asked for.

    `unanimous`: all of them are alike. `majority`: more than half of `required` are, which may be certain before the
    last is given. `agree_on` are JSON Pointers: what must be alike, all of the output where there are none. With
    `breaks_ties`, when all were given in vain, one review more decides if it leaves one answer ahead that two or more
    gave.
    """
    groups = alike(answers, agree_on)
    most = max((len(group) for group in groups), default=0)
    ahead = [group for group in groups if len(group) == most]
    if len(answers) > required:
        decided = most > 1 and len(ahead) == 1
        return Outcome(Step.AGREED, ahead[0][0]) if decided else Outcome(Step.ADJUDICATE)
    if most >= (required if rule == "unanimous" else required // 2 + 1):
        return Outcome(Step.AGREED, ahead[0][0])
    if len(answers) < required:
        return Outcome(Step.WAIT)
    return Outcome(Step.TIE_BREAK if breaks_ties else Step.ADJUDICATE)


def alike(answers: Sequence[Given], agree_on: Sequence[str]) -> list[list[int]]:
    """The places of `answers`, those that agree in one list, in order of time."""
    groups: dict[Hashable, list[int]] = {}
    for place, answer in enumerate(answers):
        groups.setdefault(_said(answer, agree_on), []).append(place)
    return list(groups.values())


def _said(answer: Given, agree_on: Sequence[str]) -> Hashable:
    if answer.rejects:
        return None
    return tuple(sameness(_plain(_at(answer.output, pointer))) for pointer in agree_on or ("",))


def _at(value: Any, pointer: str) -> Any:
    """What `pointer` leads to; MISSING where there is nothing."""
    for key in pointer.split("/")[1:]:
        name = unescape_pointer(key)
        if isinstance(value, dict) and name in value:
            value = value[name]
        elif isinstance(value, list) and name.isascii() and name.isdigit() and int(name) < len(value):
            value = value[int(name)]
        else:
            return MISSING
    return value


def _plain(value: Any) -> Any:
    """Texts by their words: two people who type the same do not break lines alike."""
    if isinstance(value, str):
        return " ".join(value.split())
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, list) else value
