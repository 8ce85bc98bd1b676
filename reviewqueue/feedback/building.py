"""How a dataset version comes about: cut into shards, each written by a job, and finished by the last of them.

What is read stands still: it ended before the export was asked for. So nothing is locked while it is read.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime
from itertools import pairwise
from typing import Any

from sqlalchemy import delete, func, insert, select, text, update
from sqlalchemy.orm import Session

from reviewqueue import __version__
from reviewqueue.core import outbox, trail
from reviewqueue.core.access import SYSTEM
from reviewqueue.core.db import clock, on_postgresql, read_session, write_session
from reviewqueue.core.ids import new_id
from reviewqueue.core.moments import iso
from reviewqueue.core.strictjson import dumps
from reviewqueue.core.trail import canonical
from reviewqueue.delivery.webhooks import deliveries, events
from reviewqueue.errors import NotFound, Unavailable
from reviewqueue.feedback import duplicates, formats, lineage, members, selection, storage
from reviewqueue.feedback.formats.card import card
from reviewqueue.feedback.formats.croissant import croissant
from reviewqueue.feedback.records import VERSION, record_line
from reviewqueue.models import DatasetShard, DatasetVersion, Queue, QueueVersion
from reviewqueue.models.states import ExportState

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


class Cancelled(Exception):
    """The shard is needed no more: somebody stopped the export, or another job has written it."""


def export_of(session: Session, export_id: str, *, locks: bool = False) -> Any:
    """The dataset version. Asks no permission. Raises `NotFound`."""
    query = select(DatasetVersion).where(DatasetVersion.id == export_id)
    if locks and on_postgresql(session):
        query = query.with_for_update()
    export = session.execute(query).scalar_one_or_none()
    if export is None:
        raise NotFound
    return export


def shards_of(session: Session, export_id: str) -> list[Any]:
    query = select(DatasetShard).where(DatasetShard.export_id == export_id).order_by(DatasetShard.number)
    return list(session.scalars(query))


# -- the plan ---------------------------------------------------------------------------------------------------------


def plan(export_id: str, *, renew: Callable[[], Any]) -> list[str]:
    """Cut the export into shards and have each written; returns their ids. Planning twice changes nothing."""
    with read_session() as session:
        export = export_of(session, export_id)
    if export.state is ExportState.PENDING:
        _await_writers(export.as_of, renew)
        if json.loads(export.recipe).get("deduplicate"):
            duplicates.find(export, renew=renew)
        with read_session() as session:
            expected, cuts = selection.cuts(session, export)
        with write_session() as session:
            _cut(session, export_id, expected, cuts)
    with read_session() as session:
        return [shard.id for shard in shards_of(session, export_id)]


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
    export = export_of(session, export_id, locks=True)
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


# -- a shard ----------------------------------------------------------------------------------------------------------


def write_shard(shard_id: str, *, renew: Callable[[], Any]) -> None:
    """Write one shard in pages of short transactions, and finish the export with the last. Safe to run twice."""
    with read_session() as session:
        shard = session.execute(select(DatasetShard).where(DatasetShard.id == shard_id)).scalar_one_or_none()
        if shard is None:
            return
        export = export_of(session, shard.export_id)
        total = session.execute(
            select(func.count()).select_from(DatasetShard).where(DatasetShard.export_id == shard.export_id)
        ).scalar_one()
    if export.state is ExportState.RUNNING and shard.state is not ExportState.READY:
        with ExitStack() as stack:
            _Shard(export, shard, total, stack).write(renew)
    finish_if_last(export.id)


class _Shard:
    """The files of one shard on their way: one a split, its members, and what was withdrawn from the parent."""

    def __init__(self, export: Any, shard: Any, total: int, stack: ExitStack) -> None:
        self.export, self.shard, self._stack = export, shard, stack
        self.kind = formats.KNOWN[export.format]
        self._tail = f"{shard.number:05}-of-{total:05}"
        with read_session() as session:
            self.reader = selection.Reader(session, export, shard.number)
            older = _members_of(session, export.parent_id, shard)
        self.recipe = self.reader.recipe
        self.counts, self.taken = lineage.nothing(), 0
        names = list(self.recipe.splits) or ["train" if self.kind.folder else "feedback"]
        self.splits = {name: self._begun(name) for name in names}
        self.members = self._new(f"members-{self._tail}.txt")
        self.comparison = None if older is None else members.Comparison(older)
        self.withdrawn = None if older is None else self._new(f"withdrawn-{self._tail}.txt")

    def _new(self, name: str) -> tuple[str, storage.Writer]:
        file = storage.new_file(self.export.id, name)
        self._stack.callback(file.discard)
        return name, file

    def _begun(self, split: str) -> tuple[str, storage.Writer, formats.Writer]:
        name, file = self._new(f"{self.kind.folder}{split}-{self._tail}.{self.kind.suffix}")
        written = formats.writer(self.export.format, self.reader.frame)
        file.write(written.begin())
        return name, file, written

    def write(self, renew: Callable[[], Any]) -> None:
        """Write the files to their end. Raises `Cancelled`."""
        after, told = self.shard.after_id, time.monotonic()
        while True:
            with read_session() as session:
                rows, after = self.reader.read(session, after, self.shard.upto_id)
                media = selection.media_of(session, rows) if self.kind.media else {}
            self._take(rows, media)
            if after is None:
                break
            renew()
            if time.monotonic() - told >= TELL_EVERY:
                told = time.monotonic()
                if not _progress(self.export.id, self.shard.id, self.taken):
                    raise Cancelled
        self._end()

    def _take(self, rows: list[tuple[Any, list[Any]]], media: dict[str, list[Any]]) -> None:
        pieces: dict[str, list[bytes]] = {name: [] for name in self.splits}
        lines: list[bytes] = []
        for row, decided in rows:
            record = record_line(row, decided)
            member = members.line(row.id, record)
            lines.append(member)
            lineage.take(self.counts, row, decided)
            known = members.ADDED if self.comparison is None else self.comparison.take(member)
            if self.recipe.since_version is not None and known == members.UNCHANGED:
                continue
            split = self.recipe.split_of(row, canonical) if self.recipe.splits else next(iter(pieces))
            pieces[split].append(self.splits[split][2].take(row, decided, media.get(row.id, ()), record))
        for name, found in pieces.items():
            self.splits[name][1].write(b"".join(found))
        self.members[1].write(b"".join(lines))
        self._withdraw()
        self.taken += len(rows)

    def _withdraw(self) -> None:
        if self.comparison is not None and self.withdrawn is not None:
            self.withdrawn[1].write(self.comparison.taken_away())

    def _end(self) -> None:
        for _, file, written in self.splits.values():
            file.write(written.end())
        if self.comparison is not None:
            self.comparison.end()
            self.counts["changes"] = self.comparison.counted
            self._withdraw()
        self.counts["dropped"] = self.reader.dropped
        beside = [self.members] if self.withdrawn is None else [self.members, self.withdrawn]
        published = [*((name, file) for name, file, _ in self.splits.values()), *beside]
        for _, file in published:
            file.finish()
        with write_session() as session:
            if _take_place(session, self.export.id, self.shard.id, self.taken, self._told()):
                # Before the commit: a row that says `ready` has its files; files without one are written again.
                for _, file in published:
                    file.publish()

    def _told(self) -> dict[str, Any]:
        """`{files, members, withdrawn, counts}`."""
        files = [
            {**_file(name, file, written.rows), **({"split": split} if self.recipe.splits else {})}
            for split, (name, file, written) in self.splits.items()
        ]
        found = {"files": files, "members": _file(*self.members, self.taken), "counts": lineage.as_json(self.counts)}
        if self.withdrawn is not None:
            found["withdrawn"] = _file(*self.withdrawn, self.counts["changes"][members.WITHDRAWN])
        return found


def _file(name: str, file: storage.Writer, rows: int) -> dict[str, Any]:
    return {"name": name, "bytes": file.bytes, "rows": rows, "sha256": file.sha256}


def _members_of(session: Session, parent_id: str | None, shard: Any) -> Iterator[bytes] | None:
    """The parent's members among the items of the shard, in order; None without a parent."""
    if parent_id is None:
        return None
    after, upto = shard.after_id, shard.upto_id
    named = [
        json.loads(one.written)["members"]["name"]
        for one in shards_of(session, parent_id)
        if (upto is None or one.after_id is None or one.after_id < upto)
        and (after is None or one.upto_id is None or one.upto_id > after)
    ]
    lines = (line for name in named for line in storage.lines(parent_id, name))
    return members.between(lines, after, upto)


