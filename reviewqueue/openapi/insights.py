"""Insight in the API's document: predictions of other models, how they compare, outcomes. Pure tables."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from reviewqueue.core.access import Scope
from reviewqueue.insights.shapes import OutcomeShape, PredictionsShape
from reviewqueue.openapi.operations import Answer, Operation, Parameter, Tag, Told, json_body
from reviewqueue.openapi.parameters import ITEM, NAME, QUEUE


class PredictionsTaken(Told):
    stored: int
    items: list[UUID | None]
    """Of each prediction, in order, its item; null where the queue has no such item."""


class DifferenceTold(Told):
    """With the interval that holds the true difference in 95 of 100 cases."""

    value: float
    low: float
    high: float


class ComparisonTold(Told):
    """Two models on the same items, which people have judged."""

    queue: str
    candidate: str | None
    """`model@version`; null while there are no predictions."""
    present: str | None
    """Null: what each item came with."""
    items: int
    """Judged, and answered by both."""
    complete: bool
    """False where only the latest 20,000 predictions were looked at."""
    both_right: int
    only_present_right: int
    only_candidate_right: int
    neither_right: int
    difference: DifferenceTold | None
    """Share right of the candidate less that of the present one (Newcombe's paired interval)."""
    p: float
    """How often equally good models would differ as unevenly (McNemar's exact test)."""
    difference_of_all_items: DifferenceTold | None
    """Weighed for items that passed and were not audited; null where nothing was audited."""
    verdict: Literal["promote", "hold"]
    why: Literal["better", "too_few", "worse", "not_told_apart", "not_on_all"]


class OutcomeTold(Told):
    id: UUID
    item: UUID
    name: str
    correct: bool
    cost: float | None
    note: str | None
    observed_at: datetime
    reported_at: datetime


OUTCOME = {
    "id": "01939d2a-7a00-7a11-8b22-1c2d3e4f5061", "item": ITEM, "name": "chargeback", "correct": False, "cost": 35.0,
    "note": None, "observed_at": "2026-12-20T10:00:00Z", "reported_at": "2026-12-21T08:00:00.123Z",
}  # fmt: skip
_PRESENT = Parameter("present", "query", NAME, "`model@version`; without it what each item came with.", "intents@7")
_CANDIDATE = Parameter(
    "candidate", "query", NAME, "`model@version`; without it the one that was sent last.", "intents@8",
    ("bad_parameter",),
)  # fmt: skip
COMPARED = {
    "queue": QUEUE, "candidate": "intents@8", "present": None, "items": 412, "complete": True, "both_right": 311,
    "only_present_right": 14, "only_candidate_right": 52, "neither_right": 35,
    "difference": {"value": 0.0922, "low": 0.0543, "high": 0.1309}, "p": 0.0000031, "difference_of_all_items": None,
    "verdict": "promote", "why": "better",
}  # fmt: skip

TAG = Tag(
    "Insight",
    "What the reviews say about models.",
    (
        Operation(
            "POST", "/queues/{slug}/predictions", "send_predictions", "Say what another model makes of items",
            {200: Answer("What was stored.", PredictionsTaken, {"stored": 1, "items": [ITEM]})},
            "Up to 1,000 items that the queue has, named by id or `external_id`. Each prediction is scored against "
            "what people said of the item, now or later, and is queued for nobody. A later one of the same version "
            "replaces it.",
            scope=Scope.ITEMS_WRITE,
            body=json_body(
                PredictionsShape,
                {
                    "One item": {
                        "model": "intents", "model_version": "8",
                        "predictions": [
                            {"external_id": "chat-1", "output": {"label": "card_arrival"}, "confidence": 0.93}
                        ],
                    }
                },
            ),
        ),
        Operation(
            "GET", "/queues/{slug}/comparison", "compare_models", "Compare another model with the present one",
            {200: Answer("How they compare, and whether to promote the candidate.", ComparisonTold, COMPARED)},
            "On the items that people have judged and both answered.",
            scope=Scope.EXPORTS, parameters=(_CANDIDATE, _PRESENT),
        ),
        Operation(
            "POST", "/items/{item_id}/outcomes", "report_outcome", "Say what an item's answer led to",
            {201: Answer("Noted.", OutcomeTold, OUTCOME)},
            "Whether it turned out to be right, and what it cost where it did not. Of one name the latest report "
            "counts.",
            scope=Scope.ITEMS_WRITE,
            body=json_body(
                OutcomeShape,
                {
                    "A chargeback": {
                        "name": "chargeback", "correct": False, "cost": 35.0, "observed_at": "2026-12-20T10:00:00Z",
                    }
                },
            ),
            codes=("not_ended",),
        ),
    ),
)  # fmt: skip
