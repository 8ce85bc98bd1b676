"""Figures of alerts, and when an alert opens and is over."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from reviewqueue.insights.alert_figures import Reading, Step, moved, overrides, shifted, step
from reviewqueue.insights.drift import shift
from reviewqueue.insights.figures import CHANGED
from reviewqueue.models.states import DISAGREEMENTS, Verdict
from reviewqueue.review.agreement import share


def test_the_override_rate_is_of_all_that_the_output_did_not_survive():
    counts = {Verdict.APPROVE: 6, Verdict.EDIT: 1, Verdict.OVERRIDE: 2, Verdict.REJECT: 1}
    assert overrides(counts) == share(4, 10)
    assert overrides({}) == share(0, 0)


def spread(draw, items, *shape):
    return Counter(f"{int(10 * draw.betavariate(*shape))}" for _ in range(items))


def test_the_same_spread_is_stable_and_another_is_not_and_what_chance_makes_is_nothing():
    draw = random.Random(7)
    before, other = spread(draw, 2_000, 8, 2), spread(draw, 2_000, 4, 4)
    found = shift(before, other)
    assert shifted(found) == Reading(found.psi, 2_000)
    assert found.psi > 0.25
    assert shifted(shift(before, before)).value == 0
    fifties = [shift(spread(draw, 50, 8, 2), spread(draw, 50, 8, 2)) for _ in range(200)]
    assert sum(one.psi > 0.25 for one in fifties) > 20, "few items are never spread alike"
    assert sum(shifted(one).value > 0 for one in fifties) <= 6
    assert shifted(shift({}, before)) == Reading(0.0, 0)


def test_a_rate_has_moved_where_that_is_no_chance():
    assert moved(share(10, 100), share(40, 100)) == Reading(pytest.approx(0.3), 100)
    assert moved(share(40, 100), share(10, 80)) == Reading(pytest.approx(0.275), 80), "down counts as up does"
    assert moved(share(10, 100), share(18, 100)) == Reading(0.0, 100)
    assert moved(share(0, 0), share(40, 100)) == Reading(0.0, 0)
    draw = random.Random(2)
    alike = [
        moved(*(share(sum(draw.random() < 0.3 for _ in range(60)), 60) for _ in range(2))).value for _ in range(500)
    ]
    assert sum(value > 0 for value in alike) <= 5


def test_the_two_rates_of_overrides_count_the_same_verdicts():
    """That of decisions here, and that of judged items on the pages of insight."""
    compiled = str(CHANGED.compile(compile_kwargs={"literal_binds": True}))
    assert {verdict for verdict in Verdict if f"'{verdict}'" in compiled} == DISAGREEMENTS
    assert overrides(dict.fromkeys(Verdict, 1)) == share(len(DISAGREEMENTS), len(Verdict))


BAR = {"bar": 0.3, "over_at": 0.25, "at_least": 50}


@pytest.mark.parametrize(
    ("value", "of", "is_open", "expected"),
    [
        (0.31, 50, False, Step.OPEN),
        (0.31, 49, False, None),  # too few
        (0.30, 50, False, None),  # at the bar
        (0.31, 50, True, None),  # open already: it is told of once
        (0.27, 50, True, None),  # better, and not yet well back
        (0.25, 50, True, Step.RESOLVE),
        (0.10, 49, True, None),
        (0.25, 50, False, None),
    ],
)
def test_an_alert_opens_once_and_is_over_once(value, of, is_open, expected):
    assert step(Reading(value, of), is_open=is_open, above=True, **BAR) is expected
    mirrored = {"bar": 0.7, "over_at": 0.75, "at_least": 50}
    assert step(Reading(round(1 - value, 2), of), is_open=is_open, above=False, **mirrored) is expected
