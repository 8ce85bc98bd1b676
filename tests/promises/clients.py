"""Programs that submit and people who decide, over HTTP. Each goes on as a good client would, and logs what it saw."""

from __future__ import annotations

import http.client
import http.cookiejar
import json
import random
import re
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.fixtures.noscript import fields_of
from tests.fixtures.people import Member, item
from tests.promises.history import Call, History

WORDS = ("reason", "comment", "message")


class Unknown(Exception):
    """No answer, or one that says nothing about what happened."""


def call(
    url: str, token: str, method: str = "POST", body: Any = None, headers: dict[str, str] | None = None
) -> tuple[int, Any]:
    """Status and JSON. Raises `Unknown` when the server was gone or answered 5xx."""
    sent = {"Authorization": f"Bearer {token}", "Content-Type": "application/json", **(headers or {})}
    data = None if body is None else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(
            urllib.request.Request(url, data=data, method=method, headers=sent), timeout=20
        ) as answer:
            text = answer.read()
            return answer.status, json.loads(text) if text else None
    except urllib.error.HTTPError as error:
        with error:
            if error.code >= 500:
                raise Unknown(error.code) from None
            return error.code, json.loads(error.read())
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Unknown(repr(error)) from None


@dataclass
class Clients:
    """What clients do, one method an act; and two programs and any number of people who do it until told to stop."""

    url: str
    submitter: Member
    reviewers: list[Member]
    history: History = field(default_factory=History)
    queue: str = "intents"
    patience: float = 30.0
    """Seconds for which a request that nobody answers is sent again."""
    stopping: threading.Event = field(default_factory=threading.Event)
    threads: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        self.begin(*(lambda who=who: self.keep_submitting(who) for who in ("a", "b")))
        self.begin(*(lambda member=member: self._keep_deciding(member) for member in self.reviewers))

    def begin(self, *acts: Callable[[], object]) -> None:
        """Do each in a thread of its own."""
        threads = [threading.Thread(target=act) for act in acts]
        self.threads += threads
        for thread in threads:
            thread.start()

    def stop(self) -> None:
        self.stopping.set()
        for thread in self.threads:
            thread.join(60)

    def keep_submitting(self, who: str) -> None:
        number = 0
        while not self.stopping.wait(0.02):
            number += 1
            self.submit(f"{who}-{number}")

    def _keep_deciding(self, member: Member) -> None:
        while not self.stopping.wait(0.02):
            self.decide_next(member)

    # -- programs -----------------------------------------------------------------------------------------------------

    def submit(self, key: str, queue: str | None = None) -> str | None:
        """Send an item until there is an answer; its id."""
        body = self._item(key, queue)
        answer = self._until_known("submit", self.submitter, "/items", body, {"Idempotency-Key": key}, key=key)
        if answer is None:
            return None
        call, value = answer
        self.history.ok(call, item=value["id"])
        return str(value["id"])

    def submit_batch(self, keys: list[str], queue: str | None = None) -> None:
        body = {"items": [self._item(key, queue) for key in keys]}
        answer = self._until_known(
            "batch", self.submitter, "/items/batch", body, {"Idempotency-Key": keys[0]}, keys=keys
        )
        if answer is not None:
            call, value = answer
            self.history.ok(call, items=[result["item"]["id"] for result in value["results"]])

    def _item(self, key: str, queue: str | None) -> dict[str, Any]:
        return item(1, queue=queue or self.queue, input={"text": f"Where is my card? <{key}>"})

    # -- people -------------------------------------------------------------------------------------------------------

    def claim(self, member: Member, queue: str | None = None) -> dict[str, Any] | None:
        """The claim, its task and its item, once; None where nothing waits, or nobody answered."""
        made = self.history.invoke(member.name, "claim", person=member.id)
        try:
            status, value = call(f"{self.url}/api/v1/queues/{queue or self.queue}/claims", member.token)
        except Unknown:
            self.history.unknown(made)
            return None
        if status == 201:
            lease = value["claim"]
            self.history.ok(
                made, task=value["task"]["id"], fence=lease["fence"], lease_until=lease["lease_until"],
                item=value["item"]["id"],
            )  # fmt: skip
            return dict(value)
        if status != 204:
            self.history.fail(made, status, value["code"])
        return None

    def decide(self, member: Member, held: dict[str, Any], body: dict[str, Any]) -> bool:
        """Whether it was taken."""
        answer = self._about("decide", "decision", member, held, body)
        if answer is None:
            return False
        made, value = answer
        decision = value["decision"]
        self.history.ok(
            made, decision=decision["id"], **{name: decision[name] for name in ("verdict", "output", *WORDS)}
        )
        return True

    def decide_next(self, member: Member) -> bool:
        """Claim, and decide."""
        held = self.claim(member)
        return held is not None and self.decide(member, held, judgement(held["task"]["id"]))

    def draft(self, member: Member, held: dict[str, Any], body: dict[str, Any]) -> None:
        self._done(self._about("draft", "draft", member, held, body, method="PUT", sends={"body": body}))

    def release(self, member: Member, held: dict[str, Any]) -> None:
        self._done(self._about("release", "release", member, held, {}))

    def skip(self, member: Member, held: dict[str, Any]) -> None:
        self._done(self._about("skip", "skip", member, held, {}))

    def escalate(self, member: Member, held: dict[str, Any]) -> None:
        self._done(self._about("escalate", "escalation", member, held, {"comment": "Which of the two?"}))

    def _done(self, answer: tuple[Call, Any] | None) -> None:
        if answer is not None:
            self.history.ok(answer[0])

    def _about(
        self, act: str, what: str, member: Member, held: dict[str, Any], body: dict[str, Any], *,
        method: str = "POST", sends: dict[str, Any] | None = None,
    ) -> tuple[Call, Any] | None:  # fmt: skip
        lease, task = held["claim"], held["task"]["id"]
        path = f"/claims/{lease['id']}/{what}"
        facts = {"person": member.id, "task": task, "fence": lease["fence"], "body": body}
        return self._until_known(act, member, path, sends or body, method=method, **facts)

    def _until_known(
        self, act: str, member: Member, path: str, posted: Any, headers: dict[str, str] | None = None, *,
        method: str = "POST", **facts: Any,
    ) -> tuple[Call, Any] | None:  # fmt: skip
        """Repeat the very same request until it is answered, as a client should. The call that was, to be ended by the
        caller, with what it was told; None for a refusal, or when nobody answered."""
        end = time.monotonic() + self.patience
        while time.monotonic() < end:
            made = self.history.invoke(member.name, act, **facts)
            try:
                status, value = call(f"{self.url}/api/v1{path}", member.token, method, posted, headers)
            except Unknown:
                self.history.unknown(made)
                self.stopping.wait(0.2)
                continue
            if status < 300:
                return made, value
            if status in RETRIED or value["code"] == "in_flight":
                self.history.unknown(made)
                self.stopping.wait(0.05)
                continue
            self.history.fail(made, status, value["code"])
            return None
        return None


