"""Exports in the API's document: what is answered, and the operations. Pure tables."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from reviewqueue.core.access import Scope
from reviewqueue.feedback.api import ExportShape, FilterShape
from reviewqueue.feedback.formats import MEDIA_TYPES
from reviewqueue.models.states import ExportState
from reviewqueue.openapi.operations import Answer, Operation, Tag, Told, json_body
from reviewqueue.openapi.parameters import OF_QUEUE, PAGES, PATHS, QUEUE


class Progress(Told):
    rows: int
    expected: int | None
    """Null until they are counted."""


class ExportFile(Told):
    name: str
    bytes: int
    rows: int | None
    """Null for the manifest."""
    sha256: str


class Manifest(Told):
    """What the files were made of; also a file of its own."""

    record: str
    """The records' version."""
    product: str
    export: UUID
    queue: str
    number: int
    format: str
    filter: FilterShape
    as_of: datetime
    count: int
    files: list[ExportFile]
    config_versions: list[int]
    models: list[str]


class Export(Told):
    """A dataset of one queue: numbered, and never changed once it is ready."""

    id: UUID
    queue: str
    number: int
    """In its queue, from 1."""
    format: str
    filter: FilterShape
    state: ExportState
    progress: Progress
    files: list[ExportFile]
    manifest: Manifest | None
    """Null until it is ready."""
    error: str | None
    """Why it failed."""
    as_of: datetime
    """It holds what was in force then."""
    created_at: datetime
    finished_at: datetime | None


class ExportList(Told):
    exports: list[Export]
    cursor: str | None
    """For the next page; null on the last one."""


# -- examples ---------------------------------------------------------------------------------------------------------

WANTED = {"queue": QUEUE, "filter": {"verdicts": ["edit", "override"]}}
PENDING = {
    "id": PATHS["export_id"].example, "queue": QUEUE, "number": 4, "format": "jsonl", "filter": WANTED["filter"],
    "state": "pending", "progress": {"rows": 0, "expected": None}, "files": [], "manifest": None, "error": None,
    "as_of": "2026-11-20T12:00:00.000Z", "created_at": "2026-11-20T12:00:00.000Z", "finished_at": None,
}  # fmt: skip
FILE = {
    "name": PATHS["name"].example, "bytes": 48213, "rows": 61,
    "sha256": "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae",
}  # fmt: skip
MANIFEST_FILE = {
    "name": "manifest.json", "bytes": 512, "rows": None,
    "sha256": "fcde2b2edba56bf408601fb721fe9b5c338d10ee429ea04fae5511b68fbf8fb9",
}  # fmt: skip
READY = {
    **PENDING, "state": "ready", "progress": {"rows": 61, "expected": 61}, "files": [FILE, MANIFEST_FILE],
    "manifest": {
        "record": "reviewqueue.feedback/1", "product": "reviewqueue 0.1.0", "export": PENDING["id"], "queue": QUEUE,
        "number": 4, "format": "jsonl", "filter": WANTED["filter"], "as_of": PENDING["as_of"], "count": 61,
        "files": [FILE], "config_versions": [6, 7], "models": ["intents@7"],
    },
    "finished_at": "2026-11-20T12:00:03.118Z",
}  # fmt: skip
CANCELLED = {**PENDING, "state": "cancelled", "finished_at": "2026-11-20T12:00:01.002Z"}

# -- operations -------------------------------------------------------------------------------------------------------

TAG = Tag(
    "Exports",
    "Datasets of what people decided.",
    (
        Operation(
            "POST", "/exports", "create_export", "Ask for a dataset",
            {202: Answer("Asked for; jobs write it.", Export, PENDING, ("Location",))},
            scope=Scope.EXPORTS,
            body=json_body(ExportShape, {"Corrections alone": WANTED}),
            codes=("not_found",),
        ),
        Operation(
            "GET", "/exports", "list_exports", "List exports",
            {200: Answer("Newest first.", ExportList, {"exports": [READY], "cursor": None}, ("Link",))},
            scope=Scope.EXPORTS,
            parameters=(OF_QUEUE, *PAGES),
        ),
        Operation(
            "GET", "/exports/{export_id}", "read_export", "See how far an export is",
            {200: Answer("The export.", Export, READY)},
            scope=Scope.EXPORTS,
            hides=True,
        ),
        Operation(
            "POST", "/exports/{export_id}/cancellation", "cancel_export", "Stop an export",
            {200: Answer("Stopped.", Export, CANCELLED)},
            scope=Scope.EXPORTS,
            codes=("export_finished",),
            hides=True,
        ),
        Operation(
            "GET", "/exports/{export_id}/files/{name}", "download_export_file", "Download a file",
            {
                200: Answer("The file, once the export is ready.", {"type": "string", "format": "binary"},
                            headers=("ETag",), kinds=tuple(dict.fromkeys(MEDIA_TYPES.values()))),
                206: Answer("The range that was asked for.", {"type": "string", "format": "binary"},
                            headers=("ETag",), kinds=tuple(dict.fromkeys(MEDIA_TYPES.values()))),
                304: Answer("Unchanged: `If-None-Match` names it.", headers=("ETag",)),
            },
            "Ranges and ETags work.",
            scope=Scope.EXPORTS,
            hides=True,
        ),
    ),
)  # fmt: skip
