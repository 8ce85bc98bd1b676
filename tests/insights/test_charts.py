"""Charts: where the shapes stand, and that nothing of a text becomes mark-up."""

from __future__ import annotations

import math

from flask import render_template_string

from reviewqueue.insights.charts import (
    Axis,
    Band,
    Bars,
    Dots,
    Level,
    Line,
    Step,
    Upright,
    chart,
    percent,
    round_ticks,
)  # fmt: skip

SHARE = Axis(0, 1)
DRAWN = "{% import 'insights/_chart.html' as charts %}{{ charts.draw(chart) }}"


def paths(*marks, x=SHARE, y=SHARE):
    """Of a plot of 100 by 100 pixels, from (56, 16)."""
    found = chart("A chart", x, y, marks, width=56 + 100 + 16, height=16 + 100 + 44)
    return [path.d for path in found.paths if path.kind != "grid"]


def test_shapes_stand_where_their_values_are():
    assert paths(Line([(0, 0), (0.5, 1), (1, 0.5)])) == ["M56,116L106,16L156,66"]
    assert paths(Step([(0, 0), (0.5, 1)])) == ["M56,116L106,116L106,16"]
    assert paths(Band([(0, 0, 0.5), (1, 0.5, 1)])) == ["M56,66L156,16L156,66L56,116Z"]
    assert paths(Bars([(0, 0.5, 1)])) == ["M57,116V16H105V116Z"]
    assert paths(Dots([(0.5, 0.5)], whiskers=[(0, 1)]))[0] == "M106,116V16"
    assert paths(Level(0.5)) == ["M56,66H156"]
    assert paths(Upright(0.5)) == ["M106,16V116"]


def test_what_lies_beyond_is_drawn_at_the_edge_and_what_is_no_number_left_out():
    assert paths(Line([(0, -3), (0.5, math.nan), (1, 7)])) == ["M56,116L156,16"]
    assert paths(Band([])) == [""]
    assert paths(Bars([(0, 1, -1)]), y=Axis(-1, 1)) == ["M57,66V116H155V66Z"]


def test_ticks_are_round():
    assert round_ticks(0, 1) == (0, 0.2, 0.4, 0.6, 0.8, 1)
    assert round_ticks(0.3, 0.95) == (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
    assert round_ticks(0, 0.08) == (0, 0.02, 0.04, 0.06, 0.08)
    assert round_ticks(0, 0) == (0,)
    assert (percent(0.02), percent(0.005)) == ("2 %", "0.5 %")


def test_no_text_becomes_mark_up(app):
    found = chart("<script>", Axis(0, 1, "<b>"), SHARE, [Level(0.5, "</svg><img>")])
    with app.test_request_context():
        drawn = render_template_string(DRAWN, chart=found)
    assert "<script" not in drawn
    assert "<img" not in drawn
    assert "<b>" not in drawn
    assert " style=" not in drawn
