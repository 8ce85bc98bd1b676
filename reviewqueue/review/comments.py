"""What people say to each other about an item: the operation `comment`, mentions, and the query that lists it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, insert, or_, select
from sqlalchemy.orm import Session

from reviewqueue.core import trail
from reviewqueue.core.access import Action, Actor, may, require
from reviewqueue.core.db import clock
from reviewqueue.core.ids import new_id
from reviewqueue.errors import Fault, Forbidden, Invalid, NotFound
from reviewqueue.media.reading import Picture, pictures_of
from reviewqueue.models import Comment, Decision, Item, Membership, Person, Resolution, Task
from reviewqueue.models.base import table
from reviewqueue.models.states import ActorKind, ItemState, NoticeKind, TaskKind, TaskState
from reviewqueue.notices import inbox
from reviewqueue.queues import reveals
from reviewqueue.queues.catalog import QueueHead, configuration, queue_by_id
from reviewqueue.queues.configuration import QueueConfig
from reviewqueue.resolution.stand_ins import check_behind
from reviewqueue.review import telling

LONGEST = 10_000
MOST_LISTED = 500
_MENTION = re.compile(r"(?<![\w@.])@([\w.+-]*\w(?:@[\w.-]*\w)?)")


@dataclass(frozen=True)
class Named:
    """Somebody who can be mentioned; `handle` is the shortest word that means nobody else."""

    id: str
    name: str
    handle: str
    words: frozenset[str]
    """All that means them: e-mail, what stands before its @, the name without spaces; in small letters."""


@dataclass(frozen=True)
class Commented:
    comment_id: str
    created_at: datetime
    mentioned: list[Named]
    unknown: list[str]
    """Words after an @ that mean nobody, or more than one."""


def comment(*, session: Session, actor: Actor, item_id: str, body: str) -> Commented:
    """Say something about an item. Those mentioned in it, and who commented before, get a notice.

    Raises `NotFound`, `Forbidden`, `Invalid` for nothing or too much.
    """
    item_id, check_id = meant(session, actor, item_id)
    places = places_of(session, actor, item_id, Action.COMMENT)
    if actor.kind is not ActorKind.PERSON:
        raise Forbidden("Only people comment: use a personal token with the scope review.")
    body = body.strip()
    if not 0 < len(body) <= LONGEST:
        raise Invalid("Write something, up to 10,000 characters.", [Fault("/body", "must be 1 to 10,000 characters")])
    mentioned, unknown = mentions(body, people_of(session, places))
    before = said_about(session, item_id) if check_id is None else said_during(session, check_id, item_id)
    earlier = {row.person_id for row in before}
    created = session.execute(
        insert(Comment)
        .values(id=new_id(), item_id=item_id, person_id=actor.id, body=body, check_id=check_id, created_at=clock())
        .returning(Comment.id, Comment.created_at)
    ).one()
    named = {each.id for each in mentioned}
    inbox.tell(session, actor, named, NoticeKind.MENTIONED, item_id=item_id, words=body)
    reachable = {each.id for each in people_of(session, places)}
    inbox.tell(session, actor, (earlier & reachable) - named, NoticeKind.REPLIED, item_id=item_id, words=body)
    trail.record(
        session, actor, "item.commented", queue_id=places[0], item_id=item_id, subject=created.id,
        facts={"mentioned": sorted(named)}, content={"comment": body},
    )  # fmt: skip
    return Commented(created.id, created.created_at, mentioned, unknown)


def meant(session: Session, actor: Actor, item_id: str) -> tuple[str, str | None]:
    """The item that an id means, and the check during which it is spoken of: where the item is shown under a stand-in,
    and, under its own id, to whoever has yet to decide it."""
    check = check_behind(session, item_id)
    if check is None and actor.kind is ActorKind.PERSON:
        own = select(Task.id, Task.item_id, Task.state).where(
            Task.item_id == item_id, Task.kind == TaskKind.GOLD, Task.assignee == actor.id,
            Task.state != TaskState.DONE,
        )  # fmt: skip
        check = session.execute(own).first()
    if check is None:
        return item_id, None
    return check.item_id, None if check.state is TaskState.DONE else check.id


def places_of(session: Session, actor: Actor, item_id: str, *actions: Action) -> list[str]:
    """The queues where the item is, its own first, if the actor may do one of these in one of them. Raises `NotFound`,
    `Forbidden`."""
    own = session.execute(select(Item.queue_id).where(Item.id == item_id)).scalar_one_or_none()
    if own is None:
        raise NotFound
    sent_to = session.scalars(select(Task.queue_id).where(Task.item_id == item_id, Task.queue_id != own).distinct())
    places = [own, *sorted(sent_to)]
    if not any(may(actor, action, queue_id) for action in actions for queue_id in places):
        require(actor, actions[0], own)
    return places


def people_of(session: Session, queue_ids: Iterable[str]) -> list[Named]:
    """Members of these queues, by name."""
    rows = session.execute(
        select(Person.id, Person.name, Person.email)
        .where(
            Person.disabled_at.is_(None),
            Person.id.in_(select(Membership.person_id).where(Membership.queue_id.in_(list(queue_ids)))),
        )
        .order_by(Person.name, Person.id)
    ).all()
    words = {row.id: _words(row.name, row.email) for row in rows}
    return [Named(row.id, row.name, _handle(row, words), frozenset(words[row.id])) for row in rows]


def _words(name: str, email: str) -> list[str]:
    """From the shortest to the one that is always theirs alone."""
    return [email.partition("@")[0].casefold(), re.sub(r"\s", "", name).casefold(), email.casefold()]


def _handle(row: Any, words: dict[str, list[str]]) -> str:
    others = {word for person_id, theirs in words.items() if person_id != row.id for word in theirs}
    return next((word for word in words[row.id] if word not in others), row.email)


def mentions(body: str, people: Iterable[Named]) -> tuple[list[Named], list[str]]:
    """Who is mentioned, and the words that mean nobody or more than one. Pure."""
    people = list(people)
    found: dict[str, Named] = {}
    unknown = []
    for word in dict.fromkeys(match[1] for match in _MENTION.finditer(body)):
        meant = [person for person in people if word.casefold() in person.words]
        if len(meant) == 1:
            found[meant[0].id] = meant[0]
        else:
            unknown.append(word)
    return list(found.values()), unknown


@dataclass(frozen=True)
class Conversation:
    item: Any
    input: Any
    """As it is shown, sensitive parts covered."""
    pictures: list[Picture]
    """What its input refers to."""
    shown_id: str
    """Under which the reader knows it."""
    queue: QueueHead
    config: QueueConfig
    comments: list[Any]
    """Rows: id, body, created_at, name, person_id; oldest first."""
    people: list[Named]
    """Who can be mentioned."""
    may_comment: bool
    held: str | None
    """The claim on a task of the item that the reader holds."""
    answer: telling.Told | None
    """What came of it, for a reader who had handed it on."""


def conversation(*, session: Session, actor: Actor, item_id: str) -> Conversation:
    """What was said about the item, and the item itself: opening it is an event, and `actor` has then read the notices
    about it. During a check: as if the item had come with it. Raises `NotFound`, `Forbidden`."""
    named, (item_id, check_id) = item_id, meant(session, actor, item_id)
    places = places_of(session, actor, item_id, Action.COMMENT, Action.READ_ITEMS)
    item = session.execute(select(Item).where(Item.id == item_id)).scalar_one()
    inbox.read_all(session=session, actor=actor, item_id=item_id)
    trail.record(session, actor, "item.viewed", queue_id=item.queue_id, item_id=item_id)
    hidden = reveals.hidden_from(session, actor, item_id=item_id, queue_id=item.queue_id)
    said = said_about(session, item_id) if check_id is None else said_during(session, check_id, item_id)
    return Conversation(
        item=item, input=reveals.value_shown(item.input, "input", hidden),
        pictures=pictures_of(session, item.id, json.loads(item.input), item.input),
        shown_id=_shown_id(session, actor, item, named, check_id), queue=queue_by_id(session, item.queue_id),
        config=configuration(session, item.queue_id, item.config_version).config, comments=said,
        people=people_of(session, places), may_comment=any(may(actor, Action.COMMENT, place) for place in places),
        held=_held(session, actor, item_id), answer=None if check_id else _answer(session, actor, item),
    )  # fmt: skip


def _answer(session: Session, actor: Actor, item: Any) -> telling.Told | None:
    handed_on = select(Task.id).where(
        Task.item_id == item.id, Task.escalated_by == actor.id, Task.kind.not_in((TaskKind.GOLD, TaskKind.APPEAL)),
    )  # fmt: skip
    if item.state is not ItemState.RESOLVED or session.execute(handed_on.limit(1)).first() is None:
        return None
    row = session.execute(
        select(Resolution.verdict, Resolution.output, Resolution.reason, Decision.suggested_label)
        .outerjoin(Decision, Decision.id == Resolution.decision_id)
        .where(Resolution.item_id == item.id, Resolution.revision == item.revision, Resolution.verdict.is_not(None))
    ).one_or_none()
    config = configuration(session, item.queue_id, item.config_version).config
    return None if row is None else telling.told(config, row, item.output)


def _shown_id(session: Session, actor: Actor, item: Any, named: str, check_id: str | None) -> str:
    if check_id is None or may(actor, Action.READ_ITEMS, item.queue_id):
        return str(item.id)
    return str(session.execute(select(Task.stand_in).where(Task.id == check_id)).scalar_one() or named)


def _held(session: Session, actor: Actor, item_id: str) -> str | None:
    row = session.execute(
        select(Task.id, Task.fence).where(
            Task.item_id == item_id, Task.holder == actor.id, Task.state == TaskState.CLAIMED,
            Task.lease_until > clock(),
        )
    ).first()  # fmt: skip
    return f"{row.id}.{row.fence}" if row else None


def listed(*, session: Session, actor: Actor, item_id: str) -> list[Any]:
    """As `said_about`. Raises `NotFound`, `Forbidden`."""
    item_id, check_id = meant(session, actor, item_id)
    places_of(session, actor, item_id, Action.COMMENT, Action.READ_ITEMS)
    return said_about(session, item_id) if check_id is None else said_during(session, check_id, item_id)


def said_during(session: Session, check_id: str, item_id: str) -> list[Any]:
    """What was said while somebody had a check: by them, and since then by others who know that it is one."""
    during = select(Comment.id).where(Comment.item_id == item_id, Comment.check_id == check_id)
    first = during.order_by(Comment.id).limit(1).correlate(None).scalar_subquery()
    replies = Comment.check_id.is_(None) & (Comment.id > first)
    return said_about(session, item_id, or_(Comment.check_id == check_id, replies))


def said_about(session: Session, item_id: str, *which: Any) -> list[Any]:
    """The comments on an item, oldest first. Index ix_comment_item_id_id. Asks no permission."""
    query = _SAID.where(*which) if which else _SAID
    return list(reversed(session.execute(query, {"item_id": item_id}).all()))


def _said() -> Any:
    each, person = table(Comment).c, table(Person).c
    return (
        select(each.id, each.body, each.created_at, person.name, each.person_id)
        .join_from(table(Comment), table(Person), person.id == each.person_id)
        .where(each.item_id == bindparam("item_id"))
        .order_by(each.id.desc())
        .limit(MOST_LISTED)
    )


_SAID = _said()
