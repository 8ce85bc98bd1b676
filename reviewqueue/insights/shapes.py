"""Bodies of insight's requests."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from pydantic import Field, model_validator

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
