"""Items that came and were judged long ago, put where insight reads: what the product itself needs days for."""

from __future__ import annotations

import datetime
import json
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from reviewqueue.core.db import database_now
from reviewqueue.core.ids import first_id_at, new_id
from reviewqueue.models import Item, JudgedItem, Resolution
from reviewqueue.models.base import table
from reviewqueue.models.states import ItemState, ResolvedBy, Risk, RoutingAction, Verdict


def judged(session: Session, queue_id: str, *, ago: int = 0, count: int = 1, **given: Any) -> list[str]:
    """So many items that came and were judged so many days ago; `given` are columns, or `label` and `answer`."""
    now = database_now(session) - datetime.timedelta(days=ago)
    label, answer = given.get("label", "lost_card"), given.get("answer", given.get("label", "lost_card"))
    verdict = Verdict.REJECT if answer is None else Verdict.APPROVE if answer == label else Verdict.OVERRIDE
    probability, audit = given.get("probability", 1.0), given.get("audit_sample", False)
    ids = [first_id_at(now.timestamp())[:13] + new_id()[13:] for _ in range(count)]
    item = {
        "queue_id": queue_id, "config_version": 1, "state": ItemState.RESOLVED, "revision": 1, "round": 1,
        "body_sha256": "", "input": json.dumps({"text": given.get("text", "x")}),
        "output": json.dumps({"label": label}),
        "confidence": given.get("confidence", 0.5), "risk": Risk.LOW, "model": "intents",
        "model_version": given.get("version", "7"), "metadata": json.dumps(given.get("metadata", {})), "test": False,
        "rule_title": given.get("rule", "Unsure"), "priority": 0, "audit_sample": audit, "probability": probability,
        "action": RoutingAction.AUTO_APPROVE if audit else RoutingAction.REVIEW, "submitted_by": "tests",
        "created_at": now, "due_at": now,
    }  # fmt: skip
    session.execute(insert(table(Item)), [{"id": one, **item} for one in ids])
    resolution = {
        "queue_id": queue_id, "revision": 1, "by": ResolvedBy.PEOPLE, "verdict": verdict, "created_at": now,
        "output": json.dumps(None if answer is None else {"label": answer}),
    }  # fmt: skip
    session.execute(insert(Resolution), [{"id": new_id(), "item_id": one, **resolution} for one in ids])
    row = {
        "queue_id": queue_id, "revision": 1, "day": now.date(), "judged_at": now, "verdict": verdict,
        "model": "intents", "model_version": given.get("version", "7"), "rule_title": given.get("rule", "Unsure"),
        "label": label, "answer": answer, "confidence": given.get("confidence", 0.5), "probability": probability,
        "audit_sample": audit, "waited_seconds": 60.0, "in_time": given.get("in_time", True),
    }  # fmt: skip
    session.execute(insert(table(JudgedItem)), [{"item_id": one, **row} for one in ids])
    return ids


def facts(session: Session) -> dict[str, Any]:
    """Judged items by id."""
    return {row.item_id: row for row in session.execute(select(table(JudgedItem)))}
