"""A backup of the running product, taken while everybody works; and what is left of one that is killed. Promise 16."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import Engine, create_engine
from sqlalchemy.pool import NullPool

from reviewqueue import config
from reviewqueue.backup import manifest
from reviewqueue.errors import Invalid
from tests.backup.conftest import add_media
from tests.fixtures import processes
from tests.fixtures.people import Cast
from tests.fixtures.processes import until
from tests.promises.clients import Clients
from tests.promises.history import OK, UNKNOWN, Call, History, faults
from tests.promises.product import Product
from tests.promises.stored import read

pytestmark = [pytest.mark.timeout(240), pytest.mark.parametrize("database", ["sqlite"], indirect=True)]


def run(product: Product, *words: str, code: int = 0, **environ: str) -> subprocess.CompletedProcess[str]:
    own = {**product.environ, **environ}
    done = subprocess.run(product.command(*words), env=own, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done


def calls_of(history: History) -> list[Call]:
    with history.lock:
        return [replace(call) for call in history.calls]


def known_then(before: list[Call], history: History) -> History:
    """What clients know of a system that went back to a moment: what they were told before; of the rest nothing."""
    calls = [*before, *calls_of(history)[len(before) :]]
    told = {call.number for call in before if call.ended == OK}
    return History([call if call.number in told else replace(call, ended=UNKNOWN) for call in calls])


def test_what_was_acknowledged_before_a_backup_is_in_it_and_work_goes_on_with_an_empty_valkey(
    product: Product, cast: Cast, tmp_path: Path
) -> None:
    clients = Clients(product.url, cast.submitter, [cast.alice, cast.carol])
    clients.start()
    try:
        until(lambda: clients.history.acknowledged("decide") > 8, seconds=60, what="some decisions")
        before = calls_of(clients.history)
        said = run(product, "backup", str(tmp_path / "backup")).stdout
        during = calls_of(clients.history)
    finally:
        clients.stop()
    assert len(during) > len(before), "nobody worked meanwhile: this proved nothing"
    late = clients.submit("late")
    product.stop(signal.SIGKILL)
    _know_all_files(product.directory)

    again = tmp_path / "again"
    done = run(product, "restore", str(tmp_path / "backup"), "--data-dir", str(again), DATABASE_URL="")
    assert "Start it with `reviewqueue up`" in done.stdout, said
    url = f"sqlite:///{again / 'reviewqueue.db'}"
    restored = Product(replace(product.settings, database_url=url), again)
    engine = create_engine(url, poolclass=NullPool)
    restored.start()
    try:
        _until_done(restored, engine)
        # All that was told before the backup began, and nothing halfway of what came while it was taken.
        assert faults(known_then(before, clients.history), read(engine)) == []
        assert all(check["ok"] for check in json.loads(run(restored, "doctor", "--json").stdout))
        # A key that the backup has gives its item again; one that came later is new, and so is its item.
        more = Clients(restored.url, cast.submitter, [cast.alice])
        first = next(call for call in before if call.act == "submit" and call.ended == OK)
        assert more.submit(first.sent["key"]) == first.told["item"]
        assert more.submit("late") not in {None, late}
        assert more.decide_next(cast.alice)
        _until_done(restored, engine)
        assert "As it was written" in run(restored, "audit", "verify").stdout
    finally:
        restored.stop()
        engine.dispose()


def _until_done(product: Product, engine: Engine) -> None:
    def done() -> bool:
        stored = read(engine)
        return not stored.outbox and not stored.unsealed

    until(done, seconds=40, what=f"an empty outbox and a sealed log ({product.log[-2000:]})")


def _know_all_files(directory: Path) -> None:
    """Whatever the product writes into its data directory is kept by a backup, or passed over for a reason."""
    known = {*manifest.KEYS, *manifest.PASSED_OVER, manifest.CHECKPOINTS, manifest.DATABASE, "media", "exports"}
    assert {path.name for path in directory.iterdir()} - known <= {"up.log"}


def killed_when(command: list[str], environ: dict[str, str], log: Path, reached: Callable[[], bool]) -> None:
    """Run it, and kill it at that moment; it must not have ended before."""
    process = processes.start(command, log, environ=environ)
    try:
        until(lambda: reached() or process.poll() is not None, seconds=60, what="the moment to kill it")
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    assert process.wait(10) == -signal.SIGKILL, log.read_text()


def test_a_killed_backup_looks_like_none_and_after_a_killed_restore_nothing_starts(
    app: Flask, cast: Cast, settings: config.Settings, tmp_path: Path
) -> None:
    add_media(app, cast.queue_id, 400)
    data, backup, again = settings.data_dir, tmp_path / "backup", tmp_path / "again"
    product = Product(settings, data)
    partial = tmp_path / ".backup.partial"

    def some(folder: Path) -> Callable[[], bool]:
        return lambda: len(list(folder.glob("media/*"))) > 20

    killed_when(product.command("backup", str(backup)), product.environ, tmp_path / "log", some(partial))
    assert not backup.exists()
    with pytest.raises(Invalid, match=r"no manifest\.json"):
        manifest.read(partial)
    run(product, "backup", str(backup))
    assert not partial.exists()

    own = {**product.environ, "DATABASE_URL": "", "REVIEWQUEUE_DATA_DIR": str(again)}
    command = product.command("restore", str(backup))
    killed_when(command, own, tmp_path / "log", some(config.restore_place(again)))
    for place in (again, config.restore_place(again)):
        up = ["up", "--port", str(processes.free_port()), "--data-dir", str(place)]
        assert "has not ended" in run(product, *up, code=1, DATABASE_URL="").stderr
    assert not again.exists()
    run(product, "restore", str(backup), DATABASE_URL="", REVIEWQUEUE_DATA_DIR=str(again))
    assert (again / "reviewqueue.db").exists()
