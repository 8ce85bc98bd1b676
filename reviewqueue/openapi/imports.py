"""Imports in the API's document: what is answered, and the operations. Pure tables."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from reviewqueue.core.access import Scope
from reviewqueue.intake.api import NDJSON
from reviewqueue.models.states import ImportState
from reviewqueue.openapi.operations import Answer, Body, Operation, Parameter, Tag, Told
from reviewqueue.openapi.parameters import NAME, PAGES, QUEUE


class Import(Told):
    """A stream of items that is being stored."""

    id: UUID
    state: ImportState
    queue: str | None
    """For lines that name none."""
    lines: int
    bytes: int
    stored: int
    repeated: int
    """There already."""
    refused: int
    error: str | None
    """Why it failed."""
    created_at: datetime
    finished_at: datetime | None


class ImportList(Told):
    imports: list[Import]
    cursor: str | None
    """For the next page; null on the last one."""


STREAM = {"type": "string", "format": "binary"}
BEGUN = {
    "id": "01939d1d-1c00-7d01-a2b3-c4d5e6f70819", "state": "running", "queue": QUEUE, "lines": 3, "bytes": 412,
    "stored": 0, "repeated": 0, "refused": 0, "error": None, "created_at": "2026-11-20T10:00:00.123Z",
    "finished_at": None,
}  # fmt: skip
DONE = {**BEGUN, "state": "done", "stored": 2, "refused": 1, "finished_at": "2026-11-20T10:00:01.907Z"}
LINES = '{"external_id":"chat-1","input":{"text":"My card never came"},"output":{"label":"lost_card"}}\n'
FAULTS = (
    '{"line":3,"error":{"type":"urn:reviewqueue:error:invalid_item","title":"The request is not valid","status":422,'
    '"detail":"The item does not fit the queue support-intents.","code":"invalid_item","errors":[]}}\n'
)
ENCODING = Parameter("Content-Encoding", "header", {"enum": ["gzip"]}, "Where the stream is compressed.")
FOR_LINES = Parameter("queue", "query", NAME, "For lines that name no queue.", QUEUE, ("not_found", "bad_parameter"))

TAG = Tag(
    "Imports",
    "Streams of items, of any length.",
    (
        Operation(
            "POST", "/imports", "import_items", "Submit a stream of items",
            {202: Answer("Received; jobs store its lines.", Import, BEGUN, ("Location",))},
            "One item a line. It is kept as it comes, and each line is stored as if it had been sent alone. Of a "
            "stream that breaks off the whole lines are stored: send it again, with external_ids.",
            scope=Scope.ITEMS_WRITE,
            parameters=(FOR_LINES, ENCODING),
            body=Body({NDJSON[0]: STREAM}, {"A line": LINES}, codes=("unsupported_media_type",)),
        ),
        Operation(
            "GET", "/imports", "list_imports", "List imports",
            {200: Answer("Mine, newest first; everybody's for administrators.", ImportList,
                         {"imports": [DONE], "cursor": None}, ("Link",))},
            parameters=PAGES,
        ),
        Operation(
            "GET", "/imports/{import_id}", "read_import", "See how far an import is",
            {200: Answer("The import.", Import, DONE)},
        ),
        Operation(
            "GET", "/imports/{import_id}/faults", "download_faults", "Download the refused lines",
            {200: Answer("One JSON object a line: the line's number and its problem.", STREAM, FAULTS,
                         kinds=(NDJSON[0],))},
        ),
    ),
)  # fmt: skip
