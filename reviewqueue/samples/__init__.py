"""The sample installation of `reviewqueue demo`: queues and items of every kind, people of every role."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from reviewqueue.accounts import memberships, people
from reviewqueue.core.access import Actor, operator
from reviewqueue.core.db import write_session
from reviewqueue.core.http import checked
from reviewqueue.core.strictjson import dumps
from reviewqueue.intake.shapes import ItemShape
from reviewqueue.intake.submissions import submit
from reviewqueue.media.uploads import kept, upload
from reviewqueue.models import Queue
from reviewqueue.models.states import QueueRole, SiteRole
from reviewqueue.queues.applying import apply
from reviewqueue.samples import history
from reviewqueue.samples.items import invoices, replies, support
from reviewqueue.samples.labelling import answers, conversations, notes, survey
from reviewqueue.samples.pictured import HERE as PICTURES
from reviewqueue.samples.pictured import pictured

HERE = Path(__file__).parent
QUEUES = (
    "support-intents", "reply-drafts", "invoices", "survey-topics", "answer-pairs", "agent-replies", "names-in-notes",
    "delivery-notes", "shelf-goods",
)  # fmt: skip
PASSWORD = "demo-password"  # noqa: S105 - printed, for the sample people of a demonstration


@dataclass(frozen=True)
class SamplePerson:
    email: str
    name: str
    role: SiteRole
    queue_role: QueueRole | None
    what: str


PEOPLE = (
    SamplePerson("alice@demo.example", "Alice", SiteRole.MEMBER, QueueRole.REVIEWER, "reviewer"),
    SamplePerson("carol@demo.example", "Carol", SiteRole.MEMBER, QueueRole.REVIEWER, "reviewer"),
    SamplePerson("bob@demo.example", "Bob", SiteRole.MEMBER, QueueRole.LEAD, "lead: takes escalations"),
    SamplePerson("anna@demo.example", "Anna", SiteRole.MEMBER, QueueRole.ANALYST, "analyst: exports"),
    SamplePerson("otto@demo.example", "Otto", SiteRole.AUDITOR, None, "auditor: reads everything"),
    SamplePerson("admin@demo.example", "Ada", SiteRole.ADMIN, None, "administrator"),
)


def fill(*, with_history: bool = False) -> None:
    """Create what is not there yet: a second start of the demo continues the first."""
    actor = operator("demo")
    pictures = {data: kept(data) for path in sorted(PICTURES.glob("*.jpg")) if (data := path.read_bytes())}
    with write_session() as session:
        if session.scalar(select(Queue.id).where(Queue.slug == QUEUES[0])) is not None:
            return
        for slug in QUEUES:
            apply(session=session, actor=actor, document=(HERE / f"{slug}.yaml").read_text(encoding="utf-8"))
        for person in PEOPLE:
            _hire(session, actor, person)

        def uploaded(slug: str, data: bytes) -> str:
            return str(upload(session=session, actor=actor, slug=slug, file=pictures[data])["$media"])

        for item in chain(items(), pictured(uploaded)):
            submit(session=session, actor=actor, body=checked(ItemShape, dumps(item).encode()))
        if with_history:
            _remember(session, actor)


def _hire(session: Session, actor: Actor, person: SamplePerson) -> None:
    people.create(
        session=session, actor=actor, email=person.email, name=person.name, role=person.role, password=PASSWORD,
        must_change_password=False,
    )  # fmt: skip
    if person.queue_role is not None:
        for slug in QUEUES:
            memberships.add(session=session, actor=actor, slug=slug, email=person.email, role=person.queue_role)


def _remember(session: Session, actor: Actor) -> None:
    """A queue more, which has been in use for two months."""
    apply(session=session, actor=actor, document=(HERE / f"{history.QUEUE}.yaml").read_text(encoding="utf-8"))
    for person in PEOPLE:
        if person.queue_role is not None:
            memberships.add(
                session=session, actor=actor, slug=history.QUEUE, email=person.email, role=person.queue_role
            )
    history.fill(session, actor, [person.email for person in PEOPLE if person.queue_role is QueueRole.REVIEWER])


def items() -> Iterator[dict[str, Any]]:
    """Of every sample queue, in its order."""
    yield from support()
    yield from replies()
    yield from invoices()
    yield from survey()
    yield from answers()
    yield from conversations()
    yield from notes()


def banner(host: str, port: int) -> list[str]:
    """What `reviewqueue demo` prints."""
    lines = [f"reviewqueue demo at http://{host}:{port}  (Ctrl-C stops it)", f"Everybody's password: {PASSWORD}"]
    return lines + [f"  {person.email:22} {person.what}" for person in PEOPLE]
