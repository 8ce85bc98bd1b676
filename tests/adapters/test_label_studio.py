"""Label Studio's tasks as items: rules, without the product."""

from __future__ import annotations

import pytest

from reviewqueue.adapters.label_studio import convert
from reviewqueue.core.http import checked
from reviewqueue.core.strictjson import spliced
from reviewqueue.errors import Invalid
from reviewqueue.intake.shapes import ItemShape
from reviewqueue.queues.configuration import QueueConfig
from tests.fixtures.people import INTENTS

CHOICE = QueueConfig.model_validate(INTENTS)


def queue(output_schema, **view):
    more = {"view": view} if view else {}
    return QueueConfig.model_validate({"name": "q", "output_schema": output_schema, "routing": {}, **more})


TEXT = queue({"type": "string"}, type="text")
FORM = queue({"type": "object", "properties": {"topics": {"type": "array"}}}, type="json")


def result(kind, value, name="label"):
    return {"id": "r1", "from_name": name, "to_name": "text", "type": kind, "value": value}


def task(*results, **more):
    return {"id": 7, "data": {"text": "Where?"}, "predictions": [{"result": list(results)}], **more}


def only(document, into=CHOICE):
    (found,) = convert(document, into)
    checked(ItemShape, spliced(found).encode())
    return found


def test_a_task_with_a_choice_is_an_item():
    prediction = {"model_version": "intents-7", "score": 0.42, "result": [result("choices", {"choices": ["refund"]})]}
    assert only([{"id": 7, "data": {"text": "Where?"}, "meta": {"k": 1}, "predictions": [prediction]}]) == {
        "queue": "intents",
        "external_id": "7",
        "input": {"text": "Where?"},
        "output": {"label": "refund"},
        "confidence": 0.42,
        "model": "intents-7",
        "metadata": {"k": 1},
    }


def test_a_control_need_not_be_called_as_the_queues_output_if_it_is_alone():
    assert only(task(result("choices", {"choices": ["refund"]}, "intent")))["output"] == {"label": "refund"}
    two = [result("choices", {"choices": ["refund"]}, name) for name in ("intent", "mood")]
    with pytest.raises(Invalid) as found:
        only(task(*two))
    assert "intent, mood" in found.value.faults[0].detail


@pytest.mark.parametrize("text", ["Here.", ["Here."]])
def test_a_text_area_is_a_text(text):
    assert only(task(result("textarea", {"text": text}, "answer")), TEXT)["output"] == "Here."


def test_a_form_has_a_member_for_each_control():
    found = only(
        task(
            result("choices", {"choices": ["a", "b"]}, "topics"),
            result("choices", {"choices": ["good"]}, "mood"),
            result("rating", {"rating": 4}, "stars"),
            result("number", {"number": 1.5}, "weight"),
            result("datetime", {"datetime": "2026-11-20"}, "day"),
        ),
        FORM,
    )
    assert found["output"] == {
        "topics": ["a", "b"], "mood": "good", "stars": 4, "weight": 1.5, "day": "2026-11-20",
    }  # fmt: skip


def test_a_single_choice_is_a_list_where_the_queue_has_a_list():
    assert only(task(result("choices", {"choices": ["a"]}, "topics")), FORM)["output"] == {"topics": ["a"]}


def test_more_than_one_choice_is_refused_where_the_queue_takes_one():
    with pytest.raises(Invalid) as found:
        only(task(result("choices", {"choices": ["refund", "lost_card"]})))
    assert found.value.faults[0].pointer == "/predictions/0/result/0/value/choices"


def test_further_predictions_are_alternatives():
    answers = [
        {"score": score, "result": [result("choices", {"choices": [label]})]}
        for score, label in ((0.5, "refund"), (0.3, "lost_card"))
    ]
    found = only({"data": {"text": "x"}, "predictions": answers})
    assert (found["output"], found["confidence"]) == ({"label": "refund"}, 0.5)
    assert found["alternatives"] == [{"output": {"label": "lost_card"}, "confidence": 0.3}]
    assert "external_id" not in found


@pytest.mark.parametrize("score", [17.5, -0.1])
def test_a_score_that_is_no_confidence_is_kept_as_what_it_is(score):
    prediction = {"score": score, "result": [result("choices", {"choices": ["refund"]})]}
    found = only({"data": {}, "predictions": [prediction]})
    assert "confidence" not in found
    assert found["metadata"] == {"label_studio": {"score": score}}


@pytest.mark.parametrize("predictions", [{}, {"predictions": []}, {"predictions": [{"result": []}]}])
def test_without_a_prediction_there_is_no_output(predictions):
    found = only({"data": {"text": "x"}, **predictions})
    assert found["output"] is None
    assert found["failure"]["code"] == "no_output"


@pytest.mark.parametrize("kind", ["rectanglelabels", "labels", "taxonomy", "relation", None])
def test_a_control_that_cannot_be_imported_is_named(kind):
    good = task(result("choices", {"choices": ["refund"]}))
    with pytest.raises(Invalid) as found:
        list(convert([good, task(result(kind, {}, "boxes"))], CHOICE))
    (fault,) = found.value.faults
    assert fault.pointer == "/1/predictions/0/result/0/type"
    assert f"is {kind}, of the control boxes" in fault.detail


@pytest.mark.parametrize(
    ("document", "pointer"),
    [
        ([{"text": "no data"}], "/0/data"),
        ("text", "/data"),
        ([{"data": {}, "meta": [1]}], "/0/meta"),
        ([{"data": {}, "predictions": {"result": []}}], "/0/predictions"),
        ([{"data": {}, "predictions": [[]]}], "/0/predictions/0"),
        ([task(result("choices", "refund"))], "/0/predictions/0/result/0/value"),
        ([task(result("choices", {}))], "/0/predictions/0/result/0/value/choices"),
        ([task({"type": "choices", "value": {}})], "/0/predictions/0/result/0/from_name"),
        ([task(*[result("choices", {"choices": ["refund"]})] * 2)], "/0/predictions/0/result/1"),
    ],
)
def test_what_is_no_task_is_pointed_at(document, pointer):
    with pytest.raises(Invalid) as found:
        list(convert(document, CHOICE))
    assert [fault.pointer for fault in found.value.faults] == [pointer]
