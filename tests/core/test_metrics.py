"""Requests are counted by their route's template, over all processes, and no count falls when one dies."""

from __future__ import annotations

import os
import re
import signal
import time
import urllib.request
from pathlib import Path

import psutil
import pytest

from reviewqueue.core import metrics
from tests.fixtures.processes import until


def test_a_place_is_free_again_when_its_process_is_gone():
    assert metrics.free_place([]) == 1
    assert metrics.free_place([1, 2]) == 3
    assert metrics.free_place([1, 3]) == 2


def test_counting_costs_microseconds():
    requests, rounds = metrics.Requests(), 20_000
    requests.note("GET", "/", 200, 0.01)
    began = time.perf_counter()
    for _ in range(rounds):
        requests.note("GET", "/", 200, 0.01)
    assert (time.perf_counter() - began) / rounds < 100e-6


def counted(text: str, route: str) -> float:
    pattern = rf'reviewqueue_http_requests_total{{method="GET",route="{re.escape(route)}",status="200"}} (\S+)'
    return sum(map(float, re.findall(pattern, text)))


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_all_processes_count_together_and_a_dead_ones_count_stays(live, watcher):
    def scraped() -> str:
        with urllib.request.urlopen(urllib.request.Request(f"{live.url}/metrics", headers=watcher), timeout=10) as got:
            return got.read().decode()

    def ask(times: int) -> None:
        for _ in range(times):
            urllib.request.urlopen(f"{live.url}/healthz", timeout=10).close()

    ask(40)
    before = counted(scraped(), "/healthz")
    assert before == 40
    master = psutil.Process(live.running["web"].pid)
    workers = {child.pid for child in master.children()}
    assert len(workers) == 2
    os.kill(min(workers), signal.SIGKILL)
    until(lambda: len({child.pid for child in master.children()} - workers) == 1)
    ask(40)
    assert counted(scraped(), "/healthz") == 80
    files = {path.name for path in Path(live.settings.data_dir, "metrics").rglob("*.db")}
    assert files <= {f"{kind}_{place}.db" for kind in ("counter", "histogram") for place in (1, 2)}
    live.stop("web")
    assert list(Path(live.settings.data_dir, "metrics").rglob("*.db")) == []
