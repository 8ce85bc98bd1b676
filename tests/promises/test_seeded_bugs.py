"""The history checker catches real bugs: each takes away one mechanism, while clients are at work on a real database.

Without a bug it is silent. The served application is this process's, so that a bug can be put into it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import pytest
from flask import Flask
from sqlalchemy import text

from reviewqueue.config import Settings
from reviewqueue.core.db import db
from reviewqueue.delivery.webhooks import sender
from tests.fixtures.people import Cast
from tests.fixtures.receivers import Receiver, receiving
from tests.fixtures.serving import serving
from tests.fixtures.turns import in_turns
from tests.promises import company
from tests.promises.bugs import BUGS, Bug
from tests.promises.clients import Clients
from tests.promises.history import History, faults
from tests.promises.stored import read

Played = Callable[..., tuple[History, list[str]]]


@pytest.fixture
def settings(settings: Settings) -> Settings:
    object.__setattr__(settings, "webhook_allow", "127.0.0.1")
    return settings


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    monkeypatch.setattr(sender, "IDLE_FOR", 0.05)
    monkeypatch.setattr(sender, "LOOK_EVERY", 0.02)
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def played(app: Flask, cast: Cast, receiver: Receiver) -> Played:
    """Let scenes play, all at once, and return what clients saw and what the checker says."""

    def play(scenes: Sequence[company.Scene], *, quiet: float) -> tuple[History, list[str]]:
        firm = company.found(app, cast, receiver.url)
        with app.app_context():
            engine = db.engine
        with serving(app) as url, company.backstage(app, firm.relay):
            clients = Clients(url, cast.submitter, [], patience=4)
            company.play(clients, firm, scenes)
            company.settle(engine, quiet)
        clients.history.receipts = company.receipts(receiver)
        return clients.history, faults(clients.history, read(engine, company.chain(app)))

    return play


def test_a_clean_run_raises_no_alarm(played: Played):
    history, found = played(company.SCENES, quiet=30)
    assert found == []
    # It was about something: each kind of act was acknowledged, and leases were lost.
    acts = ("submit", "batch", "claim", "draft", "decide", "release", "skip", "undo")
    assert {act: history.acknowledged(act) > 0 for act in acts} == dict.fromkeys(acts, True)
    assert history.refused["decide 409 lease_lost"]
    assert history.refused["decide 409 already_decided"]
    assert history.refused["undo 409 grace_over"]


@pytest.mark.parametrize(("database", "bug"), list(in_turns((bug.name, (bug,)) for bug in BUGS)), indirect=["database"])
def test_the_checker_catches(bug: Bug, played: Played, app: Flask, receiver: Receiver, monkeypatch: pytest.MonkeyPatch):
    with app.app_context(), db.engine.begin() as connection:
        for index in bug.unguarded:
            connection.execute(text(f"DROP INDEX {index}"))
    bug.seed(monkeypatch, receiver.url)
    _, found = played(bug.scenes, quiet=bug.quiet)
    assert any(bug.says in fault for fault in found), found
