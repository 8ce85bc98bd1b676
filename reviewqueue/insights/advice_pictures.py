"""Advice as charts, tables and JSON."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from flask_babel import gettext as _

from reviewqueue.insights.advice_reading import Load, Report
from reviewqueue.insights.charts import Axis, Band, Bars, Dots, Level, Line, Upright, chart, percent
from reviewqueue.insights.pictures import Shown
from reviewqueue.insights.risk import Point
from reviewqueue.insights.tabulated import Column, Table

BESIDE = 3
"""Thresholds told beside the one advised."""


@dataclass(frozen=True)
class Edge:
    """A threshold with its band and its load."""

    point: Point
    low: float
    high: float
    load: Load


@dataclass(frozen=True)
class Drawn:
    """The report with each band worked out once."""

    report: Report

    @cached_property
    def edges(self) -> list[Edge]:
        """Of the thresholds above which something was judged."""
        told = [point for point in self.report.points if point.judged]
        return [
            Edge(point, self.report.low(point), self.report.high(point), self.report.load(point.threshold))
            for point in told
        ]

    @property
    def chosen(self) -> Edge | None:
        return next((edge for edge in self.edges if edge.point is self.report.advice.chosen), None)

    @property
    def beside(self) -> list[Edge]:
        """The one advised between others, in steps of about a tenth of what there is."""
        if self.chosen is None:
            return []
        place, step = self.edges.index(self.chosen), max(1, len(self.edges) // 12)
        places = range(max(place % step, place - step), min(len(self.edges), place + 2 * step + 1), step)
        return [self.edges[each] for each in places]

    @property
    def error(self) -> Shown:
        """How much of what passes is wrong, by threshold."""
        promise, edges = self.report.advice.promise, self.edges
        columns = [
            Column(_("Threshold"), "figure", "threshold"), Column(_("Would pass"), "count", "would_pass"),
            Column(_("Judged"), "count", "judged"), Column(_("Wrong"), "count", "wrong"),
            Column(_("Without a verdict"), "count", "open"), Column(_("Error, estimated"), "share", "error"),
            Column(_("At least"), "share", "at_least"), Column(_("At most"), "share", "at_most"),
            Column(_("To people"), "share", "to_people"),
        ]  # fmt: skip
        rows = [
            [
                edge.point.threshold, edge.point.items, edge.point.judged, edge.point.wrong, edge.point.open,
                edge.point.error, edge.low, edge.high, edge.load.share,
            ]
            for edge in edges
        ]  # fmt: skip
        title = _("Error among auto-approved items, by threshold")
        drawn = None
        if len(edges) > 1:
            across = Axis(edges[0].point.threshold, edges[-1].point.threshold, _("Threshold"))
            top = min(1.0, 4 * promise.error)
            marks: list[Any] = [
                Band([(edge.point.threshold, min(edge.low, top), min(edge.high, top)) for edge in edges]),
                Line([(edge.point.threshold, edge.point.error) for edge in edges if edge.point.error <= top]),
                Level(promise.error, _("at most %(share)s", share=percent(promise.error))),
            ]
            if self.chosen is not None:
                at = self.chosen.point.threshold
                marks.append(Upright(at, f"{at:g}"))
            drawn = chart(title, across, Axis(0.0, top, show=percent), marks)
        return Shown(Table("error", title, columns, rows), drawn)

    @property
    def coverage(self) -> Shown:
        """How much would pass, against how much of that is wrong."""
        edges = [edge for edge in self.edges if not math.isnan(edge.point.error)]
        rows = [[edge.point.threshold, 1 - edge.load.share, edge.point.error, edge.high] for edge in edges]
        columns = [
            Column(_("Threshold"), "figure", "threshold"), Column(_("Without a person"), "share", "coverage"),
            Column(_("Error, estimated"), "share", "error"), Column(_("At most"), "share", "at_most"),
        ]  # fmt: skip
        title = _("Error against how much needs no person")
        drawn = None
        if len(edges) > 1:
            points = [(1 - edge.load.share, edge.point.error) for edge in reversed(edges)]
            top = max(self.report.advice.promise.error * 2, *(error for _coverage, error in points))
            marks: list[Any] = [
                Line(points), Level(self.report.advice.promise.error, _("promised")),
            ]  # fmt: skip
            if self.chosen is not None:
                marks.append(Dots([(1 - self.chosen.load.share, self.chosen.point.error)], "ink"))
            across = Axis(0.0, max(0.05, *(at for at, _error in points)), _("Share without a person"), percent)
            drawn = chart(title, across, Axis(0.0, min(1.0, 1.05 * top), show=percent), marks)
        return Shown(Table("coverage", title, columns, rows), drawn)

    @property
    def reliability(self) -> Shown:
        """Whether the model is right as often as it says."""
        found = self.report.calibration
        bins = found.bins if found else []
        columns = [
            Column(_("Confidence from"), "figure", "low"), Column(_("to"), "figure", "high"),
            Column(_("Judged"), "count", "judged"), Column(_("Share of all"), "share", "share"),
            Column(_("Confidence, mean"), "share", "confidence"), Column(_("Right"), "share", "right"),
            Column(_("At least"), "share", "right_low"), Column(_("At most"), "share", "right_high"),
        ]  # fmt: skip
        rows = [
            [each.low, each.high, each.judged, each.share, each.confidence, each.right, *each.interval] for each in bins
        ]
        title = _("Is it right as often as it says?")
        drawn = None
        if bins:
            share = Axis(0.0, 1.0, _("Confidence"), percent)
            marks: list[Any] = [
                Bars([(each.low, each.high, each.share) for each in bins], "muted faint"),
                Line([(0, 0), (1, 1)], "muted dashed"),
                Dots([(each.confidence, each.right) for each in bins], whiskers=[each.interval for each in bins]),
            ]  # fmt: skip
            drawn = chart(title, share, Axis(0.0, 1.0, show=percent), marks)
        return Shown(Table("reliability", title, columns, rows), drawn)

    @property
    def tables(self) -> list[Shown]:
        return [self.error, self.coverage, self.reliability]


def as_json(drawn: Drawn) -> dict[str, Any]:
    """Advice as programs read it."""
    report = drawn.report
    advice, found = report.advice, report.calibration
    return {
        "queue": report.queue.slug, "version": report.queue.version, "last": report.last, "complete": report.complete,
        "model": report.version and report.version.model,
        "model_version": report.version and report.version.model_version,
        "promise": {"error": advice.promise.error, "confidence": advice.promise.confidence},
        "advice": None if drawn.chosen is None else _edge(drawn.chosen),
        "missing": None if report.further is None
        else {"threshold": report.further.threshold, "audits": report.further.audits},
        "present": {"threshold": report.present, **_load(report.now)},
        "could_pass": report.could_pass, "unaudited_versions": report.unaudited, "audit_rate": report.audit_rate,
        "calibration": None if found is None else {
            "ece": round(found.ece, 4), "brier": round(found.brier, 4), "judged": found.judged,
            "bins": [
                {
                    "low": each.low, "high": each.high, "judged": each.judged, "share": round(each.share, 4),
                    "confidence": round(each.confidence, 4), "right": round(each.right, 4),
                    "right_low": round(each.interval[0], 4), "right_high": round(each.interval[1], 4),
                }
                for each in found.bins
            ],
        },
        "curve": [_edge(edge) for edge in drawn.edges],
        "configuration": report.candidate,
    }  # fmt: skip


def _edge(edge: Edge) -> dict[str, Any]:
    point = edge.point
    return {
        "threshold": point.threshold, "items": point.items, "judged": point.judged, "wrong": point.wrong,
        "open": point.open, "error": None if math.isnan(point.error) else round(point.error, 4),
        "at_least": round(edge.low, 4), "at_most": round(edge.high, 4), **_load(edge.load),
    }  # fmt: skip


def _load(load: Load) -> dict[str, Any]:
    hours = None if load.hours is None else round(load.hours, 2)
    return {"to_people": round(load.share, 4), "per_day": round(load.per_day, 1), "hours_per_day": hours}
