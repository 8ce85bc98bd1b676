"""Eight processes claim and decide at once: nothing twice, nothing lost, nobody refused. Promises 3 and 5."""

from __future__ import annotations

import json
import multiprocessing
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from reviewqueue.accounts import memberships, people
from reviewqueue.config import Settings
from reviewqueue.core.access import Actor
from reviewqueue.core.db import db, write_session
from reviewqueue.core.http import checked
from reviewqueue.intake.shapes import ItemShape
from reviewqueue.intake.submissions import submit
from reviewqueue.models.states import ActorKind, QueueRole, SiteRole, Verdict, Via
from reviewqueue.queues.applying import apply
from reviewqueue.review import edge
from reviewqueue.review.decisions.recording import Submission
from tests.fixtures.people import INTENTS, OPERATOR, Cast, item
from tests.promises.racing import odd, race
from tests.promises.stored import plain

RACERS = 8


@pytest.mark.parametrize("tasks", [240, pytest.param(10_000, marks=[pytest.mark.soak, pytest.mark.timeout(1800)])])
def test_eight_processes_take_every_task_once(settings: Settings, app: Flask, cast: Cast, tmp_path: Path, tasks: int):
    with app.app_context():
        racers = [_hire(cast.queue_id, number) for number in range(RACERS)]
        for start in range(0, tasks, 200):
            with write_session() as session:
                for number in range(start, min(start + 200, tasks)):
                    submit(
                        session=session,
                        actor=cast.submitter.actor,
                        body=checked(ItemShape, json.dumps(item(number)).encode()),
                    )
        db.engine.dispose()

    told, seconds = _run(settings, racers, tmp_path)
    print(f"{tasks} tasks, {RACERS} processes: {seconds:.1f} s, {tasks / seconds:.0f} decisions/s")

    assert [line["error"] for line in told if "error" in line] == []
    counts = Counter(line["task"] for line in told)
    assert [task for task, count in counts.items() if count > 1] == []
    assert len(counts) == tasks
    with app.app_context(), db.engine.connect() as connection:
        stored = connection.execute(text("SELECT task_id, id FROM decision")).all()
        open_tasks = connection.execute(text("SELECT count(*) FROM task WHERE state <> 'done'")).scalar_one()
        resolved = connection.execute(text("SELECT count(DISTINCT item_id), count(*) FROM resolution")).one()
    assert sorted((plain(task), plain(decision)) for task, decision in stored) == sorted(
        (line["task"], line["decision"]) for line in told
    )
    assert open_tasks == 0
    assert tuple(resolved) == (tasks, tasks)


def _hire(queue_id: str, number: int) -> Actor:
    name, email = f"Racer {number}", f"racer{number}@example.com"
    with write_session() as session:
        person = people.create(
            session=session, actor=OPERATOR, email=email, name=name, role=SiteRole.MEMBER, password="racing all day"
        )
        memberships.add(session=session, actor=OPERATOR, slug="intents", email=email, role=QueueRole.REVIEWER)
    return Actor(
        kind=ActorKind.PERSON, id=person.id, name=name, via=Via.API, site_role=SiteRole.MEMBER,
        memberships={queue_id: frozenset({QueueRole.REVIEWER})},
    )  # fmt: skip


def test_of_two_reviews_at_once_each_sees_the_other(settings: Settings, app: Flask, cast: Cast, tmp_path: Path):
    """Two different people judge each item, one adjudication settles each disagreement, and every item ends once.

    Each of the people has a label of their own for items with an odd id, and all approve the others.
    """
    items = 40
    with app.app_context():
        racers = [_hire(cast.queue_id, number) for number in range(4)]
        with write_session() as session:
            reviews = {"required": 2, "adjudicator": "reviewer"}
            apply(session=session, actor=OPERATOR, document={**INTENTS, "reviews": reviews})
            for number in range(items):
                body = checked(ItemShape, json.dumps(item(number)).encode())
                submit(session=session, actor=cast.submitter.actor, body=body)
        db.engine.dispose()

    told, _ = _run(settings, racers, tmp_path, labels=["card_arrival", "lost_card", "refund", "exchange_rate"])

    assert [line["error"] for line in told if "error" in line] == []
    with app.app_context(), db.engine.connect() as connection:
        finished = [_finish(actor) for actor in racers]
        rows = connection.execute(
            text(
                "SELECT d.item_id, d.person_id, CAST(d.output AS TEXT) AS output, t.kind"
                " FROM decision d JOIN task t ON t.id = d.task_id"
            )
        ).all()
        ended = connection.execute(text("SELECT count(DISTINCT item_id), count(*) FROM resolution")).one()
        unfinished = connection.execute(text("SELECT count(*) FROM task WHERE state <> 'done'")).scalar_one()
    assert tuple(ended) == (items, items)
    assert unfinished == 0
    assert len(rows) == len(told) + sum(finished)
    given: dict[Any, list[Any]] = defaultdict(list)
    for row in rows:
        given[row.item_id].append(row)
    disagreed = 0
    for judged in given.values():
        answers = [row.output for row in judged if row.kind == "review"]
        adjudications = [row for row in judged if row.kind == "adjudication"]
        assert len(answers) == 2
        assert len({row.person_id for row in judged}) == len(judged), "four eyes"
        assert len(adjudications) == (answers[0] != answers[1])
        disagreed += len(adjudications)
    assert disagreed == sum(odd(plain(item_id)) for item_id in given)
    assert 0 < disagreed < items


def _finish(actor: Actor) -> int:
    """Decide what came up when the others had left: a disagreement of the last two, say."""
    count = 0
    while (held := edge.take_next(actor, "intents", lambda _, held: held)) is not None:
        edge.decide_now(actor, held.claim_id, Submission(verdict=Verdict.APPROVE))
        count += 1
    return count


def _run(
    settings: Settings, racers: list[Actor], directory: Path, labels: Sequence[str | None] = (None,) * RACERS
) -> tuple[list[dict[str, Any]], float]:
    """Let them race; returns what each was told, and the seconds it took from the common start."""
    context = multiprocessing.get_context("spawn")
    logs = [directory / f"racer{number}.jsonl" for number in range(len(racers))]
    start_at = time.time() + 6
    processes = [
        context.Process(target=race, args=(settings, actor, start_at, log, label), daemon=True)
        for actor, log, label in zip(racers, logs, labels, strict=True)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * len(racers)
    return [json.loads(line) for log in logs for line in log.read_text().splitlines()], time.time() - start_at
