"""Queries for the desk: what is shown with a claim, and the reviewer's home."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from sqlalchemy import and_, bindparam, case, func, select
from sqlalchemy.orm import Session

from reviewqueue.core.access import Action, Actor, may, require
from reviewqueue.core.db import along, clock
from reviewqueue.core.language import gettext
from reviewqueue.core.moments import iso
from reviewqueue.core.strictjson import Raw, exact, raw
from reviewqueue.errors import Forbidden, NotFound
from reviewqueue.media.reading import Picture, pictures_of
from reviewqueue.models import Decision, Draft, Item, ItemLikeness, Person, Queue, Skip, Task
from reviewqueue.models.base import table
from reviewqueue.models.states import ActorKind, Audience, StandingState, TaskKind, TaskState
from reviewqueue.queues import reveals, routing
from reviewqueue.queues.catalog import QueueHead, configuration, queue_by_id
from reviewqueue.queues.configuration import QueueConfig
from reviewqueue.queues.expressions import compile_rule
from reviewqueue.review import golden, standings
from reviewqueue.review.claims import leases, reach
from reviewqueue.review.comments import said_about, said_during
from reviewqueue.review.instructions import known_to

MOST_COUNTED = 10_000
"""Counts stop here: a page must not read a million rows to say `many`."""
MOST_BESIDE = 1_000
"""Of the count beside an item, which is read with every one."""
LOWEST = -(2**31)
"""A priority below all that there are."""


@dataclass(frozen=True)
class Workpiece:
    """All that the desk shows with a claim."""

    claim_id: str
    task_id: str
    fence: int
    live: bool
    """Whether the claim is still the actor's."""
    lease_until: datetime | None
    seconds_left: float
    kind: TaskKind
    blind: bool
    """What the AI said is hidden: output, alternatives, confidences and explanation are not here."""
    audience: Audience
    escalated_by: str | None
    escalation_comment: str | None
    sent_from: str | None
    """The title of the queue from which somebody sent it here."""
    queue: QueueHead
    config: QueueConfig
    config_version: int
    item: Any
    """The row: id, external_id, model, model_version, prompt_version, confidence, risk, explanation, trace_url,
    subject, created_at, due_at, expires_at, rule, priority, state."""
    hidden: tuple[str, ...]
    """Sensitive parts that are covered in `input` and `metadata`."""
    asks_why: bool
    """Whether whoever asks for them must say why."""
    input: Any
    output: Any
    failure: Any
    alternatives: list[Any]
    parts: dict[str, float | None]
    regions: dict[str, Any]
    """Where on its pages the model found a part, as it was sent."""
    pictures: list[Picture]
    """What the input refers to, in its places."""
    metadata: dict[str, Any]
    why: list[str]
    """First why it was flagged, with the values that the rule looked at; then rule and version; then the model."""
    draft: dict[str, Any] | None
    waiting: int
    waiting_capped: bool
    oldest_at: datetime | None
    similar: int
    """Other items of the queue that say nearly the same, at most 99."""
    skips: list[Any]
    """Who skipped it, and why: rows of name and comment; for the leads."""
    knows_instructions: bool | None
    """See `instructions.known_to`."""
    comments: list[Any]
    """What people said about the item, oldest first."""
    answers: list[Any]
    """For an adjudication: what those say who disagree, see `answers_to`."""
    calibration: standings.Stands | None
    """How far the actor is, where this is part of their calibration."""


