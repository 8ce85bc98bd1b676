"""In which language a page is written, and that all of it is."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from flask import Flask, g, render_template_string
from flask_babel import gettext as gettext_of_forms

from reviewqueue.core import language
from reviewqueue.core.access import Scope
from reviewqueue.core.places import templates_dir
from reviewqueue.core.writing import STYLES
from tests.fixtures.people import Cast, Member

OTHER = "eo"
"""Stands for any language: its catalogue puts every message in brackets."""
NO_WORDS = {"script", "style", "code", "kbd", "pre", "output", "textarea", "title", "datalist"}
WITH_SAMPLES = {"/start", "/start/templates"}
"""They show what stands in sample items, too."""
READ_OUT = {"title", "aria-label", "placeholder", "alt"}


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalogue of `OTHER`, made of the messages that there are."""
    folder = tmp_path_factory.mktemp("translations")
    with (templates_dir() / "translations" / "messages.pot").open("rb") as file:
        catalogue = read_po(file, locale=OTHER)
    for message in catalogue:
        if message.id:
            both = message.id if isinstance(message.id, tuple) else (message.id,)
            said = tuple(f"⟦{text}⟧" for text in both)
            message.string = said if isinstance(message.id, tuple) else said[0]
    place = folder / OTHER / "LC_MESSAGES"
    place.mkdir(parents=True)
    with (place / "messages.mo").open("wb") as out:
        write_mo(out, catalogue)
    return folder


@pytest.fixture
def polyglot(app: Flask, folder: Path) -> Flask:
    language.init_app(app, folder)
    return app


@pytest.mark.parametrize(
    ("asked", "style", "spoken"),
    [
        (None, None, "en"),
        ("eo", None, "eo"),
        ("eo-XX, de;q=0.5", None, "eo"),
        ("de, fr;q=0.9", None, "en"),
        ("en, eo;q=0.5", None, "en"),
        ("eo", "en-us", "en"),
        ("en", "eo", "eo"),
        ("eo", "iso", "eo"),
    ],
)
def test_the_person_comes_first_then_the_browser_then_english(
    polyglot: Flask, asked: str | None, style: str | None, spoken: str
) -> None:
    with polyglot.test_request_context(headers={"Accept-Language": asked} if asked else {}):
        polyglot.preprocess_request()
        g.preferences = type("Own", (), {"style": style})()
        assert language.language() == spoken
        assert language.gettext("now") == gettext_of_forms("now") == ("⟦now⟧" if spoken == "eo" else "now")


def test_a_message_is_markup_and_its_values_are_not(polyglot: Flask) -> None:
    page = (
        "{% autoescape true %}{{ _('To %(title)s', title='<b>') }} {{ _('50 %%') }} "
        "{{ ngettext('%(num)s row', '%(num)s rows', 2) }} {% trans who='<i>' %}<b>{{ who }}</b> 5 %{% endtrans %}"
        "{{ 'resolved' | spoken }} {{ '<own>' | spoken }}{% endautoescape %}"
    )
    with polyglot.test_request_context():
        english = render_template_string(page)
    with polyglot.test_request_context(headers={"Accept-Language": OTHER}):
        polyglot.preprocess_request()
        other = render_template_string(page)
    assert english == "To &lt;b&gt; 50 % 2 rows <b>&lt;i&gt;</b> 5 %resolved &lt;own&gt;"
    assert other == "⟦To &lt;b&gt;⟧ 50 % 2 rows <b>&lt;i&gt;</b> 5 %⟦resolved⟧ &lt;own&gt;"


def test_nobody_reads_english_without_an_application() -> None:
    assert language.gettext("%(minutes)s min", minutes=3) == "3 min"


class Outside(HTMLParser):
    """What a page says outside the brackets."""

    def __init__(self, own: set[str]) -> None:
        super().__init__()
        self.own, self.depth, self.said = own, 0, 0
        self.within: list[str] = []
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        for name in READ_OUT & set(given):
            self._look(given[name] or "", 0)
        if tag in NO_WORDS or "mono" in (given.get("class") or ""):
            self.within.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self.within[-1:] == [tag]:
            self.within.pop()

    def handle_data(self, data: str) -> None:
        if not self.within:
            self.depth = self._look(data, self.depth)

    def _look(self, text: str, depth: int) -> int:
        left = []
        for piece in re.split("([⟦⟧])", text):
            depth += {"⟦": 1, "⟧": -1}.get(piece, 0)
            if depth == 0 and piece != "⟧":
                left.append(piece)
            self.said += piece == "⟦"
        bare = "".join(left)
        for known in sorted(self.own, key=len, reverse=True):
            bare = bare.replace(known, "")
        bare = re.sub(r"\d{4}-[A-Z][a-z]{2}-\d\d [\d:]+", "", bare)  # a moment, as Esperanto has it
        if re.search(r"[A-Za-z]{2}", bare):
            self.found.append(" ".join(bare.split()))
        return depth


def plain_pages(app: Flask) -> Iterator[str]:
    for rule in app.url_map.iter_rules():
        if (
            "GET" in (rule.methods or ())
            and not rule.arguments
            and not rule.rule.startswith(("/api", "/docs", "/admin/events", "/admin/audit"))
        ):
            yield rule.rule


def test_every_page_that_needs_no_content_speaks_the_readers_language(polyglot: Flask, cast: Cast) -> None:
    client = polyglot.test_client()
    speaks = {"Accept-Language": OTHER}
    own = {
        "reviewqueue", "UTC", "Intents", "Europe/Berlin", "rq_", "AD", "'s",
        f"Werkzeug/{version('werkzeug')}", *map(str, Scope),
        *(style.title for style in STYLES.values()),
    }  # fmt: skip
    for one in vars(cast).values():
        own |= {one.name, one.email} if isinstance(one, Member) else set()
    wrong: dict[str, Any] = {}
    seen = 0
    login = client.get("/login", headers=speaks)
    client.post("/login", data={"email": cast.admin.email, "password": cast.admin.password})
    for path in plain_pages(polyglot):
        answer = login if path == "/login" else client.get(path, headers=speaks)
        if answer.mimetype != "text/html" or answer.status_code >= 300:
            assert answer.status_code < 500, path
            continue
        page = Outside(own)
        page.feed(answer.text)
        seen += 1
        assert f'<html lang="{OTHER}">' in answer.text
        assert "%(" not in answer.text, path
        assert page.said > 5, path
        if (page.found or page.depth) and path not in WITH_SAMPLES:
            wrong[path] = page.found
    assert not wrong, "\n".join(f"{path}: {found}" for path, found in wrong.items())
    assert seen > 15


def test_a_page_brings_its_scripts_their_texts_where_they_are_not_english(polyglot: Flask) -> None:
    client = polyglot.test_client()
    assert "data-texts" not in client.get("/login").text
    page = client.get("/login", headers={"Accept-Language": OTHER}).text
    found = re.search(r'data-texts="([^"]*)"', page)
    assert found
    texts = json.loads(found[1].replace("&#34;", '"').replace("&#39;", "'").replace("&amp;", "&"))
    assert texts["Pick a label first."] == "⟦Pick a label first.⟧"
