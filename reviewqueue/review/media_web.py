"""HTML routes of media: the pictures and documents on the desk and on the page of an item."""

from __future__ import annotations

from flask import Blueprint, Response

from reviewqueue.core.db import read_session
from reviewqueue.core.http import actor, signed_in
from reviewqueue.core.ids import known_id
from reviewqueue.media import reading
from reviewqueue.review import media

blueprint = Blueprint("media", __name__)


@blueprint.get("/claims/<claim_id>/media/<int:place>")
@signed_in
def of_claim(claim_id: str, place: int) -> Response:
    with read_session() as session:
        row = media.of_claim(session=session, actor=actor(), claim_id=claim_id, place=place)
    return reading.given_out(row)


@blueprint.get("/items/<item_id>/media/<int:place>")
@signed_in
def of_item(item_id: str, place: int) -> Response:
    with read_session() as session:
        row = media.of_item(session=session, actor=actor(), item_id=known_id(item_id), place=place)
    return reading.given_out(row)
