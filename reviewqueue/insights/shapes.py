"""Bodies of insight's requests."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field, field_validator, model_validator

from reviewqueue.core.http import Shape

Named = Annotated[str, Field(min_length=1, max_length=200)]


class PredictedShape(Shape):
    item: Annotated[UUID, Field(strict=False)] | None = None
    """The item's id; or:"""
    external_id: Annotated[str, Field(min_length=1, max_length=500)] | None = None
    output: Any
    """What the model says of it."""
    confidence: Annotated[float, Field(ge=0, le=1)] | None = None

    @model_validator(mode="after")
    def _named(self) -> PredictedShape:
        if (self.item is None) is (self.external_id is None):
            raise ValueError("must name its item by item or by external_id")
        return self


class PredictionsShape(Shape):
    model: Named
    model_version: Named
    predictions: Annotated[list[PredictedShape], Field(min_length=1, max_length=1000)]


class OutcomeShape(Shape):
    name: Annotated[str, Field(pattern=r"^[a-z0-9_]{1,100}$")] = "outcome"
    """What was looked at, as in `chargeback`. Of one name the latest report counts."""
    correct: bool
    """Whether the item's answer turned out to be right."""
    cost: Annotated[float, Field(ge=0, le=1e12)] | None = None
    """Of its being wrong, in the queue's currency."""
    note: Annotated[str, Field(max_length=2000)] | None = None
    observed_at: str | None = None
    """When it was seen, with a time zone; left out: now."""

    @field_validator("observed_at")
    @classmethod
    def _moment(cls, value: str | None) -> str | None:
        if value is None:
            return None
        try:
            moment = datetime.fromisoformat(value)
            if moment.tzinfo is not None:
                return moment.astimezone(UTC).isoformat()
        except (ValueError, OverflowError):
            pass
        raise ValueError("must be a time with its zone, as in 2026-11-20T10:00:00Z")
