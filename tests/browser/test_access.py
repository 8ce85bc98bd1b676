"""Every page that the application has, as somebody meets it who sees little, uses no mouse, or magnifies.

The pages come from `app.url_map`: a new one fails here until `Places` knows what stands in its path. The desk is opened
in every queue of the demonstration. axe-core comes with the package `axe-playwright-python`.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import insert, select

from reviewqueue import config, samples
from reviewqueue.accounts import tokens
from reviewqueue.accounts.identity import actor_of_person
from reviewqueue.app import create_app
from reviewqueue.core.access import Scope
from reviewqueue.core.db import clock, read_session, write_session
from reviewqueue.core.ids import new_id
from reviewqueue.models import Alert, Notice, Person, Queue
from reviewqueue.models.states import BulkAction, NoticeKind
from reviewqueue.review import edge
from reviewqueue.review.bulk import actions
from tests.browser.test_desk import ready
from tests.fixtures import installation
from tests.fixtures.people import OPERATOR
from tests.fixtures.serving import serving

pytestmark = pytest.mark.browser

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
NO_PAGES = {
    "static", "health.healthz", "health.readyz", "metrics.show", "feedback.download", "media.of_claim", "media.of_item",
    "audit.proof", "sso.begin", "access.download", "sso.come_back", "onboarding.template_picture",
}  # fmt: skip
"""What answers GET with something else than a page."""
DESK = "/claims/<claim_id>"
EDITOR = """async () => {
  const { editor } = document.querySelector("main").dataset;
  if (editor) await import(editor);
}"""
"""Until the script of the task's type is there: it comes after the page, and takes the focus when it does."""


def pages_of(app: Flask) -> list[str]:
    """The pattern of every page, `/admin/people/<person_id>`."""
    return [
        re.sub(r"<(?:[a-z]+:)?", "<", rule.rule)
        for rule in app.url_map.iter_rules()
        if "GET" in (rule.methods or ()) and not rule.rule.startswith("/api/") and rule.endpoint not in NO_PAGES
    ]


@dataclass
class Places:
    """What a name in a path stands for: made once, through the API where it has a way."""

    app: Flask
    address: str = ""
    named: dict[str, str] = field(default_factory=dict)
    desks: dict[str, str] = field(default_factory=dict)
    """The claim that Bob holds, by queue."""

    def make(self) -> None:
        self.client: FlaskClient = self.app.test_client()
        with self.app.app_context():
            samples.fill()
        with self.app.app_context(), write_session() as session:
            people = {row.name.lower(): row.id for row in session.execute(select(Person.name, Person.id))}
            bob, service = (
                tokens.create_personal(
                    session=session, actor=OPERATOR, person_id=people["bob"], name="laptop", scopes=["review"]
                ),
                tokens.create_service(
                    session=session, actor=OPERATOR, name="shop",
                    scopes=[scope.value for scope in Scope if scope is not Scope.REVIEW],
                ),
            )  # fmt: skip
        self.bob, self.service = bob.secret, service.secret
        for slug in samples.QUEUES:
            self.desks[slug] = self._call(self.bob, "POST", f"/queues/{slug}/claims")["claim"]["id"]
        self.named = {"slug": samples.QUEUES[0], "person_id": people["alice"]}
        self._decide_and_talk()
        self.named["import_id"] = self._call(self.service, "POST", "/imports", data=b'{"queue": "nowhere"}\n')["id"]
        self.named["export_id"] = self._call(
            self.service, "POST", "/exports", json={"queue": self.named["slug"], "format": "jsonl"}
        )["id"]
        self.named["endpoint_id"] = self._call(
            self.service, "POST", f"/queues/{self.named['slug']}/webhooks", json={"url": "https://example.com/"}
        )["id"]
        self.named["template"] = self.named["slug"]
        self.named["notice_id"] = new_id()
        with self.app.app_context(), read_session() as session:
            lead = actor_of_person(session, people["bob"])
        with self.app.app_context():
            self.named["bulk_id"] = edge.prepare_bulk(
                lead, self.named["slug"], actions.Wanted(BulkAction.RELEASE), [self.named["item_id"]]
            )
        with self.app.app_context(), write_session() as session:
            session.execute(
                insert(Notice).values(
                    id=self.named["notice_id"], person_id=people["bob"], kind=NoticeKind.MENTIONED,
                    item_id=self.named["item_id"], created_at=clock(),
                )
            )  # fmt: skip
            queue_id = session.scalars(select(Queue.id).where(Queue.slug == self.named["slug"])).one()
            alert = {"queue_id": queue_id, "figure": "waiting", "config_version": 1, "bar": 1.0, "above": True}
            for name, over in (("waiting", None), ("too_much", clock())):
                session.execute(
                    insert(Alert).values(
                        id=new_id(), name=name, value=2.0, observations=2, done='["The queue was stopped."]',
                        opened_at=clock(), resolved_at=over, **alert,
                    )
                )  # fmt: skip

    def _decide_and_talk(self) -> None:
        slug = self.named["slug"]
        claim = self.desks[slug]
        decided = self._call(self.bob, "POST", f"/claims/{claim}/decision", json={"verdict": "approve", "next": True})
        self.named["item_id"] = item_id = decided["decision"]["item"]
        self.named["lost"] = claim
        self.named["claim_id"] = self.desks[slug] = decided["next"]["claim"]["id"]
        self._call(self.bob, "POST", f"/items/{item_id}/comments", json={"body": "Is this a complaint? @alice"})

    def _call(self, token: str, method: str, path: str, **body: Any) -> Any:
        headers = {"Authorization": f"Bearer {token}"}
        if "data" in body:
            headers["Content-Type"] = "application/x-ndjson"
        answer = self.client.open(f"/api/v1{path}", method=method, headers=headers, **body)
        assert answer.status_code < 300, answer.text
        return answer.json

    def path(self, pattern: str) -> str:
        return re.sub(r"<(\w+)>", lambda match: self.named[match[1]], pattern)


