"""Figures of agreement, against published values and a reference library."""

from __future__ import annotations

import random

import pytest

from reviewqueue.review.agreement import alpha, cohen, fleiss, share

KRIPPENDORFF = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3],
    [None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None],
]
"""The example of his "Computing Krippendorff's Alpha-Reliability", four observers and twelve units."""


def _units(table):
    return [[value for value in column if value is not None] for column in zip(*table, strict=True)]


def test_alpha_is_that_of_the_published_example():
    assert alpha(_units(KRIPPENDORFF)) == pytest.approx(0.743, abs=0.0005)


def test_alpha_is_that_of_the_reference_library():
    krippendorff = pytest.importorskip("krippendorff")
    chance = random.Random(7)
    for _ in range(20):
        table = [[chance.choice([None, 0, 0, 1, 2]) for _ in range(30)] for _ in range(3)]
        given = [[float("nan") if value is None else value for value in row] for row in table]
        expected = krippendorff.alpha(reliability_data=given, level_of_measurement="nominal")
        assert alpha(_units(table)) == pytest.approx(expected)


def test_where_nothing_can_differ_there_is_no_alpha():
    assert alpha([]) is None
    assert alpha([["a"], ["b"]]) is None
    assert alpha([["a", "a"], ["a", "a"]]) is None
    assert alpha([["a", "b"], ["b", "a"]]) < 0


def test_the_interval_is_wilsons():
    assert (share(81, 263).low, share(81, 263).high) == (
        pytest.approx(0.2553, abs=5e-5),
        pytest.approx(0.3662, abs=5e-5),
    )
    assert (share(0, 20).low, share(0, 20).high) == (0.0, pytest.approx(0.1611, abs=5e-5))
    assert share(20, 20).high == 1.0
    assert (share(0, 0).low, share(0, 0).high, share(0, 0).value) == (0.0, 1.0, None)


FLEISS = [
    (0, 0, 0, 0, 14), (0, 2, 6, 4, 2), (0, 0, 3, 5, 6), (0, 3, 9, 2, 0), (2, 2, 8, 1, 1), (7, 7, 0, 0, 0),
    (3, 2, 6, 3, 0), (2, 5, 3, 2, 2), (6, 5, 2, 1, 0), (0, 2, 2, 3, 7),
]  # fmt: skip
"""A worked example with ten items, fourteen people and five answers: how many gave each."""


def test_fleiss_kappa_is_that_of_a_worked_example_and_with_two_people_that_of_its_definition():
    units = [[answer for answer, many in enumerate(row) for _ in range(many)] for row in FLEISS]
    assert fleiss(units) == pytest.approx(0.210, abs=0.0005)
    # Scott's pi: observed 3/4, chance (5/8)^2 + (3/8)^2.
    chance = 34 / 64
    assert fleiss([["a", "a"], ["a", "a"], ["b", "b"], ["a", "b"]]) == pytest.approx((0.75 - chance) / (1 - chance))
    assert fleiss([]) is None
    assert fleiss([["a", "a"]]) is None


def test_cohens_kappa_is_that_of_the_reference_library():
    metrics = pytest.importorskip("sklearn.metrics")
    chance = random.Random(7)
    for _ in range(20):
        pairs = [(chance.choice("aab"), chance.choice("abc")) for _ in range(40)]
        expected = metrics.cohen_kappa_score([one for one, _ in pairs], [other for _, other in pairs])
        assert cohen(pairs) == pytest.approx(expected)
    # Cohen's own kind of table: 20 and 15 alike, 5 and 10 not; observed 0.7, chance 0.5.
    table = [("y", "y")] * 20 + [("y", "n")] * 5 + [("n", "y")] * 10 + [("n", "n")] * 15
    assert cohen(table) == pytest.approx(0.4)
    assert cohen([("a", "a")] * 3) is None
    assert cohen([]) is None
