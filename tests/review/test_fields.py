"""The form of a `json` queue: what nobody touched comes back exactly, what was typed comes back as its type."""

from __future__ import annotations

from typing import Any

import pytest
from werkzeug.datastructures import MultiDict

from reviewqueue.core import strictjson
from reviewqueue.errors import Faults
from reviewqueue.review import fields
from reviewqueue.review.fields import Part

SCHEMA = {
    "type": "object",
    "required": ["company"],
    "properties": {
        "company": {"type": "string"},
        "date": {"type": ["string", "null"]},
        "total": {"type": "number"},
        "count": {"type": "integer"},
        "paid": {"type": "boolean"},
        "currency": {"enum": ["RM", "USD", None]},
        "place": {"$ref": "#/$defs/place"},
        "zip": {"anyOf": [{"type": "string"}, {"type": "null"}], "title": "Postcode"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "lines": {"type": "array", "items": {
            "type": "object", "properties": {"what": {"type": "string"}, "amount": {"type": "number"}},
        }},
        "mixed": {"type": ["string", "number"]},
        "pair": {"type": "array", "prefixItems": [{"type": "string"}, {"type": "number"}]},
        "a/b~c": {"type": "string"},
    },
    "$defs": {"place": {"type": "object", "properties": {"city": {"type": "string"}}}},
}  # fmt: skip

UNTOUCHED: list[Any] = [
    {},
    {"company": ""},
    {"company": "A\r\nB\rC\n", "date": None, "tags": [], "lines": [], "place": {}},
    {"company": "A", "date": "", "place": None, "tags": None},
    {"company": "A", "total": 35.0, "count": 12345678901234567890123, "paid": False, "currency": None},
    {"company": "A", "currency": "EUR", "paid": True, "zip": None, "place": {"city": "Ipoh", "unknown": {"x": [1]}}},
    {"company": None, "total": "35", "count": 3.0, "paid": "yes", "tags": "a", "lines": [1], "place": []},
    {"lines": [{"what": "Tea", "amount": 1.5}, {}, {"amount": None, "more": []}], "tags": ["a", "", "b"]},
    {"mixed": 3, "pair": ["a", 1.25], "a/b~c": "slash", "extra": "text", "other": {"deep": [[]]}, "z": 1e-7},
]


def drawn(value: Any, data: MultiDict[str, str] | None = None) -> Part:
    part = fields.parts_of(
        SCHEMA, SCHEMA, value, pointer="", title="Output", confidences={"/total": 0.3}, doubtful_below=0.5
    )
    fields.bind(part, data)
    return part


def sent(part: Part, **changes: str) -> MultiDict[str, str]:
    """What a browser sends for the form as it is drawn, but for `changes`; it ends lines with CR LF."""
    data: MultiDict[str, str] = MultiDict()
    for group in part.everything():
        if group.kind == "array":
            data.add(group.rows_name, "")
            for row in group.children:
                data.add(group.rows_name, row.key)
    for leaf in part.leaves():
        text = changes.get(leaf.name.removeprefix("f/"), leaf.text)
        data[leaf.name] = text.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n")
    return data


def value_after(value: Any, **changes: str) -> tuple[Any, list[tuple[str, str]]]:
    part = drawn(value, sent(drawn(value), **changes))
    faults = Faults()
    return strictjson.plain(fields.value_of(part, faults)), [(fault.pointer, fault.detail) for fault in faults.found]


@pytest.mark.parametrize("value", UNTOUCHED)
def test_what_nobody_touched_comes_back_exactly(value):
    found, faults = value_after(value)
    assert faults == []
    assert found == value
    assert list(found) == list(value), "in its own order"
    assert repr(found) == repr(value), "and of the same types"


def test_what_was_typed_comes_back_as_its_type():
    given = {"company": "A", "date": "x", "total": 1.0, "paid": True, "currency": "RM"}
    found, faults = value_after(
        given, company="B", date="", total="33.90", count="7", paid="false", currency='"USD"', mixed='"three"'
    )
    assert faults == []
    assert found == {
        "company": "B", "date": None, "total": 33.9, "paid": False, "currency": "USD", "count": 7, "mixed": "three",
    }  # fmt: skip


def test_an_emptied_field_is_null_absent_or_empty_text_as_its_schema_allows():
    found, faults = value_after({"company": "A", "zip": "50000", "total": 1.0}, company="", zip="", total="")
    assert faults == []
    assert found == {"company": "", "zip": None}


@pytest.mark.parametrize(
    ("name", "text"), [("total", "33,90"), ("total", "NaN"), ("count", "1.5"), ("count", "0x1"), ("mixed", "{"),
                       ("pair", "[" * 70)],
)  # fmt: skip
def test_what_cannot_be_read_is_pointed_at(name, text):
    _, faults = value_after({"company": "A"}, **{name: text})
    assert [pointer for pointer, _ in faults] == [f"/output/{name}"]


def test_rows_are_added_removed_and_pointed_at_where_they_stand():
    data = sent(drawn({"company": "A", "lines": [{"what": "Tea"}, {"what": "Milk"}]}))
    data.add("rows/lines", "n1")
    data["f/lines/n1/what"] = "Sugar"
    data["f/lines/n1/amount"] = "much"
    data.add("gone", "f/lines/0")
    part = drawn({"company": "A", "lines": [{"what": "Tea"}, {"what": "Milk"}]}, data)
    faults = Faults()
    assert fields.value_of(part, faults)["lines"] == [{"what": "Milk"}, {"what": "Sugar"}]
    assert [fault.pointer for fault in faults.found] == ["/output/lines/1/amount"]
    assert fields.place_errors(part, [("/output/lines/1/what", "is too sweet"), ("/output/nowhere", "is lost")]) == [
        "/nowhere: is lost"
    ]
    assert [leaf.name for leaf in part.leaves() if leaf.errors] == ["f/lines/n1/what"]


def test_row_keys_that_no_form_made_are_ignored():
    part = drawn({"tags": ["a"]}, MultiDict([("rows/tags", "0"), ("rows/tags", "../x"), ("f/tags/0", "a")]))
    assert fields.value_of(part, Faults()) == {"tags": ["a"]}


@pytest.mark.parametrize("value", UNTOUCHED[:6])
def test_an_output_from_elsewhere_fills_the_form(value):
    part = drawn({}, MultiDict(list(fields.as_form(drawn({}), value))))
    known = strictjson.plain(fields.value_of(part, Faults()))
    given = {key: element for key, element in value.items() if element not in (None, "", [], {})}
    for key, element in given.items():
        if key != "place":
            assert str(known[key]).split() == str(element).replace("\r\n", "\n").replace("\r", "\n").split()


def test_the_most_doubtful_field_is_looked_at_first():
    part = drawn({"company": "A", "total": 1.0})
    first = fields.most_doubtful(part)
    assert first is not None
    assert (first.pointer, first.doubtful, first.confidence) == ("/total", True, 0.3)


def test_numbers_are_shown_as_they_were_written():
    assert fields.text_of("number", strictjson.Number("33.90")) == "33.90"


def test_every_digit_that_nobody_touched_and_that_was_typed_comes_back():
    text = '{"total":9007199254740993.10,"mixed":0.10,"pair":["a",12.50],"count":12345678901234567890123}'
    given = strictjson.exact(text)
    part = drawn(given, sent(drawn(given), mixed="1.50", company="A"))
    found = strictjson.spliced(strictjson.as_written(fields.value_of(part, Faults())))
    assert found == text.replace("0.10", "1.50")[:-1] + ',"company":"A"}'


def test_a_schema_that_refers_to_itself_ends_in_json_text():
    schema: dict[str, Any] = {"type": "object", "properties": {"next": {"$ref": "#"}, "name": {"type": "string"}}}
    value: dict[str, Any] = {"name": "a", "next": {"next": {"next": {"next": {"next": {"next": {"name": "z"}}}}}}}
    part = fields.parts_of(schema, schema, value, pointer="", title="", confidences={}, doubtful_below=0.5)
    fields.bind(part, None)
    assert "raw" in {leaf.kind for leaf in part.leaves()}
    assert fields.value_of(part, Faults()) == value
