"""The shapes of review requests at the HTTP edge."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AwareDatetime, Field

from reviewqueue.core.http import Shape
from reviewqueue.models.states import StandingState, Verdict

Typed = Annotated[str, Field(max_length=20_000)]


class DecisionShape(Shape):
    fence: Annotated[int, Field(ge=0)] | None = None
    """Where given, must be the claim's."""
    verdict: Verdict | None = Field(default=None, strict=False)
    """Left out: it follows from the output."""
    output: Any = None
    """The whole new output. With `approve` left out or equal, with `reject` left out or null."""
    reason: Annotated[str, Field(max_length=100)] | None = None
    """A reason's code; required with `reject`, and where the queue says so."""
    suggested_label: Annotated[str, Field(max_length=1000)] | None = None
    """The label that is missing; only with the reason `no_label_fits`."""
    comment: Typed | None = None
    """A note; stays inside."""
    message: Typed | None = None
    """Goes to the program, in the resolution."""
    spent_seconds: Annotated[float, Field(ge=0, le=1_000_000)] | None = None
    """Time at work; kept to a tenth."""
    seen: Annotated[list[str], Field(max_length=5000)] | None = None
    """JSON Pointers of the parts that were looked at."""
    started_blank: bool = False
    """The output was written anew: then it is an override."""
    next: bool = False
    """Answer with the next claim of the queue, too."""


class EscalationShape(Shape):
    comment: Typed | None = None
    """For the leads."""


class SkipShape(Shape):
    comment: Typed | None = None
    """Why; for the leads."""


class TransferShape(Shape):
    queue: Annotated[str, Field(min_length=1, max_length=63)]
    """The queue's name."""
    comment: Typed | None = None
    """For whoever gets it there."""


class PostponementShape(Shape):
    until: Annotated[AwareDatetime, Field(strict=False)]
    """When it is to come back, RFC 3339 with a time zone; at least a minute and at most a year away."""


class AssigneeShape(Shape):
    person: Annotated[str, Field(max_length=254)] | None
    """Id or e-mail; null: whoever comes first."""


class DraftShape(Shape):
    body: dict[str, Any]
    """As a decision's members; kept as it is."""


class GoldShape(Shape):
    """An item whose answer is known: one that people have resolved, or a new one."""

    item: str | None = None
    """The id of an item that people have resolved: its answer is what they said."""
    new: dict[str, Any] | None = None
    """A new item, with the members of a submitted one but `queue`; it is submitted to nobody."""
    answer: Any = None
    """With `new`: the known output; null where it must be rejected."""
    note: Annotated[str, Field(max_length=2000)] | None = None
    """Why; shown after deciding."""


class ReopeningShape(Shape):
    reason: Annotated[str, Field(min_length=1, max_length=2000)]
    """Why; whoever decides next reads it."""


class CommentShape(Shape):
    body: Annotated[str, Field(min_length=1, max_length=10_000)]
    """`@` and a name, or what stands before the @ of an e-mail, tells that person."""


class StandingShape(Shape):
    state: StandingState = Field(strict=False)
    """`reviewing`: they get work. `calibrating`: they judge items whose answer is known first. `paused`: none."""
    note: Annotated[str, Field(max_length=2000)] | None = None
    """Why; they read it."""
