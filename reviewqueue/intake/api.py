"""JSON routes for items coming in, and for those taken back."""

from __future__ import annotations

from typing import Annotated

from flask import Response, current_app, request
from pydantic import Field

from reviewqueue.core.db import write_session
from reviewqueue.core.http import API_PREFIX, Shape, actor, api_blueprint, read_bodies, read_body, text_answer
from reviewqueue.core.ids import known_id
from reviewqueue.core.strictjson import spliced
from reviewqueue.intake.batches import answer_batch
from reviewqueue.intake.items import item_of
from reviewqueue.intake.shapes import ItemShape
from reviewqueue.intake.submissions import submit
from reviewqueue.resolution.endings import cancel_item

blueprint = api_blueprint("intake")
MOST_ITEMS = 1_000
BODIES_A_BATCH = 16
"""How many times as large as any other request a batch may be."""


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


@blueprint.post("/items/batch")
def submit_batch() -> Response:
    """Submit up to 1,000 items in one transaction: 200 with a result for each, in their order."""
    who = actor()
    request.max_content_length = BODIES_A_BATCH * current_app.config["SETTINGS"].max_body_bytes
    bodies = read_bodies(ItemShape, "items", most=MOST_ITEMS)
    with write_session() as session:
        text = answer_batch(
            session=session, actor=who, bodies=bodies, body=request.get_data(),
            idempotency_key=request.headers.get("Idempotency-Key"),
        )  # fmt: skip
    return text_answer(text)


class CancellationShape(Shape):
    reason: Annotated[str, Field(max_length=2000)] | None = None


@blueprint.post("/items/<item_id>/cancellation")
def cancel(item_id: str) -> Response:
    """Withdraw an item that nobody has decided: 200 with the item, also when it is withdrawn already."""
    wanted = known_id(item_id)
    body = read_body(CancellationShape)
    with write_session() as session:
        cancel_item(session=session, actor=actor(), item_id=wanted, reason=body.shape.reason)
        return text_answer(spliced(item_of(session, wanted)))
