"""Archiving a queue leaves nothing half done."""

from __future__ import annotations

import pytest
from sqlalchemy import select, update

from reviewqueue.core import outbox
from reviewqueue.core.db import clock, write_session
from reviewqueue.errors import Conflict
from reviewqueue.models import OutboxRow, PendingRelease
from reviewqueue.queues.applying import set_archived
from reviewqueue.review import settling
from reviewqueue.review.decisions import deciding, recording
from tests.desk_steps import claim, submit
from tests.fixtures.people import OPERATOR


def _archive() -> None:
    with write_session() as session:
        set_archived(session=session, actor=OPERATOR, slug="intents", archived=True)


def test_it_waits_for_decisions_that_can_be_undone_and_hands_its_work_on(client, cast, app):
    submit(client, cast)
    claim_id = claim(client, cast.alice)["claim"]["id"]
    with app.app_context():
        with write_session() as session:
            deciding.decide(
                session=session, actor=cast.alice.actor, claim_id=claim_id,
                submission=recording.Submission(verdict=None, output={"label": "refund"}, grace=True),
            )  # fmt: skip
        with pytest.raises(Conflict, match="can still be undone"):
            _archive()
        with write_session() as session:
            session.execute(update(PendingRelease).values(releases_at=clock(-1)))
            assert settling.settle_due(session=session) == 1
        _archive()
        with write_session() as session:
            assert set(session.scalars(select(OutboxRow.rq_queue))) == {outbox.MAINTENANCE}
