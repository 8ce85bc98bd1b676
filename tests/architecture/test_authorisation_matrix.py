"""Every route × method × principal against `authorisation.toml`.

The routes come from `app.url_map`: one that is not in the table fails, and so does a row without a route. Each request
aims at something that exists and that the principal holds where they can hold it (their claim, their token). To extend
the table, write the row; a new name in a path needs its maker in `Targets`, a route with a body its entry in `BODIES`.

    yes    the request was let in (whatever came of it: 200, 409, 422)
    login  sent to the login page
    401    no credentials
    403    known and not allowed
    404    not known to exist: the answer equals that for an id that does not exist
    422    the body names a queue that is not known to exist
    -      not tried, with the reason beside the row
"""

from __future__ import annotations

import io
import json
import re
import secrets
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import insert, select, update

from reviewqueue.accounts import memberships, people, tokens
from reviewqueue.accounts.sessions import open_sessions
from reviewqueue.core import trail
from reviewqueue.core.access import Scope, operator
from reviewqueue.core.db import clock, read_session, write_session
from reviewqueue.core.ids import new_id
from reviewqueue.models import (
    Alert,
    DatasetVersion,
    Notice,
    OutboxRow,
    ProposedVersion,
    Token,
    WebhookDelivery,
    WebhookEndpoint,
)
from reviewqueue.models.states import (
    AlertFigure,
    BulkAction,
    DeliveryState,
    ExportState,
    NoticeKind,
    ProposalState,
    QueueRole,
    SiteRole,
)
from reviewqueue.queues.applying import apply
from reviewqueue.review import edge, saved_views
from reviewqueue.review.bulk import actions
from reviewqueue.review.finding import Filters
from tests.fixtures.media import PNG
from tests.fixtures.people import INTENTS, PASSWORD, Cast, Member, assemble, item
from tests.fixtures.turns import in_turns

TABLE = tomllib.loads(Path(__file__).with_name("authorisation.toml").read_text())
OPERATOR = operator("tests")
PEOPLE = {
    "outsider": "olga",
    "reviewer": "alice",
    "lead": "bob",
    "analyst": "analyst",
    "auditor": "auditor",
    "admin": "admin",
}
"""Principals who are people: in HTML with a session, under `/api` with a personal token of every scope."""
SERVICES = [scope.value for scope in Scope if scope is not Scope.REVIEW]
"""Principals who are programs: one scope each; `elsewhere` has all of them, in another queue."""

