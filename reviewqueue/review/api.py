"""JSON routes of review: for people's own programs, with a personal token of the scope `review`."""

from __future__ import annotations

import contextlib

from flask import Response
from sqlalchemy.orm import Session

from reviewqueue.core.access import Action, Actor
from reviewqueue.core.db import read_session, write_session
from reviewqueue.core.http import (
    Body,
    actor,
    api_blueprint,
    checked,
    json_answer,
    list_answer,
    read_body,
    text_answer,
)
from reviewqueue.core.ids import known_id
from reviewqueue.core.moments import iso
from reviewqueue.core.strictjson import Raw, parse_object, raw, spliced
from reviewqueue.errors import Fault, Invalid, NotAdmitted
from reviewqueue.intake.shapes import ItemShape
from reviewqueue.media import reading
from reviewqueue.queues.api import RevealShape
from reviewqueue.queues.catalog import find_queue
from reviewqueue.resolution.verdicts import MISSING
from reviewqueue.review import (
    assigning,
    comments,
    drafts,
    edge,
    escalation,
    golden,
    handing,
    media,
    quality,
    standings,
    workpiece,
)
from reviewqueue.review.claims import leases, passing_on, returning
from reviewqueue.review.decisions.recording import Submission
from reviewqueue.review.decisions.withdrawing import withdraw
from reviewqueue.review.reopening import reopen
from reviewqueue.review.shapes import (
    AssigneeShape,
    CommentShape,
    DecisionShape,
    DraftShape,
    EscalationShape,
    GoldShape,
    PostponementShape,
    ReopeningShape,
    SkipShape,
    StandingShape,
    TransferShape,
)

blueprint = api_blueprint("review")


@blueprint.post("/queues/<slug>/claims")
def claim_in_queue(slug: str) -> Response:
    """The most urgent task of the queue: 201, or 204 when nothing waits."""
    return _claim(actor(), slug)


@blueprint.post("/claims")
def claim_anywhere() -> Response:
    """The most urgent task over all my queues: 201, or 204 when nothing waits."""
    return _claim(actor(), None)


def _claim(who: Actor, slug: str | None) -> Response:
    claim = edge.take_next(who, slug, lambda session, held: workpiece.claim_json(session=session, actor=who, held=held))
    return Response(status=204) if claim is None else text_answer(spliced(claim), 201)


@blueprint.post("/claims/<claim_id>/decision")
def decide(claim_id: str) -> Response:
    """Decide; with `next: true` the answer carries the next claim of the same queue (null when nothing waits)."""
    who = actor()
    body = read_body(DecisionShape)
    decided = edge.decide_now(who, claim_id, _submission(claim_id, body))
    members = {
        "decision": decided.decision,
        "resolution": decided.resolution,
        "gold": golden.feedback_json(decided.gold),
    }
    if body.shape.next:
        with contextlib.suppress(NotAdmitted):
            members["next"] = None
            members["next"] = edge.take_next(
                who, decided.slug, lambda session, held: workpiece.claim_json(session=session, actor=who, held=held)
            )
    return text_answer(spliced(members))


def _submission(claim_id: str, body: Body[DecisionShape]) -> Submission:
    shape = body.shape
    _, fence = leases.parse_claim_id(claim_id)
    if shape.fence is not None and shape.fence != fence:
        raise Invalid("The fence is not the claim's.", [Fault("/fence", f"must be {fence}, as in the claim's id")])
    return Submission(
        verdict=shape.verdict,
        output=shape.output if "output" in body.raw else MISSING,
        output_text=body.raw.get("output"),
        reason=shape.reason,
        suggested_label=shape.suggested_label,
        comment=shape.comment,
        message=shape.message,
        spent_seconds=shape.spent_seconds,
        seen=shape.seen,
        started_blank=shape.started_blank,
        draft=spliced({key: Raw(text) for key, text in body.raw.items() if key not in {"fence", "next"}}),
    )


@blueprint.post("/claims/<claim_id>/renewal")
def renew(claim_id: str) -> Response:
    """Extend the lease."""
    with write_session() as session:
        held = leases.renew(session=session, actor=actor(), claim_id=claim_id)
    return json_answer({"claim": {"id": held.claim_id, "fence": held.fence, "lease_until": iso(held.lease_until)}})


