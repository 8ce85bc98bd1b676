"""The form of a `json` queue, built from its output schema, and the way back to a value.

What nobody touched comes back exactly as the AI gave it: a field that was absent stays absent, null stays null, and
what the form cannot draw (mixed types, unknown keys, deep nesting) is kept as JSON text. The names of form fields are
`f` and the JSON Pointer below the edited value; `rows` and the pointer of a list carry the order of its rows.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from werkzeug.datastructures import MultiDict
from wtforms import SelectChoice, SelectField, StringField, TextAreaField
from wtforms.form import BaseForm

from reviewqueue.core import strictjson
from reviewqueue.core.strictjson import Number, escape_pointer
from reviewqueue.errors import Faults, Malformed
from reviewqueue.queues.schemas import choices, resolved
from reviewqueue.resolution.verdicts import MISSING
from reviewqueue.review.shown import Change, diff, words

MAX_DEPTH = 6
MAX_ROWS = 200
"""Of a list that is drawn as rows; a longer one is JSON text."""
MAX_SENT = 2000
"""Rows that are read from a form: some may have been added."""
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?")
_SCALARS = {"string": str, "integer": int, "number": (int, float), "boolean": bool}


@dataclass
class Part:
    """One field, or a group of them."""

    pointer: str
    """JSON Pointer into the whole output."""
    name: str
    """Of the form field."""
    title: str
    kind: str
    """`string`, `integer`, `number`, `boolean`, `enum`, `raw`; `object` and `array` have children."""
    value: Any
    """The AI's, its numbers as they were written; MISSING where it gave none."""
    required: bool
    nullable: bool
    hint: str = ""
    confidence: float | None = None
    doubtful: bool = False
    options: list[tuple[str, str]] = field(default_factory=list)
    children: list[Part] = field(default_factory=list)
    key: str = ""
    """Of a row in its list."""
    blank: Part | None = None
    """A list's row to be added, under the key NEW and its depth."""
    control: Any = None
    """The WTForms field of a leaf."""
    long: bool = False
    """Whether a text is written on several lines."""
    errors: list[str] = field(default_factory=list)
    place: str = ""
    """JSON Pointer into the value as it now is: rows may have been removed before this one."""

    @property
    def rows_name(self) -> str:
        return "rows" + self.name[1:]

    @property
    def given_rows(self) -> int:
        """Of a list: how many rows the AI gave."""
        return len(self.value) if isinstance(self.value, list) else 0

    @property
    def shown(self) -> str:
        """The AI's value as the form's text."""
        return text_of(self.kind, self.value)

    @property
    def text(self) -> str:
        """What the form holds now."""
        return self.control.data or "" if self.control is not None else ""

    @property
    def changed(self) -> bool:
        return _plain_lines(self.text) != _plain_lines(self.shown)

    @property
    def wide(self) -> bool:
        """Whether it is a text for an editor of several lines."""
        many = self.long or len(self.shown) > 60 or re.search(r"[\r\n]", self.shown)
        return self.kind == "string" and bool(many)

    @property
    def changes(self) -> list[Change]:
        """Of a text: what turns the AI's into what the form holds."""
        return diff(_plain_lines(self.shown), _plain_lines(self.text))

    @property
    def label_of(self) -> dict[str, str]:
        return dict(self.options)

    def leaves(self) -> Iterator[Part]:
        if self.kind not in {"object", "array"}:
            yield self
        for child in self.children:
            yield from child.leaves()

    def everything(self) -> Iterator[Part]:
        yield self
        for child in self.children:
            yield from child.everything()


def _plain_lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def text_of(kind: str, value: Any) -> str:
    """`value` as the text of a form field."""
    if value is MISSING or (value is None and kind != "raw"):
        return ""
    if kind == "string":
        return str(value)
    if kind == "raw":
        return strictjson.indented(value)
    if isinstance(value, Number):
        return value.text
    return json.dumps(value, ensure_ascii=False)


# -- from schema and value to parts -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Given:
    root: Any
    confidences: Mapping[str, float | None]
    doubtful_below: float
    schemas: Mapping[str, Any]


