"""The page that describes the API to people."""

from __future__ import annotations

from flask import Blueprint, render_template, request

from reviewqueue.core.http import API_PREFIX

blueprint = Blueprint("openapi", __name__)


@blueprint.get("/docs")
def reference() -> str:
    """The whole reference, for anybody."""
    # As in `api.py`.
    from reviewqueue.openapi import reading, service
    from reviewqueue.openapi.document import document

    return render_template(
        "openapi/reference.html",
        about=document()["info"],
        tokens=service.TOKENS,
        sections=reading.sections(),
        shapes=reading.shapes(),
        errors=[example["value"] for example in document()["components"]["examples"].values()],
        prefix=API_PREFIX,
        address=f"{request.host_url.rstrip('/')}{request.script_root}{API_PREFIX}",
    )