@blueprint.post("/claims/<claim_id>/release")
def release(claim_id: str) -> Response:
    """Hand the task back."""
    with write_session() as session:
        returning.release(session=session, actor=actor(), claim_id=claim_id)
    return Response(status=204)


@blueprint.post("/claims/<claim_id>/reveals")
def reveal(claim_id: str) -> Response:
    """Be shown them for a quarter of an hour: 200, the parts, and input and metadata as they are. It is recorded."""
    shape = read_body(RevealShape).shape
    with write_session() as session:
        parts = workpiece.reveal(session=session, actor=actor(), claim_id=claim_id, why=shape.why)
    with read_session() as session:
        work = workpiece.workpiece(session=session, actor=actor(), claim_id=claim_id, drawn=False)
        shown = {"input": Raw(work.item.input), "metadata": Raw(work.item.metadata_json)}
    return text_answer(spliced({"parts": list(parts), **shown}))


@blueprint.post("/claims/<claim_id>/skip")
def skip(claim_id: str) -> Response:
    """Not me: I never get this task again."""
    body = read_body(SkipShape)
    with write_session() as session:
        passing_on.skip(session=session, actor=actor(), claim_id=claim_id, comment=body.shape.comment)
    return Response(status=204)


@blueprint.post("/claims/<claim_id>/escalation")
def escalate(claim_id: str) -> Response:
    """Not my authority: to the leads."""
    body = read_body(EscalationShape)
    with write_session() as session:
        escalation.escalate(session=session, actor=actor(), claim_id=claim_id, comment=body.shape.comment)
    return Response(status=204)


@blueprint.post("/claims/<claim_id>/transfer")
def transfer(claim_id: str) -> Response:
    """To the people of another queue."""
    body = read_body(TransferShape)
    with write_session() as session:
        handing.send_to_queue(
            session=session, actor=actor(), claim_id=claim_id, slug=body.shape.queue, comment=body.shape.comment
        )
    return Response(status=204)


@blueprint.post("/claims/<claim_id>/postponement")
def put_off(claim_id: str) -> Response:
    """I get it again, later."""
    body = read_body(PostponementShape)
    with write_session() as session:
        handing.put_off(session=session, actor=actor(), claim_id=claim_id, until=body.shape.until)
    return Response(status=204)


@blueprint.put("/tasks/<task_id>/assignee")
def assign(task_id: str) -> Response:
    """Give a task to a person, or to whoever comes first."""
    body = read_body(AssigneeShape)
    with write_session() as session:
        assigning.assign(session=session, actor=actor(), task_id=known_id(task_id), person=body.shape.person)
    return Response(status=204)


@blueprint.get("/claims/<claim_id>/draft")
def read_draft(claim_id: str) -> Response:
    """My draft of the claim's task: `{body}`, null without one."""
    who = actor()
    with read_session() as session:
        leases.queue_of_claim(session=session, actor=who, claim_id=claim_id)
        task_id, _ = leases.parse_claim_id(claim_id)
        return text_answer(spliced({"body": raw(drafts.read(session, task_id, who.id))}))


@blueprint.get("/claims/<claim_id>/media/<int:place>")
def claim_media(claim_id: str, place: int) -> Response:
    """The file that the item in hand refers to there."""
    with read_session() as session:
        row = media.of_claim(session=session, actor=actor(), claim_id=claim_id, place=place)
    return reading.given_out(row)


@blueprint.get("/items/<item_id>/media/<int:place>")
def item_media(item_id: str, place: int) -> Response:
    """The file that an item refers to there."""
    with read_session() as session:
        row = media.of_item(session=session, actor=actor(), item_id=known_id(item_id), place=place)
    return reading.given_out(row)


@blueprint.put("/claims/<claim_id>/draft")
def save_draft(claim_id: str) -> Response:
    """Keep a draft, also after the lease was lost."""
    body = read_body(DraftShape)
    task_id, _ = leases.parse_claim_id(claim_id)
    with write_session() as session:
        drafts.save(session=session, actor=actor(), task_id=task_id, body=body.raw["body"])
    return Response(status=204)


@blueprint.post("/decisions/<decision_id>/withdrawal")
def withdraw_decision(decision_id: str) -> Response:
    """Take back my decision in its grace time; the answer is the claim on its task."""
    who = actor()

    def act(session: Session) -> str:
        held = withdraw(session=session, actor=who, decision_id=decision_id)
        return spliced(workpiece.claim_json(session=session, actor=who, held=held))

    return text_answer(edge.claiming(act))


