"""Exports in the API's document: what is answered, and the operations. Pure tables."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from reviewqueue.core.access import Scope
from reviewqueue.feedback.api import ExportShape, FilterShape, ScheduleShape, TrainedShape
from reviewqueue.feedback.formats import MEDIA_TYPES
from reviewqueue.models.states import ExportState
from reviewqueue.openapi.operations import Answer, Operation, Parameter, Tag, Told, json_body
from reviewqueue.openapi.parameters import ITEM, OF_QUEUE, PAGES, PATHS, QUEUE


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


class Recipe(Told):
    """How records become files; what was left at its default is not here."""

    splits: dict[str, float] | None = None
    group_by: str | None = None
    salt: str | None = None
    deduplicate: bool | None = None
    since_version: int | None = None
    as_version: int | None = None
    labels: dict[str, str | None] | None = None
    sensitive: bool | None = None


class SplitFile(ExportFile):
    split: str | None = None
    """Which it belongs to, where there are any."""


class Parent(Told):
    """The version that changes are counted from."""

    export: UUID
    number: int
    digest: str


class Changes(Told):
    """Records since the parent."""

    added: int
    changed: int
    withdrawn: int
    unchanged: int


class Policy(Told):
    """A configuration that routed some of the items."""

    config_version: int
    sha256: str
    applied_at: datetime


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
    recipe: Recipe
    as_of: datetime
    count: int
    digest: str
    """SHA-256 of the member files, one after the other: equal digests, equal records."""
    parent: Parent | None
    changes: Changes | None
    files: list[SplitFile]
    members: list[ExportFile]
    """Lines `<item id> <SHA-256 of its record>`, in the order of ids."""
    withdrawn: list[ExportFile]
    """Ids of the parent's items that are not in this version."""
    config_versions: list[int]
    policies: list[Policy]
    models: list[str]
    verdicts: dict[str, int]
    reviewers: dict[str, int]
    """Decisions by pseudonym."""
    dropped: dict[str, int]
    """Items that did not fit `as_version`, by why."""


class Export(Told):
    """A dataset of one queue: numbered, and never changed once it is ready."""

    id: UUID
    queue: str
    number: int
    """In its queue, from 1."""
    format: str
    filter: FilterShape
    recipe: Recipe
    state: ExportState
    progress: Progress
    files: list[SplitFile]
    digest: str | None
    """Null until it is ready."""
    parent: int | None
    """Number of the version that changes are counted from."""
    changes: Changes | None
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


class Withdrawal(Told):
    item_id: UUID
    external_id: str | None
    why: Literal["revised", "opted_out"]
    """Its answer was revised since, or whom it is about has opted out."""


class WithdrawalList(Told):
    withdrawals: list[Withdrawal]
    cursor: str | None
    """For the next page; null on the last one."""


class Schedule(Told):
    id: UUID
    queue: str
    format: str
    filter: FilterShape
    recipe: Recipe
    every_hours: int | None
    every_corrections: int | None
    incremental: bool
    corrections: int
    """Counted since its last export."""
    last_export: UUID | None
    last_at: datetime | None
    error: str | None
    """Why it could not ask the last time."""
    created_at: datetime


class ScheduleList(Told):
    schedules: list[Schedule]
    cursor: None


class Dataset(Told):
    export: UUID
    queue: str
    number: int
    digest: str | None


class TrainedModel(Told):
    """A version of a model, and a dataset version that it was trained on."""

    id: UUID
    model: str
    version: str
    note: str
    dataset: Dataset
    recorded_at: datetime


class TrainedModelList(Told):
    models: list[TrainedModel]
    cursor: str | None
    """For the next page; null on the last one."""


# -- examples ---------------------------------------------------------------------------------------------------------

WANTED = {"queue": QUEUE, "filter": {"verdicts": ["edit", "override"]}}
PENDING = {
    "id": PATHS["export_id"].example, "queue": QUEUE, "number": 4, "format": "jsonl", "filter": WANTED["filter"],
    "recipe": {}, "digest": None, "parent": 3, "changes": None, "state": "pending",
    "progress": {"rows": 0, "expected": None}, "files": [], "manifest": None, "error": None,
    "as_of": "2026-11-20T12:00:00.000Z", "created_at": "2026-11-20T12:00:00.000Z", "finished_at": None,
}  # fmt: skip
FILE = {
    "name": PATHS["name"].example, "bytes": 48213, "rows": 61,
    "sha256": "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae",
}  # fmt: skip
DIGEST = FILE["sha256"]
CHANGES = {"added": 9, "changed": 1, "withdrawn": 2, "unchanged": 51}
MEMBERS = {"name": "members-00000-of-00001.txt", "bytes": 6222, "rows": 61, "sha256": DIGEST}
MANIFEST_FILE = {
    "name": "manifest.json", "bytes": 512, "rows": None,
    "sha256": "fcde2b2edba56bf408601fb721fe9b5c338d10ee429ea04fae5511b68fbf8fb9",
}  # fmt: skip
READY = {
    **PENDING, "state": "ready", "progress": {"rows": 61, "expected": 61}, "files": [FILE, MANIFEST_FILE],
    "manifest": {
        "record": "reviewqueue.feedback/1", "product": "reviewqueue 0.1.0", "export": PENDING["id"], "queue": QUEUE,
        "number": 4, "format": "jsonl", "filter": WANTED["filter"], "recipe": {}, "as_of": PENDING["as_of"],
        "count": 61, "digest": DIGEST, "parent": {"export": PENDING["id"], "number": 3, "digest": DIGEST},
        "changes": CHANGES,
        "files": [FILE], "members": [MEMBERS], "withdrawn": [], "config_versions": [6, 7],
        "policies": [{"config_version": 7, "sha256": DIGEST, "applied_at": "2026-11-01T09:00:00.000Z"}],
        "models": ["intents@7"], "verdicts": {"override": 61}, "reviewers": {"r_5b1e": 61}, "dropped": {},
    },
    "digest": DIGEST, "changes": CHANGES,
    "finished_at": "2026-11-20T12:00:03.118Z",
}  # fmt: skip
CANCELLED = {**PENDING, "state": "cancelled", "finished_at": "2026-11-20T12:00:01.002Z"}

