"""Two months of a queue that is in use, so that its insight has something to tell: made by operations, then dated back.

The audit log alone tells the truth: that all of it was made when the demonstration began.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, func, select, update
from sqlalchemy.orm import Session

from reviewqueue.accounts.identity import actor_of_person
from reviewqueue.core.access import Actor
from reviewqueue.core.db import database_now
from reviewqueue.core.http import checked
from reviewqueue.core.strictjson import dumps
from reviewqueue.insights.gathering import gather
from reviewqueue.insights.predictions import Predicted, predict
from reviewqueue.intake.shapes import ItemShape
from reviewqueue.intake.submissions import submit
from reviewqueue.models import Decision, Item, Person, Resolution, Task
from reviewqueue.models.base import UtcDateTime, table
from reviewqueue.models.states import Verdict
from reviewqueue.resolution.verdicts import MISSING
from reviewqueue.review.claims.taking import claim_next
from reviewqueue.review.decisions.deciding import decide
from reviewqueue.review.decisions.recording import Submission

QUEUE = "ticket-urgency"
ITEMS = 480
DAYS = 56
STILL_WAITING = 12
NEW_VERSION = 36
"""The day on which a better model came."""
_LEVELS = ("low", "normal", "high", "urgent")
_WHERE = (
    "the till",
    "the stock list",
    "the web shop",
    "my mail",
    "the label printer",
    "payroll",
    "the booking page",
    "the scanner",
)
_WHAT = (
    ("Could {} have a darker background?", 0), ("Is there a manual for {}?", 0), ("Which version of {} do we have?", 0),
    ("{} is slow on Mondays, we wait a minute for each page.", 1), ("A word is misspelt in {}.", 1),
    ("{} asks me for my password twice.", 1), ("I cannot get into {} since this morning.", 2),
    ("{} shows me an empty page, my colleagues are fine.", 2), ("{} has lost what I entered before lunch.", 2),
    ("Nobody in the branch can use {}!", 3), ("{} charges customers twice.", 3),
    ("{} shows us the addresses of another company's customers.", 3),
)  # fmt: skip
_SINCE = ("", " It began after the update.", " It is the third time this month.", " Please call me.", " Thank you!")


def tickets() -> Iterator[tuple[int, dict[str, Any], str]]:
    """The day, what the model sent, and what is right. The same at each call."""
    draw = random.Random("tickets")  # noqa: S311 - samples
    for number in range(ITEMS):
        day = number * DAYS // ITEMS
        what, level = draw.choice(_WHAT)
        language = draw.choices(("English", "German", "Spanish"), (5, 3, 2))[0]
        skill = (0.74 if day < NEW_VERSION else 0.84) - (0.1 if language == "Spanish" else 0.0)
        said = level if draw.random() < skill else min(3, max(0, level + draw.choice((-1, 1))))
        confidence = draw.betavariate(9, 1.6) if said == level else draw.betavariate(5, 2.2)
        text = what.format(draw.choice(_WHERE)) + draw.choice(_SINCE)
        other = _LEVELS[said + 1 if said < 3 else 2]
        item = {
            "queue": QUEUE, "external_id": f"ticket-{number:04}", "input": {"text": text[0].upper() + text[1:]},
            "output": {"urgency": _LEVELS[said]}, "confidence": round(confidence, 3),
            "alternatives": [{"output": {"urgency": other}, "confidence": round((1 - confidence) * 0.8, 3)}],
            "model": "urgency", "model_version": "2026-08" if day < NEW_VERSION else "2026-10",
            "metadata": {"language": language},
        }  # fmt: skip
        yield day, item, _LEVELS[level]


def candidate() -> list[Predicted]:
    """What a model to come makes of the same tickets."""
    draw = random.Random("candidate")  # noqa: S311 - samples
    return [
        Predicted(
            item=None, external_id=item["external_id"],
            output={"urgency": right if draw.random() < 0.93 else draw.choice(_LEVELS)},
            confidence=round(draw.betavariate(9, 1.4), 3),
        )
        for _, item, right in tickets()
    ]  # fmt: skip


def fill(session: Session, actor: Actor, reviewers: Sequence[str]) -> None:
    """Submit the tickets and have `reviewers` (e-mails) judge them, all but the last few; then date all of it back."""
    draw = random.Random("people")  # noqa: S311 - samples
    now = database_now(session)
    days: dict[str, int] = {}
    answers: dict[str, tuple[str, str]] = {}
    for day, item, right in tickets():
        item_id = submit(session=session, actor=actor, body=checked(ItemShape, dumps(item).encode())).item_id
        assert item_id is not None, "no rule of it refuses"
        days[item_id], answers[item_id] = day, (item["output"]["urgency"], right)
    to_judge = session.scalar(select(func.count()).where(Task.item_id.in_(days))) or 0
    people = [
        actor_of_person(session, person_id)
        for person_id in session.scalars(select(Person.id).where(Person.email.in_(reviewers)).order_by(Person.email))
    ]
    for _ in range(to_judge - STILL_WAITING):
        person = draw.choice(people)
        assert person is not None, "they were made a moment ago"
        held = claim_next(session=session, actor=person, slug=QUEUE)
        assert held is not None, "as many wait"
        said, right = answers.pop(held.item_id)
        agrees = said == right or draw.random() < 0.03
        submission = Submission(
            verdict=Verdict.APPROVE if agrees else Verdict.OVERRIDE,
            output=MISSING if agrees else {"urgency": right},
            spent_seconds=round(draw.lognormvariate(2, 0.5), 1),
        )  # fmt: skip
        decide(session=session, actor=person, claim_id=held.claim_id, submission=submission)
    _date_back(session, now, days)
    gather(session=session, lag_seconds=0)
    predict(
        session=session, actor=actor, slug=QUEUE, model="urgency", model_version="2026-12", predictions=candidate()
    )  # fmt: skip


def _date_back(session: Session, now: datetime, days: dict[str, int]) -> None:
    """What came on a day came during its working hours, and was answered an hour later."""
    draw = random.Random("hours")  # noqa: S311 - samples
    rows = []
    for item_id, day in days.items():
        came = now - timedelta(days=DAYS - day, hours=draw.uniform(0, 9))
        judged = came + timedelta(minutes=draw.lognormvariate(4, 0.8))
        rows.append({"item": item_id, "came": came, "due": came + timedelta(hours=8), "judged": judged})
    came_at, due_at, judged_at = (bindparam(name, type_=UtcDateTime()) for name in ("came", "due", "judged"))
    for of, values in (
        (table(Item).c.id, {"created_at": came_at, "due_at": due_at}),
        (table(Resolution).c.item_id, {"created_at": judged_at}),
        (table(Decision).c.item_id, {"decided_at": judged_at, "releases_at": judged_at}),
    ):
        session.connection().execute(
            update(of.table).where(of == bindparam("item", type_=of.type)).values(values), rows
        )
