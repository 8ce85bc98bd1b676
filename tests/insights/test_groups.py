"""Fairness: its maths against scipy and scikit-learn, small groups hidden, and a page of the declared metadata."""

from __future__ import annotations

import random

import pytest
from scipy import stats
from sklearn.metrics import confusion_matrix

from reviewqueue.insights.groups import Case, _normal, compared, gap
from reviewqueue.queues.applying import apply
from tests.fixtures.people import INTENTS, OPERATOR, PASSWORD
from tests.insights.populating import judged


def cases(group, items, *, wrong=0, favoured=0):
    return [Case(group, n < wrong, n < favoured, n % 2 == 0) for n in range(items)]


def test_the_gap_is_newcombes():
    """Newcombe 1998, table II: 56/70 against 48/80, method 10."""
    assert gap(56, 70, 48, 80) == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-5)
    assert _normal(0.975) == pytest.approx(stats.norm.ppf(0.975))
    assert _normal(1 - 0.05 / 24) == pytest.approx(stats.norm.ppf(1 - 0.05 / 24))


def test_rates_are_those_of_scikit_learns_confusion():
    draw = random.Random(4)
    made = [Case(draw.choice("ab"), draw.random() < 0.2, draw.random() < 0.6, draw.random() < 0.5) for _ in range(400)]
    found = {group.name: group for group in compared(made, smallest=30).groups}
    for name in "ab":
        mine = [case for case in made if case.group == name]
        truth, said = [case.deserved for case in mine], [case.favourable for case in mine]
        (tn, fp), (fn, tp) = confusion_matrix(truth, said)
        assert found[name].true_positive.value == pytest.approx(tp / (tp + fn))
        assert found[name].false_positive.value == pytest.approx(fp / (fp + tn))
        assert found[name].favourable.value == pytest.approx(sum(said) / len(said))


@pytest.mark.parametrize("weights", [(1.0,), (1.0, 4.0, 20.0)], ids=["alike", "audited"])
def test_rates_and_their_largest_difference_are_those_of_fairlearn(weights):
    from fairlearn import metrics

    draw = random.Random(6)
    made = [
        Case(draw.choice("abc"), draw.random() < 0.2, draw.random() < 0.6, draw.random() < 0.5, draw.choice(weights))
        for _ in range(600)
    ]
    groups, weight = [case.group for case in made], [case.weight for case in made]
    truth, said = [int(case.deserved) for case in made], [int(case.favourable) for case in made]
    told = {"favourable": metrics.selection_rate, "true_positive": metrics.true_positive_rate,
            "false_positive": metrics.false_positive_rate}  # fmt: skip
    frame = metrics.MetricFrame(
        metrics=told, y_true=truth, y_pred=said, sensitive_features=groups,
        sample_params={name: {"sample_weight": weight} for name in told},
    )  # fmt: skip
    found = {group.name: group for group in compared(made, smallest=30).groups}
    for name, group in found.items():
        assert {measure: getattr(group, measure).value for measure in told} == pytest.approx(
            frame.by_group.loc[name].to_dict()
        )
    shares = [group.favourable.value for group in found.values()]
    expected = metrics.demographic_parity_difference(
        truth, said, sensitive_features=groups, sample_weight=weight
    )  # fmt: skip
    assert max(shares) - min(shares) == pytest.approx(expected)


def test_a_group_that_is_sent_to_people_more_often_does_not_look_worse():
    def stream(group, reviewed):
        """Of doubtful items half are wrong, and of sure ones, of which one in ten is audited, one in ten."""
        doubtful = [Case(group, n % 2 == 0, None, None) for n in range(reviewed)]
        return [*doubtful, *(Case(group, n % 10 == 0, None, None, 10.0) for n in range(100))]

    alike = compared([*stream("a", 200), *stream("b", 200)], smallest=30)
    assert [group.changed.value for group in alike.groups] == pytest.approx([(100 + 100) / 1200] * 2)
    skewed = [*stream("a", 200), *(Case("b", n % 10 == 0, None, None, 10.0) for n in range(100))]
    found = {group.name: group.changed for group in compared(skewed, smallest=30).groups}
    assert found["a"].value == pytest.approx(200 / 1200)
    assert (found["a"].met, found["a"].of) == (110, 300), "what it was counted from"
    assert found["b"].value == pytest.approx(0.1)


def test_only_what_is_certain_after_looking_at_all_gaps_is_marked():
    unequal = compared([*cases("a", 200, wrong=20), *cases("b", 200, wrong=80)], smallest=30)
    assert {(one.group, one.measure) for one in unequal.gaps if one.certain} == {("a", "changed"), ("b", "changed")}
    draw, marked = random.Random(9), 0
    for _ in range(200):
        made = [
            Case(draw.choice("abc"), draw.random() < 0.2, draw.random() < 0.5, draw.random() < 0.5) for _ in range(600)
        ]
        marked += any(one.certain for one in compared(made, smallest=30).gaps)
    assert marked / 200 <= 0.08, "of queues where all are alike"


def test_small_groups_are_hidden_and_cannot_be_had_by_subtraction():
    found = compared([*cases("a", 200), *cases("b", 90), *cases("c", 12)], smallest=30)
    assert [(group.name, group.items) for group in found.groups] == [("a", 200), ("b, with smaller groups", 102)]
    assert (found.suppressed, found.suppressed_items, found.judged) == (1, 12, 302)
    many = compared([*cases("a", 200), *cases("b", 20), *cases("c", 15)], smallest=30)
    assert [group.name for group in many.groups] == ["a"], "what is left over is large enough"
    assert compared([], smallest=30).groups == []


@pytest.fixture
def declared(transaction, cast):
    with transaction() as session:
        fairness = {"metadata": ["country", "channel"], "favourable": ["refund"], "smallest_group": 20}
        apply(session=session, actor=OPERATOR, document={**INTENTS, "fairness": fairness})
        judged(session, cast.queue_id, count=60, metadata={"country": "DE"})
        judged(session, cast.queue_id, count=30, answer="refund", metadata={"country": "FR"})
        judged(session, cast.queue_id, count=30, metadata={"country": "FR"})
        judged(session, cast.queue_id, count=20, label="refund", metadata={"country": "DE"})
        judged(session, cast.queue_id, count=3, metadata={"country": "<Malta>"})
        judged(session, cast.queue_id, count=2, metadata={"country": "<Monaco>"})
        judged(session, cast.queue_id, count=4, metadata={"country": {"not": "a word"}})


def test_the_page_shows_declared_metadata_alone(client, cast, declared):
    client.post("/login", data={"email": cast.analyst.email, "password": PASSWORD})
    page = client.get("/queues/intents/fairness")
    assert page.status_code == 200
    assert "Malta" not in page.text
    assert "2 groups of fewer than 20" in page.text
    rows = client.get("/queues/intents/fairness?csv=groups-country").text.splitlines()
    assert [row.split(",")[:3] for row in rows[1:]] == [["DE", "80", "0.0"], ['"FR', ' with smaller groups"', "65"]]
    gaps = client.get("/queues/intents/fairness?csv=gaps-country").text
    assert '"FR, with smaller groups",True positives,-1.0' in gaps
    assert client.get("/queues/intents/fairness?csv=groups-secret").status_code == 422


def test_without_a_declaration_nothing_is_sliced(client, cast, transaction):
    with transaction() as session:
        judged(session, cast.queue_id, count=60, metadata={"country": "Malta"})
    client.post("/login", data={"email": cast.admin.email, "password": PASSWORD})
    page = client.get("/queues/intents/fairness").text
    assert "fairness:" in page
    assert "Malta" not in page
