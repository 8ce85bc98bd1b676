"""Items as conversations: what was asked, and what a model is to answer. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from reviewqueue.core.strictjson import exact
from reviewqueue.feedback.formats.frame import Frame, as_text, decided, text_of
from reviewqueue.queues import candidates
from reviewqueue.queues.messages import found_in

Message = dict[str, Any]


@dataclass(frozen=True)
class Answers:
    """One prompt with answers to it, the better ones first."""

    prompt: list[Message]
    tools: list[Any]
    good: list[list[Message]]
    """That people stand behind."""
    bad: list[list[Message]]
    """That people replaced, rejected or liked less."""


def answers_of(frame: Frame, row: Any) -> Answers:
    """Of an item: what stands, and the AI's output where that does not stand. With `compare`, its candidates."""
    view, given = frame.view_of(row), exact(row.input)
    if view.type == "compare":
        return _compared(view, given, decided(view, exact(row.final_output)))
    output, final = exact(row.output), exact(row.final_output)
    good = [] if final is None else [reply(view, final)]
    stands = row.verdict == "approve"
    bad = [] if stands or output is None else [reply(view, output)]
    tools = given.get("tools") if isinstance(given, dict) else None
    return Answers(prompt(view, given), tools if isinstance(tools, list) else [], good, bad)


def prompt(view: Any, given: Any) -> list[Message]:
    """The input as messages: those that it has, else one of the user."""
    if view.type == "chat":
        return [dict(message) for message in found_in(given, view.input) if isinstance(message, dict)]
    return [{"role": "user", "content": text_of(view, given)}]


def reply(view: Any, output: Any) -> list[Message]:
    """An output as messages of the assistant."""
    value = decided(view, output)
    if view.type == "chat" and not isinstance(value, str):
        found = value if isinstance(value, list) else [value]
        return [{"role": "assistant", **one} for one in found if isinstance(one, dict)]
    return [{"role": "assistant", "content": as_text(value)}]


def _compared(view: Any, given: Any, said: Any) -> Answers:
    name = view.candidates or candidates.PROPERTY
    texts = {one["id"]: one["output"] for one in candidates.found_in(given, view.candidates)}
    if isinstance(said, list):
        order = [one for one in said if one in texts]
    else:
        order = [said, *(one for one in texts if one != said)] if said in texts else []
    asked = {key: value for key, value in given.items() if key != name} if isinstance(given, dict) else given
    only = next(iter(asked.values())) if isinstance(asked, dict) and len(asked) == 1 else asked
    about = given[view.input] if view.input is not None else only
    answers = [[{"role": "assistant", "content": as_text(texts[one])}] for one in order]
    return Answers([{"role": "user", "content": as_text(about)}], [], answers[:1], answers[1:])


def pairs(frame: Frame, row: Any) -> Iterator[tuple[Answers, list[Message], list[Message]]]:
    """Each better answer with the worse one: the neighbours of a ranking, the best and each other of a choice."""
    found = answers_of(frame, row)
    if not found.good:
        return
    ranked = isinstance(decided(frame.view_of(row), exact(row.final_output)), list)
    if frame.view_of(row).type == "compare" and ranked:
        order = [*found.good, *found.bad]
        yield from ((found, better, worse) for better, worse in pairwise(order))
    else:
        yield from ((found, found.good[0], worse) for worse in found.bad)
