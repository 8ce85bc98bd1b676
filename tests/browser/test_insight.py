"""An analyst reads what the reviews of a queue say: filters in the address, charts with tables, and a download."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from reviewqueue.accounts import people
from reviewqueue.core.db import write_session
from reviewqueue.models import Queue
from reviewqueue.models.states import QueueRole
from tests.fixtures.people import PASSWORD
from tests.insights.populating import judged

pytestmark = pytest.mark.browser


def test_an_analyst_narrows_the_figures_and_takes_a_table_along(site, open_page):
    site.write(people.create, email="anna@example.org", name="Anna", password=PASSWORD, must_change_password=False)
    site.join("anna", "intents", QueueRole.ANALYST)
    with site.app.app_context(), write_session() as session:
        queue_id = session.scalars(select(Queue.id).where(Queue.slug == "intents")).one()
        judged(session, queue_id, ago=1, count=30)
        judged(session, queue_id, count=10, answer="refund", version="8")
    anna = open_page("anna")
    anna.goto("/queues/intents/insights")
    assert "25.0 %" in anna.inner_text(".tiles")
    anna.select_option("#version", "8")
    anna.click("button:has-text('Show')")
    anna.wait_for_url("**version=8**")
    assert "100.0 %" in anna.inner_text(".tiles")
    assert anna.locator("#days .chart-dot").count() == 1
    anna.click("#days summary")
    assert anna.is_visible("#days tbody tr")
    with anna.expect_download() as told:
        anna.click("#versions >> text=CSV")
    assert told.value.suggested_filename == "intents-versions.csv"
    for name in ("Drift", "Compare models", "Fairness", "Value"):
        anna.click(f".tabs >> text={name}")
        anna.wait_for_selector(f"[aria-current=page]:has-text('{name}')")
    anna.set_viewport_size({"width": 390, "height": 844})
    for address in ("/queues/intents/insights", "/queues/intents/drift", "/portfolio", "/wallboard"):
        anna.goto(address)
        assert anna.evaluate("document.documentElement.scrollWidth") <= 390, address