def parts_of(
    schema: Any, root: Any, value: Any, *, pointer: str, title: str,
    confidences: Mapping[str, float | None], doubtful_below: float, schemas: Mapping[str, Any] | None = None,
) -> Part:  # fmt: skip
    """The parts of `value` under `schema`, whose local references are into `root`. `pointer` is where it stands.

    `schemas` has, by pointer, those that take the place of what `schema` says there.
    """
    given = _Given(root, confidences, doubtful_below, schemas or {})
    return _part(given, schema, value, pointer, "f", title, required=True, depth=0)


def _part(
    given: _Given, schema: Any, value: Any, pointer: str, name: str, title: str, *, required: bool, depth: int
) -> Part:
    plain, nullable = _without_null(given.schemas.get(pointer) or resolved(schema, given.root), given.root)
    kind = _kind(plain, value, nullable=nullable, depth=depth)
    confidence = given.confidences.get(pointer)
    part = Part(
        pointer, name, str(plain.get("title") or title), kind, value, required, nullable,
        hint=str(plain.get("description") or ""), confidence=confidence,
        doubtful=confidence is not None and confidence < given.doubtful_below,
    )  # fmt: skip
    if kind == "object":
        part.children = list(_members(given, plain, part, depth))
    elif kind == "array":
        _add_rows(given, plain, part, depth)
    elif kind in {"enum", "boolean"}:
        part.options = _options(plain, part)
    return part


def _without_null(schema: Any, root: Any) -> tuple[Mapping[str, Any], bool]:
    """The schema of what is not null, and whether null is allowed too."""
    if not isinstance(schema, Mapping):
        return {}, True
    kinds = schema.get("type")
    if isinstance(kinds, list) and "null" in kinds:
        rest = [kind for kind in kinds if kind != "null"]
        return {**schema, "type": rest[0] if len(rest) == 1 else rest}, True
    for word in ("anyOf", "oneOf"):
        options = schema.get(word)
        if isinstance(options, list) and any(option == {"type": "null"} for option in options):
            rest = [option for option in options if option != {"type": "null"}]
            if len(rest) == 1:
                outside = {key: part for key, part in schema.items() if key in {"title", "description"}}
                return {**dict(resolved(rest[0], root) or {}), **outside}, True
    return schema, False


def _kind(schema: Mapping[str, Any], value: Any, *, nullable: bool, depth: int) -> str:
    given = value is not MISSING and value is not None
    if value is None and not nullable and depth:
        return "raw"
    kind = schema.get("type")
    allowed = choices(schema, None) or ([schema["const"]] if "const" in schema else [])
    if allowed and all(not isinstance(option, dict | list) for option in allowed):
        return "raw" if isinstance(value, dict | list) else "enum"
    if kind == "object" and isinstance(schema.get("properties"), Mapping) and depth < MAX_DEPTH:
        return "object" if not given or isinstance(value, Mapping) else "raw"
    if kind == "array" and isinstance(schema.get("items"), Mapping) and "prefixItems" not in schema:
        fits = not given or (isinstance(value, list) and len(value) <= MAX_ROWS)
        return "array" if fits and depth < MAX_DEPTH else "raw"
    if isinstance(kind, str) and kind in _SCALARS:
        return kind if not given or _is(kind, value) else "raw"
    return "string" if isinstance(value, str) and kind is None else "raw"


def _is(kind: str, value: Any) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    return isinstance(value, _SCALARS[kind])  # type: ignore[arg-type]


def _members(given: _Given, schema: Mapping[str, Any], part: Part, depth: int) -> Iterator[Part]:
    value = part.value if isinstance(part.value, Mapping) else {}
    required = schema.get("required") or []
    described: Mapping[str, Any] = schema["properties"]
    for key in [*described, *(key for key in value if key not in described)]:
        step = f"/{escape_pointer(key)}"
        yield _part(
            given, described.get(key, {}), value.get(key, MISSING), part.pointer + step, part.name + step, words(key),
            required=key in required, depth=depth + 1,
        )  # fmt: skip


def _add_rows(given: _Given, schema: Mapping[str, Any], part: Part, depth: int) -> None:
    elements = part.value if isinstance(part.value, list) else []
    part.children = [_row(given, schema, part, str(index), element, depth) for index, element in enumerate(elements)]
    part.blank = _row(given, schema, part, f"NEW{depth}", MISSING, depth)


