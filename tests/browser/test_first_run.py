"""The whole first run in a browser, from the password that `reviewqueue up` prints to a program's token."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import select

from reviewqueue import config
from reviewqueue.accounts import people
from reviewqueue.app import create_app
from reviewqueue.core.access import operator
from reviewqueue.core.db import read_session, write_session
from reviewqueue.models import Decision, Item, Membership
from tests.browser.test_desk import ready
from tests.fixtures import installation
from tests.fixtures.browser import Watch
from tests.fixtures.people import PASSWORD
from tests.fixtures.serving import serving

pytestmark = pytest.mark.browser


@pytest.fixture
def fresh(tmp_path: Any, sqlite_template: Any, chromium: Any) -> Iterator[tuple[Any, Any, str]]:
    """An installation with nothing in it, a page in front of it, and what was printed at its first start."""
    path = tmp_path / "reviewqueue.db"
    shutil.copyfile(sqlite_template, path)
    app = create_app(config.load(installation.environment(tmp_path, database_url=f"sqlite:///{path}")))
    with app.app_context(), write_session() as session:
        printed = people.ensure_admin(session=session, actor=operator("up"), email="admin@example.org")
    assert printed
    with serving(app) as address:
        context = chromium.new_context(base_url=address, viewport={"width": 1280, "height": 800})
        context.set_default_timeout(10_000)
        page = context.new_page()
        watch = Watch(page)
        yield app, page, printed
        context.close()
    with app.app_context():
        installation.dispose()
    assert watch.faults == []


def test_from_the_printed_password_to_a_token(fresh: tuple[Any, Any, str]) -> None:
    app, page, printed = fresh
    page.goto("/")
    page.fill("[name=email]", "admin@example.org")
    page.fill("[name=password]", printed)
    page.press("[name=password]", "Enter")
    page.wait_for_url("**/account")
    page.fill("[name=current]", printed)
    page.fill("form[action$='/account/password'] [name=password]", PASSWORD)
    page.fill("[name=repeat]", PASSWORD)
    page.press("[name=repeat]", "Enter")
    page.wait_for_selector("text=Password changed")
    page.goto("/")
    page.click("#set-up a")
    page.click(".gallery-link >> text=Support intents")
    page.fill("[name=title]", "Our intents")
    page.fill("[name=name]", "our-intents")
    page.click("text=Create the queue")
    page.wait_for_selector("#step-item.now")
    page.click("#trial button")
    page.wait_for_selector("#step-decision.now")
    page.click("#step-decision button")
    page.wait_for_selector("main.desk")
    ready(page)
    page.keyboard.press("Enter")
    page.wait_for_selector("#set-up")
    assert "3 of 5" in page.inner_text("#set-up")
    page.click("#set-up a")
    page.fill("#step-people [name=email]", "bob@example.org")
    page.click("#step-people button")
    page.wait_for_selector(".secret")
    page.click("#step-token button[type=submit]")
    page.wait_for_selector("#all-set")
    assert page.inner_text(".secret").startswith("rq_")
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("() => document.documentElement.scrollWidth - innerWidth") <= 0
    page.click("#all-set a")
    page.wait_for_selector("text=My queues")
    assert not page.is_visible("#set-up")
    with app.app_context(), read_session() as session:
        (item,) = session.scalars(select(Item)).all()
        (decision,) = session.scalars(select(Decision)).all()
        members = session.scalars(select(Membership.role)).all()
    assert item.test
    assert decision.verdict == "approve"
    assert sorted(members) == ["lead", "reviewer"]
