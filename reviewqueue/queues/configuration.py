"""The configuration document of a queue: its shape, its defaults, and what is checked before it may be applied."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal

import pydantic
import yaml

from reviewqueue.core import strictjson
from reviewqueue.core.http import Shape, faults_of
from reviewqueue.errors import Fault, Faults, Invalid
from reviewqueue.models.states import AlertFigure, RoutingAction, Verdict
from reviewqueue.queues import routing, schemas, sensitive, views
from reviewqueue.queues.views import View

MAX_DOCUMENT_BYTES = 256 * 1024
Slug = Annotated[str, pydantic.Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
Title = Annotated[str, pydantic.Field(min_length=1, max_length=200)]
Code = Annotated[str, pydantic.Field(pattern=r"^[a-z0-9_]{1,100}$")]


class Rule(Shape):
    when: Annotated[str, pydantic.Field(min_length=1, max_length=2000)]
    """CEL over input, output, confidence, risk, model, model_version, metadata, lowest_part."""
    action: RoutingAction = pydantic.Field(strict=False)
    priority: Annotated[int, pydantic.Field(ge=-1000, le=1000)] = 0
    """Higher is more urgent."""
    title: Title
    """In plain words, for the reviewer."""
    extra_reviews: Annotated[int, pydantic.Field(ge=0, le=8)] = 0
    """Reviews beyond those that the queue asks for."""


class Routing(Shape):
    rules: tuple[Rule, ...] = pydantic.Field(default=(), strict=False, max_length=100)
    """First match wins."""
    otherwise: RoutingAction = pydantic.Field(default=RoutingAction.REVIEW, strict=False)


class Audit(Shape):
    rate: Annotated[float, pydantic.Field(ge=0, le=1)] = 0.0
    """Share of passing items that is reviewed all the same."""
    hold: bool = False
    """Whether the program waits for that review."""


class Calibration(Shape):
    """What somebody new to the queue judges before any work: items whose answer is known."""

    gold: Annotated[int, pydantic.Field(ge=1, le=100)] = 10
    """How many."""
    correct: Annotated[float, pydantic.Field(gt=0, le=1)] = 0.8
    """Share that they must meet."""


class Bar(Shape):
    """Who certainly meets fewer checks than that is paused."""

    correct: Annotated[float, pydantic.Field(gt=0, lt=1)]
    after: Annotated[int, pydantic.Field(ge=50, le=1000)] = 50
    """Checks before anybody is judged."""


class Newcomers(Shape):
    """What becomes of the first decisions that somebody makes in the queue."""

    MOST: ClassVar[int] = 10_000
    first: Annotated[int, pydantic.Field(ge=1, le=MOST)] = 100
    """How many these are."""
    second_look: Annotated[float, pydantic.Field(ge=0, le=1)]
    """Share of them that somebody else reviews, too."""


class Reviews(Shape):
    """How many people judge an item, and how they come to one answer."""

    required: Annotated[int, pydantic.Field(ge=1, le=9)] = 1
    agreement: Literal["unanimous", "majority"] = "unanimous"
    """How many of them must give the same answer: all, or more than half."""
    agree_on: tuple[Annotated[str, pydantic.Field(pattern=r"^(/.*)?$", max_length=500)], ...] = pydantic.Field(
        default=(), strict=False, max_length=50
    )
    """JSON Pointers into the output: what must be the same. Left out: all of it."""
    on_disagreement: Literal["adjudicate", "tie_break"] = "adjudicate"
    """`tie_break`: one review more first."""
    adjudicator: Literal["lead", "reviewer"] = "lead"
    """Who may settle it: a lead or any reviewer, never one of those who disagree."""
    second_look: Annotated[float, pydantic.Field(ge=0, le=1)] = 0.0
    """Share of the items that gets one review more than is asked for."""
    blind: Annotated[float, pydantic.Field(ge=0, le=1)] = 0.0
    """Share of the tasks whose reviewer does not see what the AI said."""
    gold: Annotated[float, pydantic.Field(ge=0, le=1)] = 0.0
    """Share of the claims that are given an item whose answer is known."""
    calibration: Calibration | None = None
    bar: Bar | None = None
    newcomers: Newcomers | None = None


class Sla(Shape):
    due_minutes: Annotated[int, pydantic.Field(ge=1, le=525_600)] = 1440


class Escalation(Shape):
    """Who is beyond the queue's leads."""

    to: Slug
    """The queue whose people get what the leads have not decided, or send on."""
    after_minutes: Annotated[int, pydantic.Field(ge=1, le=525_600)]
    """How long a task waits for the leads."""


