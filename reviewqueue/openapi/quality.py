"""Gold and quality in the API's document: what is answered, and the operations. Pure tables."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from reviewqueue.core.access import Scope
from reviewqueue.models.states import StandingState, Verdict
from reviewqueue.openapi.items import NEW
from reviewqueue.openapi.operations import Answer, Operation, Tag, Told, json_body
from reviewqueue.openapi.parameters import ITEM, PATHS, QUEUE
from reviewqueue.review.shapes import GoldShape, StandingShape


class GoldAdded(Told):
    gold: UUID


class GoldItem(Told):
    """An item whose answer is known."""

    id: UUID
    item: UUID
    external_id: str | None
    verdict: Verdict
    output: Any
    note: str | None
    given: int
    """How many people have decided it."""
    correct: int
    """How many of them gave that answer."""
    added_at: datetime
    retired_at: datetime | None
    """Since then it is given to nobody."""


class GoldList(Told):
    gold: list[GoldItem]
    cursor: None
    """They come all at once, at most 1,000."""


class ShareTold(Told):
    """So many of so many, and the interval that holds the true share in 95 of 100 cases (Wilson)."""

    met: int
    of: int
    low: float
    high: float


class SignalsTold(Told):
    """Where a lead may look; of the latest 2,000 decisions of the queue."""

    approved: ShareTold
    streak: int
    """The longest run of approvals."""
    streak_chance: float
    """How often one as long comes about by chance, at the share of approvals of everybody else."""
    hasty: ShareTold
    """Decided in less time than reading takes."""
    passed: ShareTold
    """Checks whose output was wrong, approved all the same."""
    worth_a_look: list[str]
    """In words; nothing before there are 50 checks."""


class PairTold(Told):
    """Two people who both judged ten items or more."""

    names: list[str]
    agreed: ShareTold
    kappa: float | None
    """Cohen's."""


class FleissTold(Told):
    kappa: float | None
    each: int
    """Over the items that so many people judged."""


class PersonMeasured(Told):
    person: UUID
    name: str
    gold: ShareTold
    enough: bool
    """Whether there were 50 or more: judge nobody by fewer."""
    standing: StandingState | None
    """Null where the queue neither calibrates people nor has a bar, and before they first asked for work."""
    signals: SignalsTold | None
    """Null without a decision of theirs."""


class QualityTold(Told):
    """How people meet a queue's gold, and how they agree."""

    queue: str
    alpha: float | None
    """Krippendorff's alpha of the latest items with several reviews: 1 is agreement, 0 what chance gives."""
    agreed: ShareTold
    """Of those items: the ones that all judged alike."""
    fleiss: FleissTold
    pairs: list[PairTold]
    people: list[PersonMeasured]


GOLD_ID = PATHS["gold_id"].example
SHARE = {"met": 57, "of": 60, "low": 0.863, "high": 0.9829}
SIGNALS = {
    "approved": {"met": 300, "of": 410, "low": 0.6869, "high": 0.7722}, "streak": 12, "streak_chance": 1.0,
    "hasty": {"met": 4, "of": 410, "low": 0.0038, "high": 0.0247},
    "passed": {"met": 2, "of": 31, "low": 0.0179, "high": 0.2072}, "worth_a_look": [],
}  # fmt: skip
GOLD = {
    "id": GOLD_ID, "item": ITEM, "external_id": "chat-1", "verdict": "override", "output": {"label": "card_arrival"},
    "note": "It never came, so it cannot be lost.", "given": 12, "correct": 10,
    "added_at": "2026-11-20T10:00:00.123Z", "retired_at": None,
}  # fmt: skip
NEW_ITEM = {key: value for key, value in NEW.items() if key != "queue"}

TAG = Tag(
    "Quality",
    "Gold, items whose answer is known and which measure reviewers, and how people agree.",
    (
        Operation(
            "POST", "/queues/{slug}/gold", "add_gold", "Add an item whose answer is known",
            {201: Answer("It is given to people who have not seen it.", GoldAdded, {"gold": GOLD_ID})},
            "One that people have resolved, by `item`: its answer is what they said. Or a `new` one with its `answer`, "
            "which is in no feed and no export.",
            scope=Scope.QUEUES_WRITE,
            body=json_body(
                GoldShape,
                {
                    "Resolved by people": {"item": ITEM, "note": "It never came, so it cannot be lost."},
                    "A new one": {"new": NEW_ITEM, "answer": {"label": "card_arrival"}},
                },
            ),
            codes=("not_resolved", "invalid_item", "external_id_taken", "queue_full"),
        ),
        Operation(
            "GET", "/queues/{slug}/gold", "list_gold", "List a queue's gold",
            {200: Answer("Newest first, retired ones last.", GoldList, {"gold": [GOLD], "cursor": None})},
            scope=Scope.QUEUES_WRITE,
        ),
        Operation(
            "POST", "/gold/{gold_id}/retirement", "retire_gold", "Give it to nobody any more",
            {204: Answer("Retired; what was measured by it stays.")},
            scope=Scope.QUEUES_WRITE,
        ),
        Operation(
            "PUT", "/queues/{slug}/standings/{reviewer_id}", "rule_standing",
            "Let a reviewer begin or go on, have them calibrated, or pause them",
            {204: Answer("So they stand; what was measured before counts no more.")},
            scope=Scope.QUEUES_WRITE,
            body=json_body(StandingShape, {"Go on": {"state": "reviewing", "note": "We have talked about it."}}),
            codes=("bad_parameter",),
        ),
        Operation(
            "GET", "/queues/{slug}/quality", "read_quality", "Read how people meet gold, and how they agree",
            {
                200: Answer(
                    "The queue's figures.", QualityTold,
                    {
                        "queue": QUEUE, "alpha": 0.81, "agreed": SHARE,
                        "fleiss": {"kappa": 0.8, "each": 2},
                        "pairs": [{"names": ["Alice", "Carol"], "agreed": SHARE, "kappa": 0.79}],
                        "people": [
                            {"person": "01939d10-7a00-7a11-8b22-1c2d3e4f5061", "name": "Alice", "gold": SHARE,
                             "enough": True, "standing": "reviewing",
                             "signals": SIGNALS},
                        ],
                    },
                )
            },
            scope=Scope.QUEUES_WRITE,
        ),
    ),
)  # fmt: skip
