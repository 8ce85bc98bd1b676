"""The shapes of review requests at the HTTP edge."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from reviewqueue.core.http import Shape
from reviewqueue.models.states import Verdict

Typed = Annotated[str, Field(max_length=20_000)]


class DecisionShape(Shape):
    fence: Annotated[int, Field(ge=0)] | None = None
    """Where given, must be the claim's."""
    verdict: Verdict | None = Field(default=None, strict=False)
    """Left out: it follows from the output."""
    output: Any = None
    reason: Annotated[str, Field(max_length=100)] | None = None
    suggested_label: Annotated[str, Field(max_length=1000)] | None = None
    comment: Typed | None = None
    message: Typed | None = None
    spent_seconds: Annotated[float, Field(ge=0, le=1_000_000)] | None = None
    seen: Annotated[list[str], Field(max_length=5000)] | None = None
    started_blank: bool = False
    next: bool = False
    """Answer with the next claim, too."""


class EscalationShape(Shape):
    comment: Typed | None = None


class DraftShape(Shape):
    body: dict[str, Any]


class ReopeningShape(Shape):
    reason: Annotated[str, Field(min_length=1, max_length=2000)]
