"""JSON routes for items coming in, and for those taken back."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator
from typing import Annotated

from flask import Response, current_app, request, stream_with_context
from pydantic import Field
from werkzeug.exceptions import HTTPException

from reviewqueue.core.db import read_session, write_session
from reviewqueue.core.http import (
    API_PREFIX,
    BadRequest,
    Shape,
    UnsupportedMediaType,
    actor,
    api_blueprint,
    cursor_of,
    flag,
    id_cursor,
    json_answer,
    list_answer,
    only_parameters,
    page_size,
    parse_cursor,
    read_bodies,
    read_body,
    text_answer,
)  # fmt: skip
from reviewqueue.core.ids import known_id
from reviewqueue.core.strictjson import spliced
from reviewqueue.intake import imports, opt_outs, receiving
from reviewqueue.intake.batches import answer_batch
from reviewqueue.intake.items import shown_by_id
from reviewqueue.intake.shapes import ItemShape
from reviewqueue.intake.submissions import submit
from reviewqueue.resolution.endings import cancel_item

blueprint = api_blueprint("intake")
MOST_ITEMS = 1_000
NDJSON = ("application/x-ndjson", "application/jsonl", "application/jsonlines")
ANY_LENGTH = 2**62
BODIES_A_BATCH = 16
"""How many times as large as any other request a batch may be."""


@blueprint.post("/items")
def submit_item() -> Response:
    """Submit one item: 201 with what routing decided. `?waits=1` refuses it where its answer could not be read."""
    who, waits = actor(), flag("waits")
    body = read_body(ItemShape)
    with write_session() as session:
        answer = submit(
            session=session, actor=who, body=body, idempotency_key=request.headers.get("Idempotency-Key"), waits=waits
        )
    if answer.refused is not None:
        raise answer.refused
    headers = {"Location": f"{API_PREFIX}/items/{answer.item_id}"} if answer.item_id else None
    return text_answer(answer.text, answer.status, headers)


@blueprint.post("/items/batch")
def submit_batch() -> Response:
    """Submit up to 1,000 items in one transaction: 200 with a result for each, in their order."""
    who = actor()
    request.max_content_length = BODIES_A_BATCH * current_app.config["SETTINGS"].max_body_bytes
    bodies = read_bodies(ItemShape, "items", most=MOST_ITEMS)
    with write_session() as session:
        text = answer_batch(
            session=session, actor=who, bodies=bodies, body=request.get_data(),
            idempotency_key=request.headers.get("Idempotency-Key"),
        )  # fmt: skip
    return text_answer(text)


class CancellationShape(Shape):
    reason: Annotated[str, Field(max_length=2000)] | None = None


@blueprint.post("/items/<item_id>/cancellation")
def cancel(item_id: str) -> Response:
    """Withdraw an item that nobody has decided: 200 with the item, also when it is withdrawn already."""
    wanted = known_id(item_id)
    body = read_body(CancellationShape)
    with write_session() as session:
        cancel_item(session=session, actor=actor(), item_id=wanted, reason=body.shape.reason)
        return text_answer(spliced(shown_by_id(session, actor(), wanted)))


@blueprint.post("/imports")
def import_items() -> Response:
    """Take a stream of items, one JSON object a line, of any length: 202 with the import; jobs store them.

    `?queue=` for lines that name none.
    """
    only_parameters("queue")
    if request.mimetype not in NDJSON:
        raise UnsupportedMediaType(NDJSON[0])
    if request.content_encoding not in (None, "gzip"):
        raise UnsupportedMediaType(f"{NDJSON[0]}, and with no Content-Encoding but gzip")
    request.max_content_length = ANY_LENGTH
    with receiving.a_place():
        import_id = _received()
    return _import(import_id, 202, {"Location": f"{API_PREFIX}/imports/{import_id}"})


def _received() -> str:
    """Keep the stream as it comes; the import's id."""
    who = actor()
    with write_session() as session:
        import_id = imports.begin(session=session, actor=who, queue=request.args.get("queue"))
    try:
        longest = current_app.config["SETTINGS"].max_item_bytes
        for chunk in imports.chunks_of(*_stream(), longest=longest):
            with write_session() as session:
                imports.keep(session=session, import_id=import_id, chunk=chunk)
    except (EOFError, OSError, HTTPException, zlib.error) as error:
        with write_session() as session:
            imports.fail(session=session, import_id=import_id, why=imports.BROKEN_OFF)
            imports.call(session, import_id)
        raise BadRequest("The stream broke off. What came is stored: send it again, with external_ids.") from error
    with write_session() as session:
        imports.received(session=session, import_id=import_id)
    return import_id