DECISION = {"verdict": "override", "output": {"label": "refund"}}
BODIES: dict[str, Any] = {
    "POST /api/a2i/human-loops": {
        "HumanLoopName": "one",
        "FlowDefinitionArn": "arn:aws:sagemaker:local:000000000000:flow-definition/intents",
        "HumanLoopInput": {"InputContent": json.dumps({"taskObject": "Where is it?", "initialValue": "refund"})},
    },
    "POST /api/a2i/human-loops/stop": {"HumanLoopName": "unknown"},
    "POST /api/v1/items": item(1),
    "POST /api/v1/items/batch": {"items": [item(1)]},
    "POST /api/v1/items/<item_id>/reopenings": {"reason": "Wrong label"},
    "POST /api/v1/items/<item_id>/outcomes": {"correct": True},
    "POST /api/v1/items/<item_id>/comments": {"body": "Is this a complaint?"},
    "POST /api/v1/queues/<slug>/gold": {"new": {"input": {"text": "x"}, "output": None}, "answer": None},
    "POST /api/v1/queues/<slug>/predictions": {
        "model": "intents",
        "model_version": "8",
        "predictions": [{"external_id": "1", "output": {"label": "refund"}}],
    },
    "PUT /api/v1/queues/<slug>": INTENTS,
    "PUT /api/v1/queues/<slug>/alert-conditions/<condition>": {"on": "waiting", "above": 10},
    "POST /api/v1/queues/<slug>/webhooks": {"url": "https://example.com/"},
    "PUT /api/v1/webhooks/<endpoint_id>/enabled": {"enabled": False},
    "PUT /api/v1/opt-outs": {"subject": "customer-1"},
    "POST /api/v1/opt-outs/withdrawal": {"subject": "customer-1"},
    "PUT /api/v1/hold": {"why": "Wrong labels"},
    "PUT /api/v1/queues/<slug>/hold": {"why": "Wrong labels"},
    "PUT /api/v1/queues/<slug>/stop": {"why": "Wrong labels"},
    "POST /api/v1/exports": {"queue": "intents", "format": "jsonl"},
    "POST /api/v1/export-schedules": {"queue": "intents", "every_hours": 24},
    "POST /api/v1/claims/<claim_id>/transfer": {"queue": "elsewhere"},
    "POST /api/v1/claims/<claim_id>/postponement": {"until": "2100-01-01T00:00:00Z"},
    "PUT /api/v1/tasks/<task_id>/assignee": {"person": None},
    "PUT /api/v1/queues/<slug>/standings/<reviewer_id>": {"state": "reviewing"},
    "POST /queues/<slug>/standings/<reviewer_id>": {"state": "reviewing"},
    "PUT /api/v1/claims/<claim_id>/draft": {"body": {"comment": "so far"}},
    "POST /login": {"email": "nobody@example.com", "password": "wrong"},
    "POST /queues/<slug>/views": {"name": "Old", "query": "age=%2B24h"},
    "POST /queues/<slug>/advice": {"threshold": "0.7", "expected_version": "1"},
    "POST /queues/<slug>/bulk": {"action": "release", "which": "all"},
    "POST /exports": {"queue": "intents", "format": "jsonl"},
    "POST /exports/<export_id>/models": {"model": "intents", "version": "8"},
    "POST /account/tokens": {"name": "laptop", "scopes": "items:read"},
    "POST /admin/people": {"email": "new@example.com", "role": "member"},
    "POST /admin/people/<person_id>/role": {"role": "auditor"},
    "POST /admin/queues/<slug>/members": {"email": "olga@example.com", "role": "reviewer"},
    "POST /admin/tokens": {"name": "bot", "scopes": "exports"},
    "POST /admin/queues/new": {"document": json.dumps({**INTENTS, "name": "new"}), "what": "apply"},
    "POST /start/templates/<template>": {"title": "Bills", "name": "bills"},
    "POST /start/items": {"item": json.dumps(item(1))},
    "POST /start/token": {"name": "bot"},
    "POST /admin/erasures": {"item": "", "subject": "customer-1", "reason": "Asked for it"},
    "POST /admin/queues/<slug>/intake": {"intake": "open"},
    "POST /admin/queues/<slug>/archive": {"archived": "0"},
}
UNKNOWN = "0192f0c1-7a00-7000-8000-000000000000"
NOWHERE = {
    "slug": "nowhere", "claim_id": f"{UNKNOWN}.1", "token_id": "0" * 16, "handle": "0" * 24, "name": "feedback.jsonl",
    "outbox_id": "999999999", "place": "9", "filename": "nothing.css",
}  # fmt: skip
"""For each name in a path what does not exist; `UNKNOWN` for all others."""


def routes(app: Flask) -> dict[str, tuple[str, str]]:
    """`METHOD /path` of everything that the application answers."""
    return {
        f"{method} {re.sub(r'<(?:[a-z]+:)?', '<', rule.rule)}": (method, re.sub(r"<(?:[a-z]+:)?", "<", rule.rule))
        for rule in app.url_map.iter_rules()
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
    }


def rows() -> Iterator[tuple[str, tuple[str, dict[str, str]]]]:
    for family in ("html", "api"):
        names = TABLE[family]["principals"].split()
        for route, cells in TABLE[family]["routes"].items():
            yield route, (route, dict(zip(names, cells.split(), strict=True)))


@pytest.fixture
def cast(app: Flask) -> Cast:
    found = assemble(app)
    with app.app_context(), write_session() as session:
        apply(session=session, actor=OPERATOR, document={**INTENTS, "name": "elsewhere", "title": "Elsewhere"})
    return found


