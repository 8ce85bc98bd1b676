"""What may lower review is named; what is not named lowers none."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reviewqueue.models.states import RoutingAction
from reviewqueue.queues import routing
from reviewqueue.queues.configuration import QueueConfig
from reviewqueue.queues.expressions import compile_rule
from reviewqueue.queues.lowering import NEVER_LOWERS, lowers
from tests.fixtures.people import INTENTS

BASE = {
    **INTENTS,
    "routing": {
        "rules": [
            {"when": "risk == 'high'", "action": "review", "title": "High", "extra_reviews": 1},
            {"when": "confidence < 0.8", "action": "review", "title": "Unsure"},
            {"when": "confidence >= 0.95", "action": "auto_approve", "title": "Sure"},
        ],
        "otherwise": "auto_approve",
    },
    "audit": {"rate": 0.05, "hold": True},
    "models": {"approved": ["intents@7", "intents@8"]},
    "reviews": {"required": 2, "blind": 0.1, "gold": 0.05, "bar": {"correct": 0.7}},
    "timeout": {"after_hours": 48, "action": "expire"},
    "duplicates": {"within_days": 30},
    "alerts": [{"on": "override_rate", "above": 0.3, "stop": True}],
    "two_persons": True,
}


def config(**changes):
    return QueueConfig.model_validate({**copy.deepcopy(BASE), **changes})


def rules(*changes, otherwise="auto_approve"):
    """Of the base, with these in the place of its rules; a number stands for that one."""
    own = BASE["routing"]["rules"]
    return {
        "routing": {"rules": [own[one] if isinstance(one, int) else one for one in changes], "otherwise": otherwise}
    }


def rule(when, action="review", extra=0):
    return {"when": when, "action": action, "title": "Rule", "extra_reviews": extra}


SURE = {
    "titles": {"title": "Other", "instructions": "Other", "sla": {"due_minutes": 60}},
    "more audits": {"audit": {"rate": 0.06, "hold": True}},
    "fewer models": {"models": {"approved": ["intents@8"]}},
    "more reviews": {"reviews": {**BASE["reviews"], "required": 3, "gold": 0.1, "newcomers": {"second_look": 0.5}}},
    "later end": {"timeout": {"after_hours": 72, "action": "expire"}},
    "no end": {"timeout": None},
    "fewer duplicates": {"duplicates": {"within_days": 10}},
    "one more alert": {"alerts": [*BASE["alerts"], {"on": "waiting", "above": 100}]},
    "one more reason": {"reasons": [*INTENTS["reasons"], "other_one"]},
    "threshold raised": rules(0, rule("confidence < 0.9"), 2),
    "bar of passing raised": rules(0, 1, rule("confidence >= 0.97", "auto_approve")),
    "everything reviewed": rules(0, 1, rule("confidence >= 0.95"), otherwise="review"),
    "one more rule": rules(0, rule("size(input.text) > 10"), 1, 2),
    "first, with as many reviews": rules(rule("input.text == ''", extra=1), 0, 1, 2),
    "passing ends": rules(0, 1, otherwise="review"),
}
MAYBE = {
    "audit": {"audit": {"rate": 0.04, "hold": True}},
    "audit ": {"audit": {"rate": 0.05, "hold": False}},
    "models": {"models": {"approved": ["intents@7", "intents@8", "intents@9"]}},
    "models ": {"models": None},
    "reviews": {"reviews": {**BASE["reviews"], "required": 1}},
    "reviews ": {"reviews": {**BASE["reviews"], "agreement": "majority"}},
    "reviews  ": {"reviews": {**BASE["reviews"], "bar": None}},
    "timeout": {"timeout": {"after_hours": 24, "action": "expire"}},
    "timeout ": {"timeout": {"after_hours": 96, "action": "approve"}},
    "duplicates": {"duplicates": {"within_days": 31}},
    "alerts": {"alerts": []},
    "reasons": {"reasons": []},
    "two_persons": {"two_persons": False},
    "output_schema": {"output_schema": {**INTENTS["output_schema"], "additionalProperties": True}},
    "view": {"view": {"type": "json"}},
    "max_waiting": {"max_waiting": {"tasks": 10, "then": "pass"}},
    "routing.otherwise": rules(0, 1, 2, otherwise="refuse"),
    "routing.rules ": rules(0, rule("confidence < 0.7"), 2),
    "routing.rules  ": rules(0, rule("confidence < 0.9 && risk != 'low'"), 2),
    "routing.rules   ": rules({**BASE["routing"]["rules"][0], "extra_reviews": 0}, 1, 2),
    "routing.rules    ": rules(rule("input.text == ''", extra=0), 0, 1, 2),
    "routing.rules     ": rules(rule("input.text == ''", "auto_approve"), 0, 1, 2),
    "routing.rules      ": rules(0, 1, rule("confidence >= 0.9", "auto_approve")),
    "routing.rules       ": rules(0, 1),
    "routing.rules        ": rules(),
}


def test_what_is_surely_no_less_is_not_named():
    assert {name: lowers(config(), config(**change)) for name, change in SURE.items()} == {name: [] for name in SURE}


def test_whatever_may_be_less_is_named_by_its_place():
    found = {name: lowers(config(), config(**change)) for name, change in MAYBE.items()}
    assert {name: name.strip() in places for name, places in found.items()} == dict.fromkeys(MAYBE, True), found


def test_a_field_nobody_thought_of_lowers():
    assert QueueConfig.model_fields.keys() >= NEVER_LOWERS


BARS = st.sampled_from(["0.2", "0.5", "0.8"])
CONDITIONS = st.one_of(
    BARS.map("confidence < {}".format), BARS.map("confidence >= {}".format), BARS.map("lowest_part <= {}".format),
    st.sampled_from(["risk == 'high'", "input.n > 3", "model == 'a'"]),
)  # fmt: skip
ACTIONS = st.sampled_from([action.value for action in RoutingAction])
ROUTINGS = st.builds(
    lambda found, otherwise: {"rules": [rule(*one) for one in found], "otherwise": otherwise},
    st.lists(st.tuples(CONDITIONS, ACTIONS, st.integers(0, 2)), max_size=4), ACTIONS,
)  # fmt: skip
ITEMS = [
    {"confidence": confidence, "lowest_part": part, "risk": risk, "input": given_, "model": model}
    for confidence in (None, 0.1, 0.2, 0.5, 0.6, 0.9) for part in (None, 0.2, 0.7)
    for risk, model in (("low", "a"), ("high", "b")) for given_ in ({}, {"n": 4})
]  # fmt: skip


@pytest.mark.parametrize("start", ["any", "from the first"])
def test_whatever_it_lets_through_reviews_every_item_no_less(start):
    routed = ROUTINGS if start == "any" else None

    @settings(max_examples=200)
    @given(old=ROUTINGS, data=st.data())
    def holds(old, data):
        # A change of the first is oftener let through than something else altogether.
        new = data.draw(routed if routed is not None else _changes_of(old))
        before, after = (QueueConfig.model_validate({**INTENTS, "routing": one}) for one in (old, new))
        if lowers(before, after):
            return
        for item in ITEMS:
            was, is_ = _decided(before, item), _decided(after, item)
            assert is_[0] == "review" or was[0] == is_[0], (old, new, item)
            assert was[0] != "review" or is_[1] >= was[1], (old, new, item)

    holds()


def _changes_of(old):
    def changed(kind, at, other, action):
        rules_ = list(old["rules"])
        at = min(at, len(rules_))
        if kind == "insert" or not rules_:
            rules_.insert(at, other)
        elif kind == "remove":
            rules_.pop(min(at, len(rules_) - 1))
        else:
            at = min(at, len(rules_) - 1)
            rules_[at] = {**rules_[at], "when": other["when"]} if kind == "when" else {**rules_[at], "action": action}
        return {"rules": rules_, "otherwise": old["otherwise"]}

    kinds = st.sampled_from(["insert", "remove", "when", "action"])
    return st.builds(
        changed,
        kinds,
        st.integers(0, 4),
        ROUTINGS.map(lambda one: (one["rules"] or [rule("risk == 'high'")])[0]),
        ACTIONS,
    )


def _decided(config_, item):
    compiled = tuple(
        routing.CompiledRule(*compile_rule(one.when), one.when, one.action, one.priority, one.title)
        for one in config_.routing.rules
    )
    ruleset = routing.Ruleset(compiled, config_.routing.otherwise, 0.0, False, None)
    route = routing.decide(ruleset, item)
    extra = config_.routing.rules[route.rule - 1].extra_reviews if route.rule else 0
    return route.action.value, extra
