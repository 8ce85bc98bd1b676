"""Advice on thresholds: what it rests on, when it is silent, and that its promise holds on a real stream."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path

import numpy as np
import pytest

from reviewqueue.insights.advice import Promise, advise, further, shown, thresholds_of, with_threshold
from reviewqueue.insights.bounds import Stratum, needed
from reviewqueue.insights.risk import GRID, Point, Seen, curve, point_at

DATA = os.environ.get("REVIEWQUEUE_TEST_DATA")


def seen(number, confidence, *, wrong=0, probability=1.0, drawn=True):
    """So many items of one confidence, the wrong ones spread evenly."""
    every = number // wrong if wrong else number + 1
    return [
        Seen(confidence, probability, drawn, (place % every == every - 1) if drawn else None)
        for place in range(number)
    ]  # fmt: skip


def test_the_curve_counts_what_would_pass_and_weighs_what_was_judged():
    items = [
        *seen(20, 0.3, wrong=10), *seen(10, 0.8, wrong=1, probability=0.1),
        *seen(90, 0.8, probability=0.1, drawn=False),
    ]  # fmt: skip
    low, high = point_at(items, 0.2), point_at(items, 0.5)
    assert (low.items, low.judged, low.wrong, high.items, high.judged, high.wrong) == (120, 30, 11, 100, 10, 1)
    assert low.error == pytest.approx((10 + 10 * 1) / (20 + 10 * 10))
    assert high.error == pytest.approx(0.1)
    assert (low.least, low.effective) == (0.1, pytest.approx(10 + 20 * 0.1))
    assert low.strata == (Stratum(0.1, 9, 1), Stratum(1.0, 10, 10))
    assert [point.threshold for point in curve(items)] == [each for each in GRID if each <= 0.8]
    assert curve([]) == []
    assert math.isnan(point_at(items[-90:], 0.5).error)


def test_the_evidence_ends_before_the_first_without_a_verdict():
    waiting = Seen(0.9, 1.0, True, None)
    point = point_at([*seen(99, 0.9), waiting, *seen(90, 0.9), *[waiting] * 9], 0.5)
    assert (point.judged, point.open, point.left_out, point.wrong) == (99, 0, 100, 0)
    assert point.strata == (Stratum(1.0, 99, 0),)
    assert point_at([waiting] * 50, 0.5).judged == 0


def test_few_without_a_verdict_count_as_wrong_where_else_most_evidence_would_be_lost():
    waiting = Seen(0.9, 1.0, True, None)
    point = point_at([waiting, *seen(99, 0.9), waiting, *[waiting] * 9], 0.5)
    assert (point.judged, point.open, point.left_out, point.wrong) == (101, 2, 9, 0)
    assert point.strata == (Stratum(1.0, 99, 2),)
    assert point.error == 0


def test_it_advises_the_lowest_threshold_down_to_which_the_promise_is_shown():
    items = [*seen(600, 0.95), *seen(600, 0.7, wrong=4), *seen(600, 0.4, wrong=120)]
    found = advise(curve(items), Promise(0.02, 0.95))
    assert found.chosen.threshold == 0.41
    assert found.chosen.high(found.doubt) <= 0.02 < point_at(items, 0.4).high(found.doubt)
    assert found.chosen.low(found.doubt) < found.chosen.error < found.chosen.high(found.doubt)


def test_a_threshold_beyond_one_that_fails_is_never_reached():
    """Though more of what lies below is right, so that the whole is below the promise again."""
    items = [*seen(1500, 0.9, wrong=75), *seen(9000, 0.5)]
    assert shown(point_at(items, 0.4), 0.02, 0.015)
    assert advise(curve(items), Promise(0.02)).chosen is None


def test_it_says_how_many_audits_are_missing():
    promise = Promise(0.02, 0.95)
    few = curve(seen(100, 0.9))
    assert advise(few, promise).chosen is None
    missing = further(few, promise)
    assert missing.threshold == 0.0
    assert missing.audits == needed(0.02, 0.005, 0.3 * promise.doubt) - 100
    assert advise(curve(seen(100 + missing.audits, 0.9)), promise).chosen is not None
    assert further(curve(seen(1000, 0.9, wrong=100)), promise) is None
    assert further([], promise) is None


# -- the configuration ------------------------------------------------------------------------------------------------

DOCUMENT = {
    "name": "q", "output_schema": {},
    "routing": {
        "rules": [
            {"when": "risk == 'high'", "action": "review", "title": "High risk"},
            {"when": "confidence < 0.5 && input.vip", "action": "review", "title": "Unsure"},
        ],
        "otherwise": "auto_approve",
    },
}  # fmt: skip


def ruled(*rules, otherwise="auto_approve"):
    made = [{"when": when, "action": action, "title": "t"} for when, action in rules]
    return {"name": "q", "output_schema": {}, "routing": {"rules": made, "otherwise": otherwise}}


def test_it_changes_the_one_number_that_is_the_threshold():
    assert thresholds_of(DOCUMENT) == [0.5]
    found = with_threshold(DOCUMENT, 0.87)
    assert found["routing"]["rules"][1]["when"] == "confidence < 0.87 && input.vip"
    assert DOCUMENT["routing"]["rules"][1]["when"] == "confidence < 0.5 && input.vip"
    assert found["routing"]["rules"][0] == DOCUMENT["routing"]["rules"][0]
    passing = with_threshold(ruled(("confidence >= .9", "auto_approve"), otherwise="review"), 0.75)
    assert passing["routing"]["rules"][0]["when"] == "confidence >= 0.75"


def test_a_queue_without_a_threshold_gets_one():
    everything = with_threshold({"name": "q", "output_schema": {}, "routing": {"otherwise": "review"}}, 0.6)
    rule = {"when": "confidence < 0.6", "action": "review", "title": "Unsure"}
    assert everything["routing"] == {"otherwise": "auto_approve", "rules": [rule]}


@pytest.mark.parametrize(
    "rules",
    [
        [("confidence < 0.5", "review"), ("confidence < 0.7 && risk == 'medium'", "review")],
        [("confidence < 0.5 || confidence < 0.9 && input.vip", "review")],
        [("confidence <= 0.5", "review")], [("confidence > 0.5", "auto_approve")],
        [("confidence < 0.5 * input.factor", "review"), ("confidence == 1.0", "review")],
        [("confidence < 0.5", "refuse")],
    ],
)  # fmt: skip
def test_what_it_does_not_understand_it_leaves_to_people(rules):
    assert with_threshold(ruled(*rules), 0.6) is None


def test_what_is_refused_otherwise_is_not_passed():
    assert with_threshold(ruled(otherwise="refuse"), 0.6) is None


# -- the promise ------------------------------------------------------------------------------------------------------


def points_of(confidence, wrong, drawn, probability):
    """As `curve`, of arrays, where everything drawn was judged."""
    place = np.searchsorted(GRID, confidence, side="right") - 1

    def above(mask):
        return np.bincount(place[mask], minlength=len(GRID))[::-1].cumsum()[::-1].tolist()

    strata = sorted(set(probability.tolist()))
    right, bad, least = [], [], np.ones(len(GRID))
    for each in reversed(strata):
        here = drawn & (probability == each)
        right.insert(0, above(here & ~wrong))
        bad.insert(0, above(here & wrong))
        least[np.array(above(probability == each)) > 0] = each
    found = []
    for number in range(int(place.max()) + 1):
        counted = tuple(
            Stratum(each, r[number], w[number])
            for each, r, w in zip(strata, right, bad, strict=True)
            if r[number] + w[number]
        )
        judged = int(sum(each.right + each.wrong for each in counted))
        found.append(Point(GRID[number], 0, judged, 0, 0, 0, math.nan, counted, float(least[number])))
    return found


def lowest_by_estimate(confidence, wrong, drawn, probability, error):
    """The naive rule: the lowest threshold whose estimated error, weighted, is as promised."""
    place, weight = np.searchsorted(GRID, confidence, side="right") - 1, drawn / probability
    of, bad = (
        np.bincount(place, weights=weight * each, minlength=len(GRID))[::-1].cumsum()[::-1] for each in (1, wrong)
    )
    kept = np.flatnonzero((of > 0) & (bad <= error * of))
    return GRID[kept[0]] if len(kept) else None


@pytest.fixture(scope="module")
def stream():
    """Confidence, and whether it is wrong, of a real classifier's 4,000 outputs."""
    if not DATA:
        pytest.skip("DATA TESTS SKIPPED: REVIEWQUEUE_TEST_DATA names no folder")
    folder = Path(DATA) / "banking77"
    said, truth = (
        [json.loads(line) for line in (folder / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]
        for name in ("predictions", "truth")
    )
    wrong = [one["label"] != other["label"] for one, other in zip(said, truth, strict=True)]
    return np.array([one["confidence"] for one in said]), np.array(wrong)


@pytest.mark.data
@pytest.mark.parametrize(
    ("number", "rate", "error"), [(4000, 0.5, 0.1), (2000, 1.0, 0.12)]
)  # fmt: skip
def test_the_promise_is_broken_seldom_enough_on_a_real_stream_and_by_the_naive_rule_often(stream, number, rate, error):
    confidence, wrong = stream
    random, runs, doubt = np.random.default_rng(number), 1000, 0.05
    true = {each: wrong[confidence >= each].mean() for each in GRID if (confidence >= each).any()}
    broken = advised = naive = same = 0
    for run in range(runs):
        taken = random.integers(0, len(confidence), number)
        said, bad = confidence[taken], wrong[taken]
        probability = np.where(said < 0.5, 1.0, rate)
        drawn = random.random(number) < probability
        points = points_of(said, bad, drawn, probability)
        chosen = advise(points, Promise(error, 1 - doubt)).chosen
        advised += chosen is not None
        broken += chosen is not None and true[chosen.threshold] > error
        seems = lowest_by_estimate(said, bad, drawn, probability, error)
        naive += seems is not None and true[seems] > error
        if run < 2:
            columns = (each.tolist() for each in (said, probability, drawn, bad))
            items = [Seen(*each) for each in zip(*columns, strict=True)]
            same += [each.strata for each in curve(items)] == [each.strata for each in points]
    allowed = doubt + 2 * math.sqrt(doubt * (1 - doubt) / runs)
    assert same == 2
    assert advised / runs > 0.5
    assert broken / runs <= allowed
    assert naive / runs > 2 * allowed
