"""Measure the product against the floor, alternately, on the same machine, database and server.

Prints medians and ratios; writes everything to bench/results. Ratios mean something, seconds do not: compare figures
of one run only.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, text

from bench import desk, servers

LABELS = [f"label_{number:02}" for number in range(77)]
QUEUE = {
    "name": "bench", "title": "Bench", "lease_minutes": 60,
    "input_schema": {"type": "object", "required": ["text"], "properties": {"text": {"type": "string"}}},
    "output_schema": {"type": "object", "required": ["label"], "properties": {"label": {"enum": LABELS}}},
    "routing": {
        "rules": [
            {"when": "risk == 'high'", "action": "review", "priority": 10, "title": "High risk"},
            {"when": "confidence < 0.5", "action": "review", "title": "Unsure"},
        ],
        "otherwise": "auto_approve",
    },
}  # fmt: skip
BODY = {
    "queue": "bench", "input": {"text": "word " * 180}, "output": {"label": LABELS[3]}, "confidence": 0.4,
    "model": "m", "model_version": "1",
}  # fmt: skip
UNREST = (
    "SELECT count(*) FROM outbox WHERE failed_at IS NULL", "SELECT count(*) FROM audit_waiting",
    "SELECT count(*) FROM resolution WHERE position IS NULL",
)  # fmt: skip
"""Rows that the relay and jobs have still to see to."""


class Client:
    """One keep-alive connection."""

    def __init__(self, port: int, headers: dict[str, str]) -> None:
        self._connection = HTTPConnection("127.0.0.1", port, timeout=60)
        self._headers = {"Content-Type": "application/json", **headers}

    def post(self, path: str, body: Any = None, **headers: str) -> tuple[int, bytes]:
        payload = body if isinstance(body, bytes) else json.dumps(body or {}).encode()
        self._connection.request("POST", path, payload, {**self._headers, **headers})
        answer = self._connection.getresponse()
        return answer.status, answer.read()

    def stream(self, path: str, pieces: Any, kind: str) -> tuple[int, bytes]:
        headers = {**self._headers, "Content-Type": kind, "Transfer-Encoding": "chunked"}
        self._connection.request("POST", path, pieces, headers, encode_chunked=True)
        answer = self._connection.getresponse()
        return answer.status, answer.read()

    def length_of(self, path: str) -> int:
        """Reads a file to its end; returns how long it was."""
        self._connection.request("GET", path, headers=self._headers)
        answer, length = self._connection.getresponse(), 0
        while piece := answer.read(1 << 20):
            length += len(piece)
        return length

    def get(self, path: str) -> Any:
        self._connection.request("GET", path, headers=self._headers)
        return json.loads(self._connection.getresponse().read())


def together(clients: list[Client], seconds: float, act: Callable[[Client], int]) -> float:
    """All clients at once, for so long; returns operations a second."""
    counts = [0] * len(clients)
    end = time.perf_counter() + seconds

    def loop(place: int) -> None:
        while time.perf_counter() < end:
            counts[place] += act(clients[place])

    started = time.perf_counter()
    threads = [threading.Thread(target=loop, args=(place,)) for place in range(len(clients))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / (time.perf_counter() - started)


def _copied(connection: Any, query: str) -> float:
    started, rows = time.perf_counter(), 0
    wanted = f"COPY (SELECT row_to_json(found) FROM ({query}) found) TO STDOUT"
    with tempfile.TemporaryFile() as file, connection.cursor() as cursor, cursor.copy(wanted) as copy:
        for piece in copy:
            file.write(piece)
            rows += 1
    return rows / (time.perf_counter() - started)


def _into_parquet(connection: Any, query: str) -> float:
    import pyarrow
    from pyarrow import parquet

    started, rows, writer = time.perf_counter(), 0, None
    with tempfile.TemporaryFile() as file, connection.cursor(name="ceiling") as cursor:
        cursor.execute(query)
        names = [column.name for column in cursor.description]
        while found := cursor.fetchmany(5000):
            columns = [[str(cell) if name.endswith("id") else cell for cell in cells]
                       for name, cells in zip(names, zip(*found, strict=True), strict=True)]  # fmt: skip
            batch = pyarrow.table(dict(zip(names, columns, strict=True)))
            writer = writer or parquet.ParquetWriter(file, batch.schema, compression="zstd")
            writer.write_table(batch)
            rows += len(found)
        if writer is not None:
            writer.close()
    connection.rollback()
    return rows / (time.perf_counter() - started)


def _with_queue(environment: dict[str, str]) -> Any:
    """An application whose database has the schema and the queue."""
    from reviewqueue import config
    from reviewqueue.app import create_app
    from reviewqueue.core.access import operator
    from reviewqueue.core.db import write_session
    from reviewqueue.core.migrations import migrate_to_newest
    from reviewqueue.queues.applying import apply

    app = create_app(config.load(environment))
    with app.app_context():
        migrate_to_newest()
        with write_session() as session:
            apply(session=session, actor=operator("bench"), document=QUEUE)
    return app


class Bench:
    """Both sides on one database."""

    def __init__(self, options: argparse.Namespace, base: str | None, folder: Path) -> None:
        self.options = options
        self.results: dict[str, Any] = {}
        self.url = self._database("product", base, folder)
        floor_url = self._database("floor", base, folder)
        self.environment = {
            **os.environ, "REVIEWQUEUE_DATA_DIR": str(folder), "DATABASE_URL": self.url,
            "REDIS_URL": f"unix://{folder}/valkey.sock",
            "FLOOR_DATABASE_URL": floor_url.replace("postgresql://", "postgresql+psycopg://"),
        }  # fmt: skip
        os.environ.update({key: self.environment[key] for key in ("REVIEWQUEUE_DATA_DIR", "DATABASE_URL", "REDIS_URL")})
        self._set_up()
        from bench import floor

        _with_queue({**self.environment, "DATABASE_URL": floor_url})
        floor.metadata.create_all(floor.make_engine(self.environment["FLOOR_DATABASE_URL"]))
        self.product = servers.product(self.environment, options.workers)
        self.floor = servers.floor(self.environment, options.workers)

    @staticmethod
    def _database(name: str, base: str | None, folder: Path) -> str:
        if base is None:
            return f"sqlite:///{folder}/{name}.db"
        engine = create_engine(
            base.replace("postgresql://", "postgresql+psycopg://") + "/postgres", isolation_level="AUTOCOMMIT"
        )
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        return f"{base}/{name}"

    def _set_up(self) -> None:
        """Schema, queue, tokens: through the product's own operations."""
        from reviewqueue.accounts import memberships, people, tokens
        from reviewqueue.core.access import operator
        from reviewqueue.core.db import write_session
        from reviewqueue.models.states import QueueRole

        self.app = _with_queue(self.environment)
        actor = operator("bench")
        with self.app.app_context(), write_session() as session:
            service = tokens.create_service(
                session=session, actor=actor, name="bench", scopes=["items:write", "items:read", "exports"]
            )
            self.service = service.secret
            self.reviewers = []
            self.people = []
            for number in range(self.options.clients):
                email = f"r{number}@example.com"
                person = people.create(
                    session=session, actor=actor, email=email, password="bench-password", must_change_password=False
                )
                memberships.add(session=session, actor=actor, slug="bench", email=email, role=QueueRole.REVIEWER)
                token = tokens.create_personal(
                    session=session, actor=actor, person_id=person.id, name="bench", scopes=["review"]
                )
                self.reviewers.append(token.secret)
                self.people.append(person.id)

    def close(self) -> None:
        self.product.stop()
        self.floor.stop()

    # -- pairs --------------------------------------------------------------------------------------------------------

    def pair(self, name: str, product: Callable[[], float], floor: Callable[[], float]) -> None:
        """Alternate the two sides; keep medians of rates, processor time and their ratio."""
        rates: dict[str, list[float]] = {"product": [], "floor": []}
        costs: dict[str, list[float]] = {"product": [], "floor": []}
        for _ in range(self.options.rounds):
            for side, run, server in (("floor", floor, self.floor), ("product", product, self.product)):
                before = server.cpu_seconds()
                started = time.perf_counter()
                rate = run()
                done = rate * (time.perf_counter() - started)
                rates[side].append(rate)
                costs[side].append(1000 * (server.cpu_seconds() - before) / max(1, done))
        ratio = statistics.median(p / f for p, f in zip(rates["product"], rates["floor"], strict=True))
        self.results[name] = {
            "product_per_second": statistics.median(rates["product"]), "floor_per_second": statistics.median(rates["floor"]),
            "ratio": ratio, "product_cpu_ms": statistics.median(costs["product"]),
            "floor_cpu_ms": statistics.median(costs["floor"]), "product_memory_mib": self.product.memory_mib(),
        }  # fmt: skip
        row = self.results[name]
        print(f"  {name:22} {row['product_per_second']:8.0f}/s  floor {row['floor_per_second']:8.0f}/s  ratio {ratio:.2f}"
              f"  server {row['product_cpu_ms']:.2f} ms against {row['floor_cpu_ms']:.2f} ms")  # fmt: skip

    def clients(self, server: servers.Server, headers: list[dict[str, str]]) -> list[Client]:
        assert server.port is not None
        return [Client(server.port, header) for header in headers]

    def _bearers(self, secrets: list[str]) -> list[dict[str, str]]:
        return [{"Authorization": f"Bearer {secret}"} for secret in secrets]

    # -- what is measured ---------------------------------------------------------------------------------------------

    def ingest(self) -> None:
        number = self.options.clients
        payload = json.dumps(BODY).encode()
        ours = self.clients(self.product, self._bearers([self.service]) * number)
        theirs = self.clients(self.floor, [{}] * number)
        keys = iter(range(10**9))
        run = os.urandom(4).hex()

        def submit(client: Client) -> int:
            status, answer = client.post("/api/v1/items", payload, **{"Idempotency-Key": f"{run}-{next(keys)}"})
            assert status == 201, answer
            return 1

        def floor(client: Client) -> int:
            assert client.post("/items", payload)[0] == 201
            return 1

        seconds = self.options.seconds
        self.pair("ingest", lambda: together(ours, seconds, submit), lambda: together(theirs, seconds, floor))

    def claim_decide(self) -> None:
        verdict = json.dumps({"verdict": "approve"}).encode()

        def decide(client: Client) -> int:
            status, answer = client.post("/api/v1/claims")
            assert status == 201, (status, answer)
            claim = json.loads(answer)["claim"]["id"]
            status, answer = client.post(f"/api/v1/claims/{claim}/decision", verdict)
            assert status == 200, answer
            return 1

        held: dict[Client, str] = {}

        def decide_next(client: Client) -> int:
            if client not in held:
                held[client] = json.loads(client.post("/api/v1/claims")[1])["claim"]["id"]
            status, answer = client.post(
                f"/api/v1/claims/{held[client]}/decision", {"verdict": "approve", "next": True}
            )
            assert status == 200, answer
            held[client] = json.loads(answer)["next"]["claim"]["id"]
            return 1

        def floor(client: Client) -> int:
            status, answer = client.post("/claims")
            assert status == 201, status
            status, _ = client.post(f"/claims/{json.loads(answer)['id']}/decision", {"output": {"label": "a"}})
            assert status == 200
            return 1

        seconds = self.options.seconds
        # Statistics as of a system that has been in use: of an empty table the planner knows nothing.
        self.fill(5_000, resolved=True)
        ours, theirs = self._filled(20_000)
        self.pair("claim + decide", lambda: together(ours, seconds, decide), lambda: together(theirs, seconds, floor))
        ours, theirs = self._filled(20_000)
        self.pair("decide with next", lambda: together(ours, seconds, decide_next),
                  lambda: together(theirs, seconds, floor))  # fmt: skip
        for client, claim in held.items():
            client.post(f"/api/v1/claims/{claim}/release")

    def _filled(self, count: int) -> tuple[list[Client], list[Client]]:
        """Clients of both sides, on which so much waits. Made after: the servers close those that are idle so long."""
        self.fill(count)
        Client(self.floor.port or 0, {}).post(f"/fill/{count}", json.dumps(BODY["input"]).encode())
        people = [{"X-Person": f"r{n}"} for n in range(self.options.clients)]
        return self.clients(self.product, self._bearers(self.reviewers)), self.clients(self.floor, people)

    def depth(self) -> None:
        """p50 of a claim with 1,000 and 100,000 waiting, and behind 100,000 that this reviewer may not take."""
        medians: dict[str, float] = {}
        for _ in range(self.options.rounds):
            for name, free, barred in (
                ("1k", 1_000, 0),
                ("100k", 100_000, 0),
                ("1k behind 100k barred", 1_000, 100_000),
            ):
                self.fill(free, barred)
                # Anew: the server has closed one that was idle for as long as the filling took.
                reviewer = self.clients(self.product, self._bearers(self.reviewers[:1]))[0]
                medians.setdefault(name, 1e9)
                medians[name] = min(medians[name], self._claim_p50(reviewer))
        ratio, barred_ratio = medians["100k"] / medians["1k"], medians["1k behind 100k barred"] / medians["1k"]
        self.results["claim at depth"] = {
            "p50_ms": {name: 1000 * value for name, value in medians.items()}, "ratio_100k": ratio,
            "ratio_barred": barred_ratio,
        }  # fmt: skip
        print(
            "  claim p50              " + ", ".join(f"{name} {1000 * value:.2f} ms" for name, value in medians.items())
        )
        print(f"  claim at depth         100k / 1k {ratio:.2f}, behind 100k barred {barred_ratio:.2f}")

    def _claim_p50(self, reviewer: Client) -> float:
        times = []
        for _ in range(200):
            started = time.perf_counter()
            status, answer = reviewer.post("/api/v1/queues/bench/claims")
            times.append(time.perf_counter() - started)
            assert status == 201, answer
            reviewer.post(f"/api/v1/claims/{json.loads(answer)['claim']['id']}/release")
        return statistics.median(times)

    def batch(self) -> None:
        """1,000 items a request, one client: the product against a COPY of the same rows into the same tables."""
        [ours] = self.clients(self.product, self._bearers([self.service]))
        [theirs] = self.clients(self.floor, [{}])
        payload = json.dumps({"items": [BODY] * 1000}).encode()

        def submit(client: Client) -> int:
            status, answer = client.post("/api/v1/items/batch", payload)
            assert status == 200, answer[:500]
            return 1000

        def floor(client: Client) -> int:
            assert client.post("/items/batch", payload)[0] == 200
            return 1000

        seconds = self.options.seconds
        self.pair(
            "batch of 1,000", lambda: together([ours], seconds, submit), lambda: together([theirs], seconds, floor)
        )

    def imports(self) -> None:
        """A stream of items over REST, stored by jobs; and what it needs of memory."""
        background = servers.background(self.environment, self.options.workers)
        try:
            memory = []
            for lines in (10_000, self.options.import_lines):
                with servers.watching([self.product, *background]) as peak:
                    self._import(lines)
                memory.append(peak.mib)
            # To watch takes a tenth of the processors that the import is to have.
            rates = []
            for _ in range(self.options.rounds):
                self._rest()
                rates.append(self._import(self.options.import_lines))
        finally:
            for server in reversed(background):
                server.stop()
        rate, (small, large) = statistics.median(rates), memory
        self.results["import"] = {"lines": self.options.import_lines, "per_second": rates, "memory_mib": memory}
        print(f"  import {self.options.import_lines:>15,} {rate:8.0f}/s stored ({min(rates):.0f} to {max(rates):.0f}), "
              f"{self.options.workers} workers; memory of web and workers {small:.0f} MiB in 10,000, "
              f"{large:.0f} MiB at most")  # fmt: skip

    def _import(self, lines: int) -> float:
        """How many lines were stored a second, from the first byte sent."""
        [client] = self.clients(self.product, self._bearers([self.service]))
        run = os.urandom(4).hex()

        # Written once: the client is to cost nothing.
        before, after = json.dumps({**BODY, "external_id": f"{run}-\0"}).split("\\u0000")

        def stream() -> Any:
            for start in range(0, lines, 500):
                some = range(start, min(lines, start + 500))
                yield "".join(f"{before}{number}{after}\n" for number in some).encode()

        started = time.perf_counter()
        status, answer = client.stream("/api/v1/imports", stream(), "application/x-ndjson")
        assert status == 202, answer
        import_id = json.loads(answer)["id"]
        while (found := client.get(f"/api/v1/imports/{import_id}"))["state"] != "done":
            assert found["state"] in {"running", "receiving"}, found
            time.sleep(0.1)
        took = time.perf_counter() - started
        assert found["stored"] == lines, found
        return lines / took

    def export(self) -> None:
        """By jobs and over HTTP, against what the database and pyarrow can do at most; and the memory of a shard."""
        rows = self.options.export_rows
        self.fill(rows, resolved=True)
        found: dict[str, Any] = {"rows": rows, "ceilings": self._ceilings()}
        parts = servers.background(self.environment, self.options.workers)
        try:
            self._rest()
            for kind in ("jsonl", "parquet"):
                found[kind] = self._export(kind, parts)
        finally:
            for part in reversed(parts):
                part.stop()
        self.results["export"] = found
        copy, arrow = found["ceilings"]["copy"], found["ceilings"]["parquet"]
        for kind, ceiling in (("jsonl", copy), ("parquet", arrow)):
            made = found[kind]
            ratio = f", {made['rows_per_second'] / ceiling:.2f} x the ceiling of {ceiling:,.0f}" if ceiling else ""
            print(f"  export {kind:8} {made['rows']:,} rows in {made['seconds']:.1f} s: {made['rows_per_second']:,.0f} rows/s"
                  f"{ratio}; downloaded at {made['download_rows_per_second']:,.0f} rows/s; jobs had"
                  f" {made['memory_mib']:.0f} MiB at most")  # fmt: skip

    def _rest(self) -> None:
        """Until the relay leads and has numbered what `fill` has resolved, and jobs have done what was left to do."""
        from reviewqueue.core.db import db

        with (
            self.app.app_context(),
            db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection,
        ):
            end = time.monotonic() + 600
            while any(connection.execute(text(left)).scalar_one() for left in UNREST):
                assert time.monotonic() < end, "the relay and the jobs do not come to rest"
                time.sleep(0.5)

    def _export(self, kind: str, parts: list[servers.Server]) -> dict[str, Any]:
        [service] = self.clients(self.product, self._bearers([self.service]))
        started, most, looked_at = time.perf_counter(), 0.0, 0.0
        status, answer = service.post("/api/v1/exports", {"queue": "bench", "format": kind})
        assert status == 202, answer
        export = json.loads(answer)
        while export["state"] in {"pending", "running"}:
            time.sleep(0.1)
            # To look takes 15 ms of the processors that the export is to have.
            if time.perf_counter() - looked_at > 0.5:
                most, looked_at = max(most, *(part.memory_mib() for part in parts)), time.perf_counter()
            export = service.get(f"/api/v1/exports/{export['id']}")
        seconds = time.perf_counter() - started
        assert export["state"] == "ready", export
        written = sum(file["rows"] for file in export["files"] if file["rows"])
        started, length = time.perf_counter(), 0
        for file in export["files"]:
            length += service.length_of(f"/api/v1/exports/{export['id']}/files/{file['name']}")
        downloading = time.perf_counter() - started
        assert length == sum(file["bytes"] for file in export["files"])
        return {
            "rows": written, "seconds": seconds, "rows_per_second": written / seconds, "memory_mib": most,
            "download_rows_per_second": written / downloading,
        }  # fmt: skip

    def _ceilings(self) -> dict[str, float | None]:
        """Rows a second of one process: COPY of rows as JSON straight to a file, and a server-side cursor into Parquet."""
        from reviewqueue.core.db import db

        query = (
            "SELECT i.id, i.external_id, i.config_version, i.model, i.model_version, i.input, i.output, i.confidence,"
            " i.risk, r.verdict, r.output AS final_output, r.by, r.revision, r.created_at AS resolved_at, i.rule,"
            " i.audit_sample, i.probability, i.metadata, i.created_at FROM item i JOIN resolution r ON r.item_id = i.id"
        )
        with self.app.app_context():
            if db.engine.dialect.name != "postgresql":
                return {"copy": None, "parquet": None}
            connection = db.engine.raw_connection()
            try:
                return {"copy": _copied(connection, query), "parquet": _into_parquet(connection, query)}
            finally:
                connection.close()

    def desk(self) -> None:
        desk.measure(self, waiting=self.options.waiting, decisions=self.options.decisions)

    # -- seeding ------------------------------------------------------------------------------------------------------

    def fill(self, free: int, barred: int = 0, *, resolved: bool = False) -> None:
        """Replace what waits: `free` tasks for anybody, and before them `barred` that reviewer 0 may not take."""
        from sqlalchemy import delete, insert, select, update

        from reviewqueue.core.db import clock, db, write_session
        from reviewqueue.core.ids import new_id
        from reviewqueue.models import Decision, Item, Queue, Resolution, Task
        from reviewqueue.models.lanes import lane_of
        from reviewqueue.models.states import Audience

        person = self.people[0]
        lane = lane_of(audience=Audience.REVIEWER, assignee=None, excluded=[person])
        with self.app.app_context():
            with write_session() as session:
                session.execute(update(Task).values(state="cancelled", holder=None, lease_until=None))
                session.execute(delete(Task).where(~select(Decision.id).where(Decision.task_id == Task.id).exists()))
                queue_id = session.scalar(select(Queue.id))
            for start in range(0, free + barred, 5000):
                size = min(5000, free + barred - start)
                ids = [(new_id(), new_id(), start + place < barred) for place in range(size)]
                with write_session() as session:
                    session.execute(insert(Item.__table__).values(created_at=clock(), due_at=clock(3600)), [
                        self._item(item_id, queue_id, resolved) for item_id, _, _ in ids
                    ])  # fmt: skip
                    state = "done" if resolved else "open"
                    session.execute(
                        insert(Task.__table__).values(due=clock(3600), available_at=clock(-1), created_at=clock()), [
                        {"id": task_id, "item_id": item_id, "queue_id": queue_id, "config_version": 1, "round": 1,
                         "kind": "review", "state": state, "audience": "reviewer", "priority": 5 if is_barred else 0,
                         "excluded": json.dumps([person]) if is_barred else "[]", "lane": lane if is_barred else "",
                         "fence": 1 if resolved else 0}
                        for item_id, task_id, is_barred in ids
                    ])  # fmt: skip
                    if resolved:
                        self._resolve(session, Decision, Resolution, clock, insert, queue_id, ids)
            with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                if db.engine.dialect.name == "postgresql":
                    connection.execute(text("VACUUM ANALYZE"))

    def _item(self, item_id: str, queue_id: str | None, resolved: bool) -> dict[str, Any]:
        return {
            "id": item_id, "queue_id": queue_id, "config_version": 1, "state": "resolved" if resolved else "queued",
            "revision": 1 if resolved else 0, "round": 1, "body_sha256": "0" * 64, "input": json.dumps(BODY["input"]),
            "output": json.dumps(BODY["output"]), "confidence": 0.4, "risk": "low", "model": "m", "model_version": "1",
            "metadata": "{}", "test": False, "rule": 2, "rule_title": "Unsure", "action": "review", "priority": 0,
            "audit_sample": False, "probability": 1.0, "submitted_by": "service:bench",
        }  # fmt: skip

    def _resolve(
        self, session: Any, decision: Any, resolution: Any, clock: Any, insert: Any, queue_id: Any, ids: Any
    ) -> None:
        from reviewqueue.core.ids import new_id

        decided = [(new_id(), item_id, task_id) for item_id, task_id, _ in ids]
        output = json.dumps({"label": LABELS[7]})
        session.execute(
            insert(decision.__table__).values(decided_at=clock(), releases_at=clock()), [
            {"id": decision_id, "task_id": task_id, "item_id": item_id, "queue_id": queue_id, "round": 1,
             "person_id": self.people[place % len(self.people)], "fence": 1, "config_version": 1, "verdict": "override", "output": output,
             "shown": "{}", "via": "api", "late": False, "spent_seconds": 3.5}
            for place, (decision_id, item_id, task_id) in enumerate(decided)
        ])  # fmt: skip
        session.execute(
            insert(resolution.__table__).values(created_at=clock()), [
            {"id": new_id(), "item_id": item_id, "queue_id": queue_id, "revision": 1, "by": "people",
             "verdict": "override", "output": output, "decision_id": decision_id}
            for decision_id, item_id, _ in decided
        ])  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--database", choices=["postgresql", "sqlite", "both"], default="both")
    parser.add_argument("--only", help="comma-separated: ingest, batch, import, decide, depth, export, desk")
    parser.add_argument("--seconds", type=float, default=5, help="of one side in one round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--workers", type=int, default=2, help="web processes of either side, and workers of an export")
    parser.add_argument("--import-lines", type=int, default=100_000)
    parser.add_argument("--export-rows", type=int, default=100_000)
    parser.add_argument("--waiting", type=int, default=1_000_000, help="items that wait while the desk is measured")
    parser.add_argument("--decisions", type=int, default=300, help="of the desk")
    options = parser.parse_args()
    wanted = options.only.split(",") if options.only else ["ingest", "batch", "import", "decide", "depth", "export"]
    everything = {}
    for database in ["postgresql", "sqlite"] if options.database == "both" else [options.database]:
        print(f"{database}: {options.rounds} rounds of {options.seconds:g} s a side, {options.clients} clients")
        everything[database] = measure(database, options, wanted)
    folder = Path(__file__).parent / "results"
    folder.mkdir(exist_ok=True)
    path = folder / f"{time.strftime('%Y%m%d-%H%M%S')}.json"
    path.write_text(json.dumps(everything, indent=2) + "\n")
    print(f"Written to {path.relative_to(Path(__file__).parent.parent)}", file=sys.stderr)


def measure(database: str, options: argparse.Namespace, wanted: list[str]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        if database == "sqlite":
            return _measure(options, None, Path(folder), wanted)
        with servers.postgresql() as base:
            return _measure(options, base, Path(folder), wanted)


def _measure(options: argparse.Namespace, base: str | None, folder: Path, wanted: list[str]) -> dict[str, Any]:
    bench = Bench(options, base, folder)
    actions = {"ingest": bench.ingest, "decide": bench.claim_decide, "depth": bench.depth, "export": bench.export,
               "batch": bench.batch, "import": bench.imports, "desk": bench.desk}  # fmt: skip
    try:
        for name in wanted:
            actions[name]()
    finally:
        bench.close()
    return bench.results


if __name__ == "__main__":
    main()
