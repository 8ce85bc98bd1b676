"""`/metrics`, for Prometheus: with a token of the scope `metrics`."""

from __future__ import annotations

from flask import Blueprint, Response, current_app, request
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from reviewqueue.core.access import Action, require
from reviewqueue.core.http import METRICS, actor
from reviewqueue.insights.metrics import Gauges

blueprint = Blueprint("metrics", __name__)


@blueprint.get(METRICS)
def show() -> Response:
    """Counts of this server's requests, and figures of the whole installation."""
    require(actor(), Action.READ_METRICS)
    encode, kind = choose_encoder(request.headers.get("Accept", ""))
    gauges = CollectorRegistry()
    gauges.register(Gauges())
    parts = [encode(current_app.extensions["reviewqueue_requests"].registry()), encode(gauges)]
    # OpenMetrics ends with a line that says so: once.
    text = b"".join(part.removesuffix(b"# EOF\n") for part in parts)
    return Response(text + (b"# EOF\n" if parts[0].endswith(b"# EOF\n") else b""), content_type=kind)
