"""A CSV as people save it: read with every fault at its line and column, and what its columns probably are. Pure."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from reviewqueue.core.vocabulary import word
from reviewqueue.errors import Fault, Invalid

LONGEST_CELL = 1_048_576
"""Characters: as long as an item may be."""
csv.field_size_limit(LONGEST_CELL)
DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
MOST_LABELS = 60
LONGEST_LABEL = 80
MOST_FAULTS = 20
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?")

Kind = Literal["text", "number", "integer", "boolean"]
PLACES = {
    "input": word("Shown to the reviewer"), "output": word("What the model says"),
    "confidence": word("How sure the model is, 0 to 1"),
    "external_id": word("Your id"), "model": word("Model"), "model_version": word("Version of the model"),
    "explanation": word("The model's explanation"), "metadata": word("Shown small, and kept"), "": word("Left out"),
}  # fmt: skip
"""What a column may be, in words. Inputs, outputs and metadata may be many; of the others there is one."""


@dataclass(frozen=True)
class Table:
    """What was read: each row with the line of the file that it ends in."""

    delimiter: str
    names: tuple[str, ...]
    rows: tuple[tuple[int, tuple[str, ...]], ...]


@dataclass(frozen=True)
class Column:
    """What a column holds."""

    name: str
    kind: Kind
    filled: int
    distinct: int
    longest: int
    labels: tuple[str, ...]
    """Its values, where there are so few that they may be labels."""
    is_share: bool
    """Whether every value is between 0 and 1."""


@dataclass(frozen=True)
class Proposal:
    """What the table probably is."""

    table: Table
    columns: tuple[Column, ...]
    places: tuple[str, ...]
    """Of `PLACES`, column by column."""
    notes: tuple[str, ...] = field(default=())
    """What could not be told, for the person who looks at it."""


# -- reading ----------------------------------------------------------------------------------------------------------


def read_table(data: bytes) -> Table:
    """Raises `Invalid` that says the line and column of what is wrong."""
    text = _decoded(data)
    if not text.strip():
        raise Invalid("The file is empty.", code="bad_table")
    delimiter = delimiter_of(text)
    rows = [(line, tuple(cells)) for line, cells in rows_of(io.StringIO(text, newline=""), delimiter)]
    _, names = rows[0]
    check_names(names)
    faults = [ragged(line, cells, names) for line, cells in rows[1:] if len(cells) != len(names)]
    if faults:
        raise Invalid(
            f"{len(faults):,} of {len(rows) - 1:,} lines have more or fewer cells than the first: {quoting(delimiter)}",
            faults[:MOST_FAULTS], code="bad_table",
        )  # fmt: skip
    if len(rows) == 1:
        raise Invalid("There is a line of names, and no line beneath it.", code="bad_table")
    return Table(delimiter, names, tuple(rows[1:]))


def _decoded(data: bytes) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        line = before.count(b"\n") + 1
        raise not_utf8(line, before.rpartition(b"\n")[2], data[error.start]) from None
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise Invalid(f"Line {line} has a NUL in it: this is no text file.", code="bad_table")
    return text


def not_utf8(line: int, before: bytes, byte: int) -> Invalid:
    """`before`: what stands in the line before that byte."""
    column = len(before.decode("utf-8", "replace")) + 1
    return Invalid(
        f"Line {line}, column {column} is not UTF-8. Save it as “CSV UTF-8”.",
        [Fault(f"line {line}, column {column}", f"the byte {byte:#04x} is not UTF-8")],
        code="bad_table",
    )


def ragged(line: int, cells: Sequence[str], names: Sequence[str]) -> Fault:
    """Of a row that ends in that line and has more or fewer cells than there are names."""
    place = f"line {line}, column {min(len(cells), len(names)) + 1}"
    return Fault(place, f"has {len(cells)} cells, and the first line {len(names)}")


def quoting(delimiter: str) -> str:
    """What to do about it."""
    return f"a text with {DELIMITERS[delimiter]} in it belongs between double quotes."


def delimiter_of(text: str) -> str:
    """The one that cuts the first line into most cells."""
    number, first = next((number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip())
    cut, fault = {}, None
    for mark in DELIMITERS:
        try:
            cut[mark] = len(next(csv.reader([first], delimiter=mark)))
        except csv.Error as error:
            # Of those that do not cut a long line, the other marks say nothing.
            fault = error
    if fault is not None and not cut:
        raise _unreadable(number, fault)
    return max(cut, key=lambda mark: cut[mark])


def rows_of(lines: Iterable[str], delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Each row that is not empty, with the line that it ends in. Raises `Invalid` for what cannot be read."""
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    begins = 1
    try:
        for cells in reader:
            if cells:
                yield reader.line_num, cells
            begins = reader.line_num + 1
    except csv.Error as error:
        raise _unreadable(begins, error) from None


