"""What is logged: the numbers of a request and of what it is about, and never what an item holds."""

from __future__ import annotations

import json
import logging

import pytest

from reviewqueue import config
from reviewqueue.core import logs
from tests.fixtures.people import item


@pytest.fixture
def lines():
    """The objects that are logged, as JSON; as `logs.to_stderr("json")` sets it up."""
    found: list[dict] = []
    handler = logging.Handler()
    handler.emit = lambda record: found.append(json.loads(handler.format(record)))
    handler.setFormatter(logs.JsonFormatter())
    root, level, disabled = logging.getLogger(), logging.getLogger().level, logs.requests.disabled
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    logs.requests.disabled = False
    yield found
    root.removeHandler(handler)
    root.setLevel(level)
    logs.requests.disabled = disabled


def test_a_request_is_a_line_with_its_number_and_the_items(app, client, cast, lines):
    made = client.post("/api/v1/items", json=item(1), headers=cast.submitter.bearer)
    lines.clear()
    headers = {**cast.submitter.bearer, "X-Request-Id": "order-4711"}
    answer = client.get(f"/api/v1/items/{made.json['id']}", headers=headers)
    assert answer.headers["X-Request-Id"] == "order-4711"
    [line] = [line for line in lines if line["logger"] == "reviewqueue.requests"]
    assert (line["request_id"], line["item_id"], line["route"]) == (
        "order-4711", made.json["id"], "/api/v1/items/<item_id>",
    )  # fmt: skip
    assert (line["method"], line["status"], line["level"]) == ("GET", 200, "info")
    assert line["ms"] > 0


@pytest.mark.parametrize("given", ["", "two words", "a" * 101, "line\tfeed", "naïve"])
def test_a_number_that_could_spoil_a_log_is_replaced(client, given):
    answer = client.get("/healthz", headers={"X-Request-Id": given})
    assert answer.headers["X-Request-Id"] not in {given, ""}
    assert len(answer.headers["X-Request-Id"]) == 36


def test_an_error_has_the_number_of_its_request_and_no_content(app, client, cast, lines, monkeypatch):
    def fail(*_args, **_options):
        raise ValueError("the item says SECRET")

    monkeypatch.setattr("reviewqueue.intake.api.submit", fail)
    body = item(1, input={"text": "SECRET"})
    answer = client.post("/api/v1/items", json=body, headers={**cast.submitter.bearer, "X-Request-Id": "r-1"})
    assert answer.status_code == 500
    [line] = [line for line in lines if line["level"] == "error"]
    assert (line["error"], line["request_id"]) == ("ValueError", "r-1")
    assert line["at"][-1].endswith(" fail")
    assert "SECRET" not in json.dumps(lines)


def test_a_line_about_a_job_says_which(lines):
    with logs.about(job="somewhere.work", rows=[7]):
        logging.getLogger("reviewqueue.test").warning("so far")
    logging.getLogger("reviewqueue.test").warning("after")
    inside, after = (line for line in lines if line["logger"] == "reviewqueue.test")
    assert (inside["job"], inside["rows"]) == ("somewhere.work", [7])
    assert "job" not in after


def test_what_a_statement_was_given_is_no_part_of_an_error(app, cast):
    from sqlalchemy import text
    from sqlalchemy.exc import DBAPIError

    from reviewqueue.core.db import write_session

    with app.app_context(), pytest.raises(DBAPIError) as refused, write_session() as session:
        session.execute(text("SELECT nothing FROM queue WHERE slug = :slug"), {"slug": "SECRET"})
    assert "SECRET" not in str(refused.value)


def test_the_format_is_one_of_two(tmp_path):
    assert config.load({"REVIEWQUEUE_DATA_DIR": str(tmp_path)}).log_format == "text"
    with pytest.raises(config.BadSetting, match="text or json"):
        config.load({"REVIEWQUEUE_DATA_DIR": str(tmp_path), "REVIEWQUEUE_LOG_FORMAT": "xml"})
