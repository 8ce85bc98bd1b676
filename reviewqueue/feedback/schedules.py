"""Operations on schedules: exports that are asked for by themselves, every so many hours or corrections."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from sqlalchemy import func, insert, select, update
from sqlalchemy.orm import Session

from reviewqueue.core import trail
from reviewqueue.core.access import SYSTEM, Action, Actor, may
from reviewqueue.core.db import clock, on_postgresql
from reviewqueue.core.ids import new_id
from reviewqueue.core.moments import iso
from reviewqueue.core.strictjson import dumps
from reviewqueue.errors import Error, Fault, Invalid, NotFound
from reviewqueue.feedback import exports
from reviewqueue.feedback.building import LIVE
from reviewqueue.feedback.recipe import Recipe
from reviewqueue.models import DatasetSchedule, DatasetVersion, Queue, Resolution
from reviewqueue.models.base import table
from reviewqueue.models.states import ExportState, ResolvedBy, Verdict
from reviewqueue.queues.catalog import find_queue

LOOKED_AT_EVERY = 60.0
"""Seconds between two counts of a schedule's corrections."""
BATCH = 20
_schedule, _resolution = table(DatasetSchedule).c, table(Resolution).c
# Index ix_dataset_schedule_next_at.
DUE = select(_schedule.id).where(_schedule.next_at <= clock()).order_by(_schedule.next_at).limit(BATCH)


def create(
    *,
    session: Session,
    actor: Actor,
    queue: str,
    kind: str,
    wanted: dict[str, Any],
    recipe: Recipe,
    every_hours: int | None = None,
    every_corrections: int | None = None,
    incremental: bool = False,
) -> str:
    """Have exports made from now on, the first at once where hours are given; returns the schedule's id.

    Raises `Invalid`, `NotFound`, `Forbidden`.
    """  # fmt: skip
    if (every_hours is None) is (every_corrections is None):
        fault = Fault("/every_hours", "is required, or every_corrections: one of the two")
        raise Invalid("Say how often.", [fault])
    if recipe.since_version is not None:
        raise Invalid("A schedule goes on from its own last version.", [Fault("/since_version", "say incremental")])
    exports.check(kind, wanted, recipe)
    head = find_queue(session=session, actor=actor, slug=queue, action=Action.EXPORT)
    exports.check_queue(session, head.id, kind, recipe)
    exports.check_right(actor, head.id, recipe)
    schedule_id = new_id()
    session.execute(
        insert(DatasetSchedule).values(
            id=schedule_id, queue_id=head.id, format=kind, filter=dumps(wanted), recipe=dumps(recipe.as_json()),
            every_hours=every_hours, every_corrections=every_corrections, incremental=incremental,
            created_by=actor.label, created_at=clock(), next_at=clock(), position=_newest(session, head.id),
            corrections=0,
        )
    )  # fmt: skip
    trail.record(
        session, actor, "export.scheduled", queue_id=head.id, subject=schedule_id,
        facts={"format": kind, "every_hours": every_hours, "every_corrections": every_corrections},
    )  # fmt: skip
    return schedule_id


def _newest(session: Session, queue_id: str) -> int:
    query = select(func.coalesce(func.max(_resolution.position), 0)).where(_resolution.queue_id == queue_id)
    newest: int = session.execute(query).scalar_one()
    return newest


def end(*, session: Session, actor: Actor, schedule_id: str) -> None:
    """Make no more exports by it; one that has ended stays as it is. Raises `NotFound`."""
    schedule = permitted(session=session, actor=actor, schedule_id=schedule_id)
    ended = session.execute(
        update(DatasetSchedule)
        .where(DatasetSchedule.id == schedule.id, DatasetSchedule.next_at.is_not(None))
        .values(next_at=None)
        .returning(DatasetSchedule.id)
        .execution_options(synchronize_session=False)
    ).one_or_none()
    if ended is not None:
        trail.record(session, actor, "export.unscheduled", queue_id=schedule.queue_id, subject=schedule.id)


def permitted(*, session: Session, actor: Actor, schedule_id: str) -> Any:
    """The schedule, for somebody who may export its queue. Raises `NotFound` for anybody else."""
    schedule = session.execute(select(DatasetSchedule).where(DatasetSchedule.id == schedule_id)).scalar_one_or_none()
    if schedule is None or not may(actor, Action.EXPORT, schedule.queue_id):
        raise NotFound
    return schedule


