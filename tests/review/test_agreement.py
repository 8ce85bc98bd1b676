"""Figures of agreement, against published values and a reference library."""

from __future__ import annotations

import random

import pytest

from reviewqueue.review.agreement import alpha, share

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
