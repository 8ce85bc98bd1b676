"""JSON as we accept it: what cannot be held unchanged everywhere is refused, with the place."""

from __future__ import annotations

import contextlib
import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as some

from reviewqueue.core import strictjson
from reviewqueue.core.strictjson import Raw, parse, parse_object, spliced
from reviewqueue.errors import Malformed

text = some.text(some.characters(exclude_categories=("Cs",), exclude_characters="\x00"))
values = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats(allow_nan=False, allow_infinity=False) | text,
    lambda inner: some.lists(inner) | some.dictionaries(text, inner),
    max_leaves=20,
)


@given(values)
def test_what_json_writes_we_read_the_same(value: object) -> None:
    assert parse(json.dumps(value)) == value
    assert parse(json.dumps(value, ensure_ascii=False).encode()) == value


@given(some.dictionaries(text, values))
def test_an_object_keeps_the_text_of_its_members(value: dict[str, object]) -> None:
    document = parse_object(json.dumps(value, indent=2))
    assert document.value == value
    assert {key: json.loads(member) for key, member in document.raw.items()} == value


@given(some.binary())
def test_no_bytes_end_in_anything_but_a_value_or_a_refusal(body: bytes) -> None:
    with contextlib.suppress(Malformed):
        assert isinstance(parse_object(body).value, dict)


def test_the_text_of_a_member_keeps_every_digit_and_the_order_of_keys() -> None:
    sent = '{"output": {"z": 1.10, "a": 123456789012345678901234567890, "m": 1e2} }'
    assert parse_object(sent).raw["output"] == '{"z": 1.10, "a": 123456789012345678901234567890, "m": 1e2}'


@given(some.dictionaries(text, values))
def test_the_text_of_plain_members_is_made_and_that_of_others_is_found(value: dict[str, object]) -> None:
    body = json.dumps(value)
    made, _ = strictjson._document(body, 0)
    found, _ = strictjson._members(body, 0)
    assert made.value == found.value
    assert [*map(json.loads, made.raw.values())] == [*map(json.loads, found.raw.values())]


@pytest.mark.parametrize("number", ["1.50", "-0", "1E5", "0.10000000000000000555", "12345678901234567890123", "1e-7"])
def test_a_number_that_is_not_plain_keeps_its_writing_also_deep_inside(number: str) -> None:
    inner = f'[{{"b":{number}}}]'
    assert parse_object(f'{{"a": {inner}, "c": 1}}').raw == {"a": inner, "c": "1"}


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ('{"a": 1,}', "not JSON"),
        ("{'a': 1}", "not JSON"),
        ('{"a": 1} x', "Extra data"),
        ('{"a" 1}', "not JSON"),
        ("[]", "must be a JSON object"),
        ('"text"', "must be a JSON object"),
        ('{"a": NaN}', "NaN is not JSON"),
        ('{"a": [Infinity]}', "Infinity is not JSON"),
        ('{"a": -Infinity}', "-Infinity is not JSON"),
        ('{"a": 1e999}', "too large"),
        ('{"a": -1e999}', "too large"),
        ('{"a": 1, "a": 2}', "stands twice"),
        ('{"a": {"b": 1, "b": 1}}', "stands twice"),
        ('{"a": "' + "\n" + '"}', "not JSON"),
        ('{"a": ' + "9" * 5000 + "}", "4,000 digits"),
    ],
)
def test_it_refuses_what_is_not_plain_json_and_says_why(body: str, says: str) -> None:
    with pytest.raises(Malformed) as refused:
        parse_object(body)
    assert says in refused.value.message


@pytest.mark.parametrize(
    ("body", "pointer", "says"),
    [
        (r'{"a": {"b": ["x", "\u0000"]}}', "/a/b/1", "NUL"),
        (r'{"a": "\ud800"}', "/a", "surrogate"),
        (r'{"a": "\udc00x"}', "/a", "surrogate"),
        (r'{"a": "\uD83D \uDE00"}', "/a", "surrogate"),
        (r'{"a/b": {"\u0000": 1}}', "/a~1b", "NUL"),
    ],
)
def test_it_points_at_characters_that_cannot_be_stored(body: str, pointer: str, says: str) -> None:
    with pytest.raises(Malformed) as refused:
        parse_object(body)
    assert refused.value.code == "bad_characters"
    assert [(fault.pointer, says in fault.detail) for fault in refused.value.faults] == [(pointer, True)]


def test_a_whole_surrogate_pair_and_an_escaped_backslash_before_u0000_are_fine() -> None:
    assert parse(r'"\ud83d\ude00"') == "😀"
    assert parse(r'"\\u0000"') == r"\u0000"


@pytest.mark.parametrize("bad", [b"\xff", b"\xed\xa0\x80", b"\xff\xfe", b"\xc0\xaf"])
def test_it_refuses_what_is_not_utf8(bad: bytes) -> None:
    with pytest.raises(Malformed) as refused:
        parse_object(b'{"a": "' + bad + b'"}')
    assert refused.value.code == "invalid_utf8"


def test_it_takes_64_levels_and_refuses_65() -> None:
    assert parse("[" * 64 + "]" * 64)
    with pytest.raises(Malformed) as refused:
        parse("[" * 65 + "]" * 65)
    assert refused.value.code == "too_deep"


def test_brackets_inside_strings_are_no_levels() -> None:
    assert parse_object(json.dumps({"a": "[{" * 500, "b": 'quoted " [' * 100})).value["a"] == "[{" * 500


@pytest.mark.parametrize(
    "body",
    ["[" * 1_000_000, '{"a":' * 200_000, '"' + "\\" * 999_999, "[" * 65 + '"' + "\\" * 900_000, '["' * 400_000],
)
def test_a_hostile_megabyte_is_refused_in_a_moment(body: str) -> None:
    begun = time.process_time()
    with pytest.raises(Malformed):
        parse(body)
    assert time.process_time() - begun < 2


def test_spliced_members_go_in_unchanged_and_the_rest_is_escaped() -> None:
    assert spliced({"a": Raw("1.10"), "b": 'say "hi"'}) == '{"a":1.10,"b":"say \\"hi\\""}'


def test_a_pointer_escapes_slash_and_tilde() -> None:
    assert strictjson.escape_pointer("a/b~c") == "a~1b~0c"


@pytest.mark.parametrize(
    ("text", "place"),
    [('{"a": }', "at column 7."), ('{"a": }\n', "at column 7."), ('{"a":\n}', "at line 2, column 1.")],
)
def test_a_text_of_one_line_is_told_the_column_alone(text: str, place: str) -> None:
    with pytest.raises(Malformed) as caught:
        strictjson.parse(text)
    assert caught.value.message.endswith(place)
    assert ("line" in caught.value.message) is ("line" in place)
