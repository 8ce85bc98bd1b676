"""The month in figures: what counts, and that the page says it and nothing else."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner
from sqlalchemy import update

from reviewqueue import cli
from reviewqueue.core.db import read_session, write_session
from reviewqueue.errors import Forbidden, Invalid
from reviewqueue.insights import commands, report
from reviewqueue.models import Item, Queue
from reviewqueue.review.agreement import share
from tests.fixtures.people import item

HOSTILE = '<script>alert(1)</script> & "Intents"'


@pytest.mark.parametrize("text", ["2026-13", "2026-1", "26-11", "2026-11-01", "١٢٣٤-11", ""])
def test_what_is_no_month_is_refused(text):
    with pytest.raises(Invalid):
        report.month_of(text)


def test_a_month_knows_its_neighbours():
    december = report.month_of("2026-12")
    assert december.ends == datetime(2027, 1, 1, tzinfo=UTC)
    assert str(report.month_of("2027-01").before) == "2026-12"


def decide(client, member, verdict, **more):
    claim = client.post("/api/v1/queues/intents/claims", headers=member.bearer).json["claim"]
    body = {"fence": claim["fence"], "verdict": verdict, **more}
    assert client.post(f"/api/v1/claims/{claim['id']}/decision", json=body, headers=member.bearer).status_code == 200


@pytest.fixture
def worked(app, client, cast):
    """Of six items two pass, one is a try, three are decided, one of them late."""

    def send(number, **changes):
        answer = client.post("/api/v1/items", json=item(number, **changes), headers=cast.submitter.bearer)
        assert answer.status_code == 201
        return answer.json["id"]

    late = [send(2), send(1), send(0)].pop()
    send(3, confidence=0.9)
    send(4, confidence=0.95)
    send(5, confidence=0.95, test=True)
    with app.app_context(), write_session() as session:
        session.execute(update(Item).where(Item.id == late).values(due_at=datetime(2020, 1, 1, tzinfo=UTC)))
        session.execute(update(Queue).values(title=HOSTILE))
    decide(client, cast.alice, "approve", spent_seconds=4.0)
    decide(client, cast.carol, "override", output={"label": "refund"}, spent_seconds=6.0)
    decide(client, cast.alice, "reject", reason="unusable", spent_seconds=20.0)
    today = datetime.now(UTC)
    return report.Month(today.year, today.month)


def test_the_figures_are_those_of_the_month(app, cast, worked):
    with app.app_context(), read_session() as session:
        found = report.report(session=session, actor=cast.admin.actor, month=worked)
        assert report.report(session=session, actor=cast.auditor.actor, month=worked.before).queues == []
        with pytest.raises(Forbidden):
            report.report(session=session, actor=cast.bob.actor, month=worked)
    [queue] = found.queues
    for one in (queue, found.total):
        assert (one.items, one.automatic) == (5, share(2, 5))
        assert (one.decisions, one.reviewers, one.overridden) == (3, 2, share(2, 3))
        assert one.in_time == share(2, 3)
        assert one.seconds_each == 6.0
        assert one.hours == pytest.approx(30 / 3600)
    assert not found.complete
    assert found.before.items == 0


def test_the_page_needs_nothing_and_escapes_everything(app, cast, worked):
    with app.app_context(), read_session() as session:
        text = commands.page(report.report(session=session, actor=cast.admin.actor, month=worked))
    assert "<script" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; &#34;Intents&#34;" in text
    assert re.findall(r'(?:src|href|action)="(?!data:)|url\(|https?:', text) == []
    assert "66.7 %" in text
    assert "20.8 to 93.9 %, of 3" in text
    assert "40.0 %" in text


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_the_command_writes_the_page(settings, worked, tmp_path, monkeypatch):
    for name, value in (("REVIEWQUEUE_DATA_DIR", settings.data_dir), ("DATABASE_URL", settings.database_url)):
        monkeypatch.setenv(name, str(value))
    monkeypatch.setenv("REVIEWQUEUE_SECRET_KEY", settings.secret_key)
    monkeypatch.chdir(tmp_path)
    runner = CliRunner()
    done = runner.invoke(cli.main, ["report", "--month", str(worked)])
    assert (done.exit_code, done.output) == (0, f"reviewqueue-{worked}.html: 5 items, 3 decisions\n")
    assert "<h1>" in (tmp_path / f"reviewqueue-{worked}.html").read_text()
    printed = json.loads(runner.invoke(cli.main, ["report", "--month", str(worked), "--json"]).stdout)
    assert printed["queues"][0]["overridden"] == {"met": 2, "of": 3, "low": 0.2077, "high": 0.9385}
    assert runner.invoke(cli.main, ["report", "--month", "soon"]).exit_code == 1
