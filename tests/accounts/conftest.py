"""A house with an administrator and a reviewer, and browsers that send forms as browsers do."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from reviewqueue.accounts import memberships, people
from reviewqueue.core.access import operator
from reviewqueue.core.db import read_session, write_session
from reviewqueue.models import AuditEvent
from reviewqueue.models.states import QueueRole, SiteRole
from reviewqueue.queues.applying import apply

OPERATOR = operator("tests")
PASSWORD = "correct horse battery"
QUEUE = {
    "name": "mail",
    "title": "Mail",
    "output_schema": {"type": "object", "required": ["label"], "properties": {"label": {"enum": ["a", "b"]}}},
    "routing": {"otherwise": "review"},
}


class Browser:
    """A test client that fetches the CSRF token before it sends a form."""

    def __init__(self, app: Flask, address: str = "192.0.2.1") -> None:
        self.app = app
        self.client = app.test_client()
        self.address = {"REMOTE_ADDR": address}

    def get(self, path: str, **options: Any) -> Any:
        # A context of its own: the test's would lend its `g` to every request.
        with self.app.app_context():
            return self.client.get(path, environ_overrides=self.address, **options)

    def csrf(self) -> str:
        page = self.get("/login").text or ""
        if "csrf_token" not in page:
            page = self.get("/account", follow_redirects=True).text
        found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)
        assert found, page
        return found[1]

    def post(self, path: str, **fields: Any) -> Any:
        data = {"csrf_token": self.csrf(), **fields}
        with self.app.app_context():
            return self.client.post(path, data=data, environ_overrides=self.address)

    def sign_in(self, email: str, password: str = PASSWORD, **fields: Any) -> Any:
        return self.post("/login", email=email, password=password, **fields)

    def cookie(self, name: str = "reviewqueue") -> str:
        kept = self.client.get_cookie(name) or self.client.get_cookie(name, path="/login")
        assert kept is not None
        return kept.value

    def with_cookie(self, value: str) -> Browser:
        """Somebody else, who got hold of a cookie."""
        self.client.set_cookie("reviewqueue", value)
        return self

    @property
    def is_signed_in(self) -> bool:
        return self.get("/account").status_code == 200


@dataclass
class House:
    app: Flask
    admin: str
    alice: str
    queue_id: str = ""
    browsers: list[Browser] = field(default_factory=list)

    def browser(self, address: str = "192.0.2.1") -> Browser:
        return Browser(self.app, address)

    def signed_in(self, who: str = "alice", address: str = "192.0.2.1") -> Browser:
        browser = self.browser(address)
        assert browser.sign_in(f"{who}@example.org").status_code == 303
        return browser

    def write(self, operation: Callable[..., Any], **arguments: Any) -> Any:
        """One operation in its own transaction, by the operator unless told otherwise."""
        with write_session() as session:
            return operation(session=session, actor=arguments.pop("actor", OPERATOR), **arguments)

    def events(self, action: str) -> list[Any]:
        with read_session() as session:
            return list(session.scalars(select(AuditEvent).where(AuditEvent.action == action).order_by(AuditEvent.id)))


@pytest.fixture
def house(app: Flask) -> Any:
    app.config["WTF_CSRF_ENABLED"] = True
    with app.app_context():
        with write_session() as session:
            apply(session=session, actor=OPERATOR, document=QUEUE)
            admin = people.create(
                session=session, actor=OPERATOR, email="admin@example.org", name="Ada Admin", role=SiteRole.ADMIN,
                password=PASSWORD,
            )  # fmt: skip
            alice = people.create(
                session=session, actor=OPERATOR, email="alice@example.org", name="Alice", password=PASSWORD
            )
            memberships.add(
                session=session, actor=OPERATOR, slug="mail", email="alice@example.org", role=QueueRole.REVIEWER
            )
        yield House(app, admin.id, alice.id)
