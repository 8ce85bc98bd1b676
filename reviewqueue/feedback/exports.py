"""Operations on exports: ask for one, plan it, write a shard, finish, cancel. And how one is shown."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable
from datetime import datetime
from itertools import pairwise
from typing import Any

from sqlalchemy import func, insert, select, text, update
from sqlalchemy.orm import Session

from reviewqueue import __version__
from reviewqueue.core import outbox, trail
from reviewqueue.core.access import SYSTEM, Action, Actor, may, require
from reviewqueue.core.db import clock, on_postgresql, read_session, write_session
from reviewqueue.core.ids import new_id
from reviewqueue.core.moments import iso
from reviewqueue.core.strictjson import dumps
from reviewqueue.delivery.webhooks import deliveries, events
from reviewqueue.errors import Conflict, Fault, Faults, Invalid, NotFound, Unavailable
from reviewqueue.feedback import formats, selection, storage
from reviewqueue.feedback.formats.frame import Frame
from reviewqueue.feedback.records import VERSION
from reviewqueue.models import DatasetShard, DatasetVersion, Item, Queue
from reviewqueue.models.states import ExportState, ResolvedBy, Verdict
from reviewqueue.queues.catalog import find_queue
from reviewqueue.queues.views import View

PLAN, SHARD = "export.plan", "export.shard"
LIVE = (ExportState.PENDING, ExportState.RUNNING)
SWEPT_AFTER, SWEPT_FOR = 3600.0, 7 * 86400.0
"""Seconds after its end that an export's leftovers are deleted, and for how long they are looked for."""
TELL_EVERY = 1.0
"""Seconds between two notes of a shard's progress."""
LONGEST_WRITER = 60.0
"""Seconds that a plan waits for transactions older than its export, before it is tried again later."""
_OLDER_WRITERS = text(
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
    "AND backend_type = 'client backend' AND backend_xid IS NOT NULL AND xact_start < :as_of"
)


def request_export(
    *, session: Session, actor: Actor, queue: str, kind: str = formats.JSONL, wanted: dict[str, Any] | None = None
) -> str:
    """Ask for a dataset of the queue; returns the export's id. Jobs write it.

    `wanted` is the filter: `by`, `verdicts`, `since`, `until`, `include_test`. Raises `Invalid`, `NotFound`,
    `Forbidden`.
    """
    if kind not in formats.FORMATS:
        raise Invalid("The format is not known.", [Fault("/format", f"must be one of {', '.join(formats.FORMATS)}")])
    _check_filter(wanted or {})
    head = find_queue(session=session, actor=actor, slug=queue, action=Action.EXPORT)
    _check_type(kind, selection.views_of(session, head.id).values())
    if on_postgresql(session):
        # Two requests at once must not draw the same number. Rows that refer to the queue are not held up.
        session.execute(select(Queue.id).where(Queue.id == head.id).with_for_update(key_share=True))
    number = session.execute(
        select(func.coalesce(func.max(DatasetVersion.number), 0) + 1).where(DatasetVersion.queue_id == head.id)
    ).scalar_one()
    export_id = new_id()
    session.execute(
        insert(DatasetVersion).values(
            id=export_id, queue_id=head.id, number=number, format=kind, filter=dumps(wanted or {}),
            state=ExportState.PENDING, requested_by=actor.label, created_at=clock(), as_of=clock(), rows_done=0,
        )
    )  # fmt: skip
    outbox.append(session, PLAN, rq_queue=outbox.EXPORTS, ref=export_id)
    trail.record(
        session, actor, "export.requested", queue_id=head.id, subject=export_id,
        facts={"format": kind, "number": number, "filter": wanted or {}},
    )  # fmt: skip
    return export_id


def _check_type(kind: str, views: Iterable[View]) -> None:
    """Raises `Invalid` for a format that cannot say what the queue decides, or once decided."""
    known = formats.TYPES.get(kind)
    if known is not None and not all(view.type in known for view in views):
        fault = Fault("/format", f"is for queues that are, and always were, of the type {' or '.join(sorted(known))}")
        raise Invalid("The format does not fit the queue.", [fault])