def _take_place(session: Session, export_id: str, shard_id: str, taken: int, told: dict[str, Any]) -> bool:
    """Whether this writing of the shard is the one that counts: the first that ends, of an export still wanted."""
    if export_of(session, export_id, locks=True).state is not ExportState.RUNNING:
        return False
    return _note(session, shard_id, state=ExportState.READY, rows_done=taken, written=dumps(told))


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


# -- the end ----------------------------------------------------------------------------------------------------------


def finish_if_last(export_id: str) -> None:
    """When every shard is there: the manifest, `ready`, and who listens is told."""
    with read_session() as session:
        export = export_of(session, export_id)
        shards = shards_of(session, export_id)
        if export.state is not ExportState.RUNNING or any(shard.state is not ExportState.READY for shard in shards):
            return
        told = [json.loads(shard.written) for shard in shards if shard.written]
        if len(told) < len(shards):
            raise Unavailable("A part of it was written by an older version of the product. Try it again.")
        # Outside of the writing transaction: these files are as large as the export has members.
        digest = storage.digest(export_id, [one["members"]["name"] for one in told])
        manifest = _manifest(session, export, told, digest)
    with write_session() as session:
        if export_of(session, export_id, locks=True).state is ExportState.RUNNING:
            _finish(session, export, manifest)


