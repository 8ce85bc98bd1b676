"""A queue's figures: by day, version, rule and label, weighted where audits are in them, on a page and as CSV."""

from __future__ import annotations

import csv
import io

import pytest
from scipy.stats import binomtest
from sqlalchemy import text

from reviewqueue.insights.figures import Lens, figures
from tests.fixtures.people import PASSWORD
from tests.insights.populating import judged


@pytest.fixture
def populated(transaction, cast):
    """Reviewed: 20 of version 7, 8 changed, and 10 of version 8, 1 rejected. Audited at 1 in 10: 10, 1 wrong."""
    with transaction() as session:
        add = lambda **given: judged(session, cast.queue_id, **given)  # noqa: E731
        add(count=12, ago=2)
        add(count=8, ago=1, answer="refund", in_time=False)
        add(count=9, version="8", label="refund", rule="High risk")
        add(count=1, version="8", label="refund", answer=None, rule="High risk")
        add(count=9, audit_sample=True, probability=0.1, rule="otherwise")
        add(count=1, audit_sample=True, probability=0.1, answer="=refund", rule="otherwise")
        add(count=5, ago=100, answer="refund")
        # Nobody drew these: somebody asked to have them judged once more.
        add(count=3, probability=0.1, answer="refund", rule="Reopened")


def test_they_are_counted_and_weighted(transaction, cast, populated):
    with transaction() as session:
        found = figures(session=session, actor=cast.analyst.actor, slug="intents", lens=Lens())
        rejected, of_version = found.rejected, Lens(version="8")
        narrowed = figures(session=session, actor=cast.analyst.actor, slug="intents", lens=of_version)
        year = figures(session=session, actor=cast.analyst.actor, slug="intents", lens=Lens(days=365))
    assert (found.changed.met, found.changed.of) == (10, 40)
    expected = binomtest(10, 40).proportion_ci(method="wilson")
    assert (found.changed.low, found.changed.high) == pytest.approx((expected.low, expected.high))
    assert found.of_all.value == pytest.approx((9 + 10) / (30 + 100)), "each audit stands for ten items"
    assert found.of_all.low < found.of_all.value < found.of_all.high
    assert (found.passed_wrong.met, found.passed_wrong.of, found.passed_wrong.value) == (1, 10, pytest.approx(0.1))
    assert (rejected.met, found.in_time.met) == (1, 32)
    assert {group.name: (group.changed.met, group.changed.of) for group in found.versions} == {
        "7": (9, 30), "8": (1, 10),
    }  # fmt: skip
    assert [day.changed.of for day in found.days][-3:] == [12, 8, 20]
    assert len(found.days) == 30
    assert found.confusion is not None
    assert found.confusion.counts["lost_card", "refund"] == 11
    assert found.confusion.counts["refund", "rejected"] == 1
    assert (narrowed.changed.met, narrowed.changed.of) == (1, 10)
    assert year.changed.of == 45


def test_the_page_and_its_tables(client, cast, populated):
    client.post("/login", data={"email": cast.analyst.email, "password": PASSWORD})
    page = client.get("/queues/intents/insights?days=7&version=7")
    assert page.status_code == 200
    assert "30.0 %" in page.text
    assert "<svg" in page.text
    answer = client.get("/queues/intents/insights?csv=confusion")
    assert answer.mimetype == "text/csv"
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert {row["the_model_said"]: row["refund"] for row in rows} == {"lost_card": "11", "refund": "9", "'=refund": "0"}
    assert rows[0]["'=refund"] == "0", "no spreadsheet runs what an answer says"
    days = list(csv.DictReader(io.StringIO(client.get("/queues/intents/insights?csv=versions").text)))
    assert [(row["version"], row["changed_met"], row["changed_of"]) for row in days] == [
        ("7", "9", "30"),
        ("8", "1", "10"),
    ]
    for wrong in ("days=8", "csv=nothing"):
        assert client.get(f"/queues/intents/insights?{wrong}").status_code == 422


def test_figures_read_narrow_rows_by_an_index(transaction, cast, database):
    with transaction() as session:
        judged(session, cast.queue_id, count=3)
        statement = "SELECT day, count(*) FROM judged_item WHERE queue_id = :queue AND day >= :day GROUP BY day"
        prefix = "EXPLAIN QUERY PLAN" if database == "sqlite" else "EXPLAIN"
        if database == "postgresql":
            session.execute(text("SET LOCAL enable_seqscan = off"))
        values = {"queue": cast.queue_id.replace("-", ""), "day": "2026-01-01"}
        plan = " ".join(str(row) for row in session.execute(text(f"{prefix} {statement}"), values))
    assert "ix_judged_item_queue_id_day" in plan
