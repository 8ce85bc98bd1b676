"""JSON routes of exports."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from flask import Response, request
from pydantic import Field, field_validator
from werkzeug.wsgi import wrap_file

from reviewqueue.core.db import read_session, write_session
from reviewqueue.core.http import (
    API_PREFIX,
    Shape,
    actor,
    api_blueprint,
    cursor_of,
    id_cursor,
    json_answer,
    list_answer,
    page_size,
    read_body,
)
from reviewqueue.core.ids import known_id
from reviewqueue.feedback import exports, formats, schedules, storage, trained, withdrawals
from reviewqueue.feedback.recipe import Recipe
from reviewqueue.models.states import ResolvedBy, Verdict
from reviewqueue.queues.applying import LARGEST_VERSION

blueprint = api_blueprint("feedback")


Share = Annotated[float, Field(gt=0, le=1)]
SplitName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,30}$")]


class FilterShape(Shape):
    by: list[Annotated[ResolvedBy, Field(strict=False)]] | None = None
    """Only items resolved by these; else those that people resolved or confirmed."""
    verdicts: list[Annotated[Verdict, Field(strict=False)]] | None = None
    """Only items that ended with one of these."""
    since: str | None = None
    """Only items resolved from this moment on; with a time zone."""
    until: str | None = None
    """Only items resolved before this moment; with a time zone."""
    models: Annotated[list[Annotated[str, Field(min_length=1, max_length=401)]], Field(max_length=100)] | None = None
    """Only outputs of these: `model@version`, or `model` for any version of it."""
    labels: Annotated[list[Any], Field(max_length=1000)] | None = None
    """Only items whose final output is one of these labels, or has one."""
    agreement: Annotated[float, Field(ge=0, le=1)] | None = None
    """Only items of whose decisions at least this share gave the final answer."""
    reviews: Annotated[int, Field(ge=1, le=9)] | None = None
    """Only items that at least so many people decided."""
    reviewer_quality: Annotated[float, Field(ge=0, le=1)] | None = None
    """No item that somebody decided who is known to meet less than this share of the queue's gold."""
    include_test: bool = False
    """Items submitted with `test: true`, too."""
    include_gold: bool = False
    """Items whose answer was known, too; their records say `gold: true`."""

    @field_validator("since", "until")
    @classmethod
    def _moment(cls, value: str | None) -> str | None:
        if value is None:
            return None
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            raise ValueError("must be a time, as in 2026-11-20T10:00:00Z") from None
        if moment.tzinfo is None:
            raise ValueError("must carry its time zone, as in 2026-11-20T10:00:00Z")
        try:
            return moment.astimezone(UTC).isoformat()
        except OverflowError:
            raise ValueError("is outside of the calendar") from None


class ExportShape(Shape):
    queue: Annotated[str, Field(min_length=1, max_length=200)]
    """The queue's name."""
    format: Literal[formats.FORMATS] = "jsonl"  # type: ignore[valid-type]
    filter: FilterShape = FilterShape()
    splits: Annotated[dict[SplitName, Share], Field(max_length=10)] = Field(default_factory=dict)
    """Shares by name, as in `{"train": 0.8, "test": 0.2}`. Items of one group are in one split, in every version."""
    group_by: Annotated[str, Field(pattern=r"^(input|\$(\.[^.\s]+)+)$", max_length=200)] | None = None
    """A path into the input, or else the metadata, as in `$.customer`; or `input`. Left out: the item's subject, or
    else its external id."""
    salt: Annotated[str, Field(max_length=200)] | None = None
    """For other splits of the same items. Left out: the queue's name."""
    deduplicate: bool = False
    """Of items with the same input, the one that was resolved last."""
    since_version: Annotated[int, Field(ge=1, le=LARGEST_VERSION)] | None = None
    """Only records that were added or changed since this version, and a list of those to withdraw."""
    as_version: Annotated[int, Field(ge=1, le=LARGEST_VERSION)] | None = None
    """Outputs as this version of the configuration has them; what does not fit is left out and counted."""
    labels: Annotated[dict[str, str | None], Field(max_length=1000)] = Field(default_factory=dict)
    """With `as_version`: what a label is called there; null: it is not there."""
    sensitive: bool = False
    """Also what the queue marks as sensitive; for administrators. Else it is left out of input and metadata."""

    def recipe(self) -> Recipe:
        """How records become files."""
        return Recipe(**{one.name: getattr(self, one.name) for one in fields(Recipe)})


class ScheduleShape(ExportShape):
    every_hours: Annotated[int, Field(ge=1, le=8760)] | None = None
    every_corrections: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """Edits and overrides by people; this or the hours."""
    incremental: bool = False
    """Each export holds only what is new or changed since the one before."""


class TrainedShape(Shape):
    model: Annotated[str, Field(min_length=1, max_length=200)]
    """As items name it."""
    version: Annotated[str, Field(min_length=1, max_length=200)]
    export: Annotated[str, Field(min_length=1, max_length=36)]
    """The dataset version's id."""
    note: Annotated[str, Field(max_length=2000)] = ""


@blueprint.post("/exports")
def create_export() -> Response:
    """Ask for a dataset: 202; jobs write it."""
    who = actor()
    body = read_body(ExportShape)
    with write_session() as session:
        export_id = exports.request_export(
            session=session, actor=who, queue=body.shape.queue, kind=body.shape.format,
            wanted=body.shape.filter.model_dump(exclude_defaults=True), recipe=body.shape.recipe(),
        )  # fmt: skip
    return _answer(export_id, 202, {"Location": f"{API_PREFIX}/exports/{export_id}"})


