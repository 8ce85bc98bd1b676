"""A real site with people, three queues and items of every task type, and Chromium in front of it.

A test fails on anything that the browser's console calls an error, on an uncaught exception in a script, on a
violation of the content security policy, and on an answer of 500 or more.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import delete, select, update

from reviewqueue import config
from reviewqueue.accounts import memberships, people
from reviewqueue.app import create_app
from reviewqueue.core.db import clock, read_session, write_session
from reviewqueue.core.http import checked
from reviewqueue.core.strictjson import dumps
from reviewqueue.intake.shapes import ItemShape
from reviewqueue.intake.submissions import submit
from reviewqueue.media import uploads
from reviewqueue.models import Decision, Draft, Skip, Task, WebSession
from reviewqueue.models.states import QueueRole
from reviewqueue.queues.applying import apply
from tests.fixtures import installation
from tests.fixtures.browser import Watch
from tests.fixtures.people import OPERATOR, PASSWORD
from tests.fixtures.serving import serving

LABELS = [f"{area}_{what}" for area in ("card", "transfer", "top_up", "refund", "fee", "account", "cash") for what in (
    "missing", "pending", "declined", "wrong", "duplicate", "delayed", "limit", "closed", "blocked", "unknown", "late",
)]  # fmt: skip

INTENTS: dict[str, Any] = {
    "name": "intents", "title": "Support intents", "instructions": "Pick what the customer wants.",
    "input_schema": {"type": "object", "required": ["text"], "properties": {"text": {"type": "string"}}},
    "output_schema": {"type": "object", "required": ["label"], "properties": {"label": {"enum": LABELS}}},
    "view": {"type": "choice", "input": "text", "output": "label"},
    "routing": {"rules": [{"when": "confidence < 0.5", "action": "review", "title": "Unsure"}]},
    "reasons": ["ambiguous"],
}  # fmt: skip
MOODS: dict[str, Any] = {
    "name": "moods", "output_schema": {"enum": ["glad", "neutral", "cross"]}, "routing": {"otherwise": "review"},
    "reasons": [{"code": "tone", "title": "Tone", "required_for": ["override"]}],
}  # fmt: skip
REPLIES: dict[str, Any] = {
    "name": "replies",
    "output_schema": {"type": "object", "required": ["reply"], "properties": {"reply": {"type": "string"}}},
    "routing": {"otherwise": "review"},
}
RECEIPTS: dict[str, Any] = {
    "name": "receipts", "title": "Receipts",
    "output_schema": {
        "type": "object", "required": ["company", "total"],
        "properties": {
            "company": {"type": "string"}, "date": {"type": ["string", "null"]}, "total": {"type": "number"},
            "count": {"type": "integer"}, "paid": {"type": "boolean"}, "currency": {"enum": ["RM", "USD"]},
            "seller": {"type": "object", "properties": {"city": {"type": "string"}}},
            "tags": {"type": "array", "items": {"type": "string"}},
            "lines": {"type": "array", "items": {
                "type": "object", "properties": {"what": {"type": "string"}, "amount": {"type": "number"}},
            }},
        },
    },
    "routing": {"otherwise": "review"},
}  # fmt: skip


@dataclass
class Site:
    """The product, served, and what tests look up behind it."""

    app: Flask
    address: str = ""
    people: dict[str, str] = field(default_factory=dict)
    documents: dict[str, dict[str, Any]] = field(default_factory=dict)
    """The queues' configurations, by slug."""

    def write(self, operation: Callable[..., Any], **arguments: Any) -> Any:
        with self.app.app_context(), write_session() as session:
            return operation(session=session, actor=arguments.pop("actor", OPERATOR), **arguments)

    def join(self, who: str, queue: str, role: QueueRole = QueueRole.REVIEWER) -> None:
        self.write(memberships.add, slug=queue, email=f"{who}@example.org", role=role)

    def submit(self, queue: str, output: Any, *, given: Any = None, **more: Any) -> str:
        item = {"queue": queue, "input": given if given is not None else {"text": "Hello"}, "output": output, **more}
        body = checked(ItemShape, dumps(item).encode())
        return str(self.write(submit, body=body).item_id)

    def upload(self, queue: str, data: bytes) -> dict[str, Any]:
        with self.app.app_context():
            file = uploads.kept(data)
        return self.write(uploads.upload, slug=queue, file=file)

    def rows(self, model: Any, *conditions: Any) -> list[Any]:
        with self.app.app_context(), read_session() as session:
            return list(session.scalars(select(model).where(*conditions).order_by(model.id)))

    def decisions(self) -> list[Any]:
        return self.rows(Decision, Decision.withdrawn_at.is_(None))

    def drafts(self) -> list[Any]:
        with self.app.app_context(), read_session() as session:
            return list(session.scalars(select(Draft)))

    def skips(self) -> list[Any]:
        with self.app.app_context(), read_session() as session:
            return list(session.scalars(select(Skip)))

    def end_sessions(self) -> None:
        with self.app.app_context(), write_session() as session:
            session.execute(delete(WebSession))

    def free_tasks(self) -> None:
        with self.app.app_context(), write_session() as session:
            session.execute(
                update(Task).where(Task.state == "claimed").values(state="open", holder=None, lease_until=None)
            )

    def lose_leases(self) -> None:
        """As if every lease had run out a second ago, and the relay had returned them."""
        with self.app.app_context(), write_session() as session:
            session.execute(update(Task).where(Task.state == "claimed").values(lease_until=clock(-1)))


@pytest.fixture
def site(tmp_path: Any, sqlite_template: Any) -> Iterator[Site]:
    path = tmp_path / "reviewqueue.db"
    shutil.copyfile(sqlite_template, path)
    app = create_app(config.load(installation.environment(tmp_path, database_url=f"sqlite:///{path}")))
    made = Site(app)
    for document in (INTENTS, MOODS, REPLIES, RECEIPTS):
        made.write(apply, document=document)
        made.documents[document["name"]] = document
    for name in ("alice", "carol"):
        person = made.write(
            people.create, email=f"{name}@example.org", name=name.title(), password=PASSWORD, must_change_password=False
        )
        made.people[name] = person.id
        for slug in made.documents:
            made.join(name, slug)
    with serving(app) as made.address:
        yield made
    with app.app_context():
        installation.dispose()


@pytest.fixture
def open_page(chromium: Any, site: Site) -> Iterator[Callable[..., Any]]:
    """`open_page(who, **context)`: a page of that person, signed in, watched for errors."""
    watches: list[Watch] = []
    broken: list[str] = []
    contexts: list[Any] = []

    def opened(who: str = "alice", **options: Any) -> Any:
        context = chromium.new_context(base_url=site.address, viewport={"width": 1280, "height": 800}, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        watches.append(Watch(page))
        page.on("response", lambda answer: broken.append(answer.url) if answer.status >= 500 else None)
        page.goto("/login")
        page.fill("[name=email]", f"{who}@example.org")
        page.fill("[name=password]", PASSWORD)
        page.press("[name=password]", "Enter")
        page.wait_for_url(f"{site.address}/")
        return page

    yield opened
    for context in contexts:
        context.close()
    # A network that a test cuts is no fault of the page.
    faults = [fault for watch in watches for fault in watch.faults if "ERR_INTERNET_DISCONNECTED" not in fault]
    assert faults == []
    assert broken == []


@pytest.fixture
def page(open_page: Callable[..., Any]) -> Any:
    return open_page()
