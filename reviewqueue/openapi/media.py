"""Media in the API's document: what is answered, and the operations. Pure tables."""

from __future__ import annotations

from uuid import UUID

from pydantic import Field

from reviewqueue.core.access import Scope
from reviewqueue.media.kinds import SUFFIXES
from reviewqueue.openapi.operations import Answer, Body, Operation, Tag, Told
from reviewqueue.openapi.parameters import IDEMPOTENCY_KEY, QUEUE


class Media(Told):
    """A file that was kept."""

    id: UUID = Field(alias="$media")
    """Write `{"$media": id}` into the input of an item of that queue."""
    type: str
    """What the file is, by its own first bytes."""
    bytes: int
    sha256: str
    width: int | None
    """In pixels; null for a document."""
    height: int | None


FORM = {
    "type": "object",
    "required": ["queue", "file"],
    "properties": {"queue": {"type": "string"}, "file": {"type": "string", "format": "binary"}},
}
KEPT = {
    "$media": "01939d21-5a00-7145-a6d7-c8e9f0a1b23d", "type": "image/jpeg", "bytes": 98120,
    "sha256": "5b1c9a20f5d4d2a1a8ef0e2f3f4d5c6b7a8990817263544536271809fafbfcfd", "width": 463, "height": 1013,
}  # fmt: skip
BINARY = {"type": "string", "format": "binary"}
KINDS = (*SUFFIXES, "application/octet-stream")
"""The last for generated clients, which know the others not."""
FILES = {
    200: Answer("The file, to be trusted with nothing: it says itself to be a sandbox.", BINARY, headers=("ETag",),
                kinds=KINDS),
    206: Answer("The range that was asked for.", BINARY, headers=("ETag", "Content-Range"), kinds=KINDS),
    304: Answer("Unchanged: `If-None-Match` names it.", headers=("ETag",)),
}  # fmt: skip

TAG = Tag(
    "Media",
    "Pictures and documents that items refer to.",
    (
        Operation(
            "POST", "/media", "upload_media", "Upload a picture or a document",
            {201: Answer("Kept. Forgotten after a week if no item refers to it.", Media, KEPT)},
            "PNG, JPEG, GIF, WebP or PDF, whatever it is called. Its id goes into the input of items of the queue that "
            "the form names.",
            scope=Scope.ITEMS_WRITE, parameters=(IDEMPOTENCY_KEY,),
            body=Body({"multipart/form-data": FORM}, {"A receipt": {"queue": QUEUE, "file": "…"}},
                      codes=("too_large", "unsupported_media_type")),
            codes=("unknown_queue", "unknown_media"),
        ),
        Operation(
            "GET", "/items/{item_id}/media/{place}", "item_media", "Download what an item refers to", FILES,
            scope=Scope.ITEMS_READ, codes=("range_not_satisfiable",),
        ),
        Operation(
            "GET", "/claims/{claim_id}/media/{place}", "claim_media", "Download what the item in hand refers to", FILES,
            scope=Scope.REVIEW, codes=("range_not_satisfiable",),
        ),
    ),
)  # fmt: skip
