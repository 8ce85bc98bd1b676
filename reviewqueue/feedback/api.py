"""JSON routes of exports."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from flask import Response, request, send_file
from pydantic import Field, field_validator

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
from reviewqueue.feedback import exports, formats, storage
from reviewqueue.models.states import ResolvedBy, Verdict

blueprint = api_blueprint("feedback")


class FilterShape(Shape):
    by: list[Annotated[ResolvedBy, Field(strict=False)]] | None = None
    """Only items resolved by these; else those that people resolved or confirmed."""
    verdicts: list[Annotated[Verdict, Field(strict=False)]] | None = None
    """Only items that ended with one of these."""
    since: str | None = None
    """Only items resolved from this moment on; with a time zone."""
    until: str | None = None
    """Only items resolved before this moment; with a time zone."""
    include_test: bool = False
    """Items submitted with `test: true`, too."""

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
    format: Literal["jsonl", "csv", "coco", "label-studio"] = "jsonl"
    filter: FilterShape = FilterShape()


@blueprint.post("/exports")
def create_export() -> Response:
    """Ask for a dataset: 202; jobs write it."""
    who = actor()
    body = read_body(ExportShape)
    with write_session() as session:
        export_id = exports.request_export(
            session=session, actor=who, queue=body.shape.queue, kind=body.shape.format,
            wanted=body.shape.filter.model_dump(exclude_defaults=True),
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


@blueprint.get("/exports/<export_id>/files/<name>")
def download(export_id: str, name: str) -> Response:
    """One of its files; ranges and ETags work."""
    with read_session() as session:
        export = exports.finished(session=session, actor=actor(), export_id=known_id(export_id))
    return send(export.id, name)


def send(export_id: str, name: str) -> Response:
    """The file as a download."""
    path = storage.path_of(export_id, name)
    kind = formats.MEDIA_TYPES[path.suffix.removeprefix(".")]
    return send_file(path, mimetype=kind, as_attachment=True, download_name=name, conditional=True)