class Timeout(Shape):
    after_hours: Annotated[float, pydantic.Field(gt=0, le=8760)]
    action: Literal["approve", "reject", "expire"]


class Retention(Shape):
    days: Annotated[int, pydantic.Field(ge=1, le=36_500)]
    """After an item came."""


class MaxWaiting(Shape):
    """What becomes of items for people when so many tasks wait that nobody would get to them."""

    tasks: Annotated[int, pydantic.Field(ge=1, le=1_000_000)]
    then: Literal["refuse", "pass", "overflow"] = "refuse"
    to: Slug | None = None
    """With `overflow`: the queue that takes them."""


class Duplicates(Shape):
    """Items with the same input as one that people have resolved are answered with that."""

    within_days: Annotated[int, pydantic.Field(ge=1, le=3650)] = 30


class Fairness(Shape):
    """By which groups insight compares how the model is right and what it says."""

    metadata: tuple[Annotated[str, pydantic.Field(min_length=1, max_length=100)], ...] = pydantic.Field(
        strict=False, min_length=1, max_length=10
    )
    """Keys of the metadata's first level whose values are the groups."""
    favourable: tuple[str, ...] = pydantic.Field(default=(), strict=False, max_length=100)
    """In a `choice`: the labels that are good for whom they are about."""
    smallest_group: Annotated[int, pydantic.Field(ge=5, le=10_000)] = 30
    """Of a group with fewer judged items nothing is shown."""


class Baseline(Shape):
    """How it was before any AI; of what people did alone."""

    minutes_per_item: Annotated[float, pydantic.Field(gt=0, le=10_000)] | None = None
    error_rate: Annotated[float, pydantic.Field(ge=0, le=1)] | None = None
    source: Annotated[str, pydantic.Field(max_length=500)] = ""
    """Where the figures come from; shown beside them."""


class Value(Shape):
    """What a minute of review and an error cost."""

    currency: Annotated[str, pydantic.Field(min_length=1, max_length=10)] = "EUR"
    per_minute: Annotated[float, pydantic.Field(ge=0, le=1_000_000)]
    per_error: Annotated[float, pydantic.Field(ge=0, le=1_000_000_000)] | None = None


class Models(Shape):
    approved: tuple[str, ...] = pydantic.Field(strict=False)
    """`model@version`, or `model` for any version of it."""
    otherwise: Literal["review"] = "review"


class Alert(Shape):
    """A figure of the queue, and the bar beyond which people are to hear of it."""

    on: AlertFigure = pydantic.Field(strict=False)
    name: Code = ""
    """What it is called, and known by; left out: as its figure."""
    above: Annotated[float, pydantic.Field(ge=0)] | None = None
    below: Annotated[float, pydantic.Field(gt=0, le=1)] | None = None
    """Of `agreement`; of all others it is `above`."""
    until: Annotated[float, pydantic.Field(ge=0)] | None = None
    """Where the figure must be back for it to be over; left out: at nine tenths of the bar, or, of
    `agreement`, a tenth of the way from it to 1."""
    hours: Annotated[int, pydantic.Field(ge=1, le=720)] = 24
    """Of `override_rate` and of drift: how far back the latest go."""
    at_least: Annotated[int, pydantic.Field(ge=1, le=1000)] = 50
    """Of shares and drift: observations without which nothing is told."""
    stop: bool = False
    """Also stop the queue: nothing passes without a person until somebody lets go."""
    audit_rate: Annotated[float, pydantic.Field(gt=0, le=1)] | None = None
    """Also raise the audit rate to this, in a new version of the configuration; it stays until somebody lowers it."""

    @property
    def bar(self) -> float:
        return (self.above if self.above is not None else self.below) or 0.0

    @property
    def over_at(self) -> float:
        if self.until is not None:
            return self.until
        return self.bar * 0.9 if self.above is not None else self.bar + (1 - self.bar) * 0.1


