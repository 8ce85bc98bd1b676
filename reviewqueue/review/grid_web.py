"""HTML routes of the grid: up to twenty short items in a table, each row with its own claim and its own decision.

The script sends one row and asks with the header `X-Desk` for that row alone. Without it the whole form is sent, and
every row says whether it is decided or left; what was typed into rows that are left is kept as their draft.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, flash, jsonify, redirect, render_template, request, url_for
from flask_babel import lazy_gettext, ngettext
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response as AnyResponse

from reviewqueue.core.access import Actor
from reviewqueue.core.db import read_session, write_session
from reviewqueue.core.http import actor, is_from_desk, signed_in
from reviewqueue.errors import Conflict, GraceOver, Invalid, NotAdmitted, NotFound
from reviewqueue.models.states import TaskKind, Verdict
from reviewqueue.queues.catalog import QueueHead, configuration
from reviewqueue.queues.configuration import QueueConfig
from reviewqueue.review import drafts, edge, grid, instructions, workpiece
from reviewqueue.review.decisions import Decided
from reviewqueue.review.desk import Desk, desk_of, draft_of, explain, submission_of
from reviewqueue.review.golden import told_in_words

blueprint = Blueprint("grid", __name__, url_prefix="/queues/<slug>/grid")


@dataclass
class Row:
    """One claim of the grid, and what became of it."""

    desk: Desk
    state: str = "open"
    """`open`, `saved`, `refused` or `lost`."""
    words: str = ""
    decided: Decided | None = None

    @property
    def claim_id(self) -> str:
        return self.desk.work.claim_id

    @property
    def suits(self) -> bool:
        """Whether it can be decided here: an older version may show it otherwise, and an adjudication needs room."""
        return grid.suits(self.desk.work.config) and self.desk.work.kind is not TaskKind.ADJUDICATION


@blueprint.get("")
@signed_in
def show(slug: str) -> Response:
    """The rows in my hands."""
    with read_session() as session:
        head, held = grid.in_hand(session=session, actor=actor(), slug=slug)
        rows = [Row(_desk(session, actor(), claim_id)) for claim_id in held.values()]
        return _page(session, actor(), head, rows)


def _desk(session: Session, who: Actor, claim_id: str, data: MultiDict[str, str] | None = None) -> Desk:
    return desk_of(workpiece.workpiece(session=session, actor=who, claim_id=claim_id), data)


def _page(session: Session, who: Actor, head: QueueHead, rows: list[Row], status: int = 200) -> Response:
    config = configuration(session, head.id, head.version).config
    page = render_template(
        "review/grid.html", queue=head, config=config, rows=rows, columns=_columns(config, rows), most=grid.ROWS,
        suits=grid.suits(config), new=instructions.known_to(session, who, head.id, config) is False,
    )  # fmt: skip
    return Response(page, status=status)


def _columns(config: QueueConfig, rows: list[Row]) -> list[str]:
    """The headings of what is decided: one, or a field each."""
    for row in rows:
        part = row.desk.part
        if row.suits and part is not None and part.kind == "object":
            return [cell.title for cell in part.children]
    return [config.view.output or "output"]


@blueprint.post("")
@signed_in
def take(slug: str) -> AnyResponse:
    """Fill the grid."""
    who = actor()
    with read_session() as session:
        head, _ = grid.in_hand(session=session, actor=who, slug=slug)
        if not grid.suits(configuration(session, head.id, head.version).config):
            raise Conflict("Items of this queue need the room of the desk.", code="no_grid")
    try:
        edge.claiming(lambda session: grid.take(session=session, actor=who, slug=slug))
    except NotAdmitted as error:
        flash(error.message, "warning")
        return redirect(url_for("review.queue", slug=slug), 303)
    return redirect(url_for(".show", slug=slug), 303)


@blueprint.post("/decisions")
@signed_in
def decide(slug: str) -> AnyResponse:
    """Decide the rows that say so, or that of `only`; keep what was typed into the others."""
    who, form = actor(), request.form
    with read_session() as session:
        head, _ = grid.in_hand(session=session, actor=who, slug=slug)
    only = form.get("only")
    named = [only] if only and is_from_desk() else list(dict.fromkeys(form.getlist("claim")))[: 2 * grid.ROWS]
    if is_from_desk() and not named:
        raise NotFound
    rows = [_row(who, head, claim_id, _typed(claim_id), only) for claim_id in named]
    if is_from_desk():
        return Response(render_template("review/grid_row.html", row=rows[0], queue=head), status=_status(rows))
    with read_session() as session:
        return _page(session, who, head, rows, _status(rows))


def _status(rows: list[Row]) -> int:
    states = {row.state for row in rows}
    return 422 if "refused" in states else 409 if "lost" in states else 200


def _typed(claim_id: str) -> MultiDict[str, str]:
    """The fields of that row, by the names that they have at the desk."""
    prefix = f"{claim_id}:"
    return MultiDict(
        (name.removeprefix(prefix), value.replace("\x00", "\ufffd"))
        for name, value in request.form.items(multi=True)
        if name.startswith(prefix)
    )


def _row(who: Actor, head: QueueHead, claim_id: str, data: MultiDict[str, str], only: str | None) -> Row:
    wanted = data.pop("do", "leave")
    if only == claim_id and wanted == "leave":
        wanted = "decide"
    data["verdict"] = Verdict.REJECT.value if wanted == "reject" else ""
    with read_session() as session:
        row = Row(_desk(session, who, claim_id, data))
    if row.desk.work.queue.id != head.id:
        raise NotFound
    if only not in {None, claim_id} or wanted not in {"decide", "reject"}:
        _keep(who, row)
        return row
    return _decide(who, row)


def _keep(who: Actor, row: Row) -> None:
    """What was typed into a row that is left stays with it."""
    if not row.desk.changed and not row.desk.form.reason.data and not row.desk.form.comment.data:
        return
    with write_session() as session:
        drafts.save(session=session, actor=who, task_id=row.desk.work.task_id, body=draft_of(row.desk))


def _decide(who: Actor, row: Row) -> Row:
    desk = row.desk
    try:
        row.decided = edge.decide_now(who, row.claim_id, submission_of(desk))
    except Invalid as error:
        explain(desk, error)
        row.state, row.words = "refused", error.message
        return row
    except Conflict as error:
        row.state, row.words = "lost", error.message
        return row
    row.state = "saved"
    row.words = told_in_words(row.decided.gold) if row.decided.gold is not None else _DONE[row.decided.verdict]
    if desk.work.knows_instructions is not True:
        with write_session() as session:
            instructions.note_read(
                session=session, actor=who, slug=desk.work.queue.slug, version=desk.work.config_version
            )
    return row


_DONE = {
    Verdict.APPROVE: lazy_gettext("Approved"), Verdict.EDIT: lazy_gettext("Correction saved"),
    Verdict.OVERRIDE: lazy_gettext("Correction saved"),
    Verdict.REJECT: "Rejected",
}  # fmt: skip


@blueprint.post("/withdrawals/<decision_id>")
@signed_in
def undo(slug: str, decision_id: str) -> AnyResponse:
    """Take back a decision of mine in its grace time, and have its row again."""
    who = actor()
    try:
        held = edge.claiming(lambda session: grid.undo(session=session, actor=who, slug=slug, decision_id=decision_id))
    except GraceOver as error:
        if is_from_desk():
            return Response(error.message, status=409, mimetype="text/plain")
        flash(error.message, "warning")
        return redirect(url_for(".show", slug=slug), 303)
    if not is_from_desk():
        return redirect(url_for(".show", slug=slug), 303)
    with read_session() as session:
        row = Row(_desk(session, who, held.claim_id))
        return Response(render_template("review/grid_row.html", row=row, queue=row.desk.work.queue))


@blueprint.post("/renewal")
@signed_in
def renew(slug: str) -> Any:
    """Extend every row's lease; says which rows are still mine."""
    with write_session() as session:
        return jsonify({"claims": grid.renew(session=session, actor=actor(), slug=slug)})


@blueprint.post("/release")
@signed_in
def release(slug: str) -> AnyResponse:
    """All rows back to the queue; what was typed stays."""
    who = actor()
    with write_session() as session:
        count = grid.release(session=session, actor=who, slug=slug)
    flash(ngettext("%(num)s row went back to the queue.", "%(num)s rows went back to the queue.", count), "good")
    return redirect(url_for("review.queue", slug=slug), 303)
