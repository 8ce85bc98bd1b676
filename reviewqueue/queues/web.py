"""HTML routes of queues' administration: the list, the configuration with its versions, intake and archive."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import yaml
from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext
from flask_wtf import FlaskForm
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response
from wtforms import IntegerField, StringField, TextAreaField
from wtforms.validators import DataRequired, Length, Optional

from reviewqueue.core.access import Action, require
from reviewqueue.core.db import read_session, write_session
from reviewqueue.core.http import actor, signed_in
from reviewqueue.core.language import spoken
from reviewqueue.errors import Conflict, Error, Fault, Invalid
from reviewqueue.models.states import BrakeKind, Intake, ProposalState
from reviewqueue.queues import applying, brakes, catalog, proposals, simulation
from reviewqueue.queues.cautions import cautions
from reviewqueue.queues.configuration import restored

blueprint = Blueprint("queues", __name__)

EXAMPLE = """\
name: my-queue
title: My queue
instructions: What is right, and what to do in doubt.
input_schema: {type: object, required: [text], properties: {text: {type: string}}}
output_schema: {type: object, required: [label], properties: {label: {enum: [good, bad]}}}
routing:
  rules:
    - {when: "risk == 'high'", action: review, priority: 10, title: High risk}
    - {when: "confidence < 0.8", action: review, title: Unsure}
  otherwise: auto_approve