def _check_filter(wanted: dict[str, Any]) -> None:
    faults = Faults()
    for name, known in (("by", ResolvedBy), ("verdicts", Verdict)):
        if not set(wanted.get(name) or ()) <= set(known):
            faults.add(f"/filter/{name}", f"may hold {', '.join(known)}")
    faults.raise_if_any("The filter cannot be read.")


def plan(export_id: str, *, renew: Callable[[], Any]) -> list[str]:
    """Cut the export into shards and have each written; returns their ids. Planning twice changes nothing.

    What is read stands still: it ended before the export was asked for. So nothing is locked while it is read.
    """
    with read_session() as session:
        export = _export(session, export_id)
    if export.state is ExportState.PENDING:
        _await_writers(export.as_of, renew)
        with read_session() as session:
            expected, cuts = selection.cuts(session, export)
        with write_session() as session:
            _cut(session, export_id, expected, cuts)
    with read_session() as session:
        shards = select(DatasetShard.id).where(DatasetShard.export_id == export_id).order_by(DatasetShard.number)
        return list(session.scalars(shards))


def _await_writers(as_of: datetime, renew: Callable[[], Any]) -> None:
    """Return once no transaction is open that began before `as_of`: it may have written what belongs to the export, and
    not committed it. SQLite has one writer at a time, so that there was none when the export was asked for."""
    end = time.monotonic() + LONGEST_WRITER
    while True:
        with read_session() as session:
            if not on_postgresql(session) or not session.execute(_OLDER_WRITERS, {"as_of": as_of}).scalar_one():
                return
        if time.monotonic() > end:
            raise Unavailable("A transaction that is older than the export is still open in the database.")
        renew()
        time.sleep(0.1)


def _cut(session: Session, export_id: str, expected: int, cuts: list[str]) -> None:
    export = _export(session, export_id, locks=True)
    if export.state is not ExportState.PENDING:
        return
    edges: list[str | None] = [None, *cuts, None]
    for number, (after, upto) in enumerate(pairwise(edges)):
        shard_id = new_id()
        session.execute(
            insert(DatasetShard).values(
                export_id=export_id, id=shard_id, number=number, after_id=after, upto_id=upto,
                state=ExportState.PENDING, rows_done=0,
            )
        )  # fmt: skip
        outbox.append(session, SHARD, rq_queue=outbox.EXPORTS, ref=shard_id)
    session.execute(
        update(DatasetVersion)
        .where(DatasetVersion.id == export_id)
        .values(state=ExportState.RUNNING, rows_expected=expected)
    )
    trail.record(
        session, SYSTEM, "export.started", queue_id=export.queue_id, subject=export_id, facts={"shards": len(edges) - 1}
    )


def write_shard(shard_id: str, *, renew: Callable[[], Any]) -> None:
    """Write one shard's file in pages of short transactions, and finish the export with the last. Safe to run twice."""
    with read_session() as session:
        shard = session.execute(select(DatasetShard).where(DatasetShard.id == shard_id)).scalar_one_or_none()
        if shard is None:
            return
        export = _export(session, shard.export_id)
        total = session.execute(
            select(func.count()).select_from(DatasetShard).where(DatasetShard.export_id == shard.export_id)
        ).scalar_one()
    if export.state is ExportState.RUNNING and shard.state is not ExportState.READY:
        name = f"feedback-{shard.number:05}-of-{total:05}.{formats.suffix(export.format)}"
        _write_pages(export, shard, name, renew)
    with write_session() as session:
        finish_if_last(session, export.id)


def _write_pages(export: Any, shard: Any, name: str, renew: Callable[[], Any]) -> None:
    """Write the file to its end. Raises `Cancelled`."""
    pages, beside = selection.Pages(export), export.format in formats.TYPES
    with read_session() as session:
        written = formats.writer(export.format, selection.frame_of(session, export, shard) if beside else Frame())
    after, told = shard.after_id, time.monotonic()
    with storage.writing(export.id, name) as file:
        file.write(written.begin())
        while True:
            with read_session() as session:
                rows, after = pages.read(session, after, shard.upto_id)
                media = selection.media_of(session, rows) if beside else {}
            file.write(b"".join([written.take(row, decided, media.get(row.id, ())) for row, decided in rows]))
            if after is None:
                break
            renew()
            if time.monotonic() - told >= TELL_EVERY:
                told = time.monotonic()
                if not _progress(export.id, shard.id, written.rows):
                    raise Cancelled
        file.write(written.end())
        file.finish()
        with write_session() as session:
            if _take_place(session, export.id, shard.id, rows_done=written.rows, name=name, file=file):
                # Before the commit: a row that says `ready` has its file; a file without one is written again.
                file.publish()


