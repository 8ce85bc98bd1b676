"""Exports that are made by themselves, and what is said to have been trained on them."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import select, update

from reviewqueue.core.db import clock, read_session, write_session
from reviewqueue.errors import NotFound
from reviewqueue.feedback import building, schedules
from reviewqueue.models import DatasetSchedule, DatasetVersion
from reviewqueue.resolution import feed
from tests.desk_steps import decide, submit
from tests.feedback.test_exports import _export


def _pass(app):
    """The relay looks at what is due, a minute later."""
    with app.app_context():
        with write_session() as session:
            feed.number(session=session)
            due = DatasetSchedule.next_at.is_not(None)
            session.execute(update(DatasetSchedule).where(due).values(next_at=clock(-1)))
        with write_session() as session:
            schedules.run_due(session=session)
        with read_session() as session:
            return list(session.scalars(select(DatasetVersion).order_by(DatasetVersion.number)))


def _write(app, export_id):
    with app.app_context():
        for shard_id in building.plan(export_id, renew=lambda: None):
            building.write_shard(shard_id, renew=lambda: None)


def _corrected(client, cast, *numbers):
    for number in numbers:
        submit(client, cast, number=number, external_id=f"i{number}")
        decide(client, cast.alice, output={"label": "refund"})


def test_so_many_corrections_make_an_export_of_what_is_new(client, cast, app):
    body = {"queue": "intents", "every_corrections": 2, "incremental": True}
    made = client.post("/api/v1/export-schedules", json=body, headers=cast.anna.bearer)
    assert made.status_code == 201, made.json
    _corrected(client, cast, 1)
    submit(client, cast, number=50)
    decide(client, cast.alice, verdict="approve")
    assert _pass(app) == []
    _corrected(client, cast, 2)
    [first] = _pass(app)
    _corrected(client, cast, 3, 4)
    assert len(_pass(app)) == 1  # The first is not written yet.
    _write(app, first.id)
    second = _pass(app)[-1]
    _write(app, second.id)
    shown = client.get(f"/api/v1/exports/{second.id}", headers=cast.anna.bearer).json
    assert (shown["recipe"], shown["changes"]["added"], shown["progress"]["rows"]) == ({"since_version": 1}, 2, 2)
    [listed] = client.get("/api/v1/export-schedules", headers=cast.anna.bearer).json["schedules"]
    assert (listed["corrections"], listed["last_export"]) == (0, second.id)
    path = f"/api/v1/export-schedules/{made.json['id']}"
    assert client.delete(path, headers=cast.anna.bearer).status_code == 204
    _corrected(client, cast, 5, 6)
    assert len(_pass(app)) == 2


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_hours_make_one_at_once_and_what_is_wrong_is_told(client, cast, app):
    body = {"queue": "intents", "every_hours": 24}
    assert client.post("/api/v1/export-schedules", json=body, headers=cast.anna.bearer).status_code == 201
    [only] = _pass(app)
    _write(app, only.id)
    with app.app_context(), read_session() as session:
        left = session.scalars(select(DatasetSchedule.next_at)).one() - session.execute(select(clock())).scalar_one()
    assert 23.9 < left.total_seconds() / 3600 <= 24
    with app.app_context(), write_session() as session:
        session.execute(update(DatasetSchedule).values(format="coco"))
    _pass(app)
    [listed] = client.get("/api/v1/export-schedules", headers=cast.anna.bearer).json["schedules"]
    assert listed["error"] == "The format does not fit the queue."
    for wrong in ({}, {"every_hours": 1, "every_corrections": 1}, {"every_hours": 1, "since_version": 1}):
        answer = client.post("/api/v1/export-schedules", json={"queue": "intents", **wrong}, headers=cast.anna.bearer)
        assert answer.status_code == 422


def test_a_model_knows_what_it_was_trained_on(client, cast, app):
    asked = client.post("/api/v1/exports", json={"queue": "intents"}, headers=cast.anna.bearer).json
    body = {"model": "intents", "version": "8", "export": asked["id"]}
    early = client.post("/api/v1/models", json=body, headers=cast.anna.bearer)
    assert early.json["code"] == "export_not_ready"
    _write(app, asked["id"])
    ready = client.get(f"/api/v1/exports/{asked['id']}", headers=cast.anna.bearer).json
    answers = [client.post("/api/v1/models", json=body, headers=cast.anna.bearer) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 200]
    assert answers[0].json["id"] == answers[1].json["id"]
    found = client.get("/api/v1/models?model=intents", headers=cast.anna.bearer).json["models"]
    assert [one["dataset"] for one in found] == [
        {"export": ready["id"], "queue": "intents", "number": 1, "digest": ready["digest"]}
    ]
    assert client.post("/api/v1/models", json=body, headers=cast.alice.bearer).status_code == 404


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_the_pages_ask_schedule_record_and_try_again(client, cast, app):
    client.post("/login", data={"email": cast.anna.email, "password": cast.anna.password})
    _corrected(client, cast, 1)
    form = {"queue": "intents", "format": "parquet", "splits": "train 0.8, test 0.2", "group_by": "$.who"}
    asked = client.post("/exports", data=form)
    assert asked.status_code == 303
    export_id = asked.headers["Location"].rpartition("/")[2]
    _write(app, export_id)
    assert "train-00000-of-00001.parquet" in client.get(f"/exports/{export_id}").text
    with client.get(f"/exports/{export_id}/files/train-00000-of-00001.parquet") as file:
        assert file.data[:4] == b"PAR1"
    client.post(f"/exports/{export_id}/models", data={"model": "intents", "version": "eight"})
    assert "eight" in client.get(f"/exports/{export_id}").text
    wrong = client.post("/exports", data={**form, "splits": "train"})
    assert (wrong.status_code, "A split is a name and its share" in wrong.text) == (422, True)
    assert client.post("/exports", data={**form, "repeat": "corrections:100"}).status_code == 303
    page = client.get("/exports").text
    assert "of 100 corrections" in page
    schedule_id = page.partition("/exports/schedules/")[2].partition("/")[0]
    client.post(f"/exports/schedules/{schedule_id}/end")
    assert "/exports/schedules/" not in client.get("/exports").text
    again = client.post("/exports", data=form).headers["Location"].rpartition("/")[2]
    with app.app_context(), write_session() as session:
        building.fail(session, again, "the disk is full")
    assert "Try again" in client.get(f"/exports/{again}").text
    client.post(f"/exports/{again}/retry")
    assert "Waits for a worker" in client.get(f"/exports/{again}").text


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_the_command_takes_splits_and_filters(client, cast, app, tmp_path):
    from reviewqueue.feedback.commands import export

    _corrected(client, cast, 1, 2)
    out = tmp_path / "out"
    args = ["intents", "--format", "huggingface", "--out", str(out), "--split", "train=0.5", "--split", "test=0.5",
            "--verdict", "override", "--deduplicate", "--json"]  # fmt: skip
    with app.app_context():
        from click.testing import CliRunner

        done = CliRunner().invoke(export, args)
    assert done.exit_code == 0, done.output
    manifest = json.loads((out / "manifest.json").read_text())
    assert (manifest["count"], manifest["recipe"]["splits"]) == (2, {"train": 0.5, "test": 0.5})
    assert (out / "data" / "train-00000-of-00001.parquet").exists()
    assert "load_dataset" in (out / "README.md").read_text()


def test_the_command_line_schedules_lists_and_ends_and_records_what_was_trained(app, client, cast):
    from click.testing import CliRunner

    from reviewqueue.feedback.commands import models_group, schedules_group

    def run(group, *args):
        with app.app_context():
            done = CliRunner().invoke(group, args, catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.stdout

    made = run(schedules_group, "create", "intents", "--every-hours", "24", "--incremental", "--verdict", "edit",
               "--split", "train=0.8", "--split", "test=0.2").strip()  # fmt: skip
    [listed] = json.loads(run(schedules_group, "list", "--json"))
    assert (listed["id"], listed["every_hours"], listed["incremental"]) == (made, 24, True)
    assert (listed["filter"], listed["recipe"]["splits"]) == ({"verdicts": ["edit"]}, {"train": 0.8, "test": 0.2})
    assert run(schedules_group, "list") == f"{made}\tintents\tjsonl\t24\t-\t-\n"
    run(schedules_group, "end", made)
    assert json.loads(run(schedules_group, "list", "--json")) == []

    export = _export(client, cast, app)
    for _ in range(2):
        run(models_group, "record", "intents", "8", "--export", export["id"], "--note", "weighed")
    [known] = json.loads(run(models_group, "list", "--model", "intents", "--json"))
    assert (known["version"], known["note"], known["dataset"]["export"]) == ("8", "weighed", export["id"])
    assert run(models_group, "list", "--queue", "intents").startswith("intents\t8\tintents\t1\t")
    with app.app_context(), pytest.raises(NotFound):
        CliRunner().invoke(schedules_group, ["end", "none"], catch_exceptions=False)
