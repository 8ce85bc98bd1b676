"""`/healthz`: the process answers. `/readyz`: the database does too."""

from __future__ import annotations

from flask import Blueprint, Response
from sqlalchemy import text

from reviewqueue.core.db import read_session
from reviewqueue.core.http import json_answer

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
def healthz() -> Response:
    return json_answer({"status": "ok"})


@blueprint.get("/readyz")
def readyz() -> Response:
    """503 (by the error handler) while the database cannot be reached."""
    with read_session() as session:
        session.execute(text("SELECT 1"))
    return json_answer({"status": "ok"})
