"""Operations on a queue's configuration: apply a document, open and close the intake, archive."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from flask import current_app
from sqlalchemy import func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from reviewqueue.core import outbox, trail
from reviewqueue.core.access import Action, Actor, may, no_queue, require
from reviewqueue.core.db import clock
from reviewqueue.core.ids import new_id
from reviewqueue.errors import Conflict, Fault, Forbidden, Invalid, NotFound
from reviewqueue.models import Decision, Item, OutboxRow, PendingRelease, Queue, QueueVersion, Task
from reviewqueue.models.states import UNFINISHED, Intake
from reviewqueue.queues import lowering, proposals
from reviewqueue.queues.catalog import Compiled, find_queue
from reviewqueue.queues.cautions import cautions
from reviewqueue.queues.configuration import QueueConfig, parse, restored

LARGEST_VERSION = 2**31 - 1
LOOKED_AT = 5_000
"""Waiting items that a preview checks against the new schemas."""


@dataclass(frozen=True)
class Applied:
    """What an apply did, or with `dry_run` would do."""

    slug: str
    version: int
    created: bool
    changed: bool
    diff: list[str]
    waiting: int
    """Tasks that wait or are held."""
    misfits: int
    """Of the first 5,000 waiting items, those that the new schemas refuse: they stay under the version they fit."""
    warnings: list[Fault]
    """What is probably a slip, see `cautions`; it hinders nothing."""
    lowers: tuple[str, ...] = ()
    """Where it may lower review, in a queue that asks for two persons."""
    proposal: str | None = None
    """Its id, where it waits for another person: nothing was applied."""


def apply(
    *,
    session: Session,
    actor: Actor,
    document: str | Mapping[str, Any],
    expected_version: int | None = None,
    dry_run: bool = False,
    note: str = "",
    slug: str | None = None,
    confirmed: str | None = None,
) -> Applied:
    """Make `document` the queue's current configuration, as a new version; the same document again changes nothing.
    What may lower review becomes a proposal where the queue asks for two persons, and is not `confirmed`.

    `expected_version` is the version the author started from. `slug`, where given, must be the document's name.
    Raises `Invalid` with pointers, `Conflict` when another version was applied meanwhile, `Forbidden`.
    """
    config, text = parse(document, final_say=current_app.config["SETTINGS"].final_say)
    if slug is not None and slug != config.name:
        raise Conflict(f"The document is for the queue {config.name!r}, not {slug!r}.", code="wrong_queue")
    row = session.execute(
        select(Queue.id, Queue.version, QueueVersion.document, QueueVersion.sha256)
        .join(QueueVersion, (QueueVersion.queue_id == Queue.id) & (QueueVersion.version == Queue.version))
        .where(Queue.slug == config.name)
    ).one_or_none()
    _require(actor, row.id if row else None)
    _check_overflow(session, config)
    digest = hashlib.sha256(trail.canonical(json.loads(text)).encode()).hexdigest()
    current = row.version if row else 0
    if expected_version is not None and expected_version != current:
        raise Conflict(
            f"Version {current} is current, not {expected_version}: somebody applied another one. "
            "Look at the difference and apply again.",
            code="version_conflict",
        )
    warnings = cautions(config)
    if row is not None and row.sha256 == digest:
        return Applied(config.name, row.version, False, False, [], 0, 0, warnings)
    diff = difference(json.loads(row.document) if row else {}, json.loads(text))
    waiting, misfits = _waiting(session, row.id, Compiled(current + 1, config, text)) if row else (0, 0)
    lowered = _lowered(row.document, config) if row else []
    applied = Applied(config.name, current + 1, row is None, True, diff, waiting, misfits, warnings, tuple(lowered))
    if dry_run:
        return applied
    if row and lowered and confirmed is None:
        proposal_id = proposals.propose(
            session, actor, queue_id=row.id, base_version=current, document=text, sha256=digest, diff=diff,
            lowers=lowered, note=note,
        )  # fmt: skip
        return replace(applied, version=current, changed=False, proposal=proposal_id)
    queue_id = row.id if row else _create(session, config.name, config.title)
    _move_on(session, queue_id, current, config.title)
    if confirmed is not None:
        proposals.note_applied(session, actor, confirmed)
    elif row:
        proposals.supersede(session, actor, queue_id)
    session.execute(
        insert(QueueVersion).values(
            queue_id=queue_id,
            version=current + 1,
            document=text,
            sha256=digest,
            note=note[:2000],
            applied_by=actor.label,
            applied_at=clock(),
        )
    )
    trail.record(
        session,
        actor,
        "queue.configured" if row else "queue.created",
        queue_id=queue_id,
        subject=config.name,
        facts={
            "version": current + 1, "sha256": digest, "changes": len(diff),
            **({"proposal": confirmed} if confirmed else {}),
        },
    )  # fmt: skip
    return applied


def _lowered(document: str, config: QueueConfig) -> list[str]:
    before = restored(document)
    return lowering.lowers(before, config) if before.two_persons else []


def confirm(*, session: Session, actor: Actor, slug: str, proposal_id: str) -> Applied | None:
    """Another person stands behind a proposal: it becomes the current version. None where one more person is needed.

    Raises `Conflict` (`yourself`, `proposal_over`, `version_conflict`), `Invalid` where it may be applied no more,
    `Forbidden`, `NotFound`.
    """
    found = proposals.take(session, actor, slug=slug, proposal_id=proposal_id)
    if found is None:
        return None
    return apply(
        session=session, actor=actor, document=json.loads(found.document), expected_version=found.base_version,
        note=found.note, slug=slug, confirmed=found.id,
    )  # fmt: skip


def _require(actor: Actor, queue_id: str | None) -> None:
    if may(actor, Action.CONFIGURE_QUEUES, queue_id):
        return
    if queue_id is None:
        # As for a queue that exists and that they may not know of.
        if not may(actor, Action.SEE_QUEUE):
            raise no_queue()
        raise Forbidden("Only administrators, and tokens with the scope queues:write for all queues, create queues.")
    require(actor, Action.CONFIGURE_QUEUES, queue_id, by_name=True)


def _check_overflow(session: Session, config: QueueConfig) -> None:
    other = config.max_waiting.to if config.max_waiting else None
    if other is None or session.execute(select(Queue.id).where(Queue.slug == other)).first() is not None:
        return
    raise Invalid(
        "The configuration has faults.", [Fault("/max_waiting/to", f"{other} is not a queue")],
        code="bad_configuration",
    )  # fmt: skip


def _create(session: Session, slug: str, title: str) -> str:
    queue_id = new_id()
    try:
        session.execute(
            insert(Queue).values(id=queue_id, slug=slug, title=title, version=0, intake=Intake.OPEN, created_at=clock())
        )
    except IntegrityError:
        raise Conflict(f"A queue {slug!r} was created at this very moment. Apply again.") from None
    return queue_id


def _move_on(session: Session, queue_id: str, current: int, title: str) -> None:
    moved = session.execute(
        update(Queue)
        .where(Queue.id == queue_id, Queue.version == current)
        .values(version=current + 1, title=title)
        .returning(Queue.id)
    ).one_or_none()
    if moved is None:
        raise Conflict("Another version was applied at this very moment. Apply again.", code="version_conflict")


def _waiting(session: Session, queue_id: str, new: Compiled) -> tuple[int, int]:
    unfinished = Task.queue_id == queue_id, Task.state.in_(UNFINISHED)
    waiting = session.execute(select(func.count()).select_from(Task).where(*unfinished)).scalar_one()
    rows = session.execute(
        select(Item.input, Item.output).join(Task, Task.item_id == Item.id).where(*unfinished).limit(LOOKED_AT)
    )
    misfits = sum(1 for row in rows if not fits(new, row.input, row.output))
    return waiting, misfits


def fits(compiled: Compiled, input_text: str, output_text: str) -> bool:
    """Whether an item satisfies a version's schemas. A failed output (null) fits any."""
    given, output = json.loads(input_text), json.loads(output_text)
    return not compiled.validate_input(given) and (output is None or not compiled.validate_output(output, given=given))


