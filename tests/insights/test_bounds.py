"""Evidence by betting, against scipy's exact tails; and that what it says of a share is seldom wrong."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import beta, norm

from reviewqueue.insights.bounds import STAKES, Stratum, capital, lower, needed, upper
from reviewqueue.review.agreement import wilson


def test_capital_is_the_mean_of_what_the_stakes_made():
    strata = [Stratum(1.0, 3, 1), Stratum(0.1, 5, 0)]
    made = [
        (1 + stake * 0.1 * 0.25) ** 3 * (1 - stake * 0.1) * (1 + stake * 0.25) ** 5 for stake in STAKES
    ]  # fmt: skip
    assert capital(strata, 0.2, 0.1) == pytest.approx(math.log(sum(made) / len(made)))


@pytest.mark.parametrize(("right", "wrong"), [(300, 0), (95, 5), (450, 50), (1980, 20), (10, 90)])
def test_the_edges_hold_clopper_and_pearsons_and_are_not_much_wider(right, wrong):
    judged, strata = right + wrong, [Stratum(1.0, right, wrong)]
    exact_low = 0.0 if not wrong else beta.ppf(0.05, wrong, right + 1)
    exact_high = beta.ppf(0.95, wrong + 1, right)
    high, low = upper(strata, 1.0, 0.05), lower(strata, 1.0, 0.05)
    assert exact_high <= high <= exact_high + 1.6 / math.sqrt(judged) * math.sqrt(exact_high)
    assert exact_low - 1.6 / math.sqrt(judged) * math.sqrt(exact_high) <= low <= exact_low + 1e-9
    assert capital(strata, high, 1.0) == pytest.approx(-math.log(0.05), abs=1e-6)


def test_nothing_judged_says_nothing():
    assert (upper([], 1.0, 0.05), lower([], 1.0, 0.05)) == (1.0, 0.0)


def test_an_item_of_a_rare_draw_weighs_as_all_it_stands_for():
    one_in_ten = [Stratum(0.1, 50, 5)]
    assert upper(one_in_ten, 0.1, 0.05) == pytest.approx(upper([Stratum(1.0, 50, 5)], 1.0, 0.05))
    assert upper([Stratum(0.1, 50, 5), Stratum(1.0, 900, 0)], 0.1, 0.05) < upper(one_in_ten, 0.1, 0.05)
    assert upper([Stratum(0.1, 50, 5), Stratum(1.0, 0, 300)], 0.1, 0.05) > upper(one_in_ten, 0.1, 0.05)


def test_what_is_needed_is_enough_and_one_less_is_not():
    for expected in (0.0, 0.01):
        number = needed(0.02, expected, 0.05)
        for judged, enough in ((number, True), (number - 1, False)):
            strata = [Stratum(1.0, judged * (1 - expected), judged * expected)]
            assert (capital(strata, 0.02, 1.0) >= math.log(20)) is enough
    assert needed(0.02, 0.02, 0.05) is None
    assert needed(0.02, 0.0199, 0.05, most=10_000) is None


def test_the_true_share_is_seldom_beyond_however_often_one_looks():
    """Two strata, one seen always and one seldom; looked at after every item."""
    random = np.random.default_rng(7)
    runs, items, share, least = 800, 700, 0.1, 0.5
    doubtful = random.random((runs, items)) < 0.3
    wrong = random.random((runs, items)) < np.where(doubtful, 0.2, (share - 0.3 * 0.2) / 0.7)
    probability = np.where(doubtful, 1.0, least)
    drawn = random.random((runs, items)) < probability
    ratio = least / probability
    grown = []
    for stake in STAKES:
        factor = np.where(wrong, np.log1p(-stake * ratio), np.log1p(stake * ratio * share / (1 - share)))
        grown.append(np.cumsum(np.where(drawn, factor, 0.0), axis=1))
    ever = (np.logaddexp.reduce(np.stack(grown), axis=0) - math.log(len(STAKES)) >= math.log(20)).any(axis=1)
    assert 0 < ever.mean() <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / runs)
    one = [
        Stratum(each, float((drawn[0] & ~wrong[0] & (probability[0] == each)).sum()),
                float((drawn[0] & wrong[0] & (probability[0] == each)).sum()))
        for each in (least, 1.0)
    ]  # fmt: skip
    last = np.stack(grown)[:, 0, -1]
    assert capital(one, share, least) == pytest.approx(np.logaddexp.reduce(last) - math.log(len(STAKES)))


def test_wilsons_interval_is_where_the_score_test_says():
    low, high = wilson(0.1, 200)
    for edge in (low, high):
        assert abs(0.1 - edge) / math.sqrt(edge * (1 - edge) / 200) == pytest.approx(norm.ppf(0.975), abs=1e-6)
    assert wilson(0.5, 0) == (0.0, 1.0)
