"""Operations on exports: ask for one, try one again, cancel one. And how one is shown. `building` writes them."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
from collections.abc import Iterable
from typing import Any

from sqlalchemy import func, insert, select, update
from sqlalchemy.orm import Session

from reviewqueue.core import outbox, trail
from reviewqueue.core.access import Action, Actor, may, require
from reviewqueue.core.db import clock, on_postgresql
from reviewqueue.core.ids import new_id
from reviewqueue.core.moments import iso
from reviewqueue.core.strictjson import dumps
from reviewqueue.errors import Conflict, Fault, Faults, Forbidden, Invalid, NotFound
from reviewqueue.feedback import building, formats, selection
from reviewqueue.feedback.building import LIVE, PLAN, export_of
from reviewqueue.feedback.recipe import Recipe
from reviewqueue.models import DatasetVersion, Queue
from reviewqueue.models.states import ActorKind, ExportState, ResolvedBy, Verdict
from reviewqueue.queues.catalog import find_queue, queues_or_refusal
from reviewqueue.queues.views import View

NO_RECIPE = Recipe()
SPLIT = re.compile(r"[a-z][a-z0-9_]{0,30}")
GROUP = re.compile(r"input|\$(\.[^.\s]+)+")


def request_export(
    *,
    session: Session,
    actor: Actor,
    queue: str,
    kind: str = formats.JSONL,
    wanted: dict[str, Any] | None = None,
    recipe: Recipe = NO_RECIPE,
) -> str:
    """Ask for a dataset of the queue; returns the export's id. Jobs write it.

    `wanted` is the filter: `by`, `verdicts`, `since`, `until`, `models`, `labels`, `agreement`, `reviews`,
    `reviewer_quality`, `include_test`, `include_gold`. Raises `Invalid`, `NotFound`, `Forbidden`.
    """
    wanted = wanted or {}
    check(kind, wanted, recipe)
    head = find_queue(session=session, actor=actor, slug=queue, action=Action.EXPORT)
    check_queue(session, head.id, kind, recipe)
    check_right(actor, head.id, recipe)
    if on_postgresql(session):
        # Two requests at once must not draw the same number. Rows that refer to the queue are not held up.
        session.execute(select(Queue.id).where(Queue.id == head.id).with_for_update(key_share=True))
    number = session.execute(
        select(func.coalesce(func.max(DatasetVersion.number), 0) + 1).where(DatasetVersion.queue_id == head.id)
    ).scalar_one()
    export_id, text = new_id(), dumps(wanted)
    session.execute(
        insert(DatasetVersion).values(
            id=export_id, queue_id=head.id, number=number, format=kind, filter=text, recipe=dumps(recipe.as_json()),
            parent_id=_parent(session, head.id, text, recipe), state=ExportState.PENDING, requested_by=actor.label,
            created_at=clock(), as_of=clock(), rows_done=0,
        )
    )  # fmt: skip
    outbox.append(session, PLAN, rq_queue=outbox.EXPORTS, ref=export_id)
    trail.record(
        session, actor, "export.requested", queue_id=head.id, subject=export_id,
        facts={"format": kind, "number": number, "filter": wanted, "recipe": recipe.as_json()},
    )  # fmt: skip
    return export_id


def _parent(session: Session, queue_id: str, text: str, recipe: Recipe) -> str | None:
    """The version that changes are counted from: the one named, else the newest that holds the same kind of records.
    Raises `Invalid` for one that is not ready."""
    query = (
        select(DatasetVersion)
        .where(
            DatasetVersion.queue_id == queue_id, DatasetVersion.state == ExportState.READY,
            DatasetVersion.digest.is_not(None),
        )
        .order_by(DatasetVersion.number.desc())
    )  # fmt: skip
    if recipe.since_version is not None:
        parent = session.scalars(query.where(DatasetVersion.number == recipe.since_version)).one_or_none()
        if parent is None:
            fault = Fault("/since_version", "is no dataset version of the queue that is ready and has members")
            raise Invalid("There is no such version to go on from.", [fault])
        return parent.id
    for parent in session.scalars(query.where(DatasetVersion.filter == text).limit(20)):
        if _same_records(Recipe.parse(parent.recipe), recipe):
            return parent.id
    return None


def _same_records(one: Recipe, other: Recipe) -> bool:
    """Whether both make the same records of the same items, into whatever files."""
    known = ("deduplicate", "as_version", "labels", "sensitive")
    return all(getattr(one, name) == getattr(other, name) for name in known)


# -- what may be asked for --------------------------------------------------------------------------------------------


def check(kind: str, wanted: dict[str, Any], recipe: Recipe) -> None:
    """Raises `Invalid` with every fault that can be told without the queue."""
    if kind not in formats.FORMATS:
        raise Invalid("The format is not known.", [Fault("/format", f"must be one of {', '.join(formats.FORMATS)}")])
    faults = Faults()
    needs = formats.KNOWN[kind].needs
    if needs is not None and importlib.util.find_spec(needs) is None:
        faults.add("/format", "needs pyarrow on the server: pip install 'reviewqueue[parquet]'")
    for name, known in (("by", ResolvedBy), ("verdicts", Verdict)):
        if not set(wanted.get(name) or ()) <= set(known):
            faults.add(f"/filter/{name}", f"may hold {', '.join(known)}")
    if recipe.splits and abs(sum(recipe.splits.values()) - 1) > 1e-9:
        faults.add("/splits", "must have shares that make 1 together")
    if any(not 0 < share <= 1 for share in recipe.splits.values()) or not all(map(SPLIT.fullmatch, recipe.splits)):
        faults.add("/splits", "must have names such as train, and shares from 0 to 1")
    if recipe.group_by is not None and not GROUP.fullmatch(recipe.group_by):
        faults.add("/group_by", "must be a path as in $.customer, or input")
    if recipe.labels and recipe.as_version is None:
        faults.add("/labels", "goes with as_version: the version that has the new labels")
    faults.raise_if_any("The export cannot be made as it was asked for.")


def check_queue(session: Session, queue_id: str, kind: str, recipe: Recipe) -> None:
    """Raises `Invalid` for what does not go with the queue."""
    views = selection.views_of(session, queue_id)
    if recipe.as_version is not None and recipe.as_version not in views:
        raise Invalid("There is no such version of the queue.", [Fault("/as_version", "is no version of the queue")])
    _check_type(kind, views.values())


def check_right(actor: Actor, queue_id: str, recipe: Recipe) -> None:
    """Raises `Forbidden` where it asks for what is sensitive and `actor` must not have it out."""
    if not recipe.sensitive:
        return
    require(actor, Action.EXPORT_SENSITIVE, queue_id)
    if actor.kind is ActorKind.SERVICE:
        raise Forbidden("Only administrators have what is sensitive out, not programs.")


def _check_type(kind: str, views: Iterable[View]) -> None:
    """Raises `Invalid` for a format that cannot say what the queue decides, or once decided."""
    known = formats.KNOWN[kind].types
    if known is not None and not all(view.type in known for view in views):
        fault = Fault("/format", f"is for queues that are, and always were, of the type {' or '.join(sorted(known))}")
        raise Invalid("The format does not fit the queue.", [fault])


# -- an end, and another beginning ------------------------------------------------------------------------------------


def cancel(*, session: Session, actor: Actor, export_id: str) -> None:
    """Stop an export that is not finished. Raises `Conflict` for one that is, `NotFound`."""
    export = permitted(session=session, actor=actor, export_id=export_id)
    stopped = session.execute(
        update(DatasetVersion)
        .where(DatasetVersion.id == export.id, DatasetVersion.state.in_(LIVE))
        .values(state=ExportState.CANCELLED, finished_at=clock())
        .returning(DatasetVersion.id)
        .execution_options(synchronize_session=False)
    ).one_or_none()
    if stopped is None:
        raise Conflict(f"The export is {export.state} already.", code="export_finished")
    trail.record(session, actor, "export.cancelled", queue_id=export.queue_id, subject=export.id)


def retry(*, session: Session, actor: Actor, export_id: str) -> None:
    """Write a failed export once more, with what was in force when it was asked for. Raises `Conflict` for one that has
    not failed, `NotFound`."""
    permitted(session=session, actor=actor, export_id=export_id)
    export = export_of(session, export_id, locks=True)
    if export.state is not ExportState.FAILED:
        raise Conflict(f"The export is {export.state}; only one that failed is tried again.", code="export_not_failed")
    building.begin_anew(session, export.id)
    trail.record(session, actor, "export.retried", queue_id=export.queue_id, subject=export.id)


# -- reading ----------------------------------------------------------------------------------------------------------


def permitted(*, session: Session, actor: Actor, export_id: str) -> Any:
    """The export, for somebody who may export its queue. Raises `NotFound` for anybody else."""
    export = export_of(session, export_id)
    if not may(actor, Action.EXPORT, export.queue_id):
        raise NotFound
    return export


def finished(*, session: Session, actor: Actor, export_id: str) -> Any:
    """The export, once its files are whole. Raises `NotFound` before, and for whoever may not export its queue."""
    export = permitted(session=session, actor=actor, export_id=export_id)
    if export.state is not ExportState.READY:
        raise NotFound
    return export


def queues_of(session: Session, actor: Actor, queue: str | None) -> list[str]:
    """Ids of the queue, or of all that the actor may export. Raises `NotFound`, `Forbidden`."""
    if queue is not None:
        return [find_queue(session=session, actor=actor, slug=queue, action=Action.EXPORT).id]
    return [head.id for head in queues_or_refusal(session=session, actor=actor, action=Action.EXPORT)]


def exports_of(*, session: Session, actor: Actor, queue: str | None, before: str | None, limit: int) -> list[Any]:
    """Exports of the queue, or of all the actor may export, newest first: (DatasetVersion, slug, title)."""
    query = select(DatasetVersion, Queue.slug, Queue.title).join(Queue, Queue.id == DatasetVersion.queue_id)
    query = query.where(DatasetVersion.queue_id.in_(queues_of(session, actor, queue)))
    if before is not None:
        query = query.where(DatasetVersion.id < before)
    return list(session.execute(query.order_by(DatasetVersion.id.desc()).limit(limit)).all())


def as_json(session: Session, export: Any) -> dict[str, Any]:
    """An export as programs read it."""
    queue = session.execute(select(Queue.slug).where(Queue.id == export.queue_id)).scalar_one()
    parent = select(DatasetVersion.number).where(DatasetVersion.id == export.parent_id)
    manifest = json.loads(export.manifest) if export.manifest else None
    return {
        "id": export.id, "queue": queue, "number": export.number, "format": export.format,
        "filter": json.loads(export.filter), "recipe": json.loads(export.recipe), "state": export.state,
        "progress": {"rows": export.rows_done, "expected": export.rows_expected}, "files": _files(export, manifest),
        "digest": export.digest, "parent": session.execute(parent).scalar_one_or_none(),
        "changes": json.loads(export.changes) if export.changes else None, "manifest": manifest, "error": export.error,
        "as_of": iso(export.as_of), "created_at": iso(export.created_at), "finished_at": iso(export.finished_at),
    }  # fmt: skip


def _files(export: Any, manifest: dict[str, Any] | None) -> list[dict[str, Any]]:
    """The files of records, and the manifest, which names those beside them. From the row, not the folder: a list must
    not fail where the folder of one export is out of reach."""
    if manifest is None:
        return []
    written = building.manifest_bytes(export.manifest)
    own = {
        "name": "manifest.json", "bytes": len(written), "rows": None, "sha256": hashlib.sha256(written).hexdigest(),
    }  # fmt: skip
    return [*manifest["files"], own]
