"""What tests of webhooks share: receivers on this machine are let through, and the sender does not idle."""

from __future__ import annotations

from typing import Any

import pytest

from reviewqueue.delivery.webhooks import sender
from tests.fixtures.hooks import Hooks
from tests.fixtures.people import Cast


@pytest.fixture
def settings(settings: Any) -> Any:
    object.__setattr__(settings, "webhook_allow", "127.0.0.1")
    return settings


@pytest.fixture(autouse=True)
def brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender, "IDLE_FOR", 0.05)
    monkeypatch.setattr(sender, "LOOK_EVERY", 0.02)


@pytest.fixture
def hooks(app: Any, cast: Cast) -> Hooks:
    return Hooks(app, cast)