SCHEDULED = {
    "id": PATHS["schedule_id"].example, "queue": QUEUE, "format": "jsonl", "filter": {}, "recipe": {},
    "every_hours": None, "every_corrections": 500, "incremental": True, "corrections": 118, "last_export": None,
    "last_at": None, "error": None, "created_at": "2026-11-20T12:00:00.000Z",
}  # fmt: skip
TRAINED = {
    "id": "01939d21-5000-7145-a6d7-c8e9f0a1b2c3", "model": "intents", "version": "8", "note": "",
    "dataset": {"export": PENDING["id"], "queue": QUEUE, "number": 4, "digest": DIGEST},
    "recorded_at": "2026-11-21T08:00:00.000Z",
}  # fmt: skip

# -- operations -------------------------------------------------------------------------------------------------------

TAG = Tag(
    "Exports",
    "Datasets of what people decided.",
    (
        Operation(
            "POST", "/exports", "create_export", "Ask for a dataset",
            {202: Answer("Asked for; jobs write it.", Export, PENDING, ("Location",))},
            scope=Scope.EXPORTS,
            body=json_body(ExportShape, {
                "Corrections alone": WANTED,
                "What is new since version 3": {"queue": QUEUE, "since_version": 3},
                "For training": {
                    "queue": QUEUE, "format": "huggingface", "splits": {"train": 0.8, "test": 0.2},
                    "group_by": "$.customer", "deduplicate": True,
                },
            }),
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
            "POST", "/exports/{export_id}/retry", "retry_export", "Try a failed export again",
            {202: Answer("Jobs write it once more.", Export, PENDING)},
            scope=Scope.EXPORTS,
            codes=("export_not_failed",),
            hides=True,
        ),
        Operation(
            "GET", "/exports/{export_id}/withdrawals", "list_withdrawals", "List what to withdraw from a version",
            {200: Answer("In the order of items.", WithdrawalList,
                         {"withdrawals": [{"item_id": ITEM, "external_id": "chat-1", "why": "revised"}],
                          "cursor": None}, ("Link",))},
            "Items of the version that are not to be learned from any more.",
            scope=Scope.EXPORTS,
            parameters=PAGES,
            hides=True,
        ),
        Operation(
            "POST", "/export-schedules", "create_export_schedule", "Have exports made by themselves",
            {201: Answer("Scheduled.", Schedule, SCHEDULED)},
            scope=Scope.EXPORTS,
            body=json_body(ScheduleShape, {
                "After 500 corrections": {"queue": QUEUE, "every_corrections": 500, "incremental": True},
            }),
            codes=("not_found",),
        ),
        Operation(
            "GET", "/export-schedules", "list_export_schedules", "List schedules",
            {200: Answer("Those that have not ended.", ScheduleList, {"schedules": [SCHEDULED], "cursor": None})},
            scope=Scope.EXPORTS,
        ),
        Operation(
            "DELETE", "/export-schedules/{schedule_id}", "end_export_schedule", "End a schedule",
            {204: Answer("It makes no more exports.")},
            scope=Scope.EXPORTS,
            hides=True,
        ),
        Operation(
            "POST", "/models", "record_model", "Say what a model was trained on",
            {201: Answer("Recorded.", TrainedModel, TRAINED), 200: Answer("It was known.", TrainedModel, TRAINED)},
            scope=Scope.EXPORTS,
            body=json_body(TrainedShape, {
                "Version 8 learned from this": {"model": "intents", "version": "8", "export": PENDING["id"]},
            }),
            codes=("not_found", "export_not_ready"),
            hides=True,
        ),
        Operation(
            "GET", "/models", "list_models", "List what was trained",
            {200: Answer("Newest first.", TrainedModelList, {"models": [TRAINED], "cursor": None}, ("Link",))},
            scope=Scope.EXPORTS,
            parameters=(
                OF_QUEUE, Parameter("model", "query", {"type": "string"}, "Only of this model.", "intents"), *PAGES,
            ),
        ),
        Operation(
            "GET", "/exports/{export_id}/files/{name}", "download_export_file", "Download a file",
            {
                200: Answer("The file, once the export is ready.", {"type": "string", "format": "binary"},
                            headers=("ETag",), kinds=tuple(dict.fromkeys(MEDIA_TYPES.values()))),
                206: Answer("The range that was asked for.", {"type": "string", "format": "binary"},
                            headers=("ETag", "Content-Range"), kinds=tuple(dict.fromkeys(MEDIA_TYPES.values()))),
                304: Answer("Unchanged: `If-None-Match` names it.", headers=("ETag",)),
            },
            "Ranges and ETags work.",
            scope=Scope.EXPORTS,
            hides=True,
            codes=("range_not_satisfiable",),
        ),
    ),
)  # fmt: skip
