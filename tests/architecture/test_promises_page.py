"""docs/promises.md names, for each promise, the tests that fail where it is broken: they exist, and so do the bugs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.promises.bugs import BUGS

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "promises.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (\d+)\. (.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
NAMED = re.compile(r"`([\w/]+\.py)::(\w+)`")


def test_each_of_the_sixteen_promises_names_its_mechanism_and_its_tests() -> None:
    assert list(SECTIONS) == [str(number) for number in range(1, 17)]
    for number, section in SECTIONS.items():
        assert "**Kept by** " in section, number
        assert "**Tests** " in section, number
        assert NAMED.search(section), number


@pytest.mark.parametrize("named", sorted(set(NAMED.findall(PAGE))), ids="::".join)
def test_a_test_that_the_page_names_exists(named: tuple[str, str]) -> None:
    path, function = named
    source = (ROOT / "tests" / path).read_text(encoding="utf-8")
    assert re.search(rf"^def {function}\(", source, re.MULTILINE)


def test_every_seeded_bug_is_named_with_its_promise_and_no_other() -> None:
    named = {
        (int(number), bug) for number, section in SECTIONS.items() for bug in re.findall(r"\*(\w+_\w+)\*", section)
    }
    assert named == {(bug.promise, bug.name) for bug in BUGS}
