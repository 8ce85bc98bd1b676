"""Operations on notices: tell somebody, note that they have read it. And the queries that list them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from flask import current_app
from sqlalchemy import bindparam, func, insert, literal, select, update
from sqlalchemy.orm import Session, aliased

from reviewqueue.core import outbox
from reviewqueue.core.access import Actor
from reviewqueue.core.db import clock
from reviewqueue.core.http import cursor_of, parse_cursor
from reviewqueue.core.ids import known_id, new_id
from reviewqueue.errors import NotFound
from reviewqueue.models import Alert, Item, Notice, Person, Queue, Task
from reviewqueue.models.base import table
from reviewqueue.models.states import ActorKind, Audience, NoticeKind, TaskKind, TaskState

MAIL = "notice.mail"
MAIL_DELAY_SECONDS = 60.0
"""Whoever has read it in the application by then gets no e-mail."""
PAGE = 50
MOST_COUNTED = 99
OF_ALERTS = (NoticeKind.ALERT_OPENED, NoticeKind.ALERT_RESOLVED)
MOST_SHOWN = 500
"""Characters of what somebody wrote."""


def tell(
    session: Session, actor: Actor, people: Iterable[str], kind: NoticeKind, *, item_id: str, words: str | None = None,
    by_person: str | None = None,
) -> None:  # fmt: skip
    """Give each of these people a notice, in the caller's transaction; nobody is told of their own act. `by_person`:
    whose act it is, where the actor only lets it take effect."""
    by_person = by_person or (actor.id if actor.kind is ActorKind.PERSON else None)
    _give(session, set(people) - {actor.id}, kind=kind, item_id=item_id, by_person=by_person, words=words)


def tell_of_queue(
    session: Session, actor: Actor, people: Iterable[str], kind: NoticeKind, *, queue_id: str | None,
    about: str | None = None, words: str | None = None,
) -> None:  # fmt: skip
    """As `tell`, of what happened to a queue, or to all for None; or to the person `about` in it."""
    by_person = about or (actor.id if actor.kind is ActorKind.PERSON else None)
    _give(session, set(people) - {actor.id}, kind=kind, queue_id=queue_id, by_person=by_person, words=words)


def _give(session: Session, people: set[str], *, words: str | None, **values: Any) -> None:
    for person_id in sorted(people):
        notice_id = new_id()
        session.execute(
            insert(table(Notice)).values(
                id=notice_id, person_id=person_id, words=words[:MOST_SHOWN] if words else None, created_at=clock(),
                **values,
            )
        )  # fmt: skip
        if current_app.config["SETTINGS"].smtp_url:
            outbox.append(session, MAIL, rq_queue=outbox.MAIL, ref=notice_id, delay_seconds=MAIL_DELAY_SECONDS)


def unread(*, session: Session, actor: Actor) -> int:
    """How many notices `actor` has not read, counted up to a limit. Index ix_notice_unread."""
    return int(session.execute(_UNREAD, {"person_id": actor.id}).scalar_one())


def _count_unread() -> Any:
    each = table(Notice).c
    some = select(literal(1)).where(each.person_id == bindparam("person_id"), each.read_at.is_(None))
    return select(func.count()).select_from(some.limit(MOST_COUNTED + 1).subquery())


_UNREAD = _count_unread()


def mine(*, session: Session, actor: Actor, cursor: str | None) -> tuple[list[Any], str | None]:
    """Notices of `actor`, newest first, and the cursor of those after them. Raises `Invalid` for a bad cursor."""
    after = parse_cursor(cursor, 1)
    query = (
        _told()
        # Index ix_notice_person_id_id.
        .where(Notice.person_id == actor.id)
        .order_by(Notice.id.desc())
        .limit(PAGE + 1)
    )
    if after is not None:
        query = query.where(Notice.id < known_id(after[0]))
    rows = list(session.execute(query))
    return rows[:PAGE], cursor_of(rows[PAGE - 1].id) if len(rows) > PAGE else None


def _open_task() -> Any:
    """What was escalated, while nobody has it in hand. Not a check: of those nobody is told."""
    task = aliased(Task)
    return (
        select(task.id)
        .where(
            task.item_id == Notice.item_id, Notice.kind == NoticeKind.ESCALATED, task.state == TaskState.OPEN,
            task.kind != TaskKind.GOLD, (task.audience == Audience.LEAD) | task.sent_from.is_not(None),
        )
        .order_by(task.id).limit(1).scalar_subquery()
    )  # fmt: skip


def _told() -> Any:
    by, check = aliased(Person), aliased(Task)
    # Until they have decided it, a check's item is known to its person under another id.
    stand_in = (
        select(check.stand_in)
        .where(
            check.item_id == Notice.item_id, check.assignee == Notice.person_id, check.kind == TaskKind.GOLD,
            check.state != TaskState.DONE,
        )
        .limit(1).scalar_subquery()
    )  # fmt: skip
    return (
        select(
            Notice.id, Notice.kind, func.coalesce(stand_in, Notice.item_id).label("item_id"), Notice.words,
            Notice.created_at, Notice.read_at, Notice.mailed_at, by.name.label("by_name"),
            func.coalesce(Item.external_id, Alert.name).label("external_id"),
            Queue.title.label("queue"), Queue.slug, Queue.id.label("queue_id"), _open_task().label("task_id"),
            Person.email, Person.name, Person.disabled_at,
            Person.unmailed_since,
        )
        .join(Person, Person.id == Notice.person_id)
        .outerjoin(by, by.id == Notice.by_person)
        .outerjoin(Item, Item.id == Notice.item_id)
        .outerjoin(Alert, (Alert.id == Notice.item_id) & Notice.kind.in_(OF_ALERTS))
        .outerjoin(Queue, Queue.id == func.coalesce(Notice.queue_id, Item.queue_id, Alert.queue_id))
    )  # fmt: skip


def read(*, session: Session, actor: Actor, notice_id: str) -> Any:
    """Note that `actor` has seen the notice; returns what it tells. Raises `NotFound` for other people's."""
    told = session.execute(_told().where(Notice.id == notice_id, Notice.person_id == actor.id)).one_or_none()
    if told is None:
        raise NotFound
    session.execute(
        update(Notice)
        .where(Notice.id == notice_id, Notice.read_at.is_(None))
        .values(read_at=clock())
        .execution_options(synchronize_session=False)
    )
    return told


