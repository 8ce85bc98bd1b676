"""What several answers amount to, by rule."""

from __future__ import annotations

import pytest

from reviewqueue.review.consensus import Given, Outcome, Step, alike, outcome


def _given(*outputs):
    """A rejection for None."""
    return [Given(output is None, output) for output in outputs]


def _outcome(*outputs, required, rule="unanimous", agree_on=(), breaks_ties=False):
    return outcome(_given(*outputs), required=required, rule=rule, agree_on=agree_on, breaks_ties=breaks_ties)


@pytest.mark.parametrize(
    ("outputs", "rule", "ties", "step", "place"),
    [
        ("a", "unanimous", False, Step.WAIT, None),
        ("ab", "unanimous", False, Step.WAIT, None),
        ("aab", "unanimous", False, Step.ADJUDICATE, None),
        ("aaa", "unanimous", False, Step.AGREED, 0),
        ("aa", "majority", False, Step.AGREED, 0),
        ("ab", "majority", False, Step.WAIT, None),
        ("abb", "majority", False, Step.AGREED, 1),
        ("abc", "majority", False, Step.ADJUDICATE, None),
        ("abc", "majority", True, Step.TIE_BREAK, None),
        ("abcb", "majority", True, Step.AGREED, 1),
        ("abcd", "majority", True, Step.ADJUDICATE, None),
    ],
)
def test_three_reviews(outputs, rule, ties, step, place):
    assert _outcome(*outputs, required=3, rule=rule, breaks_ties=ties) == Outcome(step, place)


def test_a_tie_that_stays_one_goes_to_adjudication():
    assert _outcome(*"aabbc", required=4, breaks_ties=True).step is Step.ADJUDICATE
    assert _outcome(*"aabbb", required=4, breaks_ties=True) == Outcome(Step.AGREED, 2)


def test_texts_agree_by_their_words_and_numbers_by_their_value():
    assert _outcome({"text": "Dear  Sir,\r\nno"}, {"text": "Dear Sir,\nno "}, required=2).step is Step.AGREED
    assert _outcome({"total": 1}, {"total": 1.0}, required=2).step is Step.AGREED
    assert _outcome({"yes": True}, {"yes": 1}, required=2).step is Step.ADJUDICATE


def test_only_what_is_asked_for_must_agree():
    two = [{"label": "a", "note": "x", "rows": [1, 2]}, {"label": "a", "note": "y", "rows": [1, 3]}]
    assert _outcome(*two, required=2).step is Step.ADJUDICATE
    assert _outcome(*two, required=2, agree_on=["/label", "/rows/0"]) == Outcome(Step.AGREED, 0)
    assert _outcome(*two, required=2, agree_on=["/label", "/rows/1"]).step is Step.ADJUDICATE
    assert _outcome({"a/b": 1}, {"a/b": 2}, required=2, agree_on=["/a~1b"]).step is Step.ADJUDICATE
    assert _outcome({}, {"label": None}, required=2, agree_on=["/label"]).step is Step.ADJUDICATE


def test_two_rejections_agree_and_a_rejection_is_no_null():
    assert _outcome(None, None, required=2) == Outcome(Step.AGREED, 0)
    assert outcome(
        [Given(True, None), Given(False, None)], required=2, rule="unanimous", agree_on=(), breaks_ties=False
    ).step is Step.ADJUDICATE  # fmt: skip


@pytest.mark.timeout(30)
def test_as_many_answers_as_there_may_be_are_told_apart_in_linear_time():
    answers = [Given(False, {"label": f"label {number}", "page": 1.0}) for number in range(20_000)]
    again = [Given(False, {"page": 1, "label": f"label  {number}"}) for number in range(20_000)]
    groups = alike([*answers, *again], ())
    assert groups == [[number, number + 20_000] for number in range(20_000)]
