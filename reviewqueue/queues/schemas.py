"""JSON Schema 2020-12 for input and output: compiled without ever fetching, faults as pointers. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jsonschema_rs

from reviewqueue.core.strictjson import escape_pointer
from reviewqueue.errors import Fault, Faults

MAX_FAULTS = 20


def _refuse_to_fetch(uri: str) -> Any:
    raise ValueError(f"references outside the document are not followed: {uri}")


def compiled(schema: dict[str, Any] | bool) -> jsonschema_rs.Validator:
    """A validator. Regular expressions run in linear time; nothing is ever fetched."""
    return jsonschema_rs.Draft202012Validator(
        schema, retriever=_refuse_to_fetch, pattern_options=jsonschema_rs.RegexOptions()
    )


def check(pointer: str, schema: dict[str, Any] | bool, faults: Faults) -> None:
    """Add a fault where `schema` is no JSON Schema or refers to something outside itself."""
    try:
        compiled(schema)
    except jsonschema_rs.ValidationError as error:
        place = "".join(f"/{escape_pointer(str(part))}" for part in error.instance_path)
        faults.add(pointer + place, f"is not a valid JSON Schema: {error.message}")
    except (ValueError, jsonschema_rs.ReferencingError) as error:
        faults.add(pointer, f"is not a valid JSON Schema: {error}")


def faults_in(validator: jsonschema_rs.Validator, value: Any, pointer: str) -> list[Fault]:
    """Where `value` breaks the schema; at most 20 places."""
    if validator.is_valid(value):
        return []
    found = []
    for error in validator.iter_errors(value):
        place = "".join(f"/{escape_pointer(str(part))}" for part in error.instance_path)
        message = "must not be empty" if error.message == _EMPTY else _shortened(error.message)
        found.append(Fault(pointer + place, message))
        if len(found) == MAX_FAULTS:
            break
    return found


_EMPTY = '"" is shorter than 1 character'


def _shortened(message: str) -> str:
    return message if len(message) <= 300 else message[:200] + " … " + message[-90:]


def property_schema(schema: Any, name: str | None) -> Any:
    """The schema of property `name`, or the whole one; local references are followed."""
    schema = resolved(schema, schema)
    if name is None or not isinstance(schema, Mapping):
        return schema
    properties = schema.get("properties")
    return resolved(properties.get(name), schema) if isinstance(properties, Mapping) else None


def resolved(schema: Any, root: Any) -> Any:
    """`schema`, or what its local `$ref` points at."""
    for _ in range(16):
        if not (isinstance(schema, Mapping) and isinstance(schema.get("$ref"), str)):
            break
        pointer = schema["$ref"]
        if not pointer.startswith("#/"):
            break
        target: Any = root
        for part in pointer[2:].split("/"):
            target = target.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(target, Mapping) else None
        schema = target
    return schema


def choices(schema: Any, name: str | None) -> list[Any]:
    """The values that an `enum`, or a `oneOf` of `const`, allows; empty for anything else."""
    found = property_schema(schema, name)
    if not isinstance(found, Mapping):
        return []
    if isinstance(found.get("enum"), list):
        return list(found["enum"])
    options = found.get("oneOf") or found.get("anyOf")
    if (
        isinstance(options, list)
        and options
        and all(isinstance(option, Mapping) and "const" in option for option in options)
    ):
        return [option["const"] for option in options]
    return []
