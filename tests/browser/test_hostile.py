"""Promise 13: nothing that an outsider can say runs or loads anything in a reviewer's browser, on any page.

Then the same with what keeps it out taken away, so that it stands in the pages as markup: the content security policy
alone still lets nothing run and nothing leave. One database is enough: what a text comes back as is tested on both.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from markdown_it import MarkdownIt

from reviewqueue import config, samples
from reviewqueue.app import create_app
from reviewqueue.review import shown
from tests.browser.hostility import LEADING_AWAY, MARKUP, OTHER, SWALLOWING, Hostile, naughty
from tests.browser.test_access import pages_of
from tests.fixtures import installation
from tests.fixtures.serving import serving

pytestmark = pytest.mark.browser
DATA = os.environ.get("REVIEWQUEUE_TEST_DATA")


@dataclass
class Seen:
    """What happened in the pages of one person."""

    page: Any
    address: str
    dialogs: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    """Addresses elsewhere that a page wanted; those that its policy forbade as well."""
    left: list[str] = field(default_factory=list)
    """Those that it would have got, had it not been held up."""
    policy: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def watch(self) -> None:
        self.page.on("dialog", self._dialog)
        self.page.on(
            "request", lambda request: self.asked.append(request.url) if self.is_elsewhere(request.url) else None
        )
        self.page.on("response", lambda answer: self.broken.append(answer.url) if answer.status >= 500 else None)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", self._console)
        self.page.context.route(self.is_elsewhere, self._hold)

    def is_elsewhere(self, url: str) -> bool:
        return not url.startswith((f"{self.address}/", "data:", "blob:", "about:"))

    def _dialog(self, dialog: Any) -> None:
        self.dialogs.append(f"{dialog.message} on {self.page.url}")
        dialog.dismiss()

    def _hold(self, route: Any) -> None:
        self.left.append(route.request.url)
        route.abort()

    def _console(self, message: Any) -> None:
        if "Content Security Policy" in message.text:
            self.policy.append(f"{self.page.url}: {message.text}")

    def canary(self) -> bool:
        return bool(self.page.evaluate("window.canary === 1"))


def unprotected(app: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is escaped in a page, and Markdown keeps its links, pictures and HTML."""
    app.jinja_env.autoescape = False
    monkeypatch.setattr(shown, "_OF_ITEMS", MarkdownIt("commonmark", {"html": True}))
    monkeypatch.setattr(shown.nh3, "clean", lambda html, **_: html)


@pytest.fixture
def hostile(tmp_path: Any, sqlite_template: Any) -> Iterator[Callable[[list[str]], Hostile]]:
    path = tmp_path / "reviewqueue.db"
    shutil.copyfile(sqlite_template, path)
    app = create_app(config.load(installation.environment(tmp_path, database_url=f"sqlite:///{path}")))
    with serving(app) as address:

        def made(texts: list[str], **options: Any) -> Hostile:
            found = Hostile(app, address=address, texts=texts, **options)
            found.make()
            return found

        yield made
    with app.app_context():
        installation.dispose()


@pytest.fixture
def seen(chromium: Any) -> Iterator[Callable[[str, str], Seen]]:
    contexts: list[Any] = []

    def opened(address: str, who: str) -> Seen:
        context = chromium.new_context(base_url=address, viewport={"width": 1440, "height": 900})
        contexts.append(context)
        context.set_default_timeout(30_000)
        found = Seen(context.new_page(), address)
        answer = context.request.get("/login")
        token = answer.text().partition('name="csrf_token" value="')[2].partition('"')[0]
        form = {"csrf_token": token, "email": f"{who}@demo.example", "password": samples.PASSWORD}
        assert context.request.post("/login", form=form, max_redirects=0).status == 303
        found.watch()
        return found

    yield opened
    for context in contexts:
        context.close()


def paths_of(places: Hostile) -> dict[str, list[tuple[str, str]]]:
    """By page: who may look, and where. The desk of every queue; an item that is undecided and one that is not."""
    found = {
        pattern: [(who, places.path(pattern)) for who in ("bob", "admin", "carol")] for pattern in pages_of(places.app)
    }
    for slug, claim in places.desks.items():
        found[f"the desk of {slug}"] = [("carol", f"/claims/{claim}")]
    found["an item that is decided"] = [("bob", f"/items/{places.named['decided_id']}")]
    found["items that are searched for"] = [("bob", f"/queues/{places.named['slug']}/items?q=onload")]
    return found


def visited(places: Hostile, seen: Callable[[str, str], Seen], look: Callable[[str, Any], None]) -> list[Seen]:
    """Every page as whoever may see it; `look` is called in each."""
    who_sees = {who: seen(places.address, who) for who in ("bob", "admin", "carol")}
    missing = []
    for name, ways in paths_of(places).items():
        for who, path in ways:
            answer = who_sees[who].page.goto(path)
            if answer.status == 200:
                look(name, who_sees[who])
                break
        else:
            missing.append(name)
    assert missing == []
    return list(who_sees.values())


READ = """() => [document.title, document.body.textContent,
  ...[...document.querySelectorAll("input, textarea")].map((each) => each.value),
  ...[...document.querySelectorAll("[title], [data-text]")].map((each) => each.title)].join("\\n")"""
INJECTED = "document.querySelectorAll('[onload], [onerror], [ontoggle], [src*=elsewhere]').length"


def test_nothing_that_is_sent_runs_or_loads_on_any_page_and_all_of_it_is_shown(hostile: Any, seen: Any) -> None:
    places = hostile([*OTHER, *MARKUP, *LEADING_AWAY, *SWALLOWING, *naughty(DATA)])
    texts: dict[str, str] = {}

    def look(name: str, one: Seen) -> None:
        assert not one.canary(), name
        assert one.page.evaluate(INJECTED) == 0, name
        texts[name] = one.page.evaluate(READ)

    everybody = visited(places, seen, look)
    assert [one.dialogs + one.asked + one.left + one.policy + one.broken + one.errors for one in everybody] == [[]] * 3
    assert {text for text in places.said if not any(text in page for page in texts.values())} == set()
    for name in ("/items/<item_id>", "/items/<item_id>/comments", "the desk of reply-drafts"):
        sent = places.blob if "desk" in name else places.long
        plain = [text for text in places.texts if text in sent and not shown.hidden_in(text)]
        assert [text for text in plain if spaced(text) not in spaced(texts[name])] == [], name


def spaced(text: str) -> str:
    return " ".join(text.split())


def test_were_it_not_kept_out_the_policy_alone_would_let_nothing_run_or_leave(
    hostile: Any, seen: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = hostile(MARKUP, everywhere=False)
    unprotected(places.app, monkeypatch)
    alive: dict[str, int] = {}

    def look(name: str, one: Seen) -> None:
        assert not one.canary(), name
        alive[name] = one.page.evaluate(INJECTED)

    everybody = visited(places, seen, look)
    assert [one.dialogs + one.left + one.broken for one in everybody] == [[]] * 3
    assert all(one.policy for one in everybody)
    assert min(alive.values()) > 0
