"""The shape of a submitted item at the HTTP edge."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, field_validator

from reviewqueue.core.http import Shape
from reviewqueue.models.states import Risk

Share = Annotated[float, Field(ge=0, le=1)]
Short = Annotated[str, Field(min_length=1, max_length=200)]
Pointer = Annotated[str, Field(pattern=r"^(/.*)?$", max_length=1000)]


class Part(Shape):
    """A part of the output with a confidence of its own."""

    pointer: Pointer
    """JSON Pointer into the output."""
    confidence: Share | None = None
    region: dict[str, Any] | None = None
    """Where it was found: page and box."""


class Alternative(Shape):
    """Another output that the model thought of."""

    output: Any
    confidence: Share | None = None


class Failure(Shape):
    """How the AI failed to give an output."""

    code: Short
    raw: Any = None


class ItemShape(Shape):
    """One AI output submitted for judgement."""

    queue: Short
    """The queue's name."""
    input: Any
    """What the AI saw; must satisfy the queue's `input_schema`."""
    output: Any
    """What it proposes; must satisfy the queue's `output_schema`. Null with `failure`."""
    failure: Failure | None = None
    """No output was given. For queues with `on_invalid_output: review`."""
    confidence: Share | None = None
    """How sure the model is of all of it."""
    risk: Risk = Field(default=Risk.LOW, strict=False)
    """What a wrong output may cost."""
    model: Short | None = None
    """Which model said so."""
    model_version: Short | None = None
    """The model's version."""
    prompt_version: Short | None = None
    """The prompt's version."""
    external_id: Annotated[str, Field(min_length=1, max_length=500)] | None = None
    """Your id; once in a queue. The same item again is stored once."""
    subject: Annotated[str, Field(min_length=1, max_length=500)] | None = None
    """Whom it is about."""
    parts: Annotated[list[Part], Field(max_length=2000)] | None = None
    """How sure the model is of each part of the output."""
    alternatives: Annotated[list[Alternative], Field(max_length=1000)] | None = None
    """Other outputs that the model thought of, best first."""
    explanation: Annotated[str, Field(max_length=20_000)] | None = None
    """Why the model thinks so; shown to the reviewer."""
    trace_url: Annotated[str, Field(max_length=2000)] | None = None
    """Begins with `https://` or `http://`."""
    cost: Annotated[float, Field(ge=0)] | None = None
    """Of making the output, in whatever unit; kept with the item."""
    latency_ms: Annotated[float, Field(ge=0)] | None = None
    """How long the model took; kept with the item."""
    metadata: dict[str, Any] = Field(default_factory=dict)
    """Anything; shown to the reviewer, and read by rules."""
    test: bool = False
    """A trial: left out of exports unless they ask for it."""
    supersedes: Annotated[str, Field(min_length=36, max_length=36)] | None = None
    """Id of the item that this one replaces."""

    @field_validator("trace_url")
    @classmethod
    def _web_address(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("https://", "http://")):
            raise ValueError("must start with https:// or http://")
        return value