@dataclass
class Targets:
    """Makes what a path names: the principal's own where they can have one, Carol's where not."""

    app: Flask
    cast: Cast
    client: FlaskClient
    member: Member | None
    export: str = ""
    with_media: bool = False

    def path(self, pattern: str) -> str:
        self.with_media = "<place>" in pattern
        values = {name: getattr(self, name)() for name in re.findall(r"<(\w+)>", pattern)}
        return re.sub(r"<(\w+)>", lambda match: values[match[1]], pattern)

    def _api(self, who: Member, method: str, path: str, body: Any = None) -> Any:
        with self.app.app_context():
            answer = self.app.test_client().open(f"/api/v1{path}", method=method, json=body, headers=who.bearer)
        assert answer.status_code < 300, answer.text
        return answer.json

    @property
    def worker(self) -> Member:
        return self.member if self.member in (self.cast.alice, self.cast.bob) else self.cast.carol

    def slug(self) -> str:
        return "intents"

    def template(self) -> str:
        return "shelf-goods"

    def item_id(self) -> str:
        media = {} if not self.with_media else {"input": {"text": "x", "page": {"$media": self._upload()}}}
        found: str = self._api(self.cast.submitter, "POST", "/items", item(**media))["id"]
        return found

    def _upload(self) -> str:
        form = {"queue": "intents", "file": (io.BytesIO(PNG), "page.png")}
        answer = self.app.test_client().post("/api/v1/media", data=form, headers=self.cast.submitter.bearer)
        found: str = answer.json["$media"]
        return found

    def place(self) -> str:
        return "0"

    def _claim(self) -> Any:
        self.item_id()
        return self._api(self.worker, "POST", "/queues/intents/claims")["claim"]

    def gold_id(self) -> str:
        new = {key: value for key, value in item().items() if key != "queue"}
        found: str = self._api(self.cast.bob, "POST", "/queues/intents/gold", {"new": new, "answer": None})["gold"]
        return found

    def view_id(self) -> str:
        """The principal's own where they can have one; else one of Bob's that all can see."""
        readers = self.cast.bob, self.cast.analyst, self.cast.auditor, self.cast.admin
        owner = self.member if self.member in readers else self.cast.bob
        with self.app.app_context(), write_session() as session:
            return saved_views.save(
                session=session, actor=owner.actor, slug="intents", name=new_id(), filters=Filters(q="card"),
                shared=owner is self.cast.bob,
            )  # fmt: skip

    def bulk_id(self) -> str:
        """Bob's."""
        chosen = [self.item_id()]
        with self.app.app_context():
            wanted = actions.Wanted(BulkAction.PRIORITISE, priority=3)
            return edge.prepare_bulk(self.cast.bob.actor, "intents", wanted, chosen)

    def claim_id(self) -> str:
        found: str = self._claim()["id"]
        return found

    def task_id(self) -> str:
        return self.claim_id().partition(".")[0]

    def notice_id(self) -> str:
        owner, notice_id, item_id = self.member or self.cast.carol, new_id(), self.item_id()
        with self.app.app_context(), write_session() as session:
            values = {"person_id": owner.id, "kind": NoticeKind.MENTIONED, "item_id": item_id}
            session.execute(insert(Notice).values(id=notice_id, created_at=clock(), **values))
        return notice_id

    def alert_id(self) -> str:
        alert_id = new_id()
        values = {
            "queue_id": self.cast.queue_id, "name": new_id(), "figure": AlertFigure.WAITING, "config_version": 1,
            "bar": 1.0, "above": True, "value": 2.0, "observations": 2, "done": "[]",
        }  # fmt: skip
        with self.app.app_context(), write_session() as session:
            session.execute(insert(Alert).values(id=alert_id, opened_at=clock(), **values))
        return alert_id

    def condition(self) -> str:
        self._api(self.cast.admin, "PUT", "/queues/intents/alert-conditions/waiting", {"on": "waiting", "above": 9})
        return "waiting"

    def decision_id(self) -> str:
        claim = self._claim()
        body = {**DECISION, "fence": claim["fence"]}
        found: str = self._api(self.worker, "POST", f"/claims/{claim['id']}/decision", body)["decision"]["id"]
        return found

    def person_id(self) -> str:
        with self.app.app_context(), write_session() as session:
            return people.create(session=session, actor=OPERATOR, email=f"{new_id()}@example.com").id

    def reviewer_id(self) -> str:
        return self.cast.carol.id

    def membership_id(self) -> str:
        with self.app.app_context(), write_session() as session:
            created = people.create(session=session, actor=OPERATOR, email=f"{new_id()}@example.com")
            return memberships.add(
                session=session, actor=OPERATOR, slug="intents", email=created.email, role=QueueRole.ANALYST
            )

    def token_id(self) -> str:
        owner = self.member or self.cast.carol
        with self.app.app_context(), write_session() as session:
            return tokens.create_personal(
                session=session, actor=OPERATOR, person_id=owner.id, name="another", scopes=["items:read"]
            ).id

    def handle(self) -> str:
        owner = self.member or self.cast.carol
        self.app.test_client().post("/login", data={"email": owner.email, "password": PASSWORD})
        with self.app.app_context(), read_session() as session:
            return open_sessions(session, owner.id)[0].handle

    def export_id(self) -> str:
        self.export = new_id()
        with self.app.app_context(), write_session() as session:
            session.execute(
                insert(DatasetVersion).values(
                    id=self.export,
                    queue_id=self.cast.queue_id,
                    number=secrets.randbelow(2**30),
                    format="jsonl",
                    filter="{}",
                    state=ExportState.READY,
                    requested_by="tests",
                    created_at=clock(),
                    as_of=clock(),
                    rows_done=0,
                )
            )
        return self.export

    def schedule_id(self) -> str:
        body = {"queue": "intents", "every_hours": 24}
        found: str = self._api(self.cast.analyst, "POST", "/export-schedules", body)["id"]
        return found

    def name(self) -> str:
        folder = self.app.config["SETTINGS"].exports_dir / self.export
        folder.mkdir(parents=True)
        (folder / "feedback.jsonl").write_text("{}")
        return "feedback.jsonl"

    def import_id(self) -> str:
        headers = {**self.cast.submitter.bearer, "Content-Type": "application/x-ndjson"}
        answer = self.app.test_client().post("/api/v1/imports", data=b"", headers=headers)
        found: str = answer.json["id"]
        return found

    def endpoint_id(self) -> str:
        url = f"https://example.com/{new_id()}"
        found: str = self._api(self.cast.admin, "POST", "/queues/intents/webhooks", {"url": url})["id"]
        return found

    def delivery_id(self) -> str:
        with self.app.app_context(), write_session() as session:
            endpoint_id = session.scalars(select(WebhookEndpoint.id).order_by(WebhookEndpoint.id.desc())).first()
            made = insert(WebhookDelivery).values(
                id=new_id(), endpoint_id=endpoint_id, event="webhook.test", event_id=new_id(), ref=endpoint_id,
                state=DeliveryState.DEAD, attempts=10, next_at=clock(), created_at=clock(),
            )  # fmt: skip
            found: str = session.execute(made.returning(WebhookDelivery.id)).scalar_one()
        return found

    def event_id(self) -> str:
        """Of something that happened; no checkpoint covers it yet."""
        with self.app.app_context(), write_session() as session:
            return trail.record(session, OPERATOR, "test.happened")

    def proposal_id(self) -> str:
        """Over already: only one of a queue waits."""
        proposal_id = new_id()
        values = {
            "base_version": 1, "document": "{}", "sha256": "", "diff": "[]", "lowers": "[]", "note": "",
            "state": ProposalState.REFUSED, "proposed_by": "tests", "proposed_by_name": "tests",
        }  # fmt: skip
        with self.app.app_context(), write_session() as session:
            session.execute(
                insert(ProposedVersion).values(
                    id=proposal_id, queue_id=self.cast.queue_id, proposed_at=clock(), **values
                )
            )
        return proposal_id

    def loop_name(self) -> str:
        return self.item_id()

    def number(self) -> str:
        return "0"

    def filename(self) -> str:
        return "app.css"

    def outbox_id(self) -> str:
        with self.app.app_context(), write_session() as session:
            found = session.execute(
                insert(OutboxRow)
                .values(
                    topic="export.plan",
                    rq_queue="exports",
                    ref=new_id(),
                    created_at=clock(),
                    next_at=clock(),
                    attempts=9,
                    error="gave up",
                    failed_at=clock(),
                )
                .returning(OutboxRow.id)
            )
            return str(found.scalar_one())


