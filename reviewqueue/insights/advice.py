"""From which confidence on outputs may pass without a person, so that a promise about their errors holds. Pure.

Learn then test: each threshold of the grid is a hypothesis, "more than so many of what passes are wrong", tested by a
bet (`bounds`). They are tested in two fixed sequences, each from a start downwards until one cannot be refuted, and the
lowest one refuted is the advice. The sequences share the doubt allowed between them, and each uses its part whole at
every step: the chance that the advice breaks its promise is at most that doubt, however many thresholds were looked at.
Where a sequence starts depends on how many items were drawn to be judged above each threshold, never on what was said
of them: one where the promise could just be shown if half the promised errors were there, one if there were none.

- A. N. Angelopoulos, S. Bates, E. J. Candès, M. I. Jordan, L. Lei: Learn then test: calibrating predictive algorithms
  to achieve risk control. Annals of Applied Statistics 19 (2025), arXiv:2110.01052.
- P. Bauer: Multiple testing in clinical trials. Statistics in Medicine 10 (1991): testing in a fixed sequence.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reviewqueue.insights.bounds import capital, needed
from reviewqueue.insights.risk import Point
from reviewqueue.models.states import RoutingAction

ERROR, CONFIDENCE = 0.02, 0.95
SEQUENCES = ((0.5, 0.7), (0.0, 0.3))
"""The share of the promised error that is hoped for, and the part of the doubt."""


@dataclass(frozen=True)
class Promise:
    """At most `error` of what passes is wrong; the advice may break that with probability 1 - `confidence`."""

    error: float = ERROR
    confidence: float = CONFIDENCE

    @property
    def doubt(self) -> float:
        return 1 - self.confidence


@dataclass(frozen=True)
class Advice:
    """What to do; nothing where what was judged does not support anything."""

    promise: Promise
    chosen: Point | None
    """At and above its threshold outputs may pass."""
    doubt: float
    """The part of it that the sequence had: bounds drawn with it cross the promise where the advice stands."""


def advise(points: Sequence[Point], promise: Promise) -> Advice:
    """The lowest threshold at which the promise is shown to hold. `points` ascend."""
    found = [
        (place, doubt)
        for hope, part in SEQUENCES
        if (place := _followed(points, promise.error, hope, doubt := part * promise.doubt)) is not None
    ]
    if not found:
        return Advice(promise, None, SEQUENCES[0][1] * promise.doubt)
    place, doubt = min(found)
    return Advice(promise, points[place], doubt)


def _followed(points: Sequence[Point], error: float, hope: float, doubt: float) -> int | None:
    """Where one sequence ends; None where it does not begin, or fails at once."""
    enough = needed(error, hope * error, doubt)
    starts = (place for place in reversed(range(len(points))) if enough and points[place].effective >= enough)
    start, end = next(starts, None), None
    if start is not None:
        for place in range(start, -1, -1):
            if not shown(points[place], error, doubt):
                break
            end = place
    return end


def shown(point: Point, error: float, doubt: float) -> bool:
    """Whether what was judged refutes that more than `error` is wrong."""
    return capital(point.strata, error, point.least) >= -math.log(doubt)


@dataclass(frozen=True)
class Further:
    """What it would take to give advice."""

    threshold: float
    """The one that the fewest further audits would decide."""
    audits: int
    """About how many of what is at and above it, beyond those there are, if as many are wrong as it seems."""


def further(points: Sequence[Point], promise: Promise) -> Further | None:
    """How far it is to advice; None where at every threshold more seems to be wrong than promised."""
    found = []
    for point in points:
        enough = min((each for each in _enough(point, promise) if each is not None), default=None)
        if enough is not None:
            found.append((max(1, math.ceil(enough - point.effective)), point.threshold))
    if not found:
        return None
    audits, threshold = min(found)
    return Further(threshold, audits)


def _enough(point: Point, promise: Promise) -> list[int | None]:
    """How many judged items each sequence needs to start at this point, and to pass it; one that starts higher up has
    failed there."""
    seems, found = round(_seems(point, promise), 4), []
    for hope, part in SEQUENCES:
        start = needed(promise.error, hope * promise.error, part * promise.doubt)
        passes = needed(promise.error, seems, part * promise.doubt)
        if start is not None and passes is not None and point.effective < start:
            found.append(max(start, passes))
    return [*found] or [needed(promise.error, seems, SEQUENCES[0][1] * promise.doubt)]


def _seems(point: Point, promise: Promise) -> float:
    if not point.judged or math.isnan(point.error):
        return promise.error / 2
    # One wrong in so many could hide where none was found.
    return max(point.error, min(promise.error / 4, 1 / (point.effective + 2)))


# -- the configuration ------------------------------------------------------------------------------------------------

_BELOW = re.compile(r"(?<![\w.])(confidence\s*<\s*)(\d+(?:\.\d+)?|\.\d+)(?![\w.])")
_FROM = re.compile(r"(?<![\w.])(confidence\s*>=\s*)(\d+(?:\.\d+)?|\.\d+)(?![\w.])")
TITLE = "Unsure"


def thresholds_of(document: Mapping[str, Any]) -> list[float]:
    """The confidences under which the rules ask for review, or from which on they pass, in their order."""
    return [float(number) for rule in _rules(document) for _, number in _read(rule)]


def with_threshold(document: Mapping[str, Any], threshold: float) -> dict[str, Any] | None:
    """The configuration with that threshold instead of its own; with a rule more where it has none.

    None where its rules read the confidence in more than one place, or in another way: then it is for people to say
    what the threshold is.
    """
    rules, number = list(_rules(document)), f"{threshold:g}"
    found = [(place, rule) for place, rule in enumerate(rules) if _reads(rule)]
    routing = dict(document["routing"])
    if not found:
        rules.append({"when": f"confidence < {number}", "action": "review", "title": TITLE})
        if routing.get("otherwise", RoutingAction.REVIEW) == RoutingAction.REFUSE:
            return None
        routing["otherwise"] = RoutingAction.AUTO_APPROVE.value
    else:
        place, rule = found[0]
        if len(found) > 1 or len(_read(rule)) != 1 or str(rule["when"]).count("confidence") != 1:
            return None
        pattern = _pattern(rule)
        rules[place] = {**rule, "when": pattern.sub(lambda match: f"{match[1]}{number}", str(rule["when"]))}
    return {**document, "routing": {**routing, "rules": rules}}


def _rules(document: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    rules: Sequence[Mapping[str, Any]] = document["routing"].get("rules", ())
    return rules


def _reads(rule: Mapping[str, Any]) -> bool:
    return re.search(r"(?<![\w.'\"])confidence\b", str(rule["when"])) is not None


def _pattern(rule: Mapping[str, Any]) -> re.Pattern[str]:
    return _FROM if rule["action"] == RoutingAction.AUTO_APPROVE else _BELOW


def _read(rule: Mapping[str, Any]) -> list[tuple[str, str]]:
    return _pattern(rule).findall(str(rule["when"])) if rule["action"] != RoutingAction.REFUSE else []
