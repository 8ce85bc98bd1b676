"""Routing: the pure decision whether an item passes, is reviewed or is refused, and why. Pure.

Rules are CEL; the first that is true decides. A rule that cannot be evaluated (a missing field, a null, a type that
does not compare) means review, and says so: doubt goes to people.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from reviewqueue.errors import Faults
from reviewqueue.models.states import BrakeKind, Risk, RoutingAction
from reviewqueue.queues.expressions import compile_rule

VARIABLES = frozenset({"input", "output", "confidence", "risk", "model", "model_version", "metadata", "lowest_part"})


@dataclass(frozen=True)
class CompiledRule:
    program: Any
    variables: frozenset[str]
    when: str
    action: RoutingAction
    priority: int
    title: str


@dataclass(frozen=True)
class Ruleset:
    """A configuration's routing, compiled once a version."""

    rules: tuple[CompiledRule, ...]
    otherwise: RoutingAction
    audit_rate: float
    audit_hold: bool
    approved_models: frozenset[str] | None


class Route(NamedTuple):
    """What routing said of an item, and which rule."""

    action: RoutingAction
    rule: int | None
    """1-based; None for `otherwise` and the built-in reasons."""
    title: str
    priority: int
    audit_sample: bool = False
    probability: float = 1.0
    """With which a person was to see the item."""


_BOUND = re.compile(r"\.\s*(?:all|exists|exists_one|filter|map)\(\s*([A-Za-z_]\w*)\s*,")
"""The name that a macro gives to each element: the library counts it among the variables."""


def check(pointer: str, when: str, faults: Faults) -> None:
    """Add a fault where `when` is not CEL or reads something that items do not have."""
    try:
        _, variables = compile_rule(when)
    except ValueError as error:
        faults.add(pointer, _first_line(str(error)))
        return
    for name in sorted(variables - VARIABLES - set(_BOUND.findall(when))):
        faults.add(pointer, f"{name} is not known: rules read {', '.join(sorted(VARIABLES))}")


def _first_line(message: str) -> str:
    detail = message.split("ERROR: ", 1)[-1].splitlines()[0]
    return f"is not a CEL expression: {detail[:300]}"


def passes_high_risk(when: str) -> bool:
    """Whether the rule picks out items of high risk as such: true for `risk == 'high'`, however the rest may be."""
    program, variables = compile_rule(when)
    if "risk" not in variables:
        return False
    return _holds(program, frozenset({"risk"}), {"risk": Risk.HIGH.value}) is True


def decide(rules: Ruleset, facts: Mapping[str, Any]) -> Route:
    """The first rule that holds, or `otherwise`; before the built-in safeguards and the audit draw."""
    for number, rule in enumerate(rules.rules, start=1):
        holds = _holds(rule.program, rule.variables, facts)
        if holds is None:
            return Route(
                RoutingAction.REVIEW,
                number,
                f"{rule.title}: could not be checked on this item",
                rule.priority,
            )
        if holds:
            return Route(rule.action, number, rule.title, rule.priority)
    return Route(rules.otherwise, None, _OTHERWISE[rules.otherwise], 0)


_OTHERWISE = {
    RoutingAction.REVIEW: "No rule decided, so a person looks",
    RoutingAction.AUTO_APPROVE: "What no rule decides passes",
    RoutingAction.REFUSE: "What no rule decides is refused",
}


def safeguarded(
    route: Route,
    facts: Mapping[str, Any],
    rules: Ruleset,
    *,
    failed: bool,
    final_say: bool,
    stopped: BrakeKind | None = None,
) -> Route:
    """`route`, or review where an item may not pass: a stop, broken output, a model not approved, high risk."""
    if route.action is not RoutingAction.AUTO_APPROVE:
        return route
    if stopped:
        return Route(RoutingAction.REVIEW, None, _BRAKED[stopped], route.priority)
    if failed:
        return Route(RoutingAction.REVIEW, None, "The AI gave no usable output", route.priority)
    if rules.approved_models is not None and not approved(facts, rules.approved_models):
        model = f"{facts['model'] or 'unnamed'}@{facts['model_version'] or 'no version'}"
        return Route(RoutingAction.REVIEW, None, f"Model {model[:200]} is not approved for this queue", route.priority)
    if final_say and facts["risk"] == Risk.HIGH.value:
        return Route(RoutingAction.REVIEW, None, "High risk: people have the final say", route.priority)
    return route


_BRAKED = {
    BrakeKind.STOP: "The queue is stopped: people see everything",
    BrakeKind.HOLD: "The queue is held: people see everything",
}


def approved(facts: Mapping[str, Any], models: frozenset[str]) -> bool:
    """Whether `model@version`, or `model` in any version, is on the list."""
    return facts["model"] in models or f"{facts['model']}@{facts['model_version']}" in models


def sampled(route: Route, rules: Ruleset, *, item_id: str, key: bytes) -> Route:
    """`route` with the audit draw: a passing item is reviewed all the same with the queue's rate."""
    if route.action is not RoutingAction.AUTO_APPROVE:
        return route
    return route._replace(audit_sample=draw(item_id, key) < rules.audit_rate, probability=rules.audit_rate)


def draw(subject: str, key: bytes, what: str = "audit") -> float:
    """Uniform in [0, 1) and the same for ever: HMAC-SHA256 of the subject's id, first 53 bits. Draws for another
    `what` have nothing to do with it."""
    digest = hmac.new(key, f"{what}:{subject}".encode(), hashlib.sha256).digest()
    return (int.from_bytes(digest[:8], "big") >> 11) / (1 << 53)


def drawn(action: str, audit_sample: bool) -> bool:
    """Whether a person was to see an item, by rule or by the draw. One that passed and was reopened was not: whoever
    reopened it had a reason, which has no probability."""
    return action == RoutingAction.REVIEW or audit_sample


def weight(action: str, audit_sample: bool, probability: float) -> float:
    """For how many items it stands, itself and those like it that nobody was to see: the inverse of the probability; 0
    for one that was not drawn."""
    return 1 / probability if drawn(action, audit_sample) and probability > 0 else 0.0


def stored_facts(item: Any, metadata: str) -> tuple[dict[str, Any], bool]:
    """What rules read of an item as it is stored, JSON as text; and whether the AI failed."""
    output, failed = json.loads(item.output), False
    if item.failure is not None:
        # What the AI gave, where it was only not accepted: another configuration may accept it.
        output, failed = json.loads(item.failure).get("raw"), json.loads(item.failure)["code"] != "invalid_output"
    facts = {
        "input": json.loads(item.input), "output": output, "confidence": item.confidence, "risk": item.risk.value,
        "model": item.model, "model_version": item.model_version, "metadata": json.loads(metadata),
        "lowest_part": lowest_part(json.loads(item.parts) if item.parts else None),
    }  # fmt: skip
    return facts, failed


def lowest_part(parts: Sequence[Mapping[str, Any]] | None) -> float | None:
    """The smallest confidence among an item's parts."""
    return min((part["confidence"] for part in parts or () if part.get("confidence") is not None), default=None)


def _holds(program: Any, variables: frozenset[str], facts: Mapping[str, Any]) -> bool | None:
    try:
        result = program.execute({name: facts[name] for name in variables if name in facts})
    except Exception:  # noqa: BLE001 - whatever CEL says of hostile content means: ask a person
        return None
    return result if isinstance(result, bool) else None
