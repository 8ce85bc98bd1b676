"""Amazon A2I's door, with Amazon's own client and the product in processes of its own."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError
from sqlalchemy import func, select, update

from reviewqueue.accounts import tokens
from reviewqueue.core.db import clock, read_session, write_session
from reviewqueue.models import AuditEvent, Item, PendingRelease
from reviewqueue.queues.applying import apply
from reviewqueue.resolution import endings
from reviewqueue.review import settling
from reviewqueue.review.decisions import deciding, recording
from tests.desk_steps import act, claim, decide, submit
from tests.fixtures.people import INTENTS, OPERATOR, item

TASK = {"taskObject": "My card never came", "initialValue": "lost_card", "lang": "en", "price": 1.10}


def arn(queue="intents"):
    return f"arn:aws:sagemaker:eu-central-1:123456789012:flow-definition/{queue}"


def start(client, name="loop-1", content=TASK, queue="intents", **more):
    return client.start_human_loop(
        HumanLoopName=name, FlowDefinitionArn=arn(queue), HumanLoopInput={"InputContent": json.dumps(content)}, **more
    )


def refused(call, *args, **kwargs):
    """Type, status and message of the error that Amazon's client makes of the answer."""
    with pytest.raises(ClientError) as found:
        call(*args, **kwargs)
    answer = found.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Message"]


def stored(client, cast, name="loop-1"):
    (found,) = client.get(f"/api/v1/items?external_id={name}", headers=cast.submitter.bearer).json["items"]
    return found


def fetch(uri, token):
    with urllib.request.urlopen(
        urllib.request.Request(uri, headers={"Authorization": f"Bearer {token}"}), timeout=10
    ) as answer:
        return json.loads(answer.read())


def output_of(a2i, cast, name="loop-1"):
    uri = a2i.describe_human_loop(HumanLoopName=name)["HumanLoopOutput"]["OutputS3Uri"]
    return fetch(uri, cast.submitter.token)


def configure(app, **changes):
    with app.app_context(), write_session() as session:
        apply(session=session, actor=OPERATOR, document={**INTENTS, **changes})


def decide_in_grace(app, cast, claim_id):
    with app.app_context(), write_session() as session:
        deciding.decide(
            session=session, actor=cast.alice.actor, claim_id=claim_id,
            submission=recording.Submission(verdict=None, output={"label": "refund"}, grace=True),
        )  # fmt: skip


# -- start ------------------------------------------------------------------------------------------------------------


def test_a_started_loop_is_an_item_routed_as_any_other(a2i, client, cast):
    answer = start(a2i, DataAttributes={"ContentClassifiers": ["FreeOfAdultContent"]})
    assert answer["HumanLoopArn"] == "arn:aws:sagemaker:eu-central-1:123456789012:human-loop/loop-1"
    found = stored(client, cast)
    assert (found["queue"], found["state"]) == ("intents", "queued")
    assert found["routing"]["title"] == "Unsure: could not be checked on this item"
    assert (found["input"], found["output"]) == ({"text": "My card never came"}, {"label": "lost_card"})
    kept = found["metadata"]["a2i"]
    assert kept["content_classifiers"] == ["FreeOfAdultContent"]
    assert kept["others"] == {"lang": "en", "price": 1.1}
    assert claim(client, cast.alice)["item"]["id"] == found["id"]


def test_an_item_as_input_content_keeps_its_members_and_what_it_costs_to_route(a2i, client, cast):
    start(a2i, "sure", {**item(confidence=0.97), "metadata": {"shop": 7}})
    found = stored(client, cast, "sure")
    assert (found["state"], found["confidence"], found["model"]) == ("auto_approved", 0.97, "intents")
    assert found["metadata"]["shop"] == 7
    assert a2i.describe_human_loop(HumanLoopName="sure")["HumanLoopStatus"] == "Completed"
    assert output_of(a2i, cast, "sure")["resolution"]["by"] == "routing"


def test_the_same_loop_again_changes_nothing(a2i, app, cast):
    assert start(a2i)["HumanLoopArn"] == start(a2i)["HumanLoopArn"]
    with app.app_context(), read_session() as session:
        assert session.scalar(select(func.count()).select_from(Item)) == 1


def test_the_same_name_with_other_content_is_a_conflict(a2i):
    start(a2i)
    kind, status, message = refused(start, a2i, content={**TASK, "initialValue": "refund"})
    assert (kind, status) == ("ConflictException", 409)
    assert "loop-1" in message
    with pytest.raises(a2i.exceptions.ConflictException):
        start(a2i, content={**TASK, "lang": "de"})


