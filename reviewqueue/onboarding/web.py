"""Pages of the first run: the steps, the gallery of templates, and the forms of each step."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, g, make_response, redirect, render_template, request, url_for
from flask_babel import gettext as _
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.wrappers import Response

from reviewqueue.accounts import people, tokens
from reviewqueue.accounts.forms import blame
from reviewqueue.core.access import Action, Scope, require
from reviewqueue.core.db import read_session, write_session
from reviewqueue.core.http import actor, checked, signed_in, status_of
from reviewqueue.errors import Conflict, Error, Invalid, NotFound
from reviewqueue.intake.shapes import ItemShape
from reviewqueue.intake.submissions import submit
from reviewqueue.media.kinds import kind_of
from reviewqueue.media.uploads import kept
from reviewqueue.models.states import QueueRole
from reviewqueue.onboarding import forms, gallery, steps
from reviewqueue.onboarding.examples import curl, example_for
from reviewqueue.queues.catalog import QueueHead, configuration

blueprint = Blueprint("onboarding", __name__, url_prefix="/start")


def set_up() -> steps.Progress | None:
    """For the pages that lead back to the steps: how far the reader is; None where there is nothing to do."""
    who = g.get("actor")
    if who is None:
        return None
    try:
        with read_session() as session:
            found = steps.progress(session=session, actor=who)
    except SQLAlchemyError:
        return None
    return None if found is None or found.is_over else found


@blueprint.get("")
@signed_in
def index() -> Any:
    """The steps; home once there are none left."""
    require(actor(), Action.CONFIGURE_QUEUES)
    with read_session() as session:
        found = steps.progress(session=session, actor=actor())
    if found is None or found.is_over:
        return redirect(url_for("review.home"), 303)
    return _page()


def _page(
    status: int = 200, *, item: forms.ItemForm | None = None, invitation: forms.InvitationForm | None = None,
    token: forms.TokenForm | None = None, created: people.Created | None = None,
    new_token: tokens.NewToken | None = None, error: Error | None = None,
) -> Response:  # fmt: skip
    with read_session() as session:
        found = steps.progress(session=session, actor=actor())
        assert found is not None
        example = _example(session, found.queue)
    item = item or forms.ItemForm(formdata=None, item=example)
    address = request.host_url.rstrip("/") + request.script_root
    page = render_template(
        "onboarding/index.html", progress=found, steps=steps.STEPS, templates=gallery.templates(), item=item,
        curl=curl(address, item.item.data or "", None),
        command=curl(address, example, new_token.secret) if new_token else "",
        invitation=invitation or forms.InvitationForm(formdata=None),
        token=token or forms.TokenForm(formdata=None, name="My program"),
        created=created, new_token=new_token, error=error,
    )  # fmt: skip
    return make_response(page, status)


def _example(session: Any, queue: QueueHead | None) -> str:
    if queue is None:
        return ""
    config = configuration(session, queue.id, queue.version).config
    found = gallery.template_of(config)
    picture = steps.uploaded(session, queue.id, found.picture) if found and found.picture else None
    return example_for(config, queue.slug, picture)


# -- a queue ----------------------------------------------------------------------------------------------------------


@blueprint.get("/templates")
@signed_in
def templates() -> str:
    require(actor(), Action.CONFIGURE_QUEUES)
    return render_template("onboarding/templates.html", templates=gallery.templates())


@blueprint.get("/templates/<template>")
@signed_in
def show_template(template: str) -> Response:
    """One of them, and the form that makes a queue of it."""
    require(actor(), Action.CONFIGURE_QUEUES)
    found = gallery.template(template)
    return _template_page(found, forms.QueueForm(formdata=None, title=found.title, name=found.slug))


def _template_page(found: gallery.Template, form: forms.QueueForm, status: int = 200) -> Response:
    return make_response(render_template("onboarding/template.html", template=found, form=form), status)


@blueprint.get("/templates/<template>/picture")
@signed_in
def template_picture(template: str) -> Response:
    """What its example refers to."""
    require(actor(), Action.CONFIGURE_QUEUES)
    data = gallery.template(template).picture
    kind = kind_of(data) if data else None
    if data is None or kind is None:
        raise NotFound
    return make_response(data, {"Content-Type": kind.mime, "Cache-Control": "private, max-age=3600"})


@blueprint.post("/templates/<template>")
@signed_in
def create_queue(template: str) -> Any:
    require(actor(), Action.CONFIGURE_QUEUES)
    found = gallery.template(template)
    form = forms.QueueForm()
    if not form.validate():
        return _template_page(found, form, 422)
    document = gallery.document_of(found, name=form.name.data, title=form.title.data)
    picture = kept(found.picture) if found.picture else None
    try:
        with write_session() as session:
            steps.create_queue(session=session, actor=actor(), document=document, picture=picture)
    except (Conflict, Invalid) as error:
        blame(form, error, field="name")
        return _template_page(found, form, status_of(error))
    flash(_("%(title)s is there, and you are its lead.", title=form.title.data), "good")
    return redirect(url_for(".index"), 303)


# -- a trial item -----------------------------------------------------------------------------------------------------


@blueprint.post("/items")
@signed_in
def send_item() -> Any:
    """As a program would send it."""
    require(actor(), Action.SUBMIT_ITEMS)
    form = forms.ItemForm()
    if not form.validate():
        return _page(422, item=form)
    try:
        body = checked(ItemShape, form.item.data.encode("utf-8", "surrogatepass"))
        with write_session() as session:
            answer = submit(session=session, actor=actor(), body=body)
        if answer.refused is not None:
            raise answer.refused
    except (Invalid, Conflict, NotFound) as error:
        return _page(status_of(error) if not isinstance(error, NotFound) else 422, item=form, error=error)
    flash(_("Sent. Now decide it as your reviewers will."), "good")
    return redirect(url_for(".index"), 303)


# -- people and a token -----------------------------------------------------------------------------------------------


def _own_queue() -> QueueHead:
    with read_session() as session:
        found = steps.progress(session=session, actor=actor())
    if found is None or found.queue is None:
        raise Conflict("Make a queue first.", code="no_queue_yet")
    return found.queue


@blueprint.post("/people")
@signed_in
def invite() -> Any:
    """Somebody for the queue; their one-time password is shown this once."""
    require(actor(), Action.MANAGE_PEOPLE)
    slug, form = _own_queue().slug, forms.InvitationForm()
    if not form.validate():
        return _page(422, invitation=form)
    try:
        with write_session() as session:
            created = steps.invite(
                session=session, actor=actor(), slug=slug, email=form.email.data, name=form.name.data or "",
                role=QueueRole(form.role.data),
            )  # fmt: skip
    except (Invalid, Conflict) as error:
        blame(form, error, field="email")
        return _page(422, invitation=form)
    if created is None:
        flash(
            _(
                "%(email)s had an account, and is %(role)s of the queue now.",
                email=form.email.data,
                role=form.role.data,
            ),
            "good",
        )
        return redirect(url_for(".index"), 303)
    return _page(201, created=created)


@blueprint.post("/token")
@signed_in
def create_token() -> Any:
    """For a program that sends items to the queue and reads their answers; shown this once."""
    require(actor(), Action.MANAGE_TOKENS)
    slug, form = _own_queue().slug, forms.TokenForm()
    if not form.validate():
        return _page(422, token=form)
    try:
        with write_session() as session:
            new = tokens.create_service(
                session=session, actor=actor(), name=form.name.data, scopes=[Scope.ITEMS_WRITE, Scope.ITEMS_READ],
                queues=[slug],
            )  # fmt: skip
    except Invalid as error:
        blame(form, error)
        return _page(422, token=form)
    return _page(201, new_token=new)


@blueprint.post("/dismissal")
@signed_in
def put_away() -> Response:
    """Enough of it."""
    with write_session() as session:
        steps.put_away(session=session, actor=actor())
    flash(_("Put away. Templates and tables are under Administration, Queues."), "good")
    return redirect(url_for("review.home"), 303)