@pytest.fixture
def places(tmp_path: Any, sqlite_template: Any) -> Iterator[Places]:
    path = tmp_path / "reviewqueue.db"
    shutil.copyfile(sqlite_template, path)
    app = create_app(config.load(installation.environment(tmp_path, database_url=f"sqlite:///{path}")))
    made = Places(app)
    made.make()
    with serving(app) as made.address:
        yield made
    with app.app_context():
        installation.dispose()


@pytest.fixture
def visit(chromium: Any, places: Places) -> Iterator[Callable[[str], Any]]:
    """`visit("ada")`: a page of that person, signed in; None is nobody."""
    contexts: list[Any] = []

    def opened(who: str | None) -> Any:
        context = chromium.new_context(
            base_url=places.address, viewport={"width": 1440, "height": 900}, reduced_motion="reduce"
        )
        contexts.append(context)
        context.set_default_timeout(10_000)
        page = context.new_page()
        if who is not None:
            page.goto("/login")
            page.fill("[name=email]", f"{who}@demo.example")
            page.fill("[name=password]", samples.PASSWORD)
            page.press("[name=password]", "Enter")
            page.wait_for_url(f"{places.address}/")
        return page

    yield opened
    for context in contexts:
        context.close()


# -- axe --------------------------------------------------------------------------------------------------------------

AXE = (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
RUN = """async ([within, options]) => {
  const { violations } = await axe.run(document.querySelector(within), options);
  const told = (node) => `${node.target.join(" ")}: ${node.failureSummary.replaceAll("\\n", " ")}`;
  return violations.flatMap((rule) => rule.nodes.map((node) => `${rule.id}: ${told(node)}`));
}"""
COLOURS = ["color-contrast", "link-in-text-block"]


def violations(page: Any, within: str, colours_alone: bool) -> list[str]:
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE)
    chosen = {"type": "rule", "values": COLOURS} if colours_alone else {"type": "tag", "values": RULES}
    found: list[str] = page.evaluate(
        RUN, [within, {"runOnly": chosen, "resultTypes": ["violations"], "preload": False}]
    )
    return found


BEYOND = """(width) => [...document.querySelectorAll("body *")].filter((each) =>
  each.getBoundingClientRect().right > width + .5).map((each) => `${each.localName}#${each.id}.${each.className}`)"""
THIN = """() => { for (const parent of document.querySelectorAll("main *, main")) {
  const alike = {};
  for (const child of [...parent.children]) {
    const kind = child.localName + child.className;
    alike[kind] = (alike[kind] ?? 0) + 1;
    if (alike[kind] > 4) child.remove();
  }
} }"""
"""Of what a page repeats, four are looked at: a list of a hundred is a hundred times as slow and no other."""

WIDE, NARROW = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
MAGNIFIED = {"width": 720, "height": 450}, {"width": 320, "height": 256}
"""A window of 1440 × 900 at 200 %, and of 1280 × 1024 at 400 %."""


