"""A conversation as the desk shows it, and the fields of the arguments of calls in a reply. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from reviewqueue.core import strictjson
from reviewqueue.errors import Faults, Malformed
from reviewqueue.queues import messages
from reviewqueue.review.fields import Part
from reviewqueue.review.shown import Line, lines, scalar

MOST_TURNS = 200
_SIMPLE = ((bool, "boolean"), (int, "integer"), (float, "number"), (str, "string"))


@dataclass(frozen=True)
class Call:
    """A tool that was called, with its arguments."""

    name: str
    rows: list[Line]


@dataclass(frozen=True)
class Turn:
    role: str
    name: str
    """Of who speaks, or of the tool that answers."""
    text: str
    rows: list[Line]
    """Of content that is no text."""
    calls: list[Call] = field(default_factory=list)


@dataclass(frozen=True)
class Chat:
    turns: list[Turn]
    earlier: int
    """Turns before these, which are not shown."""
    tools: list[str]
    """Names of those that could be called."""


def chat_of(value: Any, name: str | None) -> Chat:
    """The last turns of an input's messages."""
    found = [message for message in messages.found_in(value, name) if isinstance(message, Mapping)]
    shown = found[-MOST_TURNS:]
    return Chat([_turn(each) for each in shown], len(found) - len(shown), list(messages.tools_in(value)))


def _turn(message: Mapping[str, Any]) -> Turn:
    text, rest = _text(message.get("content"))
    calls = message.get("tool_calls")
    return Turn(
        str(message.get("role")), str(message.get("name") or ""), text, list(lines(rest)) if rest else [],
        [_call(call) for call in (calls if isinstance(calls, list) else [])],
    )  # fmt: skip


def _text(content: Any) -> tuple[str, list[Any]]:
    """The text of a content, and its parts that are none."""
    if isinstance(content, str) or content is None:
        return content or "", []
    if not isinstance(content, list):
        return scalar(content), []
    texts = [part["text"] for part in content if _is_text(part)]
    return "\n".join(texts), [part for part in content if not _is_text(part)]


def _is_text(part: Any) -> bool:
    return isinstance(part, Mapping) and isinstance(part.get("text"), str)


def _call(call: Any) -> Call:
    name, _, arguments = messages.arguments_of(call)
    with suppress(Malformed):
        arguments = strictjson.parse(arguments) if isinstance(arguments, str) else arguments
    return Call(name, list(lines(arguments)) if arguments not in (None, {}) else [])


# -- the reply --------------------------------------------------------------------------------------------------------


def schemas_of_arguments(reply: Any, pointer: str, given: Any) -> dict[str, Any]:
    """By pointer, the schema of the arguments of each call in `reply`: the tool's own, or what their values suggest."""
    tools = messages.tools_in(given)
    found = {}
    for place, call in messages.calls_in(reply, pointer):
        name, below, arguments = messages.arguments_of(call)
        if not isinstance(arguments, Mapping):
            continue
        described = tools.get(name)
        known = isinstance(described, Mapping) and isinstance(described.get("properties"), Mapping)
        found[place + below] = _described(described) if known else _suggested(arguments)
    return found


def _described(parameters: Any) -> dict[str, Any]:
    """A tool's parameters, which came with the item: only what fields are drawn from, and only where it is sound."""
    required = parameters.get("required")
    return {
        "type": "object", "properties": {key: _field_of(schema) for key, schema in parameters["properties"].items()},
        "required": required if isinstance(required, list) else [],
    }  # fmt: skip


def _field_of(schema: Any) -> dict[str, Any]:
    if not isinstance(schema, Mapping):
        return {}
    hint = {"description": schema["description"]} if isinstance(schema.get("description"), str) else {}
    options = schema.get("enum")
    if isinstance(options, list) and options and not any(isinstance(option, dict | list) for option in options):
        return {**hint, "enum": options}
    return {**hint, "type": schema["type"]} if schema.get("type") in [name for _, name in _SIMPLE] else hint


def _suggested(arguments: Mapping[str, Any]) -> dict[str, Any]:
    def kind(value: Any) -> dict[str, Any]:
        return next(({"type": name} for type_, name in _SIMPLE if isinstance(value, type_)), {})

    return {"type": "object", "properties": {key: kind(value) for key, value in arguments.items()}}


def widen(part: Part) -> None:
    """Give what is said a field of several lines."""
    for each in part.everything():
        each.long = each.long or each.name == "f" or each.pointer.endswith("/content")
        if each.blank is not None:
            widen(each.blank)


def check_arguments(reply: Any, was: Any, pointer: str, faults: Faults) -> None:
    """Add a fault for arguments that were JSON text and are none any more."""
    before = dict(messages.calls_in(was, pointer))
    for place, call in messages.calls_in(reply, pointer):
        _, below, arguments = messages.arguments_of(call)
        if not isinstance(arguments, str) or messages.arguments_of(before.get(place))[2] == arguments:
            continue
        try:
            strictjson.parse(arguments)
        except Malformed as error:
            faults.add(f"/output{place}{below}", error.message.replace("The body", "This"))