def _stream() -> tuple[Callable[[int], bytes], int | None]:
    """What reads the lines, and how many bytes must come."""
    if request.content_encoding == "gzip":
        # It ends with a mark of its own.
        return gzip.GzipFile(fileobj=request.stream).read, None
    # A server may hand over the part of a body that came as if it were the whole.
    return request.stream.read, request.content_length


def _import(import_id: str, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    with read_session() as session:
        run = imports.permitted(session=session, actor=actor(), import_id=import_id)
        return json_answer(imports.as_json(run), status, headers)


@blueprint.get("/imports/<import_id>")
def read_import(import_id: str) -> Response:
    """How far it is."""
    return _import(import_id)


@blueprint.get("/imports")
def list_imports() -> Response:
    """My imports, newest first: `?limit=&cursor=`."""
    limit, before = page_size(), id_cursor()
    with read_session() as session:
        found = imports.imports_of(session=session, actor=actor(), before=before, limit=limit + 1)
    cursor = cursor_of(found[limit - 1].id) if len(found) > limit else None
    return list_answer("imports", [imports.as_json(run) for run in found[:limit]], cursor)


@blueprint.get("/imports/<import_id>/faults")
def download_faults(import_id: str) -> Response:
    """The refused lines as NDJSON: `{line, error}`, in order."""
    with read_session() as session:
        run_id = imports.permitted(session=session, actor=actor(), import_id=import_id).id
    lines = stream_with_context(_fault_lines(run_id))
    return Response(lines, mimetype=NDJSON[0])


def _fault_lines(run_id: str) -> Iterator[str]:
    line = 0
    while True:
        with read_session() as session:
            page = imports.faults_of(session, run_id, after_line=line, limit=1_000)
        if not page:
            return
        yield "".join(f'{{"line":{number},"error":{problem}}}\n' for number, problem in page)
        line = page[-1][0]


class OptOutShape(Shape):
    subject: Annotated[str, Field(min_length=1, max_length=500)]


@blueprint.put("/opt-outs")
def record_opt_out() -> Response:
    """Learn nothing more from items about this subject: 200, also when that is recorded already."""
    who, shape = actor(), read_body(OptOutShape).shape
    with write_session() as session:
        return json_answer(opt_outs.as_json(opt_outs.record(session=session, actor=who, subject=shape.subject)))


@blueprint.post("/opt-outs/withdrawal")
def withdraw_opt_out() -> Response:
    """Learn from them again: 204, also when they had not opted out."""
    who, shape = actor(), read_body(OptOutShape).shape
    with write_session() as session:
        opt_outs.end(session=session, actor=who, subject=shape.subject)
    return Response(status=204)


@blueprint.get("/opt-outs")
def list_opt_outs() -> Response:
    """Who has opted out, by subject: `?limit=&cursor=`."""
    limit, beyond = page_size(), parse_cursor(request.args.get("cursor"), 1)
    with read_session() as session:
        found = opt_outs.page(session=session, actor=actor(), beyond=beyond[0] if beyond else None, limit=limit + 1)
    cursor = cursor_of(found[limit - 1].subject) if len(found) > limit else None
    return list_answer("opt_outs", [opt_outs.as_json(one) for one in found[:limit]], cursor)