def difference(old: Any, new: Any, path: str = "") -> list[str]:
    """What changed between two documents, a line each: `path: old → new`."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        lines = []
        for key in [*old, *(key for key in new if key not in old)]:
            place = f"{path}.{key}" if path else str(key)
            if key not in new:
                lines.append(f"{place}: {_short(old[key])} → removed")
            elif key not in old:
                lines.append(f"{place}: added {_short(new[key])}")
            else:
                lines += difference(old[key], new[key], place)
        return lines
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return [
            line
            for index, pair in enumerate(zip(old, new, strict=True))
            for line in difference(*pair, f"{path}[{index}]")
        ]
    return [] if old == new and type(old) is type(new) else [f"{path}: {_short(old)} → {_short(new)}"]


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 160 else text[:110] + " … " + text[-40:]


def set_intake(*, session: Session, actor: Actor, slug: str, intake: Intake) -> None:
    """Open or close the queue for new items; what waits can be decided either way."""
    head = find_queue(session=session, actor=actor, slug=slug, action=Action.CONFIGURE_QUEUES)
    if head.intake is intake:
        return
    session.execute(update(Queue).where(Queue.id == head.id).values(intake=intake))
    trail.record(session, actor, "queue.intake_changed", queue_id=head.id, facts={"intake": intake})


def set_archived(*, session: Session, actor: Actor, slug: str, archived: bool) -> None:
    """Take the queue out of sight and close its intake, or bring it back. Raises `Conflict` while tasks wait."""
    head = find_queue(session=session, actor=actor, slug=slug, action=Action.CONFIGURE_QUEUES)
    if head.archived is archived:
        return
    waits = session.execute(
        select(Task.id).where(Task.queue_id == head.id, Task.state.in_(UNFINISHED)).limit(1)
    ).one_or_none()
    if archived and waits is not None:
        raise Conflict(
            "Tasks still wait in this queue. Close its intake and decide them first.", code="queue_not_empty"
        )
    if archived:
        if session.execute(_in_grace(head.id)).first() is not None:
            raise Conflict(
                "A decision in this queue can still be undone. Archive it in a few seconds.", code="queue_not_empty"
            )
        # Workers do not listen to archived queues; what is left to do is done all the same.
        left = update(OutboxRow).where(OutboxRow.rq_queue == outbox.review_queue(slug))
        session.execute(left.values(rq_queue=outbox.MAINTENANCE).execution_options(synchronize_session=False))
    session.execute(
        update(Queue)
        .where(Queue.id == head.id)
        .values(archived_at=clock() if archived else None, intake=Intake.CLOSED if archived else Intake.OPEN)
    )
    trail.record(session, actor, "queue.archived" if archived else "queue.restored", queue_id=head.id)


def _in_grace(queue_id: str) -> Any:
    return (
        select(PendingRelease.decision_id)
        .join(Decision, Decision.id == PendingRelease.decision_id)
        .where(Decision.queue_id == queue_id)
        .limit(1)
    )


def changes_of(*, session: Session, actor: Actor, slug: str, version: int) -> list[str]:
    """What the version changed of the one before it, a line each; none for the first. Raises as `document_of`."""
    if version == 1:
        return []
    _, new = document_of(session=session, actor=actor, slug=slug, version=version)
    _, old = document_of(session=session, actor=actor, slug=slug, version=version - 1)
    return difference(json.loads(old), json.loads(new))


def document_of(*, session: Session, actor: Actor, slug: str, version: int | None = None) -> tuple[int, str]:
    """The number and document (JSON text) of a version, the current one by default. Raises `NotFound`."""
    head = find_queue(session=session, actor=actor, slug=slug, action=Action.READ_CONFIGURATION)
    wanted = version or head.version
    if wanted > LARGEST_VERSION:
        raise NotFound(f"The queue {slug!r} has no version {wanted}.")
    text = session.execute(
        select(QueueVersion.document).where(QueueVersion.queue_id == head.id, QueueVersion.version == wanted)
    ).scalar_one_or_none()
    if text is None:
        raise NotFound(f"The queue {slug!r} has no version {wanted}.")
    return wanted, text