def schedules_of(*, session: Session, actor: Actor) -> list[dict[str, Any]]:
    """Schedules that have not ended, of queues that the actor may export, newest first. Raises `Forbidden`."""
    ids = exports.queues_of(session, actor, None)
    rows = session.execute(
        select(DatasetSchedule, Queue.slug)
        .join(Queue, Queue.id == DatasetSchedule.queue_id)
        .where(DatasetSchedule.queue_id.in_(ids), DatasetSchedule.next_at.is_not(None))
        .order_by(DatasetSchedule.id.desc())
    )
    return [as_json(schedule, slug) for schedule, slug in rows]


def as_json(schedule: Any, slug: str) -> dict[str, Any]:
    return {
        "id": schedule.id, "queue": slug, "format": schedule.format, "filter": json.loads(schedule.filter),
        "recipe": json.loads(schedule.recipe), "every_hours": schedule.every_hours,
        "every_corrections": schedule.every_corrections, "incremental": schedule.incremental,
        "corrections": schedule.corrections, "last_export": schedule.last_export_id, "last_at": iso(schedule.last_at),
        "error": schedule.error, "created_at": iso(schedule.created_at),
    }  # fmt: skip


# -- the duty ---------------------------------------------------------------------------------------------------------


def run_due(*, session: Session) -> int:
    """Ask for the exports that are due; returns at how many schedules it looked, at most 20. A duty of the relay."""
    due = DUE.with_for_update(skip_locked=True) if on_postgresql(session) else DUE
    ids = list(session.scalars(due))
    for schedule_id in ids:
        schedule = session.execute(select(DatasetSchedule).where(DatasetSchedule.id == schedule_id)).scalar_one()
        session.execute(
            update(DatasetSchedule)
            .where(DatasetSchedule.id == schedule_id)
            .values(**_looked_at(session, schedule))
            .execution_options(synchronize_session=False)
        )
    return len(ids)


def _looked_at(session: Session, schedule: Any) -> dict[str, Any]:
    """The schedule's columns after a look at it, with the export that was due."""
    found: dict[str, Any] = {"next_at": clock(LOOKED_AT_EVERY)}
    if schedule.every_corrections is not None:
        newest = _newest(session, schedule.queue_id)
        corrections = schedule.corrections + _corrections(session, schedule, newest)
        found |= {"position": newest, "corrections": corrections}
        if corrections < schedule.every_corrections:
            return found
    last = _last(session, schedule)
    if last is not None and last.state in LIVE:
        return found  # One at a time: the next is due when this one has ended.
    if schedule.every_hours is not None:
        found["next_at"] = clock(3600.0 * schedule.every_hours)
    try:
        with session.begin_nested():
            found |= {"last_export_id": _ask(session, schedule, last), "last_at": clock(), "error": None}
    except Error as error:
        return {**found, "error": error.message}
    return {**found, "corrections": 0}


def _corrections(session: Session, schedule: Any, newest: int) -> int:
    # Index uq_resolution_queue_id_position.
    query = (
        select(func.count())
        .select_from(table(Resolution))
        .where(
            _resolution.queue_id == schedule.queue_id, _resolution.position > schedule.position,
            _resolution.position <= newest, _resolution.by == ResolvedBy.PEOPLE,
            _resolution.verdict.in_((Verdict.EDIT, Verdict.OVERRIDE)),
        )
    )  # fmt: skip
    return session.execute(query).scalar_one()


def _last(session: Session, schedule: Any) -> Any:
    query = select(DatasetVersion).where(DatasetVersion.id == schedule.last_export_id)
    return session.execute(query).scalar_one_or_none()


def _ask(session: Session, schedule: Any, last: Any) -> str:
    slug = session.execute(select(Queue.slug).where(Queue.id == schedule.queue_id)).scalar_one()
    recipe = Recipe.parse(schedule.recipe)
    if schedule.incremental and last is not None:
        # From one that did not come about nobody can go on: from where it would have gone on.
        ready = last.state is ExportState.READY
        recipe = replace(recipe, since_version=last.number if ready else Recipe.parse(last.recipe).since_version)
    return exports.request_export(
        session=session, actor=SYSTEM, queue=slug, kind=schedule.format, wanted=json.loads(schedule.filter),
        recipe=recipe,
    )  # fmt: skip
