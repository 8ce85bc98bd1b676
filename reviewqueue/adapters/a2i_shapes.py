"""Human loops of Amazon A2I as items, and items as human loops. Pure.

The shapes are those of the service `sagemaker-a2i-runtime`, version 2019-11-07, as botocore describes them:

    StartHumanLoop  {HumanLoopName, FlowDefinitionArn, HumanLoopInput: {InputContent: "<JSON>"},
                     DataAttributes?: {ContentClassifiers: [...]}}
    output document {flowDefinitionArn, humanLoopName, humanAnswers: [{answerContent, submissionTime, workerId,
                     workerMetadata}], inputContent}

What becomes of `InputContent` is told by its form, which is kept in the item's metadata under `a2i`:

    item   an object with `input` and `output`: these, and all others, are the members of the item
    task   an object with `taskObject`, the word of Amazon's worker templates: that is the input, `initialValue` the
           output; what else is there is kept in the metadata
    whole  anything else: all of it but `initialValue` is the input
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from reviewqueue.adapters.fitting import NO_OUTPUT, Queue, fitted, without_output
from reviewqueue.core import strictjson
from reviewqueue.errors import Fault, Invalid, Malformed
from reviewqueue.models.states import ENDED, ItemState

FLOW_DEFINITION = r"^arn:aws[a-z\-]*:sagemaker:[a-z0-9\-]*:[0-9]{12}:flow-definition/[a-z0-9][a-z0-9\-]{0,62}$"
LOOP_NAME = r"^[a-z0-9](-*[a-z0-9])*$"
LONGEST_NAME = 63
KEPT = "a2i"
"""Where an item's metadata has what a human loop has and an item has not."""
_CONTENT = "/HumanLoopInput/InputContent"


# -- in ---------------------------------------------------------------------------------------------------------------


def convert(document: Any, queue: Queue) -> Iterator[dict[str, Any]]:
    """Items for `queue` from a `StartHumanLoop` request, or a list of them.

    `document` is JSON, parsed. The queue that a request's ARN names does not count. Raises `Invalid`, with a pointer
    into the document, at the first request that cannot be read.
    """
    requests = document if isinstance(document, list) else [document]
    for place, request in enumerate(requests):
        yield item_of_request(request, queue, f"/{place}" if isinstance(document, list) else "")


def item_of_request(request: Any, queue: Queue, pointer: str = "") -> dict[str, Any]:
    """The item of one `StartHumanLoop` request. Raises `Invalid`; its pointers begin with `pointer`."""
    name = _text(request, "HumanLoopName", pointer)
    if len(name) > LONGEST_NAME or not re.fullmatch(LOOP_NAME, name):
        raise _wrong(f"{pointer}/HumanLoopName", "is not the name of a human loop")
    arn = _text(request, "FlowDefinitionArn", pointer)
    content = _text(request.get("HumanLoopInput"), "InputContent", f"{pointer}/HumanLoopInput")
    attributes = request.get("DataAttributes")
    classifiers = attributes.get("ContentClassifiers") if isinstance(attributes, dict) else None
    if classifiers is not None and not isinstance(classifiers, list):
        raise _wrong(f"{pointer}/DataAttributes/ContentClassifiers", "should be a list")
    try:
        return item_of(name=name, arn=arn, content=parsed(content), classifiers=classifiers or (), queue=queue)
    except Invalid as error:
        faults = [Fault(pointer + fault.pointer, fault.detail) for fault in error.faults]
        raise Invalid(error.message, faults, code=error.code) from None


def _text(value: Any, member: str, pointer: str) -> str:
    if not isinstance(value, dict):
        raise _wrong(pointer, "should be an object")
    found = value.get(member)
    if not isinstance(found, str) or not found:
        raise _wrong(f"{pointer}/{member}", "should be text, and is required")
    return found


def _wrong(pointer: str, detail: str) -> Invalid:
    return Invalid("This is not a StartHumanLoop request.", [Fault(pointer, detail)])


def parsed(content: str) -> Any:
    """`InputContent` with every digit of its numbers. Raises `Invalid`."""
    try:
        strictjson.parse(content)
    except Malformed as error:
        raise Invalid(f"InputContent: {error.message}", [Fault(_CONTENT, error.message)], code=error.code) from None
    return strictjson.exact(content)


