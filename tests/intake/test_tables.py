"""CSVs as people save them: what their columns are taken for, and where their faults are."""

from __future__ import annotations

from typing import Any

import pytest

from reviewqueue.errors import Invalid
from reviewqueue.intake import files, tables
from reviewqueue.queues.configuration import parse

INTENTS = """\ufeffid;text;label;confidence;paid;amount;language
1;"My card; it never came";card_arrival;0.42;true;3;en
2;Paid twice;charge_twice;0.91;false;4;en
3;Where is it?;card_arrival;1;true;5;fr
4;Twice again;charge_twice;0;false;6;fr
"""


def proposed(text: str) -> tables.Proposal:
    return tables.propose(tables.read_table(text.encode()))


def test_columns_are_known_by_their_names_and_by_what_they_hold() -> None:
    found = proposed(INTENTS)
    assert found.table.delimiter == ";"
    assert dict(zip(found.table.names, found.places, strict=True)) == {
        "id": "external_id", "text": "input", "label": "output", "confidence": "confidence", "paid": "input",
        "amount": "input", "language": "input",
    }  # fmt: skip
    document = tables.document(found, found.places, name="intents", title="Intents")
    assert document["output_schema"]["properties"] == {"label": {"enum": ["card_arrival", "charge_twice"]}}
    kinds = {"text": "string", "paid": "boolean", "amount": "integer", "language": "string"}
    assert document["input_schema"]["properties"] == {name: {"type": kind} for name, kind in kinds.items()}
    assert document["view"] == {"type": "choice", "input": "text", "output": "label"}
    config, _ = parse(document, final_say=True)
    row = files.item_of(tables.row_of(found, found.places, found.table.rows[0][1]), config)
    assert row == {
        "external_id": "1", "confidence": 0.42, "output": {"label": "card_arrival"},
        "input": {"text": "My card; it never came", "paid": True, "amount": 3, "language": "en"},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "places", "view"),
    [
        ("question,reply\nWhy?,Because it is so.\nHow?,Like this.\n", ["input", "output"], "text"),
        ("note,output.total,output.paid\na,1.5,true\nb,2,false\n", ["input", "output", "output"], "json"),
        ("note,mood\na,glad\nb,cross\nc,glad\nd,cross\n", ["input", "output"], "choice"),
        ("note,place\na,x\nb,y\n", ["input", "input"], "choice"),
    ],
)
def test_what_a_model_said_is_a_label_a_text_or_fields(text: str, places: list[str], view: str) -> None:
    found = proposed(text)
    assert list(found.places) == places
    document = tables.document(found, found.places, name="q", title="Q")
    parse(document, final_say=True)
    assert document["view"]["type"] == view
    assert ("on_invalid_output" in document) is ("output" not in places)
    assert document["routing"] == {"otherwise": "review"}, "without a confidence people see them all"


@pytest.mark.parametrize(
    ("data", "place", "words"),
    [
        (b"text,label\nbon,a\nna\xefve,b\n", "line 3, column 3", "0xef is not UTF-8"),
        (b"text,label\na,b\none,two,three\n", "line 3, column 3", "has 3 cells, and the first line 2"),
        (b"text,label\na\n", "line 2, column 2", "has 1 cells"),
        (b'text,label\n"never closed,b\nc,d\n', "line 2, column 1", "a double quote is never closed"),
        (b'text,label\na,b\n"x"y,b\n', "line 3, column 1", "expected"),
        (b"text,,text\na,b,c\n", "line 1, column 2", "has no name"),
        (b"text,label,text\na,b,c\n", "line 1, column 3", "a second time"),
    ],
)
def test_what_cannot_be_read_is_told_with_line_and_column(data: bytes, place: str, words: str) -> None:
    with pytest.raises(Invalid) as refused:
        tables.read_table(data)
    assert any(fault.pointer == place and words in fault.detail for fault in refused.value.faults)


@pytest.mark.parametrize("data", [b"", b"\n \n", b"text,label\n", b"a\0b,c\n1,2\n"])
def test_what_is_no_table_is_refused(data: bytes) -> None:
    with pytest.raises(Invalid):
        tables.read_table(data)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({1: ""}, "at least one must be shown"),
        ({2: "external_id"}, "only one column"),
        ({1: "confidence"}, "between 0 and 1"),
    ],
)  # fmt: skip
def test_columns_that_cannot_be_so_are_named(changes: dict[int, str], words: str) -> None:
    found = proposed("id,text,label\n1,a,x\n2,b,y\n")
    places: list[Any] = [changes.get(at, place) for at, place in enumerate(found.places)]
    with pytest.raises(Invalid) as refused:
        tables.document(found, places, name="q", title="Q")
    assert any(words in fault.detail for fault in refused.value.faults)


@pytest.mark.parametrize(("before", "line"), [("", 1), ("\n\n", 3), ("id;text\n1;a\n", 3)])
def test_a_cell_that_is_too_long_is_refused_with_its_line(before: str, line: int) -> None:
    with pytest.raises(Invalid, match=f"line {line} cannot be read: a cell has more than 1,048,576 characters"):
        tables.read_table(f"{before}{'x' * (tables.LONGEST_CELL + 1)};text\n1;a\n".encode())


def test_a_long_first_line_of_many_names_is_no_fault() -> None:
    names = [f"name of column {number}" for number in range(60_000)]
    table = tables.read_table(f"{';'.join(names)}\n{';'.join('a' for _ in names)}\n".encode())
    assert (table.delimiter, len(table.names)) == (";", 60_000)