class Sensitive(Shape):
    """What of an item is covered until somebody asks for it, and left out of exports."""

    parts: tuple[Annotated[str, pydantic.Field(pattern=r"^/(input|metadata)(/.*)?$", max_length=500)], ...] = (
        pydantic.Field(default=(), strict=False, max_length=50)
    )
    """JSON Pointers, `/input/iban`; `*` stands for every element of a list."""
    ask_why: bool = False
    """Whether whoever asks must say why."""


class Reason(Shape):
    """A code that a decision may carry, or must for the verdicts named."""

    code: Code
    title: Title
    required_for: tuple[Annotated[Verdict, pydantic.Field(strict=False)], ...] = pydantic.Field(
        default=(), strict=False
    )
    note_required: bool = False
    """Whether it says nothing without a note for the data team."""


def _with_bare_codes(schema: dict[str, Any]) -> None:
    schema["items"] = {"anyOf": [schema["items"], {"type": "string"}]}


class QueueConfig(Shape):
    """One version of a queue's configuration, defaults filled in."""

    name: Slug
    title: Title = ""
    """Left out: the name."""
    instructions: Annotated[str, pydantic.Field(max_length=50_000)] = ""
    """Markdown."""
    owner_team: Annotated[str, pydantic.Field(max_length=200)] = ""
    input_schema: dict[str, Any] | bool = True
    output_schema: dict[str, Any]
    view: View = pydantic.Field(default_factory=lambda: View(type="json"))
    """Left out: what the schemas suggest."""
    routing: Routing
    audit: Audit = Audit()
    models: Models | None = None
    on_invalid_output: Literal["refuse", "review"] = "refuse"
    reviews: Reviews = Reviews()
    order: Literal["due", "value"] = "due"
    """`value`: what would teach the model most comes first, among items whose rule gives no priority."""
    sla: Sla = Sla()
    escalation: Escalation | None = None
    lease_minutes: Annotated[float, pydantic.Field(gt=0, le=480)] = 10
    undo_seconds: Annotated[int, pydantic.Field(ge=0, le=600)] = 10
    """Grace of decisions made in the desk; those made over the API have none."""
    timeout: Timeout | None = None
    retention: Retention | None = None
    """When what an item said is erased; left out: never."""
    max_waiting: MaxWaiting | None = None
    duplicates: Duplicates | None = None
    send_to: tuple[Slug, ...] = pydantic.Field(default=(), strict=False, max_length=50)
    """Queues to which reviewers may send an item, besides those that they are members of."""
    reasons: tuple[Reason, ...] = pydantic.Field(
        default=(), strict=False, max_length=50, json_schema_extra=_with_bare_codes
    )
    """A code alone stands for one whose title it is."""
    alerts: tuple[Alert, ...] = pydantic.Field(default=(), strict=False, max_length=20)
    """Figures that people are to hear of when they pass a bar."""
    content_warning: Annotated[str, pydantic.Field(max_length=200)] = ""
    """What may be hard to see in its items, in plain words: `Violence, injuries`. Shown before one begins."""
    fairness: Fairness | None = None
    baseline: Baseline | None = None
    value: Value | None = None
    sensitive: Sensitive = Sensitive()
    """A list stands for its `parts`."""
    two_persons: bool = False
    """What may lower review waits until another person confirms it."""
    doubtful_below: Annotated[float, pydantic.Field(ge=0, le=1)] = 0.5
    """Parts with a confidence under this are doubtful: the desk asks before they go unseen."""

    @pydantic.model_validator(mode="before")
    @classmethod
    def _fill_in(cls, document: Any) -> Any:
        if not isinstance(document, Mapping):
            return document
        filled = dict(document)
        filled.setdefault("title", filled.get("name") or "")
        if isinstance(filled.get("output_schema"), Mapping):
            filled.setdefault("view", views.derived(filled["output_schema"], filled.get("input_schema")))
        if isinstance(filled.get("reasons"), list):
            filled["reasons"] = [
                {"code": reason, "title": reason.replace("_", " ").capitalize()} if isinstance(reason, str) else reason
                for reason in filled["reasons"]
            ]
        if isinstance(filled.get("alerts"), list):
            filled["alerts"] = [
                {"name": alert["on"], **alert} if isinstance(alert, dict) and "on" in alert else alert
                for alert in filled["alerts"]
            ]
        if isinstance(filled.get("sensitive"), list):
            filled["sensitive"] = {"parts": filled["sensitive"]}
        if type(filled.get("max_waiting")) is int:
            filled["max_waiting"] = {"tasks": filled["max_waiting"]}
        if filled.get("duplicates") is True:
            filled["duplicates"] = {}
        elif filled.get("duplicates") is False:
            del filled["duplicates"]
        return filled

    @property
    def labels(self) -> list[Any]:
        """Of a view that has some, in schema order."""
        return views.labels(self.view, self.output_schema)

    @cached_property
    def label_names(self) -> dict[str, str]:
        """The labels as JSON text, with what they are called. The desk shows them with every item."""
        return {text: label_name(text) for text in map(strictjson.dumps, self.labels)}


