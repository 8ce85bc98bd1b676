"""HTML routes of those who lead queues: the board, saved views, actions on many items."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qsl

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from reviewqueue.core.db import read_session, write_session
from reviewqueue.core.http import actor, page_number, signed_in
from reviewqueue.core.ids import known_id
from reviewqueue.errors import Conflict, Invalid
from reviewqueue.models.states import BulkAction
from reviewqueue.review import edge, saved_views
from reviewqueue.review.board import MOST_ARRIVALS, board
from reviewqueue.review.bulk import actions, previewing, progress, running
from reviewqueue.review.finding import Filters, filters_of

blueprint = Blueprint("leading", __name__)


@blueprint.get("/board")
@signed_in
def show_board() -> str:
    """My queues now. The page asks for `?part=board` again and again, while it is in sight."""
    with read_session() as session:
        found = board(session=session, actor=actor(), page=page_number("page"))
    template = "review/_board.html" if request.args.get("part") == "board" else "review/board.html"
    return render_template(template, board=found, most_arrivals=MOST_ARRIVALS)


def _filters() -> Filters:
    """As the list's address had them, which its forms send along in one field."""
    return filters_of(MultiDict(parse_qsl(request.form.get("query", ""))))


def _to_list(slug: str, filters: Filters) -> Response:
    return redirect(url_for("review.items", slug=slug, **filters.query), 303)


# -- saved views ------------------------------------------------------------------------------------------------------


@blueprint.post("/queues/<slug>/views")
@signed_in
def save_view(slug: str) -> Response:
    """Keep the list's filters under a name."""
    filters, form = _filters(), request.form
    try:
        with write_session() as session:
            saved_views.save(
                session=session, actor=actor(), slug=slug, name=form.get("name", ""), filters=filters,
                shared="shared" in form,
            )  # fmt: skip
        flash(_("Saved."), "good")
    except (Conflict, Invalid) as error:
        flash(error.message, "warning")
    return _to_list(slug, filters)


@blueprint.post("/queues/<slug>/views/<view_id>/removal")
@signed_in
def remove_view(slug: str, view_id: str) -> Response:
    with write_session() as session:
        saved_views.remove(session=session, actor=actor(), slug=slug, view_id=known_id(view_id))
    return _to_list(slug, _filters())


# -- many at once -----------------------------------------------------------------------------------------------------


@blueprint.post("/queues/<slug>/bulk")
@signed_in
def prepare(slug: str) -> Response:
    """Prepare an action on the items that are ticked, or on all that match; on to its preview."""
    filters, form = _filters(), request.form
    try:
        wanted = _wanted()
        bulk_id = edge.prepare_bulk(
            actor(), slug, wanted, filters if form.get("which") == "all" else form.getlist("item")
        )
    except Invalid as error:
        flash(error.message, "warning")
        return _to_list(slug, filters)
    return redirect(url_for("leading.show_bulk", bulk_id=bulk_id), 303)


def _wanted() -> actions.Wanted:
    form = request.form
    action, priority = form.get("action", ""), form.get("priority", "").strip() or "0"
    if action not in list(BulkAction):
        raise Invalid("Choose what to do with them.")
    if not priority.removeprefix("-").isdecimal() or not priority.isascii() or len(priority) > 5:
        raise Invalid("A priority is a whole number from -1,000 to 1,000.")
    return actions.Wanted(
        BulkAction(action), person=form.get("person") or None, priority=int(priority),
        reason=form.get("reason", "").strip()[:2000],
    )  # fmt: skip


@blueprint.get("/bulk/<bulk_id>")
@signed_in
def show_bulk(bulk_id: str) -> str:
    """What it would hit; once it is confirmed, how far it is and what came of it."""
    with read_session() as session:
        found = progress.progress_of(session=session, actor=actor(), bulk_id=known_id(bulk_id))
    template = "review/_bulk.html" if request.args.get("part") == "progress" else "review/bulk.html"
    return render_template(template, bulk=found, most=previewing.MOST, back=_filters_of(found.run.query))


def _filters_of(query: str | None) -> dict[str, list[str]]:
    """The filters of the list from which the items came."""
    return dict(MultiDict(parse_qsl(query or "")).lists())


@blueprint.post("/bulk/<bulk_id>/confirmation")
@signed_in
def confirm(bulk_id: str) -> Response:
    """Do it. Sent twice, it is done once."""
    return _to_progress(bulk_id, running.confirm)


@blueprint.post("/bulk/<bulk_id>/resumption")
@signed_in
def resume(bulk_id: str) -> Response:
    """Go on with what an action that failed has not tried."""
    return _to_progress(bulk_id, running.resume)


def _to_progress(bulk_id: str, operation: Callable[..., None]) -> Response:
    wanted = known_id(bulk_id)
    try:
        with write_session() as session:
            operation(session=session, actor=actor(), bulk_id=wanted)
    except Conflict as error:
        flash(error.message, "warning")
    return redirect(url_for("leading.show_bulk", bulk_id=wanted), 303)
