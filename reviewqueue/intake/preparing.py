"""What becomes of a submitted item: checked against its queue, routed, as the columns to be stored. Writes nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from flask import current_app
from sqlalchemy import select
from sqlalchemy.orm import Session

from reviewqueue.core import traces, trail
from reviewqueue.core.access import Action, Actor, may
from reviewqueue.core.http import Body
from reviewqueue.core.ids import known_id
from reviewqueue.core.strictjson import Raw, parse_object, spliced
from reviewqueue.errors import Conflict, Fault, Faults, Invalid, NotFound, TooLarge
from reviewqueue.intake.duplicates import Earlier, find_earlier
from reviewqueue.intake.pressure import Placed, Waiting, relieved
from reviewqueue.intake.shapes import ItemShape
from reviewqueue.media import linking
from reviewqueue.models import Item
from reviewqueue.models.states import (
    ENDED,
    Audience,
    Intake,
    ItemState,
    ResolvedBy,
    Risk,
    RoutingAction,
    TaskKind,
    TaskState,
    Verdict,
)
from reviewqueue.queues import routing
from reviewqueue.queues.catalog import BY_SLUG, Compiled, QueueHead, configuration, permitted_head
from reviewqueue.queues.references import Reference
from reviewqueue.resolution.endings import resolution_columns


@dataclass(frozen=True)
class Answer:
    """What an item ends with without a person of its own; `output` is JSON text."""

    by: ResolvedBy
    verdict: Verdict
    output: str
    reason: str | None = None


class Prepared(NamedTuple):
    """An item as it is to be stored, times excepted: those are the database's."""

    head: QueueHead
    compiled: Compiled
    item_id: str
    route: routing.Route
    state: ItemState
    columns: dict[str, Any]
    """Of table `item`."""
    answer: Answer | None
    """With which it ends at once; None where people are to answer, or where it is refused."""
    limited: bool = False
    """See `Placed.limited`."""
    media: tuple[Reference, ...] = ()
    """What its input refers to."""

    @property
    def refused(self) -> bool:
        """Whether a rule refuses it: then nothing is stored."""
        return self.route.action is RoutingAction.REFUSE

    @property
    def needs_task(self) -> bool:
        return self.state is ItemState.QUEUED or self.route.audit_sample

    @property
    def due_seconds(self) -> float:
        return self.compiled.config.sla.due_minutes * 60.0

    @property
    def expiry_seconds(self) -> float | None:
        timeout = self.compiled.config.timeout
        return timeout.after_hours * 3600.0 if timeout else None

    @property
    def tasks(self) -> int:
        """How many people are to judge it, at once."""
        return int(self.columns["reviews"]) if self.needs_task else 0

    def task_columns(self, task_ids: Iterable[str], *, due: Any, now: Any) -> list[dict[str, Any]]:
        """Of the tasks that people are to do on it, all open at once. `task_ids` are as many as `tasks` says; times are
        such as the rows are stored with."""
        head, route = self.head, self.route
        return [
            {
                "id": task_id, "item_id": self.item_id, "queue_id": head.id, "config_version": head.version,
                "round": 1, "kind": TaskKind.AUDIT if route.audit_sample else TaskKind.REVIEW,
                "state": TaskState.OPEN, "audience": Audience.REVIEWER, "priority": route.priority, "excluded": "[]",
                "lane": "", "fence": 0, "due": due, "available_at": now, "created_at": now,
            }
            for task_id in task_ids
        ]  # fmt: skip

    def facts(self) -> dict[str, Any]:
        """Of the audit event."""
        return {
            "state": self.state,
            "rule": self.route.rule,
            "action": self.route.action,
            "version": self.head.version,
            "audit_sample": self.route.audit_sample,
            "probability": self.route.probability,
            **({"duplicate_of": self.columns["duplicate_of"]} if self.columns["duplicate_of"] else {}),
        }

    def content(self) -> dict[str, Any]:
        """Of the audit event, and to be erased with the item: whoever guesses a short text would know it by this."""
        return {"body_sha256": self.columns["body_sha256"]}

    def resolution(self) -> dict[str, Any]:
        """Of the resolution that the item has at once. Precondition: it has an answer."""
        assert self.answer is not None
        return resolution_columns(
            item_id=self.item_id, queue_id=self.head.id, revision=1, by=self.answer.by, verdict=self.answer.verdict,
            output=self.answer.output, reason=self.answer.reason,
        )  # fmt: skip

    def attach_media(self, session: Session, actor: Actor) -> None:
        """Once the item and its tasks are stored."""
        if self.media:
            linking.attach(
                session, actor, queue_id=self.head.id, slug=self.head.slug, item_id=self.item_id, references=self.media
            )

    def refusal(self) -> Invalid:
        return Invalid(f"Refused by rule {self.route.rule}: {self.route.title}.", code="refused_by_rule")


