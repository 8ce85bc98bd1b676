"""Boxes on pictures leave as COCO and as Label Studio's JSON, and come back from there as they were."""

from __future__ import annotations

import json
from typing import Any

import pytest

from reviewqueue.accounts import memberships
from reviewqueue.adapters import label_studio
from reviewqueue.core.db import write_session
from reviewqueue.errors import Invalid
from reviewqueue.feedback.formats import writer
from reviewqueue.feedback.formats.frame import Frame
from reviewqueue.media import uploads
from reviewqueue.models.states import QueueRole
from reviewqueue.queues.applying import apply
from reviewqueue.queues.configuration import parse
from tests.feedback.test_exports import _export, _text
from tests.fixtures.media import png
from tests.fixtures.people import INTENTS, OPERATOR

SIDES = ("x", "y", "width", "height")
SCENES: dict[str, Any] = {
    "name": "intents", "view": {"type": "image_boxes", "input": "picture", "output": "boxes"}, "routing": {},
    "output_schema": {"type": "object", "required": ["boxes"], "properties": {"boxes": {"type": "array", "items": {
        "type": "object", "required": [*SIDES, "label"],
        "properties": {**{side: {"type": "number"} for side in SIDES}, "label": {"enum": ["cat", "dog"]}},
    }}}},
}  # fmt: skip
GIVEN = [{"x": 20, "y": 30, "width": 80, "height": 60, "label": "cat"}]
RIGHT = [{"x": 21.5, "y": 30, "width": 80, "height": 61, "label": "dog"},
         {"x": 0, "y": 0, "width": 400, "height": 300, "label": "cat", "crowd": True}]  # fmt: skip


@pytest.fixture
def scenes(client, cast, app):
    """Three pictures: boxes corrected, none there are, rejected; from the first version that the queue has."""
    document = {**SCENES, "name": "scenes"}
    with app.app_context():
        file = uploads.kept(png(400, 300))
    with app.app_context(), write_session() as session:
        apply(session=session, actor=OPERATOR, document=document)
        media = uploads.upload(session=session, actor=OPERATOR, slug="scenes", file=file)
    with app.app_context(), write_session() as session:
        for who, role in ((cast.alice, QueueRole.REVIEWER), (cast.anna, QueueRole.ANALYST)):
            memberships.add(session=session, actor=OPERATOR, slug="scenes", email=who.email, role=role)
    decisions: list[dict[str, Any]] = [
        {"verdict": "edit", "output": {"boxes": RIGHT}}, {"verdict": "approve"},
        {"verdict": "reject", "reason": "unusable"},
    ]  # fmt: skip
    for number, said in enumerate(decisions):
        body = {"queue": "scenes", "input": {"picture": {"$media": media["$media"]}}, "external_id": f"s{number}",
                "output": {"boxes": GIVEN if number != 1 else []}, "model": "finder", "model_version": "2"}  # fmt: skip
        assert client.post("/api/v1/items", json=body, headers=cast.admin.bearer).status_code == 201
        claim = client.post("/api/v1/queues/scenes/claims", headers=cast.alice.bearer).json["claim"]
        decision = {**said, "fence": claim["fence"]}
        path = f"/api/v1/claims/{claim['id']}/decision"
        answer = client.post(path, json=decision, headers=cast.alice.bearer)
        assert answer.status_code == 200, answer.text
    return media["$media"]