def nowhere(pattern: str) -> str:
    return re.sub(r"<(\w+)>", lambda match: NOWHERE.get(match[1], UNKNOWN), pattern)


def _service(app: Flask, name: str) -> dict[str, str]:
    limits = {"scopes": SERVICES, "queues": ["elsewhere"]} if name == "elsewhere" else {"scopes": [name]}
    with app.app_context(), write_session() as session:
        token = tokens.create_service(session=session, actor=OPERATOR, name=name, **limits)
    return {"Authorization": f"Bearer {token.secret}"}


class Principal:
    """Somebody with a fresh browser or a token, who sends one request."""

    def __init__(self, app: Flask, cast: Cast, name: str, *, api: bool) -> None:
        self.app, self.cast, self.api = app, cast, api
        self.member: Member | None = getattr(cast, PEOPLE[name]) if name in PEOPLE else None
        self.client = app.test_client()
        self.headers: dict[str, str] = {}
        if api and self.member is not None:
            self.headers = self.member.bearer
        elif api and name != "anonymous":
            self.headers = _service(app, name)
        elif self.member is not None:
            data = {"email": self.member.email, "password": PASSWORD}
            assert self.client.post("/login", data=data).status_code == 303

    def send(self, route: str, method: str, path: str) -> Any:
        body = BODIES.get(route)
        if route.endswith("/claims/<claim_id>/decision"):
            fence = int(path.split("/decision")[0].rpartition(".")[2])
            body = {**DECISION, "fence": fence}
        elif route == "POST /api/v1/media":
            form = {"queue": "intents", "file": (io.BytesIO(PNG), "page.png")}
            return self.client.open(path, method=method, headers=self.headers, data=form)
        elif route == "POST /api/v1/models":
            export_id = Targets(self.app, self.cast, self.client, self.member).export_id()
            body = {"model": "intents", "version": "8", "export": export_id}
        elif route == "PUT /api/v1/queues/<slug>":
            body = {**INTENTS, "name": path.rpartition("/")[2]}
        elif route == "POST /admin/queues/<slug>":
            body = {"document": json.dumps({**INTENTS, "name": path.rpartition("/")[2]}), "what": "apply"}
        options: dict[str, Any] = {"json": body} if self.api and method != "GET" else {"data": body}
        return self.client.open(path, method=method, headers=self.headers, **options)


