"""What the tests of alerts share."""

from __future__ import annotations

import pytest

from reviewqueue.core.db import read_session
from reviewqueue.insights import alerts
from reviewqueue.review import board


@pytest.fixture
def look(app, cast):
    """Look at the queue now."""

    def now():
        board._kept.clear()
        with app.app_context(), read_session() as session:
            alerts.look_at(session=session, queue_id=cast.queue_id)

    return now
