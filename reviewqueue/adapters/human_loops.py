"""Operations and queries on items as human loops: start, find, describe, list, and the output document."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from reviewqueue.adapters import a2i_shapes
from reviewqueue.core.access import Action, Actor, require
from reviewqueue.core.http import checked
from reviewqueue.core.ids import known_id
from reviewqueue.core.moments import iso
from reviewqueue.core.strictjson import Raw, as_written, exact, spliced
from reviewqueue.errors import Invalid, NotFound
from reviewqueue.intake.shapes import ItemShape
from reviewqueue.intake.submissions import Answer, submit
from reviewqueue.models import Decision, Item, PendingRelease, Person, Queue
from reviewqueue.queues import reveals
from reviewqueue.queues.catalog import configuration, find_queue, queues_or_refusal
from reviewqueue.queues.sensitive import covered
from reviewqueue.resolution import reading

_PLAIN = (
    "confidence", "risk", "model", "model_version", "prompt_version", "subject", "explanation", "trace_url", "cost",
    "latency_ms", "test", "supersedes",
)  # fmt: skip
_JSON = ("input", "output", "failure", "parts", "alternatives")


@dataclass(frozen=True)
class Loop:
    """An item as a human loop. Its name is the item's `external_id`; without one, its id."""

    item: Item
    slug: str
    kept_back: bool
    """It has ended, and its queue is held: nobody is told."""

    @property
    def name(self) -> str:
        return self.item.external_id or self.item.id

    @property
    def metadata(self) -> dict[str, Any]:
        found: dict[str, Any] = exact(self.item.metadata_json)
        return found

    @property
    def flow_definition_arn(self) -> str:
        return a2i_shapes.arn_of(self.metadata, self.slug)

    @property
    def status(self) -> str:
        return "InProgress" if self.kept_back else a2i_shapes.status_of(self.item.state, self.item.revision)


def start(
    *, session: Session, actor: Actor, name: str, flow_definition_arn: str, content: str, classifiers: Sequence[str]
) -> Answer:
    """`submit` the item that `content`, JSON text, stands for; commit and raise as with `submit`.

    Raises `NotFound` for a queue that the actor may not know of, too.
    """
    slug = a2i_shapes.queue_of(flow_definition_arn)
    head = find_queue(session=session, actor=actor, slug=slug, action=Action.SUBMIT_ITEMS)
    item = a2i_shapes.item_of(
        name=name, arn=flow_definition_arn, content=a2i_shapes.parsed(content), classifiers=classifiers,
        queue=configuration(session, head.id, head.version).config,
    )  # fmt: skip
    return submit(session=session, actor=actor, body=checked(ItemShape, spliced(as_written(item)).encode()))


_LOOPS = select(Item, Queue.slug, reading.kept_back().label("kept_back")).join(Queue)


def _loop(row: Any) -> Loop:
    return Loop(row.Item, row.slug, bool(row.kept_back))


def find(*, session: Session, actor: Actor, name: str, action: Action = Action.READ_ITEMS) -> Loop:
    """The human loop of that name among the queues in which `actor` may do `action`.

    Raises `NotFound`, `Forbidden` for who may do that nowhere, `Invalid` when several queues have the name.
    """
    heads = queues_or_refusal(session=session, actor=actor, action=action)
    # One look-up a queue in its unique constraint (queue_id, external_id).
    mine = _LOOPS.where(Item.queue_id.in_([head.id for head in heads]))
    rows = session.execute(mine.where(Item.external_id == name).limit(2)).all()
    if len(rows) > 1:
        raise Invalid("Several queues have a human loop of that name. Use a token that is limited to one queue.")
    if not rows:
        rows = session.execute(mine.where(Item.id == known_id(name), Item.external_id.is_(None))).all()
    if not rows:
        raise NotFound
    return _loop(rows[0])


def by_id(*, session: Session, actor: Actor, item_id: str) -> Loop:
    """Raises `NotFound`, `Forbidden`."""
    row = session.execute(_LOOPS.where(Item.id == known_id(item_id))).one_or_none()
    if row is None:
        raise NotFound
    require(actor, Action.READ_ITEMS, row.Item.queue_id)
    return _loop(row)


