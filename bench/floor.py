"""The floor: a minimal Flask application doing only the durable writes of the product, on the same server.

No authentication, validation, routing or idempotency. A submission is the product's rows in the product's own tables,
with their indexes, constraints and triggers: item, task, outbox, audit event and its content. A claim and a decision
have tables of the floor's own: a guarded claim; a decision with its resolution and event. What it does in a second is
what the product is measured by.
"""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from flask import Flask, Response, request
from sqlalchemy import (
    Column,
    DateTime,
    Engine,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    Uuid,
    create_engine,
    event,
    insert,
    select,
    text,
    update,
)  # fmt: skip
from sqlalchemy.orm import Session

from reviewqueue.core.db import clock
from reviewqueue.core.ids import new_id
from reviewqueue.core.server import WebServer
from reviewqueue.models import AuditContent, AuditEvent, Item, OutboxRow, Queue, Task
from reviewqueue.models.base import table

metadata = MetaData()
item = Table(
    "floor_item", metadata, Column("id", Uuid(as_uuid=False), primary_key=True), Column("queue", String(63)),
    Column("input", Text), Column("output", Text), Column("confidence", Float), Column("state", String(24)),
    Column("created_at", DateTime(timezone=True)),
)  # fmt: skip
task = Table(
    "floor_task", metadata, Column("id", Uuid(as_uuid=False), primary_key=True), Column("item_id", Uuid(as_uuid=False)),
    Column("state", String(24)), Column("priority", Integer), Column("due", DateTime(timezone=True)),
    Column("holder", String(40)), Column("fence", Integer), Column("lease_until", DateTime(timezone=True)),
    Index(
        "ix_floor_task_open", text("priority DESC"), "due", "id",
        postgresql_where=text("state = 'open'"), sqlite_where=text("state = 'open'"),
    ),
)  # fmt: skip
decision = Table(
    "floor_decision", metadata, Column("id", Uuid(as_uuid=False), primary_key=True),
    Column("task_id", Uuid(as_uuid=False)), Column("output", Text), Column("at", DateTime(timezone=True)),
)  # fmt: skip
event_log = Table(
    "floor_event", metadata, Column("id", Uuid(as_uuid=False), primary_key=True), Column("action", String(60)),
    Column("item_id", Uuid(as_uuid=False)), Column("facts", Text), Column("at", DateTime(timezone=True)),
)  # fmt: skip


