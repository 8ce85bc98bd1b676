"""What is probably a slip in a configuration that may be applied all the same: the author may know better. Pure.

A rule that reads a property which no item has, or compares what never compares, is no error, and fails silently: it
never holds, or can never be checked. So does a keyword that JSON Schema does not know.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from reviewqueue.core.strictjson import escape_pointer
from reviewqueue.errors import Fault, Faults
from reviewqueue.models.states import Risk
from reviewqueue.queues import conditions, schemas
from reviewqueue.queues.configuration import QueueConfig

MOST = 50
LISTED = 8
"""Names or values that one caution repeats."""


def cautions(config: QueueConfig) -> list[Fault]:
    """Where a valid configuration probably does not say what its author means; at most 50 places."""
    found = Faults()
    _unknown_keywords(config.input_schema, "/input_schema", found)
    _unknown_keywords(config.output_schema, "/output_schema", found)
    for index, rule in enumerate(config.routing.rules):
        for detail in dict.fromkeys(_of_condition(rule.when, config)):
            found.add(f"/routing/rules/{index}/when", detail)
    return found.found[:MOST]


# -- conditions -------------------------------------------------------------------------------------------------------


def _of_condition(when: str, config: QueueConfig) -> Iterator[str]:
    reading = conditions.read(when)
    roots = {"input": config.input_schema, "output": config.output_schema}
    for path in reading.paths:
        if path[0] in roots:
            yield from _missing(path, roots[str(path[0])])
    for comparison in reading.comparisons:
        yield from _incomparable(comparison, roots)


def _missing(path: conditions.Path, schema: Any) -> Iterator[str]:
    nodes = _branches(schema, schema)
    for end, part in enumerate(path[1:], 2):
        if isinstance(part, str) and (names := _lacks(nodes, part)) is not None:
            yield f"{conditions.written(path[:end])} is not in {path[0]}_schema{_instead(part, names)}"
            return
        nodes = _step(nodes, part, schema)


def _instead(name: str, names: list[str]) -> str:
    close = get_close_matches(name, names, 1)
    if close:
        return f": did you mean {close[0]}?"
    return f", which has {_listed(names)}" if names else ""


def _listed(values: Iterable[Any]) -> str:
    texts = [str(value) for value in values]
    return ", ".join(texts[:LISTED]) + (" …" if len(texts) > LISTED else "")


def _incomparable(comparison: conditions.Comparison, roots: Mapping[str, Any]) -> Iterator[str]:
    left, right = comparison.left, comparison.right
    if comparison.by == "in" and right.path is not None:
        yield from _not_in(left, right.path, roots)
        return
    if left.path is None:
        left, right = right, left
    if left.path is None or right.is_list is not (comparison.by == "in"):
        return
    name, kinds = conditions.written(left.path), _kinds_at(left.path, roots)
    others = _kinds_at(right.path, roots) if right.path is not None else {_kind(value) for value in right.values}
    if not kinds or not others or (right.path is None and "null" in others):
        return
    if not (kinds - {"null"}) & (others - {"null"}):
        outcome = _OUTCOMES.get(comparison.by, _UNCHECKED)
        yield f"{name} is {_in_words(kinds)}, and is compared with {_in_words(others)}: {outcome}"
    elif right.path is None and comparison.by in {"==", "!=", "in"}:
        yield from _never(name, right.values, _values_at(left.path, roots))


_OUTCOMES = {"==": "this never holds", "in": "this never holds", "!=": "this always holds"}
_UNCHECKED = "this can never be checked, and people see the item"


def _not_in(left: conditions.Operand, path: conditions.Path, roots: Mapping[str, Any]) -> Iterator[str]:
    """`'label' in output`."""
    kinds = _kinds_at(path, roots) or set()
    for value in left.values:
        if isinstance(value, str) and kinds - {"null"} == {"object"}:
            yield from _missing((*path, value), roots[str(path[0])])
        elif kinds - {"null"} == {"array"}:
            yield from _never(conditions.written((*path, 0)), [value], _values_at((*path, 0), roots))


def _never(name: str, values: Iterable[Any], possible: list[Any]) -> Iterator[str]:
    for value in values:
        if possible and value not in possible:
            yield f"{name} is never {value!r}: it is one of {_listed(possible)}"


_FACTS: dict[str, Any] = {
    "confidence": {"type": ["number", "null"]}, "lowest_part": {"type": ["number", "null"]},
    "risk": {"type": "string", "enum": [risk.value for risk in Risk]}, "model": {"type": ["string", "null"]},
    "model_version": {"type": ["string", "null"]}, "metadata": {"type": "object"},
}  # fmt: skip


def _kinds_at(path: conditions.Path, roots: Mapping[str, Any]) -> set[str]:
    """The kinds of JSON that may be there; none where that cannot be said."""
    root = roots.get(str(path[0]), _FACTS.get(str(path[0]), True))
    kinds: set[str] = set()
    for node in _nodes_at(path, root):
        here = _kinds(node)
        if not here:
            return set()
        kinds |= here
    return kinds


def _values_at(path: conditions.Path, roots: Mapping[str, Any]) -> list[Any]:
    root = roots.get(str(path[0]), _FACTS.get(str(path[0]), True))
    nodes = _nodes_at(path, root)
    return schemas.choices(nodes[0], None) if len(nodes) == 1 else []


_WORDS = {
    "string": "a text",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
}


def _in_words(kinds: set[str]) -> str:
    return " or ".join(_WORDS[kind] for kind in sorted(kinds - {"null"})) or "null"


def _kind(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return "null" if value is None else "boolean"
    if isinstance(value, int | float):
        return "number"
    return "string" if isinstance(value, str) else "array" if isinstance(value, list) else "object"


def _kinds(node: Mapping[str, Any]) -> set[str]:
    given = node.get("type")
    if given is not None:
        return {"number" if kind == "integer" else kind for kind in ([given] if isinstance(given, str) else given)}
    if "const" in node:
        return {_kind(node["const"])}
    return {_kind(value) for value in schemas.choices(node, None)}


# -- schemas ----------------------------------------------------------------------------------------------------------


def _nodes_at(path: conditions.Path, schema: Any) -> list[Mapping[str, Any]]:
    nodes = _branches(schema, schema)
    for part in path[1:]:
        nodes = _step(nodes, part, schema)
    return nodes


def _branches(schema: Any, root: Any) -> list[Mapping[str, Any]]:
    """The schema and all it is made of for the same place: what it refers to, and its alternatives."""
    found: list[Mapping[str, Any]] = []
    seen: set[int] = set()
    left = [schema]
    while left:
        node = schemas.resolved(left.pop(), root)
        if not isinstance(node, Mapping) or id(node) in seen:
            continue
        seen.add(id(node))
        found.append(node)
        for keyword in ("allOf", "anyOf", "oneOf"):
            left += node.get(keyword, ())
        left += [node[keyword] for keyword in ("then", "else") if keyword in node]
        left += node.get("dependentSchemas", {}).values()
    # An alternative that only says which values there are is none of its own.
    return [node for node in found if node is found[0] or "const" not in node]


def _step(nodes: list[Mapping[str, Any]], part: str | int, root: Any) -> list[Mapping[str, Any]]:
    if isinstance(part, int):
        below = [node["items"] for node in nodes if "items" in node and "prefixItems" not in node]
    else:
        below = [node["properties"][part] for node in nodes if part in node.get("properties", {})]
    return [branch for schema in below for branch in _branches(schema, root)]


def _lacks(nodes: list[Mapping[str, Any]], name: str) -> list[str] | None:
    """The properties there are, where `name` is none of them; None where it is one, or nothing speaks against it."""
    names = list(dict.fromkeys(known for node in nodes for known in node.get("properties", {})))
    if name in names or any(_open(node) for node in nodes):
        return None
    closed = any(node.get(keyword) is False for node in nodes for keyword in _REST)
    scalar = bool(nodes) and all(_kinds(node) and not _kinds(node) & {"object"} for node in nodes)
    return names if names or closed or scalar else None


_REST = ("additionalProperties", "unevaluatedProperties")


def _open(node: Mapping[str, Any]) -> bool:
    """Whether the author has said that there may be other properties."""
    said = any(keyword in node and node[keyword] is not False for keyword in _REST)
    return said or "patternProperties" in node or "$dynamicRef" in node


_ONE = {
    "items", "additionalProperties", "unevaluatedProperties", "unevaluatedItems", "not", "if", "then", "else",
    "contains", "propertyNames", "contentSchema",
}  # fmt: skip
_MANY = {"prefixItems", "allOf", "anyOf", "oneOf"}
_NAMED = {"properties", "patternProperties", "dependentSchemas", "$defs", "definitions"}
_PLAIN = {
    "$schema", "$id", "$ref", "$anchor", "$dynamicRef", "$dynamicAnchor", "$vocabulary", "$comment", "type", "enum",
    "const", "multipleOf", "maximum", "exclusiveMaximum", "minimum", "exclusiveMinimum", "maxLength", "minLength",
    "pattern", "maxItems", "minItems", "uniqueItems", "maxContains", "minContains", "maxProperties", "minProperties",
    "required", "dependentRequired", "title", "description", "default", "deprecated", "readOnly", "writeOnly",
    "examples", "format", "contentEncoding", "contentMediaType",
}  # fmt: skip
_KEYWORDS = sorted(_ONE | _MANY | _NAMED | _PLAIN)


def _unknown_keywords(schema: Any, pointer: str, found: Faults) -> None:
    if not isinstance(schema, Mapping):
        return
    for keyword, value in schema.items():
        place = f"{pointer}/{escape_pointer(keyword)}"
        if keyword in _ONE:
            _unknown_keywords(value, place, found)
        elif keyword in _MANY and isinstance(value, list):
            for index, part in enumerate(value):
                _unknown_keywords(part, f"{place}/{index}", found)
        elif keyword in _NAMED and isinstance(value, Mapping):
            for name, part in value.items():
                _unknown_keywords(part, f"{place}/{escape_pointer(name)}", found)
        elif keyword not in _KEYWORDS and not keyword.startswith("x-"):
            close = get_close_matches(keyword, _KEYWORDS, 1)
            hint = f": did you mean {close[0]}?" if close else ""
            found.add(place, f"is no keyword of JSON Schema 2020-12 and asks for nothing{hint}")
