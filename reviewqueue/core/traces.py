"""Traces (OpenTelemetry), where the operator asks for them: from a program's request to the webhook that answers it.

A request goes on with its caller's trace (`traceparent`, W3C Trace Context). The item and the outbox rows that it makes
keep that, so that the jobs and webhooks which follow, in other processes and later, are part of it. Spans name routes,
jobs and events; no content, no person. Without `REVIEWQUEUE_TRACES` nothing is imported and nothing is kept.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

from flask import Flask, Response, g, request

from reviewqueue.config import BadSetting, Settings

HEADER = "traceparent"
_wanted = False
_tracers: dict[int, tuple[Any, Any]] = {}
"""Provider and tracer of each process: one that was forked must not share its parent's."""


def init_app(app: Flask, settings: Settings) -> None:
    """Have every request be a span. Raises `BadSetting` where the packages for it are missing."""
    global _wanted  # noqa: PLW0603 - one of the process: jobs and threads have no application at hand
    _wanted = settings.traces
    if not settings.traces:
        return
    if find_spec("opentelemetry") is None or find_spec("opentelemetry.sdk") is None:
        raise BadSetting("REVIEWQUEUE_TRACES needs packages that are missing: pip install 'reviewqueue[otel]'.")
    app.before_request(_begin)
    app.after_request(_name)
    app.teardown_request(_end)


def _begin() -> None:
    route = request.url_rule.rule if request.url_rule is not None else "none"
    given = request.headers.get(HEADER)
    g.trace_scope = span(f"{request.method} {route}", [given], kind="SERVER", route=route)
    g.trace_span = g.trace_scope.__enter__()


def _name(response: Response) -> Response:
    g.trace_span.set_attribute("http.response.status_code", response.status_code)
    g.trace_span.set_attribute("reviewqueue.request_id", g.get("request_id", ""))
    return response


def _end(_error: BaseException | None) -> None:
    scope = g.pop("trace_scope", None)
    if scope is not None:
        scope.__exit__(None, None, None)


@contextmanager
def span(name: str, parents: Iterable[str | None] = (), *, kind: str = "INTERNAL", **attributes: Any) -> Iterator[Any]:
    """What happens inside is a span: of the trace of the first of `parents` (as `carried` gave them), linked to the
    others. Yields it, or None where nothing is traced."""
    if not _wanted:
        yield None
        return
    from opentelemetry.trace import Link, SpanKind, get_current_span

    contexts = [context for context in map(_context, dict.fromkeys(filter(None, parents))) if context is not None]
    links = [Link(get_current_span(context).get_span_context()) for context in contexts[1:]]
    named = {f"reviewqueue.{key}": value for key, value in attributes.items() if value is not None}
    parent = contexts[0] if contexts else None
    with _tracer().start_as_current_span(
        name, context=parent, kind=SpanKind[kind], links=links, attributes=named, record_exception=False
    ) as current:
        yield current


def carried() -> str | None:
    """The trace that goes on here, as `traceparent`, to be kept with what follows from it; None where there is none."""
    if not _wanted:
        return None
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier)
    return carrier.get(HEADER)


def wanted() -> bool:
    return _wanted


def flush() -> None:
    """Send what is not sent yet: before a process ends."""
    if os.getpid() in _tracers:
        _tracers[os.getpid()][0].force_flush(2_000)


def _context(given: str) -> Any:
    from opentelemetry.context import Context
    from opentelemetry.trace import get_current_span
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    found = TraceContextTextMapPropagator().extract({HEADER: given}, context=Context())
    return found if get_current_span(found).get_span_context().is_valid else None


def _tracer() -> Any:
    process = os.getpid()
    if process not in _tracers:
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider

        name = os.environ.get("OTEL_SERVICE_NAME", "reviewqueue")
        provider = TracerProvider(resource=Resource.create({"service.name": name}))
        provider.add_span_processor(_processor())
        _tracers[process] = provider, provider.get_tracer("reviewqueue")
    return _tracers[process][1]


def _processor() -> Any:
    """Sends spans to where the variables of OpenTelemetry say (`OTEL_EXPORTER_OTLP_ENDPOINT`), in the background."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    return BatchSpanProcessor(OTLPSpanExporter())
