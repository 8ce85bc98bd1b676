"""Real receipts, read badly by a program, corrected by a person in the browser and exported field by field."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from reviewqueue.core.db import read_session
from reviewqueue.feedback import exports, jobs, storage
from reviewqueue.models import DatasetShard
from reviewqueue.queues.applying import apply
from tests.browser.test_desk import looked, on

pytestmark = [pytest.mark.browser, pytest.mark.data]
FIELDS = ("company", "date", "address", "total")
QUEUE: dict[str, Any] = {
    "name": "scans", "title": "Scanned receipts", "undo_seconds": 0,
    "output_schema": {
        "type": "object", "required": list(FIELDS), "additionalProperties": False,
        "properties": {name: {"type": ["string", "null"]} for name in FIELDS},
    },
    "routing": {"otherwise": "review"},
}  # fmt: skip


def read(name: str) -> list[dict[str, Any]]:
    folder = os.environ.get("REVIEWQUEUE_TEST_DATA")
    if not folder:
        pytest.skip("REVIEWQUEUE_TEST_DATA does not name the data sets")
    return [json.loads(line) for line in (Path(folder) / "receipts" / name).read_text(encoding="utf-8").splitlines()]


def submit(site: Any, receipt: dict[str, Any]) -> None:
    site.submit(
        "scans", receipt["fields"], given={"ocr": receipt["ocr"]}, external_id=receipt["external_id"],
        confidence=receipt["confidence"], model=receipt["model"], model_version=receipt["model_version"],
        parts=[{"pointer": f"/{name}", "confidence": value} for name, value in receipt["field_confidence"].items()],
    )  # fmt: skip


def correct(page: Any, truth: dict[str, str]) -> None:
    """Look at every field, and type what is right where it is wrong."""
    for name in FIELDS:
        part = page.locator(f".part[data-pointer='/{name}']")
        part.focus()
        page.keyboard.press("Enter")
        control = part.locator(".part-control > *")
        if control.input_value() != truth[name]:
            control.press("Control+a")
            page.keyboard.insert_text(truth[name])
        page.keyboard.press("Escape")
        looked(page)
    on(page, "Control+Enter")


def exported(site: Any, queue: str = "scans") -> list[dict[str, Any]]:
    """The feedback records of the queue, as the export's jobs write them."""
    export_id = site.write(exports.request_export, queue=queue)
    with site.app.app_context():
        jobs.plan(ref=export_id, renew=lambda: None)
        with read_session() as session:
            shards = list(session.scalars(select(DatasetShard.id).where(DatasetShard.export_id == export_id)))
        for shard in shards:
            jobs.write_shard(ref=shard, renew=lambda: None)
        files = sorted(storage.folder(export_id).glob("*.jsonl"))
        lines = [line for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    return [json.loads(line) for line in lines]


def test_receipts_are_corrected_in_the_browser_and_exported_field_by_field(site, page):
    receipts = read("predictions.jsonl")
    truths = {truth["external_id"]: truth["fields"] for truth in read("truth.jsonl")}
    site.write(apply, document=QUEUE)
    site.join("alice", "scans")
    for receipt in receipts:
        submit(site, receipt)
    page.goto("/queues/scans")
    page.keyboard.press("Enter")
    for _ in receipts:
        page.wait_for_selector("main.desk")
        correct(page, truths[page.inner_text(".stage .facts dd >> nth=-1")])
    records = {record["external_id"]: record for record in exported(site)}
    assert records.keys() == truths.keys()
    for receipt in receipts:
        record = records[receipt["external_id"]]
        truth = truths[receipt["external_id"]]
        assert record["resolution"]["output"] == truth
        assert {part["pointer"]: (part["was"], part["now"], part["state"]) for part in record["parts"]} == {
            f"/{name}": (
                receipt["fields"][name], truth[name],
                "confirmed" if receipt["fields"][name] == truth[name] else "changed",
            )
            for name in FIELDS
        }  # fmt: skip
