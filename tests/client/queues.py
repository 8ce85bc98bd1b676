"""Queues that ship with the client, in the application under test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from reviewqueue.accounts import memberships
from reviewqueue.models.states import QueueRole
from reviewqueue.queues.applying import apply
from tests.fixtures.people import OPERATOR

ROOT = Path(__file__).resolve().parents[2]


def shipped(transaction: Any, path: str) -> str:
    """Apply the document at `path`, with Alice as its reviewer; the queue's name."""
    text = (ROOT / path).read_text(encoding="utf-8")
    name = next(line.split()[1] for line in text.splitlines() if line.startswith("name:"))
    with transaction() as session:
        apply(session=session, actor=OPERATOR, document=text)
        memberships.add(session=session, actor=OPERATOR, slug=name, email="alice@example.com", role=QueueRole.REVIEWER)
    return name
