"""A PostgreSQL server goes back to a moment: base backup, archive of its WAL, and what the log says then."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner

from reviewqueue import config
from reviewqueue.app import create_app
from reviewqueue.audit import commands
from tests.audit.conftest import Keeper
from tests.fixtures import installation, postgres, processes
from tests.fixtures.processes import until
from tests.promises.product import Product

SCRIPT = Path(__file__).parents[2] / "deploy" / "postgresql" / "pitr.sh"


@pytest.fixture
def server() -> Iterator[postgres.Server]:
    """One that archives its WAL, as the script's head says."""
    try:
        found = postgres.Server(
            options={
                "wal_level": "replica", "archive_mode": "on", "shared_buffers": "16MB",
                "archive_command": "test -x {directory}/pitr.sh && {directory}/pitr.sh archive %p %f {directory}/wal",
            }
        )  # fmt: skip
    except postgres.NoPostgres as error:
        pytest.skip(f"POSTGRESQL TESTS SKIPPED: {error}")
    yield found
    found.stop()


def script(server: postgres.Server, *words: Any, code: int = 0) -> str:
    """As the server's own user, with its programs."""
    own = {"PATH": f"{server.bin}:{os.environ['PATH']}", "PGHOST": str(server.directory), "PGUSER": "postgres"}
    library = {name: value for name, value in os.environ.items() if name.startswith("LD_")}
    done = subprocess.run(
        [str(server.directory / "pitr.sh"), *map(str, words)], env={**own, **library}, user=server.user,
        cwd=server.directory, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def ask(server: postgres.Server, question: str) -> Any:
    with psycopg.connect(server.dsn("postgres"), autocommit=True) as connection:
        return connection.execute(question.encode()).fetchone()[0]  # type: ignore[index]


@pytest.mark.timeout(240)
@pytest.mark.parametrize("whole", [False, pytest.param(True, marks=pytest.mark.soak)])
def test_a_server_goes_back_to_a_moment_and_the_log_verifies_and_says_so(server: postgres.Server, whole: bool) -> None:
    """`whole`: the product is started on it, and the doctor asked."""
    shutil.copy(SCRIPT, server.directory / "pitr.sh")
    (server.directory / "wal").mkdir()
    if server.user:
        shutil.chown(server.directory / "wal", server.user)
    postgres.run(server.directory, "CREATE DATABASE reviews")
    directory = Path(tempfile.mkdtemp(prefix="rq-up-"))
    settings = config.load(installation.environment(directory, database_url=server.url("reviews")))
    installation.migrate(settings)
    app, keeper = create_app(settings), Keeper()
    with app.app_context():
        keeper.record(3)
        keeper.seal()
        keeper.sign()
        script(server, "base", server.directory / "base")
        keeper.record(4)
        keeper.seal()
        keeper.sign()
        moment = ask(server, "SELECT clock_timestamp()::text")
        keeper.record(5)
        keeper.seal()
        keeper.sign()
        last = ask(server, "SELECT pg_walfile_name(pg_switch_wal())")
        until((server.directory / "wal" / last).exists, seconds=30, what="the archive")
        installation.dispose()
    # The machine is gone, with all that was not archived.
    processes.stop(server.process, signal.SIGKILL)
    recover = "recover", server.directory / "base", server.directory / "wal", moment
    assert "is not empty" in script(server, *recover, server.data, code=1)
    server.data = server.directory / "again"
    assert "audit restored" in script(server, *recover, server.data)
    server.process = server._start()
    until(lambda: not ask(server, "SELECT pg_is_in_recovery()"), seconds=30, what="the end of recovery")
    with app.app_context():
        checker = keeper.checker()
        assert [(fault.kind, fault.sequence) for fault in checker.faults] == [("truncated", 7)]
        assert checker.last_checkpoint is not None
        assert checker.last_checkpoint["size"] == 7
        answer = CliRunner().invoke(commands.audit, ["restored", "--reason", "Back to before the mistake"])
        assert answer.exit_code == 0, answer.output
        installation.dispose()
    if whole:
        _require_healthy(Product(settings, directory))
    with app.app_context():
        verified = CliRunner().invoke(commands.audit, ["verify"])
        assert (verified.exit_code, "NOTE At 20" in verified.stdout) == (0, True), verified.output
        lost = directory / "audit_checkpoints_lost.jsonl"
        told = CliRunner().invoke(commands.audit, ["verify", "--checkpoints", str(lost)])
        assert (told.exit_code, "FAULT restored: At 20" in told.stderr) == (1, True), told.output
        installation.dispose()
    shutil.rmtree(directory)


def _require_healthy(product: Product) -> None:
    try:
        product.start()
        command = product.command("doctor", "--json")
        doctor = subprocess.run(command, env=product.environ, capture_output=True, text=True, check=False, timeout=60)
        assert all(check["ok"] for check in json.loads(doctor.stdout)), doctor.stdout
    finally:
        product.stop()


def test_the_archive_never_changes_what_it_has(tmp_path: Path) -> None:
    (tmp_path / "wal").mkdir()
    (tmp_path / "one").write_text("first")

    def keep() -> int:
        return subprocess.run(
            [str(SCRIPT), "archive", str(tmp_path / "one"), "0001", str(tmp_path / "wal")],
            capture_output=True,
            check=False,
        ).returncode

    assert (keep(), keep()) == (0, 0), "PostgreSQL asks again after a crash"
    (tmp_path / "one").write_text("other")
    assert keep() == 1
    assert (tmp_path / "wal" / "0001").read_text() == "first"
    assert [path.name for path in (tmp_path / "wal").iterdir()] == ["0001"]
    assert subprocess.run([str(SCRIPT)], capture_output=True, check=False).returncode == 2
