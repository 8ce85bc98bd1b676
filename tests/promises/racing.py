"""One racer: a process that claims and decides until nothing waits, and logs outside the system what it was told."""

from __future__ import annotations

import json
import time
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from reviewqueue import config
from reviewqueue.app import create_app
from reviewqueue.core.access import Actor
from reviewqueue.errors import Error
from reviewqueue.models.states import Verdict
from reviewqueue.review import edge
from reviewqueue.review.decisions.recording import Submission


def race(settings: config.Settings, actor: Actor, start_at: float, log: Path, label: str | None = None) -> None:
    """Runs in a process of its own: its engines are made here. Approves; of items with an odd id it says `label`."""
    approve = Submission(verdict=Verdict.APPROVE)
    other = Submission(verdict=None, output={"label": label}) if label else approve
    with create_app(settings).app_context(), log.open("w") as file:
        time.sleep(max(0.0, start_at - time.time()))
        empty = 0
        while empty < 3:
            try:
                held = edge.take_next(actor, "intents", lambda _session, held: held)
                if held is None:
                    empty += 1
                    continue
                decided = edge.decide_now(actor, held.claim_id, other if odd(held.item_id) else approve)
            except (Error, SQLAlchemyError) as error:
                file.write(json.dumps({"error": f"{type(error).__name__}: {error}"}) + "\n")
                continue
            empty = 0
            file.write(json.dumps({"task": held.task_id, "decision": decided.decision_id, "kind": held.kind}) + "\n")


def odd(item_id: str) -> bool:
    return int(item_id[-1], 16) % 2 == 1