def item_of(*, name: str, arn: str, content: Any, classifiers: Sequence[str], queue: Queue) -> dict[str, Any]:
    """The item for a human loop, as `intake.shapes.ItemShape` takes it. Raises `Invalid`."""
    kept: dict[str, Any] = {"flow_definition_arn": arn}
    if classifiers:
        kept["content_classifiers"] = list(classifiers)
    if isinstance(content, dict) and "input" in content and "output" in content:
        return _as_item(name, content, {**kept, "form": "item"}, queue)
    return {"queue": queue.name, "external_id": name, **_as_task(content, kept, queue)}


def _as_item(name: str, content: dict[str, Any], kept: dict[str, Any], queue: Queue) -> dict[str, Any]:
    item = {"queue": queue.name, "external_id": name, **content}
    faults = [
        Fault(f"{_CONTENT}/{member}", f"is not {value}, as the request says: leave it out")
        for member, value in (("queue", queue.name), ("external_id", name))
        if item[member] != value
    ]
    metadata = item.get("metadata", {})
    if isinstance(metadata, dict):  # else the shape of an item refuses it
        if KEPT in metadata:
            faults.append(Fault(f"{_CONTENT}/metadata/{KEPT}", "is kept for the human loop: use another name"))
        item["metadata"] = {**metadata, KEPT: kept}
    if faults:
        raise Invalid("InputContent is an item that does not fit the request.", faults)
    return item


def _as_task(content: Any, kept: dict[str, Any], queue: Queue) -> dict[str, Any]:
    members = dict(content) if isinstance(content, dict) else {}
    proposed = members.pop("initialValue", None)
    wrapped = {}
    if "taskObject" in members:
        given, kept = members.pop("taskObject"), {**kept, "form": "task"}
        if members:
            kept["others"] = members
    else:
        given, kept = (members if isinstance(content, dict) else content), {**kept, "form": "whole"}
    put_in, put_out = fitted(given, queue.view.input), fitted(proposed, queue.view.output)
    if put_in is not given:
        wrapped["input"] = queue.view.input
    if proposed is not None and put_out is not proposed:
        wrapped["output"] = queue.view.output
    if wrapped:
        kept["wrapped"] = wrapped
    output = without_output() if proposed is None else {"output": put_out}
    return {"input": put_in, **output, "metadata": {KEPT: kept}}


# -- out --------------------------------------------------------------------------------------------------------------


def queue_of(arn: str) -> str:
    """The queue that a flow definition's ARN names."""
    return arn.rpartition("/")[2]


def arn_of(metadata: Mapping[str, Any], queue: str) -> str:
    """Of the flow definition under which the item came; for one that came by another door, one that we make up."""
    kept = metadata.get(KEPT)
    found = kept.get("flow_definition_arn") if isinstance(kept, dict) else None
    known = isinstance(found, str) and re.fullmatch(FLOW_DEFINITION, found)
    return str(found) if known else f"arn:aws:sagemaker:local:000000000000:flow-definition/{queue}"


def loop_arn(flow_definition_arn: str, name: str) -> str:
    return f"{flow_definition_arn.rpartition(':')[0]}:human-loop/{name}"


def status_of(state: ItemState, revision: int) -> str:
    """`HumanLoopStatus`. An item that was reopened (`revision` of its resolution over 0) still has its answer."""
    if state is ItemState.EXPIRED:
        return "Failed"
    if state is ItemState.CANCELLED:
        return "Stopped"
    return "Completed" if state in ENDED or revision else "InProgress"


def input_content(item: Mapping[str, Any]) -> Any:
    """The `InputContent` with which the item came: of the form `item`, its members; so, too, by another door.

    `item` has the item's members, those that are null left out.
    """
    kept = item["metadata"].get(KEPT)
    form = kept.get("form") if isinstance(kept, dict) else None
    if form not in ("task", "whole"):
        return {**item, "metadata": {name: value for name, value in item["metadata"].items() if name != KEPT}}
    given = _taken_out(item["input"], kept, "input")
    if form == "whole" and not isinstance(given, dict):
        return given
    content = {"taskObject": given} if form == "task" else dict(given)
    failure = item.get("failure")
    if failure is None or failure["code"] != NO_OUTPUT:
        proposed = item["output"] if failure is None else failure["raw"]
        content["initialValue"] = _taken_out(proposed, kept, "output")
    others = kept.get("others")
    return {**content, **others} if isinstance(others, dict) else content


def _taken_out(value: Any, kept: Mapping[str, Any], member: str) -> Any:
    """What `fitted` was given. Metadata are the program's: nothing in them is taken for granted."""
    wrapped = kept.get("wrapped")
    name = wrapped.get(member) if isinstance(wrapped, dict) else None
    return value[name] if isinstance(value, dict) and isinstance(name, str) and name in value else value
