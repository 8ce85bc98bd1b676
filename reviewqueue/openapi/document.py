"""The whole OpenAPI document, put together from the tables of operations. Pure."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping
from http import HTTPStatus
from typing import Any

import pydantic

from reviewqueue import __version__
from reviewqueue.core.http import API_PREFIX, PROBLEM
from reviewqueue.openapi import (
    advice,
    alerts,
    brakes,
    claims,
    exports,
    imports,
    insights,
    items,
    media,
    opt_outs,
    problems,
    quality,
    queues,
    service,
    webhooks,
)
from reviewqueue.openapi.events import EVENTS
from reviewqueue.openapi.operations import Answer, Body, Operation, Parameter, Tag, codes_of
from reviewqueue.openapi.parameters import HEADERS, parameters_of
from reviewqueue.openapi.schemas import components, schema_of

TAGS: tuple[Tag, ...] = (
    items.TAG, imports.TAG, media.TAG, opt_outs.TAG, queues.TAG, brakes.TAG, claims.TAG, quality.TAG, advice.TAG,
    insights.TAG, alerts.TAG, exports.TAG, webhooks.TAG, service.TAG,
)  # fmt: skip
SHARED = (
    ("bad_request",), ("unauthenticated", "bad_token"), ("forbidden",), ("not_found",), ("too_large",),
    ("unsupported_media_type",), ("too_many_requests",), ("internal_error",), ("unavailable",),
)  # fmt: skip
"""Answers that many operations have, each a component."""


@functools.cache
def document() -> dict[str, Any]:
    """OpenAPI 3.1. Shared: not to be changed."""
    paths: dict[str, Any] = {}
    for tag in TAGS:
        for operation in tag.operations:
            paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(tag, operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "reviewqueue",
            "version": __version__,
            "summary": "A self-hosted human-in-the-loop review queue.",
            "description": service.INTRODUCTION,
            "license": {"name": "Apache License 2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": API_PREFIX}],
        "security": [{"token": []}],
        "tags": [{"name": tag.name, "description": tag.description} for tag in TAGS],
        "paths": paths,
        "webhooks": {name: _webhook(name) for name in EVENTS},
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "description": service.TOKENS}},
            "schemas": components(_models()),
            "headers": dict(HEADERS),
            "responses": {_shared_name(codes): _problem(codes) for codes in SHARED},
            "examples": {code: _example(code) for code in problems.KNOWN},
        },
    }


def operations() -> Iterator[Operation]:
    for tag in TAGS:
        yield from tag.operations


def _models() -> Iterator[type[pydantic.BaseModel]]:
    yield from (problems.Problem, problems.InvalidProblem)
    yield from (event.shape for event in EVENTS.values())
    for operation in operations():
        sent = operation.body.schemas.values() if operation.body else ()
        for schema in (*sent, *(answer.schema for answer in operation.answers.values())):
            if isinstance(schema, type):
                yield schema


def _operation(tag: Tag, operation: Operation) -> dict[str, Any]:
    parameters = parameters_of(operation)
    codes = problems.by_status(codes_of(operation, parameters))
    found: dict[str, Any] = {"operationId": operation.id, "tags": [tag.name], "summary": operation.summary}
    if operation.description:
        found["description"] = operation.description
    if operation.public:
        found["security"] = []
    if operation.scope is not None:
        # 3.1 lets any scheme list what it needs.
        found["security"] = [{"token": [operation.scope.value]}]
    if parameters:
        found["parameters"] = [_parameter(parameter) for parameter in parameters]
    if operation.body is not None:
        found["requestBody"] = _body(operation.body)
    answers = {str(status): _answer(answer) for status, answer in operation.answers.items()}
    found["responses"] = {**answers, **{str(status): _refusal(listed) for status, listed in codes.items()}}
    return found


def _parameter(parameter: Parameter) -> dict[str, Any]:
    found: dict[str, Any] = {"name": parameter.name, "in": parameter.place, "description": parameter.description}
    if parameter.place == "path":
        found["required"] = True
    found["schema"] = dict(parameter.schema)
    if parameter.example is not None:
        found["example"] = parameter.example
    return found


def _body(body: Body) -> dict[str, Any]:
    content: dict[str, Any] = {kind: {"schema": schema_of(schema)} for kind, schema in body.schemas.items()}
    first = next(iter(content.values()))
    first["examples"] = {
        f"example{number}": {"summary": title, "value": value}
        for number, (title, value) in enumerate(body.examples.items(), 1)
    }
    return {"required": body.required, "content": content}


def _answer(answer: Answer) -> dict[str, Any]:
    found: dict[str, Any] = {"description": answer.description}
    if answer.headers:
        found["headers"] = _headers(answer.headers)
    if answer.schema is not None:
        content: dict[str, Any] = {"schema": schema_of(answer.schema)}
        if answer.example is not None:
            content["example"] = answer.example
        found["content"] = dict.fromkeys(answer.kinds, content)
    return found


def _headers(names: Iterable[str]) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _refusal(codes: list[str]) -> dict[str, Any]:
    if tuple(codes) in SHARED:
        return {"$ref": f"#/components/responses/{_shared_name(codes)}"}
    return _problem(codes)


def _shared_name(codes: Iterable[str]) -> str:
    return "".join(word.capitalize() for word in next(iter(codes)).split("_"))


def _problem(codes: Iterable[str]) -> dict[str, Any]:
    """A problem document with one of the codes; `x-codes` lists them for programs."""
    first, *_ = listed = list(codes)
    status = HTTPStatus(problems.example_of(first)["status"])
    found: dict[str, Any] = {"description": f"{status.phrase}: {', '.join(f'`{code}`' for code in listed)}."}
    headers = dict.fromkeys(name for code in listed for name in problems.headers_of(code))
    if headers:
        found["headers"] = _headers(headers)
    schema = schema_of(problems.shape_of(first))
    examples = {code: {"$ref": f"#/components/examples/{code}"} for code in listed}
    return {**found, "content": {PROBLEM: {"schema": schema, "examples": examples}}, "x-codes": listed}


def _example(code: str) -> dict[str, Any]:
    found = problems.example_of(code)
    return {"summary": found["title"], "value": found}


def _webhook(name: str) -> Mapping[str, Any]:
    event = EVENTS[name]
    content = {"schema": schema_of(event.shape), "example": event.example(name)}
    return {
        "post": {
            "operationId": name.replace(".", "_"),
            "tags": [webhooks.TAG.name],
            "summary": event.summary,
            "security": [],
            "parameters": [_parameter(parameter) for parameter in service.SIGNATURE],
            "requestBody": {"required": True, "content": {"application/json": content}},
            "responses": {
                "2XX": {"description": "Received. Anything else is a failure, and it is sent again."},
                "410": {"description": "Disables the endpoint."},
            },
        }
    }