def make_engine(url: str) -> Engine:
    if not url.startswith("sqlite"):
        return create_engine(url, pool_size=8)
    engine = create_engine(url, connect_args={"check_same_thread": False, "timeout": 30}, pool_size=8, max_overflow=40)

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: object) -> None:
        connection.isolation_level = None
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=30000", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def copy_rows(session: Session, target: Table, rows: list[dict[str, Any]]) -> None:
    """As any program would: what the product does to be faster must not count for the floor."""
    driver: Any = session.connection().connection.driver_connection
    names = list(rows[0])
    with driver.cursor() as cursor, cursor.copy(f"COPY {target.name} ({', '.join(names)}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row([row[name] for name in names])


def rows_of(queue_id: str, bodies: list[dict[str, Any]]) -> dict[Table, list[dict[str, Any]]]:
    """What submissions store, without having looked at them."""
    now = datetime.now(UTC)
    due = now + timedelta(hours=24)
    ids = [(new_id(), new_id(), new_id()) for _ in bodies]
    return {
        table(Item): [
            {"id": item_id, "queue_id": queue_id, "config_version": 1, "state": "queued", "revision": 0, "round": 1,
             "body_sha256": DIGEST, "input": json.dumps(body["input"]), "output": json.dumps(body["output"]),
             "confidence": body["confidence"], "risk": "low", "model": body["model"],
             "model_version": body["model_version"], "metadata": "{}", "test": False, "rule": 2, "rule_title": "Unsure",
             "action": "review", "priority": 0, "reviews": 1, "audit_sample": False, "probability": 1.0,
             "submitted_by": "service:bench", "created_at": now, "due_at": due}
            for (item_id, _, _), body in zip(ids, bodies, strict=True)
        ],
        table(Task): [
            {"id": task_id, "item_id": item_id, "queue_id": queue_id, "config_version": 1, "round": 1,
             "kind": "review", "state": "open", "audience": "reviewer", "priority": 0, "due": due,
             "available_at": now, "excluded": "[]", "lane": "", "fence": 0, "created_at": now}
            for item_id, task_id, _ in ids
        ],
        table(OutboxRow): [
            {"topic": "item.queued", "rq_queue": "review.bench", "ref": some[0][0],
             "refs": json.dumps([item_id for item_id, _, _ in some]) if len(bodies) > 1 else None, "attempts": 0,
             "created_at": now, "next_at": now}
            for some in (ids[start : start + 500] for start in range(0, len(ids), 500))
        ],
        table(AuditEvent): [
            {"id": event_id, "at": now, "action": "item.submitted", "actor_kind": "service", "actor": "0" * 16,
             "via": "api", "queue_id": queue_id, "item_id": item_id, "facts": FACTS, "content_sha256": DIGEST}
            for item_id, _, event_id in ids
        ],
        table(AuditContent): [
            {"event_id": event_id, "salt": "0" * 32, "payload": f'{{"body_sha256":"{DIGEST}"}}'}
            for _, _, event_id in ids
        ],
    }  # fmt: skip


DIGEST = "0" * 64
FACTS = '{"action":"review","audit_sample":false,"probability":1.0,"rule":2,"state":"queued","version":1}'


def store_batch(engine: Engine, queue_id: str, bodies: list[dict[str, Any]]) -> list[str]:
    """COPY into the tables; executemany on SQLite."""
    rows = rows_of(queue_id, bodies)
    with Session(engine) as session, session.begin():
        for target, values in rows.items():
            if engine.dialect.name == "postgresql":
                copy_rows(session, target, values)
            else:
                session.execute(insert(target), values)
    return [row["id"] for row in rows[table(Item)]]


def make_app(url: str) -> Flask:  # noqa: C901 - a function a route, as in any small application
    app = Flask("floor")
    engine = make_engine(url)
    postgresql = engine.dialect.name == "postgresql"

    def answer(value: Any, status: int = 200) -> Response:
        return Response(json.dumps(value), status=status, mimetype="application/json")

    @cache
    def queue_id() -> str:
        with engine.connect() as connection:
            return connection.execute(select(table(Queue).c.id)).scalar_one()

    @app.get("/healthz")
    def healthz() -> Response:
        return answer({})

    @app.post("/items")
    def submit() -> Response:
        rows = rows_of(queue_id(), [json.loads(request.get_data(cache=False))])
        with engine.begin() as connection:
            for target, [row] in rows.items():
                connection.execute(insert(target), row)
        return answer({"id": rows[table(Item)][0]["id"]}, 201)

    @app.post("/items/batch")
    def submit_batch() -> Response:
        return answer({"ids": store_batch(engine, queue_id(), json.loads(request.get_data(cache=False))["items"])})

    @app.post("/claims")
    def claim() -> Response:
        candidate = (
            select(task.c.id)
            .where(text("state = 'open'"))
            .order_by(task.c.priority.desc(), task.c.due, task.c.id)
            .limit(1)
        )
        if postgresql:
            candidate = candidate.with_for_update(skip_locked=True)
        with engine.begin() as connection:
            row = connection.execute(
                update(task)
                .where(task.c.id == candidate.scalar_subquery(), text("state = 'open'"))
                .values(
                    state="claimed", holder=request.headers["X-Person"], fence=task.c.fence + 1, lease_until=clock(600)
                )
                .returning(task.c.id, task.c.item_id)
            ).one_or_none()
            if row is None:
                return answer(None, 204)
            found = connection.execute(select(item.c.input, item.c.output).where(item.c.id == row.item_id)).one()
            connection.execute(insert(event_log).values(
                id=new_id(), action="task.claimed", item_id=row.item_id, facts="{}", at=clock()
            ))  # fmt: skip
        return answer({"id": row.id, "input": found.input, "output": found.output}, 201)

    @app.post("/claims/<task_id>/decision")
    def decide(task_id: str) -> Response:
        body = json.loads(request.get_data(cache=False))
        with engine.begin() as connection:
            row = connection.execute(
                update(task)
                .where(task.c.id == task_id, task.c.state == "claimed", task.c.holder == request.headers["X-Person"])
                .values(state="done", holder=None, lease_until=None)
                .returning(task.c.item_id)
            ).one_or_none()
            if row is None:
                return answer(None, 409)
            connection.execute(insert(decision).values(
                id=new_id(), task_id=task_id, output=json.dumps(body["output"]), at=clock()
            ))  # fmt: skip
            connection.execute(update(item).where(item.c.id == row.item_id).values(state="resolved"))
            connection.execute(insert(event_log).values(
                id=new_id(), action="task.decided", item_id=row.item_id, facts="{}", at=clock()
            ))  # fmt: skip
        return answer({"id": task_id})

    @app.post("/fill/<int:count>")
    def fill(count: int) -> Response:
        """Make `count` items with an open task each, for claims at depth."""
        content = request.get_data(as_text=True)
        with engine.begin() as connection:
            connection.execute(task.delete())
            for start in range(0, count, 5000):
                ids = [new_id() for _ in range(min(5000, count - start))]
                connection.execute(insert(item).values(created_at=clock()), [
                    {"id": item_id, "queue": "bench", "input": content, "output": "{}", "confidence": 0.1,
                     "state": "queued"}
                    for item_id in ids
                ])  # fmt: skip
                connection.execute(insert(task).values(due=clock(3600)), [
                    {"id": new_id(), "item_id": item_id, "state": "open", "priority": 0, "fence": 0} for item_id in ids
                ])  # fmt: skip
        if postgresql:
            with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.execute(text("VACUUM ANALYZE"))
        return answer({})

    return app


if __name__ == "__main__":
    url = os.environ["FLOOR_DATABASE_URL"]
    WebServer(lambda: make_app(url), bind=f"127.0.0.1:{sys.argv[1]}", workers=int(sys.argv[2]), threads=8).run()