def workpiece(*, session: Session, actor: Actor, claim_id: str, drawn: bool = True) -> Workpiece:
    """What to show for a claim, also one that was lost meanwhile (`live` is false then).

    Not to be `drawn`, as when a form is read that was sent: what stands around the item (how much waits, what is
    similar, comments, skips) is left out.
    Raises what `require_shown` does.
    """
    task_id, fence = leases.parse_claim_id(claim_id)
    task = _task_of(session, actor, task_id)
    require_shown(actor, task, fence)
    item: Any = session.execute(_ITEM, {"item_id": task.item_id}).one()
    head = queue_by_id(session, task.queue_id)
    version = head.version if head.id == item.queue_id else None
    hidden = reveals.hidden_from(session, actor, item_id=task.item_id, queue_id=item.queue_id, version=version)
    asks_why = bool(hidden) and reveals.sensitive_of(session, item.queue_id, version).ask_why
    compiled = configuration(session, head.id, task.config_version)
    seconds = (task.lease_until - task.now).total_seconds() if task.lease_until else 0.0
    live = task.state is TaskState.CLAIMED and task.holder == actor.id and task.fence == fence and seconds > 0
    parts = [] if task.blind else json.loads(item.parts or "[]")
    waiting, oldest = _waiting(session, head.id) if drawn else (0, None)
    kind = TaskKind.REVIEW if task.kind is TaskKind.GOLD else task.kind
    similar = session.execute(_SIMILAR, {"item_id": item.id, "queue_id": item.queue_id}).scalar_one() if drawn else 0
    said = said_about(session, task.item_id) if drawn else []
    if task.kind is TaskKind.GOLD and task.state is not TaskState.DONE:
        hides_id = not may(actor, Action.READ_ITEMS, task.queue_id)
        item = golden.disguised(item, task, compiled, hides_id=hides_id)
        waiting = max(0, waiting - (task.state is TaskState.CLAIMED))
        said = said_during(session, task.id, task.item_id) if drawn else []
    return Workpiece(
        claim_id=claim_id, task_id=task_id, fence=fence, live=live, lease_until=task.lease_until,
        seconds_left=max(0.0, seconds), kind=kind, blind=task.blind, audience=task.audience,
        escalated_by=task.escalated_by, escalation_comment=task.escalation_comment, sent_from=task.sent_from,
        queue=head, config=compiled.config, config_version=task.config_version, item=item,
        hidden=hidden, asks_why=asks_why, input=reveals.value_shown(item.input, "input", hidden),
        output=None if task.blind else json.loads(item.output),
        failure=json.loads(item.failure) if item.failure else None,
        alternatives=[] if task.blind else json.loads(item.alternatives or "[]"),
        parts={part["pointer"]: part.get("confidence") for part in parts},
        regions={part["pointer"]: part["region"] for part in parts if part.get("region")},
        pictures=pictures_of(session, task.item_id, json.loads(item.input), item.input),
        metadata=reveals.value_shown(item.metadata_json, "metadata", hidden),
        why=_why(session, item, task, kind),
        calibration=_calibration(session, actor, task, head),
        answers=answers_to(session, task.item_id) if task.kind is TaskKind.ADJUDICATION else [],
        draft=exact(task.draft) if task.draft else None, waiting=min(waiting, MOST_BESIDE),
        waiting_capped=waiting > MOST_BESIDE, oldest_at=oldest, similar=similar,
        comments=said, skips=_skips(session, task) if drawn else [],
        knows_instructions=known_to(session, actor, head.id, compiled.config),
    )  # fmt: skip


def reveal(*, session: Session, actor: Actor, claim_id: str, why: str) -> tuple[str, ...]:
    """Show whoever has the claim, or had it last, what is sensitive of its item, see `reveals.reveal`. Raises as
    `workpiece`, `Invalid`, and `Forbidden` for others who may not read every item of the queue."""
    task_id, fence = leases.parse_claim_id(claim_id)
    task = _task_of(session, actor, task_id)
    require_shown(actor, task, fence)
    home = session.execute(select(Item.queue_id).where(Item.id == task.item_id)).scalar_one()
    if actor.id not in {task.holder, task.last_holder} and not may(actor, Action.READ_ITEMS, home):
        raise Forbidden("What is sensitive is shown to whoever has the task in hand. Claim it first.")
    return reveals.reveal(
        session=session, actor=actor, item_id=task.item_id, queue_id=home, why=why, of_claim=task.queue_id
    )


def _task_of(session: Session, actor: Actor, task_id: str) -> Any:
    # Programs have no drafts, and ids of another kind.
    person_id = actor.id if actor.kind is ActorKind.PERSON else None
    return session.execute(_TASK, {"task_id": task_id, "person_id": person_id}).one_or_none()


def _calibration(session: Session, actor: Actor, task: Any, head: QueueHead) -> standings.Stands | None:
    stands = standings.of(session=session, actor=actor, head=head) if task.kind is TaskKind.GOLD else None
    return stands if stands is not None and stands.state is StandingState.CALIBRATING else None


def _why(session: Session, item: Any, task: Any, kind: TaskKind) -> list[str]:
    if task.blind:
        return [item.rule_title]
    return why_flagged(item, kind, configuration(session, item.queue_id, item.config_version).config)


