"""The document for people: what the page `/docs` shows of each operation and schema. Pure."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reviewqueue.openapi.document import document

Kind = Sequence[tuple[str, str]]
"""A type in words: pieces of text, each with the name of the schema that it links to, or nothing."""


@dataclass(frozen=True)
class Row:
    """A parameter, or a member of an object."""

    name: str
    kind: Kind
    required: bool
    description: str
    place: str = ""


@dataclass(frozen=True)
class Example:
    title: str
    text: str


@dataclass(frozen=True)
class Answered:
    status: str
    description: str
    kind: Kind
    media: Sequence[str]
    headers: Sequence[str]
    example: str


@dataclass(frozen=True)
class Shown:
    """An operation, or an event that is sent to a webhook."""

    id: str
    method: str
    path: str
    summary: str
    description: str
    needs: str
    """The scope; nothing where any token will do."""
    public: bool
    parameters: Sequence[Row]
    body: Kind
    media: Sequence[str]
    members: Sequence[Row]
    examples: Sequence[Example]
    answers: Sequence[Answered]
    errors: Sequence[tuple[str, Sequence[str]]]
    """Status and codes."""
    curl: str


@dataclass(frozen=True)
class Section:
    id: str
    name: str
    description: str
    operations: Sequence[Shown]


@dataclass(frozen=True)
class Shape:
    name: str
    description: str
    members: Sequence[Row]
    values: Sequence[str]


@functools.cache
def sections() -> list[Section]:
    """The operations by tag, then the events."""
    found = document()
    described = {name: tag["description"] for name, tag in ((tag["name"], tag) for tag in found["tags"])}
    shown = {name: list[Shown]() for name in described}
    for path, methods in found["paths"].items():
        for method, operation in methods.items():
            shown[operation["tags"][0]].append(_shown(method.upper(), path, operation))
    events = [_shown("", name, webhook["post"]) for name, webhook in found["webhooks"].items()]
    told = "What is sent to an endpoint, signed; anything but 2xx within 15 seconds is a failure, and is sent again."
    return [
        *(Section(name.lower(), name, described[name], operations) for name, operations in shown.items()),
        Section("events", "Events", told, events),
    ]


@functools.cache
def shapes() -> list[Shape]:
    """The schemas by name."""
    return [
        Shape(name, schema.get("description", ""), _members(schema), [str(value) for value in schema.get("enum", ())])
        for name, schema in document()["components"]["schemas"].items()
    ]


def _shown(method: str, path: str, operation: Mapping[str, Any]) -> Shown:
    responses = {status: resolved(answer) for status, answer in operation["responses"].items()}
    content = operation.get("requestBody", {}).get("content", {})
    first: Mapping[str, Any] = next(iter(content.values()), {})
    needs = operation.get("security", document()["security"])
    parameters = operation.get("parameters", ())
    return Shown(
        id=operation["operationId"],
        method=method,
        path=path,
        summary=operation["summary"],
        description=operation.get("description", ""),
        needs=", ".join(scope for need in needs for scopes in need.values() for scope in scopes),
        public=not needs,
        parameters=[_parameter(parameter) for parameter in parameters],
        body=kind_of(first["schema"]) if first else (),
        media=list(content),
        members=_members(resolved(first["schema"])) if first else (),
        examples=list(_examples(first)),
        answers=[_answered(status, answer) for status, answer in responses.items() if "x-codes" not in answer],
        errors=[(status, answer["x-codes"]) for status, answer in responses.items() if "x-codes" in answer],
        curl=_curl(method, path, parameters, content) if method else "",
    )


def _parameter(parameter: Mapping[str, Any]) -> Row:
    required = parameter.get("required", False)
    return Row(parameter["name"], kind_of(parameter["schema"]), required, parameter["description"], parameter["in"])


def _answered(status: str, answer: Mapping[str, Any]) -> Answered:
    content = answer.get("content", {})
    first: Mapping[str, Any] = next(iter(content.values()), {})
    return Answered(
        status, answer["description"], kind_of(first["schema"]) if first else (), list(content),
        list(answer.get("headers", ())), _text(first["example"]) if "example" in first else "",
    )  # fmt: skip


def _examples(content: Mapping[str, Any]) -> Iterator[Example]:
    for example in content.get("examples", {}).values():
        yield Example(example["summary"], _text(example["value"]))
    if "example" in content:
        yield Example("What comes", _text(content["example"]))


def _members(schema: Mapping[str, Any]) -> list[Row]:
    required = schema.get("required", ())
    return [
        Row(name, kind_of(member), name in required, member.get("description", ""))
        for name, member in schema.get("properties", {}).items()
    ]


def resolved(value: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a reference of the document leads to; `value` where it is none."""
    if "$ref" not in value:
        return value
    found: Any = document()
    for name in value["$ref"].removeprefix("#/").split("/"):
        found = found[name]
    return dict(found)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)


# -- types in words ---------------------------------------------------------------------------------------------------

_FORMATS = {"uuid": "UUID", "date-time": "moment", "binary": "bytes"}
_NAMES = {"integer": "whole number", "boolean": "true or false", "string": "text"}


def kind_of(schema: Mapping[str, Any]) -> Kind:
    """What a value may be: `list of Part, at most 2,000, or null`."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return [(name, name)]
    if "anyOf" in schema:
        found: list[tuple[str, str]] = []
        for option in schema["anyOf"]:
            found += [(" or ", "")] if found else []
            found += kind_of(option)
        return found
    if "enum" in schema:
        return [(" | ".join(str(value) for value in schema["enum"]), "")]
    if "const" in schema:
        return [(str(schema["const"]), "")]
    if schema.get("type") == "array":
        return [("list of ", ""), *kind_of(schema.get("items", {})), (_limits(schema, "minItems", "maxItems"), "")]
    return [(_simple(schema), "")]


def _simple(schema: Mapping[str, Any]) -> str:
    kind = schema.get("type")
    if kind is None:
        return "any JSON"
    name = _FORMATS.get(schema.get("format", ""), _NAMES.get(kind, kind))
    limits = _limits(schema, "minLength", "maxLength") or _limits(schema, "minimum", "maximum")
    default = f", default {json.dumps(schema['default'])}" if "default" in schema else ""
    return f"{name}{limits}{default}"


def _limits(schema: Mapping[str, Any], least: str, most: str) -> str:
    low, high = schema.get(least), schema.get(most)
    if low is not None and low == high:
        return f", {low:,}"
    if low is not None and high is not None:
        return f", {low:,} to {high:,}"
    if high is not None:
        return f", at most {high:,}"
    return "" if low is None else f", at least {low:,}"


# -- curl -------------------------------------------------------------------------------------------------------------


def _curl(method: str, path: str, parameters: Sequence[Mapping[str, Any]], content: Mapping[str, Any]) -> str:
    """A command that can be pasted; `API` and `TOKEN` are set before."""
    for parameter in parameters:
        if parameter["in"] == "path":
            path = path.replace(f"{{{parameter['name']}}}", str(parameter["example"]))
    lines = [f'curl -s{"" if method == "GET" else f" -X {method}"} "$API{path}"']
    if not path.endswith("/openapi.json"):
        lines.append('-H "Authorization: Bearer $TOKEN"')
    for kind, media in list(content.items())[:1]:
        value = next(iter(media["examples"].values()))["value"]
        text = value.rstrip() if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        quoted = text.replace("'", "'\\''")
        lines += [f'-H "Content-Type: {kind}"', f"-d '{quoted}'"]
    return " \\\n  ".join(lines)