RETRIED = {429}


def judgement(task: str) -> dict[str, Any]:
    """What is said of a task: always the same, and not the same of all."""
    drawn = random.Random(task).random()
    if drawn < 0.2:
        return {"verdict": "reject", "reason": "two_intents", "comment": "Both.", "message": "Ask again."}
    return {"output": {"label": "refund"}, "comment": "Sure."} if drawn < 0.5 else {"verdict": "approve"}


class Desk:
    """Somebody at the desk, without a script: decisions made there can be undone for a while."""

    def __init__(self, clients: Clients, member: Member, queue: str | None = None) -> None:
        self.clients, self.member, self.queue = clients, member, queue or clients.queue
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
        self.page = self.address = ""

    def sign_in(self) -> None:
        self._open("/login")
        self._open("/login", {"email": self.member.email, "password": self.member.password})

    def decide_next(self) -> dict[str, str] | None:
        """Claim, and say what the form says; the decision that can still be undone, and its task."""
        history, who = self.clients.history, self.member
        made = history.invoke(who.name, "claim", person=who.id)
        try:
            self._open(f"/queues/{self.queue}/claims", {})
        except Unknown:
            history.unknown(made)
            return None
        found = re.search(r"/claims/([0-9a-f-]{36})\.(\d+)", self.address)
        if found is None:
            history.fail(made, 204, "nothing_waits")
            return None
        made.ended = "shown"  # the page does not tell until when
        task, fence = found[1], int(found[2])
        made = history.invoke(who.name, "decide", person=who.id, task=task, fence=fence)
        try:
            self._open(f"/claims/{task}.{fence}/decision", dict(fields_of(self.page)))
        except Unknown:
            history.unknown(made)
            return None
        undoable = re.search(r"/decisions/([0-9a-f-]{36})/withdrawal", self.page)
        if undoable is None:
            history.unknown(made)
            return None
        history.ok(made, decision=undoable[1])
        return {"decision": undoable[1], "task": task}

    def undo(self, decided: dict[str, str]) -> bool:
        """Whether it was taken back."""
        history, who = self.clients.history, self.member
        made = history.invoke(who.name, "undo", person=who.id, **decided)
        try:
            self._open(f"/decisions/{decided['decision']}/withdrawal", {})
        except Unknown:
            history.unknown(made)
            return False
        if "/claims/" in self.address:
            history.ok(made)
            return True
        history.fail(made, 409, "grace_over")
        return False

    def _open(self, path: str, data: dict[str, str] | None = None) -> None:
        token = re.search(r'name="csrf_token"[^>]*value="([^"]*)"', self.page)
        sent = None if data is None else urllib.parse.urlencode({"csrf_token": token[1] if token else "", **data})
        try:
            with self.opener.open(f"{self.clients.url}{path}", sent and sent.encode(), timeout=20) as answer:
                self.page, self.address = answer.read().decode(), answer.url
        except (OSError, http.client.HTTPException) as error:
            raise Unknown(repr(error)) from None