def _finish(session: Session, export: Any, manifest: dict[str, Any]) -> None:
    if formats.KNOWN[export.format].folder:
        for name, told in (("README.md", card(manifest)), ("croissant.json", croissant(manifest))):
            with storage.writing(export.id, name) as file:
                file.write(told.encode())
                file.publish()
            manifest["files"].append({**_file(name, file, 0), "rows": None})
    written = dumps(manifest)
    with storage.writing(export.id, "manifest.json") as file:
        file.write(manifest_bytes(written))
        file.publish()
    session.execute(
        update(DatasetVersion)
        .where(DatasetVersion.id == export.id)
        .values(
            state=ExportState.READY, rows_done=manifest["count"], rows_expected=manifest["count"], manifest=written,
            digest=manifest["digest"], finished_at=clock(),
            changes=None if manifest["changes"] is None else dumps(manifest["changes"]),
        )
    )  # fmt: skip
    deliveries.announce(session, export.queue_id, [(events.READY, f"msg_{export.id}_ready", export.id)])
    trail.record(
        session, SYSTEM, "dataset.ready", queue_id=export.queue_id, subject=export.id,
        facts={"number": export.number, "rows": manifest["count"], "digest": manifest["digest"],
               "files": [file["sha256"] for file in manifest["files"]]},
    )  # fmt: skip


def _manifest(session: Session, export: Any, told: list[dict[str, Any]], digest: str) -> dict[str, Any]:
    counts = lineage.together(one["counts"] for one in told)
    files = [file for one in told for file in one["files"]]
    versions = sorted(map(int, counts["config_versions"]))
    return {
        "record": VERSION, "product": f"reviewqueue {__version__}", "export": export.id,
        "queue": session.execute(select(Queue.slug).where(Queue.id == export.queue_id)).scalar_one(),
        "number": export.number, "format": export.format, "filter": json.loads(export.filter),
        "recipe": json.loads(export.recipe), "as_of": iso(export.as_of),
        "count": sum(file["rows"] for file in files), "digest": digest,
        "parent": _parent(session, export.parent_id),
        "changes": None if export.parent_id is None else _changes(counts["changes"]),
        "files": files, "members": [one["members"] for one in told],
        "withdrawn": [one["withdrawn"] for one in told if "withdrawn" in one],
        "config_versions": versions, "policies": _policies(session, export.queue_id, versions),
        "models": sorted(counts["models"]), "verdicts": dict(sorted(counts["verdicts"].items())),
        "reviewers": dict(sorted(counts["reviewers"].items())), "dropped": dict(sorted(counts["dropped"].items())),
    }  # fmt: skip


def _changes(counted: Any) -> dict[str, int]:
    return {name: counted[name] for name in (members.ADDED, members.CHANGED, members.WITHDRAWN, members.UNCHANGED)}


def _parent(session: Session, parent_id: str | None) -> dict[str, Any] | None:
    if parent_id is None:
        return None
    parent = export_of(session, parent_id)
    return {"export": parent.id, "number": parent.number, "digest": parent.digest}


def _policies(session: Session, queue_id: str, versions: list[int]) -> list[dict[str, Any]]:
    """By which rules items came to people: the configurations that routed them, by their digests."""
    rows = session.execute(
        select(QueueVersion.version, QueueVersion.sha256, QueueVersion.applied_at)
        .where(QueueVersion.queue_id == queue_id, QueueVersion.version.in_(versions))
        .order_by(QueueVersion.version)
    )
    return [
        {"config_version": row.version, "sha256": row.sha256, "applied_at": iso(row.applied_at)} for row in rows
    ]  # fmt: skip


def manifest_bytes(manifest: str) -> bytes:
    return manifest.encode() + b"\n"


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


def begin_anew(session: Session, export_id: str) -> None:
    """Have a failed export planned and written once more; jobs that still write for it find their shards gone."""
    session.execute(delete(DatasetShard).where(DatasetShard.export_id == export_id))
    session.execute(
        update(DatasetVersion)
        .where(DatasetVersion.id == export_id)
        .values(state=ExportState.PENDING, error=None, finished_at=None, rows_done=0, rows_expected=None)
    )
    outbox.append(session, PLAN, rq_queue=outbox.EXPORTS, ref=export_id)


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