def _answer(export_id: str, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    with read_session() as session:
        export = exports.permitted(session=session, actor=actor(), export_id=known_id(export_id))
        return json_answer(exports.as_json(session, export), status, headers)


@blueprint.get("/exports/<export_id>")
def read_export(export_id: str) -> Response:
    """State, progress, files, manifest."""
    return _answer(export_id)


@blueprint.get("/exports")
def list_exports() -> Response:
    """Exports, newest first: `?queue=&limit=&cursor=`."""
    limit = page_size()
    after = id_cursor()
    with read_session() as session:
        rows = exports.exports_of(
            session=session, actor=actor(), queue=request.args.get("queue"), limit=limit + 1,
            before=after,
        )  # fmt: skip
        found: list[dict[str, Any]] = [exports.as_json(session, row.DatasetVersion) for row in rows[:limit]]
    cursor = cursor_of(found[-1]["id"]) if len(rows) > limit else None
    return list_answer("exports", found, cursor)


@blueprint.post("/exports/<export_id>/cancellation")
def cancel_export(export_id: str) -> Response:
    """Stop an export that is not finished."""
    with write_session() as session:
        exports.cancel(session=session, actor=actor(), export_id=known_id(export_id))
    return _answer(export_id)


@blueprint.post("/exports/<export_id>/retry")
def retry_export(export_id: str) -> Response:
    """Write a failed export once more."""
    with write_session() as session:
        exports.retry(session=session, actor=actor(), export_id=known_id(export_id))
    return _answer(export_id, 202)


@blueprint.get("/exports/<export_id>/withdrawals")
def list_withdrawals(export_id: str) -> Response:
    """Items of the version that are not to be learned from any more: `?limit=&cursor=`."""
    limit, after = page_size(), id_cursor()
    with read_session() as session:
        export = exports.finished(session=session, actor=actor(), export_id=known_id(export_id))
        found = withdrawals.page(session, export, after=after, limit=limit + 1)
    cursor = cursor_of(found[limit - 1]["item_id"]) if len(found) > limit else None
    return list_answer("withdrawals", found[:limit], cursor)


@blueprint.get("/exports/<export_id>/files/<path:name>")
def download(export_id: str, name: str) -> Response:
    """One of its files; ranges and ETags work."""
    with read_session() as session:
        export = exports.finished(session=session, actor=actor(), export_id=known_id(export_id))
    return send(export, name)


def send(export: Any, name: str) -> Response:
    """The file as a download."""
    file, length = storage.open_file(export.id, name)
    kind, plain = formats.MEDIA_TYPES[name.rpartition(".")[2]], name.rpartition("/")[2]
    answer = Response(wrap_file(request.environ, file, storage.CHUNK), mimetype=kind, direct_passthrough=True)
    answer.headers["Content-Disposition"] = f'attachment; filename="{plain}"'
    answer.content_length = length
    # A version never changes, and no two have an id.
    answer.set_etag(f"{export.id}-{plain}")
    answer.last_modified = export.finished_at
    answer.make_conditional(request.environ, accept_ranges=True, complete_length=length)
    return answer


# -- schedules --------------------------------------------------------------------------------------------------------


@blueprint.post("/export-schedules")
def create_schedule() -> Response:
    """Have exports made by themselves."""
    shape = read_body(ScheduleShape).shape
    with write_session() as session:
        schedule_id = schedules.create(
            session=session, actor=actor(), queue=shape.queue, kind=shape.format,
            wanted=shape.filter.model_dump(exclude_defaults=True), recipe=shape.recipe(),
            every_hours=shape.every_hours, every_corrections=shape.every_corrections, incremental=shape.incremental,
        )  # fmt: skip
    with read_session() as session:
        schedule = schedules.permitted(session=session, actor=actor(), schedule_id=schedule_id)
        return json_answer(schedules.as_json(schedule, shape.queue), 201)


@blueprint.get("/export-schedules")
def list_schedules() -> Response:
    """Those that have not ended."""
    with read_session() as session:
        return list_answer("schedules", schedules.schedules_of(session=session, actor=actor()), None)


@blueprint.delete("/export-schedules/<schedule_id>")
def end_schedule(schedule_id: str) -> Response:
    """Make no more exports by it."""
    with write_session() as session:
        schedules.end(session=session, actor=actor(), schedule_id=known_id(schedule_id))
    return Response(status=204)


# -- what was trained -------------------------------------------------------------------------------------------------


@blueprint.post("/models")
def record_model() -> Response:
    """Say which dataset version a version of a model was trained on."""
    shape = read_body(TrainedShape).shape
    with write_session() as session:
        _, new = trained.record(
            session=session, actor=actor(), export_id=known_id(shape.export), model=shape.model, version=shape.version,
            note=shape.note,
        )  # fmt: skip
    with read_session() as session:
        found = trained.page(
            session=session, actor=actor(), model=shape.model, export_id=known_id(shape.export), limit=1000
        )
    return json_answer(next(one for one in found if one["version"] == shape.version), 201 if new else 200)


@blueprint.get("/models")
def list_models() -> Response:
    """What was trained on datasets, newest first: `?queue=&model=&limit=&cursor=`."""
    limit, after = page_size(), id_cursor()
    with read_session() as session:
        found = trained.page(
            session=session, actor=actor(), queue=request.args.get("queue"), model=request.args.get("model"),
            before=after, limit=limit + 1,
        )  # fmt: skip
    cursor = cursor_of(found[limit - 1]["id"]) if len(found) > limit else None
    return list_answer("models", found[:limit], cursor)
