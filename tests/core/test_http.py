"""What every answer carries, whatever it says."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from flask import Flask

from reviewqueue.app import create_app
from reviewqueue.core.http import CONTENT_SECURITY_POLICY
from tests.fixtures import installation
from tests.fixtures.people import Cast

ASKED = [
    ("GET", "/login", 200), ("GET", "/healthz", 200), ("GET", "/docs", 200), ("GET", "/static/app.css", 200),
    ("GET", "/static/", 404), ("GET", "/nowhere", 404), ("GET", "/api/v1/nowhere", 404), ("GET", "/api/v1/items", 401),
    ("GET", "/", 302), ("POST", "/login", 403), ("TRACE", "/login", 405), ("TRACE", "/api/v1/items", 405),
    ("PUT", "/login", 405), ("GET", "/login?next=%00", 422),
]  # fmt: skip


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_every_answer_has_its_security_headers_errors_too(settings: Any, cast: Cast) -> None:
    app = create_app(replace(settings, secure_cookies=True))
    client = app.test_client()
    for method, path, status in ASKED:
        answer = client.open(
            path, method=method, base_url="https://localhost", headers={"Origin": "https://evil.example"}
        )
        with answer:
            where = f"{method} {path}"
            assert answer.status_code == status, where
            headers = answer.headers
            assert headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY, where
            assert headers["X-Content-Type-Options"] == "nosniff", where
            assert headers["Referrer-Policy"] == "same-origin", where
            assert headers["Cross-Origin-Opener-Policy"] == "same-origin", where
            assert headers["Cross-Origin-Resource-Policy"] == "same-origin", where
            assert headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains", where
            assert not [name for name, _ in headers if name.startswith("Access-Control-")], where
            if path != "/static/app.css":
                assert headers["Cache-Control"] in {"no-store", "no-cache"}, where
            if headers["Content-Type"].startswith("text/"):
                assert "charset=utf-8" in headers["Content-Type"], where
    _require_policy()
    with app.app_context():
        installation.dispose()


def _require_policy() -> None:
    rules = dict(rule.strip().split(" ", 1) for rule in CONTENT_SECURITY_POLICY.split(";"))
    assert rules["default-src"] == rules["base-uri"] == rules["frame-ancestors"] == "'none'"
    assert rules["script-src"] == rules["style-src"] == rules["form-action"] == "'self'"
    assert "unsafe" not in CONTENT_SECURITY_POLICY


def test_without_tls_browsers_are_not_told_to_insist_on_it(app: Flask) -> None:
    assert "Strict-Transport-Security" not in app.test_client().get("/login").headers
