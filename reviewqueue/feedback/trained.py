"""Operations on what was trained: which version of a model learned from which dataset version."""

from __future__ import annotations

from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from reviewqueue.core import trail
from reviewqueue.core.access import Actor
from reviewqueue.core.db import clock
from reviewqueue.core.ids import new_id
from reviewqueue.core.moments import iso
from reviewqueue.errors import Conflict
from reviewqueue.feedback import exports
from reviewqueue.models import DatasetVersion, Queue, TrainedModel
from reviewqueue.models.states import ExportState


def record(
    *, session: Session, actor: Actor, export_id: str, model: str, version: str, note: str = ""
) -> tuple[str, bool]:
    """Say that a version of a model was trained on a dataset version; returns the record's id, and whether it is new.

    Raises `NotFound`, and `Conflict` for an export that is not ready.
    """
    export = exports.permitted(session=session, actor=actor, export_id=export_id)
    if export.state is not ExportState.READY:
        raise Conflict(f"The export is {export.state}: nothing can have been trained on it.", code="export_not_ready")
    found = _known(session, export.id, model, version)
    if found is not None:
        return found, False
    trained_id = new_id()
    try:
        with session.begin_nested():
            session.execute(
                insert(TrainedModel).values(
                    id=trained_id, export_id=export.id, model=model, model_version=version, note=note,
                    recorded_by=actor.label, recorded_at=clock(),
                )
            )  # fmt: skip
    except IntegrityError:
        # Another request was quicker.
        known = _known(session, export.id, model, version)
        assert known is not None
        return known, False
    trail.record(
        session, actor, "model.trained", queue_id=export.queue_id, subject=export.id,
        facts={"model": model, "version": version, "number": export.number},
    )  # fmt: skip
    return trained_id, True


def _known(session: Session, export_id: str, model: str, version: str) -> str | None:
    return session.scalars(
        select(TrainedModel.id).where(
            TrainedModel.export_id == export_id, TrainedModel.model == model, TrainedModel.model_version == version
        )
    ).one_or_none()


def page(
    *,
    session: Session,
    actor: Actor,
    queue: str | None = None,
    model: str | None = None,
    export_id: str | None = None,
    before: str | None = None,
    limit: int,
) -> list[dict[str, Any]]:
    """What was trained on datasets that the actor may export, newest first. Raises `NotFound`, `Forbidden`."""
    query = (
        select(TrainedModel, DatasetVersion, Queue.slug)
        .join(DatasetVersion, DatasetVersion.id == TrainedModel.export_id)
        .join(Queue, Queue.id == DatasetVersion.queue_id)
    )
    query = query.where(DatasetVersion.queue_id.in_(exports.queues_of(session, actor, queue)))
    if model is not None:
        query = query.where(TrainedModel.model == model)
    if export_id is not None:
        query = query.where(TrainedModel.export_id == export_id)
    if before is not None:
        query = query.where(TrainedModel.id < before)
    rows = session.execute(query.order_by(TrainedModel.id.desc()).limit(limit))
    return [_as_json(trained, export, slug) for trained, export, slug in rows]


def _as_json(trained: Any, export: Any, slug: str) -> dict[str, Any]:
    return {
        "id": trained.id, "model": trained.model, "version": trained.model_version, "note": trained.note,
        "dataset": {"export": export.id, "queue": slug, "number": export.number, "digest": export.digest},
        "recorded_at": iso(trained.recorded_at),
    }  # fmt: skip
