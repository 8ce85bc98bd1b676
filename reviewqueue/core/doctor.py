"""`reviewqueue doctor`: is everything there that the product needs? Each fault says how to mend it."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from reviewqueue.config import Settings
from reviewqueue.core import background_state, embedded
from reviewqueue.core.db import db, read_session
from reviewqueue.core.migrations import is_current, is_empty


@dataclass(frozen=True)
class Check:
    """What was looked at, what was seen, and, for a fault, what to do."""

    name: str
    ok: bool
    seen: str
    mend: str = ""


def examine(settings: Settings) -> list[Check]:
    """All checks, in an application context. What cannot be asked without the database is left out without it."""
    checks = [Check("configuration", True, "can be read"), _data_dir(settings.data_dir)]
    reachable = _database()
    checks.append(reachable)
    if reachable.ok:
        checks.append(_schema())
    redis, worker = _redis_and_worker(settings)
    checks += [redis, worker] if worker else [redis]
    if all(check.ok for check in checks if check.name in {"database", "schema"}):
        checks.append(_relay())
    return checks


def _data_dir(path: Path) -> Check:
    nearest = next(place for place in (path, *path.parents) if place.exists())
    try:
        with tempfile.TemporaryFile(dir=nearest):
            pass
    except OSError as error:
        mend = "Give this user the right to write there, or name another with REVIEWQUEUE_DATA_DIR."
        return Check("data directory", False, f"{path}: {error.strerror}", mend)
    return Check("data directory", True, f"{path} can be {'written' if nearest == path else 'made'}")


def _database() -> Check:
    where = db.engine.url.render_as_string(hide_password=True)
    try:
        with db.engine.connect() as connection:
            connection.execute(text("SELECT 1"))
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", error)).strip().splitlines()[0]
        return Check("database", False, f"{where}: {reason}", "Start the server, or correct DATABASE_URL.")
    return Check("database", True, f"{where} answers")


def _schema() -> Check:
    if is_current():
        return Check("schema", True, "is this version's")
    if is_empty():
        return Check("schema", False, "is not there yet", "Run `reviewqueue up`, or `reviewqueue db upgrade`.")
    return Check("schema", False, "is another version's", "Run `reviewqueue db upgrade`.")


def _redis_and_worker(settings: Settings) -> tuple[Check, Check | None]:
    url = settings.redis_url or embedded.found_in(settings.data_dir)
    state = background_state.rq(url)
    if state.problem:
        return Check("redis", False, state.problem, "Start it, correct REDIS_URL, or run `reviewqueue up`."), None
    redis = Check("redis", True, "answers")
    heard = sum(worker.heard for worker in state.workers)
    if heard:
        return redis, Check("worker", True, f"{heard} heard in the last {background_state.WORKER_SILENT_SECONDS} s")
    return redis, Check("worker", False, "none was heard", "Start one with `reviewqueue worker`, or `reviewqueue up`.")


def _relay() -> Check:
    with read_session() as session:
        lead = background_state.lead(session)
    mend = "Start one with `reviewqueue relay`, or `reviewqueue up`."
    if lead is None:
        return Check("relay", False, "none was ever heard", mend)
    if not lead.fresh:
        return Check("relay", False, f"silent for {lead.silent_seconds:.0f} s", mend)
    return Check("relay", True, f"{lead.holder} leads")
