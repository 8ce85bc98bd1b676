"""Opting out in the API's document: what is answered, and the operations. Pure tables."""

from __future__ import annotations

from datetime import datetime

from reviewqueue.core.access import Scope
from reviewqueue.intake.api import OptOutShape
from reviewqueue.openapi.operations import Answer, Operation, Tag, Told, json_body
from reviewqueue.openapi.parameters import PAGES


class OptOut(Told):
    """Somebody who is not to be learned from."""

    subject: str
    """As items name them."""
    recorded_at: datetime


class OptOutList(Told):
    opt_outs: list[OptOut]
    cursor: str | None
    """For the next page; null on the last one."""


RECORDED = {"subject": "customer-17", "recorded_at": "2026-11-20T10:00:00.123Z"}
WHO = {"By the name in `subject`": {"subject": "customer-17"}}

TAG = Tag(
    "Opting out",
    "People who do not want to be learned from: items about them are in no export, and answer no duplicates.",
    (
        Operation(
            "GET", "/opt-outs", "list_opt_outs", "List who has opted out",
            {200: Answer("By subject.", OptOutList, {"opt_outs": [RECORDED], "cursor": None}, ("Link",))},
            scope=Scope.ITEMS_WRITE,
            parameters=PAGES,
        ),
        Operation(
            "PUT", "/opt-outs", "record_opt_out", "Learn nothing from items about somebody",
            {200: Answer("Recorded, now or before.", OptOut, RECORDED)},
            scope=Scope.ITEMS_WRITE,
            body=json_body(OptOutShape, WHO),
        ),
        Operation(
            "POST", "/opt-outs/withdrawal", "withdraw_opt_out", "Learn from them again",
            {204: Answer("Learned from again; also when they had not opted out.")},
            scope=Scope.ITEMS_WRITE,
            body=json_body(OptOutShape, WHO),
        ),
    ),
)  # fmt: skip
