"""Handing on: to another queue, and what its program and the people of both queues see of it."""

from __future__ import annotations

import pytest

from reviewqueue.accounts import memberships
from reviewqueue.models.states import QueueRole
from reviewqueue.queues.applying import apply
from tests.desk_steps import act, claim, decide, read, submit
from tests.fixtures.people import INTENTS, OPERATOR

CLOSER = {**INTENTS, "name": "refunds", "title": "Refunds", "output_schema": {
    "type": "object", "required": ["label"], "additionalProperties": False,
    "properties": {"label": {"enum": ["lost_card", "refund", "chargeback"]}},
}}  # fmt: skip


@pytest.fixture
def refunds(cast, transaction):
    """A queue that Carol alone reviews; `intents` names it, so that Alice may send there."""
    with transaction() as session:
        apply(session=session, actor=OPERATOR, document=CLOSER)
        apply(session=session, actor=OPERATOR, document={**INTENTS, "send_to": ["refunds"]})
        memberships.add(
            session=session, actor=OPERATOR, slug="refunds", email=cast.carol.email, role=QueueRole.REVIEWER
        )


def claim_there(client, who):
    return client.post("/api/v1/queues/refunds/claims", headers=who.bearer)


def test_a_task_that_was_sent_is_judged_there_and_answered_here(client, cast, refunds):
    item = submit(client, cast)
    held = claim(client, cast.alice)["claim"]["id"]
    sent = act(client, cast.alice, held, "transfer", queue="refunds", comment="Wants the money")
    assert sent.status_code == 204
    assert claim(client, cast.alice) is None
    late = act(client, cast.alice, held, "decision", verdict="approve")
    assert late.status_code == 404, "who may not know that queue learns nothing of it"
    piece = claim_there(client, cast.carol).json
    assert piece["task"]["queue"] == "refunds"
    there_only = act(client, cast.carol, piece["claim"]["id"], "decision", output={"label": "chargeback"})
    assert (there_only.status_code, there_only.json["code"]) == (422, "invalid_decision"), "not a label of `intents`"
    done = act(client, cast.carol, piece["claim"]["id"], "decision", output={"label": "refund"})
    assert done.status_code == 200
    shown = read(client, cast, item["id"])
    assert (shown["queue"], shown["resolution"]["output"]) == ("intents", {"label": "refund"})


def test_nothing_is_sent_where_it_does_not_fit_or_nobody_could_take_it(client, cast, refunds, transaction):
    submit(client, cast, output={"label": "card_arrival"}, alternatives=[])
    held = claim(client, cast.alice)["claim"]["id"]
    misfit = act(client, cast.alice, held, "transfer", queue="refunds")
    assert (misfit.status_code, misfit.json["code"]) == (422, "invalid_item")
    assert misfit.json["errors"][0]["pointer"] == "/output/label"
    for unknown in ("intents", "nowhere"):
        assert act(client, cast.alice, held, "transfer", queue=unknown).json["code"] == "unknown_queue"
    assert act(client, cast.alice, held, "decision", verdict="approve").status_code == 200, "it stayed"
    submit(client, cast, number=2)
    held = claim(client, cast.alice)["claim"]["id"]
    with transaction() as session:
        membership = memberships.find_id(session, "refunds", cast.carol.email, QueueRole.REVIEWER)
        memberships.remove(session=session, actor=OPERATOR, slug="refunds", membership_id=membership)
    assert act(client, cast.alice, held, "transfer", queue="refunds").json["code"] == "nobody_else"


def test_whom_a_task_was_assigned_to_and_who_skips_it_leaves_it_to_others(client, cast):
    submit(client, cast)
    held = claim(client, cast.alice)["claim"]["id"]
    assert act(client, cast.alice, held, "skip").status_code == 204
    assert decide(client, cast.carol, verdict="approve")
