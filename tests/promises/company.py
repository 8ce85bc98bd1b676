"""Queues and people for the clients, what they do there in short scenes, and the relay and the worker in this process.

Each scene provokes something: two who reach for one task, a decision after its lease, a twin of a request.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from flask import Flask
from sqlalchemy import Engine, text

from reviewqueue import cli
from reviewqueue.accounts import memberships, people, tokens
from reviewqueue.audit import verifying
from reviewqueue.core import background, relay
from reviewqueue.core.access import Actor, Scope
from reviewqueue.core.db import db, write_session
from reviewqueue.core.http import API_PREFIX
from reviewqueue.models.states import ActorKind, QueueRole, SiteRole, Via
from reviewqueue.queues.applying import apply
from tests.fixtures.people import INTENTS, OPERATOR, PASSWORD, Cast, Member
from tests.fixtures.processes import until
from tests.fixtures.receivers import Receiver
from tests.promises.clients import Clients, Desk, judgement
from tests.promises.history import Receipt
from tests.promises.stored import moment

SHORT = 0.005
"""Minutes of a lease that is to be lost."""
QUEUES: dict[str, dict[str, Any]] = {
    "rush": {},
    "passing": {},
    "pairs": {"reviews": {"required": 2}},
    "slow": {"lease_minutes": SHORT},
    "desk": {"undo_seconds": 10},
    "brief": {"undo_seconds": 1},
    "shift": {},
    "idle": {},
}
STAFF = {
    "Alice": ("rush", "passing", "pairs"), "Carol": ("rush", "passing", "pairs"), "Bob": ("rush", "passing", "pairs"),
    "Dave": ("slow",), "Erin": ("slow",), "Gina": ("slow",), "Frank": ("desk",), "Hugo": ("brief",),
    "Ivan": ("shift",), "Judy": ("shift",),
}  # fmt: skip


class Pace:
    """The relay's rounds, as far as scenes have to know of them: what they show must not be a matter of luck."""

    def __init__(self) -> None:
        self.still = threading.Lock()
        """The relay does nothing while a scene holds it, as if it were frozen."""
        self.rounds = 0

    def look(self) -> None:
        """Wait until the relay has done everything that is due every moment at least once."""
        enough = self.rounds + 3
        until(lambda: self.rounds >= enough, seconds=30, what="three rounds of the relay")


@dataclass(frozen=True)
class Company:
    cast: Cast
    members: dict[str, Member]
    relay: Pace = field(default_factory=Pace)

    def __getitem__(self, name: str) -> Member:
        return self.members[name]


def found(app: Flask, cast: Cast, url: str, queues: dict[str, dict[str, Any]] | None = None) -> Company:
    """Make the queues and hire who works there; `url` is told of everything that happens in them."""
    known = {member.name: member for member in cast.everybody}
    queues = QUEUES if queues is None else queues
    with app.app_context(), write_session() as session:
        for name, changes in queues.items():
            apply(session=session, actor=OPERATOR, document={**INTENTS, "name": name, **changes})
        staff = {name: known.get(name) or _hire(session, name) for name in STAFF}
        for name, where in STAFF.items():
            role = QueueRole.LEAD if name == "Bob" else QueueRole.REVIEWER
            for slug in where:
                if slug in queues:
                    memberships.add(session=session, actor=OPERATOR, slug=slug, email=staff[name].email, role=role)
    client = app.test_client()
    for name in queues:
        answer = client.post(
            f"{API_PREFIX}/queues/{name}/webhooks", json={"url": url, "events": ["*"]}, headers=cast.admin.bearer
        )
        assert answer.status_code == 201, answer.text
    return Company(cast, staff)


def _hire(session: Any, name: str) -> Member:
    email = f"{name.lower()}@example.com"
    made = people.create(
        session=session, actor=OPERATOR, email=email, name=name, role=SiteRole.MEMBER, password=PASSWORD,
        must_change_password=False,
    )  # fmt: skip
    token = tokens.create_personal(
        session=session, actor=OPERATOR, person_id=made.id, name=f"{name}'s", scopes=list(Scope)
    )
    return Member(name, email, made.id, token.secret, Actor(kind=ActorKind.PERSON, id=made.id, name=name, via=Via.API))


# -- behind the scenes ------------------------------------------------------------------------------------------------

BRISK = 0.2
"""Seconds after which a duty is due again that people wait for."""