def _unreadable(line: int, error: csv.Error) -> Invalid:
    words = str(error)
    if "end of data" in words:
        words = "a double quote is never closed"
    elif "field limit" in words:
        words = f"a cell has more than {csv.field_size_limit():,} characters"
    message = f"The row that begins in line {line} cannot be read: {words}."
    return Invalid(message, [Fault(f"line {line}, column 1", words)], code="bad_table")


def check_names(names: Sequence[str]) -> None:
    """Raises `Invalid` where a column has no name, or that of another."""
    faults = []
    known: set[str] = set()
    for place, name in enumerate(names, 1):
        if not name.strip():
            faults.append(Fault(f"line 1, column {place}", "has no name"))
        elif name in known:
            faults.append(Fault(f"line 1, column {place}", f"bears the name {name} a second time"))
        known.add(name)
    if faults:
        raise Invalid("The first line must name each column, once.", faults[:MOST_FAULTS], code="bad_table")


# -- guessing ---------------------------------------------------------------------------------------------------------

_SURE = re.compile(r"(?i)^(confidence|conf|score|prob(ability)?|certainty)$|[_ .](confidence|score|prob(ability)?)$")
_SAID = re.compile(
    r"(?i)^(output|label|class|category|intent|prediction|predicted|topic|sentiment|answer|reply|response|completion|"
    r"summary|translation|result|target)([_ .]?(label|class))?$|^(predicted|model|ai)[_ .]|^output\."
)
_ID = re.compile(r"(?i)^(id|uuid|key|external[_ ]?id|ref(erence)?|(item|row|ticket|message|document)[_ ]?id)$")


def propose(table: Table) -> Proposal:
    """What each column probably is: by its name first, then by what it holds."""
    columns = tuple(_column(name, [cells[at] for _, cells in table.rows]) for at, name in enumerate(table.names))
    places = [_place(column, len(table.rows)) for column in columns]
    for one in ("confidence", "external_id", "model", "model_version", "explanation"):
        for at in [at for at, place in enumerate(places) if place == one][1:]:
            places[at] = "metadata"
    notes = []
    if "output" not in places:
        labelled = [at for at, column in enumerate(columns) if column.labels and places[at] == "input"]
        if labelled and "input" in [place for at, place in enumerate(places) if at != labelled[-1]]:
            places[labelled[-1]] = "output"
            notes.append(
                f"No column says that it is what a model said. {columns[labelled[-1]].name} looks most like it."
            )
        else:
            notes.append(
                "No column looks like what a model said: people start from nothing. Write your own labels into the "
                "configuration."
            )
    if "input" not in places:
        notes.append("No column is shown to the reviewer: choose one.")
    return Proposal(table, columns, tuple(places), tuple(notes))


def _column(name: str, cells: Sequence[str]) -> Column:
    filled = [cell for cell in cells if cell != ""]
    counted = Counter(filled)
    few = 2 <= len(counted) <= MOST_LABELS and len(counted) * 2 <= len(filled) and all(
        len(value) <= LONGEST_LABEL and "\n" not in value for value in counted
    )  # fmt: skip
    kind = _kind(filled)
    is_share = bool(filled) and kind in {"number", "integer"} and all(0 <= float(cell) <= 1 for cell in filled)
    labels = tuple(sorted(counted)) if few and kind == "text" else ()
    return Column(name, kind, len(filled), len(counted), max(map(len, filled), default=0), labels, is_share)


def _kind(filled: Sequence[str]) -> Kind:
    if filled and all(cell.lower() in {"true", "false"} for cell in filled):
        return "boolean"
    if filled and all(_NUMBER.fullmatch(cell) for cell in filled):
        return "integer" if all(re.fullmatch(r"-?\d+", cell) for cell in filled) else "number"
    return "text"


