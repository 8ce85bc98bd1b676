"""JSON routes for items coming in."""

from __future__ import annotations

from flask import Response, request

from reviewqueue.core.db import write_session
from reviewqueue.core.http import API_PREFIX, actor, api_blueprint, read_body, text_answer
from reviewqueue.intake.shapes import ItemShape
from reviewqueue.intake.submissions import submit

blueprint = api_blueprint("intake")


@blueprint.post("/items")
def submit_item() -> Response:
    """Submit one item: 201 with what routing decided."""
    who = actor()
    body = read_body(ItemShape)
    with write_session() as session:
        answer = submit(session=session, actor=who, body=body, idempotency_key=request.headers.get("Idempotency-Key"))
    if answer.refused is not None:
        raise answer.refused
    headers = {"Location": f"{API_PREFIX}/items/{answer.item_id}"} if answer.item_id else None
    return text_answer(answer.text, answer.status, headers)
