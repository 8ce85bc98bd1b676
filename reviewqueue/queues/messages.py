"""Conversations as items hold them: messages with a role, content and tool calls, as OpenAI or LangChain write them.
Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from reviewqueue.core.strictjson import escape_pointer
from reviewqueue.errors import Fault
from reviewqueue.queues.schemas import resolved

PROPERTY = "messages"


def is_reply(schema: Any, root: Any) -> bool:
    """Whether an output of this schema is a reply: a text, a message with `content`, or a list of such messages."""
    schema = resolved(schema, root)
    if not isinstance(schema, Mapping):
        return False
    if schema.get("type") == "array":
        elements = resolved(schema.get("items"), root)
        return isinstance(elements, Mapping) and elements.get("type") == "object" and is_reply(elements, root)
    properties = schema.get("properties")
    return schema.get("type") == "string" or (isinstance(properties, Mapping) and "content" in properties)


def found_in(value: Any, name: str | None) -> list[Any]:
    """The messages of an input, which may be the input itself."""
    found = value.get(name or PROPERTY) if isinstance(value, Mapping) else value if name is None else None
    return found if isinstance(found, list) else []


def faults_in(value: Any, name: str | None, pointer: str) -> list[Fault]:
    """Where an input has no messages, or one has no role."""
    found = found_in(value, name)
    place = pointer if isinstance(value, list) and name is None else f"{pointer}/{escape_pointer(name or PROPERTY)}"
    if not found:
        return [Fault(place, "must be a list of messages: the queue replies to them")]
    return [
        Fault(f"{place}/{index}", "must be an object with role, a text")
        for index, message in enumerate(found)
        if not isinstance(message, Mapping) or not isinstance(message.get("role"), str)
    ][:20]


def arguments_of(call: Any) -> tuple[str, str, Any]:
    """Of a call: the tool's name, the pointer of the arguments below the call, and the arguments, an object or JSON
    text; or `("", "", None)`."""
    if not isinstance(call, Mapping):
        return "", "", None
    inner, below = (call["function"], "/function") if isinstance(call.get("function"), Mapping) else (call, "")
    for key in ("arguments", "args", "input"):
        if key in inner:
            return str(inner.get("name") or ""), f"{below}/{key}", inner[key]
    return str(inner.get("name") or ""), "", None


def calls_in(value: Any, pointer: str) -> Iterator[tuple[str, Any]]:
    """Each call of a tool in a reply, with its pointer."""
    if isinstance(value, list):
        for index, message in enumerate(value):
            yield from calls_in(message, f"{pointer}/{index}")
    elif isinstance(value, Mapping) and isinstance(value.get("tool_calls"), list):
        for index, call in enumerate(value["tool_calls"]):
            yield f"{pointer}/tool_calls/{index}", call


def tools_in(value: Any) -> dict[str, Any]:
    """The tools an input describes: name, and the JSON Schema of the arguments."""
    found = value.get("tools") if isinstance(value, Mapping) else None
    tools = {}
    for tool in found if isinstance(found, list) else []:
        inner = tool.get("function", tool) if isinstance(tool, Mapping) else None
        if isinstance(inner, Mapping) and isinstance(inner.get("name"), str):
            tools[inner["name"]] = inner.get("parameters") or inner.get("input_schema")
    return tools