def test_content_that_does_not_fit_is_told_where(a2i, app):
    kind, status, message = refused(start, a2i, content={"taskObject": "x", "initialValue": "lost"})
    assert (kind, status) == ("ValidationException", 400)
    assert "/output/label" in message
    assert refused(start, a2i, content={"taskObject": "x"})[0] == "ValidationException", "no output, in such a queue"
    for broken in ("{", '{"a": NaN}', '{"a": 1, "a": 2}', "\\u0000"):
        kind, status, message = refused(
            a2i.start_human_loop, HumanLoopName="x", FlowDefinitionArn=arn(),
            HumanLoopInput={"InputContent": broken},
        )  # fmt: skip
        assert (kind, status, message.startswith("InputContent")) == ("ValidationException", 400, True)
    assert refused(start, a2i, "Not-A-Name")[:2] == ("ValidationException", 400)
    assert refused(start, a2i, content={**item(), "queue": "other"})[:2] == ("ValidationException", 400)
    with app.app_context(), read_session() as session:
        assert session.scalar(select(func.count()).select_from(Item)) == 0


def test_limits_and_rules_that_refuse_have_amazons_names(a2i, app):
    assert refused(start, a2i, content={"taskObject": "x" * 1_100_000, "initialValue": "refund"})[:2] == (
        "ServiceQuotaExceededException",
        402,
    )
    configure(app, routing={"rules": [{"when": "true", "action": "refuse", "title": "No more"}]})
    kind, _, message = refused(start, a2i)
    assert (kind, "No more" in message) == ("ValidationException", True)


# -- describe, output -------------------------------------------------------------------------------------------------


def test_a_loop_is_in_progress_until_a_person_decides(a2i, client, cast):
    before = datetime.now(UTC)
    start(a2i)
    found = a2i.describe_human_loop(HumanLoopName="loop-1")
    assert (found["HumanLoopStatus"], found["HumanLoopName"]) == ("InProgress", "loop-1")
    assert found["FlowDefinitionArn"] == arn()
    assert found["HumanLoopArn"].endswith(":human-loop/loop-1")
    assert abs(found["CreationTime"] - before) < timedelta(seconds=60)
    assert "HumanLoopOutput" not in found
    decide(client, cast.alice, output={"label": "refund"}, message="Ask again.")
    assert a2i.describe_human_loop(HumanLoopName="loop-1")["HumanLoopStatus"] == "Completed"


def test_the_output_has_what_people_said_under_their_pseudonyms(a2i, client, cast):
    start(a2i)
    decide(client, cast.alice, output={"label": "refund"}, message="Ask again.", comment="Not for programs.")
    found = output_of(a2i, cast)
    assert (found["flowDefinitionArn"], found["humanLoopName"]) == (arn(), "loop-1")
    assert found["inputContent"] == TASK
    (answer,) = found["humanAnswers"]
    assert answer["answerContent"] == {"label": "refund"}
    assert answer["workerId"].startswith("r-")
    assert answer["workerMetadata"]["identityData"]["sub"] == answer["workerId"]
    assert datetime.fromisoformat(answer["submissionTime"]).tzinfo is not None
    assert (answer["verdict"], answer["message"]) == ("override", "Ask again.")
    assert found["resolution"]["output"] == {"label": "refund"}
    text = json.dumps(found)
    assert not any(secret in text for secret in ("Alice", cast.alice.id, "Not for programs"))


def test_nothing_is_told_of_a_decision_that_can_still_be_undone(a2i, app, client, cast):
    start(a2i)
    decide_in_grace(app, cast, claim(client, cast.alice)["claim"]["id"])
    found = a2i.describe_human_loop(HumanLoopName="loop-1")
    assert (found["HumanLoopStatus"], "HumanLoopOutput" in found) == ("InProgress", False)
    address = f"{a2i.meta.endpoint_url}/outputs/{stored(client, cast)['id']}"
    assert fetch(address, cast.submitter.token)["humanAnswers"] == []
    with app.app_context(), write_session() as session:
        session.execute(update(PendingRelease).values(releases_at=clock(-1)))
        assert settling.settle_due(session=session) == 1
    assert len(output_of(a2i, cast)["humanAnswers"]) == 1


def test_a_loop_that_nobody_answered_has_failed(a2i, app, cast):
    configure(app, timeout={"after_hours": 1, "action": "expire"})
    start(a2i)
    with app.app_context():
        with write_session() as session:
            session.execute(update(Item).values(expires_at=clock(-1)))
        with write_session() as session:
            assert endings.expire_items(session=session) == 1
    found = a2i.describe_human_loop(HumanLoopName="loop-1")
    assert (found["HumanLoopStatus"], found["FailureCode"]) == ("Failed", "Expired")
    assert found["FailureReason"]
    assert output_of(a2i, cast)["humanAnswers"] == []


