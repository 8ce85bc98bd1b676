"""The pure rules of verdicts and lanes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from reviewqueue.errors import Faults
from reviewqueue.models.lanes import lane_of, may_take
from reviewqueue.models.states import Audience, Verdict
from reviewqueue.resolution.verdicts import judge, same, sameness

FORM = {"supplier": "A", "total": 3, "lines": [{"what": "x"}]}


@pytest.mark.parametrize(
    ("output", "view", "verdict"),
    [
        (FORM, "json", Verdict.APPROVE),
        ({**FORM, "total": 3.0}, "json", Verdict.APPROVE),
        ({**FORM, "total": 4}, "json", Verdict.EDIT),
        ({"supplier": "B", "total": 9, "lines": []}, "json", Verdict.OVERRIDE),
        ({**FORM, "total": 4}, "choice", Verdict.OVERRIDE),
    ],
)
def test_the_verdict_follows_from_the_change(output, view, verdict):
    faults = Faults()
    judged = judge(given=None, ai_output=FORM, output=output, view=view, started_blank=False, faults=faults)
    assert (judged.verdict, faults.found) == (verdict, [])


SPAN = {"start": 3, "end": 6, "label": "person"}


@pytest.mark.parametrize(
    ("view", "ai_output", "output", "verdict"),
    [
        ("multi_choice", {"topics": ["a", "b"]}, {"topics": ["b"]}, Verdict.EDIT),
        ("multi_choice", {"topics": ["a", "b"]}, {"topics": ["c"]}, Verdict.OVERRIDE),
        ("multi_choice", ["a"], [], Verdict.OVERRIDE),
        ("spans", [{"start": 0, "end": 1, "label": "x"}, SPAN], [{**SPAN, "end": 9}], Verdict.EDIT),
        ("spans", [SPAN], [{**SPAN, "end": 9, "label": "place"}], Verdict.OVERRIDE),
        ("chat", {"content": "We are sorry."}, {"content": "Sorry about that."}, Verdict.EDIT),
        ("chat", "We are sorry.", "No.", Verdict.OVERRIDE),
        ("chat", {"content": "No", "calls": [1]}, {"content": "Yes", "calls": [1]}, Verdict.EDIT),
        ("compare", {"best": "a"}, {"best": "b"}, Verdict.OVERRIDE),
        ("compare", ["a", "b", "c"], ["a", "c", "b"], Verdict.EDIT),
    ],
)
def test_what_survives_depends_on_the_type(view, ai_output, output, verdict):
    faults = Faults()
    judged = judge(given=None, ai_output=ai_output, output=output, view=view, started_blank=False, faults=faults)
    assert (judged.verdict, faults.found) == (verdict, [])


def test_a_fresh_start_is_an_override_even_where_parts_agree():
    faults = Faults()
    judged = judge(
        given=Verdict.OVERRIDE,
        ai_output=FORM,
        output={**FORM, "total": 4},
        view="json",
        started_blank=True,
        faults=faults,
    )
    assert (judged.verdict, faults.found) == (Verdict.OVERRIDE, [])


def test_an_output_that_the_ai_did_not_give_cannot_be_approved():
    faults = Faults()
    judge(given=Verdict.APPROVE, ai_output=None, output=None, view="json", started_blank=False, faults=faults)
    assert [fault.pointer for fault in faults.found] == ["/verdict"]


def test_true_is_not_one_and_keys_have_no_order():
    assert not same(True, 1)
    assert same({"a": 1, "b": [1.0]}, {"b": [1], "a": 1})


def test_a_lane_shuts_out_the_excluded_the_unassigned_and_for_escalations_all_but_leads():
    assert lane_of(audience=Audience.REVIEWER, assignee=None, excluded=[]) == ""
    excluded = lane_of(audience=Audience.REVIEWER, assignee=None, excluded=["b", "a"])
    assert not may_take(excluded, person_id="a", is_lead=False)
    assert may_take(excluded, person_id="c", is_lead=False)
    escalated = lane_of(audience=Audience.LEAD, assignee=None, excluded=["a"])
    assert not may_take(escalated, person_id="c", is_lead=False)
    assert may_take(escalated, person_id="c", is_lead=True)
    assigned = lane_of(audience=Audience.REVIEWER, assignee="a", excluded=[])
    assert (may_take(assigned, person_id="a", is_lead=False), may_take(assigned, person_id="b", is_lead=True)) == (
        True,
        False,
    )


SCALARS = some.sampled_from([None, True, False, 0, 1, 0.0, 1.0, 1.5, "", "1", "true", 2**70])
VALUES = some.recursive(
    SCALARS,
    lambda inner: some.lists(inner, max_size=2) | some.dictionaries(some.sampled_from("ab"), inner, max_size=2),
    max_leaves=4,
)


@given(VALUES, VALUES)
def test_values_have_one_key_just_if_they_are_the_same(left, right):
    assert (sameness(left) == sameness(right)) is same(left, right)
    assert sameness(left) == sameness(left)
