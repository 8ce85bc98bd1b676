"""The README's five minutes, command by command, on a machine of their own."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures import living, processes

README = Path(__file__).resolve().parents[1] / "README.md"
BIN = Path(sys.executable).parent


def blocks() -> list[str]:
    """The shell commands, in order."""
    return re.findall(r"^```sh\n(.*?)^```", README.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[tuple[Path, int]]:
    """An empty directory in which `reviewqueue up` runs, and its port."""
    port = processes.free_port()
    environ = {**os.environ, "REVIEWQUEUE_ARGON2_TIME_COST": "1", "REVIEWQUEUE_ARGON2_MEMORY_KIB": "8"}
    for name in ("DATABASE_URL", "REDIS_URL", "REVIEWQUEUE_DATA_DIR"):
        environ.pop(name, None)
    command = [str(BIN / "reviewqueue"), "up", "--port", str(port), "--web-workers", "1"]
    process = processes.start(command, tmp_path / "up.log", environ=environ, cwd=tmp_path)
    try:
        processes.until(lambda: living.answers(f"http://127.0.0.1:{port}/readyz"), seconds=60, what="reviewqueue up")
        yield tmp_path, port
    finally:
        processes.stop(process, signal.SIGINT, 20)


def shell(text: str, home: tuple[Path, int]) -> str:
    """What `text` prints in the directory of the installation."""
    directory, port = home
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", text.replace("127.0.0.1:8000", f"127.0.0.1:{port}")],
        cwd=directory,
        env={**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def call(port: int, token: str, path: str, body: dict[str, Any]) -> Any:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/api/v1{path}",
        json.dumps(body).encode(),
        {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)


def test_the_five_minutes_of_the_readme_work_as_written(home: tuple[Path, int]) -> None:
    directory, port = home
    configure, people, submit, export, _ = blocks()
    shell(configure, home)
    answer = json.loads(shell(f"{people}\n{submit}", home).splitlines()[-1])
    assert (answer["state"], answer["routing"]["title"]) == ("queued", "Unsure")

    token = shell("reviewqueue tokens create alice --user alice@example.com --scope review", home).strip()
    claim = call(port, token, "/queues/support-intents/claims", {})["claim"]
    call(port, token, f"/claims/{claim['id']}/decision", {"output": {"label": "card_arrival"}})

    shell(export, home)
    python = re.search(r"^```python\n(.*?)^```", README.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert python is not None
    shown = f"{python[1]}\nprint(labels.loc[0, 'resolution']['output']['label'], len(labels))"
    program = directory / "load.py"
    program.write_text(shown, encoding="utf-8")
    assert shell(f"{sys.executable} load.py", home).split() == ["card_arrival", "1"]


def test_the_gated_function_of_the_readme_returns_what_a_person_decided(home: tuple[Path, int]) -> None:
    directory, port = home
    configure, people, _, _, gate = blocks()
    token = shell(f"{configure}\n{people}\n{gate}\necho $TOKEN", home).splitlines()[-1]
    reviewer = shell("reviewqueue tokens create alice --user alice@example.com --scope review", home).strip()
    gated = re.findall(r"^```python\n(.*?)^```", README.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)[1]
    (directory / "gated.py").write_text(f"{gated}\nprint(classify('My card never came'))", encoding="utf-8")
    environ = {**os.environ, "REVIEWQUEUE_URL": f"http://127.0.0.1:{port}", "REVIEWQUEUE_TOKEN": token}
    program = subprocess.Popen(
        [sys.executable, "gated.py"],
        cwd=directory,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    claims: list[Any] = []

    def claimed() -> bool:
        if program.poll() is not None:
            raise AssertionError(program.communicate())
        with contextlib.suppress(json.JSONDecodeError):  # 204: it has not come yet
            claims.append(call(port, reviewer, "/queues/gated-intents/claims", {})["claim"])
        return bool(claims)

    processes.until(claimed, seconds=60, what="the item")
    call(port, reviewer, f"/claims/{claims[0]['id']}/decision", {"output": {"label": "refund", "score": 0.42}})
    shown, errors = program.communicate(timeout=60)
    assert shown.strip() == "{'label': 'refund', 'score': 0.42}", errors