def label_name(text: str) -> str:
    """What a label is called, of which `text` is the JSON: a string is its own name."""
    label = json.loads(text)
    return label if isinstance(label, str) else text


BUILT_IN_REASONS = (
    Reason(code="no_label_fits", title="No label fits"),
    Reason(code="unusable", title="Must not be used"),
    Reason(code="other", title="Another reason, see the note", note_required=True),
)


def offered_reasons(config: QueueConfig) -> tuple[Reason, ...]:
    """The queue's own reasons and then the built-in ones it does not replace."""
    own = {reason.code for reason in config.reasons}
    built_in = [
        reason
        for reason in BUILT_IN_REASONS
        if reason.code not in own and (reason.code != "no_label_fits" or config.view.type in views.LABELLED)
    ]
    return (*config.reasons, *built_in)


def parse(document: str | Mapping[str, Any], *, final_say: bool) -> tuple[QueueConfig, str]:
    """The configuration, and its document as JSON text, keys in the order given.

    `document` is YAML (which JSON is, too) or a mapping. Raises `Invalid` with a pointer to every fault found.
    """
    value = _load(document) if isinstance(document, str) else dict(document)
    try:
        config = QueueConfig.model_validate(value)
    except pydantic.ValidationError as error:
        raise Invalid("The configuration has faults.", faults_of(error), code="bad_configuration") from None
    faults = Faults()
    _check(config, faults, final_say=final_say)
    faults.raise_if_any("The configuration has faults.", code="bad_configuration")
    text = strictjson.dumps(value)
    _check_length(text)
    return config, text


def _check_length(text: str) -> None:
    if len(text.encode("utf-8", "surrogatepass")) > MAX_DOCUMENT_BYTES:
        raise Invalid(f"The configuration is longer than {MAX_DOCUMENT_BYTES // 1024} KiB.", code="bad_configuration")


def restored(document: str) -> QueueConfig:
    """The configuration from a stored document, which was checked when it was applied."""
    return QueueConfig.model_validate(json.loads(document))


def _check(config: QueueConfig, faults: Faults, *, final_say: bool) -> None:
    schemas.check("/input_schema", config.input_schema, faults)
    schemas.check("/output_schema", config.output_schema, faults)
    views.check(config.view, config.output_schema, config.input_schema, faults)
    for index, rule in enumerate(config.routing.rules):
        routing.check(f"/routing/rules/{index}/when", rule.when, faults)
        if (
            final_say
            and rule.action is RoutingAction.AUTO_APPROVE
            and not any(found.pointer == f"/routing/rules/{index}/when" for found in faults.found)
            and routing.passes_high_risk(rule.when)
        ):
            faults.add(
                f"/routing/rules/{index}",
                "would pass items of high risk without a person: add risk != 'high' to its condition",
            )
    _check_overflow(config, faults)
    needed = sensitive.worked_on(config.view)
    for index, part in enumerate(config.sensitive.parts):
        path = sensitive.segments(part)
        if path[0] == "input" and needed and (len(path) == 1 or path[1] in needed):
            faults.add(f"/sensitive/{index}", f"cannot be covered: {config.view.type} is worked on with it")
    if config.name in config.send_to:
        faults.add(f"/send_to/{config.send_to.index(config.name)}", "must be another queue")
    if config.escalation is not None and config.escalation.to == config.name:
        faults.add("/escalation/to", "must be another queue")
    _check_alerts(config, faults)
    codes = [reason.code for reason in config.reasons]
    for index, code in enumerate(codes):
        if code in codes[:index]:
            faults.add(f"/reasons/{index}/code", f"{code} stands twice")