def _take_place(
    session: Session, export_id: str, shard_id: str, *, rows_done: int, name: str, file: storage.Writer
) -> bool:
    """Whether this writing of the shard is the one that counts: the first that ends, of an export still wanted."""
    if _export(session, export_id, locks=True).state is not ExportState.RUNNING:
        return False
    return _note(
        session, shard_id, state=ExportState.READY, rows_done=rows_done, file=name, bytes=file.bytes, sha256=file.sha256
    )


def _note(session: Session, shard_id: str, **values: Any) -> bool:
    """Whether the shard still waited to be written, and so took the values."""
    taken = session.execute(
        update(DatasetShard)
        .where(DatasetShard.id == shard_id, DatasetShard.state != ExportState.READY)
        .values(**values)
        .returning(DatasetShard.id)
        .execution_options(synchronize_session=False)
    ).one_or_none()
    return taken is not None


class Cancelled(Exception):
    """The shard is needed no more: somebody stopped the export, or another job has written it."""


def _progress(export_id: str, shard_id: str, rows: int) -> bool:
    """Note how far it is; False when it was cancelled, or another job has written the shard."""
    with write_session() as session:
        if not _note(session, shard_id, rows_done=rows):
            return False
        done = select(func.sum(DatasetShard.rows_done)).where(DatasetShard.export_id == export_id).scalar_subquery()
        running = session.execute(
            update(DatasetVersion)
            .where(DatasetVersion.id == export_id, DatasetVersion.state == ExportState.RUNNING)
            .values(rows_done=done)
            .returning(DatasetVersion.id)
            .execution_options(synchronize_session=False)
        ).one_or_none()
    return running is not None


def finish_if_last(session: Session, export_id: str) -> None:
    """When every shard is there: the manifest, `ready`, and who listens is told."""
    export = _export(session, export_id, locks=True)
    shards = session.scalars(
        select(DatasetShard).where(DatasetShard.export_id == export_id).order_by(DatasetShard.number)
    ).all()
    if export.state is not ExportState.RUNNING or any(shard.state is not ExportState.READY for shard in shards):
        return
    manifest = dumps(_manifest(session, export, shards))
    with storage.writing(export_id, "manifest.json") as file:
        file.write(_manifest_bytes(manifest))
        file.publish()
    rows = sum(shard.rows_done for shard in shards)
    session.execute(
        update(DatasetVersion)
        .where(DatasetVersion.id == export_id)
        .values(state=ExportState.READY, rows_done=rows, manifest=manifest, finished_at=clock())
    )
    deliveries.announce(session, export.queue_id, [(events.READY, f"msg_{export_id}_ready", export_id)])
    trail.record(
        session, SYSTEM, "dataset.ready", queue_id=export.queue_id, subject=export_id,
        facts={"number": export.number, "rows": rows, "files": [shard.sha256 for shard in shards]},
    )  # fmt: skip


def _manifest(session: Session, export: Any, shards: Any) -> dict[str, Any]:
    queue = session.execute(select(Queue.slug).where(Queue.id == export.queue_id)).scalar_one()
    made_by = session.execute(
        select(Item.config_version, Item.model, Item.model_version)
        .where(Item.queue_id == export.queue_id, Item.revision > 0, Item.created_at <= export.as_of)
        .distinct()
    ).all()
    return {
        "record": VERSION, "product": f"reviewqueue {__version__}", "export": export.id, "queue": queue,
        "number": export.number, "format": export.format, "filter": json.loads(export.filter),
        "as_of": iso(export.as_of), "count": sum(shard.rows_done for shard in shards),
        "files": [_file(shard) for shard in shards],
        "config_versions": sorted({row.config_version for row in made_by}),
        "models": sorted({f"{row.model}@{row.model_version}" for row in made_by if row.model}),
    }  # fmt: skip


def _manifest_bytes(manifest: str) -> bytes:
    return manifest.encode() + b"\n"


def _file(shard: Any) -> dict[str, Any]:
    return {"name": shard.file, "bytes": shard.bytes, "rows": shard.rows_done, "sha256": shard.sha256}