def page(
    *, session: Session, actor: Actor, slug: str, begun_after: datetime | None, begun_before: datetime | None,
    ascending: bool, beyond: str | None, limit: int,
) -> list[Loop]:  # fmt: skip
    """At most `limit` human loops of the queue `slug`, in the order of their ids, from the one after `beyond`."""
    head = find_queue(session=session, actor=actor, slug=slug, action=Action.READ_ITEMS)
    query = _LOOPS.where(Item.queue_id == head.id)
    if begun_after is not None:
        query = query.where(Item.created_at > begun_after)
    if begun_before is not None:
        query = query.where(Item.created_at < begun_before)
    if beyond is not None:
        query = query.where(Item.id > beyond if ascending else Item.id < beyond)
    # Index ix_item_queue_id_id.
    rows = session.execute(query.order_by(Item.id if ascending else Item.id.desc()).limit(limit))
    return [_loop(row) for row in rows]


def summary(loop: Loop) -> dict[str, Any]:
    """A `HumanLoopSummary`."""
    found = {
        "HumanLoopName": loop.name, "HumanLoopStatus": loop.status, "CreationTime": iso(loop.item.created_at),
        "FlowDefinitionArn": loop.flow_definition_arn,
    }  # fmt: skip
    if loop.status == "Failed":
        found["FailureReason"] = "Nobody answered in time; the queue's default was applied."
    return found


def description(loop: Loop, output_uri: str) -> dict[str, Any]:
    """The answer to `DescribeHumanLoop`; `output_uri` is told once the loop has ended."""
    found: dict[str, Any] = {**summary(loop), "HumanLoopArn": a2i_shapes.loop_arn(loop.flow_definition_arn, loop.name)}
    if loop.status == "Failed":
        found["FailureCode"] = "Expired"
    if loop.status != "InProgress":
        found["HumanLoopOutput"] = {"OutputS3Uri": output_uri}
    return found


def output_document(*, session: Session, actor: Actor, loop: Loop) -> dict[str, Any]:
    """The A2I output of the loop, for `spliced`: with the decisions that are in effect, and the resolution."""
    hidden = reveals.hidden_from(session, actor, item_id=loop.item.id, queue_id=loop.item.queue_id)
    shown = covered(_members(loop)["input"], "input", hidden)
    return {
        "flowDefinitionArn": loop.flow_definition_arn, "humanLoopName": loop.name,
        "humanAnswers": [] if loop.kept_back else [_human_answer(row) for row in _decisions(session, loop.item.id)],
        "inputContent": as_written(a2i_shapes.input_content({**_members(loop), "input": shown})),
        "resolution": reading.told(session, loop.item.id) if loop.item.revision else None,
    }  # fmt: skip


def _decisions(session: Session, item_id: str) -> Sequence[Any]:
    """Standing ones, none that is in its grace time."""
    return session.execute(
        select(
            Decision.output, Decision.verdict, Decision.reason, Decision.message, Decision.spent_seconds,
            Decision.decided_at, Person.pseudonym,
        )
        .join(Person, Person.id == Decision.person_id)
        .outerjoin(PendingRelease, PendingRelease.decision_id == Decision.id)
        .where(
            Decision.item_id == item_id, Decision.withdrawn_at.is_(None), Decision.late.is_(False),
            PendingRelease.decision_id.is_(None),
        )
        .order_by(Decision.id)
    ).all()  # fmt: skip


def _human_answer(row: Any) -> dict[str, Any]:
    return {
        "answerContent": Raw(row.output), "submissionTime": iso(row.decided_at), "workerId": row.pseudonym,
        "workerMetadata": {"identityData": {"identityProviderType": "reviewqueue", "sub": row.pseudonym}},
        "timeSpentInSeconds": row.spent_seconds, "verdict": row.verdict, "reason": row.reason, "message": row.message,
    }  # fmt: skip


def _members(loop: Loop) -> dict[str, Any]:
    item = loop.item
    json = {name: exact(text) for name in _JSON if (text := getattr(item, name)) is not None}
    plain = {name: value for name in _PLAIN if (value := getattr(item, name)) is not None}
    return {**json, **plain, "metadata": loop.metadata}
