"""Every text that people read is marked for translation, and the catalogues know all of them."""

from __future__ import annotations

import gettext
import importlib.util
import io
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from babel.messages.pofile import read_po
from jinja2 import Environment, nodes

from reviewqueue.core import language

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = ROOT / "templates"
CATALOGUES = TEMPLATES / "translations"
READ_OUT = ("title", "aria-label", "placeholder", "alt")
MARKS = {"_", "gettext", "ngettext"}
AS_THEY_ARE = {"reviewqueue", "API=", "TOKEN=rq_…"}
"""Texts of pages that are the same in every language."""
CLASSES = {"width", "body_class"}
"""Blocks whose text is no text."""
NO_TEXT = re.compile(r"[A-Za-z]+Field|quiet danger|[a-z]+ [a-z-]+-button|Ctrl ↵")
"""Kinds of fields, classes, and keys."""


@pytest.fixture(scope="module")
def messages() -> ModuleType:
    """`scripts/messages.py`."""
    found = importlib.util.spec_from_file_location("messages", ROOT / "scripts" / "messages.py")
    assert found
    assert found.loader
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def marked(messages: ModuleType) -> set[Any]:
    """All messages of the sources."""
    return {message.id for message in messages.extracted()}


def templates() -> list[Path]:
    return sorted(TEMPLATES.rglob("*.html"))


class Bare(HTMLParser):
    """Collects the texts that stand in a page as they are."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.within: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in {"script", "style", "kbd", "code", "pre"}:
            self.within.append(tag)
        self.found += [f'{name}="{value}"' for name, value in attrs if name in READ_OUT and has_words(value or "")]

    def handle_endtag(self, tag: str) -> None:
        if self.within[-1:] == [tag]:
            self.within.pop()

    def handle_data(self, data: str) -> None:
        text = data.strip()
        if not self.within and has_words(text) and text.strip("· ") not in AS_THEY_ARE:
            self.found.append(text)


def has_words(text: str) -> bool:
    return re.search(r"[A-Za-z]{2}", text) is not None


def without_jinja(source: str) -> str:
    """The markup alone: what is marked, computed or said to the template is gone."""
    environment = Environment(extensions=["jinja2.ext.i18n"])
    left, inside, marked = [], False, False
    block: list[str] = []
    for _line, kind, value in environment.lex(source):
        if kind in {"variable_begin", "block_begin"}:
            inside, block = True, []
        elif kind in {"variable_end", "block_end"}:
            inside = False
            if kind == "block_end" and block[:1] in (["trans"], ["endtrans"], ["endblock"]):
                marked = block[0] == "trans"
            elif kind == "block_end" and block[:1] == ["block"]:
                marked = block[1] in CLASSES
        elif inside and kind != "whitespace":
            block.append(value)
        elif kind == "data" and not marked:
            left.append(value)
    return "".join(left)


def unmarked_literals(source: str) -> Iterator[str]:
    """Strings in expressions that read like words and are given to no `_`."""
    environment = Environment(extensions=["jinja2.ext.i18n"])
    environment.install_null_translations(newstyle=True)  # type: ignore[attr-defined]
    tree = environment.parse(source)
    known = {
        id(part)
        for call in tree.find_all(nodes.Call)
        if isinstance(call.node, nodes.Name) and call.node.name in MARKS
        for part in call.args
    }
    for text in tree.find_all(nodes.Const):
        value = text.value
        if id(text) in known or not isinstance(value, str) or NO_TEXT.fullmatch(value) or not has_words(value):
            continue
        if " " in value.strip() or re.match(r"[A-Z][a-z]", value):
            yield value


@pytest.mark.parametrize("path", templates(), ids=lambda path: str(path.relative_to(TEMPLATES)))
def test_every_text_of_a_template_is_marked(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    page = Bare()
    page.feed(without_jinja(source))
    assert page.found + list(unmarked_literals(source)) == []


def test_an_unmarked_text_is_found() -> None:
    page = Bare()
    page.feed(without_jinja('{% trans %}Said{% endtrans %}<p title="Not said">{{ _("Said") }} Bare {{ name }}</p>'))
    assert page.found == ['title="Not said"', "Bare"]
    assert list(unmarked_literals('{{ ui.button("Send it", "primary") }}{{ _("Said so") }}')) == ["Send it"]


def test_the_template_of_catalogues_is_up_to_date(marked: set[Any]) -> None:
    with (CATALOGUES / "messages.pot").open("rb") as file:
        kept = {message.id for message in read_po(file)}
    assert kept == marked, "run: make messages"


@pytest.mark.parametrize("po", sorted(CATALOGUES.glob("*/*/messages.po")), ids=lambda po: po.parent.parent.name)
def test_a_catalogue_is_up_to_date_and_compiled(messages: ModuleType, marked: set[Any], po: Path) -> None:
    with po.open("rb") as file:
        catalogue = read_po(file, locale=po.parent.parent.name)
    assert {message.id for message in catalogue} == marked, "run: make messages"
    assert [str(error) for _, errors in catalogue.check() for error in errors] == []
    compiled = gettext.GNUTranslations(io.BytesIO(po.with_suffix(".mo").read_bytes()))
    fresh = gettext.GNUTranslations(io.BytesIO(messages.compiled(po)))
    known = [{key: text for key, text in one._catalog.items() if key} for one in (compiled, fresh)]  # type: ignore[attr-defined]
    assert known[0] == known[1], "run: make messages"


def test_english_is_there() -> None:
    assert (CATALOGUES / language.ENGLISH / "LC_MESSAGES" / "messages.mo").exists()


def test_what_scripts_say_is_in_the_template_of_catalogues(marked: set[Any]) -> None:
    assert len(language._in_scripts()) > 15
    assert set(language._in_scripts()) <= marked
