"""Figures as charts and tables. Pure."""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from reviewqueue.insights.charts import Axis, Band, Bars, Chart, Dots, Level, Line, Mark, Upright, chart, percent
from reviewqueue.insights.comparing import Comparison
from reviewqueue.insights.drift import Bin
from reviewqueue.insights.drifting import Drift
from reviewqueue.insights.figures import Confusion, Day, Figures, Group
from reviewqueue.insights.portfolio import Portfolio
from reviewqueue.insights.rates import Rate, plain
from reviewqueue.insights.slicing import Slices
from reviewqueue.insights.tabulated import Column, Table
from reviewqueue.insights.value import Weighed

NO_VERSION = "(none)"
WIDE = 900.0
LOW = 240.0


@dataclass(frozen=True)
class Shown:
    """A chart, where there is something to draw, above its table."""

    table: Table
    chart: Chart | None = None


def day_axis(days: Sequence[datetime.date]) -> Axis:
    """Numbers of days, with a date at up to six places."""
    numbers = [float(day.toordinal()) for day in days]
    step = max(1, math.ceil(len(numbers) / 6))
    return Axis(
        numbers[0] - 0.5, numbers[-1] + 0.5, show=lambda at: f"{datetime.date.fromordinal(int(at)):%-d %b}",
        ticks=tuple(numbers[step // 2 :: step]),
    )  # fmt: skip


def rate_chart(
    title: str, days: Sequence[datetime.date], rates: Sequence[Rate], extra: Sequence[Mark] = ()
) -> Chart | None:
    """A share by day: a dot with its interval where there is one. None of nothing."""
    told = [(float(day.toordinal()), rate) for day, rate in zip(days, rates, strict=True) if rate.value is not None]
    if not told:
        return None
    highest = max(rate.value or 0.0 for _, rate in told)
    top = _rounded_up(max(highest, sorted(rate.high for _, rate in told)[len(told) // 2]) * 1.15)
    dots = Dots(
        [(at, rate.value or 0.0) for at, rate in told], radius=3.0,
        whiskers=[(rate.low, min(rate.high, top)) for _, rate in told],
    )  # fmt: skip
    axis = Axis(0.0, top, show=percent)
    return chart(title, day_axis(days), axis, [*extra, dots], width=WIDE, height=LOW)


def _rounded_up(share: float) -> float:
    return next((top for top in (0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8) if share <= top), 1.0)


def line_chart(
    title: str, days: Sequence[datetime.date], values: Sequence[tuple[float | None, float | None]],
    show: Callable[[float], str],
) -> Chart | None:  # fmt: skip
    """A value by day, with an upper edge beside it. None of nothing."""
    told = [
        (float(day.toordinal()), value, edge or value)
        for day, (value, edge) in zip(days, values, strict=True)
        if value is not None
    ]
    if not told:
        return None
    highest = max(edge for _, _, edge in told)
    top = _rounded_up(highest) if show is percent else 1.1 * highest or 1.0
    marks: list[Mark] = [
        Band([(at, value, edge) for at, value, edge in told]), Line([(at, value) for at, value, _ in told]),
        Dots([(at, value) for at, value, _ in told], radius=2.5),
    ]  # fmt: skip
    return chart(title, day_axis(days), Axis(0.0, top, show=show), marks, width=WIDE, height=LOW)


# -- the overview of a queue ------------------------------------------------------------------------------------------


def overview(found: Figures) -> list[Shown]:
    dates = [day.day for day in found.days]
    shown = [
        Shown(_days_table(found.days), rate_chart("Changed by people, by day", dates, [d.changed for d in found.days])),
        Shown(_groups_table("versions", "By model version", "Version", found.versions)),
        Shown(_groups_table("rules", "By the rule that sent it to people", "Rule", found.rules)),
    ]
    if found.labels:
        shown.append(Shown(_groups_table("labels", "By the label that the model gave", "Label", found.labels)))
    if found.confusion is not None:
        shown.append(Shown(_confusion_table(found.confusion)))
    return [*shown, _passed(found), _times(found)]


def _days_table(days: Sequence[Day]) -> Table:
    columns = [Column("Day", "day"), Column("Changed", "rate"), Column("In time", "rate")]
    return Table(
        "days", "Changed by people, by day", columns,
        [[day.day, day.changed, day.in_time] for day in reversed(days) if day.changed.of],
    )  # fmt: skip


def _groups_table(key: str, title: str, name: str, groups: Sequence[Group]) -> Table:
    columns = [
        Column(name), Column("Judged", "count"), Column("Changed", "rate"), Column("Of all items", "rate", "of_all"),
    ]  # fmt: skip
    rows = [[group.name or NO_VERSION, group.changed.of, group.changed, group.of_all] for group in groups]
    return Table(key, title, columns, rows)


def _confusion_table(found: Confusion) -> Table:
    columns = [Column("The model said"), *(Column(answer, "heat") for answer in found.answers)]
    rows = [
        [label, *(found.counts.get((label, answer), 0) for answer in found.answers)] for label in found.labels
    ]  # fmt: skip
    return Table("confusion", "What the model said, and what people said", columns, rows)


def _passed(found: Figures) -> Shown:
    dates = [day.day for day in found.days]
    rates = [_share(day.passed, day.came) for day in found.days]
    columns = [
        Column("Day", "day"), Column("Came", "count"), Column("Passed", "count"),
        Column("Passed, share", "share", "passed_share"),
    ]  # fmt: skip
    rows = [[day.day, day.came, day.passed, day.passed / day.came] for day in reversed(found.days) if day.came]
    return Shown(
        Table("passed", "Passed without a person, by day", columns, rows),
        line_chart("Passed without a person, by day", dates, [(rate, None) for rate in rates], percent),
    )


def _share(met: int, of: int) -> float | None:
    return met / of if of else None


def _times(found: Figures) -> Shown:
    dates = [day.day for day in found.days]
    columns = [
        Column("Day", "day"), Column("Decisions", "count"), Column("Median", "seconds", "median_seconds"),
        Column("9 of 10 within", "seconds", "p90_seconds"),
    ]  # fmt: skip
    rows = [[day.day, day.decisions, day.median, day.p90] for day in reversed(found.days) if day.decisions]
    return Shown(
        Table("times", "Time a decision, by day", columns, rows),
        line_chart("Time a decision, by day", dates, [(day.median, day.p90) for day in found.days], seconds),
    )


def seconds(value: float) -> str:
    """`4.2 s`, `38 s`, `3 min 5 s`."""
    if value == int(value) and value < 120:
        return f"{value:.0f} s"
    if value < 9.95:
        return f"{value:.1f} s"
    if value < 119.5:
        return f"{value:.0f} s"
    return f"{value / 60:.0f} min"


# -- two models -------------------------------------------------------------------------------------------------------


def compared(found: Comparison) -> list[Shown]:
    pairs = found.pairs
    columns = [Column("Items"), Column("Candidate right", "count"), Column("Candidate wrong", "count")]
    rows = [["Present one right", pairs.both, pairs.first], ["Present one wrong", pairs.second, pairs.neither]]
    by_label = [
        Column("People said"), Column("Items", "count"), Column("Present right", "rate"),
        Column("Candidate right", "rate"),
    ]  # fmt: skip
    labels = [
        [label.name, label.items, plain(label.present, label.items), plain(label.candidate, label.items)]
        for label in found.labels
    ]
    return [
        Shown(Table("pairs", "Both on the same items", columns, rows if pairs.items else [])),
        Shown(Table("labels", "By the label that people gave", by_label, labels)),
    ]


# -- drift ------------------------------------------------------------------------------------------------------------

MEASURES = {
    "label": "Labels that the model gives", "confidence": "Confidences", "length": "Length of inputs, in characters",
    "action": "What routing says",
}  # fmt: skip


def drifted(found: Drift) -> list[Shown]:
    shown = [_controlled(found)]
    for measure, title in MEASURES.items():
        if measure in found.shifts:
            bins = found.shifts[measure].bins
            columns = [
                Column("Value"), Column("Before", "share"), Column("Now", "share"),
                Column("Adds to the index", "figure", "psi"),
            ]  # fmt: skip
            rows = [[one.name.strip(), one.before, one.now, one.psi] for one in bins]
            picture = _bins(title, bins) if measure in {"confidence", "length"} else None
            shown.append(Shown(Table(measure, title, columns, rows), picture))
    return shown


def _bins(title: str, bins: Sequence[Bin]) -> Chart:
    """The present as bars, what was before as dots."""
    top = 1.1 * max(max(one.before, one.now) for one in bins)
    names = [one.name.strip() for one in bins]
    x = Axis(
        0.0, float(len(bins)), ticks=tuple(number + 0.5 for number in range(len(bins))),
        show=lambda at: names[int(at)],
    )  # fmt: skip
    bars = Bars([(number + 0.15, number + 0.85, one.now) for number, one in enumerate(bins)])
    before = Dots([(number + 0.5, one.before) for number, one in enumerate(bins)], kind="ink")
    return chart(title, x, Axis(0.0, top, show=percent), [bars, before], width=WIDE, height=LOW)


def _controlled(found: Drift) -> Shown:
    """The share that people change, by day, within its limits."""
    title = "Changed by people, by day, and its limits"
    columns = [
        Column("Day", "day"), Column("Judged", "count"), Column("Changed", "share"), Column("At least", "share"),
        Column("At most", "share"), Column("Alarm"),
    ]  # fmt: skip
    if found.control is None:
        return Shown(Table("changed", title, columns, []))
    dates, points = found.dates, found.control.points
    told = [(day, point) for day, point in zip(dates, points, strict=True) if point.share is not None]
    if not told:
        return Shown(Table("changed", title, columns, []))
    rows = [
        [
            day, found.counts[day].of, point.share, max(0.0, point.low), min(1.0, point.high),
            "beyond" if point.beyond else "run" if point.run else "",
        ]
        for day, point in told
    ]  # fmt: skip
    placed = [(float(day.toordinal()), point) for day, point in told]
    calm = [(at, point.share or 0.0) for at, point in placed if not point.beyond and not point.run]
    loud = [(at, point.share or 0.0) for at, point in placed if point.beyond or point.run]
    top = _rounded_up(1.1 * max(max(point.share or 0.0, point.high) for _, point in told))
    marks: list[Mark] = [
        Band([(at, max(0.0, point.low), min(top, point.high)) for at, point in placed], kind="muted", stepped=True),
        Level(found.control.centre, "before", kind="ink"),
        Upright(found.boundary.toordinal() - 0.5, "now"), Line([(at, point.share or 0.0) for at, point in placed]),
        Dots(calm, radius=3.0), Dots(loud, kind="bad", radius=5.0),
    ]  # fmt: skip
    picture = chart(title, day_axis(dates), Axis(0.0, top, show=percent), marks, width=WIDE, height=LOW)
    return Shown(Table("changed", title, columns, rows[::-1]), picture)


# -- fairness ---------------------------------------------------------------------------------------------------------

GAPS = {
    "changed": "Changed", "parity": "Favourable", "true_positive": "True positives",
    "false_positive": "False positives",
}  # fmt: skip


def sliced(found: Slices) -> list[Shown]:
    shown = []
    for key, one in found.by.items():
        columns = [Column("Group"), Column("Judged", "count"), Column("Changed", "rate")]
        favours = any(group.favourable for group in one.groups)
        if favours:
            columns += [Column(GAPS[name], "rate") for name in ("parity", "true_positive", "false_positive")]
        rows = [
            [group.name, group.items, group.changed]
            + ([group.favourable, group.true_positive, group.false_positive] if favours else [])
            for group in one.groups
        ]
        shown.append(Shown(Table(f"groups-{key}", key, columns, rows)))
        between = [
            Column("Group"), Column("Measure"), Column("Difference, points", "difference", "difference"),
            Column("Low", "difference"), Column("High", "difference"), Column("Beyond chance"),
        ]  # fmt: skip
        gaps = [
            [gap.group, GAPS[gap.measure], gap.value, gap.low, gap.high, "yes" if gap.certain else ""]
            for gap in one.gaps
        ]
        shown.append(Shown(Table(f"gaps-{key}", key, between, gaps)))
    return shown


# -- value ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Week:
    begins: datetime.date
    came: int
    passed: int
    judged: int
    changed: int


def _weeks(days: Sequence[Day]) -> list[_Week]:
    """Seven days each, the last one ending with the last day; what is left over in front is left out."""
    found = []
    for end in range(len(days), 6, -7):
        part = days[end - 7 : end]
        found.append(
            _Week(
                part[0].day, sum(day.came for day in part), sum(day.passed for day in part),
                sum(day.changed.of for day in part), sum(day.changed.met for day in part),
            )
        )  # fmt: skip
    return found[::-1]


def weighed(found: Weighed) -> list[Shown]:
    weeks = _weeks(found.figures.days)
    columns = [
        Column("Week from", "day"), Column("Came", "count"), Column("Passed", "share"), Column("Judged", "count"),
        Column("Errors averted", "count"),
    ]  # fmt: skip
    rows = [
        [week.begins, week.came, _share(week.passed, week.came), week.judged, week.changed]
        for week in reversed(weeks)
        if week.came or week.judged
    ]
    picture = line_chart(
        "Passed without a person, by week", [week.begins for week in weeks],
        [(_share(week.passed, week.came), None) for week in weeks], percent,
    )  # fmt: skip
    ended = [
        Column("Answered by"),
        Column("Turned out right", "rate", "right"),
        Column("Cost of errors", "money", "cost"),
    ]
    return [
        Shown(Table("weeks", "Passed without a person, by week", columns, rows), picture),
        Shown(Table("outcomes", "What came of the answers", ended, [[o.by, o.right, o.cost] for o in found.outcomes])),
    ]


# -- all queues -------------------------------------------------------------------------------------------------------


def listed(found: Portfolio) -> list[Shown]:
    columns = [
        Column("Queue"), Column("Team"), Column("Came", "count"), Column("Passed", "share"), Column("Changed", "rate"),
        Column("Passed wrong", "rate"), Column("Errors averted", "count"), Column("Minutes", "count"),
        Column("Labels", "count"), Column("Gold", "count"), Column("Readiness"),
    ]  # fmt: skip
    rows = []
    for line in found.lines:
        one, effort = line.weighed, line.weighed.worth.effort
        rows.append([
            one.queue.title, one.team, effort.came, _share(effort.passed, effort.came), one.figures.changed,
            effort.passed_wrong, effort.averted, round(effort.minutes), line.labels, line.gold, line.readiness.call,
        ])  # fmt: skip
    return [Shown(Table("queues", "All queues", columns, rows))]
