"""Figures of alerts, and when an alert opens and is over."""

from __future__ import annotations

import random

import pytest

from reviewqueue.insights.alert_figures import Reading, Step, overrides, stability, step
from reviewqueue.models.states import Verdict
from reviewqueue.review.agreement import share


def test_the_override_rate_is_of_all_that_the_output_did_not_survive():
    counts = {Verdict.APPROVE: 6, Verdict.EDIT: 1, Verdict.OVERRIDE: 2, Verdict.REJECT: 1}
    assert overrides(counts) == share(4, 10)
    assert overrides({}) == share(0, 0)


def test_the_same_spread_is_stable_and_another_is_not():
    draw = random.Random(7)
    before = [draw.betavariate(8, 2) for _ in range(2_000)]
    alike = [draw.betavariate(8, 2) for _ in range(2_000)]
    other = [draw.betavariate(4, 4) for _ in range(2_000)]
    assert stability(before, before) == 0
    assert stability(before, alike) < 0.05
    assert stability(before, other) > 0.25
    assert stability([0.0, 1.0], [1.0, 0.0]) == 0


def test_the_index_is_that_of_its_definition():
    # Half and half against a quarter and three: (0.25 - 0.5) ln(0.25 / 0.5) + (0.75 - 0.5) ln(0.75 / 0.5)
    assert stability([0.05, 0.95], [0.05, 0.95, 0.95, 0.95]) == pytest.approx(0.274653, abs=1e-6)


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