@dataclass(frozen=True)
class _Checked:
    """A submitted item that satisfies its queue."""

    shape: ItemShape
    output: Any
    output_text: str
    failure: str | None
    """JSON text, as it was sent: `{code, raw}`."""
    supersedes: str | None
    input_text: str

    @property
    def failed(self) -> bool:
        return self.failure is not None

    @cached_property
    def input_digest(self) -> str:
        """Equal for inputs that say the same."""
        return trail.digest_of(self.shape.input, self.input_text)


def digest_of(body: Body[ItemShape]) -> str:
    """The same for equal items, however they are written."""
    return trail.digest_of(body.value, body.text)


def queue_for(session: Session, actor: Actor, slug: str) -> QueueHead:
    """The queue that an item names. Raises `Invalid`, and `Conflict` for a closed intake."""
    return open_queue(session.execute(BY_SLUG, {"slug": slug}).one_or_none(), actor, slug)


def open_queue(row: Any, actor: Actor, slug: str) -> QueueHead:
    """As `queue_for`, of the row that `BY_SLUG` gave, or None."""
    try:
        head = permitted_head(row, actor=actor, action=Action.SUBMIT_ITEMS)
    except NotFound:
        raise Invalid(
            "The queue is not known.",
            [Fault("/queue", "is not the name of a queue that you may submit to")],
            code="unknown_queue",
        ) from None
    if head.intake is Intake.CLOSED:
        raise Conflict(f"The queue {slug} takes no new items at the moment.", code="intake_closed")
    return head


def prepare(
    session: Session, actor: Actor, head: QueueHead, body: Body[ItemShape], *, item_id: str,
    waiting: Waiting | None = None,
) -> Prepared:  # fmt: skip
    """Check and route, for a queue that `open_queue` gave. `waiting` is that of the operation, if it has many items.

    Raises `Invalid` with pointers, `TooLarge`, `QueueFull`.
    """
    _check_size(body)
    compiled = configuration(session, head.id, head.version)
    item = _checked(session, actor, compiled, body)
    media = linking.references_of(session, head.id, body)
    facts, failed = _facts(item), item.failed
    route = compiled.route(facts, item_id=item_id, failed=failed, stopped=head.stopped)
    placed, answer, earlier = Placed(head, compiled, route), None, None
    if route.action is RoutingAction.REVIEW:
        earlier = _earlier(session, placed, item)
        if earlier is None:
            placed = relieved(
                session, actor, placed, facts, item_id=item_id, failed=failed, waiting=waiting or Waiting(session)
            )
    if earlier is not None:
        state = ItemState.RESOLVED
        answer = Answer(ResolvedBy.DUPLICATE, earlier.verdict, earlier.output, earlier.reason)
        placed = placed._replace(route=route._replace(probability=0.0))
    else:
        state = _first_state(placed.route, placed.compiled)
        if state is ItemState.AUTO_APPROVED:
            answer = Answer(ResolvedBy.ROUTING, Verdict.APPROVE, item.output_text)
    columns = _columns(actor, placed, body, item, item_id, state)
    columns["duplicate_of"] = earlier.item_id if earlier else None
    return Prepared(placed.head, placed.compiled, item_id, placed.route, state, columns, answer, placed.limited, media)


def tried(
    session: Session, actor: Actor, compiled: Compiled, body: Body[ItemShape]
) -> tuple[dict[str, Any], bool]:  # fmt: skip
    """What routing by `compiled` would read of the item, and whether its output failed. Raises as `prepare`."""
    _check_size(body)
    item = _checked(session, actor, compiled, body)
    return _facts(item), item.failed


def _earlier(session: Session, placed: Placed, item: _Checked) -> Earlier | None:
    """What answers the item as a duplicate: never one of high risk, nor a test, nor while the queue is stopped."""
    wanted = placed.compiled.config.duplicates
    if wanted is None or placed.head.stopped or item.failed or item.shape.test:
        return None
    if item.shape.risk is Risk.HIGH and current_app.config["SETTINGS"].final_say:
        return None
    return find_earlier(
        session, placed.head.id, placed.compiled, digest=item.input_digest, given=item.shape.input, output=item.output
    )


def _check_size(body: Body[ItemShape]) -> None:
    limit = current_app.config["SETTINGS"].max_item_bytes
    if len(body.text) > limit:
        raise TooLarge(
            f"The item is {len(body.text):,} bytes and the limit is {limit:,}. Send less of the input, or a link to it."
        )


