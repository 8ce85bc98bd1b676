"""What may lower review waits for another person, whichever way it comes."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import select

from reviewqueue.accounts import people
from reviewqueue.accounts.identity import actor_of_person
from reviewqueue.cli import main
from reviewqueue.core.db import read_session, write_session
from reviewqueue.errors import Conflict
from reviewqueue.models import AuditEvent, Notice, QueueVersion
from reviewqueue.models.states import NoticeKind, SiteRole
from reviewqueue.queues.applying import apply, confirm
from tests.fixtures.people import INTENTS, OPERATOR, PASSWORD

FOUR_EYES = {**INTENTS, "audit": {"rate": 0.05}, "two_persons": True}
LESS = {**FOUR_EYES, "audit": {"rate": 0.01}}
MORE = {**FOUR_EYES, "audit": {"rate": 0.5}}


@pytest.fixture
def second(app, cast):
    """Another administrator, as an actor."""
    with app.app_context():
        with write_session() as session:
            apply(session=session, actor=OPERATOR, document=FOUR_EYES)
            made = people.create(
                session=session, actor=OPERATOR, email="second@example.org", name="Second", role=SiteRole.ADMIN,
                password=PASSWORD,
            )  # fmt: skip
        with read_session() as session:
            return actor_of_person(session, made.id)


def put(client, who, document):
    return client.put("/api/v1/queues/intents", json=document, headers=who.bearer)


def rows(app, query):
    with app.app_context(), read_session() as session:
        return list(session.scalars(query))


def rate(app):
    newest = rows(app, select(QueueVersion.document).order_by(QueueVersion.version.desc()))[0]
    return json.loads(newest)["audit"]["rate"]


def actions(app):
    return sorted(rows(app, select(AuditEvent.action).where(AuditEvent.action.like("queue.propos%"))))


def test_less_waits_for_another_person_and_more_does_not(app, client, cast, second, transaction):
    answer = put(client, cast.admin, LESS)
    assert (answer.status_code, answer.json["changed"], answer.json["lowers"]) == (202, False, ["audit"])
    assert rate(app) == 0.05
    assert put(client, cast.admin, LESS).json["proposal"] == answer.json["proposal"]
    other = put(client, cast.admin, {**LESS, "audit": {"rate": 0.0}})
    assert (other.status_code, other.json["code"]) == (409, "proposal_waits")
    address = f"/api/v1/queues/intents/proposals/{answer.json['proposal']}"
    own = client.post(f"{address}/confirmation", headers=cast.admin.bearer)
    assert (own.status_code, own.json["code"]) == (409, "yourself")
    assert rows(app, select(Notice.person_id).where(Notice.kind == NoticeKind.PROPOSED)) == [second.id]
    with transaction() as session:
        applied = confirm(session=session, actor=second, slug="intents", proposal_id=answer.json["proposal"])
    assert applied.changed
    assert rate(app) == 0.01
    over = client.post(f"{address}/withdrawal", headers=cast.admin.bearer)
    assert (over.status_code, over.json["code"]) == (409, "proposal_over")
    assert put(client, cast.admin, MORE).status_code == 200
    assert rate(app) == 0.5
    listed = client.get("/api/v1/queues/intents/proposals", headers=cast.auditor.bearer).json["proposals"]
    assert [each["state"] for each in listed] == ["applied"]
    assert actions(app) == ["queue.proposal_applied", "queue.proposed"]


def test_a_dry_run_says_so_and_keeps_nothing(client, cast, second):
    answer = client.put("/api/v1/queues/intents?dry_run=1", json=LESS, headers=cast.admin.bearer)
    assert (answer.status_code, answer.json["lowers"], answer.json["proposal"]) == (200, ["audit"], None)
    assert client.get("/api/v1/queues/intents/proposals", headers=cast.admin.bearer).json["proposals"] == []


def test_the_option_itself_does_not_go_with_one_person(client, cast, second):
    answer = put(client, cast.admin, {**FOUR_EYES, "two_persons": False})
    assert (answer.status_code, answer.json["lowers"]) == (202, ["two_persons"])


def test_another_version_supersedes_what_waits(app, client, cast, second, transaction):
    proposal = put(client, cast.admin, LESS).json["proposal"]
    assert put(client, cast.admin, MORE).status_code == 200
    with pytest.raises(Conflict) as refused, transaction() as session:
        confirm(session=session, actor=second, slug="intents", proposal_id=proposal)
    assert refused.value.code == "proposal_over"
    assert rate(app) == 0.5


def test_what_the_command_line_proposes_needs_two_people(app, client, cast, second, transaction, tmp_path, monkeypatch):
    file = tmp_path / "less.json"
    file.write_text(json.dumps(LESS))
    settings = app.config["SETTINGS"]
    monkeypatch.setenv("DATABASE_URL", settings.database_url)
    monkeypatch.setenv("REVIEWQUEUE_SECRET_KEY", settings.secret_key)
    monkeypatch.setenv("REVIEWQUEUE_DATA_DIR", str(settings.data_dir))
    with pytest.raises(SystemExit) as ended:
        main(["queues", "apply", str(file)], standalone_mode=False)
    assert ended.value.code == 3
    assert rate(app) == 0.05
    listed = client.get("/api/v1/queues/intents/proposals", headers=cast.admin.bearer).json["proposals"]
    address = f"/api/v1/queues/intents/proposals/{listed[0]['id']}/confirmation"
    first = client.post(address, headers=cast.admin.bearer)
    assert (first.status_code, first.json) == (202, {"applied": None})
    assert client.post(address, headers=cast.admin.bearer).json["code"] == "yourself"
    with transaction() as session:
        assert confirm(session=session, actor=second, slug="intents", proposal_id=listed[0]["id"]).version == 3
    assert rate(app) == 0.01


def test_the_page_shows_what_waits_to_confirm_or_refuse(app, client, cast, second):
    browsers = {}
    for email in (cast.admin.email, "second@example.org"):
        browsers[email] = app.test_client()
        assert browsers[email].post("/login", data={"email": email, "password": PASSWORD}).status_code == 303
    mine, theirs = browsers.values()
    form = {"document": json.dumps(LESS), "expected_version": "2", "note": "Too many"}
    assert "may lower review" in mine.post("/admin/queues/intents", data={**form, "what": "preview"}).text
    assert mine.post("/admin/queues/intents", data={**form, "what": "apply"}).status_code == 303
    page = mine.get("/admin/queues/intents").text
    assert "waits until another person confirms it" in page
    assert "Withdraw" in page
    assert "/confirmation" not in page
    page = theirs.get("/admin/queues/intents").text
    assert "audit.rate: 0.05 → 0.01" in page
    address = page.split("/proposals/")[1].split("/")[0]
    assert theirs.post(f"/admin/queues/intents/proposals/{address}/withdrawal").status_code == 303
    assert "Refused." in theirs.get("/admin/queues/intents").text
    assert rate(app) == 0.05
    assert mine.post("/admin/queues/intents", data={**form, "what": "apply"}).status_code == 303
    page = theirs.get("/admin/queues/intents").text
    address = page.split("/proposals/")[1].split("/")[0]
    assert theirs.post(f"/admin/queues/intents/proposals/{address}/confirmation").status_code == 303
    assert rate(app) == 0.01
    assert actions(app) == ["queue.proposal_applied", "queue.proposal_refused", "queue.proposed", "queue.proposed"]
