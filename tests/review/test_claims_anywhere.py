"""Claims over all of a person's queues."""

from __future__ import annotations

from reviewqueue.accounts import memberships
from reviewqueue.core.db import write_session
from reviewqueue.models.states import QueueRole
from reviewqueue.queues.applying import apply
from tests.desk_steps import claim, submit
from tests.fixtures.people import INTENTS, OPERATOR


def test_claiming_again_returns_the_claim_held_in_whichever_queue(client, cast, app):
    with app.app_context(), write_session() as session:
        apply(session=session, actor=OPERATOR, document={**INTENTS, "name": "urgent", "title": "Urgent"})
        memberships.add(session=session, actor=OPERATOR, slug="urgent", email=cast.alice.email, role=QueueRole.REVIEWER)
    submit(client, cast, number=1)
    submit(client, cast, number=2)
    held = claim(client, cast.alice)
    submit(client, cast, number=3, queue="urgent", risk="high")
    again = client.post("/api/v1/claims", headers=cast.alice.bearer)
    assert again.status_code == 201
    assert again.json["claim"]["id"] == held["claim"]["id"]
    elsewhere = client.post("/api/v1/queues/urgent/claims", headers=cast.alice.bearer)
    assert elsewhere.json["task"]["queue"] == "urgent"
