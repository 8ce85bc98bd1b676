"""Paired comparisons, against scipy, a published example, and drawn samples."""

from __future__ import annotations

import random

import pytest
from scipy.stats import binomtest

from reviewqueue.insights.paired import Pairs, difference, mcnemar, verdict, weighted_difference


@pytest.mark.parametrize(("first", "second"), [(0, 0), (0, 1), (3, 3), (5, 15), (40, 41), (2, 300), (700, 900)])
def test_mcnemars_exact_test_is_the_binomial_one(first, second):
    expected = binomtest(first, first + second).pvalue if first + second else 1.0
    assert mcnemar(first, second) == pytest.approx(expected, rel=1e-9)


def test_the_interval_is_that_of_the_paper():
    """Newcombe 1998, table II: 36, 12, 2, 0, method 10."""
    found = difference(Pairs(both=36, second=12, first=2, neither=0))
    assert (found.value, found.low, found.high) == pytest.approx((0.2, 0.0569, 0.3404), abs=5e-5)


def test_a_weighted_difference_holds_what_is_so_of_all_items():
    """The candidate is better on doubtful items, which are all judged, and worse on the many that pass."""
    draw, held = random.Random(5), 0
    for _ in range(300):
        rows = [(draw.choice([0, 0, 1]), 1.0) for _ in range(300)]
        rows += [(draw.choice([0, 0, 0, 0, -1]), 0.2) for _ in range(1200) if draw.random() < 0.2]
        found = weighted_difference(rows)
        held += found.low <= 0.2 / 3 - 0.8 / 5 <= found.high
    assert 0.92 <= held / 300 <= 0.98
    assert weighted_difference([(1, 1.0)]) is None


def test_what_is_concluded():
    def call(both, first, second, neither, overall=None):
        found = verdict(Pairs(both, first, second, neither), overall)
        return found.call, found.why

    assert call(10, 0, 10, 0) == ("hold", "too_few")
    assert call(80, 2, 18, 10) == ("promote", "better")
    assert call(80, 18, 2, 10) == ("hold", "worse")
    assert call(80, 9, 12, 10) == ("hold", "not_told_apart")
    worse_elsewhere = weighted_difference([(-1, 0.1)] * 30 + [(1, 1.0)] * 16)
    assert call(80, 2, 18, 10, worse_elsewhere) == ("hold", "not_on_all")
