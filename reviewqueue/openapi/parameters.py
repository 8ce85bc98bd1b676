"""Parameters and headers that several operations share. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from reviewqueue.core.http import DEFAULT_PAGE, LARGEST_PAGE
from reviewqueue.openapi.operations import Operation, Parameter

ID = {"type": "string", "format": "uuid"}
NAME = {"type": "string"}
QUEUE, ITEM, TASK = "support-intents", "01939d1c-7a00-7b21-9c55-6f1d2a3b4c5d", "01939d1c-7a01-7c11-8d44-5e0c1b2a3948"
"""Of the examples, which tell one story."""

_PATHS = (
    Parameter("slug", "path", NAME, "The queue's name.", QUEUE),
    Parameter("item_id", "path", ID, "The item's id.", ITEM),
    Parameter("claim_id", "path", NAME, "The claim's id: `<task>.<fence>`.", f"{TASK}.3"),
    Parameter("task_id", "path", ID, "The task's id.", TASK),
    Parameter("decision_id", "path", ID, "The decision's id.", "01939d1c-9f00-7a55-b1c0-2d3e4f506172"),
    Parameter("gold_id", "path", ID, "The gold's id.", "01939d1c-af00-7b66-82d1-3e4f50617283"),
    Parameter("reviewer_id", "path", ID, "The reviewer's id.", "01939d10-7a00-7a11-8b22-1c2d3e4f5061"),
    Parameter("import_id", "path", ID, "The import's id.", "01939d1d-1c00-7d01-a2b3-c4d5e6f70819"),
    Parameter("export_id", "path", ID, "The export's id.", "01939d1e-2d00-7e12-93a4-b5c6d7e8f90a"),
    Parameter("schedule_id", "path", ID, "The schedule's id.", "01939d1e-3000-7e13-84b5-b6d7e8f9a0b1"),
    Parameter("endpoint_id", "path", ID, "The webhook endpoint's id.", "01939d1f-3e00-7f23-84b5-a6c7d8e9f01b"),
    Parameter("alert_id", "path", ID, "The alert's id.", "01939d1c-7b2a-7cc0-8f3e-6f1f0c1d2e50"),
    Parameter("condition", "path", NAME, "The alert's name in the configuration.", "override_rate"),
    Parameter("delivery_id", "path", ID, "The delivery's id.", "01939d20-4f00-7034-95c6-b7d8e9f0a12c"),
    Parameter("proposal_id", "path", ID, "The proposal's id.", "01939d21-5a00-7145-a6d7-c8e9f0a1b23d"),
    Parameter("place", "path", {"type": "integer", "minimum": 0}, "Its place among those of the input, from 0.", 0),
    Parameter("name", "path", NAME, "The file's name, as the export lists it.", "feedback-00000-of-00001.jsonl"),
)
PATHS: Mapping[str, Parameter] = {parameter.name: parameter for parameter in _PATHS}

LIMIT = Parameter(
    "limit", "query", {"type": "integer", "minimum": 1, "maximum": LARGEST_PAGE, "default": DEFAULT_PAGE},
    "How many at most.", 50, ("bad_parameter",),
)  # fmt: skip
CURSOR = Parameter(
    "cursor", "query", {"type": "string"}, "Go on after this: the `cursor` of the answer before. Opaque.",
    codes=("bad_cursor",),
)  # fmt: skip
PAGES = (LIMIT, CURSOR)
OF_QUEUE = Parameter("queue", "query", NAME, "Only of this queue.", QUEUE, ("not_found",))
STATE = Parameter(
    "state", "query", {"$ref": "#/components/schemas/ItemState"}, "Only in this state.", "queued", ("bad_parameter",)
)
IDEMPOTENCY_KEY = Parameter(
    "Idempotency-Key", "header", {"type": "string", "minLength": 1, "maxLength": 255},
    "Makes it safe to send the request again: the same token, key and body get the first answer, for 30 days. "
    "Printable ASCII.",
    "chat-1", ("bad_idempotency_key", "idempotency_key_reused", "in_flight"),
)  # fmt: skip

HEADERS: Mapping[str, dict[str, Any]] = {
    "Location": {"description": "The address of what was made.", "schema": {"type": "string"}},
    "Link": {
        "description": 'While there is more: `<…>; rel="next"` (RFC 8288), the address of the next page.',
        "schema": {"type": "string"},
    },
    "ETag": {"description": "The version, in quotes.", "schema": {"type": "string"}, "example": '"7"'},
    "Retry-After": {"description": "After how many seconds to ask again.", "schema": {"type": "integer"}},
    "Content-Range": {
        "description": "Which bytes of how many, or of how many alone: `bytes 0-9/98120`, `bytes */98120`.",
        "schema": {"type": "string"},
    },
    "WWW-Authenticate": {"description": "`Bearer`.", "schema": {"type": "string"}},
}


def parameters_of(operation: Operation) -> list[Parameter]:
    """Those of its path, in order, then its own."""
    return [*(PATHS[name] for name in re.findall(r"{(\w+)}", operation.path)), *operation.parameters]