def _checked(session: Session, actor: Actor, compiled: Compiled, body: Body[ItemShape]) -> _Checked:
    shape = body.shape
    faults = Faults(compiled.validate_input(shape.input))
    output, output_text = shape.output, body.raw["output"]
    failure = None if shape.failure is None else _failure_as_sent(body.raw["failure"])
    reviews_broken = compiled.config.on_invalid_output == "review"
    if failure is not None and output is not None:
        faults.add("/failure", "says that the AI failed, yet output is not null: send one of them")
    elif failure is not None and not reviews_broken:
        faults.add("/failure", "is not accepted here: the queue refuses failed outputs (on_invalid_output: refuse)")
    elif failure is None:
        broken = compiled.validate_output(output, given=shape.input)
        if broken and reviews_broken:
            failure = spliced({"code": "invalid_output", "raw": Raw(output_text)})
            output, output_text = None, "null"
        else:
            faults.found.extend(broken)
    supersedes = _superseded(session, actor, shape.supersedes, faults)
    faults.raise_if_any(f"The item does not fit the queue {compiled.config.name}.", code="invalid_item")
    return _Checked(shape, output, output_text, failure, supersedes, body.raw["input"])


def _failure_as_sent(text: str) -> str:
    members = parse_object(text).raw
    return spliced({"code": Raw(members["code"]), "raw": Raw(members.get("raw", "null"))})


def _superseded(session: Session, actor: Actor, given: str | None, faults: Faults) -> str | None:
    """The id of the item that this one replaces; an item of a queue that the actor may not submit to is none."""
    if given is None:
        return None
    try:
        item_id = known_id(given)
        queue_id = session.execute(select(Item.queue_id).where(Item.id == item_id)).scalar_one_or_none()
    except NotFound:
        queue_id = None
    if queue_id is None or not may(actor, Action.SUBMIT_ITEMS, queue_id):
        faults.add("/supersedes", "is not the id of an item")
        return None
    return item_id


def _facts(item: _Checked) -> dict[str, Any]:
    shape = item.shape
    return {
        "input": shape.input,
        "output": item.output,
        "confidence": shape.confidence,
        "risk": shape.risk.value,
        "model": shape.model,
        "model_version": shape.model_version,
        "metadata": shape.metadata,
        "lowest_part": routing.lowest_part([part.model_dump() for part in shape.parts]) if shape.parts else None,
    }


def _first_state(route: routing.Route, compiled: Compiled) -> ItemState:
    if route.action is RoutingAction.REVIEW or (route.audit_sample and compiled.rules.audit_hold):
        return ItemState.QUEUED
    return ItemState.AUTO_APPROVED


def _reviews(placed: Placed, item_id: str, state: ItemState) -> int:
    """How many people are to judge it: what the queue asks for, its rule, and the draw of a second look."""
    route, config = placed.route, placed.compiled.config
    if state is not ItemState.QUEUED or route.action is not RoutingAction.REVIEW:
        return 1
    extra = config.routing.rules[route.rule - 1].extra_reviews if route.rule is not None else 0
    return config.reviews.required + extra + _second_look(config.reviews.second_look, item_id)


def _second_look(rate: float, item_id: str) -> bool:
    if not rate:
        return False
    return routing.draw(item_id, current_app.config["SETTINGS"].secret_key.encode(), "second_look") < rate


def _columns(
    actor: Actor, placed: Placed, body: Body[ItemShape], item: _Checked, item_id: str, state: ItemState
) -> dict[str, Any]:
    shape, raw, head, route = body.shape, body.raw, placed.head, placed.route
    return {
        "id": item_id, "queue_id": head.id, "config_version": head.version, "state": state,
        "revision": 1 if state in ENDED else 0, "round": 1, "external_id": shape.external_id,
        "body_sha256": digest_of(body),
        "input": raw["input"], "output": item.output_text,
        "failure": item.failure,
        "confidence": shape.confidence, "risk": shape.risk, "model": shape.model, "model_version": shape.model_version,
        "prompt_version": shape.prompt_version, "subject": shape.subject,
        "parts": raw.get("parts") if shape.parts else None,
        "alternatives": raw.get("alternatives") if shape.alternatives else None,
        "explanation": shape.explanation, "trace_url": shape.trace_url, "cost": shape.cost,
        "latency_ms": shape.latency_ms, "metadata": raw.get("metadata", "{}"), "test": shape.test,
        "supersedes": item.supersedes, "rule": route.rule, "rule_title": route.title, "action": route.action,
        "priority": route.priority, "reviews": _reviews(placed, item_id, state), "audit_sample": route.audit_sample,
        "probability": route.probability,
        "input_sha256": item.input_digest if placed.compiled.config.duplicates else None,
        "submitted_by": actor.label,
        **({"trace": traces.carried()} if traces.wanted() else {}),
    }  # fmt: skip
