"""HTML routes of those who lead queues: the board."""

from __future__ import annotations

from flask import Blueprint, render_template, request

from reviewqueue.core.db import read_session
from reviewqueue.core.http import actor, signed_in
from reviewqueue.errors import Invalid
from reviewqueue.review.board import MOST_ARRIVALS, board

blueprint = Blueprint("leading", __name__)


@blueprint.get("/board")
@signed_in
def show_board() -> str:
    """My queues now. The page asks for `?part=board` again and again, while it is in sight."""
    with read_session() as session:
        found = board(session=session, actor=actor(), page=_page())
    template = "review/_board.html" if request.args.get("part") == "board" else "review/board.html"
    return render_template(template, board=found, most_arrivals=MOST_ARRIVALS)


def _page() -> int:
    given = request.args.get("page", "1")
    if not given.isascii() or not given.isdigit() or len(given) > 4 or int(given) < 1:
        raise Invalid("page must be a whole number from 1.", code="bad_parameter")
    return int(given)
