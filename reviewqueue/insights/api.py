"""JSON routes of insight: predictions of other models, and how they compare; outcomes."""

from __future__ import annotations

from datetime import datetime

from flask import Response, request

from reviewqueue.core.db import read_session, write_session
from reviewqueue.core.http import actor, api_blueprint, json_answer, only_parameters, read_body
from reviewqueue.core.ids import known_id
from reviewqueue.core.moments import iso
from reviewqueue.insights import comparing, outcomes, predictions
from reviewqueue.insights.predictions import Predicted
from reviewqueue.insights.shapes import OutcomeShape, PredictionsShape

blueprint = api_blueprint("insights")


@blueprint.post("/queues/<slug>/predictions")
def predict(slug: str) -> Response:
    """Take what another model says of up to 1,000 items; none is queued for it."""
    who, shape = actor(), read_body(PredictionsShape).shape
    given = [
        Predicted(str(one.item) if one.item else None, one.external_id, one.output, one.confidence)
        for one in shape.predictions
    ]
    with write_session() as session:
        items = predictions.predict(
            session=session, actor=who, slug=slug, model=shape.model, model_version=shape.model_version,
            predictions=given,
        )  # fmt: skip
    return json_answer({"stored": sum(1 for item in items if item is not None), "items": items})


@blueprint.get("/queues/<slug>/comparison")
def compare(slug: str) -> Response:
    """`?candidate=model@version`, the last that was sent without it, against `&present=`, what the items came with."""
    only_parameters("candidate", "present")
    with read_session() as session:
        found = comparing.compare(
            session=session, actor=actor(), slug=slug, candidate=request.args.get("candidate"),
            present=request.args.get("present", comparing.OWN),
        )  # fmt: skip
    return json_answer(comparing.as_json(found))


@blueprint.post("/items/<item_id>/outcomes")
def report_outcome(item_id: str) -> Response:
    """Note what the item's answer led to."""
    wanted, who, shape = known_id(item_id), actor(), read_body(OutcomeShape).shape
    with write_session() as session:
        row = outcomes.report(
            session=session, actor=who, item_id=wanted, name=shape.name, correct=shape.correct, cost=shape.cost,
            note=shape.note, observed_at=datetime.fromisoformat(shape.observed_at) if shape.observed_at else None,
        )  # fmt: skip
    told = {"id": row.id, "item": wanted, "name": shape.name, "correct": shape.correct, "cost": shape.cost,
            "note": shape.note, "observed_at": iso(row.observed_at), "reported_at": iso(row.reported_at)}  # fmt: skip
    return json_answer(told, 201)