def _row(given: _Given, schema: Mapping[str, Any], part: Part, key: str, value: Any, depth: int) -> Part:
    row = _part(
        given, schema["items"], value, f"{part.pointer}/{key}", f"{part.name}/{key}", "", required=True, depth=depth + 1
    )
    row.key = key
    return row


def _options(schema: Mapping[str, Any], part: Part) -> list[tuple[str, str]]:
    if part.kind == "boolean":
        options = [("true", "Yes"), ("false", "No")]
    else:
        allowed = choices(schema, None) or [schema["const"]]
        options = [(text_of("enum", value), _option_title(schema, value)) for value in allowed if value is not None]
    texts = [text for text, _ in options]
    if part.shown and part.shown not in texts:
        options.append((part.shown, f"{part.value} (not in the list)"))
    if not part.shown or not part.required or part.nullable:
        options.insert(0, ("", "none" if part.nullable else "not given"))
    return options


def _option_title(schema: Mapping[str, Any], value: Any) -> str:
    for option in schema.get("oneOf") or schema.get("anyOf") or []:
        if isinstance(option, Mapping) and option.get("const") == value and option.get("title"):
            return str(option["title"])
    return value if isinstance(value, str) else json.dumps(value)


# -- the form ---------------------------------------------------------------------------------------------------------


def bind(part: Part, data: MultiDict[str, str] | None) -> None:
    """Give every leaf its WTForms field, filled with the AI's value or with what was typed, and lists their rows."""
    if data is not None:
        _take_rows(part, data)
    blanks = [leaf for group in part.everything() if group.blank for leaf in _with_blanks(group.blank)]
    named = {leaf.name: leaf for leaf in [*part.leaves(), *blanks]}
    form = BaseForm({name: _field(leaf) for name, leaf in named.items()})
    form.process(data or None, data={})
    for name, leaf in named.items():
        leaf.control = form[name]
        if data is None or name not in data:
            leaf.control.process_data(leaf.shown)


def _with_blanks(part: Part) -> Iterator[Part]:
    yield from part.leaves()
    for group in part.everything():
        if group.blank:
            yield from _with_blanks(group.blank)


