"""Query: another model against the present one, on the items that people judged and both answered."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session, aliased

from reviewqueue.core.access import Action, Actor
from reviewqueue.errors import Invalid
from reviewqueue.insights import paired
from reviewqueue.insights.paired import Difference, Pairs, Verdict
from reviewqueue.insights.rates import Rate, plain, stands
from reviewqueue.models import Item, JudgedItem, Prediction, Resolution
from reviewqueue.models.states import Verdict as Said
from reviewqueue.queues.catalog import QueueHead, find_queue
from reviewqueue.resolution.verdicts import same

MOST = 20_000
"""Latest predictions that are looked at."""
OWN = ""
"""The present one, where none is named: what each item came with."""


@dataclass(frozen=True)
class Version:
    """`name` is `model@version`."""

    name: str
    items: int


@dataclass
class Label:
    """Of the items to which people gave this label, how many each had right."""

    name: str
    items: int = 0
    present: int = 0
    candidate: int = 0


@dataclass(frozen=True)
class Comparison:
    queue: QueueHead
    versions: list[Version]
    """Of which there are predictions."""
    candidate: str
    present: str
    pairs: Pairs
    present_right: Rate
    candidate_right: Rate
    difference: Difference | None
    p: float
    """McNemar's, exact."""
    overall: Difference | None
    """Of all items, also those that nobody judged; None where all were judged alike."""
    verdict: Verdict
    labels: list[Label] = field(default_factory=list)
    complete: bool = True


def compare(
    *, session: Session, actor: Actor, slug: str, candidate: str | None = None, present: str = OWN
) -> Comparison:  # fmt: skip
    """`candidate` and `present` are `model@version`; without the former the one that was sent last.

    Raises `Invalid` for a candidate of which there is no prediction, `NotFound`, `Forbidden`."""
    head = find_queue(session=session, actor=actor, slug=slug, action=Action.READ_INSIGHTS)
    versions = _versions(session, head.id)
    names = [version.name for version in versions]
    chosen = candidate if candidate is not None else next(iter(names), "")
    if candidate is not None and candidate not in names:
        known = ", ".join(names) or "none yet"
        raise Invalid(f"There is no prediction of {candidate!r}. There are of: {known}.", code="bad_parameter")
    rows = list(_rows(session, head.id, chosen, present)) if chosen else []
    counts = {(one, other): 0 for one in (True, False) for other in (True, False)}
    drawn: list[tuple[int, float]] = []
    labels: dict[str, Label] = {}
    for row in rows:
        before, after = _is_right(row.present, row), _is_right(row.candidate, row)
        counts[before, after] += 1
        if stands(row.probability, audit_sample=row.audit_sample):
            drawn.append((after - before, row.probability))
        if row.answer is not None:
            label = labels.setdefault(row.answer, Label(row.answer))
            label.items += 1
            label.present += before
            label.candidate += after
    pairs = Pairs(counts[True, True], counts[True, False], counts[False, True], counts[False, False])
    sampled = any(probability < 1 for _, probability in drawn)
    overall = paired.weighted_difference(drawn) if sampled else None
    return Comparison(
        head, versions, chosen, present, pairs, plain(pairs.both + pairs.first, pairs.items),
        plain(pairs.both + pairs.second, pairs.items), paired.difference(pairs),
        paired.mcnemar(pairs.first, pairs.second), overall, paired.verdict(pairs, overall),
        sorted(labels.values(), key=lambda label: (-label.items, label.name)), len(rows) < MOST,
    )  # fmt: skip


def _versions(session: Session, queue_id: str) -> list[Version]:
    """Index ix_prediction_version. Those sent last come first."""
    rows = session.execute(
        select(Prediction.model, Prediction.model_version, func.count().label("number"))
        .where(Prediction.queue_id == queue_id)
        .group_by(Prediction.model, Prediction.model_version)
        .order_by(func.max(Prediction.created_at).desc(), Prediction.model, Prediction.model_version)
        .limit(50)
    )
    return [Version(f"{row.model}@{row.model_version}", row.number) for row in rows]


@dataclass(frozen=True)
class _Row:
    candidate: str
    present: str
    """Both as JSON text."""
    truth: str
    rejected: bool
    answer: str | None
    probability: float
    audit_sample: bool


def _rows(session: Session, queue_id: str, candidate: str, present: str) -> Iterator[_Row]:
    model, _, version = candidate.rpartition("@")
    other_model, _, other_version = present.rpartition("@")
    other = aliased(Prediction)
    # Index ix_prediction_version, the newest of it; all else by primary key or uq_prediction_item.
    rows = session.execute(
        select(
            Prediction.output.label("candidate"), Item.output, Item.model, Item.model_version,
            other.output.label("other"), Resolution.output.label("truth"), JudgedItem.verdict, JudgedItem.answer,
            JudgedItem.probability, JudgedItem.audit_sample,
        )
        .join(JudgedItem, JudgedItem.item_id == Prediction.item_id)
        .join(Item, Item.id == Prediction.item_id)
        .join(
            Resolution,
            and_(Resolution.item_id == Prediction.item_id, Resolution.revision == JudgedItem.revision),
        )
        .outerjoin(
            other,
            and_(
                other.item_id == Prediction.item_id, other.model == other_model, other.model_version == other_version
            ),
        )
        .where(
            Prediction.queue_id == queue_id, Prediction.model == model, Prediction.model_version == version
        )
        .order_by(Prediction.id.desc())
        .limit(MOST)
    )  # fmt: skip
    for row in rows:
        own = present == OWN or f"{row.model or ''}@{row.model_version or ''}" == present
        said = row.other if row.other is not None else row.output if own else None
        if said is not None:
            yield _Row(
                row.candidate, said, row.truth, row.verdict is Said.REJECT, row.answer, row.probability,
                row.audit_sample,
            )  # fmt: skip


def _is_right(output: str, row: _Row) -> bool:
    """Of what people rejected nothing is right."""
    return not row.rejected and (output == row.truth or same(json.loads(output), json.loads(row.truth)))


def as_json(found: Comparison) -> dict[str, Any]:
    return {
        "queue": found.queue.slug, "candidate": found.candidate or None, "present": found.present or None,
        "items": found.pairs.items, "complete": found.complete,
        "both_right": found.pairs.both, "only_present_right": found.pairs.first,
        "only_candidate_right": found.pairs.second, "neither_right": found.pairs.neither,
        "difference": _difference(found.difference), "p": found.p,
        "difference_of_all_items": _difference(found.overall),
        "verdict": found.verdict.call, "why": found.verdict.why,
    }  # fmt: skip


def _difference(found: Difference | None) -> dict[str, float] | None:
    if found is None:
        return None
    return {"value": round(found.value, 4), "low": round(found.low, 4), "high": round(found.high, 4)}
