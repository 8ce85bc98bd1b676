"""What an outsider may send that wants to run, load or lead elsewhere, and an installation in which it stands in every
field that takes text: of items, people, tokens, queues, comments, decisions, imports, webhooks and what came back.

`ELSEWHERE` stands for another origin. Whatever runs calls `alert` and leaves `window.canary`.
"""

from __future__ import annotations

import copy
import io
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import insert, select, update

from reviewqueue import samples
from reviewqueue.accounts import memberships, people, tokens
from reviewqueue.accounts.identity import actor_of_person
from reviewqueue.core.access import Scope
from reviewqueue.core.db import clock, read_session, write_session
from reviewqueue.core.http import checked
from reviewqueue.errors import Error
from reviewqueue.intake.shapes import ItemShape
from reviewqueue.intake.submissions import submit
from reviewqueue.models import Item, OutboxRow, Person, Queue, Task, WebhookAttempt, WebhookDelivery, WebhookEndpoint
from reviewqueue.models.states import DeliveryState, QueueRole, SiteRole
from reviewqueue.queues.applying import apply
from reviewqueue.review import saved_views
from reviewqueue.review.finding import Filters
from tests.browser.test_access import Places
from tests.fixtures.media import PNG
from tests.fixtures.people import OPERATOR

RUN = "window.canary=1;alert(1)"
ELSEWHERE = "http://elsewhere.example"

MARKUP = [
    f"<script>{RUN}</script>", f"<script src={ELSEWHERE}/a.js></script>", f"<img src=x onerror='{RUN}'>",
    f'"><img src=x onerror="{RUN}">', f"'><svg onload='{RUN}'>", f"<svg><script>{RUN}</script></svg>",
    f"<svg><foreignObject><iframe srcdoc='<script>parent.{RUN}</script>'></iframe></foreignObject></svg>",
    f"<svg><use href='{ELSEWHERE}/a.svg#x'></use><image href='{ELSEWHERE}/a.png'/></svg>",
    f"<svg><animate onbegin='{RUN}' attributeName=x dur=1s></svg>", f"<img src={ELSEWHERE}/a.png>",
    f"<iframe src='javascript:parent.{RUN}'></iframe>", f"<iframe src={ELSEWHERE}/></iframe>",
    f"<iframe srcdoc=\"<script>parent.{RUN}</script><img src='{ELSEWHERE}/b.png'>\"></iframe>",
    f"<object data='javascript:{RUN}'></object><embed src={ELSEWHERE}/a.swf>", f"<body onload='{RUN}'>",
    f"<link rel=stylesheet href={ELSEWHERE}/a.css><style>@import '{ELSEWHERE}/b.css';</style>",
    f"<style>body{{background:url({ELSEWHERE}/c.png)}}</style><p style='background:url({ELSEWHERE}/d.png)'>",
    f"<video src={ELSEWHERE}/a.mp4 onerror='{RUN}'></video><audio src={ELSEWHERE}/a.mp3 autoplay></audio>",
    f"<input autofocus onfocus='{RUN}'>", f"<details open ontoggle='{RUN}'>", f"<base href={ELSEWHERE}/>",
    f"<form id=csrf_token action={ELSEWHERE}><input name=attributes><input name=csrf_token>",
    "<a id=canary name=alert><img name=body><form name=getElementById>", "<script src=/api/v1/openapi.json></script>",
    f"<math><mi xlink:href='javascript:{RUN}'>x</mi></math>", f"<template><script>{RUN}</script></template>",
    f"</script><script>{RUN}</script>", f"</style><script>{RUN}</script>", f"</title><script>{RUN}</script>",
    f"<noscript><p title='</noscript><img src=x onerror={RUN}>'>", f"<xss onpointerenter='{RUN}' tabindex=1 autofocus>",
    f"<<script>{RUN}//<</script>", f"<img src=`x`onerror={RUN}>", f"<a href='javascript:{RUN}' ping={ELSEWHERE}>x</a>",
    f"<link rel=prefetch href={ELSEWHERE}/p><link rel=manifest href={ELSEWHERE}/m><link rel=icon href={ELSEWHERE}/i>",
]  # fmt: skip
LEADING_AWAY = [f"<meta http-equiv=refresh content='0;url={ELSEWHERE}/'>"]
"""No policy forbids a page to lead away; only escaping does."""
SWALLOWING = [f"</textarea><script>{RUN}</script>", f"--><script>{RUN}</script><!--", f"]]><script>{RUN}</script>"]
OTHER = [
    f"javascript:{RUN}", f" java\tscript:{RUN}", f"data:text/html,<script>{RUN}</script>", f"vbscript:{RUN}",
    f"[go](javascript:{RUN})", f"![x]({ELSEWHERE}/m.png)", f"<{ELSEWHERE}/auto>",
    f"[ref]: {ELSEWHERE}/r 'x'\n[x][ref]",
    f"[a](<javascript:{RUN}>)", f"**bold** <u onclick='{RUN}'>raw</u>",
    "```html\n<script>window.canary=1</script>\n```",
    "{{7*7}}", "${7*7}", "#{7*7}", "{% debug %}", "{{config}}", "<%= 7*7 %>", "%(name)s {0} %s",
    "=HYPERLINK(\"http://elsewhere.example\")", "@SUM(1+1)", "+1+cmd|' /C calc'!A0", "-1",
    "safe\u202egnp.exe", "a\u200bb\u2066c\u2069", "\u0130\u0131\ufb03", "e\u0301" * 5, "__proto__", "constructor",
    "../../etc/passwd", "C:\\nul", "'; DROP TABLE item; --", "\u2028\u2029", "&lt;b&gt; &amp;amp; &#60;",
]  # fmt: skip


