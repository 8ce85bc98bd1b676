"""Whether what comes, or what people say of it, has changed: distances with what chance makes of them, and a control
chart with its alarm rules. Pure; checked against scipy in the tests."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

PSI_LOOK, PSI_ALARM = 0.1, 0.25
"""Of old in credit scoring: below 0.1 little has changed, above 0.25 much has (Siddiqi 2006, chapter 8)."""
BY_CHANCE = 0.01
"""What chance alone makes so often is no finding."""
BEYOND = 0.00135
"""Each tail of three standard deviations (Shewhart 1931): of 370 days without change one falls beyond either."""
RUN = 9
"""Days running on one side of the centre (Nelson 1984, rule 2): by chance once in 256 runs that begin."""
_Z99 = 2.3263478740408408

Alarm = Literal["none", "look", "alarm"]


@dataclass(frozen=True)
class Bin:
    name: str
    before: float
    now: float
    """Shares."""
    psi: float
    """What it adds to the sum."""


@dataclass(frozen=True)
class Shift:
    """Between a reference and the present, over the same bins."""

    psi: float
    by_chance: float
    """What it exceeds in 1 of 100 cases where nothing has changed."""
    before: int
    now: int
    bins: list[Bin]

    @property
    def alarm(self) -> Alarm:
        if self.psi < PSI_LOOK or self.psi <= self.by_chance:
            return "none"
        return "alarm" if self.psi >= PSI_ALARM else "look"


def shift(before: Mapping[str, int], now: Mapping[str, int]) -> Shift | None:
    """The population stability index, Σ (q - p) ln(q / p); half an item is added to each bin, so that an empty one
    counts as rare. Where nothing has changed it is about (1/m + 1/n) χ² of as many degrees as bins less one (Yurdakul
    2018, "Statistical properties of population stability index"). None of nothing."""
    names = sorted({*before, *now})
    total_before, total_now = sum(before.values()), sum(now.values())
    if not total_before or not total_now or not names:
        return None
    bins = []
    for name in names:
        p = (before.get(name, 0) + 0.5) / (total_before + 0.5 * len(names))
        q = (now.get(name, 0) + 0.5) / (total_now + 0.5 * len(names))
        share_before, share_now = before.get(name, 0) / total_before, now.get(name, 0) / total_now
        bins.append(Bin(name, share_before, share_now, (q - p) * math.log(q / p)))
    chance = (1 / total_before + 1 / total_now) * chi_squared_99(len(names) - 1)
    return Shift(math.fsum(one.psi for one in bins), chance, total_before, total_now, bins)


def chi_squared_99(degrees: int) -> float:
    """The 99th percentile, by the cube of Wilson and Hilferty (1931): within 2 % from two degrees on."""
    if degrees <= 0:
        return 0.0
    if degrees == 1:
        return 6.634896601021213
    ninth = 2 / (9 * degrees)
    return float(degrees * (1 - ninth + _Z99 * math.sqrt(ninth)) ** 3)


@dataclass(frozen=True)
class Apart:
    """How far two distributions lie apart."""

    distance: float
    """The largest between their cumulative shares."""
    p: float
    at: float
    """Where that is."""

    @property
    def alarm(self) -> Alarm:
        return "alarm" if self.p < BY_CHANCE and self.distance >= 0.1 else "look" if self.p < BY_CHANCE else "none"


def kolmogorov_smirnov(before: Mapping[float, int], now: Mapping[float, int]) -> Apart | None:
    """Of values that may be tied, as bins are: then it finds too little rather than too much. The probability is the
    limit of Kolmogorov (1933) with the correction of Stephens (1970) for few observations. None of nothing."""
    m, n = sum(before.values()), sum(now.values())
    if not m or not n:
        return None
    seen_before = seen_now = 0
    distance, place = 0.0, 0.0
    for value in sorted({*before, *now}):
        seen_before += before.get(value, 0)
        seen_now += now.get(value, 0)
        gap = abs(seen_before / m - seen_now / n)
        if gap > distance:
            distance, place = gap, value
    root = math.sqrt(m * n / (m + n))
    return Apart(distance, _kolmogorov(distance * (root + 0.12 + 0.11 / root)), place)


def _kolmogorov(value: float) -> float:
    if value < 0.2:
        return 1.0
    total = math.fsum((-1) ** (k - 1) * math.exp(-2 * (k * value) ** 2) for k in range(1, 101))
    return min(1.0, max(0.0, 2 * total))


# -- control chart ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Count:
    """Of one day: so many of so many."""

    met: int
    of: int


@dataclass(frozen=True)
class Point:
    """A day against its limits."""

    share: float | None
    low: float
    high: float
    beyond: bool
    """Outside of them."""
    run: bool
    """The ninth or a later day running on one side of the centre."""


@dataclass(frozen=True)
class Control:
    centre: float
    points: list[Point]

    @property
    def beyond(self) -> int:
        return sum(point.beyond for point in self.points)

    @property
    def runs(self) -> int:
        return sum(point.run for point in self.points)


def control(reference: Sequence[Count], days: Sequence[Count]) -> Control | None:
    """A chart of shares (p-chart) around that of the reference. A day is beyond where so many, or so few, come about by
    chance in fewer than 1 of 740 cases: binomial, and normal where that is as good. None without reference."""
    total = sum(day.of for day in reference)
    if not total:
        return None
    centre = sum(day.met for day in reference) / total
    points: list[Point] = []
    side = length = 0
    for day in days:
        if not day.of:
            points.append(Point(None, centre, centre, beyond=False, run=False))
            continue
        low, high = limits(centre, day.of)
        share = day.met / day.of
        now = (share > centre) - (share < centre)
        length = length + 1 if now and now == side else abs(now)
        side = now
        points.append(Point(share, low / day.of, high / day.of, not low <= day.met <= high, length >= RUN))
    return Control(centre, points)


def limits(centre: float, of: int) -> tuple[float, float]:
    """The fewest and the most of `of` that are not beyond."""
    variance = of * centre * (1 - centre)
    if variance > 100:
        half = 3 * math.sqrt(variance)
        return of * centre - half, of * centre + half
    if centre in {0.0, 1.0}:
        return of * centre, of * centre
    chances = [
        math.exp(
            math.lgamma(of + 1) - math.lgamma(k + 1) - math.lgamma(of - k + 1)
            + k * math.log(centre) + (of - k) * math.log1p(-centre)
        )
        for k in range(of + 1)
    ]  # fmt: skip
    low, below = 0, chances[0]
    while below < BEYOND:
        low += 1
        below += chances[low]
    high, above = of, chances[of]
    while above < BEYOND:
        high -= 1
        above += chances[high]
    return low, high