def test_boxes_leave_as_coco_with_numbers_that_fit_together(client, cast, app, scenes):
    found = json.loads(_text(client, cast, _export(client, cast, app, queue="scenes", format="coco")))
    assert [(one["id"], one["name"]) for one in found["categories"]] == [(1, "cat"), (2, "dog")]
    images = {image["id"]: image for image in found["images"]}
    assert [(image["external_id"], image["width"], image["height"]) for image in images.values()] == [
        ("s0", 400, 300), ("s1", 400, 300),
    ]  # fmt: skip
    assert {image["file_name"] for image in images.values()} == {f"{scenes}.png"}
    named = {category["id"]: category["name"] for category in found["categories"]}
    boxes = [
        (images[one["image_id"]]["external_id"], named[one["category_id"]], one["bbox"], one["area"], one["iscrowd"])
        for one in found["annotations"]
    ]
    assert boxes == [
        ("s0", "dog", [21.5, 30.0, 80.0, 61.0], 4880.0, 0), ("s0", "cat", [0.0, 0.0, 400.0, 300.0], 120000.0, 0),
    ]  # fmt: skip
    assert found["annotations"][1]["attributes"] == {"crowd": True}
    assert len({one["id"] for one in found["annotations"]}) == 2


def test_boxes_leave_for_label_studio_in_percent_and_come_back(client, cast, app, scenes):
    tasks = json.loads(_text(client, cast, _export(client, cast, app, queue="scenes", format="label-studio")))
    assert [task["meta"]["external_id"] for task in tasks] == ["s0", "s1", "s2"]
    assert tasks[0]["data"] == {"picture": f"{scenes}.png"}
    [annotation] = tasks[0]["annotations"]
    first = annotation["result"][0]
    assert (first["type"], first["original_width"], first["original_height"]) == ("rectanglelabels", 400, 300)
    assert first["value"] == {
        "x": 5.375, "y": 10.0, "width": 20.0, "height": 20.333333, "rotation": 0, "rectanglelabels": ["dog"],
    }  # fmt: skip
    assert [one["annotations"][0]["was_cancelled"] for one in tasks] == [False, False, True]
    assert tasks[0]["predictions"][0]["model_version"] == "finder@2"
    config, _ = parse(SCENES, final_say=True)
    back = [{**task, "predictions": [{"result": task["annotations"][0]["result"]}]} for task in tasks[:1]]
    [item] = label_studio.convert(back, config)
    assert item["input"] == {"picture": {"$media": scenes}}
    assert item["output"] == {"boxes": [{key: box[key] for key in (*SIDES, "label")} for box in RIGHT]}
    back[0]["predictions"][0]["result"][0]["value"]["rectanglelabels"] = ["dog", "cat"]
    with pytest.raises(Invalid) as refused:
        list(label_studio.convert(back, config))
    assert refused.value.faults[0].pointer == "/0/predictions/0/result/0/value/rectanglelabels"


def test_a_queue_without_boxes_is_not_exported_as_coco(client, cast):
    answer = client.post("/api/v1/exports", json={"queue": "intents", "format": "coco"}, headers=cast.anna.bearer)
    assert (answer.status_code, answer.json["errors"][0]["pointer"]) == (422, "/format")


def test_labels_of_texts_leave_for_label_studio_too(client, cast, app):
    body = {"queue": "intents", "input": {"text": "Hi"}, "output": {"label": "refund"}, "confidence": 0.1}
    assert client.post("/api/v1/items", json=body, headers=cast.submitter.bearer).status_code == 201
    claim = client.post("/api/v1/queues/intents/claims", headers=cast.alice.bearer).json["claim"]
    client.post(f"/api/v1/claims/{claim['id']}/decision", json={"fence": claim["fence"], "verdict": "approve"},
                headers=cast.alice.bearer)  # fmt: skip
    [task] = json.loads(_text(client, cast, _export(client, cast, app, format="label-studio")))
    assert task["annotations"][0]["result"][0]["value"] == {"choices": ["refund"]}
    assert (task["annotations"][0]["result"][0]["from_name"], task["data"]) == ("label", {"text": "Hi"})
    assert INTENTS["view"]["output"] == "label"


def test_files_without_items_are_whole():
    for kind, empty in (("coco", {"info": {}, "licenses": [], "categories": [], "annotations": [], "images": []}),
                        ("label-studio", [])):  # fmt: skip
        written = writer(kind, Frame())
        assert json.loads(written.begin() + written.end()) == empty
