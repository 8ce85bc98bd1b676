"""One trace from a program's request to the job that follows and the webhook that tells of the answer."""

from __future__ import annotations

from dataclasses import replace

import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from sqlalchemy import select

from reviewqueue import config
from reviewqueue.core import background, traces
from reviewqueue.core.db import read_session, write_session
from reviewqueue.delivery.webhooks import deliveries, endpoints, sender
from reviewqueue.models import Item, OutboxRow
from reviewqueue.resolution import feed
from tests.fixtures.people import item

TRACE = "0af7651916cd43dd8448eb211c80319c"
GIVEN = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}


@pytest.fixture
def spans(monkeypatch):
    """What is sent, in OpenTelemetry's own memory."""
    exporter = InMemorySpanExporter()
    monkeypatch.setattr(traces, "_processor", lambda: SimpleSpanProcessor(exporter))
    monkeypatch.setattr(traces, "_tracers", {})
    yield exporter.get_finished_spans
    traces._wanted = False


@pytest.fixture
def settings(settings: config.Settings, spans) -> config.Settings:
    return replace(settings, traces=True)


def test_a_request_its_job_and_its_webhook_are_one_trace(app, client, cast, spans):
    hook = client.post(
        "/api/v1/queues/intents/webhooks", json={"url": "https://192.0.2.1/"}, headers=cast.admin.bearer
    ).json
    for number, confidence in ((1, 0.99), (2, 0.2)):
        body = item(number, confidence=confidence, input={"text": "SECRET"})
        assert client.post("/api/v1/items", json=body, headers={**cast.submitter.bearer, **GIVEN}).status_code == 201
    with app.app_context():
        with read_session() as session:
            rows = session.execute(select(OutboxRow.id, OutboxRow.trace)).all()
            assert all(TRACE in kept for kept in session.scalars(select(Item.trace)))
        assert [TRACE in row.trace for row in rows] == [True]
        background.run("reviewqueue.delivery.jobs.on_queued", [row.id for row in rows], long=False)
        with write_session() as session:
            feed.number(session=session)
        with write_session() as session:
            deliveries.follow(session=session)
        with write_session() as session:
            parcels = deliveries.lease(session, hook["id"], 10)
        assert {parcel.event for parcel in parcels} == {"item.auto_approved", "item.queued"}
        for parcel in parcels:
            # An address that webhooks may not go to: the attempt is a span all the same.
            assert not sender.send(parcel, endpoints.lets()).delivered
    mine = [span for span in spans() if format(span.context.trace_id, "032x") == TRACE]
    assert sorted(span.name for span in mine) == [
        "POST /api/v1/items", "POST /api/v1/items", "reviewqueue.delivery.jobs.on_queued",
        "webhook item.auto_approved", "webhook item.queued",
    ]  # fmt: skip
    assert "SECRET" not in "".join(span.to_json() for span in spans())


@pytest.mark.parametrize(
    "given", ["", "00-zz-b7ad6b7169203331-01", "nonsense", "00-" + "0" * 32 + "-" + "0" * 16 + "-01"]
)
def test_a_trace_that_cannot_be_read_is_begun_anew(client, cast, spans, given):
    assert client.get("/healthz", headers={"traceparent": given}).status_code == 200
    assert [span.name for span in spans()][-1] == "GET /healthz"


def test_switched_off_nothing_is_kept():
    assert traces.carried() is None
    with traces.span("nothing", ["x"]) as found:
        assert found is None
