"""JSON routes of advice."""

from __future__ import annotations

from flask import Response, request

from reviewqueue.core.db import read_session
from reviewqueue.core.http import actor, api_blueprint, json_answer
from reviewqueue.insights.advice_pictures import Drawn, as_json
from reviewqueue.insights.advice_reading import promise_of, report
from reviewqueue.queues.simulation import LAST

blueprint = api_blueprint("advice")


@blueprint.get("/queues/<slug>/advice")
def read_advice(slug: str) -> Response:
    """The threshold that what was judged supports: `?error=0.02&confidence=0.95&last=30d&model=&model_version=`."""
    given = request.args
    with read_session() as session:
        found = report(
            session=session, actor=actor(), slug=slug, promise=promise_of(given.get("error"), given.get("confidence")),
            last=given.get("last", LAST), model=given.get("model"), model_version=given.get("model_version"),
        )  # fmt: skip
    return json_answer(as_json(Drawn(found)))
