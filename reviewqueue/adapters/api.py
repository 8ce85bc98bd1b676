"""JSON routes of Amazon A2I's runtime (`sagemaker-a2i-runtime`), under `/api/a2i`, for the programs made for it."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Annotated, Any

from flask import Blueprint, Response, request, url_for
from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_pascal

from reviewqueue.adapters import a2i_errors, a2i_shapes, human_loops
from reviewqueue.core import trail
from reviewqueue.core.access import Action
from reviewqueue.core.db import read_session, write_session
from reviewqueue.core.http import (
    PROBLEM,
    Shape,
    actor,
    bad_cursor,
    cursor_of,
    json_answer,
    parse_cursor,
    read_body,
    text_answer,
)
from reviewqueue.core.ids import known_id, new_id
from reviewqueue.core.strictjson import dumps, spliced
from reviewqueue.errors import Invalid, NotFound
from reviewqueue.models.states import ActorKind
from reviewqueue.queues.catalog import queues_or_refusal
from reviewqueue.resolution.endings import cancel_item

blueprint = Blueprint("adapters_api", "reviewqueue.adapters.api", url_prefix="/api/a2i")
LARGEST_PAGE = 100
Arn = Annotated[str, Field(pattern=a2i_shapes.FLOW_DEFINITION, max_length=1024)]
Name = Annotated[str, Field(pattern=a2i_shapes.LOOP_NAME, min_length=1, max_length=a2i_shapes.LONGEST_NAME)]


class AmazonShape(Shape):
    """Members are written LikeThis."""

    model_config = ConfigDict(alias_generator=to_pascal)


class LoopInput(AmazonShape):
    input_content: str


class DataAttributes(AmazonShape):
    content_classifiers: Annotated[list[str], Field(max_length=256)]


class StartShape(AmazonShape):
    human_loop_name: Name
    flow_definition_arn: Arn
    human_loop_input: LoopInput
    data_attributes: DataAttributes | None = None


class StopShape(AmazonShape):
    human_loop_name: Name


@blueprint.url_value_preprocessor
def take_session_token(endpoint: str | None, values: dict[str, Any] | None) -> None:  # noqa: ARG001
    """Our token comes as Amazon's session token. The signature beside it cannot be checked, as of secrets we keep the
    digest only; the token alone says who asks, as `Authorization: Bearer` does. Runs before anybody looks for it."""
    token = request.headers.get("X-Amz-Security-Token")
    if token is not None:
        request.environ["HTTP_AUTHORIZATION"] = f"Bearer {token}"


@blueprint.after_request
def speak_as_amazon(response: Response) -> Response:
    """Problem details become Amazon's errors."""
    if response.mimetype == PROBLEM:
        kind, response.status_code, message = a2i_errors.translated(json.loads(response.get_data()))
        response.mimetype = "application/json"
        response.set_data(dumps({"Message": message}))
        response.headers["x-amzn-ErrorType"] = kind
    response.headers["x-amzn-RequestId"] = new_id()
    return response


@blueprint.post("/human-loops")
def start_loop() -> Response:
    """StartHumanLoop: the same name and content again changes nothing."""
    who = actor()
    shape = read_body(StartShape).shape
    with write_session() as session:
        answer = human_loops.start(
            session=session, actor=who, name=shape.human_loop_name, flow_definition_arn=shape.flow_definition_arn,
            content=shape.human_loop_input.input_content,
            classifiers=shape.data_attributes.content_classifiers if shape.data_attributes else (),
        )  # fmt: skip
    if answer.refused is not None:
        raise answer.refused
    return json_answer({"HumanLoopArn": a2i_shapes.loop_arn(shape.flow_definition_arn, shape.human_loop_name)})


@blueprint.get("/human-loops/<loop_name>")
def describe_loop(loop_name: str) -> Response:
    """DescribeHumanLoop."""
    with read_session() as session:
        loop = human_loops.find(session=session, actor=actor(), name=loop_name)
        uri = url_for("adapters_api.read_output", item_id=loop.item.id, _external=True)
        return json_answer(human_loops.description(loop, uri))


@blueprint.get("/outputs/<item_id>")
def read_output(item_id: str) -> Response:
    """The output document of a human loop, by its item's id; without answers while there are none."""
    who = actor()
    with read_session() as session:
        loop = human_loops.by_id(session=session, actor=who, item_id=item_id)
        text = spliced(human_loops.output_document(session=session, actor=who, loop=loop))
    if who.kind is ActorKind.PERSON:
        with write_session() as session:
            trail.record(session, who, "item.viewed", queue_id=loop.item.queue_id, item_id=loop.item.id)
    return text_answer(text)


@blueprint.get("/human-loops")
def list_loops() -> Response:
    """ListHumanLoops of one flow definition, newest first unless `SortOrder=Ascending`."""
    who = actor()
    limit = _most()
    with read_session() as session:
        queues_or_refusal(session=session, actor=who, action=Action.READ_ITEMS)
        loops = human_loops.page(
            session=session, actor=who, slug=a2i_shapes.queue_of(_flow_definition()), ascending=_ascending(),
            begun_after=_moment("CreationTimeAfter"), begun_before=_moment("CreationTimeBefore"), beyond=_beyond(),
            limit=limit + 1,
        )  # fmt: skip
        answer: dict[str, Any] = {"HumanLoopSummaries": [human_loops.summary(loop) for loop in loops[:limit]]}
    if len(loops) > limit:
        answer["NextToken"] = cursor_of(loops[limit - 1].item.id)
    return json_answer(answer)


def _flow_definition() -> str:
    given = request.args.get("FlowDefinitionArn", "")
    if not re.fullmatch(a2i_shapes.FLOW_DEFINITION, given):
        raise Invalid("FlowDefinitionArn must be the ARN of a flow definition, with the name of a queue at its end.")
    return given


def _most() -> int:
    given = request.args.get("MaxResults", str(LARGEST_PAGE))
    if not given.isascii() or not given.isdigit() or len(given) > 3 or not 1 <= int(given) <= LARGEST_PAGE:
        raise Invalid(f"MaxResults must be a whole number from 1 to {LARGEST_PAGE}.")
    return int(given)


def _ascending() -> bool:
    given = request.args.get("SortOrder", "Descending")
    if given not in {"Ascending", "Descending"}:
        raise Invalid("SortOrder must be Ascending or Descending.")
    return given == "Ascending"


def _moment(name: str) -> datetime | None:
    given = request.args.get(name)
    if given is None:
        return None
    try:
        found = datetime.fromisoformat(given)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        raise Invalid(f"{name} must be a moment such as 2026-11-20T10:00:00Z.") from None


def _beyond() -> str | None:
    found = parse_cursor(request.args.get("NextToken"), 1)
    try:
        return None if found is None else known_id(found[0])
    except NotFound:
        raise bad_cursor() from None


def _stop(name: str) -> Response:
    who = actor()
    with write_session() as session:
        loop = human_loops.find(session=session, actor=who, name=name, action=Action.SUBMIT_ITEMS)
        cancel_item(session=session, actor=who, item_id=loop.item.id)
    return json_answer({})


@blueprint.post("/human-loops/stop")
def stop_loop() -> Response:
    """StopHumanLoop: the item is withdrawn, if nobody has decided."""
    return _stop(read_body(StopShape).shape.human_loop_name)


@blueprint.delete("/human-loops/<loop_name>")
def delete_loop(loop_name: str) -> Response:
    """DeleteHumanLoop: withdrawn as with StopHumanLoop. The record of it stays."""
    return _stop(loop_name)