def _check_alerts(config: QueueConfig, faults: Faults) -> None:
    names = [alert.name for alert in config.alerts]
    for index, alert in enumerate(config.alerts):
        place, sinks = f"/alerts/{index}", alert.on is AlertFigure.AGREEMENT
        if alert.name in names[:index]:
            faults.add(f"{place}/name", f"{alert.name} stands twice: give each a name of its own")
        if (alert.below if sinks else alert.above) is None:
            faults.add(f"{place}/{'below' if sinks else 'above'}", f"is required with {alert.on.value}")
        if (alert.above if sinks else alert.below) is not None:
            faults.add(f"{place}/{'above' if sinks else 'below'}", f"does not go with {alert.on.value}")
        if alert.until is not None and (alert.until < alert.bar if sinks else alert.until > alert.bar):
            faults.add(f"{place}/until", "is on the wrong side of the bar: it would be over before it began")


def _check_overflow(config: QueueConfig, faults: Faults) -> None:
    full = config.max_waiting
    if full is None:
        return
    if (full.then == "overflow") is (full.to is None):
        wanted = "is required with overflow: the queue that takes what is too much"
        faults.add("/max_waiting/to", wanted if full.to is None else "is for then: overflow alone")
    if full.to == config.name:
        faults.add("/max_waiting/to", "must be another queue")


class _JsonLoader(yaml.SafeLoader):
    """YAML with JSON's types alone: `yes` is a word; `2024-01-01`, `12:30` and `017` are texts. No aliases."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()  # type: ignore[no-untyped-call]
            raise yaml.YAMLError(f"line {event.start_mark.line + 1}: aliases (*name) are not accepted; write it out")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            line = key_node.start_mark.line + 1
            if not isinstance(key, str):
                raise yaml.YAMLError(f"line {line}: the key {key!r} must be text: put it in quotes")
            if key in seen:
                raise yaml.YAMLError(f"line {line}: the key {key!r} stands twice")
            seen.add(key)
        return super().construct_mapping(node, deep)


_JsonLoader.yaml_implicit_resolvers = {}
for _kind, _pattern, _first in (
    ("null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", list("tTfF")),
    ("int", r"^-?(?:0|[1-9][0-9]*)$", list("-0123456789")),
    ("float", r"^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?$", list("-0123456789")),
):
    _JsonLoader.add_implicit_resolver(f"tag:yaml.org,2002:{_kind}", re.compile(_pattern), _first)


def _load(text: str) -> dict[str, Any]:
    _check_length(text)
    try:
        # Not safe_load, but a subclass of its loader, which makes plain values only.
        value = yaml.load(text, Loader=_JsonLoader)  # noqa: S506
        value = strictjson.parse(json.dumps(value)) if isinstance(value, dict) else value
    except yaml.YAMLError as error:
        raise Invalid(
            f"The configuration is not YAML or JSON: {_yaml_words(error)}", code="bad_configuration"
        ) from None
    except (ValueError, TypeError, RecursionError) as error:
        raise Invalid(f"The configuration is not YAML or JSON: {error}", code="bad_configuration") from None
    if not isinstance(value, dict):
        raise Invalid(
            "The configuration must be a mapping with at least name, output_schema and routing.",
            [Fault("", "must be a mapping")],
            code="bad_configuration",
        )
    return value


def _yaml_words(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        return str(error)
    return f"line {mark.line + 1}, column {mark.column + 1}: {getattr(error, 'problem', None) or 'cannot be read'}"