def answers_to(session: Session, item_id: str) -> list[Any]:
    """What the reviews of the item's present round say, in order of time: verdict, output (JSON text), reason, comment,
    spent_seconds. Who gave them is not said, so that the answer is judged."""
    return list(
        session.execute(
            select(Decision.verdict, Decision.output, Decision.reason, Decision.comment, Decision.spent_seconds)
            .join(Task, Task.id == Decision.task_id)
            .join(Item, (Item.id == Decision.item_id) & (Item.round == Decision.round))
            .where(
                Decision.item_id == item_id, Task.kind == TaskKind.REVIEW, Decision.withdrawn_at.is_(None),
                ~Decision.late,
            )
            .order_by(Decision.decided_at, Decision.id)
        )
    )  # fmt: skip


def _skips(session: Session, task: Any) -> list[Any]:
    if task.audience is not Audience.LEAD:
        return []
    query = select(Person.name, Skip.comment).join(Person, Person.id == Skip.person_id).where(Skip.task_id == task.id)
    return list(session.execute(query.order_by(Skip.created_at)))


def require_shown(actor: Actor, task: Any, fence: int) -> None:
    """A claim is shown to those who review there, one of a task for leads to them and to whoever holds or held it.

    `task` has the columns `queue_id`, `audience`, `fence`, `holder`, `last_holder`; None where there is none. Raises
    `NotFound`, `Forbidden`.
    """
    if task is None or fence > task.fence:
        raise NotFound
    is_theirs = actor.id in {task.holder, task.last_holder}
    if task.audience is Audience.LEAD and not is_theirs and not may(actor, Action.TAKE_ESCALATIONS, task.queue_id):
        raise NotFound
    require(actor, Action.REVIEW, task.queue_id)


def _waiting(session: Session, queue_id: str) -> tuple[int, datetime | None]:
    """Open tasks, counted up to a limit, and the time of the oldest among the most urgent."""
    row = session.execute(_WAITING, {"queue_id": queue_id}).one()
    return row[0], row[1]


def _count_waiting() -> Any:
    each = table(Task).c
    some = select(each.created_at).where(each.queue_id == bindparam("queue_id"), leases.OPEN)
    counted = some.limit(MOST_BESIDE + 1).subquery()
    return select(func.count(), func.min(counted.c.created_at)).select_from(counted)


def _count_similar() -> Any:
    each = table(ItemLikeness).c
    item_id: Any = bindparam("item_id")
    own = select(each.key).where(each.item_id == item_id).scalar_subquery()
    some = select(each.item_id).where(each.queue_id == bindparam("queue_id"), each.key == own, each.item_id != item_id)
    return select(func.count()).select_from(some.limit(99).subquery())


def _the_task() -> Any:
    each, escalator, origin, draft = table(Task).c, table(Person).c, table(Queue).c, table(Draft).c
    theirs = select(draft.body).where(draft.task_id == each.id, draft.person_id == bindparam("person_id"))
    return (
        select(
            each.id, each.queue_id, each.item_id, each.config_version, each.kind, each.blind, each.audience, each.fence,
            each.created_at, each.due, each.priority, each.holder, each.last_holder, each.state, each.lease_until,
            each.escalation_comment, each.stand_in, escalator.name.label("escalated_by"),
            origin.title.label("sent_from"), theirs.scalar_subquery().label("draft"), clock().label("now"),
        )
        .join_from(table(Task), table(Person), escalator.id == each.escalated_by, isouter=True)
        .join(table(Queue), origin.id == each.sent_from, isouter=True)
        .where(each.id == bindparam("task_id"))
    )  # fmt: skip


def _the_item() -> Any:
    """All its columns, by the names that the model has for them; the ORM would take twice as long."""
    columns = [attribute.columns[0].label(attribute.key) for attribute in Item.__mapper__.column_attrs]
    return select(*columns).where(table(Item).c.id == bindparam("item_id"))


# Built once: to build one anew takes as long as the database needs for it.
_WAITING, _SIMILAR, _TASK, _ITEM = _count_waiting(), _count_similar(), _the_task(), _the_item()


def why_flagged(item: Any, kind: TaskKind, config: QueueConfig) -> list[str]:
    """Why a person sees this item, in plain words: the rule with its values, then versions."""
    lines = [_first_reason(item, kind, config)]
    if item.rule is not None:
        lines.append(gettext("rule %(rule)s · version %(version)s", rule=item.rule, version=item.config_version))
    else:
        lines.append(gettext("version %(version)s", version=item.config_version))
    if item.model:
        lines.append(f"{item.model} {item.model_version}" if item.model_version else item.model)
    return lines


