"""Content as it is shown: hidden characters named, changes found, any JSON readable, instructions harmless."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewqueue.review import shown


@pytest.mark.parametrize("code", ["202E", "2066", "200B", "FEFF", "00AD", "2028", "E0041", "0007", "3164"])
def test_characters_that_show_nothing_are_named(code):
    character = chr(int(code, 16))
    marks = [piece.mark for piece in shown.pieces(f"a{character}b") if piece.mark]
    assert marks == [f"U+{int(code, 16):04X}"]


def test_emoji_and_line_ends_stay_as_they_are():
    text = "👩\u200d💻 👨\u200d👩\u200d👧\n\ttab\r\nnext"
    assert [piece.mark for piece in shown.pieces(text) if piece.mark] == []


@given(st.text())
def test_the_pieces_of_a_text_are_the_text(text):
    assert "".join(piece.text for piece in shown.pieces(text)) == text.replace("\r\n", "\n")


@given(st.text(max_size=200), st.text(max_size=200))
def test_a_diff_holds_both_texts(before, after):
    changes = shown.diff(before, after)
    assert "".join(change.text for change in changes if change.kind != "new") == before
    assert "".join(change.text for change in changes if change.kind != "gone") == after


def test_a_diff_names_the_words_that_changed():
    changes = [(change.kind, change.text) for change in shown.diff("It is 35.00 today", "It is 33.00 today")]
    assert changes == [("same", "It is "), ("gone", "35"), ("new", "33"), ("same", ".00 today")]


def test_a_huge_input_is_cut_and_offered_as_json():
    found = shown.input_shown({"rows": list(range(1000))}, None)
    assert len(found.rows) == shown.MAX_ROWS
    assert found.more == 1001 - shown.MAX_ROWS
    assert "999" in found.raw


def test_the_only_text_of_an_input_is_its_main_text():
    found = shown.input_shown({"question": "Why?", "order": {"id": 7}}, None)
    assert (found.main_name, found.main) == ("Question", "Why?")
    assert [(line.name, line.text) for line in found.rows] == [("Order", None), ("Id", "7")]


@pytest.mark.parametrize(
    "text",
    ["<script>a()</script>", "[x](javascript:a())", "![x](https://example.org/x.png)", "<img src=x onerror=y>"],
)
def test_instructions_run_and_load_nothing(text):
    html = str(shown.markdown(text))
    assert "<script" not in html
    assert "<img" not in html
    assert 'href="javascript' not in html


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("**bold** and `code`", "<p><strong>bold</strong> and <code>code</code></p>\n"),
        ("# Head\n\n- one", "<h3>Head</h3>\n<ul>\n<li>one</li>\n</ul>\n"),
        ("[here](javascript:alert(1))", "<p>[here](javascript:alert(1))</p>\n"),
        ("[here](https://evil.example)", "<p>[here](https://evil.example)</p>\n"),
        ("![](https://evil.example/x.png)", "<p>![](https://evil.example/x.png)</p>\n"),
        ("[a]: https://evil.example\n\n![a] <https://evil.example>",
         "<p>[a]: https://evil.example</p>\n<p>![a] &lt;https://evil.example&gt;</p>\n"),
        ("<script>alert(1)</script><img src=x onerror=alert(1)>",
         "<p>&lt;script&gt;alert(1)&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;</p>\n"),
        ("```html onload=x\n<b>\n```", "<pre><code>&lt;b&gt;\n</code></pre>\n"),
        ("a\u202eb", "<p>a\u27e6U+202E\u27e7b</p>\n"),
        (">" * 5000, None),
    ],
)  # fmt: skip
def test_markdown_of_an_item_loads_nothing_and_leads_nowhere(text, html):
    found = shown.as_it_reads(text)
    if html is not None:
        assert found == html
    assert not re.search(r"<(a|img|script|iframe|svg|style|link)\b|<[^>]*=", str(found))


def test_a_very_long_markdown_is_shown_as_it_is_written():
    assert shown.as_it_reads("a" * 40_001) is None
