"""HTML routes of exports: ask for one, watch it, download."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask_wtf import FlaskForm
from werkzeug.wrappers import Response
from wtforms import BooleanField, SelectField, SelectMultipleField
from wtforms.widgets import CheckboxInput, ListWidget

from reviewqueue.accounts.identity import name_of
from reviewqueue.core.access import Action
from reviewqueue.core.db import read_session, write_session
from reviewqueue.core.http import actor, cursor_of, id_cursor, signed_in
from reviewqueue.core.ids import known_id
from reviewqueue.errors import Invalid
from reviewqueue.feedback import exports, formats
from reviewqueue.feedback.api import send
from reviewqueue.models.states import ResolvedBy
from reviewqueue.queues.catalog import queues_for

blueprint = Blueprint("feedback", __name__)
PAGE = 25
BY_TITLES = {
    ResolvedBy.PEOPLE: "People",
    ResolvedBy.ROUTING: "Routing: passed without a person",
    ResolvedBy.DEFAULT: "Default: nobody answered in time",
    ResolvedBy.DUPLICATE: "Duplicate: answered as the same input was before",
}


class ExportForm(FlaskForm):  # type: ignore[misc]
    queue = SelectField("Queue")
    format = SelectField(
        "Format",
        choices={name: known.title for name, known in formats.KNOWN.items()},
    )
    by = SelectMultipleField(
        "Resolved by", choices={by.value: title for by, title in BY_TITLES.items()},
        description="None marked: what people decided, agreeing audits of passed items among it.",
        option_widget=CheckboxInput(), widget=ListWidget(prefix_label=False),
    )  # fmt: skip
    include_test = BooleanField("Test items, too")


@blueprint.get("/exports")
@signed_in
def index() -> str:
    """What was asked for, newest first, and the form to ask."""
    return _index(ExportForm())


def _index(form: ExportForm, error: str | None = None) -> str:
    who = actor()
    after = id_cursor()
    with read_session() as session:
        rows = exports.exports_of(session=session, actor=who, queue=None, before=after, limit=PAGE + 1)
        heads = queues_for(session=session, actor=who, action=Action.EXPORT)
    form.queue.choices = {head.slug: head.title for head in heads}
    more = url_for(".index", cursor=cursor_of(rows[PAGE - 1].DatasetVersion.id)) if len(rows) > PAGE else None
    return render_template(
        "feedback/index.html", form=form, rows=rows[:PAGE], more=more, paged=after is not None, error=error
    )


@blueprint.post("/exports")
@signed_in
def create() -> Any:
    """Ask for one."""
    form = ExportForm()
    wanted: dict[str, Any] = {"by": form.by.data} if form.by.data else {}
    if form.include_test.data:
        wanted["include_test"] = True
    try:
        with write_session() as session:
            export_id = exports.request_export(
                session=session, actor=actor(), queue=form.queue.data or "", kind=form.format.data or "", wanted=wanted
            )
    except Invalid as error:
        return _index(form, error.message), 422
    return redirect(url_for(".show", export_id=export_id), 303)


@blueprint.get("/exports/<export_id>")
@signed_in
def show(export_id: str) -> str:
    """One export: progress while it is written, then its files."""
    with read_session() as session:
        export = exports.permitted(session=session, actor=actor(), export_id=known_id(export_id))
        shown = exports.as_json(session, export)
        asked_by = name_of(session, export.requested_by)
    part = request.args.get("part") == "progress"
    template = "feedback/_progress.html" if part else "feedback/show.html"
    return render_template(template, export=export, shown=shown, asked_by=asked_by)


@blueprint.post("/exports/<export_id>/cancellation")
@signed_in
def cancel(export_id: str) -> Response:
    """Stop it."""
    with write_session() as session:
        exports.cancel(session=session, actor=actor(), export_id=known_id(export_id))
    return redirect(url_for(".show", export_id=export_id), 303)


@blueprint.post("/exports/<export_id>/retry")
@signed_in
def retry(export_id: str) -> Response:
    """Try it once more, after it failed."""
    with write_session() as session:
        exports.retry(session=session, actor=actor(), export_id=known_id(export_id))
    return redirect(url_for(".show", export_id=export_id), 303)


@blueprint.get("/exports/<export_id>/files/<path:name>")
@signed_in
def download(export_id: str, name: str) -> Response:
    """One of its files."""
    with read_session() as session:
        export = exports.finished(session=session, actor=actor(), export_id=known_id(export_id))
    return send(export, name)