def _first_reason(item: Any, kind: TaskKind, config: QueueConfig) -> str:
    if kind is TaskKind.AUDIT:
        return gettext("Random check: %(share)s of what passes is looked at", share=f"{item.probability:.0%}")
    if kind is TaskKind.ADJUDICATION:
        return gettext("Adjudication: reviewers disagree")
    if kind is TaskKind.APPEAL:
        return gettext("Reopened: somebody asked for a second judgement")
    title = str(item.rule_title)
    if item.rule is None or item.rule > len(config.routing.rules):
        return title
    rule = config.routing.rules[item.rule - 1]
    _, variables = compile_rule(rule.when)
    parts = json.loads(item.parts or "[]")
    values = {"confidence": item.confidence, "lowest_part": routing.lowest_part(parts), "risk": item.risk,
              "model": item.model, "model_version": item.model_version}  # fmt: skip
    shown = [f"{name.replace('_', ' ')} {_short(values[name])}" for name in values if name in variables]
    return f"{title}: {', '.join(shown)}{_bar_of(rule.when)}" if shown else title


_COMPARES = re.compile(r"[a-z_]+ *(<|<=|>|>=) *(\d+(?:\.\d+)?)")


def _bar_of(when: str) -> str:
    """What the one value of a rule is compared with, in words; nothing of any other rule, which is no text to read."""
    found = _COMPARES.fullmatch(when.strip())
    if found is None:
        return ""
    bar = found[2]
    return gettext(", below %(bar)s", bar=bar) if found[1].startswith("<") else gettext(", above %(bar)s", bar=bar)


def _short(value: Any) -> str:
    if value is None:
        return "not given"
    return f"{value:.2f}" if isinstance(value, float) else str(value)


# -- over the API -----------------------------------------------------------------------------------------------------


_task, _item, _draft = table(Task).c, table(Item).c, table(Draft).c
_CLAIMED = (
    select(
        _task.kind, _task.round, _task.priority, _task.due, _task.config_version, _task.audience, _task.blind,
        table(Queue).c.slug, _draft.body.label("draft"), _item.external_id, _item.input, _item.output, _item.failure,
        _item.confidence, _item.risk, _item.model, _item.model_version, _item.parts, _item.alternatives,
        _item.explanation, _item.trace_url, _item.metadata.label("metadata_json"), _item.rule,
        _item.rule_title, _item.created_at, _item.id, _item.queue_id.label("home_id"),
        reveals.home_version(_item.queue_id).label("home_version"),
    )
    .join_from(table(Task), table(Item), _item.id == _task.item_id)
    .join(table(Queue), table(Queue).c.id == _task.queue_id)
    .outerjoin(table(Draft), and_(_draft.task_id == _task.id, _draft.person_id == bindparam("person_id")))
    .where(_task.id == bindparam("task_id"))
)  # fmt: skip


def claim_json(*, session: Session, actor: Actor, held: leases.Held) -> dict[str, Any]:
    """`{claim, task, item, draft}`, for `spliced`; content exactly as it was sent."""
    row = along(session, _CLAIMED, {"task_id": held.task_id, "person_id": actor.id}).one()
    hidden = reveals.hidden_from(
        session, actor, item_id=held.item_id, queue_id=row.home_id, version=row.home_version
    )  # fmt: skip
    said = {
        "output": Raw(row.output), "confidence": row.confidence, "parts": raw(row.parts),
        "alternatives": raw(row.alternatives), "explanation": row.explanation, "trace_url": row.trace_url,
    }  # fmt: skip
    if row.blind:
        said = dict.fromkeys(said)
    kind, round_, item = row.kind, row.round, SimpleNamespace(**{name: getattr(row, name) for name in _OF_ITEM})
    if kind is TaskKind.GOLD:
        kind, round_, item = TaskKind.REVIEW, 1, _disguised(session, actor, held)
    return {
        "claim": {"id": held.claim_id, "fence": held.fence, "lease_until": iso(held.lease_until)},
        "task": {
            "id": held.task_id, "queue": row.slug, "kind": kind, "round": round_, "priority": row.priority,
            "due": iso(row.due), "config_version": row.config_version, "audience": row.audience, "blind": row.blind,
        },
        "item": {
            "id": item.id, "external_id": row.external_id, **said,
            "input": reveals.text_shown(row.input, "input", hidden),
            "failure": raw(row.failure), "risk": row.risk, "model": row.model,
            "model_version": row.model_version,
            "metadata": reveals.text_shown(row.metadata_json, "metadata", hidden), "hidden": list(hidden),
            "rule": item.rule, "title": item.rule_title, "submitted_at": iso(item.created_at),
        },
        "draft": raw(row.draft),
        "answers": _answers_json(session, held.item_id) if row.kind is TaskKind.ADJUDICATION else [],
    }  # fmt: skip


