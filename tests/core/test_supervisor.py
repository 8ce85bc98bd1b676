"""What `reviewqueue up` refuses, that it keeps its processes running, and what the doctor sees."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from dataclasses import replace

import pytest

from reviewqueue.core import doctor, supervisor
from reviewqueue.errors import Conflict
from tests.fixtures.processes import until


def test_a_directory_is_held_by_one_at_a_time_and_free_again_after(tmp_path):
    held = supervisor.lock(tmp_path)
    with pytest.raises(Conflict, match=f"already runs on {tmp_path} .process {os.getpid()}"):
        supervisor.lock(tmp_path)
    held.close()
    supervisor.lock(tmp_path).close()


def test_a_taken_port_is_named():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(Conflict, match=f"Port {port} .* --port"):
            supervisor.check_port("127.0.0.1", port)
    supervisor.check_port("127.0.0.1", port)


def test_what_dies_is_started_again_and_all_ends_together(monkeypatch):
    # Only the main thread may set handlers; the test stops the tree itself.
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    tree = supervisor.Supervisor(dict(os.environ))
    for name in ("first", "second"):
        tree.add(name, [sys.executable, "-c", "import time; time.sleep(600)"])
    thread = threading.Thread(target=tree.run, args=(lambda: None,))
    thread.start()
    try:
        until(lambda: all(child.running for child in tree.children))
        second = tree.children[1]
        old = second.process
        old.kill()
        until(lambda: second.running and second.process is not old)
    finally:
        tree.stopping = True
        thread.join(15)
    assert not thread.is_alive()
    assert not any(child.running for child in tree.children)


def test_the_doctor_names_each_fault_and_how_to_mend_it(app, settings, tmp_path):
    (tmp_path / "file").write_text("")
    sick = replace(settings, redis_url=f"unix://{tmp_path}/nothing.sock", data_dir=tmp_path / "file")
    with app.app_context():
        checks = {check.name: check for check in doctor.examine(sick)}
    assert {name for name, check in checks.items() if not check.ok} == {"data directory", "redis", "relay"}
    assert all(check.mend for check in checks.values() if not check.ok)


def test_the_doctor_misses_a_worker_when_redis_answers(app, settings):
    with app.app_context():
        checks = {check.name: check for check in doctor.examine(settings)}
    assert {name for name, check in checks.items() if not check.ok} == {"worker", "relay"}


def test_the_doctor_finds_nothing_wrong_where_all_runs(live, app, settings):
    live.start("relay")
    live.start("worker")

    def faults() -> list[str]:
        return [check.name for check in doctor.examine(settings) if not check.ok]

    with app.app_context():
        until(lambda: faults() == [], seconds=60, what=live.log("worker"))
