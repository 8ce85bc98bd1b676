"""Dates and numbers as their reader writes them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from reviewqueue.core.writing import Writing, style_of, writing

AT = datetime(2026, 11, 20, 14, 5, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "style", "moment", "number"),
    [
        (None, None, "20 Nov 2026, 14:05:09 UTC", "1,234,567"),
        ("Europe/Berlin", "de", "20.11.2026, 15:05:09 CET", "1.234.567"),
        ("America/New_York", "en-us", "Nov 20, 2026, 9:05:09 AM EST", "1,234,567"),
        ("Asia/Kolkata", "iso", "2026-11-20 19:35:09 IST", "1\u202f234\u202f567"),
        ("Gone/Zone", "gone", "20 Nov 2026, 14:05:09 UTC", "1,234,567"),
    ],
)
def test_a_moment_and_a_number(zone, style, moment, number):
    found = writing(zone, style)
    assert (found.moment(AT), found.number(1234567)) == (moment, number)


@pytest.mark.parametrize(
    ("language", "moment", "number"),
    [
        ("es", "20 nov 2026, 15:05:09 CET", "1.234.567"),
        ("ja-JP", "2026/11/20 15:05:09 CET", "1,234,567"),
        ("de-AT", "20.11.2026, 15:05:09 CET", "1.234.567"),
        ("*", "20 Nov 2026, 15:05:09 CET", "1,234,567"),
        ("xx-nowhere", "20 Nov 2026, 15:05:09 CET", "1,234,567"),
        (None, "20 Nov 2026, 15:05:09 CET", "1,234,567"),
    ],
)
def test_a_language_without_a_style_is_written_as_its_people_do(language, moment, number):
    found = writing("Europe/Berlin", None, language)
    assert (found.moment(AT), found.number(1234567)) == (moment, number)


def test_without_a_reader_it_is_plain():
    assert Writing().moment(AT) == "20 Nov 2026, 14:05:09 UTC"


@pytest.mark.parametrize(
    ("language", "style"),
    [("de-AT", "de"), ("fr", "fr"), ("en-US", "en-us"), ("en-GB", "en"), ("ja", "en"), (None, "en")],
)
def test_a_language_asks_for_a_style(language, style):
    assert style_of(language) == style
