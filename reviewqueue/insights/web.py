"""HTML routes of insight: what a queue's reviews say, other models against it, drift, fairness, value; all queues."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import Blueprint, Response, render_template, request, url_for

from reviewqueue.core.db import read_session
from reviewqueue.core.http import actor, signed_in
from reviewqueue.errors import Invalid
from reviewqueue.insights import comparing, drifting, figures, paired, pictures, portfolio, slicing, value
from reviewqueue.insights.pictures import Shown
from reviewqueue.insights.readiness import ENOUGH
from reviewqueue.insights.tabulated import as_csv

blueprint = Blueprint("insights", __name__)


@blueprint.record_once
def _filters(state: Any) -> None:
    state.app.jinja_env.filters["seconds_short"] = pictures.seconds


def period(known: Sequence[int] = figures.PERIODS, otherwise: str = "30") -> int:
    """`?days=`. Raises `Invalid`."""
    given = request.args.get("days", otherwise)
    if given not in {str(days) for days in known}:
        raise Invalid(f"days must be one of {', '.join(map(str, known))}.", code="bad_parameter")
    return int(given)


def lens() -> figures.Lens:
    """As the address narrows the page. Raises `Invalid`."""
    text = {name: request.args.get(name, "").strip()[:300] for name in ("version", "rule", "label")}
    return figures.Lens(period(), **text)


def page(template: str, shown: Sequence[Shown], slug: str, **values: Any) -> Any:
    """The page; with `?csv=` the table of that name. Raises `Invalid` for one that the page does not have."""
    wanted = request.args.get("csv")
    if wanted is None:
        return render_template(template, shown={one.table.key: one for one in shown}, **values)
    found = next((one.table for one in shown if one.table.key == wanted), None)
    if found is None:
        names = ", ".join(one.table.key for one in shown)
        raise Invalid(f"csv must be one of {names}." if names else "There is no table here.", code="bad_parameter")
    headers = {"Content-Disposition": f'attachment; filename="{slug}-{found.key}.csv"'}
    return Response(as_csv(found), mimetype="text/csv", headers=headers)


@blueprint.get("/queues/<slug>/insights")
@signed_in
def show(slug: str) -> Any:
    """How often people change what the model said, by day, version, rule and label; what passes; how long it takes."""
    with read_session() as session:
        found = figures.figures(session=session, actor=actor(), slug=slug, lens=lens())
    return page(
        "insights/show.html", pictures.overview(found), slug, found=found, queue=found.queue,
        periods=figures.PERIODS, here=lambda **changes: url_for(".show", slug=slug, **{**found.lens.query, **changes}),
    )  # fmt: skip


@blueprint.get("/queues/<slug>/comparison")
@signed_in
def comparison(slug: str) -> Any:
    """Another model against the present one, on the same judged items, and whether to promote it."""
    with read_session() as session:
        found = comparing.compare(
            session=session, actor=actor(), slug=slug, candidate=request.args.get("candidate") or None,
            present=request.args.get("present", comparing.OWN),
        )  # fmt: skip
    return page(
        "insights/comparison.html", pictures.compared(found), slug, found=found, queue=found.queue,
        enough=paired.ENOUGH,
    )  # fmt: skip


@blueprint.get("/queues/<slug>/drift")
@signed_in
def drift(slug: str) -> Any:
    """Whether what comes, or what people say of it, has changed of late, and what an alarm rests on."""
    with read_session() as session:
        days = period(drifting.RECENT, "7")
        found = drifting.drift_of(session=session, actor=actor(), slug=slug, days=days)
    return page(
        "insights/drift.html", pictures.drifted(found), slug, found=found, queue=found.queue, periods=drifting.RECENT,
    )  # fmt: skip


@blueprint.get("/queues/<slug>/fairness")
@signed_in
def fairness(slug: str) -> Any:
    """Whether the model is as right for one group as for the others, by declared metadata."""
    with read_session() as session:
        found = slicing.slices_of(session=session, actor=actor(), slug=slug, days=period())
    return page(
        "insights/fairness.html", pictures.sliced(found), slug, found=found, queue=found.queue,
        periods=figures.PERIODS, words=pictures.GAPS,
    )  # fmt: skip


@blueprint.get("/queues/<slug>/value")
@signed_in
def weigh(slug: str) -> Any:
    """Minutes spent, errors averted, what they cost and save, what came of the answers, and how it was before."""
    with read_session() as session:
        found = value.value_of(session=session, actor=actor(), slug=slug, days=period())
    return page(
        "insights/value.html", pictures.weighed(found), slug, found=found, queue=found.queue, periods=figures.PERIODS,
    )  # fmt: skip


def _page() -> int:
    given = request.args.get("page", "1")
    if not given.isascii() or not given.isdigit() or len(given) > 4 or int(given) < 1:
        raise Invalid("page must be a whole number from 1.", code="bad_parameter")
    return int(given)


@blueprint.get("/portfolio")
@signed_in
def all_queues() -> Any:
    """All queues whose insight one may read: impact, data, readiness for more autonomy."""
    with read_session() as session:
        found = portfolio.portfolio(session=session, actor=actor(), days=period(), page=_page())
    return page(
        "insights/portfolio.html", pictures.listed(found), "portfolio", found=found, periods=figures.PERIODS,
        enough=ENOUGH,
    )  # fmt: skip


@blueprint.get("/wallboard")
@signed_in
def wallboard() -> str:
    """What waits and what was done, for a screen on the wall; nobody is named. It asks for `?part=wall` by itself."""
    with read_session() as session:
        found = portfolio.wallboard(session=session, actor=actor())
    template = "insights/_wall.html" if request.args.get("part") == "wall" else "insights/wallboard.html"
    return render_template(template, wall=found)
