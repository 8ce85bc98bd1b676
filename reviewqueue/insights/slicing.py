"""Query: how the model does for the groups of people that a queue's configuration declares."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from reviewqueue.core.access import Action, Actor
from reviewqueue.insights.figures import since_of
from reviewqueue.insights.groups import Case, Fairness, compared
from reviewqueue.insights.rates import stands
from reviewqueue.models import Item, JudgedItem
from reviewqueue.models.states import DISAGREEMENTS
from reviewqueue.queues.catalog import QueueHead, configuration, find_queue
from reviewqueue.queues.configuration import Fairness as Declared

MOST = 20_000
"""Latest judged items that are looked at."""


@dataclass(frozen=True)
class Slices:
    queue: QueueHead
    declared: Declared | None
    days: int
    items: int
    complete: bool
    by: dict[str, Fairness]
    """By key of the metadata."""


def slices_of(*, session: Session, actor: Actor, slug: str, days: int) -> Slices:
    """By the metadata that the present configuration declares. Raises `NotFound`, `Forbidden`."""
    head = find_queue(session=session, actor=actor, slug=slug, action=Action.READ_INSIGHTS)
    declared = configuration(session, head.id, head.version).config.fairness
    if declared is None:
        return Slices(head, None, days, 0, complete=True, by={})
    since, _ = since_of(session, days)
    # Index ix_judged_item_queue_id_day; of the items the metadata alone, by primary key.
    latest = (
        select(
            JudgedItem.item_id, JudgedItem.label, JudgedItem.answer, JudgedItem.verdict, JudgedItem.probability,
            JudgedItem.audit_sample,
        )
        .where(JudgedItem.queue_id == head.id, JudgedItem.day >= since)
        .order_by(JudgedItem.day.desc())
        .limit(MOST)
        .subquery()
    )  # fmt: skip
    judged = session.execute(
        select(*latest.c, Item.metadata_json).join_from(latest, Item, Item.id == latest.c.item_id)
    ).all()
    rows = [row for row in judged if stands(row.probability, audit_sample=row.audit_sample)]
    said = [json.loads(row.metadata_json) for row in rows]
    found = {key: _by(key, rows, said, declared) for key in declared.metadata}
    return Slices(head, declared, days, len(rows), len(judged) < MOST, found)


def _by(key: str, rows: Sequence[Any], said: Sequence[Any], declared: Declared) -> Fairness:
    cases = [
        Case(
            group, row.verdict in DISAGREEMENTS, *_favours(row, declared.favourable), 1 / row.probability,
        )
        for row, metadata in zip(rows, said, strict=True)
        if (group := _word(metadata, key)) is not None
    ]  # fmt: skip
    return compared(cases, smallest=declared.smallest_group, unnamed=len(rows) - len(cases))


def _word(metadata: Any, key: str) -> str | None:
    value = metadata.get(key) if isinstance(metadata, dict) else None
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)[:200] if isinstance(value, str | int | float) else None


def _favours(row: Any, favourable: Sequence[str]) -> tuple[bool | None, bool | None]:
    if not favourable or row.label is None:
        return None, None
    return row.label in favourable, row.answer is not None and row.answer in favourable
