"""JSON routes of insight: predictions of other models, and how they compare; outcomes."""

from __future__ import annotations

from flask import Response, request

from reviewqueue.core.db import read_session, write_session
from reviewqueue.core.http import actor, api_blueprint, json_answer, only_parameters, read_body
from reviewqueue.insights import comparing, predictions
from reviewqueue.insights.predictions import Predicted
from reviewqueue.insights.shapes import PredictionsShape

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
