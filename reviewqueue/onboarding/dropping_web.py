"""Pages of a dropped table: choose it, look at what it would become, change that, make the queue and fill it."""

from __future__ import annotations

from typing import Any

import yaml
from flask import Blueprint, Response, flash, make_response, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.datastructures import FileStorage

from reviewqueue.core.access import Action, require
from reviewqueue.core.db import read_session, write_session
from reviewqueue.core.http import actor, signed_in, status_of
from reviewqueue.errors import Conflict, Error, Invalid
from reviewqueue.intake import tables
from reviewqueue.onboarding import dropping
from reviewqueue.onboarding.forms import TableForm

blueprint = Blueprint("dropping", __name__, url_prefix="/start/table")


@blueprint.get("")
@signed_in
def choose() -> str:
    require(actor(), Action.CONFIGURE_QUEUES)
    return render_template("onboarding/drop.html", error=None)


@blueprint.post("")
@signed_in
def propose() -> Any:
    """A chosen file becomes a proposal; a proposal that was changed is looked at again, or applied."""
    require(actor(), Action.CONFIGURE_QUEUES)
    file = request.files.get("file")
    try:
        data = file.read() if file is not None else dropping.unpacked(request.form.get("table", ""))
        proposal = tables.propose(tables.read_table(data))
    except Invalid as error:
        return make_response(render_template("onboarding/drop.html", error=error), 422)
    if file is not None:
        return _first(proposal, data, file)
    return _changed(proposal, TableForm())


def _first(proposal: tables.Proposal, data: bytes, file: FileStorage) -> Response:
    wanted = (file.filename or "table").rpartition("/")[2].removesuffix(".csv")[:100]
    with read_session() as session:
        name = dropping.free_name(session=session, wanted=wanted)
    title = " ".join(wanted.replace("_", " ").replace("-", " ").split()).capitalize() or name
    document = _as_yaml(_document(proposal, list(proposal.places), name, title))
    form = TableForm(formdata=None, document=document, table=dropping.packed(data))
    return _page(proposal, list(proposal.places), form)


def _document(proposal: tables.Proposal, places: list[str], name: str, title: str) -> dict[str, Any]:
    try:
        return tables.document(proposal, places, name=name, title=title if title.isprintable() else name)
    except Invalid:
        # Its notes say what is missing; there is a document to go on from all the same.
        return {
            "name": name,
            "title": title,
            "output_schema": {"enum": ["good", "bad"]},
            "routing": {"otherwise": "review"},
        }


def _as_yaml(document: dict[str, Any]) -> str:
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=110)


def _changed(proposal: tables.Proposal, form: TableForm) -> Any:
    places = [request.form.get(f"place-{number}", "") for number in range(len(proposal.columns))]
    places = [place if place in tables.PLACES else "" for place in places]
    if not form.validate():
        return _page(proposal, places, form, status=422)
    what = request.form.get("what")
    if what == "columns":
        return _proposed_anew(proposal, places, form)
    if what != "apply":
        return _page(proposal, places, form)
    try:
        with write_session() as session:
            applied, import_id = dropping.make_and_fill(
                session=session, actor=actor(), proposal=proposal, places=places, document=form.document.data
            )
    except (Invalid, Conflict) as error:
        return _page(proposal, places, form, error=error, status=status_of(error))
    flash(_("The queue %(slug)s is there, you lead it, and its rows are on their way.", slug=applied.slug), "good")
    return redirect(url_for("imports.show", import_id=import_id), 303)


def _proposed_anew(proposal: tables.Proposal, places: list[str], form: TableForm) -> Response:
    """The columns say something else now: another document of the same name."""
    try:
        old = yaml.safe_load(form.document.data)
        name, title = str(old["name"]), str(old.get("title") or old["name"])
    except (yaml.YAMLError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        name = title = "table"
    try:
        form.document.data = _as_yaml(tables.document(proposal, places, name=name, title=title))
    except Invalid as error:
        return _page(proposal, places, form, error=error, status=422)
    return _page(proposal, places, form)


def _page(
    proposal: tables.Proposal, places: list[str], form: TableForm, *, error: Error | None = None, status: int = 200
) -> Response:
    trial = None
    if error is None and not form.errors:
        try:
            with read_session() as session:
                trial = dropping.try_out(
                    session=session, actor=actor(), proposal=proposal, places=places, document=form.document.data
                )
        except Invalid as fault:
            error, status = fault, 422
    page = render_template(
        "onboarding/proposal.html", proposal=proposal, places=places, words=tables.PLACES, form=form, trial=trial,
        error=error, delimiter=tables.DELIMITERS[proposal.table.delimiter],
    )  # fmt: skip
    return make_response(page, status)