def read_all(*, session: Session, actor: Actor, item_id: str | None = None) -> None:
    """Note that `actor` has seen all their notices, or all about one item."""
    about = [] if item_id is None else [Notice.item_id == item_id]
    session.execute(
        update(Notice)
        .where(Notice.person_id == actor.id, Notice.read_at.is_(None), *about)
        .values(read_at=clock())
        .execution_options(synchronize_session=False)
    )


def set_mailed(*, session: Session, actor: Actor, wanted: bool) -> None:
    """Whether `actor` is to get notices by e-mail, too."""
    session.execute(update(Person).where(Person.id == actor.id).values(unmailed_since=None if wanted else clock()))


def is_mailed(*, session: Session, actor: Actor) -> bool:
    return session.execute(select(Person.unmailed_since).where(Person.id == actor.id)).scalar_one() is None


# -- by e-mail --------------------------------------------------------------------------------------------------------


def to_be_mailed(*, session: Session, notice_id: str) -> Any:
    """The notice with its person; None once it was mailed or read, and for those who want none or are disabled."""
    return session.execute(
        _told().where(
            Notice.id == notice_id, Notice.mailed_at.is_(None), Notice.read_at.is_(None),
            Person.disabled_at.is_(None), Person.unmailed_since.is_(None),
        )
    ).one_or_none()  # fmt: skip


def note_mailed(*, session: Session, notice_id: str) -> None:
    session.execute(
        update(Notice)
        .where(Notice.id == notice_id)
        .values(mailed_at=clock())
        .execution_options(synchronize_session=False)
    )
