"""The route of the API's description."""

from __future__ import annotations

import functools

from flask import Response, request

from reviewqueue.core.http import api_blueprint, text_answer
from reviewqueue.core.strictjson import dumps

blueprint = api_blueprint("openapi")


@blueprint.get("/openapi.json")
def read_openapi() -> Response:
    """The OpenAPI document, for anybody; caches may keep it."""
    answer = text_answer(_text(), headers={"Cache-Control": "public, max-age=300"})
    answer.add_etag()
    answer.make_conditional(request)
    return answer


@functools.cache
def _text() -> str:
    # A hundred models that no other route needs: not at the start of every process.
    from reviewqueue.openapi.document import document

    return dumps(document())
