"""Queries for advice on a queue's threshold: which items could pass, what people said of them, what it would save."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from flask import current_app
from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from reviewqueue.core.access import Action, Actor, may
from reviewqueue.core.db import clock, database_now
from reviewqueue.core.ids import first_id_at
from reviewqueue.errors import Fault, Invalid, NotFound
from reviewqueue.insights.advice import Advice, Further, Promise, advise, further, thresholds_of, with_threshold
from reviewqueue.insights.calibration import Calibration, Judged, calibration
from reviewqueue.insights.risk import Point, Seen, curve
from reviewqueue.models import Decision, Item, Resolution
from reviewqueue.models.base import table
from reviewqueue.models.states import DISAGREEMENTS, ResolvedBy, RoutingAction, Verdict
from reviewqueue.queues import routing
from reviewqueue.queues.catalog import Compiled, QueueHead, configuration, find_queue
from reviewqueue.queues.configuration import parse
from reviewqueue.queues.simulation import LAST, seconds_of

MOST = 20_000
LONGEST_SPENT = 600.0
"""Seconds: a decision that took longer was left lying."""
_CONTENT = frozenset({"input", "output", "metadata", "lowest_part"})
_item, _decision, _resolution = table(Item).c, table(Decision).c, table(Resolution).c


@dataclass(frozen=True)
class Version:
    """A model version that sent items."""

    model: str | None
    model_version: str | None
    items: int

    @property
    def name(self) -> str:
        return " ".join(filter(None, (self.model, self.model_version))) or "no model named"


@dataclass(frozen=True)
class Load:
    """What a threshold sends to people."""

    share: float
    per_day: float
    hours: float | None
    """A day; None where no decision says how long one takes."""


@dataclass(frozen=True)
class Report:
    """What was judged of one model version, and what follows from it."""

    queue: QueueHead
    versions: list[Version]
    """Newest first."""
    version: Version | None
    """The one that this is about; None where no items came."""
    last: str
    complete: bool
    """False where there were more items than were looked at: these are the newest."""
    could_pass: int
    """Items that would pass if their confidence were enough."""
    unaudited: list[int]
    """Versions of the configuration that let items pass without any audit: nothing is known of what came under them."""
    points: list[Point]
    advice: Advice
    further: Further | None
    """Without advice: what it would take."""
    calibration: Calibration | None
    present: float | None
    """The threshold in force, where there is one alone."""
    candidate: dict[str, Any] | None
    """The configuration with the threshold advised; None where it is for people to write."""
    now: Load
    """What goes to people at present."""
    audit_rate: float
    _confidences: Sequence[float]
    _all: int
    _days: float
    _seconds: float | None

    def load(self, threshold: float) -> Load:
        """What would go to people: what may not pass, what is below, and the audits of the rest."""
        passing = sum(1 for each in self._confidences if each >= threshold)
        return _load((self._all - passing * (1 - self.audit_rate)) / self._all, self._all, self._days, self._seconds)

    def high(self, point: Point) -> float:
        """The upper edge of its band."""
        return point.high(self.advice.doubt)

    def low(self, point: Point) -> float:
        """The lower edge of its band."""
        return point.low(self.advice.doubt)


def promise_of(error: str | None, confidence: str | None) -> Promise:
    """From what a request says, as shares or per cent. Raises `Invalid`."""
    found = Promise()
    if error is not None:
        found = replace(found, error=_share("error", error, 0.0005, 0.5))
    if confidence is not None:
        found = replace(found, confidence=_share("confidence", confidence, 0.5, 0.999))
    return found


def _share(name: str, text: str, least: float, most: float) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not least <= value <= most:
        raise Invalid(
            f"{name} must be a share from {least:g} to {most:g}, as in {'0.02' if name == 'error' else '0.95'}.",
            [Fault(f"/{name}", "is not such a share")], code="bad_parameter",
        )  # fmt: skip
    return value


def report(
    *, session: Session, actor: Actor, slug: str, promise: Promise, last: str = LAST, model: str | None = None,
    model_version: str | None = None,
) -> Report:  # fmt: skip
    """What people said of the newest items of the time `last`, tests left out, and the threshold that follows.

    Of the model version that sent the newest item, or of the one asked for. Raises `NotFound`, `Forbidden`, `Invalid`.
    """
    head = find_queue(session=session, actor=actor, slug=slug, action=Action.READ_INSIGHTS)
    present = configuration(session, head.id, head.version)
    document = json.loads(present.document)
    free = _compiled(with_threshold(document, 0.0))
    rows = _rows(session, head.id, seconds_of(last), content=bool(free and _variables(free) & _CONTENT))
    complete, rows = len(rows) <= MOST, rows[-MOST:]
    versions = _versions(rows)
    chosen = _asked(versions, model, model_version)
    mine = [row for row in rows if chosen and (row.model, row.model_version) == (chosen.model, chosen.model_version)]
    could = [row for row in mine if _could_pass(row, free)]
    unaudited = {row.config_version for row in could if row.action != RoutingAction.REVIEW and row.probability == 0}
    known = [row for row in could if row.probability > 0 and row.config_version not in unaudited]
    confirmed = _confirmed(session, head.id, rows[0].id) if rows else frozenset()
    seen = [_seen(row, confirmed) for row in known]
    points = curve(seen)
    advice = advise(points, promise)
    candidate = with_threshold(document, advice.chosen.threshold) if advice.chosen else None
    days = max(1.0, (mine[-1].created_at - mine[0].created_at).total_seconds() / 86_400) if mine else 1.0
    spent = _mean_spent(session, head.id, rows[0].id) if rows else None
    seconds = None if spent is None else spent * present.config.reviews.required
    sent = sum(1 for row in mine if routing.drawn(row.action, row.audit_sample))
    thresholds = thresholds_of(document)
    return Report(
        queue=head, versions=versions, version=chosen, last=last, complete=complete, could_pass=len(could),
        unaudited=sorted(unaudited), points=points, advice=advice,
        further=None if advice.chosen else further(points, promise), calibration=_calibration(seen),
        present=thresholds[0] if len(thresholds) == 1 else None,
        candidate=candidate if candidate and may(actor, Action.READ_CONFIGURATION, head.id) else None,
        now=_load(sent / len(mine) if mine else 0.0, len(mine), days, seconds), audit_rate=present.config.audit.rate,
        _confidences=[row.confidence for row in could], _all=max(1, len(mine)), _days=days, _seconds=seconds,
    )  # fmt: skip


def document_with(session: Session, head: QueueHead, threshold: float) -> dict[str, Any]:
    """The present configuration with that threshold. Raises `Invalid` where its rules do not say where it stands."""
    found = with_threshold(json.loads(configuration(session, head.id, head.version).document), threshold)
    if found is None:
        raise Invalid(
            "The rules read the confidence in more than one place, or in another way than `confidence < 0.8`: "
            "write the threshold into them yourself.", code="bad_configuration",
        )  # fmt: skip
    return found


def _load(share: float, items: int, days: float, seconds: float | None) -> Load:
    per_day = share * items / days
    return Load(share, per_day, None if seconds is None else per_day * seconds / 3600)


# -- items ------------------------------------------------------------------------------------------------------------


def _rows(session: Session, queue_id: str, seconds: int, *, content: bool) -> list[Any]:
    """The newest items, oldest first; one more than are looked at. Content only where rules read it."""
    oldest = first_id_at(database_now(session).timestamp() - seconds)
    columns = [
        _item.id, _item.confidence, _item.risk, _item.model, _item.model_version, _item.action, _item.audit_sample,
        _item.probability, _item.config_version, _item.failure, _item.created_at, _resolution.by, _resolution.verdict,
    ]  # fmt: skip
    if content:
        columns += [_item.input, _item.output, _item.metadata, _item.parts]
    # Indexes ix_item_queue_id_id and uq_resolution_item_id_revision.
    rows = session.execute(
        select(*columns)
        .join_from(
            table(Item), table(Resolution),
            (_resolution.item_id == _item.id) & (_resolution.revision == _item.revision), isouter=True,
        )
        .where(
            _item.queue_id == queue_id, _item.id >= oldest, _item.created_at >= clock(-float(seconds)),
            _item.test.is_(False),
        )
        .order_by(_item.id.desc())
        .limit(MOST + 1)
    ).all()  # fmt: skip
    return list(reversed(rows))


def _versions(rows: Sequence[Any]) -> list[Version]:
    counts = Counter((row.model, row.model_version) for row in reversed(rows))
    return [Version(*key, items) for key, items in counts.items()]


def _asked(versions: list[Version], model: str | None, model_version: str | None) -> Version | None:
    if model is None and model_version is None:
        return versions[0] if versions else None
    for each in versions:
        if (each.model or "", each.model_version or "") == (model or "", model_version or ""):
            return each
    raise NotFound("No items of this model version came in that time.")


def _compiled(document: dict[str, Any] | None) -> Compiled | None:
    if document is None:
        return None
    config, text = parse(document, final_say=current_app.config["SETTINGS"].final_say)
    return Compiled(0, config, text)


def _variables(compiled: Compiled) -> frozenset[str]:
    return frozenset().union(*(rule.variables for rule in compiled.rules.rules))


def _could_pass(row: Any, free: Compiled | None) -> bool:
    """Whether it would pass if its confidence were enough: `free` is the configuration with a threshold of 0."""
    if row.confidence is None or row.failure is not None:
        return False
    if row.action == RoutingAction.REVIEW and row.probability == 0:
        return False  # a duplicate: answered by an earlier one
    if free is None:
        return True
    facts = {
        "confidence": row.confidence, "risk": row.risk.value, "model": row.model, "model_version": row.model_version,
    }  # fmt: skip
    if _variables(free) & _CONTENT:
        facts, _ = routing.stored_facts(row, row.metadata)
    route = routing.safeguarded(
        routing.decide(free.rules, facts), facts, free.rules, failed=False,
        final_say=current_app.config["SETTINGS"].final_say,
    )  # fmt: skip
    return route.action is RoutingAction.AUTO_APPROVE


def _confirmed(session: Session, queue_id: str, oldest: str) -> frozenset[str]:
    """Items of the audit whose reviewer approved: what routing said of them stays in force."""
    return frozenset(
        session.scalars(
            select(_decision.item_id)
            .join_from(table(Decision), table(Item), _item.id == _decision.item_id)
            .where(
                _item.queue_id == queue_id, _item.id >= oldest, _item.audit_sample.is_(True),
                _decision.verdict == Verdict.APPROVE, _decision.withdrawn_at.is_(None), _decision.late.is_(False),
                _decision.correct.is_(None), _decision.releases_at <= clock(),
            )
        )
    )  # fmt: skip


def _seen(row: Any, confirmed: frozenset[str]) -> Seen:
    wrong = None
    if row.by == ResolvedBy.PEOPLE:
        wrong = row.verdict in DISAGREEMENTS
    elif row.by == ResolvedBy.ROUTING and row.id in confirmed:
        wrong = False
    drawn = routing.drawn(row.action, row.audit_sample)
    return Seen(row.confidence, row.probability, drawn, wrong if drawn else None)


def _calibration(seen: Iterable[Seen]) -> Calibration | None:
    return calibration(
        [Judged(each.confidence, not each.wrong, each.probability) for each in seen if each.wrong is not None]
    )


def _mean_spent(session: Session, queue_id: str, oldest: str) -> float | None:
    """Seconds a decision takes, on average; each counts for ten minutes at most."""
    capped = case((_decision.spent_seconds > LONGEST_SPENT, LONGEST_SPENT), else_=_decision.spent_seconds)
    found = session.scalar(
        select(func.avg(capped)).where(
            _decision.queue_id == queue_id, _decision.id >= oldest, _decision.withdrawn_at.is_(None),
            _decision.correct.is_(None), _decision.spent_seconds > 0,
        )
    )  # fmt: skip
    return None if found is None else float(found)