class _Paced(relay.Relay):
    def __init__(self, pace: Pace, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._pace = pace

    def _do_duties(self) -> None:
        with self._pace.still:
            super()._do_duties()
        self._pace.rounds += 1


@contextmanager
def backstage(app: Flask, pace: Pace) -> Iterator[None]:
    """The relay's duties, and jobs for what is in the outbox, in threads of this process."""
    stopping = threading.Event()
    duties = tuple(replace(duty, every_seconds=min(BRISK, duty.every_seconds)) if duty.every_seconds <= 2 else duty
                   for duty in cli.duties())  # fmt: skip
    with app.app_context():
        leader = _Paced(pace, topics=cli.TOPICS, duties=duties, url=None)

    def lead() -> None:
        with app.app_context():
            leader.run()

    def work(*, sends: bool) -> None:
        while not stopping.wait(0.05):
            with app.app_context():
                with db.engine.connect() as connection:
                    rows = connection.execute(text("SELECT id, topic FROM outbox WHERE failed_at IS NULL")).all()
                for row_id, topic in rows:
                    if (topic == "webhooks.send") is sends:
                        background.run(cli.TOPICS[topic].handler, [row_id], long=cli.TOPICS[topic].long)

    threads = [threading.Thread(target=act) for act in (lead, lambda: work(sends=True), lambda: work(sends=False))]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stopping.set()
        leader.stop()
        for thread in threads:
            thread.join(30)


UNREST = (
    "SELECT count(*) FROM outbox",
    "SELECT count(*) FROM pending_release",
    "SELECT count(*) FROM audit_waiting",
    "SELECT count(*) FROM resolution WHERE position IS NULL",
    "SELECT count(*) FROM webhook_delivery WHERE state = 'pending'",
    "SELECT count(*) FROM webhook_endpoint e JOIN resolution r ON r.queue_id = e.queue_id AND r.position > e.position",
    "SELECT count(*) FROM task WHERE state = 'claimed' AND lease_until < {now}",
)
NOW = {"sqlite": "strftime('%Y-%m-%d %H:%M:%f000', 'now')", "postgresql": "clock_timestamp()"}


def is_quiet(engine: Engine) -> bool:
    """Whether nothing is left to do that the product does by itself."""
    now = NOW[engine.dialect.name]
    with engine.connect() as connection:
        return not any(connection.execute(text(count.format(now=now))).scalar_one() for count in UNREST)


def settle(engine: Engine, seconds: float) -> None:
    """Wait until it is quiet; after `seconds` what is left speaks for itself, in the history's faults."""
    end = time.monotonic() + seconds
    while not is_quiet(engine) and time.monotonic() < end:
        time.sleep(0.05)


def chain(app: Flask) -> list[str]:
    """What `audit verify` finds."""
    with app.app_context():
        checker, _ = verifying.verify(actor=OPERATOR)
    return [str(fault) for fault in checker.faults]


def receipts(receiver: Receiver) -> list[Receipt]:
    with receiver.lock:
        came = list(receiver.came)
    told = [(headers["webhook-id"], json.loads(body)) for headers, body in came]
    return [Receipt(webhook_id, body["type"], body["data"]) for webhook_id, body in told]


# -- scenes -----------------------------------------------------------------------------------------------------------

Scene = Callable[[Clients, Company], None]


def play(clients: Clients, company: Company, scenes: Sequence[Scene]) -> None:
    """All at once."""
    clients.begin(*(lambda scene=scene: scene(clients, company) for scene in scenes))
    for thread in clients.threads:
        thread.join(60)


def together(*acts: Callable[[], object]) -> None:
    """As much at the same moment as can be."""
    barrier = threading.Barrier(len(acts))

    def act(one: Callable[[], object]) -> None:
        barrier.wait(10)
        one()

    threads = [threading.Thread(target=act, args=(one,)) for one in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)


def repeat(clients: Clients, _: Company) -> None:
    """A program sends requests twice: after each other, at the same moment, and in batches. Nobody works on them."""
    for number in range(3):
        clients.submit(f"twice-{number}", "idle")
        clients.submit(f"twice-{number}", "idle")
        together(*[lambda number=number: clients.submit(f"twins-{number}", "idle")] * 2)
    for _ in range(2):
        clients.submit_batch([f"batch-{number}" for number in range(3)], "idle")


def rush(clients: Clients, company: Company) -> None:
    """Three people reach for tasks at the same moment, and decide them, some twice and some with a change of mind."""
    members = [company[name] for name in ("Alice", "Carol", "Bob")]
    for number in range(9):
        clients.submit(f"rush-{number}", "rush")
    for turn in range(3):
        held: dict[str, Any] = {}
        together(*(lambda who=who, held=held: held.update({who.name: clients.claim(who, "rush")}) for who in members))
        for member in members:
            if held.get(member.name) is not None:
                _judge(clients, member, held[member.name], turn)


def _judge(clients: Clients, member: Member, held: dict[str, Any], turn: int) -> None:
    body = judgement(held["task"]["id"])
    clients.draft(member, held, {"output": {"label": "refund"}})
    clients.decide(member, held, body)
    if turn == 1:
        together(*[lambda: clients.decide(member, held, body)] * 2)
    if turn == 2:
        clients.decide(member, held, {"output": {"label": "exchange_rate"}, "comment": "No: this."})


def pass_on(clients: Clients, company: Company) -> None:
    """Tasks go back, are skipped and go to the lead."""
    for number in range(4):
        clients.submit(f"pass-{number}", "passing")
    for name, act in (("Alice", clients.release), ("Carol", clients.skip), ("Alice", clients.escalate)):
        held = clients.claim(company[name], "passing")
        if held is not None:
            act(company[name], held)


def pairs(clients: Clients, company: Company) -> None:
    """Two judge each item, and a lead where they disagree; whoever has judged an item tries to get it again."""
    for number in range(4):
        clients.submit(f"pair-{number}", "pairs")
    for _ in range(2):
        for name, body in (("Alice", {"verdict": "approve"}), ("Carol", {"output": {"label": "refund"}})):
            for _ in range(4):
                held = clients.claim(company[name], "pairs")
                if held is not None:
                    clients.decide(company[name], held, body)
    for _ in range(6):
        held = clients.claim(company["Bob"], "pairs")
        if held is not None:
            clients.decide(company["Bob"], held, {"output": {"label": "exchange_rate"}})


def come_late(clients: Clients, company: Company) -> None:
    """Somebody loses their lease, another gets the task, and the first decides. Or nobody has noticed, and they do."""
    for number in range(4):
        clients.submit(f"late-{number}", "slow")
        if number % 2 == 0:
            _lose_to_another(clients, company["Dave"], company["Erin"])
        else:
            with company.relay.still:
                held = _outlasted(clients, company["Dave"])
                if held is not None:
                    clients.decide(company["Dave"], held, judgement(held["task"]["id"]))


def _lose_to_another(clients: Clients, one: Member, other: Member) -> None:
    held, theirs = _outlasted(clients, one), None
    if held is None:
        return
    end = time.monotonic() + 3
    while theirs is None and time.monotonic() < end:
        theirs = clients.claim(other, "slow")
    clients.decide(one, held, judgement(held["task"]["id"]))
    if theirs is not None:
        clients.decide(other, theirs, {"verdict": "approve"})


def _outlasted(clients: Clients, who: Member) -> dict[str, Any] | None:
    """A claim whose lease is over; they have typed something."""
    held = clients.claim(who, "slow")
    if held is not None:
        clients.draft(who, held, {"comment": "Wait."})
        _outlast(held)
    return held


def hand_over(clients: Clients, company: Company) -> None:
    """Somebody works in peace while the relay looks, and hands their task back; another gets it; the first decides."""
    one, other = company["Ivan"], company["Judy"]
    clients.submit("shift-1", "shift")
    held = clients.claim(one, "shift")
    if held is None:
        return
    company.relay.look()
    clients.release(one, held)
    theirs = clients.claim(other, "shift")
    clients.decide(one, held, judgement(held["task"]["id"]))
    if theirs is not None:
        clients.decide(other, theirs, {"verdict": "approve"})


def vanish(clients: Clients, company: Company) -> None:
    """Somebody claims, and is never seen again."""
    for _ in range(2):
        held = clients.claim(company["Gina"], "slow")
        if held is not None:
            _outlast(held)


def _outlast(held: dict[str, Any]) -> None:
    ends = moment(held["claim"]["lease_until"]).timestamp() + 0.07
    time.sleep(max(0.0, ends - time.time()))


def undo(clients: Clients, company: Company) -> None:
    """A decision at the desk is taken back."""
    _undo(clients, Desk(clients, company["Frank"], "desk"), after=0)


def undo_late(clients: Clients, company: Company) -> None:
    """It is tried when the time for that is over."""
    _undo(clients, Desk(clients, company["Hugo"], "brief"), after=1.1)


def _undo(clients: Clients, desk: Desk, *, after: float) -> None:
    for number in range(2):  # the page after a decision is the next task's, and offers to undo
        clients.submit(f"{desk.queue}-{number}", desk.queue)
    desk.sign_in()
    decided = desk.decide_next()
    if decided is not None:
        time.sleep(after)
        desk.undo(decided)


SCENES: tuple[Scene, ...] = (repeat, rush, pass_on, pairs, come_late, hand_over, vanish, undo, undo_late)
