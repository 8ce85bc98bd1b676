"""Advice on thresholds in the API's document. Pure tables."""

from __future__ import annotations

from typing import Any

from reviewqueue.core.access import Scope
from reviewqueue.openapi.operations import Answer, Operation, Parameter, Tag, Told
from reviewqueue.openapi.parameters import QUEUE


class LoadTold(Told):
    to_people: float
    """The share of items that people see: by rule, below the threshold, or for an audit."""
    per_day: float
    hours_per_day: float | None
    """Of people; null where no decision says how long one takes."""


class EdgeTold(LoadTold):
    """What would pass at a threshold and above."""

    threshold: float
    items: int
    judged: int
    """The evidence: items that were drawn to be judged, weighed by the chance of that."""
    wrong: int
    open: int
    """Of those judged, how many have no verdict yet: they count as wrong."""
    error: float | None
    """The share that is wrong, estimated."""
    at_least: float
    at_most: float


class PromiseTold(Told):
    error: float
    confidence: float


class MissingTold(Told):
    threshold: float
    audits: int


class PresentTold(LoadTold):
    threshold: float | None
    """Null where the rules have none, or more than one."""


class BinTold(Told):
    low: float
    high: float
    judged: int
    share: float
    confidence: float
    right: float
    right_low: float
    right_high: float


class CalibrationTold(Told):
    ece: float
    """Expected calibration error."""
    brier: float
    judged: int
    bins: list[BinTold]


class AdviceTold(Told):
    """From which confidence on outputs may pass, so that a promise about their errors holds."""

    queue: str
    version: int
    """Of the configuration, the present one."""
    last: str
    complete: bool
    """False where there were more than 20,000 items: these are the newest."""
    model: str | None
    model_version: str | None
    promise: PromiseTold
    advice: EdgeTold | None
    """Null where what was judged does not support any threshold."""
    missing: MissingTold | None
    """Then: about how many more audits at and above which threshold would; null where that is hopeless."""
    present: PresentTold
    could_pass: int
    """Items that would pass if their confidence were enough."""
    unaudited_versions: list[int]
    """Versions that let items pass without any audit; left out."""
    audit_rate: float
    calibration: CalibrationTold | None
    curve: list[EdgeTold]
    configuration: dict[str, Any] | None
    """The present one with the threshold advised, to be applied; null where it is for people to write."""


EDGE = {
    "threshold": 0.75, "items": 4210, "judged": 431, "wrong": 4, "open": 0, "error": 0.0093, "at_least": 0.0023,
    "at_most": 0.0198, "to_people": 0.51, "per_day": 412.0, "hours_per_day": 0.8,
}  # fmt: skip
ADVICE = {
    "queue": QUEUE, "version": 7, "last": "30d", "complete": True, "model": "intents", "model_version": "7",
    "promise": {"error": 0.02, "confidence": 0.95}, "advice": EDGE, "missing": None,
    "present": {"threshold": 0.9, "to_people": 0.86, "per_day": 698.0, "hours_per_day": 1.36}, "could_pass": 8100,
    "unaudited_versions": [], "audit_rate": 0.1,
    "calibration": {
        "ece": 0.041, "brier": 0.112, "judged": 2904,
        "bins": [
            {"low": 0.7, "high": 0.8, "judged": 301, "share": 0.12, "confidence": 0.751, "right": 0.96,
             "right_low": 0.93, "right_high": 0.98},
        ],
    },
    "curve": [EDGE], "configuration": None,
}  # fmt: skip
PARAMETERS = (
    Parameter(
        "error", "query", {"type": "number", "minimum": 0.0005, "maximum": 0.5, "default": 0.02},
        "The share of what passes that may be wrong.", 0.02, ("bad_parameter",),
    ),
    Parameter(
        "confidence", "query", {"type": "number", "minimum": 0.5, "maximum": 0.999, "default": 0.95},
        "With which the promise is to hold.", 0.95, ("bad_parameter",),
    ),
    Parameter(
        "last", "query", {"type": "string", "pattern": "^[1-9][0-9]{0,3}[hdw]$", "default": "30d"},
        "How far back to look.", "30d", ("bad_parameter",),
    ),
    Parameter("model", "query", {"type": "string"}, "Of this model; without it, of the one that sent the newest item."),
    Parameter("model_version", "query", {"type": "string"}, "In this version."),
)  # fmt: skip

TAG = Tag(
    "Advice",
    "The threshold that what people judged supports.",
    (
        Operation(
            "GET", "/queues/{slug}/advice", "read_advice", "Read which threshold keeps a promise",
            {200: Answer("What was judged, and what follows.", AdviceTold, ADVICE)},
            "Testing by betting over the audits and reviews of one model version, each weighed by the inverse of the "
            "chance it had of being seen: valid in finite samples, however often one looks. `configuration` is ready "
            "for `PUT /queues/{slug}`.",
            scope=Scope.EXPORTS,
            parameters=PARAMETERS,
        ),
    ),
)  # fmt: skip
