"""Operations for a log that was restored from a backup: it is shorter than it was, and says so itself.

Checkpoints that were signed after the backup cannot agree with it. Those that others kept will always tell what is
lost, and `audit verify` says that a restore explains it. Those in the data directory are put aside by whoever restores:
a hand that has the database alone cannot make a log look restored that was cut off.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import delete
from sqlalchemy.orm import Session

from reviewqueue.audit import chain, sealing
from reviewqueue.core import trail
from reviewqueue.core.access import Action, Actor, require
from reviewqueue.core.db import database_now
from reviewqueue.errors import Invalid
from reviewqueue.models import HalfLogin, WebSession

LONGEST_REASON = 500


@dataclass(frozen=True)
class Recorded:
    """The event, and how many sealed events were there before it."""

    event_id: str
    events: int
    at: datetime


def record(*, session: Session, actor: Actor, reason: str, backup: str | None = None) -> Recorded:
    """Say that the database is a restored one, and end all sessions: one that was signed out since the backup would be
    open again. Before the relay runs on it. Raises `Forbidden`, and `Invalid` without a reason."""
    require(actor, Action.BACK_UP)
    if not reason.strip() or len(reason) > LONGEST_REASON:
        raise Invalid(f"Say why, in 1 to {LONGEST_REASON} characters: it stays in the log.")
    events, root = sealing.head(session)
    facts = {"events": events, "root": root, **({"backup": backup} if backup else {})}
    session.execute(delete(HalfLogin))
    session.execute(delete(WebSession))
    event_id = trail.record(
        session, actor, chain.RESTORED, subject=backup, facts=facts, content={"reason": reason.strip()}
    )
    return Recorded(event_id, events, database_now(session))


def file_of_lost() -> Path:
    """Checkpoints of events that a restore left out."""
    return sealing.file_of_checkpoints().with_name("audit_checkpoints_lost.jsonl")


def put_aside(events: int) -> int:
    """Move checkpoints of more than so many events out of the data directory's file; returns how many."""
    path = sealing.file_of_checkpoints()
    if not path.exists():
        return 0
    found = chain.checkpoints_in(path.read_text(encoding="utf-8"))
    ahead = [one for one in found if isinstance(one.get("size"), int) and one["size"] > events]
    if not ahead:
        return 0
    with file_of_lost().open("a", encoding="utf-8") as file:
        file.writelines(f"{json.dumps(one)}\n" for one in ahead)
        file.flush()
        os.fsync(file.fileno())
    kept = path.with_name(f".{path.name}.new")
    kept.write_text("".join(f"{json.dumps(one)}\n" for one in found if one not in ahead), encoding="utf-8")
    kept.replace(path)
    return len(ahead)
