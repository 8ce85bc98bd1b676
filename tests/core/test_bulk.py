"""Many rows at once hold what was given, whatever it is."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from reviewqueue.core.bulk import LINES, insert_rows
from reviewqueue.core.db import read_session, write_session
from reviewqueue.core.ids import new_ids
from reviewqueue.models import AuditContent, AuditEvent, Item
from reviewqueue.models.base import table
from reviewqueue.models.states import ActorKind, Via
from tests.fixtures.people import Cast

AT = datetime(2026, 11, 20, 10, 0, 5, 123456, tzinfo=UTC)
HOSTILE = [
    "", "plain", "a\tb", "a\nb", "a\r\nb", "\\N", "\\.", "c:\\new\\temp", '{"a":"\\n\\"b\\""}', "\\", "\\\\", "\t",
    "\n", "ü€𝄞", "\x01\x0b\x7f", "NULL", "'; DROP TABLE item; --",
]  # fmt: skip


def _event(event_id: str, facts: str, subject: str | None) -> dict[str, Any]:
    return {
        "id": event_id, "at": AT, "action": "test.bulk", "actor_kind": ActorKind.SYSTEM, "actor": "system",
        "via": Via.SYSTEM, "queue_id": None, "item_id": None, "subject": subject, "facts": facts,
        "content_sha256": None,
    }  # fmt: skip


def _stored(rows: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    with write_session() as session:
        insert_rows(session, table(AuditEvent), rows)
    columns = table(AuditEvent).c
    query = select(*columns).where(columns.action == "test.bulk").order_by(columns.id)
    with read_session() as session:
        return [tuple(row[column] for column in columns) for row in session.execute(query).mappings()]


def _given(rows: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [tuple(row[column.name] for column in table(AuditEvent).c) for row in rows]


def test_text_comes_back_as_it_was_whatever_is_in_it(app: Flask) -> None:
    ids = new_ids(len(HOSTILE))
    subjects = [None if place % 3 == 0 else text for place, text in enumerate(HOSTILE)]
    rows = [_event(*given) for given in zip(ids, HOSTILE, subjects, strict=True)]
    with app.app_context():
        assert _stored(rows) == _given(rows)


@pytest.mark.parametrize("text", ["plain", "\\N", "a\tb"])
@pytest.mark.parametrize("number", [1, LINES, LINES + 1])
def test_what_is_the_same_in_every_row_is_in_every_row(app: Flask, number: int, text: str) -> None:
    rows = [_event(event_id, text, text) for event_id in new_ids(number)]
    with app.app_context():
        assert _stored(rows) == _given(rows)


def test_numbers_truths_and_nothing_keep_their_kind(app: Flask, cast: Cast) -> None:
    queue_id = cast.queue_id
    confidences = [0.1, None, 1.0, 1e-300, 0.30000000000000004]
    rows = [
        {
            "id": item_id, "queue_id": queue_id, "config_version": 1, "state": "queued", "revision": 0, "round": 1,
            "body_sha256": "0" * 64, "input": "{}", "output": "null", "confidence": confidence, "risk": "low",
            "metadata": "{}", "test": place % 2 == 0, "rule": place or None, "rule_title": "", "action": "review",
            "priority": -place, "reviews": 1, "audit_sample": True, "probability": 1.0, "submitted_by": "test",
            "created_at": AT, "due_at": AT, "expires_at": None if place % 2 else AT,
        }
        for place, (item_id, confidence) in enumerate(zip(new_ids(5), confidences, strict=True))
    ]  # fmt: skip
    columns = [table(Item).c[name] for name in rows[0]]
    with app.app_context():
        with write_session() as session:
            insert_rows(session, table(Item), rows)
        with read_session() as session:
            found = session.execute(select(*columns).order_by(table(Item).c.id)).all()
    assert [tuple(row) for row in found] == [tuple(row.values()) for row in rows]


def test_what_breaks_a_rule_of_the_table_is_an_integrity_error(app: Flask) -> None:
    rows = [{"event_id": event_id, "salt": "0" * 32, "payload": "{}"} for event_id in new_ids(1) * 2]
    with app.app_context(), pytest.raises(IntegrityError), write_session() as session:
        insert_rows(session, table(AuditContent), rows)
