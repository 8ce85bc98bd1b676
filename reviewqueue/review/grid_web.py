"""HTML routes of the grid: up to twenty short items in a table, each row with its own claim and its own decision.

The script sends one row and asks with the header `X-Desk` for that row alone. Without it the whole form is sent, and
every row says whether it is decided or left. What was typed into rows that are not decided is kept as their draft,
whichever button sent the form.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, flash, jsonify, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext, ngettext
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response as AnyResponse

from reviewqueue.core.access import Actor
from reviewqueue.core.db import read_session, write_session
from reviewqueue.core.http import actor, is_from_desk, signed_in
from reviewqueue.errors import Conflict, Forbidden, GraceOver, Invalid, NotAdmitted, NotFound
from reviewqueue.models.states import TaskKind, Verdict
from reviewqueue.queues.catalog import QueueHead, configuration
from reviewqueue.queues.configuration import QueueConfig
from reviewqueue.review import drafts, edge, grid, instructions, workpiece
from reviewqueue.review.claims import leases
from reviewqueue.review.decisions.recording import Decided
from reviewqueue.review.desk.filling import desk_of
from reviewqueue.review.desk.page import Desk
from reviewqueue.review.desk.sending import draft_of, explain, submission_of
from reviewqueue.review.golden import told_in_words

blueprint = Blueprint("grid", __name__, url_prefix="/queues/<slug>/grid")


@dataclass
class Row:
    """One claim of the grid, and what became of it."""

    claim_id: str
    desk: Desk | None
    """None for one that cannot be shown any more."""
    state: str = "open"
    """`open`, `saved`, `refused`, `lost` or `gone`."""
    words: str = ""
    decided: Decided | None = None
    typed: tuple[str, ...] = ()
    """Of one that is gone: what was typed, which cannot be kept."""

    @property
    def suits(self) -> bool:
        """Whether it can be decided here: an older version may show it otherwise, and an adjudication needs room."""
        work = self.desk.work if self.desk else None
        return work is not None and grid.suits(work.config) and work.kind is not TaskKind.ADJUDICATION


@blueprint.get("")
@signed_in
def show(slug: str) -> Response:
    """The rows in my hands."""
    with read_session() as session:
        head, held = grid.in_hand(session=session, actor=actor(), slug=slug)
        rows = [_read(session, actor(), claim_id) for claim_id in held.values()]
        return _page(session, actor(), head, rows)


def _read(session: Session, who: Actor, claim_id: str) -> Row:
    try:
        return Row(claim_id, _desk(session, who, claim_id))
    except (NotFound, Forbidden):
        return _gone(claim_id)


def _gone(claim_id: str, data: MultiDict[str, str] | None = None) -> Row:
    typed = tuple(value for name, value in data.items(multi=True) if name != "do" and value) if data else ()
    return Row(claim_id, None, "gone", _("This row cannot be shown any more: it is no longer yours."), typed=typed)


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
        part = row.desk.part if row.desk and row.suits else None
        if part is not None and part.kind == "object":
            return [cell.title for cell in part.children]
    return [config.view.output or "output"]


@blueprint.post("")
@signed_in
def take(slug: str) -> AnyResponse:
    """Fill the grid. What was typed into its rows stays with them."""
    who = actor()
    with read_session() as session:
        head, _held = grid.in_hand(session=session, actor=who, slug=slug)
        config = configuration(session, head.id, head.version).config
    unkept = _keep_typed(who, head)
    if unkept:
        return _with_unkept(who, slug, unkept)
    if not grid.suits(config):
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
    """Decide the rows that say so, or that of `only`; keep what was typed into the others. Each row has a result of its
    own, whatever became of those before it."""
    who, form = actor(), request.form
    with read_session() as session:
        head, _held = grid.in_hand(session=session, actor=who, slug=slug)
    only = form.get("only")
    if is_from_desk():
        if not only:
            raise NotFound
        row = _row(who, head, only, _typed(only), only)
        return Response(render_template("review/grid_row.html", row=row, queue=head), status=_status([row]))
    found = [_row_of_many(who, head, claim_id, only) for claim_id in _named()]
    rows = [row for row in found if row is not None]
    with read_session() as session:
        return _page(session, who, head, rows, _status(rows))


def _named() -> list[str]:
    """The rows of the form."""
    return list(dict.fromkeys(request.form.getlist("claim")))[: 2 * grid.ROWS]


def _row_of_many(who: Actor, head: QueueHead, claim_id: str, only: str | None) -> Row | None:
    """None for a row that was done with before, of which nothing is sent."""
    data = _typed(claim_id)
    try:
        row = _row(who, head, claim_id, data.copy(), only)
    except (NotFound, Forbidden):
        return _gone(claim_id, data)
    done_with = row.desk is not None and not row.desk.work.live and row.state == "open"
    return None if done_with and not data.keys() - {"do"} else row


def _keep_typed(who: Actor, head: QueueHead) -> list[Row]:
    """Keep what was typed into the rows as their drafts; returns those where that cannot be."""
    found = {claim_id: _typed(claim_id) for claim_id in _named()}
    marked = [data for data in found.values() if data.get("do", "leave") != "leave"]
    if marked:
        flash(
            _("Marked rows are decided by “Save the marked rows” alone. What was typed into them is kept."), "warning"
        )
    rows = [_row_of_many(who, head, claim_id, only="") for claim_id, data in found.items() if data]
    return [row for row in rows if row is not None and row.typed]


def _with_unkept(who: Actor, slug: str, unkept: list[Row]) -> Response:
    """The grid, and what was typed into rows that are gone."""
    with read_session() as session:
        head, held = grid.in_hand(session=session, actor=who, slug=slug)
        rows = [_read(session, who, claim_id) for claim_id in held.values()]
        return _page(session, who, head, [*unkept, *(row for row in rows if row.state != "gone")], 409)


def _status(rows: list[Row]) -> int:
    states = {row.state for row in rows}
    return 422 if "refused" in states else 409 if states & {"lost", "gone"} else 200


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
    any_typed = bool(data)
    if only == claim_id and wanted == "leave":
        wanted = "decide"
    data["verdict"] = Verdict.REJECT.value if wanted == "reject" else ""
    with read_session() as session:
        desk = _desk(session, who, claim_id, data)
    if desk.work.queue.id != head.id:
        raise NotFound
    if only in {None, claim_id} and wanted in {"decide", "reject"}:
        return _decide(who, desk)
    row = Row(claim_id, desk)
    if any_typed:
        _keep(who, desk)
        if not desk.work.live:
            with read_session() as session:
                row.state, row.words = "lost", leases.lost_lease(session, who, desk.work.task_id).message
    return row


def _keep(who: Actor, desk: Desk) -> None:
    """What was typed into a row that is not decided stays with it; also that it was taken back."""
    if not (desk.changed or desk.form.reason.data or desk.form.comment.data or desk.work.draft):
        return
    with write_session() as session:
        drafts.save(session=session, actor=who, task_id=desk.work.task_id, body=draft_of(desk))


def _decide(who: Actor, desk: Desk) -> Row:
    row = Row(desk.work.claim_id, desk)
    try:
        row.decided = edge.decide_now(who, row.claim_id, submission_of(desk))
    except Invalid as error:
        _keep(who, desk)
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
        desk = _desk(session, who, held.claim_id)
        row = Row(held.claim_id, desk)
        return Response(render_template("review/grid_row.html", row=row, queue=desk.work.queue))


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
    with read_session() as session:
        head, _held = grid.in_hand(session=session, actor=who, slug=slug)
    unkept = _keep_typed(who, head)
    if unkept:
        return _with_unkept(who, slug, unkept)
    with write_session() as session:
        count = grid.release(session=session, actor=who, slug=slug)
    flash(ngettext("%(num)s row went back to the queue.", "%(num)s rows went back to the queue.", count), "good")
    return redirect(url_for("review.queue", slug=slug), 303)