def naughty(folder: str | None) -> list[str]:
    """The list of naughty strings, where there is one, without what no field takes."""
    if not folder:
        return []
    found = json.loads((Path(folder) / "naughty" / "blns.json").read_text(encoding="utf-8"))
    return [text for text in dict.fromkeys(found) if text and "\x00" not in text]


@dataclass
class Hostile(Places):
    """The demonstration, in which whatever an outsider can say is hostile."""

    texts: list[str] = field(default_factory=list)
    everywhere: bool = True
    """All of them in every field; else all in an item's input alone, and a short one elsewhere."""

    said: set[str] = field(default_factory=set)
    """The short ones that were sent."""

    def short(self, field: str) -> str:
        """For a field that takes little; under 80 characters, and no other field has the same."""
        text = f'"><svg onload={RUN}//{field}>'
        self.said.add(text)
        return text

    @property
    def blob(self) -> str:
        return "\n".join(self.texts)

    @property
    def long(self) -> str:
        """As much of it as every field takes that is no item's own."""
        return self.blob[:9_000] if self.everywhere else "long"

    def make(self) -> None:
        super().make()
        with self.app.app_context(), write_session() as session:
            session.execute(update(Task).where(Task.state == "open").values(state="cancelled"))
            self.ids = {row.name.lower(): row.id for row in session.execute(select(Person.name, Person.id))}
            self.carol = tokens.create_personal(
                session=session,
                actor=OPERATOR,
                person_id=self.ids["carol"],
                name=self.short("laptop"),
                scopes=["review"],
            ).secret
        self._people()
        self._queues()
        self._items()
        self._said()
        self._came_back()

    def _people(self) -> None:
        slug = self.named["slug"]
        with self.app.app_context(), write_session() as session:
            mallory = people.create(
                session=session, actor=OPERATOR, email="mallory@demo.example", name=self.short("person"),
                role=SiteRole.MEMBER, password=samples.PASSWORD, must_change_password=False,
            )  # fmt: skip
            for role in (QueueRole.REVIEWER, QueueRole.LEAD):
                memberships.add(session=session, actor=OPERATOR, slug=slug, email="mallory@demo.example", role=role)
            scopes = [scope.value for scope in Scope if scope is not Scope.REVIEW]
            tokens.create_service(session=session, actor=OPERATOR, name=self.short("service"), scopes=scopes)
            self.mallory = tokens.create_personal(
                session=session, actor=OPERATOR, person_id=mallory.id, name=self.short("token"), scopes=["review"]
            ).secret
            self.named["person_id"] = mallory.id
        with self.app.app_context(), write_session() as session:
            lead = actor_of_person(session, self.ids["bob"])
            saved_views.save(
                session=session, actor=lead, slug=slug, name=self.short("view"), filters=Filters(q="odd"), shared=True
            )

    def _queues(self) -> None:
        """Titles, instructions, reasons, rules and notes of every queue."""
        for slug in samples.QUEUES:
            document = self._call(self.service, "GET", f"/queues/{slug}")["configuration"]
            document |= {"title": self.short("title"), "instructions": self.long, "owner_team": self.short("team")}
            document["reasons"] = [{"code": "odd", "title": self.short("reason")}]
            document["routing"] = {
                "rules": [{"when": "true", "action": "review", "title": self.short("rule")}],
                "otherwise": "review",
            }
            with self.app.app_context(), write_session() as session:
                apply(session=session, actor=OPERATOR, document=document, note=self.short("note"))

    def _items(self) -> None:
        """One item a queue, hostile wherever the queue lets it; Carol holds each."""
        kept = {}
        for item in samples.items():
            kept.setdefault(item["queue"], item)
        for slug in samples.QUEUES:
            item = {**kept[slug], **self._around(slug)} if slug in kept else self._pictured(slug)
            item_id = self._submitted(slug, item)
            if slug == self.named["slug"]:
                self.named["item_id"] = item_id
            claim = self._call(self.carol, "POST", f"/queues/{slug}/claims")["claim"]
            self.desks[slug] = claim["id"]
        self.named["claim_id"] = self.desks[self.named["slug"]]

    def _around(self, slug: str) -> dict[str, Any]:
        return {
            "queue": slug, "external_id": self.short("id") + slug, "subject": self.short("subject"), "risk": "high",
            "model": self.short("model"), "model_version": self.short("version"),
            "prompt_version": self.short("prompt"), "explanation": self.long,
            "trace_url": f"{ELSEWHERE}/<svg onload={RUN}>",
            "metadata": {
                self.short("key"): self.long, "__proto__": {"canary": self.short("proto")},
                "constructor": {"prototype": [self.short("prototype")]},
            },
        }  # fmt: skip

    def _pictured(self, slug: str) -> dict[str, Any]:
        """An item with a picture whose name lies."""
        with self.app.app_context(), read_session() as session:
            row = session.execute(
                select(Item.input, Item.output).join(Queue).where(Queue.slug == slug).order_by(Item.id)
            ).first()
        assert row is not None
        return {"input": json.loads(row.input), "output": json.loads(row.output), **self._around(slug)}

    def _submitted(self, slug: str, item: dict[str, Any]) -> str:
        """Sent with every text in it replaced that the queue lets one replace."""
        item = json.loads(json.dumps(item))
        for part in ("input", "output", "alternatives", "parts"):
            for place in texts_in(item.get(part), (part,)):
                for text in (self.blob if part == "input" else self.long, self.short("leaf")):
                    changed = replaced(item, place, text)
                    if self._try(changed):
                        item = changed
                        break
        found: str = self._call(self.service, "POST", "/items", json=item)["id"]
        return found

    def _try(self, item: dict[str, Any]) -> bool:
        """Whether the queue would take it; nothing is kept."""
        with self.app.app_context(), write_session() as session:
            try:
                submit(session=session, actor=OPERATOR, body=checked(ItemShape, json.dumps(item).encode()))
            except Error:
                return False
            finally:
                session.rollback()
        return True

    def _said(self) -> None:
        """Comments, decisions with all their texts, why a queue is stopped, what an import got wrong."""
        slug, item_id = self.named["slug"], self.named["item_id"]
        for text in (self.long[:9_900] + " @bob", self.short("comment")):
            self._call(self.mallory, "POST", f"/items/{item_id}/comments", json={"body": text})
        decided = {
            "verdict": "reject",
            "reason": "odd",
            "comment": self.short("inside"),
            "message": self.short("message"),
        }
        self._call(self.service, "POST", "/items", json={**self._sample, "external_id": "decided"})
        claim = self._call(self.mallory, "POST", f"/queues/{slug}/claims")["claim"]["id"]
        self.named["decided_id"] = self._call(self.mallory, "POST", f"/claims/{claim}/decision", json=decided)[
            "decision"
        ]["item"]
        self._call(self.service, "PUT", f"/queues/{slug}/stop", json={"why": self.short("stop")})
        self._call(self.service, "PUT", "/hold", json={"why": self.short("hold")})
        self._call(self.service, "PUT", "/opt-outs", json={"subject": self.short("subject")})
        lines = (
            b"\n".join(json.dumps({"queue": slug, text[:100]: text}).encode() for text in self.texts) + b"\n<script>\n"
        )
        self.named["import_id"] = self._call(self.service, "POST", "/imports", data=lines)["id"]
        hook = {"url": f"https://elsewhere.example/?{quote(self.texts[0])}"}
        self.named["endpoint_id"] = self._call(self.service, "POST", f"/queues/{slug}/webhooks", json=hook)["id"]
        form = {"queue": slug, "file": (io.BytesIO(PNG), "<svg onload=alert(1)>.svg")}
        answer = self.client.post("/api/v1/media", data=form, headers={"Authorization": f"Bearer {self.service}"})
        assert answer.status_code == 201, answer.text

    @property
    def _sample(self) -> dict[str, Any]:
        return {**next(samples.items()), "risk": "high"}

    def _came_back(self) -> None:
        """What a webhook was answered, and what a job failed with."""
        with self.app.app_context(), write_session() as session:
            endpoint_id = session.scalars(
                select(WebhookEndpoint.id).where(WebhookEndpoint.id == self.named["endpoint_id"])
            ).one()
            delivery_id = self.named["notice_id"]
            session.execute(
                insert(WebhookDelivery).values(
                    id=delivery_id, endpoint_id=endpoint_id, event="item.resolved", event_id=self.short("event"),
                    ref=endpoint_id, state=DeliveryState.DEAD, attempts=1, next_at=clock(), created_at=clock(),
                )
            )  # fmt: skip
            session.execute(
                insert(WebhookAttempt).values(
                    delivery_id=delivery_id, number=1, at=clock(), seconds=0.1, status=500, answer=self.short("answer")
                )
            )
            session.execute(
                insert(OutboxRow).values(
                    topic="export.plan", rq_queue="exports", ref=endpoint_id, created_at=clock(), next_at=clock(),
                    attempts=9, error=self.short("error"), failed_at=clock(),
                )
            )  # fmt: skip


def texts_in(value: Any, at: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    """Where texts stand in a JSON value; a reference to a file is none."""
    if isinstance(value, str):
        return [at]
    if isinstance(value, dict) and "$media" in value:
        return []
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, inner in pairs for place in texts_in(inner, (*at, key))]


def replaced(value: Any, place: tuple[Any, ...], text: str) -> Any:
    found = copy.deepcopy(value)
    inside = found
    for key in place[:-1]:
        inside = inside[key]
    inside[place[-1]] = text
    return found
