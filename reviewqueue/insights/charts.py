"""Charts as shapes with their places: lines, bands, steps, bars and dots on two axes. Pure; `insights/_chart.html`
draws them as SVG. Colours are classes of the style sheet, for the policy allows no style attribute."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

Point = tuple[float, float]

WIDTH, HEIGHT = 560.0, 300.0
LEFT, RIGHT, TOP, BOTTOM = 56.0, 16.0, 16.0, 44.0
TICK_LENGTH = 4.0


@dataclass(frozen=True)
class Axis:
    """From `low` to `high`, with a word below or beside it."""

    low: float
    high: float
    title: str = ""
    show: Callable[[float], str] = "{:g}".format
    """How a tick is written."""
    ticks: tuple[float, ...] | None = None
    """Left out: about five round numbers."""

    @property
    def marks(self) -> tuple[float, ...]:
        return round_ticks(self.low, self.high) if self.ticks is None else self.ticks


@dataclass(frozen=True)
class Line:
    """Through the points, in their order. `kind` is a class: `accent`, `muted`, `good`, `warning`, `bad`, `teal`,
    `violet`; with `dashed` beside it where it is no measurement."""

    points: Sequence[Point]
    kind: str = "accent"


@dataclass(frozen=True)
class Step:
    """As a line, but each value holds until the next point."""

    points: Sequence[Point]
    kind: str = "accent"


@dataclass(frozen=True)
class Band:
    """Between a lower and an upper edge: `(x, low, high)`."""

    edges: Sequence[tuple[float, float, float]]
    kind: str = "accent"
    stepped: bool = False


@dataclass(frozen=True)
class Bars:
    """`(from, to, value)` along x, standing on the lower end of y (or on 0 where the axis holds it)."""

    bars: Sequence[tuple[float, float, float]]
    kind: str = "accent"


@dataclass(frozen=True)
class Dots:
    """One at each point, `radius` in pixels; `whiskers`, as many as points, are its interval `(low, high)` along y."""

    points: Sequence[Point]
    kind: str = "accent"
    radius: float = 4.0
    whiskers: Sequence[tuple[float, float]] = ()


@dataclass(frozen=True)
class Level:
    """A dashed line across, at a height, with its name."""

    at: float
    name: str = ""
    kind: str = "bad"


@dataclass(frozen=True)
class Upright:
    """A dotted line up, at a place along x, with its name."""

    at: float
    name: str = ""
    kind: str = "ink"


Mark = Line | Step | Band | Bars | Dots | Level | Upright


@dataclass(frozen=True)
class Path:
    d: str
    kind: str
    """`line`, `band`, `bar`, `dot`, `whisker`, `grid`, `level`, `upright`, and the mark's own."""


@dataclass(frozen=True)
class Text:
    x: str
    y: str
    words: str
    anchor: str = "middle"
    kind: str = "tick"


@dataclass(frozen=True)
class Chart:
    """What the template draws, in this order; `title` is what a screen reader says of it."""

    title: str
    width: float
    height: float
    paths: list[Path] = field(default_factory=list)
    texts: list[Text] = field(default_factory=list)


def chart(
    title: str, x: Axis, y: Axis, marks: Sequence[Mark], *, width: float = WIDTH, height: float = HEIGHT
) -> Chart:
    """The marks on two axes, the first one lowest. What lies beyond an axis is drawn at its edge; what is no number is
    left out."""
    plot = _Plot(x, y, width, height)
    drawn = Chart(title, width, height)
    _draw_axes(plot, drawn)
    for mark in marks:
        _draw(plot, drawn, mark)
    return drawn


class _Plot:
    """From values to pixels."""

    def __init__(self, x: Axis, y: Axis, width: float, height: float) -> None:
        self.x, self.y = x, y
        self.left, self.right, self.top, self.bottom = LEFT, width - RIGHT, TOP, height - BOTTOM

    def across(self, value: float) -> float:
        return self.left + _share(self.x, value) * (self.right - self.left)

    def up(self, value: float) -> float:
        return self.bottom - _share(self.y, value) * (self.bottom - self.top)

    def at(self, point: Point) -> str:
        return f"{_pixel(self.across(point[0]))},{_pixel(self.up(point[1]))}"


def _share(axis: Axis, value: float) -> float:
    length = axis.high - axis.low
    return 0.0 if length <= 0 else min(1.0, max(0.0, (value - axis.low) / length))


