"""Exact duplicates: the answer that people gave to the same input before, where a queue says to use it. A query."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from reviewqueue.core.db import clock
from reviewqueue.errors import Faults
from reviewqueue.intake.opt_outs import learnable
from reviewqueue.models import Item, Resolution
from reviewqueue.models.base import table
from reviewqueue.models.states import ItemState, ResolvedBy, Verdict
from reviewqueue.queues.catalog import Compiled
from reviewqueue.resolution.verdicts import judge, same

_item, _resolution = table(Item).c, table(Resolution).c


@dataclass(frozen=True)
class Earlier:
    """What answers a duplicate; `output` is JSON text."""

    item_id: str
    verdict: Verdict
    output: str
    reason: str | None


def find_earlier(
    session: Session, queue_id: str, compiled: Compiled, *, digest: str, given: Any, output: Any
) -> Earlier | None:
    """The newest answer of people to the input `given`, whose digest it is, within the queue's days; None where none
    fits `output`.

    A correction answers whatever the AI says now; a rejection only the output that was rejected. Neither tests nor
    items of people who opted out answer others.
    """
    wanted = compiled.config.duplicates
    if wanted is None:
        return None
    row = session.execute(_query(queue_id, digest, wanted.within_days)).one_or_none()
    if row is None:
        return None
    if row.verdict is Verdict.REJECT:
        rejected = same(json.loads(row.proposed), output)
        return Earlier(row.id, Verdict.REJECT, "null", row.reason) if rejected else None
    answer = json.loads(row.output)
    if compiled.validate_output(answer, given=given):
        return None
    view = compiled.config.view.type
    judged = judge(
        given=None, ai_output=output, output=answer, view=view, started_blank=False, faults=Faults()
    )  # fmt: skip
    return Earlier(row.id, judged.verdict, row.output, row.reason)


# What is a duplicate itself and has been answered by nobody else is passed by: there may be any number of them.
_MAY_ANSWER = text("item.input_sha256 IS NOT NULL AND (item.duplicate_of IS NULL OR item.revision > 1)")


def _query(queue_id: str, digest: str, days: int) -> Any:
    # Index ix_item_queue_id_input_sha256: its condition must stand here in the same words.
    return (
        select(_item.id, _item.output.label("proposed"), _resolution.verdict, _resolution.output, _resolution.reason)
        .join_from(
            table(Item), table(Resolution),
            (_resolution.item_id == _item.id) & (_resolution.revision == _item.revision),
        )
        .where(
            _item.queue_id == queue_id, _item.input_sha256 == digest, _MAY_ANSWER,
            _item.state == ItemState.RESOLVED, _item.test.is_(False), _resolution.by == ResolvedBy.PEOPLE,
            _resolution.created_at > clock(-86_400.0 * days),
            learnable(),
        )
        .order_by(_resolution.created_at.desc(), _item.id.desc())
        .limit(1)
    )  # fmt: skip