def look(page: Any, name: str, *, within: str = "html") -> list[str]:
    """What is wrong with the page in hand: wide in light and narrow in dark, then magnified; the desk in all four."""
    found: list[str] = []
    page.evaluate(THIN)
    for size, scheme, colours_alone in (
        (WIDE, "light", False), (WIDE, "dark", True), (NARROW, "dark", False), (NARROW, "light", True),
    ):  # fmt: skip
        if colours_alone and not page.query_selector("main.desk"):
            continue
        page.set_viewport_size(size)
        page.emulate_media(color_scheme=scheme)
        found += [f"{name} {size['width']} {scheme}: {each}" for each in violations(page, within, colours_alone)]
    for size in MAGNIFIED:
        page.set_viewport_size(size)
        if page.evaluate("document.documentElement.scrollWidth") > size["width"]:
            found.append(f"{name}: beyond {size['width']} pixels: {page.evaluate(BEYOND, size['width'])[-3:]}")
    page.set_viewport_size(WIDE)
    page.emulate_media(color_scheme="light")
    return found


def test_no_page_breaks_the_guidelines_for_accessible_content(places, visit):
    found: list[str] = []
    seen: set[str] = set()
    admin, lead = visit("admin"), visit("bob")
    for pattern in pages_of(places.app):
        for page in (lead, admin):
            answer = page.goto(places.path(pattern))
            if answer.status == 200:
                found += look(page, pattern)
                seen.add(pattern)
                break
    nobody = visit(None)
    nobody.goto("/login")
    found += look(nobody, "/login")
    lead.goto("/nowhere")
    found += look(lead, "an error")
    lead.goto(f"/claims/{places.named['lost']}")
    found += look(lead, "a lost lease")
    for slug, claim in places.desks.items():
        lead.goto(f"/claims/{claim}")
        lead.evaluate(EDITOR)
        found += look(lead, f"the desk of {slug}")
    for name, key in (("keys", "?"), ("instructions", "i"), ("escalation", "e"), ("handing", "h")):
        lead.keyboard.press(key)
        lead.wait_for_selector(f"#{name}[open]")
        found += look(lead, f"the dialog {name}", within=f"#{name}")
        lead.keyboard.press("Escape")
    assert set(pages_of(places.app)) == seen
    assert not found, f"{len(found)} violations:\n" + "\n".join(dict.fromkeys(found))


# -- the keyboard -----------------------------------------------------------------------------------------------------

STILL = """[...document.querySelectorAll("*")].every((each) => {
  const { transitionDuration, animationName } = getComputedStyle(each);
  return transitionDuration === "0s" && animationName === "none";
})"""
FOCUSED = """() => {
  const at = document.activeElement, part = at.closest(".choice, .pick, .part, .span-row") ?? at;
  const look = (element) => {
    const { outlineStyle, outlineWidth, boxShadow, borderColor } = getComputedStyle(element);
    return [outlineStyle !== "none" && outlineWidth !== "0px", boxShadow, borderColor].join();
  };
  const { left, right, top, bottom } = part.getBoundingClientRect();
  const middle = (from, to, most) => (Math.max(from, 0) + Math.min(to, most)) / 2;
  const above = document.elementFromPoint(middle(left, right, innerWidth), middle(top, bottom, innerHeight));
  const focused = [part, at].map(look).join();
  at.blur();
  const plain = [part, at].map(look).join();
  at.focus({ preventScroll: true });
  const name = `${at.localName}#${at.id}.${at.className}`;
  return { name, marked: focused !== plain, inSight: part.contains(above) || Boolean(above?.contains(part)) };
}"""


def tabs_through(page: Any, most: int = 60) -> list[str]:
    """What cannot be seen to have the focus, or is hidden behind something, on the way by Tab through the page."""
    found, names = [], []
    for _ in range(most):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement === document.body"):
            break
        at = page.evaluate(FOCUSED)
        names.append(at["name"])
        found += [f"{at['name']} is not {what}" for what in ("marked", "inSight") if not at[what]]
    assert len(names) > 8, names
    return found


def test_the_keyboard_reaches_everything_in_sight_and_each_new_item_is_told(places, visit):
    page = visit("bob")
    found = []
    for path in ("/", "/account", *samples.QUEUES):
        page.set_viewport_size(WIDE if path.startswith("/") else NARROW)
        page.goto(path if path.startswith("/") else f"/claims/{places.desks[path]}")
        page.evaluate(EDITOR)
        page.evaluate("document.activeElement.blur()")
        found += [f"{path}: {each}" for each in tabs_through(page)]
    assert not found, "\n".join(found)
    page.set_viewport_size(WIDE)
    page.goto("/account")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    assert page.evaluate(
        "[...document.querySelectorAll('*')].every((each) => getComputedStyle(each).transitionDuration === '0s')"
    )
    page.goto(f"/claims/{places.desks[samples.QUEUES[0]]}")
    ready(page)
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.querySelector('#told').textContent")
    assert page.inner_text(".main-text")[:60] in page.text_content("#told")
