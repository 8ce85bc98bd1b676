"""Human loops as items and back, and the names of errors: rules, without the product."""

from __future__ import annotations

import json

import pytest

from reviewqueue.adapters import a2i_errors, a2i_shapes
from reviewqueue.adapters.a2i_shapes import convert
from reviewqueue.core.http import checked
from reviewqueue.core.strictjson import as_written, spliced
from reviewqueue.errors import Invalid
from reviewqueue.intake.shapes import ItemShape
from reviewqueue.models.states import ItemState
from reviewqueue.queues.configuration import QueueConfig
from tests.fixtures.people import INTENTS

CHOICE = QueueConfig.model_validate(INTENTS)
WHOLE = QueueConfig.model_validate(
    {"name": "whole", "output_schema": {"type": "string"}, "view": {"type": "text"}, "routing": {}}
)
ARN = "arn:aws:sagemaker:eu-central-1:123456789012:flow-definition/intents"


def request(content, name="one", **more):
    text = content if isinstance(content, str) else json.dumps(content)
    return {"HumanLoopName": name, "FlowDefinitionArn": ARN, "HumanLoopInput": {"InputContent": text}, **more}


def only(content, queue=CHOICE, **more):
    (found,) = convert(request(content, **more), queue)
    checked(ItemShape, spliced(as_written(found)).encode())
    return found


def test_a_task_object_is_the_input_and_the_initial_value_the_output():
    found = only({"taskObject": "Where is it?", "initialValue": "refund"})
    assert (found["queue"], found["external_id"]) == ("intents", "one")
    assert (found["input"], found["output"]) == ({"text": "Where is it?"}, {"label": "refund"})
    found = only({"taskObject": {"text": "Where?"}, "initialValue": {"label": "refund"}})
    assert (found["input"], found["output"]) == ({"text": "Where?"}, {"label": "refund"})
    found = only({"taskObject": "Where is it?", "initialValue": "Here."}, WHOLE)
    assert (found["input"], found["output"]) == ("Where is it?", "Here.")


def test_without_a_task_object_all_but_the_initial_value_is_the_input():
    found = only({"text": "Where is it?", "initialValue": "refund"})
    assert (found["input"], found["output"]) == ({"text": "Where is it?"}, {"label": "refund"})


@pytest.mark.parametrize("content", [{"taskObject": "x"}, {"text": "x", "initialValue": None}, '"x"'])
def test_without_an_initial_value_the_model_gave_no_output(content):
    found = only(content)
    assert found["output"] is None
    assert found["failure"]["code"] == "no_output"


def test_an_item_is_taken_as_it_is():
    content = {"input": {"text": "a"}, "output": {"label": "refund"}, "confidence": 0.4, "metadata": {"k": 1}}
    found = only(content, DataAttributes={"ContentClassifiers": ["FreeOfAdultContent"]})
    kept = {"flow_definition_arn": ARN, "content_classifiers": ["FreeOfAdultContent"], "form": "item"}
    assert found == {**content, "queue": "intents", "external_id": "one", "metadata": {"k": 1, "a2i": kept}}


@pytest.mark.parametrize(
    "content",
    [
        {"taskObject": "x", "initialValue": "refund", "others": [1, {"a": None}]},
        {"taskObject": {"text": "x"}, "initialValue": {"label": "refund"}},
        {"taskObject": [1, 2]},
        {"text": "x", "initialValue": "refund"},
        {"text": "x"},
        ["x"],
        "7",
    ],
)
@pytest.mark.parametrize("queue", [CHOICE, WHOLE])
def test_the_content_can_be_told_again(content, queue):
    found = json.loads(spliced(as_written(only(content, queue))))
    item = {name: value for name, value in found.items() if name not in {"queue", "external_id"}}
    told = a2i_shapes.input_content(item)
    assert told == (json.loads(content) if isinstance(content, str) else content)


def test_every_digit_survives():
    found = only('{"taskObject": {"text": "x", "n": 1.10, "big": 123456789012345678901}, "initialValue": "refund"}')
    text = spliced(as_written(found))
    assert '"n":1.10' in text
    assert "123456789012345678901" in text


@pytest.mark.parametrize(
    ("given", "pointer"),
    [
        ("no object", "/0"),
        ({**request({}), "HumanLoopName": "Not A Name"}, "/0/HumanLoopName"),
        ({**request({}), "HumanLoopName": "line\n"}, "/0/HumanLoopName"),
        ({**request({}), "HumanLoopInput": {}}, "/0/HumanLoopInput/InputContent"),
        (request("{"), "/0/HumanLoopInput/InputContent"),
        (request({"input": 1, "output": 2, "queue": "x"}), "/0/HumanLoopInput/InputContent/queue"),
        (request({"input": 1, "output": 2, "metadata": {"a2i": 1}}), "/0/HumanLoopInput/InputContent/metadata/a2i"),
        (request({}, DataAttributes={"ContentClassifiers": "x"}), "/0/DataAttributes/ContentClassifiers"),
    ],
)
def test_what_is_no_request_is_pointed_at(given, pointer):
    with pytest.raises(Invalid) as found:
        list(convert([given], CHOICE))
    assert [fault.pointer for fault in found.value.faults] == [pointer]


def test_a_list_of_requests_is_as_many_items():
    assert [one["external_id"] for one in convert([request({}, "a"), request({}, "b")], CHOICE)] == ["a", "b"]


@pytest.mark.parametrize(
    ("state", "revision", "status"),
    [
        (ItemState.PREPARING, 0, "InProgress"),
        (ItemState.QUEUED, 0, "InProgress"),
        (ItemState.IN_REVIEW, 0, "InProgress"),
        (ItemState.QUEUED, 1, "Completed"),
        (ItemState.AUTO_APPROVED, 1, "Completed"),
        (ItemState.RESOLVED, 1, "Completed"),
        (ItemState.EXPIRED, 1, "Failed"),
        (ItemState.CANCELLED, 1, "Stopped"),
    ],
)
def test_each_state_is_a_status_of_amazons(state, revision, status):
    assert a2i_shapes.status_of(state, revision) == status


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (409, "external_id_taken", ("ConflictException", 409)),
        (409, "intake_closed", ("ValidationException", 400)),
        (409, "item_ended", ("ValidationException", 400)),
        (413, "too_large", ("ServiceQuotaExceededException", 402)),
        (422, "invalid_item", ("ValidationException", 400)),
        (429, "too_many_requests", ("ThrottlingException", 429)),
        (500, "internal_error", ("InternalServerException", 500)),
        (503, "unavailable", ("InternalServerException", 503)),
    ],
)
def test_each_error_is_one_of_amazons(status, code, kind):
    errors = [{"pointer": "/output/label", "detail": "is wrong"}]
    problem = {"status": status, "code": code, "detail": "No.", "errors": errors}
    assert a2i_errors.translated(problem) == (*kind, "No. /output/label is wrong")


def test_no_message_is_longer_than_amazons_may_be():
    assert len(a2i_errors.translated({"status": 422, "code": "invalid", "detail": "x" * 5000})[2]) == 1024