def test_an_item_that_came_by_another_door_is_a_loop_too(a2i, client, cast):
    named = submit(client, cast, number=1, external_id="chat 1")
    nameless = submit(client, cast, number=2, metadata={"a2i": {"form": "task", "wrapped": {"input": []}}})
    assert a2i.describe_human_loop(HumanLoopName="chat 1")["FlowDefinitionArn"].endswith("/intents")
    assert a2i.describe_human_loop(HumanLoopName=nameless["id"])["HumanLoopStatus"] == "InProgress"
    assert refused(a2i.describe_human_loop, HumanLoopName=named["id"])[0] == "ResourceNotFoundException"
    for one in (named, nameless):
        found = fetch(f"{a2i.meta.endpoint_url}/outputs/{one['id']}", cast.submitter.token)
        assert found["resolution"] is None
    assert fetch(f"{a2i.meta.endpoint_url}/outputs/{named['id']}", cast.submitter.token)["inputContent"]["input"] == {
        "text": "Where is my card? (1)"
    }


def test_a_person_who_reads_the_output_is_on_record_and_a_program_is_not(a2i, app, client, cast):
    start(a2i)
    address = f"{a2i.meta.endpoint_url}/outputs/{stored(client, cast)['id']}"
    fetch(address, cast.submitter.token)
    fetch(address, cast.bob.token)
    with app.app_context(), read_session() as session:
        events = session.scalars(select(AuditEvent.actor).where(AuditEvent.action == "item.viewed")).all()
    assert events == [cast.bob.id]


# -- stop, delete -----------------------------------------------------------------------------------------------------


def test_a_stopped_loop_takes_the_task_from_who_holds_it(a2i, client, cast):
    start(a2i)
    held = claim(client, cast.alice)["claim"]["id"]
    a2i.stop_human_loop(HumanLoopName="loop-1")
    assert a2i.describe_human_loop(HumanLoopName="loop-1")["HumanLoopStatus"] == "Stopped"
    late = act(client, cast.alice, held, "decision", output={"label": "refund"})
    assert (late.status_code, late.json["code"]) == (409, "item_cancelled")
    a2i.stop_human_loop(HumanLoopName="loop-1")
    a2i.delete_human_loop(HumanLoopName="loop-1")
    assert a2i.describe_human_loop(HumanLoopName="loop-1")["HumanLoopStatus"] == "Stopped"


def test_what_people_have_decided_cannot_be_stopped_or_deleted(a2i, client, cast):
    start(a2i)
    decide(client, cast.alice, output={"label": "refund"})
    for call in (a2i.stop_human_loop, a2i.delete_human_loop):
        assert refused(call, HumanLoopName="loop-1")[:2] == ("ValidationException", 400)
    assert a2i.describe_human_loop(HumanLoopName="loop-1")["HumanLoopStatus"] == "Completed"


def test_delete_withdraws_a_loop_that_waits(a2i):
    start(a2i)
    a2i.delete_human_loop(HumanLoopName="loop-1")
    assert a2i.describe_human_loop(HumanLoopName="loop-1")["HumanLoopStatus"] == "Stopped"


# -- list -------------------------------------------------------------------------------------------------------------


def names(pages):
    return [[loop["HumanLoopName"] for loop in page["HumanLoopSummaries"]] for page in pages]


def test_a_list_comes_in_pages_newest_first_or_oldest(a2i, client, cast):
    for number in range(5):
        start(a2i, f"loop-{number}", {**TASK, "taskObject": f"text {number}"})
    decide(client, cast.alice, output={"label": "refund"})
    pages = a2i.get_paginator("list_human_loops").paginate(FlowDefinitionArn=arn(), PaginationConfig={"PageSize": 2})
    assert names(pages) == [["loop-4", "loop-3"], ["loop-2", "loop-1"], ["loop-0"]]
    pages = a2i.get_paginator("list_human_loops").paginate(
        FlowDefinitionArn=arn(), SortOrder="Ascending", PaginationConfig={"PageSize": 3}
    )
    assert names(pages) == [["loop-0", "loop-1", "loop-2"], ["loop-3", "loop-4"]]
    answer = a2i.list_human_loops(FlowDefinitionArn=arn(), SortOrder="Ascending")
    assert "NextToken" not in answer
    assert [loop["HumanLoopStatus"] for loop in answer["HumanLoopSummaries"]] == ["Completed", *["InProgress"] * 4]
    assert {loop["FlowDefinitionArn"] for loop in answer["HumanLoopSummaries"]} == {arn()}


def test_a_list_is_narrowed_by_time(a2i, app):
    start(a2i, "old")
    with app.app_context(), write_session() as session:
        session.execute(update(Item).values(created_at=clock(-7200)))
    start(a2i, "new")
    hour_ago = datetime.now(UTC) - timedelta(hours=1)
    found = [
        names([a2i.list_human_loops(FlowDefinitionArn=arn(), **{bound: hour_ago})])[0]
        for bound in ("CreationTimeAfter", "CreationTimeBefore")
    ]
    assert found == [["new"], ["old"]]


