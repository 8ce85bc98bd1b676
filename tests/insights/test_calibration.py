"""Calibration and weights, against scikit-learn and against what the mathematics says of them."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path

import numpy as np
import pytest
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss

from reviewqueue.insights.calibration import Judged, calibration
from reviewqueue.insights.weights import effective, hajek, horvitz_thompson
from reviewqueue.queues.routing import draw, weight

DATA = os.environ.get("REVIEWQUEUE_TEST_DATA")


@pytest.fixture(scope="module")
def said():
    random = np.random.default_rng(3)
    confidence = random.random(800)
    right = random.random(800) < confidence**2
    return confidence, right, np.where(confidence < 0.5, 1.0, 0.2)


def test_brier_and_reliability_are_those_of_scikit_learn(said):
    confidence, right, probability = said
    judged = [Judged(c, bool(r), p) for c, r, p in zip(confidence.tolist(), right, probability.tolist(), strict=True)]
    found = calibration(judged)
    assert found.brier == pytest.approx(brier_score_loss(right, confidence, sample_weight=1 / probability))
    plain = calibration([Judged(each.confidence, each.right) for each in judged])
    shares, means = calibration_curve(right, confidence, n_bins=10)
    assert [each.right for each in plain.bins] == pytest.approx(shares.tolist())
    assert [each.confidence for each in plain.bins] == pytest.approx(means.tolist())
    sizes = np.histogram(confidence, np.linspace(0, 1, 11))[0] / 800
    assert plain.ece == pytest.approx(float((sizes * abs(shares - means)).sum()))
    assert sum(each.share for each in found.bins) == pytest.approx(1)
    assert found.bins[9].interval[1] - found.bins[9].interval[0] > 0
    assert calibration([]) is None


def test_a_certain_model_that_is_right_is_calibrated():
    found = calibration([Judged(1.0, True)] * 5)
    assert (found.ece, found.brier, found.bins[0].low, found.bins[0].high) == (0, 0, 0.9, 1.0)


def test_weighted_means_are_right_where_the_plain_one_is_not():
    """Over 400 draws from one stream whose doubtful items are seen always, and the rest one time in ten."""
    random = np.random.default_rng(11)
    doubtful = random.random(2000) < 0.3
    wrong = random.random(2000) < np.where(doubtful, 0.4, 0.05)
    probability = np.where(doubtful, 1.0, 0.1)
    truth, plain, total, mean, covered = wrong.mean(), [], [], [], 0
    for _ in range(400):
        seen = random.random(2000) < probability
        values = list(zip(wrong[seen].astype(float).tolist(), probability[seen].tolist(), strict=True))
        plain.append(wrong[seen].mean())
        total.append(horvitz_thompson(values, 2000).mean)
        found = hajek(values)
        mean.append(found.mean)
        covered += abs(found.mean - truth) <= 1.96 * found.error
    assert abs(np.mean(plain) - truth) > 0.15
    assert abs(np.mean(total) - truth) < 4 * np.std(total) / 20
    assert abs(np.mean(mean) - truth) < 4 * np.std(mean) / 20 + 0.001
    assert covered / 400 > 0.88


def test_edges_of_weights():
    assert math.isnan(hajek([]).mean)
    assert math.isnan(horvitz_thompson([], 0).mean)
    assert hajek([(1.0, 0.1), (1.0, 1.0)]).mean == 1.0
    assert effective([0.5] * 8) == pytest.approx(8)
    assert effective([]) == 0


@pytest.mark.data
def test_on_a_real_stream_the_plain_share_is_far_off_and_the_weighted_ones_are_not():
    """Reviewed below 0.5, one in ten of the rest audited: the draw, and the weights, are the product's own."""
    if not DATA:
        pytest.skip("DATA TESTS SKIPPED: REVIEWQUEUE_TEST_DATA names no folder")
    said, truth = (
        [json.loads(line) for line in (Path(DATA) / "banking77" / f"{name}.jsonl").read_text().splitlines()]
        for name in ("predictions", "truth")
    )
    wrong = [float(one["label"] != other["label"]) for one, other in zip(said, truth, strict=True)]
    values = []
    for one, bad in zip(said, wrong, strict=True):
        action = "review" if one["confidence"] < 0.5 else "auto_approve"
        sample, rate = draw(one["external_id"], b"key") < 0.1, 1.0 if action == "review" else 0.1
        stands_for = weight(action, sample, rate)
        if stands_for:
            values.append((bad, 1 / stands_for))
    true, plain = np.mean(wrong), np.mean([value for value, _ in values])
    total, mean = horvitz_thompson(values, len(said)), hajek(values)
    assert plain - true > 0.07
    assert abs(total.mean - true) < 3 * total.error < 0.03
    assert abs(mean.mean - true) < 3 * mean.error < 0.04