_OF_ITEM = ("id", "rule", "rule_title", "created_at")


def _disguised(session: Session, actor: Actor, held: leases.Held) -> Any:
    """The item of a gold task as it is shown."""
    task = session.execute(
        select(Task.created_at, Task.due, Task.priority, Task.stand_in, Task.config_version).where(
            Task.id == held.task_id
        )
    ).one()
    item = session.execute(select(Item).where(Item.id == held.item_id)).scalar_one()
    compiled = configuration(session, held.queue_id, task.config_version)
    return golden.disguised(item, task, compiled, hides_id=not may(actor, Action.READ_ITEMS, held.queue_id))


def _answers_json(session: Session, item_id: str) -> list[dict[str, Any]]:
    return [
        {"verdict": row.verdict, "output": Raw(row.output), "reason": row.reason, "comment": row.comment}
        for row in answers_to(session, item_id)
    ]


# -- home -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class QueueCard:
    """One of my queues, as home shows it."""

    slug: str
    title: str
    waiting: int
    waiting_capped: bool
    oldest_at: datetime | None
    next_due: datetime | None
    overdue: int
    urgent: int
    """Of those waiting, with a priority above 0."""
    escalated: int
    """Waiting for a lead; 0 for those who are none."""
    held: str | None
    """The claim I hold there."""
    stands: standings.Stands | None
    """How I stand there, where the queue asks for that."""
    held_up: int
    """People there who get no work until a lead, whom I am, says something."""


def home(*, session: Session, actor: Actor) -> list[QueueCard]:
    """The queues that `actor` reviews, in the order in which claims over all of them are given."""
    mine = [queue_id for queue_id in actor.memberships if may(actor, Action.REVIEW, queue_id)]
    heads = session.execute(
        select(Queue.id, Queue.slug, Queue.title, Queue.version).where(Queue.id.in_(mine), Queue.archived_at.is_(None))
    ).all()
    sight = reach.lanes_for(session, actor)
    tops = reach.most_urgent(session, actor, sight)
    never = datetime.max.replace(tzinfo=UTC)

    def urgency(head: Any) -> tuple[Any, ...]:
        top = tops.get(head.id)
        return (-top.priority, top.due, top.id) if top else (-LOWEST, never, head.title.casefold())

    return [
        _card(session, actor, head, [lane for queue_id, lane in sight.lanes if queue_id == head.id])
        for head in sorted(heads, key=urgency)
    ]


def _card(session: Session, actor: Actor, head: Any, lanes: list[str]) -> QueueCard:
    """`lanes` are those that the actor may take from: what they have judged already does not wait for them."""
    some = (
        select(Task.created_at, Task.due, Task.priority, Task.audience)
        .where(
            Task.queue_id == head.id,
            leases.OPEN,
            Task.lane.in_(lanes),
            Task.available_at <= clock(),
            # A check that was handed back stands for a task that waits, too.
            Task.kind != TaskKind.GOLD,
        )
        .limit(MOST_COUNTED + 1)
        .subquery()
    )
    columns = some.c
    row = session.execute(
        select(
            func.count().label("waiting"), func.min(columns.created_at).label("oldest"),
            func.min(columns.due).label("due"),
            func.sum(case((columns.due < clock(), 1), else_=0)).label("overdue"),
            func.sum(case((columns.priority > 0, 1), else_=0)).label("urgent"),
            func.sum(case((columns.audience == Audience.LEAD, 1), else_=0)).label("escalated"),
        ).select_from(some)
    ).one()  # fmt: skip
    held = session.execute(
        select(Task.id, Task.fence, Task.kind).where(
            Task.holder == actor.id,
            Task.queue_id == head.id,
            leases.CLAIMED,
            Task.lease_until > clock(),
            Task.seat == leases.DESK,
        )
    ).one_or_none()
    in_its_place = 1 if held is not None and held.kind is TaskKind.GOLD else 0
    return QueueCard(
        slug=head.slug, title=head.title, waiting=max(0, min(row.waiting, MOST_COUNTED) - in_its_place),
        waiting_capped=row.waiting > MOST_COUNTED, oldest_at=row.oldest, next_due=row.due,
        overdue=row.overdue or 0,
        urgent=row.urgent or 0, escalated=row.escalated or 0, held=f"{held.id}.{held.fence}" if held else None,
        stands=standings.of(session=session, actor=actor, head=head),
        held_up=standings.waiting_for_leads(session, head) if may(actor, Action.MANAGE_STANDINGS, head.id) else 0,
    )  # fmt: skip