def _field(part: Part) -> Any:
    if part.options:
        options = [SelectChoice(value, label) for value, label in part.options]
        return SelectField(part.title, choices=options, validate_choice=False)
    if part.kind == "raw" or part.wide:
        rows = min(12, max(2, part.shown.count("\n") + 1 + len(part.shown) // 60))
        return TextAreaField(part.title, render_kw={"rows": rows, "class": "mono" if part.kind == "raw" else ""})
    mode = {"integer": "numeric", "number": "decimal"}.get(part.kind, "text")
    return StringField(part.title, render_kw={"inputmode": mode, "autocomplete": "off"})


def _take_rows(part: Part, data: MultiDict[str, str]) -> None:
    if part.kind == "array" and part.rows_name in data:
        known = {row.key: row for row in part.children}
        keys = list(dict.fromkeys(data.getlist(part.rows_name)))[:MAX_SENT]
        gone = set(data.getlist("gone"))
        wanted = [key for key in keys if key and re.fullmatch(r"\d+|n\d+", key) and f"{part.name}/{key}" not in gone]
        part.children = [known[key] if key in known else _fresh_row(part, key) for key in wanted]
    for child in part.children:
        _take_rows(child, data)


def _fresh_row(part: Part, key: str) -> Part:
    assert part.blank is not None
    return _renamed(part.blank, part.blank.key, key)


def _renamed(part: Part, old: str, new: str) -> Part:
    def swapped(text: str) -> str:
        return text.replace(f"/{old}", f"/{new}")

    return Part(
        swapped(part.pointer), swapped(part.name), part.title, part.kind, part.value, part.required, part.nullable,
        hint=part.hint, options=part.options, children=[_renamed(child, old, new) for child in part.children],
        long=part.long, key=new if part.key == old else part.key,
        blank=_renamed(part.blank, old, new) if part.blank else None,
    )  # fmt: skip


def as_form(part: Part, value: Any) -> Iterator[tuple[str, str]]:
    """`value` as the form's names and texts: what a form would send that had been filled in with it."""
    if part.kind == "object":
        members = value if isinstance(value, Mapping) else {}
        for child in part.children:
            key = child.name.rpartition("/")[2].replace("~1", "/").replace("~0", "~")
            yield from as_form(child, members.get(key, MISSING))
    elif part.kind == "array":
        known = {row.key: row for row in part.children}
        yield part.rows_name, ""
        for index, element in enumerate(value if isinstance(value, list) else []):
            key = str(index) if str(index) in known else f"n{index}"
            yield part.rows_name, key
            yield from as_form(known.get(key) or _fresh_row(part, key), element)
    elif part.kind in {"string", "raw"} and not (part.kind == "string" and not isinstance(value, str)):
        yield part.name, text_of(part.kind, value)
    else:
        yield part.name, text_of("enum" if part.kind != "string" else "string", value)


# -- back to a value --------------------------------------------------------------------------------------------------


def value_of(part: Part, faults: Faults) -> Any:
    """The value that the form holds; faults carry pointers below `/output`."""
    part.place = part.pointer
    value = _value(part, faults)
    if value is MISSING or (value is None and part.kind == "object"):
        return {} if part.kind == "object" else None
    return value


def _value(part: Part, faults: Faults) -> Any:
    if part.kind == "object":
        return _object(part, faults)
    if part.kind == "array":
        found: list[Any] = []
        for row in part.children:
            row.place = f"{part.place}/{len(found)}"
            value = _value(row, faults)
            if value is not MISSING:
                found.append(value)
        return part.value if not found and not isinstance(part.value, list) else found
    if not part.changed:
        return part.value
    return _leaf(part, _plain_lines(part.text), faults)


def _object(part: Part, faults: Faults) -> Any:
    value = dict(part.value) if isinstance(part.value, Mapping) else {}
    for child in part.children:
        step = child.name.rpartition("/")[2]
        key = step.replace("~1", "/").replace("~0", "~")
        child.place = f"{part.place}/{step}"
        found = _value(child, faults)
        if found is MISSING:
            value.pop(key, None)
        else:
            value[key] = found
    return value if value or isinstance(part.value, Mapping) else part.value


def _leaf(part: Part, text: str, faults: Faults) -> Any:
    if part.kind == "string":
        return text or _emptied(part, "")
    text = text.strip()
    if not text:
        value = _emptied(part, MISSING)
        if value is MISSING and part.required:
            faults.add(f"/output{part.place}", "is required")
        return value
    if part.kind in {"integer", "number"}:
        pattern = re.compile(r"-?(?:0|[1-9]\d*)") if part.kind == "integer" else _NUMBER
        if not pattern.fullmatch(text):
            example = "a whole number, such as 12" if part.kind == "integer" else "a number, such as 33.90"
            faults.add(f"/output{part.place}", f"must be {example}")
            return part.value
    try:
        strictjson.parse(text)
        return strictjson.exact(text)
    except Malformed as error:
        faults.add(f"/output{part.place}", error.message.replace("The body", "This"))
        return part.value


def _emptied(part: Part, otherwise: Any) -> Any:
    """What an emptied field means: null where null is allowed, absent where it may be, else `otherwise`."""
    if part.nullable and part.kind != "raw":
        return None
    return otherwise if part.required else MISSING


def place_errors(part: Part, faults: Iterable[tuple[str, str]]) -> list[str]:
    """Put each fault beside the field that it points at, after `value_of`; returns those that found none."""
    places = {f"/output{found.place}": found for found in part.everything()}
    left = []
    for pointer, detail in faults:
        if pointer in places:
            places[pointer].errors.append(detail)
        else:
            left.append(f"{pointer.removeprefix('/output') or 'Output'}: {detail}")
    return left


def most_doubtful(part: Part) -> Part | None:
    """The leaf to look at first: of the lowest confidence, else the first."""
    leaves = list(part.leaves())
    rated = [leaf for leaf in leaves if leaf.confidence is not None]
    return min(rated, key=lambda leaf: leaf.confidence or 0.0) if rated else (leaves[0] if leaves else None)
