"""Simulation: what a configuration would have made of items, against what became of them. Changes nothing."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from flask import current_app
from sqlalchemy import select
from sqlalchemy.orm import Session

from reviewqueue.core.access import Action, Actor, may
from reviewqueue.core.db import clock, database_now
from reviewqueue.core.ids import first_id_at
from reviewqueue.errors import Error, Fault, Invalid, NotFound
from reviewqueue.models import Decision, Item
from reviewqueue.models.base import table
from reviewqueue.models.states import RoutingAction, Verdict
from reviewqueue.queues import routing
from reviewqueue.queues.catalog import Compiled, QueueHead, configuration, find_queue
from reviewqueue.queues.cautions import cautions
from reviewqueue.queues.configuration import parse

MOST, LARGEST = 10_000, 50_000
LAST = "30d"
EXAMPLES = 20
PAGE = 200
_UNITS = {"h": 3600, "d": 86_400, "w": 604_800}
_item, _decision = table(Item).c, table(Decision).c


@dataclass(frozen=True)
class Case:
    """An item as routing sees it, and what became of it."""

    id: str
    facts: dict[str, Any]
    """See `routing.VARIABLES`."""
    failed: bool = False
    before: RoutingAction | None = None
    """What routing said of it when it came, or says of it at present; None for an item of no queue."""
    verdict: Verdict | None = None
    """Of the person who judged it last."""
    audited: bool = False
    """Whether it passed, and was drawn to be reviewed all the same."""


@dataclass(frozen=True)
class Refused:
    """A line that submission would refuse."""

    line: int
    error: Error


@dataclass
class RuleOutcome:
    """What one rule, `otherwise` or a safeguard would have done."""

    rule: int | None
    """1-based; None for `otherwise` and the safeguards."""
    title: str
    action: RoutingAction
    items: int = 0
    before: Counter[str] = field(default_factory=Counter)
    """How many of them were routed how."""
    verdicts: Counter[str] = field(default_factory=Counter)
    """How many of them people judged how."""


@dataclass
class Simulation:
    """What a configuration would have made of items, and what became of them."""

    queue: str
    version: int
    """The present one."""
    last: str | None
    """How far back it looked; None for items from a file."""
    items: int = 0
    complete: bool = True
    """False where there were more items than it looked at: these are the newest."""
    before: Counter[str] = field(default_factory=Counter)
    then: Counter[str] = field(default_factory=Counter)
    audits: int = 0
    """Of what would pass, those drawn to be reviewed all the same."""
    unfit: int = 0
    """Items that do not fit the schemas: they would be refused."""
    refused: int = 0
    """Lines of a file that are no items at all: left aside."""
    faults: list[str] = field(default_factory=list)
    """Of the lines that are no items or do not fit, what is wrong with the first 20."""
    audited: int = 0
    """Passed, and were drawn to be reviewed all the same."""
    freed: int = 0
    """Were reviewed, and would pass."""
    added: int = 0
    """Passed, and would be reviewed."""
    agreed: int = 0
    """Of those freed, how many people had approved."""
    freed_judged: int = 0
    """Of those freed, how many people had judged."""
    judged: int = 0
    """Of all that would pass, how many people had judged."""
    changed: int = 0
    """Of all that would pass, how many people had changed or rejected."""
    examples: list[str] = field(default_factory=list)
    """Ids of some of those."""
    rules: list[RuleOutcome] = field(default_factory=list)
    warnings: list[Fault] = field(default_factory=list)
    """What is probably a slip in the configuration, see `cautions`."""


def simulate(
    *, session: Session, actor: Actor, slug: str | None, document: str | dict[str, Any] | None = None,
    items: Callable[[Compiled], Iterable[Case | Refused]] | None = None, last: str = LAST, most: int = MOST,
) -> Simulation:  # fmt: skip
    """What `document`, or the present configuration, would have made of the queue's items.

    Without `slug` it is the queue that the document names. `items` gives items that were never submitted, as that
    configuration takes them, and needs no such queue; where there is one, its present configuration is tried on them,
    too. Without `items`, the newest `most` items of the time `last` (`12h`, `30d`, `2w`), tests left out. Raises
    `Invalid` with pointers, `NotFound`, `Forbidden`.
    """
    candidate = None if document is None else _candidate(document, slug)
    slug = slug or (candidate.config.name if candidate else "")
    head = _head(session, actor, slug, new=candidate is not None, on_a_file=items is not None)
    if candidate is None:
        assert head is not None
        compiled = configuration(session, head.id, head.version)
    else:
        compiled = candidate
    seconds = seconds_of(last)
    if not 1 <= most <= LARGEST:
        raise Invalid(f"most must be a whole number from 1 to {LARGEST:,}.", code="bad_parameter")
    version = head.version if head else 0
    found = Simulation(slug, version, last if items is None else None, warnings=cautions(compiled.config))
    cases: Iterable[Case | Refused]
    if items is None:
        assert head is not None
        cases = _stored(session, head.id, seconds, most + 1)
    else:
        cases = items(compiled)
    present = None
    if items is not None and candidate is not None and head is not None:
        present = configuration(session, head.id, head.version)
    groups: dict[tuple[int | None, str, RoutingAction], RuleOutcome] = {}
    for case in cases:
        if items is None and found.items == most:
            found.complete = False
            break
        if isinstance(case, Refused):
            _count_refused(found, groups, case)
        else:
            _count(found, groups, compiled, case if present is None else _at_present(present, case))
    found.rules = sorted(groups.values(), key=lambda group: (group.rule is None, group.rule or 0, -group.items))
    return found


def _head(session: Session, actor: Actor, slug: str, *, new: bool, on_a_file: bool) -> QueueHead | None:
    """The queue; None for one that is to be, tried on a file."""
    try:
        return find_queue(session=session, actor=actor, slug=slug, action=Action.READ_CONFIGURATION)
    except NotFound:
        # Who may create queues knows of all.
        if not new or not may(actor, Action.CONFIGURE_QUEUES):
            raise
        if not on_a_file:
            raise NotFound(f"There is no queue {slug!r} yet: try the configuration on a file of items.") from None
        return None


def _candidate(document: str | dict[str, Any], slug: str | None) -> Compiled:
    config, text = parse(document, final_say=current_app.config["SETTINGS"].final_say)
    if slug is not None and config.name != slug:
        raise Invalid(
            f"The document is for the queue {config.name!r}, not {slug!r}.", [Fault("/name", f"must be {slug}")],
            code="bad_configuration",
        )  # fmt: skip
    return Compiled(0, config, text)


def seconds_of(last: str) -> int:
    """`12h`, `30d` or `2w` as seconds. Raises `Invalid`."""
    found = re.fullmatch(r"([1-9][0-9]{0,3})([hdw])", last)
    if found is None:
        raise Invalid("last must be a number of hours, days or weeks, as in 12h, 30d or 2w.", code="bad_parameter")
    return int(found[1]) * _UNITS[found[2]]


def _count(
    found: Simulation, groups: dict[tuple[int | None, str, RoutingAction], RuleOutcome], compiled: Compiled, case: Case
) -> None:
    found.items += 1
    route = _routed(compiled, case)
    found.unfit += route is _UNFIT
    group = _group(groups, route)
    group.items += 1
    found.then[route.action] += 1
    found.audits += route.audit_sample
    found.audited += case.audited
    passes = route.action is RoutingAction.AUTO_APPROVE
    if case.before is not None:
        found.before[case.before] += 1
        group.before[case.before] += 1
        found.freed += passes and case.before is RoutingAction.REVIEW
        found.added += route.action is RoutingAction.REVIEW and case.before is RoutingAction.AUTO_APPROVE
    if case.verdict is not None:
        group.verdicts[case.verdict] += 1
        found.judged += passes
        found.freed_judged += passes and case.before is RoutingAction.REVIEW
        found.agreed += passes and case.before is RoutingAction.REVIEW and case.verdict is Verdict.APPROVE
        if passes and case.verdict is not Verdict.APPROVE:
            found.changed += 1
            if len(found.examples) < EXAMPLES:
                found.examples.append(case.id)


def _routed(compiled: Compiled, case: Case) -> routing.Route:
    fits = not compiled.validate_input(case.facts["input"])
    failed = case.failed or bool(compiled.validate_output(case.facts["output"], given=case.facts["input"]))
    if not fits or (failed and compiled.config.on_invalid_output == "refuse"):
        return _UNFIT
    facts = {**case.facts, "output": None} if failed else case.facts
    return compiled.route(facts, item_id=case.id, failed=failed, stopped=None)


def _at_present(present: Compiled, case: Case) -> Case:
    """As if it had come while that configuration was the present one."""
    route = _routed(present, case)
    return replace(case, before=route.action, audited=route.audit_sample)


def _count_refused(
    found: Simulation, groups: dict[tuple[int | None, str, RoutingAction], RuleOutcome], case: Refused
) -> None:
    error = case.error
    if len(found.faults) < EXAMPLES:
        faults = error.faults if isinstance(error, Invalid) else []
        detail = "; ".join(f"{fault.pointer} {fault.detail}" for fault in faults)
        found.faults.append(f"line {case.line}: {error.message}{' ' + detail if detail else ''}")
    if error.code != "invalid_item":
        found.refused += 1
        return
    found.items += 1
    found.unfit += 1
    found.then[RoutingAction.REFUSE] += 1
    _group(groups, _UNFIT).items += 1


_UNFIT = routing.Route(RoutingAction.REFUSE, None, "Does not fit the schemas", 0)


def _group(
    groups: dict[tuple[int | None, str, RoutingAction], RuleOutcome], route: routing.Route
) -> RuleOutcome:  # fmt: skip
    return groups.setdefault(
        (route.rule, route.title, route.action), RuleOutcome(route.rule, route.title, route.action)
    )


# -- what came --------------------------------------------------------------------------------------------


def _stored(session: Session, queue_id: str, seconds: int, most: int) -> Iterator[Case]:
    """The newest items, a page at a time: content may be large."""
    oldest = first_id_at(database_now(session).timestamp() - seconds)
    # Index ix_item_queue_id_id.
    query = (
        select(
            _item.id, _item.input, _item.output, _item.failure, _item.confidence, _item.risk, _item.model,
            _item.model_version, _item.metadata, _item.parts, _item.action, _item.audit_sample,
        )
        .where(
            _item.queue_id == queue_id, _item.id >= oldest, _item.created_at >= clock(-float(seconds)),
            _item.test.is_(False),
        )
        .order_by(_item.id.desc())
        .limit(PAGE)
    )  # fmt: skip
    beyond, left = None, most
    while left > 0:
        rows = session.execute(query if beyond is None else query.where(_item.id < beyond)).all()
        if not rows:
            return
        verdicts = _verdicts(session, [row.id for row in rows])
        for row in rows[:left]:
            yield _case(row, verdicts.get(row.id))
        left -= len(rows)
        beyond = rows[-1].id


def _verdicts(session: Session, item_ids: list[str]) -> dict[str, Verdict]:
    """Of the standing decision that each item had last, by item."""
    standing = select(_decision.item_id, _decision.verdict).where(
        _decision.item_id.in_(item_ids), _decision.withdrawn_at.is_(None), _decision.late.is_(False)
    )
    return {row.item_id: row.verdict for row in session.execute(standing.order_by(_decision.id))}


def _case(row: Any, verdict: Verdict | None) -> Case:
    facts, failed = routing.stored_facts(row, row.metadata)
    return Case(row.id, facts, failed, row.action, verdict, row.audit_sample)


def as_json(found: Simulation) -> dict[str, Any]:
    """A simulation as programs read it."""
    return {
        "queue": found.queue, "version": found.version, "last": found.last, "items": found.items,
        "complete": found.complete, "before": _actions(found.before), "then": _actions(found.then),
        "audits": found.audits, "unfit": found.unfit, "freed": found.freed, "added": found.added,
        "agreed": found.agreed, "freed_judged": found.freed_judged, "changed": found.changed,
        "judged": found.judged, "audited": found.audited, "refused": found.refused, "examples": found.examples,
        "rules": [
            {
                "rule": group.rule, "title": group.title, "action": group.action, "items": group.items,
                "before": _actions(group.before),
                "verdicts": {verdict: group.verdicts[verdict] for verdict in Verdict},
            }
            for group in found.rules
        ],
        "warnings": [asdict(warning) for warning in found.warnings],
    }  # fmt: skip


def _actions(counts: Counter[str]) -> dict[str, int]:
    return {action: counts[action] for action in RoutingAction}
