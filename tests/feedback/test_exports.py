"""Exports: what is in them, exactly, and how they are written."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil

import pandas
import pytest
from sqlalchemy import select, text, update
from sqlalchemy.orm import Session

from reviewqueue.core.background import run
from reviewqueue.core.db import db, read_session, write_session
from reviewqueue.feedback import building, exports, storage
from reviewqueue.models import AuditEvent, DatasetShard, DatasetVersion, Item, OutboxRow, Person
from reviewqueue.queues.applying import apply
from tests.desk_steps import decide, submit
from tests.fixtures.people import INTENTS, OPERATOR, item


def _work(app, topic, handler):
    # A context of its own: one that stays open would be shared by the requests.
    with app.app_context():
        with write_session() as session:
            ids = list(session.scalars(select(OutboxRow.id).where(OutboxRow.topic == topic)))
        return run(f"reviewqueue.feedback.jobs.{handler}", ids, long=True)


def _export(client, cast, app, **body):
    answer = client.post("/api/v1/exports", json={"queue": "intents", **body}, headers=cast.anna.bearer)
    assert answer.status_code == 202, answer.json
    assert _work(app, "export.plan", "plan") == 1
    assert _work(app, "export.shard", "write_shard") >= 1
    return client.get(answer.headers["Location"], headers=cast.anna.bearer).json


def _text(client, cast, export, place=0):
    path = f"/api/v1/exports/{export['id']}/files/{export['files'][place]['name']}"
    with client.get(path, headers=cast.anna.bearer) as answer:
        assert answer.status_code == 200
        return answer.data


@pytest.fixture
def decided(client, cast, app):
    """An override, a rejection, an agreeing and a differing audit; and one item that nobody has seen."""
    with app.app_context(), write_session() as session:
        apply(session=session, actor=OPERATOR, document={**INTENTS, "audit": {"rate": 1.0}})
    submit(client, cast, number=1, external_id="changed")
    decide(client, cast.alice, output={"label": "refund"}, comment="=1+1", spent_seconds=4.5)
    submit(client, cast, number=2, external_id="rejected")
    decide(client, cast.carol, verdict="reject", reason="two_intents")
    submit(client, cast, number=3, external_id="agreed", confidence=0.95)
    decide(client, cast.alice, verdict="approve")
    submit(client, cast, number=4, external_id="revised", confidence=0.95)
    decide(client, cast.alice, output={"label": "refund"})
    submit(client, cast, number=5, external_id="waiting")
    submit(client, cast, number=6, external_id="trial", test=True)


def test_it_holds_what_people_decided_and_the_audits_that_agreed(client, cast, app, decided):
    export = _export(client, cast, app)
    records = {row["external_id"]: row for row in map(json.loads, _text(client, cast, export).splitlines())}
    assert set(records) == {"changed", "rejected", "agreed", "revised"}
    changed = records["changed"]
    with app.app_context(), write_session() as session:
        alice = session.scalar(select(Person.pseudonym).where(Person.id == cast.alice.id))
    assert changed["record"] == "reviewqueue.feedback/1"
    assert changed["resolution"]["verdict"] == "override"
    assert changed["resolution"]["output"] == {"label": "refund"}
    assert changed["parts"] == [{"pointer": "/label", "was": "lost_card", "now": "refund", "state": "changed"}]
    assert changed["decisions"][0]["reviewer"] == alice
    assert changed["decisions"][0]["spent_seconds"] == 4.5
    assert changed["sampling"] == {"rule": 2, "audit_sample": False, "probability": 1.0, "weight": 1.0}
    assert records["rejected"]["resolution"]["output"] is None
    assert (records["agreed"]["resolution"]["by"], len(records["agreed"]["decisions"])) == ("routing", 1)
    assert records["agreed"]["sampling"]["audit_sample"] is True
    assert (records["revised"]["resolution"]["by"], records["revised"]["resolution"]["revision"]) == ("people", 2)


def test_content_keeps_its_digits_and_its_order(client, cast, app):
    text = json.dumps(item(), indent=1)[:-1] + ', "metadata": {"z": 12345678901234567890, "a": 1.10}}'
    sent = client.post("/api/v1/items", data=text, content_type="application/json", headers=cast.submitter.bearer)
    assert sent.status_code == 201
    decide(client, cast.alice, verdict="approve")
    assert b'"metadata":{"z": 12345678901234567890, "a": 1.10}' in _text(client, cast, _export(client, cast, app))


def test_content_sent_over_several_lines_is_one_line(client, cast, app):
    text = json.dumps(item(input={"text": "one\ntwo"}), indent=1).replace("\n", "\r\n")
    sent = client.post("/api/v1/items", data=text, content_type="application/json", headers=cast.submitter.bearer)
    assert sent.status_code == 201
    decide(client, cast.alice, verdict="approve")
    data = _text(client, cast, _export(client, cast, app))
    assert data.count(b"\n") == 1
    assert b"\r" not in data
    assert json.loads(data)["input"] == {"text": "one\ntwo"}


def test_a_filter_is_taken_at_its_word(client, cast, app, decided):
    export = _export(client, cast, app, filter={"by": ["people"], "verdicts": ["override"]})
    names = [json.loads(line)["external_id"] for line in _text(client, cast, export).splitlines()]
    assert names == ["changed", "revised"]


def test_the_manifest_counts_and_digests_every_file(client, cast, app, decided):
    export = _export(client, cast, app)
    data, file = _text(client, cast, export), export["manifest"]["files"][0]
    assert file["sha256"] == hashlib.sha256(data).hexdigest()
    assert (file["rows"], file["bytes"], export["manifest"]["count"]) == (4, len(data), 4)
    assert json.loads(_text(client, cast, export, 1)) == export["manifest"]


def test_pandas_loads_both_formats_and_a_spreadsheet_runs_nothing(client, cast, app, decided):
    frame = pandas.read_json(io.BytesIO(_text(client, cast, _export(client, cast, app))), lines=True)
    assert len(frame) == 4
    table = pandas.read_csv(io.BytesIO(_text(client, cast, _export(client, cast, app, format="csv"))))
    assert table.set_index("external_id").loc["changed", "comment"] == "'=1+1"


def test_it_is_cut_into_shards_and_each_item_is_in_one(client, cast, app, decided, monkeypatch):
    monkeypatch.setattr(building.selection, "SHARD_ROWS", 2)
    monkeypatch.setattr(building.selection, "PAGE", 1)
    export = _export(client, cast, app)
    lines = [
        line for place in range(len(export["files"]) - 1) for line in _text(client, cast, export, place).splitlines()
    ]
    assert len(export["files"]) > 2
    assert sorted(json.loads(line)["external_id"] for line in lines) == ["agreed", "changed", "rejected", "revised"]


def test_a_page_after_large_items_has_few(cast, app, decided, monkeypatch):
    monkeypatch.setattr(building.selection, "PAGE", 20)
    monkeypatch.setattr(building.selection, "PAGE_CHARACTERS", 1)
    with app.app_context():
        export_id, found, after = _ask(cast), [], ""
        with read_session() as session:
            pages = building.selection.Pages(session.get(DatasetVersion, export_id))
            while after is not None:
                rows, after = pages.read(session, after or None, None)
                found.append(len(rows))
    assert [rows for rows in found if rows] == [2, 1, 1]


def test_a_job_that_comes_twice_changes_nothing(client, cast, app, decided):
    export = _export(client, cast, app)
    before = _text(client, cast, export)
    with app.app_context():
        with write_session() as session:
            shard_id = session.scalar(select(DatasetShard.id))
            building.plan(export["id"], renew=lambda: None)
        building.write_shard(shard_id, renew=lambda: None)
    assert _text(client, cast, export) == before
    with app.app_context(), write_session() as session:
        assert session.scalar(select(DatasetVersion.state)) == "ready"


def _ask(cast):
    with write_session() as session:
        return exports.request_export(session=session, actor=cast.anna.actor, queue="intents")


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_a_plan_waits_for_transactions_that_are_older_than_the_export(cast, app, decided):
    """Their resolutions carry a time before `as_of`, and are seen only when they commit. Asking waits for nobody."""
    with app.app_context(), Session(db.engine) as writer:
        writer.execute(update(Item).where(Item.external_id == "rejected").values(cost=1.0))
        export_id = _ask(cast)
        waited = []

        def commit_after_a_while():
            waited.append(1)
            if len(waited) == 3:
                writer.commit()

        building.plan(export_id, renew=commit_after_a_while)
        assert len(waited) == 3


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_to_ask_for_an_export_waits_for_no_item_that_comes_in(cast, app):
    with app.app_context(), Session(db.engine) as writer:
        writer.execute(text("SELECT 1 FROM queue FOR KEY SHARE"))
        assert _ask(cast)


def test_a_twin_that_ends_later_does_not_replace_the_file(client, cast, app, decided, monkeypatch):
    monkeypatch.setattr(building, "TELL_EVERY", 3600)
    monkeypatch.setattr(building.selection, "PAGE", 1)
    asked = client.post("/api/v1/exports", json={"queue": "intents"}, headers=cast.anna.bearer)
    assert _work(app, "export.plan", "plan") == 1
    with app.app_context():
        with write_session() as session:
            shard_id = session.scalar(select(DatasetShard.id))
        twins = []

        def overtaken():
            if not twins:
                twins.append(1)
                building.write_shard(shard_id, renew=lambda: None)
                twins.append(path.stat().st_ino)

        export_id = asked.json["id"]
        path = storage.folder(export_id) / "feedback-00000-of-00001.jsonl"
        building.write_shard(shard_id, renew=overtaken)
        assert path.stat().st_ino == twins[1]
        assert sorted(found.name for found in path.parent.iterdir()) == [
            path.name,
            "manifest.json",
            "members-00000-of-00001.txt",
        ]


def _actions(app, export_id):
    with app.app_context(), write_session() as session:
        query = select(AuditEvent.action).where(AuditEvent.subject == export_id).order_by(AuditEvent.id)
        return list(session.scalars(query))


def test_every_step_of_an_export_is_on_record(client, cast, app, decided):
    export = _export(client, cast, app)
    assert _actions(app, export["id"]) == ["export.requested", "export.started", "dataset.ready"]
    failed = client.post("/api/v1/exports", json={"queue": "intents"}, headers=cast.anna.bearer).json["id"]
    with app.app_context():
        for _ in range(2):
            with write_session() as session:
                building.fail(session, failed, "the disk is full")
    assert _actions(app, failed) == ["export.requested", "export.failed"]


def test_a_cancelled_export_is_not_finished(client, cast, app, decided):
    answer = client.post("/api/v1/exports", json={"queue": "intents"}, headers=cast.anna.bearer)
    assert _work(app, "export.plan", "plan") == 1
    stopped = client.post(answer.headers["Location"] + "/cancellation", headers=cast.anna.bearer)
    assert stopped.json["state"] == "cancelled"
    _work(app, "export.shard", "write_shard")
    assert client.get(answer.headers["Location"], headers=cast.anna.bearer).json["state"] == "cancelled"


def _break_off(export_id):
    with storage.writing(export_id, "manifest.json") as file:
        file.write(b"{")
        raise RuntimeError


def test_a_half_written_file_never_appears(app, cast):
    export_id = "01a1fc00-0000-7000-8000-000000000001"
    with app.app_context():
        with pytest.raises(RuntimeError):
            _break_off(export_id)
        assert list(storage.folder(export_id).iterdir()) == []


def test_what_is_left_of_exports_that_did_not_come_about_is_deleted(client, cast, app, decided, monkeypatch):
    ready, doomed = _export(client, cast, app), _export(client, cast, app)
    with app.app_context():
        kept, gone = storage.folder(ready["id"]), storage.folder(doomed["id"])
        with write_session() as session:
            session.execute(update(DatasetVersion).where(DatasetVersion.id == doomed["id"]).values(state="cancelled"))
        left, written_now = kept / "feedback-1.jsonl.x.part", kept / "feedback-1.jsonl.y.part"
        left.write_bytes(b"{")
        written_now.write_bytes(b"{")
        os.utime(left, (0, 0))
        with write_session() as session:
            building.sweep(session=session)
        assert gone.exists()
        monkeypatch.setattr(building, "SWEPT_AFTER", 0.0)
        monkeypatch.setattr(storage, "remove_leftovers", lambda before: 0)
        with write_session() as session:
            building.sweep(session=session)
        assert not gone.exists()
        assert sorted(path.name for path in kept.iterdir()) == sorted(
            [*(file["name"] for file in ready["files"]), "members-00000-of-00001.txt", written_now.name]
        )


def test_those_who_may_not_export_learn_nothing(client, cast, app, decided):
    export = _export(client, cast, app)
    for who in (cast.olga, cast.alice, cast.submitter):
        for path in (f"/api/v1/exports/{export['id']}", f"/api/v1/exports/{export['id']}/files/manifest.json"):
            assert client.get(path, headers=who.bearer).status_code == 404
    assert client.get(f"/api/v1/exports/{export['id']}/files/..%2Fsecret", headers=cast.anna.bearer).status_code == 404


def test_an_item_revised_since_stays_in_as_it_was(client, cast, app, decided):
    submit(client, cast, number=7, external_id="later", confidence=0.95)
    body = {"queue": "intents", "filter": {"by": ["routing"]}}
    answer = client.post("/api/v1/exports", json=body, headers=cast.anna.bearer)
    for _ in ("waiting", "trial", "later"):
        decide(client, cast.alice, output={"label": "refund"})
    assert _work(app, "export.plan", "plan") == 1
    assert _work(app, "export.shard", "write_shard") == 1
    export = client.get(answer.headers["Location"], headers=cast.anna.bearer).json
    records = {row["external_id"]: row for row in map(json.loads, _text(client, cast, export).splitlines())}
    assert set(records) == {"agreed", "later"}
    assert records["later"]["resolution"]["revision"] == 1
    assert records["later"]["decisions"] == []


def _dies_on_call(number):
    calls = []

    def renew():
        calls.append(1)
        if len(calls) == number:
            raise KeyboardInterrupt

    return renew


def test_a_shard_killed_halfway_is_written_whole_the_next_time(client, cast, app, decided, monkeypatch):
    monkeypatch.setattr(building.selection, "PAGE", 1)
    monkeypatch.setattr(building, "TELL_EVERY", 0)
    asked = client.post("/api/v1/exports", json={"queue": "intents"}, headers=cast.anna.bearer)
    path = asked.headers["Location"]
    assert _work(app, "export.plan", "plan") == 1
    with app.app_context():
        with write_session() as session:
            shard_id = session.scalar(select(DatasetShard.id))
        with pytest.raises(KeyboardInterrupt):
            building.write_shard(shard_id, renew=_dies_on_call(3))
    half = client.get(path, headers=cast.anna.bearer).json
    assert (half["state"], half["progress"]) == ("running", {"rows": 2, "expected": 4})
    name = "feedback-00000-of-00001.jsonl"
    assert client.get(f"{path}/files/{name}", headers=cast.anna.bearer).status_code == 404
    assert _work(app, "export.shard", "write_shard") == 1
    whole = client.get(path, headers=cast.anna.bearer).json
    assert (whole["state"], whole["progress"]) == ("ready", {"rows": 4, "expected": 4})
    data = _text(client, cast, whole)
    assert len(data.splitlines()) == 4
    assert hashlib.sha256(data).hexdigest() == whole["files"][0]["sha256"]


def test_exports_are_listed_though_the_folder_of_one_is_lost(client, cast, app, decided):
    export = _export(client, cast, app)
    with app.app_context():
        shutil.rmtree(storage.folder(export["id"]))
    answer = client.get("/api/v1/exports", headers=cast.anna.bearer)
    assert [row["id"] for row in answer.json["exports"]] == [export["id"]]
    gone = client.get(f"/api/v1/exports/{export['id']}/files/manifest.json", headers=cast.anna.bearer)
    assert gone.status_code == 404


def test_an_export_of_nothing_is_ready_with_one_empty_file(client, cast, app):
    export = _export(client, cast, app)
    assert (export["state"], export["files"][0]["rows"], _text(client, cast, export)) == ("ready", 0, b"")


def test_a_twin_that_is_behind_does_not_lower_what_was_counted(client, cast, app, decided):
    export = _export(client, cast, app)
    with app.app_context():
        with write_session() as session:
            shard = session.scalars(select(DatasetShard)).one()
        assert building._progress(export["id"], shard.id, 1) is False
        with write_session() as session:
            assert session.scalars(select(DatasetShard.rows_done)).one() == 4
            assert session.scalars(select(DatasetVersion.rows_done)).one() == 4


def test_nobody_who_opted_out_is_in_it(client, cast, app):
    for number, subject in enumerate(("one", "two", None)):
        submit(client, cast, number=number, external_id=f"of {subject}", subject=subject)
        decide(client, cast.alice, verdict="approve")
    client.put("/api/v1/opt-outs", json={"subject": "one"}, headers=cast.admin.bearer)
    export = _export(client, cast, app)
    records = [json.loads(line)["external_id"] for line in _text(client, cast, export).splitlines()]
    assert records == ["of two", "of None"]
