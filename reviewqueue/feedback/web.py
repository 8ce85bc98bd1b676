"""HTML routes of exports: ask for one, watch it, download."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask_babel import gettext
from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from werkzeug.wrappers import Response
from wtforms import BooleanField, IntegerField, SelectField, SelectMultipleField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import DataRequired, Length, NumberRange, Optional
from wtforms.widgets import CheckboxInput, ListWidget

from reviewqueue.accounts.identity import name_of
from reviewqueue.core.access import Action
from reviewqueue.core.db import read_session, write_session
from reviewqueue.core.http import actor, cursor_of, id_cursor, signed_in
from reviewqueue.core.ids import known_id
from reviewqueue.core.language import choices
from reviewqueue.core.vocabulary import word
from reviewqueue.errors import Invalid
from reviewqueue.feedback import exports, formats, schedules, trained
from reviewqueue.feedback.api import send
from reviewqueue.feedback.recipe import Recipe
from reviewqueue.models.states import ResolvedBy, Verdict
from reviewqueue.queues.catalog import queues_for

blueprint = Blueprint("feedback", __name__)
PAGE = 25
BY_TITLES = {
    ResolvedBy.PEOPLE: word("People"),
    ResolvedBy.ROUTING: word("Routing: passed without a person"),
    ResolvedBy.DEFAULT: word("Default: nobody answered in time"),
    ResolvedBy.DUPLICATE: word("Duplicate: answered as the same input was before"),
}


REPEATS = [
    SelectChoice("", _("Once")),
    SelectChoice("hours:24", _("Every day")),
    SelectChoice("hours:168", _("Every week")),
    SelectChoice("corrections:100", _("After every 100 corrections")),
    SelectChoice("corrections:1000", _("After every 1,000 corrections")),
]


class ExportForm(FlaskForm):  # type: ignore[misc]
    queue = SelectField(_("Queue"))
    format = SelectField(_("Format"), choices=choices({name: known.title for name, known in formats.KNOWN.items()}))
    by = SelectMultipleField(
        _("Resolved by"), choices=choices({by.value: title for by, title in BY_TITLES.items()}),
        description=_("None marked: what people decided, agreeing audits of passed items among it."),
        option_widget=CheckboxInput(), widget=ListWidget(prefix_label=False),
    )  # fmt: skip
    verdicts = SelectMultipleField(
        _("Ended with"), choices=choices({verdict.value: verdict.value for verdict in Verdict}),
        description=_("None marked: any verdict."),
        option_widget=CheckboxInput(), widget=ListWidget(prefix_label=False),
    )  # fmt: skip
    include_test = BooleanField(_("Test items, too"))
    splits = StringField(
        _("Splits"), [Length(max=300)], description=_("Names with their shares, as in train 0.8, test 0.2.")
    )
    group_by = StringField(
        _("Keep together by"), [Length(max=200)],
        description=_("A path as in $.customer. Left out: whom an item is about, or else its external id."),
    )  # fmt: skip
    deduplicate = BooleanField(_("Of items with the same input, only the newest answer"))
    sensitive = BooleanField(
        _("Also what the queue marks as sensitive"), description=_("For administrators; it stands in the audit log.")
    )
    since_version = IntegerField(
        _("Only what is new since version"), [Optional(), NumberRange(1)],
        description=_("The number of an earlier export of the queue."),
    )  # fmt: skip
    repeat = SelectField(_("How often"), choices=REPEATS)
    incremental = BooleanField(_("When it repeats: each holds only what is new since the one before"))

    def recipe(self) -> Recipe:
        """How records become files. Raises `Invalid`."""
        return Recipe(
            splits=_shares(self.splits.data or ""), group_by=(self.group_by.data or "").strip() or None,
            deduplicate=self.deduplicate.data, since_version=self.since_version.data, sensitive=self.sensitive.data,
        )  # fmt: skip

    def wanted(self) -> dict[str, Any]:
        """The filter."""
        named = {"by": self.by.data, "verdicts": self.verdicts.data, "include_test": self.include_test.data}
        return {name: value for name, value in named.items() if value}


class TrainedForm(FlaskForm):  # type: ignore[misc]
    model = StringField(_("Model"), [DataRequired(), Length(max=200)])
    version = StringField(_("Version"), [DataRequired(), Length(max=200)])


def _shares(text: str) -> dict[str, float]:
    """`train 0.8, test 0.2`."""
    found = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _space, share = part.partition(" ")
        try:
            found[name] = float(share)
        except ValueError:
            raise Invalid(gettext("A split is a name and its share, as in train 0.8.")) from None
    return found


@blueprint.get("/exports")
@signed_in
def index() -> str:
    """What was asked for, newest first, and the form to ask."""
    return _index(ExportForm(formdata=None))


def _index(form: ExportForm, error: str | None = None) -> str:
    who = actor()
    after = id_cursor()
    with read_session() as session:
        rows = exports.exports_of(session=session, actor=who, queue=None, before=after, limit=PAGE + 1)
        heads = queues_for(session=session, actor=who, action=Action.EXPORT)
        scheduled = schedules.schedules_of(session=session, actor=who)
    form.queue.choices = {head.slug: head.title for head in heads}
    more = url_for(".index", cursor=cursor_of(rows[PAGE - 1].DatasetVersion.id)) if len(rows) > PAGE else None
    return render_template(
        "feedback/index.html", form=form, rows=rows[:PAGE], more=more, paged=after is not None, error=error,
        scheduled=scheduled,
    )  # fmt: skip


@blueprint.post("/exports")
@signed_in
def create() -> Any:
    """Ask for one, or for one again and again."""
    form = ExportForm()
    rhythm, _colon, count = (form.repeat.data or "").partition(":")
    asked: dict[str, Any] = {
        "queue": form.queue.data or "", "kind": form.format.data or "", "wanted": form.wanted(),
    }  # fmt: skip
    often: dict[str, Any] = {f"every_{rhythm}": int(count)} if count.isdigit() else {}
    try:
        recipe = form.recipe()
        with write_session() as session:
            if often:
                schedules.create(
                    session=session, actor=actor(), **asked, recipe=recipe, **often,
                    incremental=form.incremental.data,
                )  # fmt: skip
                return redirect(url_for(".index"), 303)
            export_id = exports.request_export(session=session, actor=actor(), **asked, recipe=recipe)
    except Invalid as error:
        details = "; ".join(f"{fault.pointer.strip('/')} {fault.detail}" for fault in error.faults)
        return _index(form, f"{error.message} {details}".strip()), 422
    return redirect(url_for(".show", export_id=export_id), 303)


@blueprint.post("/exports/schedules/<schedule_id>/end")
@signed_in
def end_schedule(schedule_id: str) -> Response:
    """Make no more exports by it."""
    with write_session() as session:
        schedules.end(session=session, actor=actor(), schedule_id=known_id(schedule_id))
    return redirect(url_for(".index"), 303)


@blueprint.post("/exports/<export_id>/models")
@signed_in
def record_model(export_id: str) -> Response:
    """Say what was trained on it."""
    form = TrainedForm()
    if form.validate():
        with write_session() as session:
            trained.record(
                session=session, actor=actor(), export_id=known_id(export_id), model=form.model.data.strip(),
                version=form.version.data.strip(),
            )  # fmt: skip
    else:
        with read_session() as session:
            exports.permitted(session=session, actor=actor(), export_id=known_id(export_id))
    return redirect(url_for(".show", export_id=export_id), 303)


@blueprint.get("/exports/<export_id>")
@signed_in
def show(export_id: str) -> str:
    """One export: progress while it is written, then its files."""
    with read_session() as session:
        export = exports.permitted(session=session, actor=actor(), export_id=known_id(export_id))
        shown = exports.as_json(session, export)
        asked_by = name_of(session, export.requested_by)
        models = trained.page(session=session, actor=actor(), export_id=export.id, limit=100)
    part = request.args.get("part") == "progress"
    template = "feedback/_progress.html" if part else "feedback/show.html"
    return render_template(
        template, export=export, shown=shown, asked_by=asked_by, models=models, form=TrainedForm(formdata=None)
    )


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