audit: {rate: 0.02}
"""


class ConfigurationForm(FlaskForm):  # type: ignore[misc]
    document = TextAreaField(
        lazy_gettext("Configuration"), [DataRequired(lazy_gettext("Write a configuration."))],
        render_kw={"rows": 26, "spellcheck": "false", "class": "mono"},
        description=lazy_gettext("YAML or JSON. Applying makes a new version; items keep the one they came under."),
    )  # fmt: skip
    note = StringField(lazy_gettext("Why"), [Length(max=2000)], description=lazy_gettext("For the list of versions."))
    expected_version = IntegerField(validators=[Optional()])


@blueprint.get("/admin/queues")
@signed_in
def index() -> str:
    """All queues whose configuration the actor may read."""
    with read_session() as session:
        heads = catalog.queues_for(session=session, actor=actor(), action=Action.READ_CONFIGURATION)
        pulled = brakes.of_queue(session, None)
    if not heads:
        require(actor(), Action.READ_CONFIGURATION)
    text = request.args.get("q", "")[:200]
    found = [head for head in heads if text.casefold().strip() in f"{head.title}\n{head.slug}".casefold()]
    return render_template("queues/index.html", heads=found, text=text, pulled=pulled, brake_forms=_brake_forms())


@blueprint.get("/admin/queues/new")
@signed_in
def new() -> str:
    """A form with an example in it."""
    require(actor(), Action.CONFIGURE_QUEUES)
    return _page(None, ConfigurationForm(document=EXAMPLE, expected_version=0))


@blueprint.get("/admin/queues/<slug>")
@signed_in
def show(slug: str) -> str:
    """The configuration, current or `?version=`, and all versions."""
    wanted = request.args.get("version", type=int)
    with read_session() as session:
        head = catalog.find_queue(session=session, actor=actor(), slug=slug, action=Action.READ_CONFIGURATION)
        number, text = applying.document_of(session=session, actor=actor(), slug=slug, version=wanted)
        changes = applying.changes_of(session=session, actor=actor(), slug=slug, version=number) if wanted else None
    form = ConfigurationForm(formdata=None, document=as_yaml(text), expected_version=head.version)
    return _page(slug, form, shown_version=number, changes=changes, warnings=cautions(restored(text)))


@blueprint.post("/admin/queues/new", defaults={"slug": None})
@blueprint.post("/admin/queues/<slug>")
@signed_in
def save(slug: str | None) -> Any:
    """Preview the difference, simulate it on items that came, or apply it."""
    if slug is None:
        require(actor(), Action.CONFIGURE_QUEUES)
    form = ConfigurationForm()
    if not form.validate():
        return _page(slug, form), 422
    if request.form.get("what") == "simulate" and slug is not None:
        return _simulated(slug, form)
    preview = request.form.get("what") != "apply"
    try:
        with write_session() as session:
            applied = applying.apply(
                session=session, actor=actor(), document=form.document.data, slug=slug, note=form.note.data or "",
                expected_version=form.expected_version.data, dry_run=preview,
            )  # fmt: skip
    except (Invalid, Conflict) as error:
        return _page(slug, form, error=error), 422 if isinstance(error, Invalid) else 409
    if preview:
        return _page(slug, form, applied=applied, warnings=applied.warnings)
    flash(*told_of(applied))
    return redirect(url_for(".show", slug=applied.slug), 303)


def told_of(applied: applying.Applied) -> tuple[str, str]:
    """What became of an apply, in words, and their kind."""
    if applied.proposal:
        return _("Proposed: it may lower review, and waits until another person confirms it."), "warning"
    if applied.changed:
        return _("Version %(version)s is in force.", version=applied.version), "good"
    return _("Nothing to change."), "good"


@blueprint.post("/admin/queues/<slug>/proposals/<proposal_id>/confirmation")
@signed_in
def confirm_proposal(slug: str, proposal_id: str) -> Response:
    """Another person stands behind it."""
    try:
        with write_session() as session:
            applied = applying.confirm(session=session, actor=actor(), slug=slug, proposal_id=proposal_id)
        flash(*(told_of(applied) if applied else (_("You confirmed it. One more person is needed."), "warning")))
    except (Conflict, Invalid) as error:
        flash(error.message, "bad")
    return redirect(url_for(".show", slug=slug), 303)


@blueprint.post("/admin/queues/<slug>/proposals/<proposal_id>/withdrawal")
@signed_in
def withdraw_proposal(slug: str, proposal_id: str) -> Response:
    """Its author takes it back, or somebody else says no."""
    try:
        with write_session() as session:
            state = proposals.withdraw(session=session, actor=actor(), slug=slug, proposal_id=proposal_id)
        flash(_("Withdrawn.") if state is ProposalState.WITHDRAWN else _("Refused."), "good")
    except Conflict as error:
        flash(error.message, "bad")
    return redirect(url_for(".show", slug=slug), 303)


def _simulated(slug: str, form: ConfigurationForm) -> Any:
    try:
        with read_session() as session:
            found = simulation.simulate(session=session, actor=actor(), slug=slug, document=form.document.data)
    except Invalid as error:
        return _page(slug, form, error=error), 422
    return _page(slug, form, simulated=found, warnings=found.warnings)


def _page(
    slug: str | None, form: ConfigurationForm, *, shown_version: int | None = None, error: Error | None = None,
    applied: applying.Applied | None = None, simulated: simulation.Simulation | None = None,
    warnings: Sequence[Fault] = (), changes: list[str] | None = None,
) -> str:  # fmt: skip
    head, versions, pulled, waits = None, [], {}, None
    if slug is not None:
        with read_session() as session:
            head = catalog.find_queue(session=session, actor=actor(), slug=slug, action=Action.READ_CONFIGURATION)
            versions = catalog.versions(session=session, actor=actor(), slug=slug)
            pulled = brakes.of_queue(session, head.id)
            proposed = proposals.of_queue(session=session, actor=actor(), slug=slug)
            waits = next((each for each in proposed if each.state is ProposalState.WAITS), None)
    return render_template(
        "queues/show.html", head=head, form=form, versions=versions, error=error, applied=applied,
        simulated=simulated, warnings=warnings, proposal=waits,
        shown_version=shown_version, changes=changes, pulled=pulled, brake_forms=_brake_forms(),
    )  # fmt: skip


@blueprint.post("/admin/queues/<slug>/intake")
@signed_in
def change_intake(slug: str) -> Response:
    """Open or close it for new items."""
    intake = Intake.OPEN if request.form.get("intake") == "open" else Intake.CLOSED
    with write_session() as session:
        applying.set_intake(session=session, actor=actor(), slug=slug, intake=intake)
    flash(_("The queue takes new items.") if intake is Intake.OPEN else _("The queue takes no new items."), "good")
    return redirect(url_for(".show", slug=slug), 303)


@blueprint.post("/admin/queues/<slug>/archive")
@signed_in
def change_archive(slug: str) -> Response:
    """Take it out of sight, or bring it back."""
    archived = request.form.get("archived") == "1"
    try:
        with write_session() as session:
            applying.set_archived(session=session, actor=actor(), slug=slug, archived=archived)
    except Conflict as error:
        flash(error.message, "bad")
    return redirect(url_for(".show", slug=slug), 303)


class BrakeForm(FlaskForm):  # type: ignore[misc]
    why = StringField(
        lazy_gettext("Why"), [DataRequired(lazy_gettext("Say why.")), Length(max=brakes.LONGEST_WHY)],
        description=lazy_gettext("Everybody who works here reads it, on every page."),
        render_kw={"autocomplete": "off"},
    )  # fmt: skip


def _brake_forms() -> dict[str, BrakeForm]:
    """One a kind: they stand on one page, and no two fields of a page have the same id."""
    forms = {}
    for kind in BrakeKind:
        form = forms[kind.value] = BrakeForm(formdata=None)
        form.why.id = f"{kind}-why"
    return forms


@blueprint.post("/admin/queues/<slug>/stop", defaults={"kind": BrakeKind.STOP})
@blueprint.post("/admin/queues/<slug>/hold", defaults={"kind": BrakeKind.HOLD})
@blueprint.post("/admin/hold", defaults={"kind": BrakeKind.HOLD, "slug": None})
@signed_in
def pull_brake(slug: str | None, kind: BrakeKind) -> Response:
    """Stop or hold the queue, or hold everything."""
    form = BrakeForm()
    with write_session() as session:
        queue_id = _queue_to_brake(session, slug)
        if form.validate():
            brakes.pull(session=session, actor=actor(), kind=kind, queue_id=queue_id, why=form.why.data)
    if form.errors:
        flash(" ".join(str(found) for errors in form.errors.values() for found in errors), "bad")
    return redirect(_after_brake(slug), 303)


@blueprint.post("/admin/queues/<slug>/stop/release", defaults={"kind": BrakeKind.STOP})
@blueprint.post("/admin/queues/<slug>/hold/release", defaults={"kind": BrakeKind.HOLD})
@blueprint.post("/admin/hold/release", defaults={"kind": BrakeKind.HOLD, "slug": None})
@signed_in
def release_brake(slug: str | None, kind: BrakeKind) -> Response:
    """Let go."""
    with write_session() as session:
        queue_id = _queue_to_brake(session, slug)
        if brakes.release(session=session, actor=actor(), kind=kind, queue_id=queue_id):
            flash(_("The %(kind)s is over.", kind=spoken(kind)), "good")
    return redirect(_after_brake(slug), 303)


def _queue_to_brake(session: Session, slug: str | None) -> str | None:
    if slug is None:
        require(actor(), Action.PULL_BRAKES)
        return None
    return catalog.find_queue(session=session, actor=actor(), slug=slug, action=Action.PULL_BRAKES).id


def _after_brake(slug: str | None) -> str:
    return url_for(".index") if slug is None else url_for(".show", slug=slug)


def brakes_pulled() -> list[Any]:
    """For every page: what is stopped or held, where the reader may know of it."""
    who = g.get("actor")
    if who is None:
        return []
    try:
        with read_session() as session:
            return brakes.seen_by(session, who)
    except SQLAlchemyError:
        # The page may be the very one that says so.
        return []


def as_yaml(document: str) -> str:
    """A stored document as people write it."""
    return yaml.dump(json.loads(document), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as blocks."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Dumper.add_representer(str, _text)
