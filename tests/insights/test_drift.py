"""Drift: its maths against scipy, and a page that says which days and which values made the alarm."""

from __future__ import annotations

import datetime
import random
from collections import Counter

import pytest
from scipy import stats
from sqlalchemy import insert

from reviewqueue.core.db import database_now
from reviewqueue.insights import drift
from reviewqueue.insights.drift import Count
from reviewqueue.models import ItemDay
from reviewqueue.models.base import table
from tests.fixtures.people import PASSWORD
from tests.insights.populating import judged


@pytest.mark.parametrize(("m", "n", "shifted"), [(60, 80, 0.0), (500, 300, 0.05), (500, 300, 0.2), (40, 2000, 0.1)])
def test_kolmogorov_and_smirnov_as_scipy_has_them(m, n, shifted):
    draw = random.Random(m + n)
    one, other = [draw.random() for _ in range(m)], [draw.random() + shifted for _ in range(n)]
    found = drift.kolmogorov_smirnov(Counter(one), Counter(other))
    expected = stats.ks_2samp(one, other, method="exact" if m * n < 10_000 else "asymp")
    assert found.distance == pytest.approx(expected.statistic)
    assert found.at == pytest.approx(expected.statistic_location)
    assert found.p == pytest.approx(expected.pvalue, abs=0.02)


@pytest.mark.parametrize("degrees", [1, 2, 5, 9, 30])
def test_the_percentile_of_chi_squared_is_near_scipys(degrees):
    assert drift.chi_squared_99(degrees) == pytest.approx(stats.chi2.ppf(0.99, degrees), rel=0.02)


def test_without_a_change_the_index_stays_under_what_chance_makes_in_99_of_100_cases():
    draw, above = random.Random(2), 0
    labels, weights = "abcdefgh", (8, 7, 6, 5, 4, 3, 2, 1)
    for _ in range(600):
        before, now = (Counter(draw.choices(labels, weights, k=size)) for size in (900, 300))
        found = drift.shift(before, now)
        above += found.psi > found.by_chance
    assert 0 < above / 600 <= 0.025


def test_what_an_index_calls_a_change():
    same = drift.shift({"a": 500, "b": 500}, {"a": 260, "b": 240})
    moved = drift.shift({"a": 500, "b": 500}, {"a": 400, "b": 100})
    few = drift.shift({"a": 5, "b": 5}, {"a": 4, "b": 1})
    assert [found.alarm for found in (same, moved, few)] == ["none", "alarm", "none"]
    assert moved.psi == pytest.approx((0.8 - 0.5) * 1.386 + 0.0, abs=0.02)
    assert drift.shift({}, {"a": 1}) is drift.kolmogorov_smirnov({}, {1.0: 1}) is None


@pytest.mark.parametrize(("centre", "of"), [(0.1, 12), (0.3, 40), (0.02, 200), (0.5, 399)])
def test_the_limits_are_those_of_the_binomial(centre, of):
    low, high = drift.limits(centre, of)
    spread = stats.binom(of, centre)
    assert spread.cdf(low - 1) < drift.BEYOND <= spread.cdf(low)
    assert spread.sf(high) < drift.BEYOND <= spread.sf(high - 1)
    assert drift.limits(0.3, 10_000) == pytest.approx((3000 - 3 * 2100**0.5, 3000 + 3 * 2100**0.5))


def test_the_alarm_rules_of_the_chart():
    reference = [Count(20, 100)] * 10
    found = drift.control(reference, [Count(40, 100), Count(0, 0), *[Count(22, 100)] * 8, Count(18, 100)])
    assert [point.beyond for point in found.points] == [True, *[False] * 10]
    assert [point.run for point in found.points].index(True) == 9, "nine days above the centre, the empty one apart"
    assert (found.beyond, found.runs) == (1, 1)
    assert drift.control([], [Count(1, 2)]) is None


def test_the_page_says_what_changed(client, cast, transaction):
    with transaction() as session:
        today = database_now(session).date()
        for ago in range(35):
            now, day = ago < 7, today - datetime.timedelta(days=ago)
            judged(session, cast.queue_id, ago=ago, count=7 if now else 9)
            judged(session, cast.queue_id, ago=ago, count=8 if now else 1, answer="refund")
            rows = [
                ("label", "refund", 40 if now else 5), ("label", "lost_card", 10 if now else 45),
                ("confidence", "30" if now else "80", 50), ("length", "10", 50), ("action", "review", 50),
            ]  # fmt: skip
            session.execute(
                insert(table(ItemDay)),
                [
                    {"queue_id": cast.queue_id, "measure": measure, "day": day, "model_version": "7", "value": value,
                     "items": items}
                    for measure, value, items in rows
                ],
            )  # fmt: skip
    client.post("/login", data={"email": cast.analyst.email, "password": PASSWORD})
    page = client.get("/queues/intents/drift")
    assert page.status_code == 200
    assert page.text.count("chip bad") == 3, "labels, confidences, and how often people change them; not lengths"
    table_of = client.get("/queues/intents/drift?csv=label").text.splitlines()
    assert table_of[1].startswith("lost_card,0.9,0.2,")
    assert "beyond" in client.get("/queues/intents/drift?csv=changed").text
    assert client.get("/queues/intents/drift?days=5").status_code == 422