def _pixel(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _draw_axes(plot: _Plot, drawn: Chart) -> None:
    for value in plot.y.marks:
        height = plot.up(value)
        drawn.paths.append(Path(f"M{_pixel(plot.left)},{_pixel(height)}H{_pixel(plot.right)}", "grid"))
        drawn.texts.append(Text(_pixel(plot.left - 10), _pixel(height + 4), plot.y.show(value), "end"))
    for value in plot.x.marks:
        place = plot.across(value)
        anchor = "middle" if place < plot.right - RIGHT / 2 else "end"
        beyond = 0.0 if anchor == "middle" else RIGHT / 2
        drawn.texts.append(Text(_pixel(place + beyond), _pixel(plot.bottom + 18), plot.x.show(value), anchor))
    if plot.x.title:
        middle = (plot.left + plot.right) / 2
        drawn.texts.append(Text(_pixel(middle), _pixel(plot.bottom + 38), plot.x.title, kind="name"))


def _draw(plot: _Plot, drawn: Chart, mark: Mark) -> None:
    match mark:
        case Line(points, kind):
            drawn.paths.append(Path(_through([plot.at(point) for point in points if _finite(*point)]), f"line {kind}"))
        case Step(points, kind):
            drawn.paths.append(Path(_through(_steps(plot, points)), f"line {kind}"))
        case Band(edges, kind, stepped):
            drawn.paths.append(Path(_band(plot, edges, stepped), f"band {kind}"))
        case Bars(bars, kind):
            drawn.paths.append(Path("".join(_bar(plot, *bar) for bar in bars if _finite(*bar)), f"bar {kind}"))
        case Dots():
            _draw_dots(plot, drawn, mark)
        case Level(at, name, kind):
            height = plot.up(at)
            drawn.paths.append(Path(f"M{_pixel(plot.left)},{_pixel(height)}H{_pixel(plot.right)}", f"level {kind}"))
            if name:
                drawn.texts.append(Text(_pixel(plot.right), _pixel(height - 6), name, "end", f"said {kind}"))
        case Upright(at, name, kind):
            _draw_upright(plot, drawn, at, name, kind)


def _draw_upright(plot: _Plot, drawn: Chart, at: float, name: str, kind: str) -> None:
    place = plot.across(at)
    drawn.paths.append(Path(f"M{_pixel(place)},{_pixel(plot.top)}V{_pixel(plot.bottom)}", f"upright {kind}"))
    if name:
        last = place > (plot.left + 3 * plot.right) / 4
        beside = place - 6 if last else place + 6
        drawn.texts.append(
            Text(_pixel(beside), _pixel(plot.top + 12), name, "end" if last else "start", f"said {kind}")
        )


def _draw_dots(plot: _Plot, drawn: Chart, dots: Dots) -> None:
    whiskers = [
        f"M{_pixel(plot.across(x))},{_pixel(plot.up(low))}V{_pixel(plot.up(high))}"
        for (x, _), (low, high) in zip(dots.points, dots.whiskers, strict=False)
        if _finite(x, low, high)
    ]
    if whiskers:
        drawn.paths.append(Path("".join(whiskers), f"whisker {dots.kind}"))
    found = "".join(_dot(plot, point, dots.radius) for point in dots.points if _finite(*point))
    drawn.paths.append(Path(found, f"dot {dots.kind}"))


def _dot(plot: _Plot, point: Point, radius: float) -> str:
    left, height, r = plot.across(point[0]) - radius, plot.up(point[1]), _pixel(radius)
    wide = _pixel(2 * radius)
    return f"M{_pixel(left)},{_pixel(height)}a{r},{r} 0 1,0 {wide},0a{r},{r} 0 1,0 -{wide},0"


def _bar(plot: _Plot, start: float, end: float, value: float) -> str:
    foot = plot.up(max(plot.y.low, min(0.0, plot.y.high)))
    left, right = plot.across(start), plot.across(end)
    gap = 1.0 if right - left > 4 else 0.0
    return f"M{_pixel(left + gap)},{_pixel(foot)}V{_pixel(plot.up(value))}H{_pixel(right - gap)}V{_pixel(foot)}Z"


def _band(plot: _Plot, edges: Sequence[tuple[float, float, float]], stepped: bool) -> str:
    kept = [edge for edge in edges if _finite(*edge)]
    lower, upper = [(x, low) for x, low, _ in kept], [(x, high) for x, _, high in kept]
    if stepped:
        there, back = _steps(plot, upper), _steps(plot, lower)
    else:
        there, back = [plot.at(point) for point in upper], [plot.at(point) for point in lower]
    return f"{_through(there + back[::-1])}Z" if kept else ""


def _steps(plot: _Plot, points: Sequence[Point]) -> list[str]:
    kept = [point for point in points if _finite(*point)]
    corners = [plot.at(kept[0])] if kept else []
    for before, after in pairwise(kept):
        corners += [plot.at((after[0], before[1])), plot.at(after)]
    return corners


def _through(places: Sequence[str]) -> str:
    return "M" + "L".join(places) if places else ""


def _finite(*values: float) -> bool:
    return all(math.isfinite(value) for value in values)


def round_ticks(low: float, high: float, about: int = 5) -> tuple[float, ...]:
    """About so many round numbers from `low` to `high`: multiples of 1, 2 or 5 times a power of ten."""
    if not _finite(low, high) or high <= low:
        return (low,)
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = power * min((1, 2, 5, 10), key=lambda times: abs(times * power - rough))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return tuple(round(number * step, 10) for number in range(first, last + 1))


def percent(value: float) -> str:
    """A share as a tick is written: `2 %`, `0.5 %`."""
    return f"{round(100 * value, 3):g} %"