def cell_of(answer: Any) -> str:
    assert answer.status_code < 500, answer.text
    if answer.status_code in {401, 403, 404}:
        return str(answer.status_code)
    if answer.status_code in {302, 303} and answer.headers["Location"].startswith("/login"):
        return "login"
    return "yes"


def bare(answer: Any) -> str:
    """The answer without what differs between any two requests."""
    return re.sub(r'name="csrf_token" value="[^"]*"', "", answer.text)


def told(answer: Any) -> tuple[int, dict[str, str], str]:
    """All that the answer tells: its headers as well, but for the request's id, and the session's cookie and token."""
    headers = {name.lower(): value for name, value in answer.headers.items()}
    for name in ("set-cookie", "content-length", "x-request-id", "x-amzn-requestid"):
        headers.pop(name, None)
    return answer.status_code, headers, bare(answer)


def test_every_route_is_in_the_table_and_every_row_is_a_route(app):
    listed = {*TABLE["html"]["routes"], *TABLE["api"]["routes"]}
    assert set(routes(app)) == listed


def test_no_route_under_api_is_listed_as_a_page_and_no_page_as_api():
    assert all("/api/" not in route for route in TABLE["html"]["routes"])
    assert all(" /api/" in route for route in TABLE["api"]["routes"])


@pytest.mark.parametrize(("database", "route", "expected"), list(in_turns(rows())), indirect=["database"])
def test_the_route_lets_in_whom_the_table_says(app, cast, route, expected):
    method, pattern = route.split(" ", 1)
    found, leaks = {}, []
    for name, cell in expected.items():
        if cell == "-":
            found[name] = "-"
            continue
        principal = Principal(app, cast, name, api=pattern.startswith("/api/"))
        targets = Targets(app, cast, principal.client, principal.member)
        answer = principal.send(route, method, targets.path(pattern))
        found[name] = "422" if cell == "422" == str(answer.status_code) else cell_of(answer)
        if "<" in pattern and found[name] in {"403", "404"} and name in {"outsider", "elsewhere", "anonymous"}:
            missing = principal.send(route, method, nowhere(pattern))
            if told(answer) != told(missing):
                leaks.append(name)
        answer.close()
    assert found == expected
    assert not leaks, f"{leaks} can tell what exists from what does not"


