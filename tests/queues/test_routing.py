"""Routing: first match wins, doubt goes to people, the audit draw is the same for ever."""

from __future__ import annotations

import pytest

from reviewqueue.errors import Faults
from reviewqueue.models.states import RoutingAction
from reviewqueue.queues import routing
from reviewqueue.queues.expressions import compile_rule

FACTS = {
    "input": {}, "output": {}, "confidence": 0.9, "risk": "low", "model": "m", "model_version": "1", "metadata": {},
    "lowest_part": None,
}  # fmt: skip


def _rules(*rules, otherwise="auto_approve", rate=0.0, models=None):
    compiled = tuple(
        routing.CompiledRule(*compile_rule(when), when, RoutingAction(action), 0, when) for when, action in rules
    )
    return routing.Ruleset(compiled, RoutingAction(otherwise), rate, False, models)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [({"confidence": 0.2}, ("review", 1)), ({"model": "bad"}, ("refuse", 2)), ({}, ("auto_approve", None))],
)
def test_the_first_rule_that_holds_decides(facts, expected):
    rules = _rules(("confidence < 0.5", "review"), ("model == 'bad'", "refuse"))
    route = routing.decide(rules, {**FACTS, **facts})
    assert (route.action, route.rule) == expected


@pytest.mark.parametrize("when", ["input.amount > 3", "lowest_part < 0.5", "confidence", "input.x.y == 1"])
def test_a_rule_that_cannot_be_checked_means_review_and_says_so(when):
    route = routing.decide(_rules((when, "auto_approve")), FACTS)
    assert route.action is RoutingAction.REVIEW
    assert "could not be checked" in route.title


@pytest.mark.parametrize(
    ("facts", "failed", "models", "passes"),
    [
        ({}, False, None, True),
        ({"risk": "high"}, False, None, False),
        ({}, True, None, False),
        ({}, False, frozenset({"m@1"}), True),
        ({}, False, frozenset({"m"}), True),
        ({}, False, frozenset({"m@2"}), False),
    ],
)
def test_high_risk_broken_outputs_and_unknown_models_never_pass(facts, failed, models, passes):
    rules, seen = _rules(models=models), {**FACTS, **facts}
    route = routing.safeguarded(routing.decide(rules, seen), seen, rules, failed=failed, final_say=True)
    assert (route.action is RoutingAction.AUTO_APPROVE) is passes


def test_the_draw_keeps_its_rate_and_depends_on_the_item_alone():
    rules = _rules(rate=0.25)
    route = routing.decide(rules, FACTS)
    drawn = [routing.sampled(route, rules, item_id=str(number), key=b"k") for number in range(4000)]
    assert 900 < sum(one.audit_sample for one in drawn) < 1100
    assert {one.probability for one in drawn} == {0.25}
    assert drawn == [routing.sampled(route, rules, item_id=str(number), key=b"k") for number in range(4000)]


ORDER = {**FACTS, "input": {"items": [{"price": 3.0}, {"price": 7.5}]}, "output": {"labels": ["fraud"]}}


@pytest.mark.parametrize(
    ("when", "holds"),
    [
        ("input.items.exists(one, one.price > 5.0)", True),
        ("input.items.all(one, one.price > 5.0)", False),
        ("size(input.items.filter(one, one.price > 5.0)) == 1", True),
        ("output.labels.exists( risk , risk == 'fraud')", True),
    ],
)
def test_conditions_go_through_lists_under_a_name_of_their_own(when, holds):
    faults = Faults()
    routing.check("/when", when, faults)
    assert faults.found == []
    assert (routing.decide(_rules((when, "review")), ORDER).rule == 1) is holds


def test_a_name_that_nothing_gives_is_refused_beside_one_that_a_macro_does():
    faults = Faults()
    routing.check("/when", "input.items.exists(one, one.price > limit)", faults)
    assert [fault.detail.split(" is not known")[0] for fault in faults.found] == ["limit"]