def fail(session: Session, export_id: str, reason: str) -> None:
    """Give up on the export, saying why; one that has ended stays as it is."""
    queue_id = session.execute(
        update(DatasetVersion)
        .where(DatasetVersion.id == export_id, DatasetVersion.state.in_(LIVE))
        .values(state=ExportState.FAILED, error=reason[:2000], finished_at=clock())
        .returning(DatasetVersion.queue_id)
        .execution_options(synchronize_session=False)
    ).scalar_one_or_none()
    if queue_id is not None:
        trail.record(
            session, SYSTEM, "export.failed", queue_id=queue_id, subject=export_id, content={"reason": reason[:2000]}
        )


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


def sweep(*, session: Session) -> int:
    """Delete the files of exports that did not come about, and what killed jobs left. A periodic duty."""
    given_up = session.scalars(
        select(DatasetVersion.id).where(
            DatasetVersion.state.in_((ExportState.CANCELLED, ExportState.FAILED)),
            DatasetVersion.finished_at.between(clock(-SWEPT_FOR), clock(-SWEPT_AFTER)),
        )
    ).all()
    for export_id in given_up:
        storage.remove(export_id)
    return storage.remove_leftovers(session.execute(select(clock(-SWEPT_AFTER))).scalar_one())


# -- reading ----------------------------------------------------------------------------------------------------------


def _export(session: Session, export_id: str, *, locks: bool = False) -> Any:
    query = select(DatasetVersion).where(DatasetVersion.id == export_id)
    if locks and on_postgresql(session):
        query = query.with_for_update()
    export = session.execute(query).scalar_one_or_none()
    if export is None:
        raise NotFound
    return export


def permitted(*, session: Session, actor: Actor, export_id: str) -> Any:
    """The export, for somebody who may export its queue. Raises `NotFound` for anybody else."""
    export = _export(session, export_id)
    if not may(actor, Action.EXPORT, export.queue_id):
        raise NotFound
    return export


def finished(*, session: Session, actor: Actor, export_id: str) -> Any:
    """The export, once its files are whole. Raises `NotFound` before, and for whoever may not export its queue."""
    export = permitted(session=session, actor=actor, export_id=export_id)
    if export.state is not ExportState.READY:
        raise NotFound
    return export


def exports_of(*, session: Session, actor: Actor, queue: str | None, before: str | None, limit: int) -> list[Any]:
    """Exports of the queue, or of all the actor may export, newest first: (DatasetVersion, slug, title)."""
    query = select(DatasetVersion, Queue.slug, Queue.title).join(Queue, Queue.id == DatasetVersion.queue_id)
    if queue is not None:
        head = find_queue(session=session, actor=actor, slug=queue, action=Action.EXPORT)
        query = query.where(DatasetVersion.queue_id == head.id)
    else:
        ids = [row for row in session.scalars(select(Queue.id)) if may(actor, Action.EXPORT, row)]
        if not ids:
            require(actor, Action.EXPORT)
        query = query.where(DatasetVersion.queue_id.in_(ids))
    if before is not None:
        query = query.where(DatasetVersion.id < before)
    return list(session.execute(query.order_by(DatasetVersion.id.desc()).limit(limit)).all())


def as_json(session: Session, export: Any) -> dict[str, Any]:
    """An export as programs read it."""
    queue = session.execute(select(Queue.slug).where(Queue.id == export.queue_id)).scalar_one()
    files = json.loads(export.manifest)["files"] if export.manifest else []
    if export.manifest:
        # From the row, not the file: a list must not fail where the folder of one export is out of reach.
        written = _manifest_bytes(export.manifest)
        digest = hashlib.sha256(written).hexdigest()
        files = [*files, {"name": "manifest.json", "bytes": len(written), "rows": None, "sha256": digest}]
    return {
        "id": export.id, "queue": queue, "number": export.number, "format": export.format,
        "filter": json.loads(export.filter), "state": export.state,
        "progress": {"rows": export.rows_done, "expected": export.rows_expected}, "files": files,
        "manifest": json.loads(export.manifest) if export.manifest else None, "error": export.error,
        "as_of": iso(export.as_of), "created_at": iso(export.created_at), "finished_at": iso(export.finished_at),
    }  # fmt: skip
