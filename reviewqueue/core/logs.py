"""What is logged: as text, or as JSON, a line each, with the numbers of the request and of what it is about.

Never what an item holds. In JSON an exception is told by its kind and the places that it went through, for its words
may quote what a database or a library was given.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

from flask import Flask, Response, g, has_request_context, request

from reviewqueue.core.ids import new_id

HEADER = "X-Request-Id"
_GIVEN = re.compile(r"[A-Za-z0-9._:-]{1,100}")
_NAMES = ("item_id", "claim_id", "task_id", "decision_id", "export_id", "import_id", "slug")
"""Parts of a route that name something; they are ids, and the names of queues."""
NOISY = ("alembic", "rq", "gunicorn")
DEEPEST = 30
_job: ContextVar[dict[str, Any] | None] = ContextVar("job", default=None)
requests = logging.getLogger("reviewqueue.requests")


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_where(),
            **getattr(record, "facts", {}),
        }
        if record.exc_info and record.exc_info[0] is not None:
            line["error"] = record.exc_info[0].__name__
            frames = traceback.extract_tb(record.exc_info[2])[-DEEPEST:]
            line["at"] = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
        return json.dumps(line, ensure_ascii=False, default=str)


class _Text(logging.Formatter):
    """As people read it; the request's number behind what has one."""

    def format(self, record: logging.LogRecord) -> str:
        number = _where().get("request_id")
        text = super().format(record)
        return text if number is None else f"{text} [{number}]"


def _where() -> dict[str, Any]:
    """The numbers of what is going on."""
    if has_request_context():
        named = {name: value for name, value in (request.view_args or {}).items() if name in _NAMES}
        return {"request_id": g.get("request_id"), **named}
    return _job.get() or {}


@contextmanager
def about(**numbers: Any) -> Iterator[None]:
    """What is logged inside, outside of a request, carries these."""
    token = _job.set(numbers)
    try:
        yield
    finally:
        _job.reset(token)


def to_stderr(how: str) -> None:
    """Log to the standard error of this process; `how` is `text` or `json`."""
    handler = logging.StreamHandler(sys.stderr)
    plain = _Text("%(asctime)s %(levelname)s %(name)s: %(message)s")
    handler.setFormatter(JsonFormatter() if how == "json" else plain)
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    requests.disabled = how != "json"
    for noisy in NOISY:
        logging.getLogger(noisy).setLevel(logging.WARNING)


def init_app(app: Flask) -> None:
    """Give every request a number, its caller's or a new one, and log it where logs are JSON."""

    def begin() -> None:
        given = request.headers.get(HEADER, "")
        g.request_id = given if _GIVEN.fullmatch(given) else new_id()

    def end(response: Response) -> Response:
        response.headers[HEADER] = g.request_id
        if requests.isEnabledFor(logging.INFO) and not requests.disabled and request.endpoint != "health.healthz":
            route = request.url_rule.rule if request.url_rule is not None else None
            milliseconds = round((time.perf_counter() - g.began) * 1000, 1)
            facts = {"method": request.method, "route": route, "status": response.status_code, "ms": milliseconds}
            requests.info("%s %s", request.method, route, extra={"facts": facts})
        return response

    app.before_request(begin)
    app.after_request(end)
