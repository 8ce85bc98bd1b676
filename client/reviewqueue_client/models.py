"""What the server answers, as frozen dataclasses. Members that are not known here are in `raw`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Self, TypedDict

from reviewqueue_client.errors import Rejected, ReviewQueueError

ENDED = frozenset({"auto_approved", "resolved", "expired", "cancelled"})
"""The states in which an item waits for nobody."""


class ItemFields(TypedDict, total=False):
    """What may be said of an item beside queue, input and output. None is the same as left out."""

    failure: Mapping[str, Any] | None
    """`{code, raw}`: the AI gave no output."""
    confidence: float | None
    risk: Literal["low", "medium", "high"] | None
    model: str | None
    model_version: str | None
    prompt_version: str | None
    external_id: str | None
    """Your own id, once in a queue: the same item sent again is the item that is there."""
    subject: str | None
    parts: Sequence[Mapping[str, Any]] | None
    """`{pointer, confidence, region}` of parts of the output."""
    alternatives: Sequence[Mapping[str, Any]] | None
    """`{output, confidence}`: what else the model thought of."""
    explanation: str | None
    trace_url: str | None
    cost: float | None
    latency_ms: float | None
    metadata: Mapping[str, Any] | None
    test: bool | None
    supersedes: str | None


@dataclass(frozen=True)
class Media:
    """A picture or a document that was uploaded. Put it into an item's input as it is, anywhere."""

    id: str
    type: str
    """What it is, by its own first bytes."""
    bytes: int
    sha256: str
    width: int | None
    """In pixels; None of a document."""
    height: int | None

    @property
    def reference(self) -> dict[str, str]:
        """What it is in an item's input."""
        return {"$media": self.id}

    @classmethod
    def of(cls, value: Mapping[str, Any]) -> Self:
        return cls(
            value["$media"], value["type"], value["bytes"], value["sha256"], value.get("width"), value.get("height")
        )  # fmt: skip


@dataclass(frozen=True)
class Routing:
    """What the queue's rules said of an item, and with which probability a person sees it."""

    rule: int | None
    title: str
    action: str
    priority: int
    audit_sample: bool
    probability: float
    config_version: int

    @classmethod
    def of(cls, value: Mapping[str, Any]) -> Self:
        return cls(**{name: value.get(name) for name in cls.__dataclass_fields__})  # type: ignore[arg-type]


@dataclass(frozen=True)
class Resolution:
    """How an item ended. `verdict` is None where nobody answered in time and the queue has no default."""

    verdict: Literal["approve", "edit", "override", "reject"] | None
    output: Any
    """The output in force: the AI's, or people's; None after a rejection."""
    by: str
    revision: int
    reason: str | None
    message: str | None
    resolved_at: datetime

    @classmethod
    def of(cls, value: Mapping[str, Any]) -> Self:
        return cls(
            value["verdict"], value.get("output"), value["by"], value["revision"], value.get("reason"),
            value.get("message"), datetime.fromisoformat(value["resolved_at"]),
        )  # fmt: skip


@dataclass(frozen=True)
class Item:
    """An item. From `submit` its content is as it was sent; from everything else as the server has it.

    `queue` is another than the one it was sent to where a full queue handed it on.
    """

    id: str
    queue: str
    state: str
    input: Any
    output: Any
    routing: Routing
    resolution: Resolution | None
    external_id: str | None = None
    confidence: float | None = None
    failure: Mapping[str, Any] | None = None
    submitted_at: datetime | None = None
    due_at: datetime | None = None
    expires_at: datetime | None = None
    expected_at: datetime | None = None
    """When an answer can be expected; only from `submit`."""
    duplicate_of: str | None = None
    """The earlier item whose resolution answered this one."""
    page: str | None = None
    """The path of its page for people."""
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def ended(self) -> bool:
        """Whether it waits for nobody any more."""
        return self.state in ENDED

    @property
    def approved(self) -> bool:
        """Whether the output in force is the AI's own, unchanged."""
        return self.ended and self.resolution is not None and self.resolution.verdict == "approve"

    def decided(self) -> Any:
        """The output in force, once the item has ended. Raises `Rejected` where there is none."""
        if not self.ended or self.resolution is None:
            raise ReviewQueueError(f"Item {self.id} is {self.state}: nobody has decided it yet.")
        if self.resolution.verdict in {"approve", "edit", "override"}:
            return self.resolution.output
        reason = self.resolution.reason or (self.state if self.state in {"expired", "cancelled"} else None)
        raise Rejected(reason, self.resolution.message, self)

    @classmethod
    def of(cls, value: Mapping[str, Any]) -> Self:
        resolution = value.get("resolution")
        return cls(
            id=value["id"], queue=value["queue"], state=value["state"], input=value.get("input"),
            output=value.get("output"), routing=Routing.of(value["routing"]),
            resolution=None if resolution is None else Resolution.of(resolution),
            external_id=value.get("external_id"), confidence=value.get("confidence"), failure=value.get("failure"),
            submitted_at=_moment(value, "submitted_at"), due_at=_moment(value, "due_at"),
            expires_at=_moment(value, "expires_at"), expected_at=_moment(value, "expected_at"),
            duplicate_of=value.get("duplicate_of"), page=(value.get("links") or {}).get("page"), raw=value,
        )  # fmt: skip


@dataclass(frozen=True)
class Result:
    """What became of one item of many: `item` or `error`, never both."""

    item: Item | None
    error: ReviewQueueError | None
    created: bool = False
    """False also for an item that was there already."""

    @property
    def ok(self) -> bool:
        return self.error is None

    def unwrap(self) -> Item:
        """The item. Raises the error."""
        if self.item is None:
            raise self.error or ReviewQueueError("A result without item and error.")
        return self.item


@dataclass(frozen=True)
class FeedEntry:
    """One entry of the decision feed: a resolution, and the item as it left it."""

    item: str
    """The item's id."""
    external_id: str | None
    event: str
    """`item.resolved`, `item.auto_approved`, `item.expired`, `item.cancelled`, `item.revised`."""
    state: str
    resolution: Resolution
    position: int
    """Rises in a queue."""
    cursor: str
    """Where to go on after exactly this entry; stays good for ever."""
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(cls, value: Mapping[str, Any]) -> Self:
        return cls(
            value["item"], value.get("external_id"), value["event"], value["state"],
            Resolution.of(value["resolution"]), value["position"], value["cursor"], value,
        )  # fmt: skip


def _moment(value: Mapping[str, Any], name: str) -> datetime | None:
    text = value.get(name)
    return None if text is None else datetime.fromisoformat(text)
