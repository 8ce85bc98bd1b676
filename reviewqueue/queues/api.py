"""JSON routes of queues and their configuration."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from flask import Response, request
from pydantic import Field
from sqlalchemy.orm import Session

from reviewqueue.core.access import Action, Actor
from reviewqueue.core.db import read_session, write_session
from reviewqueue.core.http import (
    BadRequest,
    Shape,
    actor,
    api_blueprint,
    flag,
    json_answer,
    list_answer,
    read_body,
    text_answer,
)  # fmt: skip
from reviewqueue.core.moments import iso
from reviewqueue.core.strictjson import Raw, parse_object, spliced
from reviewqueue.errors import Invalid
from reviewqueue.models import QueueVersion
from reviewqueue.models.states import BrakeKind
from reviewqueue.queues import brakes, proposals, reveals, simulation
from reviewqueue.queues.applying import Applied, apply, confirm, document_of
from reviewqueue.queues.catalog import find_queue, queues_for, versions

blueprint = api_blueprint("queues")
YAML_TYPES = {"application/yaml", "application/x-yaml", "text/yaml"}


@blueprint.get("/queues")
def list_queues() -> Response:
    """The queues that the caller may know of."""
    who = actor()
    with read_session() as session:
        heads = queues_for(session=session, actor=who, action=Action.SEE_QUEUE)
    return list_answer("queues", [_head(head) for head in heads], None)


def _head(head: Any) -> dict[str, Any]:
    return {
        "name": head.slug, "title": head.title, "version": head.version, "intake": head.intake,
        "archived": head.archived, "stopped": bool(head.stopped), "held": head.held,
    }  # fmt: skip


@blueprint.get("/queues/<slug>")
def read_queue(slug: str) -> Response:
    """The queue and its current configuration; its version is the ETag."""
    who = actor()
    with read_session() as session:
        head = find_queue(session=session, actor=who, slug=slug, action=Action.READ_CONFIGURATION)
        version, document = document_of(session=session, actor=who, slug=slug)
    answer = text_answer(spliced({**_head(head), "configuration": Raw(document)}))
    answer.set_etag(str(version))
    return answer


@blueprint.put("/queues/<slug>")
def apply_configuration(slug: str) -> Response:
    """Apply a configuration (JSON, or YAML with its content type). `?dry_run=1` only says what would change.

    `If-Match: "<version>"` refuses when another version is current.
    """
    who = actor()
    dry_run = flag("dry_run")
    with write_session() as session:
        applied = apply(
            session=session, actor=who, document=_document(), slug=slug, expected_version=_expected_version(),
            dry_run=dry_run, note=request.args.get("note", ""),
        )  # fmt: skip
    status = 202 if applied.proposal else 201 if applied.created and not dry_run else 200
    return json_answer(applied_json(applied), status)


def _document() -> str | dict[str, Any]:
    text = request.get_data()
    if request.mimetype in YAML_TYPES:
        try:
            return text.decode()
        except UnicodeDecodeError:
            raise Invalid("The configuration is not UTF-8.", code="invalid_utf8") from None
    return parse_object(text).value


def _expected_version() -> int | None:
    given = request.headers.get("If-Match")
    if given is None:
        return None
    number = given.strip().removeprefix("W/").strip('"')
    if not number.isascii() or not number.isdigit() or len(number) > 9:
        raise BadRequest('If-Match must be the version in quotes, as in "7".')
    return int(number)


def applied_json(applied: Applied) -> dict[str, Any]:
    """What an apply did, for programs."""
    return {
        "name": applied.slug, "version": applied.version, "created": applied.created, "changed": applied.changed,
        "diff": applied.diff, "waiting": applied.waiting, "misfits": applied.misfits,
        "warnings": [asdict(warning) for warning in applied.warnings], "lowers": list(applied.lowers),
        "proposal": applied.proposal,
    }  # fmt: skip


@blueprint.get("/queues/<slug>/proposals")
def list_proposals(slug: str) -> Response:
    """What waits for a second person, and what became of earlier proposals; the newest 50."""
    with read_session() as session:
        found = proposals.of_queue(session=session, actor=actor(), slug=slug)
    return list_answer("proposals", [_proposal(each) for each in found], None)


def _proposal(each: proposals.Proposal) -> dict[str, Any]:
    return {
        "id": each.id, "state": each.state, "base_version": each.base_version, "lowers": each.lowers,
        "diff": each.diff, "note": each.note, "proposed_by": each.proposed_by, "proposed_at": iso(each.proposed_at),
        "ended_by": each.ended_by, "ended_at": iso(each.ended_at) if each.ended_at else None,
        "configuration": Raw(each.document),
    }  # fmt: skip


@blueprint.post("/queues/<slug>/proposals/<proposal_id>/confirmation")
def confirm_proposal(slug: str, proposal_id: str) -> Response:
    """A person other than its author confirms it: 200 and what was applied, 202 while one more person is needed."""
    with write_session() as session:
        applied = confirm(session=session, actor=actor(), slug=slug, proposal_id=proposal_id)
    return json_answer({"applied": applied and applied_json(applied)}, 200 if applied else 202)


@blueprint.post("/queues/<slug>/proposals/<proposal_id>/withdrawal")
def withdraw_proposal(slug: str, proposal_id: str) -> Response:
    """Its author withdraws it, or somebody else refuses it."""
    with write_session() as session:
        state = proposals.withdraw(session=session, actor=actor(), slug=slug, proposal_id=proposal_id)
    return json_answer({"id": proposal_id, "state": state})


@blueprint.post("/queues/<slug>/simulations")
def simulate_configuration(slug: str) -> Response:
    """What a configuration, or without a body the present one, would have made of the queue's items: `?last=&most=`."""
    most = request.args.get("most", str(simulation.MOST))
    if not most.isascii() or not most.isdigit() or len(most) > 6:
        raise Invalid("most must be a whole number.", code="bad_parameter")
    document = _document() if request.get_data() else None
    with read_session() as session:
        found = simulation.simulate(
            session=session, actor=actor(), slug=slug, document=document, most=int(most),
            last=request.args.get("last", simulation.LAST),
        )  # fmt: skip
    return json_answer(simulation.as_json(found))