def test_what_a_list_cannot_read_is_refused(a2i):
    for wrong in (
        {"NextToken": "nonsense"}, {"NextToken": "eA"}, {"SortOrder": "Sideways"},
        {"FlowDefinitionArn": "arn:aws:sagemaker:x:1:flow-definition/intents"},
    ):  # fmt: skip
        found = refused(a2i.list_human_loops, **{"FlowDefinitionArn": arn(), **wrong})
        assert found[:2] == ("ValidationException", 400), (wrong, found)


# -- who may ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["nothing", "stop", "0192f0c1-7a00-7000-8000-000000000000"])
def test_a_loop_that_does_not_exist_is_not_found(a2i, name):
    for call in (a2i.describe_human_loop, a2i.stop_human_loop, a2i.delete_human_loop):
        assert refused(call, HumanLoopName=name)[:2] == ("ResourceNotFoundException", 404)


def test_only_a_token_of_the_product_opens_the_door(amazon, app, cast):
    with app.app_context(), write_session() as session:
        gone = tokens.create_service(session=session, actor=OPERATOR, name="gone", scopes=["items:read"])
        tokens.revoke(session=session, actor=OPERATOR, token_id=gone.id)
    wrong = cast.submitter.token[:-1] + ("A" if cast.submitter.token[-1] != "A" else "B")
    for token in (None, "FwoGZXIvYXdzE", wrong, gone.secret):
        found = refused(amazon(token).list_human_loops, FlowDefinitionArn=arn())
        assert found[:2] == ("UnrecognizedClientException", 401), token


def test_a_scope_is_needed_for_each_act(amazon, app, cast):
    with app.app_context(), write_session() as session:
        made = {
            scope: tokens.create_service(session=session, actor=OPERATOR, name=scope, scopes=[scope]).secret
            for scope in ("items:write", "items:read", "exports")
        }
    writer, reader, other = (amazon(made[scope]) for scope in ("items:write", "items:read", "exports"))
    start(writer)
    reader.describe_human_loop(HumanLoopName="loop-1")
    for denied in (writer, other):
        for call, given in (
            (denied.describe_human_loop, {"HumanLoopName": "loop-1"}),
            (denied.list_human_loops, {"FlowDefinitionArn": arn()}),
        ):
            kind, status, message = refused(call, **given)
            assert (kind, status, "items:read" in message) == ("AccessDeniedException", 403, True)
    for denied in (reader, other):
        assert refused(start, denied, "another")[:2] == ("AccessDeniedException", 403)
        assert refused(denied.stop_human_loop, HumanLoopName="loop-1")[:2] == ("AccessDeniedException", 403)
    writer.stop_human_loop(HumanLoopName="loop-1")


def test_another_queue_is_not_known_to_exist(amazon, a2i, app, client, cast):
    configure(app, name="elsewhere")
    with app.app_context(), write_session() as session:
        scopes = ["items:write", "items:read"]
        token = tokens.create_service(
            session=session, actor=OPERATOR, name="limited", scopes=scopes, queues=["elsewhere"]
        )
    limited = amazon(token.secret)
    start(a2i)
    assert refused(limited.describe_human_loop, HumanLoopName="loop-1") == refused(
        limited.describe_human_loop, HumanLoopName="loop-2"
    )
    for queue in ("intents", "nowhere"):
        assert refused(start, limited, "mine", queue=queue)[:2] == ("ResourceNotFoundException", 404)
        assert refused(limited.list_human_loops, FlowDefinitionArn=arn(queue))[0] == "ResourceNotFoundException"
    address = f"{a2i.meta.endpoint_url}/outputs/{stored(client, cast)['id']}"
    with pytest.raises(urllib.error.HTTPError) as found:
        fetch(address, token.secret)
    with found.value:
        assert found.value.code == 404


def test_a_name_that_two_queues_have_is_not_guessed_at(amazon, a2i, app):
    configure(app, name="elsewhere")
    start(a2i)
    start(a2i, queue="elsewhere")
    kind, _, message = refused(a2i.stop_human_loop, HumanLoopName="loop-1")
    assert (kind, "Several queues" in message) == ("ValidationException", True)
    with app.app_context(), write_session() as session:
        scopes = ["items:write", "items:read"]
        limited = tokens.create_service(
            session=session, actor=OPERATOR, name="limited", scopes=scopes, queues=["elsewhere"]
        )
    assert amazon(limited.secret).describe_human_loop(HumanLoopName="loop-1")["FlowDefinitionArn"] == arn("elsewhere")
