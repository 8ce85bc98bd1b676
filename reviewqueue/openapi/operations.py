"""What an operation of the API is described with. Pure.

The tables of operations stand in the modules named for their tags (`items.py`, `queues.py`, …); an operation says only
what is its own. What follows from its parameters, its body and its scopes, `codes_of` adds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import pydantic

from reviewqueue.core.access import Scope

Schema = Mapping[str, Any] | type[pydantic.BaseModel]
"""JSON Schema, or a model that has one."""
JSON = "application/json"


class Told(pydantic.BaseModel):
    """Base of what the API answers; the docstring under a member becomes its description."""

    model_config = pydantic.ConfigDict(use_attribute_docstrings=True)


@dataclass(frozen=True)
class Parameter:
    name: str
    place: Literal["path", "query", "header"]
    schema: Mapping[str, Any]
    description: str
    example: Any = None
    codes: tuple[str, ...] = ()
    """Errors that a bad one gives."""


@dataclass(frozen=True)
class Body:
    """What a request carries, by content type."""

    schemas: Mapping[str, Schema]
    examples: Mapping[str, Any] = field(default_factory=dict)
    """By a short title; of the first content type."""
    required: bool = True
    codes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Answer:
    """One status of an operation that went well."""

    description: str
    schema: Schema | None = None
    example: Any = None
    headers: tuple[str, ...] = ()
    """Names in `parameters.HEADERS`."""
    kinds: tuple[str, ...] = (JSON,)


@dataclass(frozen=True)
class Operation:
    method: str
    path: str
    """Below `/api/v1`, as in the application's URL map but with braces."""
    id: str
    """The name of the function in a generated client."""
    summary: str
    answers: Mapping[int, Answer]
    description: str = ""
    scope: Scope | None = None
    """NULL: any token will do."""
    parameters: tuple[Parameter, ...] = ()
    """Query and header; those of the path follow from it."""
    body: Body | None = None
    codes: tuple[str, ...] = ()
    """Errors of its own."""
    hides: bool = False
    """Whether what one may not do looks like what does not exist, so that nobody gets 403."""
    public: bool = False
    """Needs no token."""


@dataclass(frozen=True)
class Tag:
    name: str
    description: str
    operations: tuple[Operation, ...]


EVERYWHERE = ("bad_request", "invalid", "internal_error", "unavailable")
WITH_TOKEN = ("unauthenticated", "bad_token", "too_many_requests")
JSON_BODY = (
    "too_large", "unsupported_media_type", "malformed_json", "invalid_utf8", "too_deep", "bad_characters",
)  # fmt: skip


def json_body(schema: Schema, examples: Mapping[str, Any], *, required: bool = True) -> Body:
    return Body({JSON: schema}, examples, required, JSON_BODY)


def codes_of(operation: Operation, parameters: Iterable[Parameter]) -> list[str]:
    """Every error that the operation may answer with, those that follow by rule first."""
    found = list(EVERYWHERE)
    if not operation.public:
        found += WITH_TOKEN
    if operation.scope is not None and not operation.hides:
        found.append("forbidden")
    if "{" in operation.path:
        found.append("not_found")
    for parameter in parameters:
        found += parameter.codes
    if operation.body is not None:
        found += operation.body.codes
    return list(dict.fromkeys([*found, *operation.codes]))