@blueprint.get("/queues/<slug>/versions")
def list_versions(slug: str) -> Response:
    """All versions with their documents, newest first."""
    with read_session() as session:
        found = versions(session=session, actor=actor(), slug=slug)
    return list_answer("versions", [_version(version) for version in found], None)


def _version(version: QueueVersion) -> dict[str, Any]:
    return {
        "version": version.version, "applied_by": version.applied_by, "applied_at": iso(version.applied_at),
        "note": version.note, "sha256": version.sha256, "configuration": Raw(version.document),
    }  # fmt: skip


class RevealShape(Shape):
    """Ask for what is sensitive of an item."""

    why: Annotated[str, Field(max_length=reveals.LONGEST_WHY)] = ""
    """Where the queue asks for it."""


class BrakeShape(Shape):
    """Stop a queue, or hold it."""

    why: Annotated[str, Field(min_length=1, max_length=brakes.LONGEST_WHY)]
    """For everybody who works here."""


@blueprint.get("/brakes")
def list_brakes() -> Response:
    """What is stopped or held, where the caller may know of it: `{kind, queue, why, by, since}` each."""
    with read_session() as session:
        found = brakes.seen_by(session, actor())
    return list_answer("brakes", [{**brakes.as_json(brake), "queue": brake.slug} for brake in found], None)


@blueprint.put("/queues/<slug>/stop", defaults={"kind": BrakeKind.STOP})
@blueprint.put("/queues/<slug>/hold", defaults={"kind": BrakeKind.HOLD})
@blueprint.put("/hold", defaults={"kind": BrakeKind.HOLD, "slug": None})
def pull_brake(slug: str | None, kind: BrakeKind) -> Response:
    """Stop or hold the queue, or hold the site: `{why}`. Again changes nothing, not even the reason."""
    who, shape = actor(), read_body(BrakeShape).shape
    with write_session() as session:
        queue_id = _queue_id(session, who, slug)
        brake = brakes.pull(session=session, actor=who, kind=kind, queue_id=queue_id, why=shape.why)
        return json_answer({**brakes.as_json(brake), "queue": slug})


@blueprint.delete("/queues/<slug>/stop", defaults={"kind": BrakeKind.STOP})
@blueprint.delete("/queues/<slug>/hold", defaults={"kind": BrakeKind.HOLD})
@blueprint.delete("/hold", defaults={"kind": BrakeKind.HOLD, "slug": None})
def release_brake(slug: str | None, kind: BrakeKind) -> Response:
    """Let go: 204, also when nothing was pulled."""
    who = actor()
    with write_session() as session:
        brakes.release(session=session, actor=who, kind=kind, queue_id=_queue_id(session, who, slug))
    return Response(status=204)


def _queue_id(session: Session, who: Actor, slug: str | None) -> str | None:
    if slug is None:
        return None
    return find_queue(session=session, actor=who, slug=slug, action=Action.PULL_BRAKES).id