@blueprint.post("/items/<item_id>/reopenings")
def reopen_item(item_id: str) -> Response:
    """Have an item that has ended judged once more, by somebody else: 201 with the task's id."""
    body = read_body(ReopeningShape)
    with write_session() as session:
        task_id = reopen(session=session, actor=actor(), item_id=known_id(item_id), reason=body.shape.reason)
    return json_answer({"task": task_id}, 201)


@blueprint.get("/items/<item_id>/comments")
def read_comments(item_id: str) -> Response:
    """What people said to each other about the item, oldest first."""
    with read_session() as session:
        rows = comments.listed(session=session, actor=actor(), item_id=known_id(item_id))
    return json_answer(
        {"comments": [{"id": row.id, "person": row.name, "body": row.body, "at": iso(row.created_at)} for row in rows]}
    )


@blueprint.post("/items/<item_id>/comments")
def comment(item_id: str) -> Response:
    """Say something about the item: 201 with who was told, and the words after an @ that mean nobody."""
    body = read_body(CommentShape)
    with write_session() as session:
        said = comments.comment(session=session, actor=actor(), item_id=known_id(item_id), body=body.shape.body)
    members = {"id": said.comment_id, "at": iso(said.created_at), "unknown": said.unknown}
    return json_answer({**members, "mentioned": [person.name for person in said.mentioned]}, 201)


@blueprint.post("/queues/<slug>/gold")
def add_gold(slug: str) -> Response:
    """Add an item whose answer is known: 201 with its id."""
    body = read_body(GoldShape)
    shape = body.shape
    if (shape.item is None) is (shape.new is None):
        raise Invalid("Send an item that is there, or a new one.", [Fault("/item", "is required, or /new")])
    with write_session() as session:
        find_queue(session=session, actor=actor(), slug=slug, action=Action.MANAGE_GOLD)
        if shape.item is not None:
            gold_id = golden.add(
                session=session, actor=actor(), item_id=known_id(shape.item), note=shape.note, slug=slug
            )
        else:
            members = {key: Raw(text) for key, text in parse_object(body.raw["new"]).raw.items()}
            gold_id = golden.add_new(
                session=session, actor=actor(), slug=slug, answer=body.raw.get("answer", "null"), note=shape.note,
                body=checked(ItemShape, spliced({**members, "queue": slug}).encode()),
            )  # fmt: skip
    return json_answer({"gold": gold_id}, 201)


@blueprint.get("/queues/<slug>/gold")
def list_gold(slug: str) -> Response:
    """The queue's gold, newest first, with how often it was given and met."""
    with read_session() as session:
        rows = golden.gold_of(session=session, actor=actor(), slug=slug)
    return list_answer("gold", [
        {
            "id": row.id, "item": row.item_id, "external_id": row.external_id, "verdict": row.verdict,
            "output": Raw(row.output), "note": row.note, "given": row.given, "correct": row.correct,
            "added_at": iso(row.created_at), "retired_at": iso(row.retired_at),
        }
        for row in rows
    ], None)  # fmt: skip


@blueprint.post("/gold/<gold_id>/retirement")
def retire_gold(gold_id: str) -> Response:
    """Give it to nobody any more."""
    with write_session() as session:
        golden.retire(session=session, actor=actor(), gold_id=known_id(gold_id))
    return Response(status=204)


@blueprint.put("/queues/<slug>/standings/<reviewer_id>")
def rule(slug: str, reviewer_id: str) -> Response:
    """Let somebody begin or go on, have them calibrated, or pause them."""
    shape = read_body(StandingShape).shape
    with write_session() as session:
        standings.rule(
            session=session,
            actor=actor(),
            slug=slug,
            person_id=known_id(reviewer_id),
            state=shape.state,
            note=shape.note,
        )
    return Response(status=204)


@blueprint.get("/queues/<slug>/quality")
def read_quality(slug: str) -> Response:
    """How people meet the queue's gold, and how they agree."""
    with read_session() as session:
        found = quality.quality_of(session=session, actor=actor(), slug=slug)
    return json_answer(quality.as_json(found))
