"""Simulation: a configuration on the items that came, by rule, against what became of them and how people judged."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from sqlalchemy import func, select

from reviewqueue.adapters.trying import simulate as command
from reviewqueue.errors import NotFound
from reviewqueue.models import Item, QueueVersion
from tests.desk_steps import decide
from tests.fixtures.people import INTENTS, item

BOLD: dict[str, Any] = {
    **INTENTS,
    "routing": {
        "rules": [
            {"when": "risk == 'high'", "action": "review", "title": "High risk"},
            {"when": "confidence < 0.3", "action": "review", "title": "Very unsure"},
            {"when": "model_version == '6'", "action": "refuse", "title": "Old model"},
        ],
        "otherwise": "auto_approve",
    },
    "audit": {"rate": 1.0},
}


@pytest.fixture
def history(client, cast):
    """For people: one of high risk, approved; one approved, one overridden, one waiting. Two that passed; a test."""
    sent = [
        item(1, confidence=0.5), item(2, confidence=0.6), item(3, confidence=0.2), item(4, risk="high", confidence=0.5),
        item(5, confidence=0.99), item(6, model_version="6", confidence=0.9), item(7, test=True),
    ]  # fmt: skip
    answers = [client.post("/api/v1/items", json=body, headers=cast.submitter.bearer).json for body in sent]
    decide(client, cast.alice, verdict="approve")  # of high risk, the most urgent
    decide(client, cast.alice, verdict="approve")
    decide(client, cast.carol, verdict="override", output={"label": "refund"})
    return answers


@pytest.fixture
def simulate(client, cast):
    def simulate(document: Any = None, query: str = "") -> Any:
        path = f"/api/v1/queues/intents/simulations{query}"
        if document is None:
            return client.post(path, headers=cast.lead.bearer)
        return client.post(path, json=document, headers=cast.lead.bearer)

    return simulate


def test_it_says_by_rule_what_would_have_become_of_what_came(simulate, history):
    found = simulate(BOLD).json
    assert (found["items"], found["complete"], found["last"]) == (6, True, "30d")
    assert found["before"] == {"review": 4, "auto_approve": 2, "refuse": 0}
    assert found["then"] == {"review": 2, "auto_approve": 3, "refuse": 1}
    assert (found["freed"], found["agreed"], found["changed"], found["added"]) == (2, 1, 1, 0)
    assert (found["audits"], found["unfit"]) == (3, 0)
    assert (found["freed_judged"], found["judged"], found["audited"]) == (2, 2, 0)
    assert found["examples"] == [history[1]["id"]]
    rules = {rule["title"]: rule for rule in found["rules"]}
    assert rules["High risk"]["verdicts"]["approve"] == 1
    assert (rules["Old model"]["action"], rules["Old model"]["before"]["auto_approve"]) == ("refuse", 1)
    passes = rules["What no rule decides passes"]
    assert (passes["rule"], passes["items"], passes["before"]) == (
        None, 3, {"review": 2, "auto_approve": 1, "refuse": 0},
    )  # fmt: skip


def test_the_present_configuration_gives_what_was(simulate, history):
    found = simulate().json
    assert found["then"] == found["before"]
    assert (found["freed"], found["added"], found["changed"]) == (0, 0, 0)


def test_it_changes_nothing(simulate, history, transaction):
    simulate(BOLD)
    with transaction() as session:
        assert session.scalar(select(func.count()).select_from(QueueVersion)) == 1
        assert session.scalar(select(func.count()).select_from(Item)) == 7


def test_it_looks_at_the_newest_and_says_that_there_are_more(simulate, history):
    found = simulate(BOLD, "?most=2").json
    assert (found["items"], found["complete"]) == (2, False)
    assert simulate(BOLD, "?most=6").json["complete"] is True


def test_items_that_do_not_fit_are_told_apart(simulate, history):
    schema = {"type": "object", "properties": {"label": {"enum": ["refund"]}}}
    found = simulate({**BOLD, "output_schema": schema}).json
    assert (found["unfit"], found["then"]["refuse"]) == (6, 6)
    found = simulate({**BOLD, "output_schema": schema, "on_invalid_output": "review"}).json
    assert (found["unfit"], found["then"]["review"]) == (0, 5)


@pytest.mark.parametrize(
    ("query", "document"),
    [
        ("?last=30", None), ("?last=0d", None), ("?most=0", None), ("?most=x", None), ("?most=50001", None),
        ("", {**BOLD, "name": "other"}), ("", {"name": "intents"}),
    ],
)  # fmt: skip
def test_what_it_cannot_do_it_says(simulate, history, query, document):
    answer = simulate(document, query)
    assert answer.status_code == 422
    assert answer.json["detail"]


@pytest.fixture
def run(app):
    def run(*arguments: Any) -> Any:
        with app.app_context():
            return CliRunner().invoke(command, [str(argument) for argument in arguments])

    return run


@pytest.fixture
def bold(tmp_path):
    path = tmp_path / "bold.yaml"
    path.write_text(yaml.safe_dump(BOLD))
    return path


def test_the_command_tries_a_configuration_on_what_came_and_counts_against_what_was_judged(run, history, bold):
    told = [line.strip() for line in run(bold, "--last", "12h").output.splitlines()]
    assert "would go to people: 5 (2 by rules, 3 audits of what passes)" in told
    assert "went to people: 4 (4 by rules, 0 audits of what passes)" in told
    assert "would pass: 3" in told
    assert "would be refused: 1, of which 0 do not fit the schemas" in told
    assert "went to people by rules, and would pass: 2; approved: 1 of the 2 that somebody judged" in told
    assert any(
        line.startswith("changed or rejected by people, and would pass: 1 of the 2 that somebody judged: ")
        for line in told
    )
    assert json.loads(run("--queue", "intents", "--json").output)["freed"] == 0
    assert run().exit_code == 2


def test_the_command_takes_a_file_as_submit_does(run, cast, bold, tmp_path):
    items = tmp_path / "items.jsonl"
    lines: list[Any] = [item(1), item(2, confidence=0.1), {**item(3), "output": {"label": "nonsense"}}]
    lines += [{**item(4), "confidence": 7}, {**item(5), "queue": "other"}, {"input": 1}]
    items.write_text("\n".join(map(json.dumps, lines)) + "\n\n{\n")
    answer = run(bold, items, "--json")
    found = json.loads(answer.stdout)
    assert (found["items"], found["refused"], found["last"], found["unfit"]) == (3, 4, None, 1)
    assert found["then"] == {"review": 1, "auto_approve": 1, "refuse": 1}
    told = answer.stderr.splitlines()
    assert [line.partition(":")[0] for line in told] == ["line 3", "line 4", "line 5", "line 6", "line 8"]
    assert "/output/label" in told[0]
    assert told[4].endswith("at column 2.")
    assert found["before"] == {"review": 2, "auto_approve": 0, "refuse": 0}, "by the present configuration"
    assert (found["freed"], found["added"]) == (1, 0)
    told = [line.strip() for line in run(bold, items).stdout.splitlines()]
    assert "left aside: 4 lines that are no items" in told
    assert "go to people at present: 2 (2 by rules, 0 audits of what passes)" in told
    assert "go to people by rules at present, and would pass: 1" in told


def test_a_table_is_taken_and_the_queue_need_not_be_there_yet(run, cast, tmp_path):
    document, items = tmp_path / "new.yaml", tmp_path / "items.csv"
    document.write_text(yaml.safe_dump({**BOLD, "name": "brand-new"}))
    items.write_text("text,output.label,confidence\nWhere is it?,lost_card,0.9\nHm,refund,0.1\n")
    found = json.loads(run(document, items, "--json").stdout)
    assert (found["queue"], found["version"], found["items"]) == ("brand-new", 0, 2)
    assert found["then"] == {"review": 1, "auto_approve": 1, "refuse": 0}
    assert found["before"] == {"review": 0, "auto_approve": 0, "refuse": 0}
    missing = run(document).exception
    assert isinstance(missing, NotFound)
    assert "'brand-new'" in missing.message


def test_the_page_shows_it(app, cast, history):
    browser = app.test_client()
    browser.post("/login", data={"email": cast.admin.email, "password": cast.admin.password})
    form = {"document": json.dumps(BOLD), "what": "simulate", "expected_version": "1"}
    page = browser.post("/admin/queues/intents", data=form).text
    assert "1 that people changed or rejected would pass, of the 2 that somebody judged" in " ".join(page.split())
    assert "Very unsure" in page
