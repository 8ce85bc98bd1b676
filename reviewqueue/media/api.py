"""JSON routes of media."""

from __future__ import annotations

from contextlib import closing

from flask import Response, current_app, request

from reviewqueue.core.db import read_session, write_session
from reviewqueue.core.http import UnsupportedMediaType, actor, api_blueprint, json_answer
from reviewqueue.errors import Fault, Faults
from reviewqueue.media import uploads

blueprint = api_blueprint("media")
AROUND = 65_536
"""Bytes that a form may have beside the file."""


@blueprint.post("/media")
def upload_media() -> Response:
    """Keep a file for items of a queue: 201 with `{"$media": id, …}`, to be written into an item's input."""
    who = actor()
    if request.mimetype != "multipart/form-data":
        raise UnsupportedMediaType("multipart/form-data")
    limit = current_app.config["SETTINGS"].max_media_bytes
    request.max_content_length = limit + AROUND
    slug, file = request.form.get("queue", ""), request.files.get("file")
    faults = Faults([Fault("/file", "is required")] if file is None else [])
    if not slug or "\x00" in slug:
        faults.add("/queue", "is required: the name of the queue whose items refer to it")
    faults.raise_if_any("The form lacks something.")
    assert file is not None
    with closing(file.stream) as stream:  # a file of its own, where it is large
        data = stream.read(limit + 1)
    with read_session() as session:
        uploads.require_known(session=session, actor=who, slug=slug)
    kept = uploads.kept(data)  # outside of the transaction: nobody waits for this disk
    with write_session() as session:
        found = uploads.upload(
            session=session, actor=who, slug=slug, file=kept, idempotency_key=request.headers.get("Idempotency-Key")
        )
    return json_answer(found, 201)
