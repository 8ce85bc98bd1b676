"""Rates and their intervals, against scipy and numpy."""

from __future__ import annotations

import random

import numpy
import pytest
from scipy.stats import binomtest

from reviewqueue.insights.rates import Sums, plain, quantile, weighted


@pytest.mark.parametrize(("met", "of"), [(0, 5), (3, 7), (50, 50), (314, 1000)])
def test_a_plain_rate_has_wilsons_interval(met, of):
    found, expected = plain(met, of), binomtest(met, of).proportion_ci(method="wilson")
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert found.value == met / of


def sums(rows):
    return Sums(
        len(rows), sum(met for met, _ in rows), sum(1 / p for _, p in rows), sum(1 / p**2 for _, p in rows),
        sum(met / p for met, p in rows),
    )  # fmt: skip


def test_with_equal_probabilities_weights_change_nothing():
    rows = [(number % 3 == 0, 0.2) for number in range(90)]
    assert weighted(sums(rows)) == pytest.approx(plain(30, 90))


def test_nothing_says_nothing():
    assert weighted(Sums()).value is plain(0, 0).value is None
    assert (plain(0, 0).low, plain(0, 0).high) == (0.0, 1.0)


def test_the_weighted_interval_holds_the_true_share_in_about_95_of_100_cases():
    """2,000 items: doubtful ones, 30 % wrong, are all judged; of the others, 4 % wrong, every tenth."""
    draw, held, tries = random.Random(7), 0, 400
    for _ in range(tries):
        rows = [(draw.random() < 0.3, 1.0) for _ in range(400)]
        rows += [(draw.random() < 0.04, 0.1) for _ in range(1600) if draw.random() < 0.1]
        found = weighted(sums(rows))
        held += found.low <= 0.2 * 0.3 + 0.8 * 0.04 <= found.high
    assert held / tries >= 0.92


def test_quantiles_are_numpys():
    draw = random.Random(1)
    for size in (1, 2, 5, 100):
        values = [draw.random() for _ in range(size)]
        for share in (0.0, 0.1, 0.5, 0.9, 1.0):
            assert quantile(values, share) == pytest.approx(numpy.quantile(values, share))
    assert quantile([], 0.5) is None