def _place(column: Column, rows: int) -> str:
    name = column.name
    prefix = name.partition(".")[0]
    if name in PLACES or (prefix in {"input", "output", "metadata"} and "." in name):
        return name if name in PLACES else prefix
    if column.is_share and _SURE.search(name):
        return "confidence"
    if _ID.match(name) and column.filled == column.distinct == rows:
        return "external_id"
    return "output" if _SAID.search(name) else "input"


# -- the queue, and the rows as items ---------------------------------------------------------------------------------


def own_name(name: str) -> str:
    """A column's name without a prefix that says its place."""
    prefix, dot, rest = name.partition(".")
    return rest if dot and prefix in {"input", "output", "metadata"} and rest else name


def document(proposal: Proposal, places: Sequence[str], *, name: str, title: str) -> dict[str, Any]:
    """A configuration for the table, with its columns at `places`. Raises `Invalid` where they cannot be so."""
    at = _by_place(proposal, places)
    given, said = at.get("input", []), at.get("output", [])
    blank = not said or any(column.filled < len(proposal.table.rows) for column in said)
    found: dict[str, Any] = {
        "name": name, "title": title,
        "instructions": "What is right, and what to do in doubt.",
        "input_schema": _object(given, labels=False),
        "output_schema": _object(said, labels=True) if said else {
            "type": "object", "required": ["label"], "properties": {"label": {"enum": ["good", "bad"]}},
        },
        "view": _view(given, said),
    }  # fmt: skip
    if blank:
        found["on_invalid_output"] = "review"
    if "confidence" in at:
        found["routing"] = {
            "rules": [{"when": "confidence < 0.8", "action": "review", "title": "Unsure"}], "otherwise": "auto_approve",
        }  # fmt: skip
        found["audit"] = {"rate": 0.05}
    else:
        found["routing"] = {"otherwise": "review"}
    return found


def _by_place(proposal: Proposal, places: Sequence[str]) -> dict[str, list[Column]]:
    found: dict[str, list[Column]] = {}
    faults = []
    for number, (column, place) in enumerate(zip(proposal.columns, places, strict=True), 1):
        if place in found and place not in {"input", "output", "metadata", ""}:
            faults.append(Fault(f"column {number}", f"{column.name}: only one column can be “{PLACES[place]}”"))
        if place == "confidence" and not column.is_share:
            faults.append(Fault(f"column {number}", f"{column.name} is not a number between 0 and 1 in every line"))
        found.setdefault(place, []).append(column)
    if not found.get("input"):
        faults.append(Fault("columns", "at least one must be shown to the reviewer"))
    if faults:
        raise Invalid("The columns cannot be used like this.", faults, code="bad_table")
    return found


def _object(columns: Sequence[Column], *, labels: bool) -> dict[str, Any]:
    most = max((column.filled for column in columns), default=0)
    return {
        "type": "object",
        "required": [own_name(column.name) for column in columns if column.filled == most],
        "properties": {own_name(column.name): _schema(column, labels=labels) for column in columns},
    }  # fmt: skip


def _schema(column: Column, *, labels: bool) -> dict[str, Any]:
    if labels and column.labels:
        return {"enum": list(column.labels)}
    return {"type": {"text": "string"}.get(column.kind, column.kind)}


def _view(given: Sequence[Column], said: Sequence[Column]) -> dict[str, Any]:
    texts = [column for column in given if column.kind == "text"]
    shown = {"input": own_name(max(texts, key=lambda column: column.longest).name)} if texts else {}
    if not said:
        return {"type": "choice", **shown, "output": "label"}
    only = said[0]
    if len(said) > 1 or only.kind != "text":
        return {"type": "json", **shown}
    return {"type": "choice" if only.labels else "text", **shown, "output": own_name(only.name)}


def row_of(proposal: Proposal, places: Sequence[str], cells: Sequence[str]) -> Mapping[str, str]:
    """The row with its columns under the names by which `files.item_of` knows their place."""
    named = {}
    for name, place, cell in zip(proposal.table.names, places, cells, strict=True):
        if place in {"input", "output", "metadata"}:
            named[f"{place}.{own_name(name)}"] = cell
        elif place:
            named[place] = cell
    return named