@pytest.mark.parametrize(
    ("database", "family"), list(in_turns((family, (family,)) for family in ("html", "api"))), indirect=["database"]
)
def test_who_may_not_know_cannot_tell_that_from_what_does_not_exist(app, cast, family):
    """Promise 12, for every principal whose cell says 404."""
    names = TABLE[family]["principals"].split()
    for route, cells in TABLE[family]["routes"].items():
        method, pattern = route.split(" ", 1)
        for name, cell in zip(names, cells.split(), strict=True):
            if cell != "404":
                continue
            principal = Principal(app, cast, name, api=family == "api")
            targets = Targets(app, cast, principal.client, principal.member)
            there = principal.send(route, method, targets.path(pattern))
            missing = principal.send(route, method, nowhere(pattern))
            assert told(there) == told(missing), (route, name)


@pytest.fixture
def ended(app: Flask, cast: Cast) -> dict[str, dict[str, str]]:
    """Headers that once let somebody in: tokens that are over, and the session of somebody who was shown the door."""
    browser = app.test_client()
    with app.app_context(), write_session() as session:
        made = {
            name: tokens.create_service(session=session, actor=OPERATOR, name=name, scopes=SERVICES)
            for name in ("revoked", "expired")
        }
        mallory = people.create(
            session=session, actor=OPERATOR, email="mallory@example.com", role=SiteRole.ADMIN, password=PASSWORD,
            must_change_password=False,
        )  # fmt: skip
        made["disabled"] = tokens.create_personal(
            session=session, actor=OPERATOR, person_id=mallory.id, name="laptop", scopes=list(Scope)
        )
    assert browser.post("/login", data={"email": "mallory@example.com", "password": PASSWORD}).status_code == 303
    cookie = browser.get_cookie("reviewqueue")
    assert cookie is not None
    with app.app_context(), write_session() as session:
        tokens.revoke(session=session, actor=OPERATOR, token_id=made["revoked"].id)
        session.execute(update(Token).where(Token.id == made["expired"].id).values(expires_at=clock(-1)))
        people.disable(session=session, actor=OPERATOR, person_id=mallory.id)
    bearers = {name: {"Authorization": f"Bearer {token.secret}"} for name, token in made.items()}
    return {**bearers, "session": {"Cookie": f"reviewqueue={cookie.value}"}}


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)  # what ends them is tried on both, one by one
def test_whoever_was_let_in_once_is_nobody_after(app, cast, ended):
    """On every route: a revoked and an expired token, and token and session of a person who was disabled."""
    for family in ("html", "api"):
        names = TABLE[family]["principals"].split()
        for route, cells in TABLE[family]["routes"].items():
            method, pattern = route.split(" ", 1)
            nobodys = cells.split()[names.index("anonymous")]
            for name, headers in ended.items():
                if (family == "html") is (name == "session"):
                    answer = app.test_client().open(nowhere(pattern), method=method, headers=headers)
                    found = cell_of(answer)
                    assert found == nobodys or (nobodys == "yes" and found == "404"), (route, name)
                    answer.close()


def test_the_table_has_the_cast(cast):
    assert {getattr(cast, key).name for key in PEOPLE.values()} == {"Olga", "Alice", "Bob", "Anna", "Otto", "Ada"}
