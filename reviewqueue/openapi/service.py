"""What the document says of the API as a whole, and of itself. Pure tables."""

from __future__ import annotations

from reviewqueue.openapi.operations import Answer, Operation, Parameter, Tag

INTRODUCTION = """\
Programs submit what an AI proposes, people approve, correct or reject it, and programs read what was decided.

A body is JSON, in UTF-8. Members that are not known are errors, and nothing is converted: `"0.5"` is not a number. \
Content (`input`, `output`, `metadata`) is any JSON and comes back as it was sent. Moments are UTC, ids are UUIDs that \
sort by time. Lists have a `cursor` while there is more.

Errors are `application/problem+json` (RFC 9457) with a stable `code`. What a token may not know of looks like what \
does not exist: 404. Another method on a known address is 405 `method_not_allowed`. New members and codes may be added \
to answers.

Programs written for Amazon Augmented AI find its human loops under `/api/a2i`, a protocol of its own that is not \
described here.
"""
TOKENS = (
    "A token, `rq_<id>.<secret>`. Service tokens come from administrators, personal ones from the account page; each "
    "has scopes, and may be limited to queues. The scope `review` exists on personal tokens alone."
)

SIGNATURE = (
    Parameter("webhook-id", "header", {"type": "string"}, "The same with every attempt.", "msg_01939d1c-9f01"),
    Parameter("webhook-timestamp", "header", {"type": "integer"}, "Seconds since 1970.", 1795258800),
    Parameter(
        "webhook-signature", "header", {"type": "string"},
        "`v1,` and HMAC-SHA-256, in base64, of id, timestamp and body, joined with dots; several where a secret was "
        "rotated.",
        "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=",
    ),
)  # fmt: skip
"""The headers of Standard Webhooks."""

TAG = Tag(
    "Description",
    "What you read.",
    (
        Operation(
            "GET", "/openapi.json", "read_openapi", "Read this description",
            {
                200: Answer("An OpenAPI 3.1 document.", {"type": "object"}, headers=("ETag",)),
                304: Answer("Unchanged: `If-None-Match` names it.", headers=("ETag",)),
            },
            public=True,
        ),
    ),
)  # fmt: skip
