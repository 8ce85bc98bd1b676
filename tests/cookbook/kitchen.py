"""The product as the index of the cookbook starts it, and the person who sits at the desk."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sys
import urllib.request
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cookbook import pages
from tests.cookbook.terminal import Terminal
from tests.fixtures import living, processes

BIN = Path(sys.executable).parent
NEEDED = ("bash", "curl", "jq")
OURS = ("DATABASE_URL", "REDIS_URL")


def missing() -> list[str]:
    return [name for name in NEEDED if shutil.which(name) is None]


def environment() -> dict[str, str]:
    """The variables of somebody who has never heard of the product."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("REVIEWQUEUE_") and k not in OURS}
    return {**kept, "PATH": f"{BIN}:{kept['PATH']}"}


@dataclass(frozen=True)
class Kitchen:
    """A running product. `environ` is what the index has its reader export."""

    port: int
    environ: dict[str, str]
    reviewer: str
    """A token of Alice's."""

    def call(self, token: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """What the API answers; None when there is nothing."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/api/v1{path}",
            None if body is None else json.dumps(body).encode(),
            {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.loads(answer.read() or b"null")

    def decide(self, queue: str, decisions: Sequence[dict[str, Any]]) -> None:
        """Be Alice: make the decisions as items come, and see them in the feed."""
        for decision in decisions:
            held: list[Any] = []

            def claimed(held: list[Any] = held) -> Any:
                held.append(self.call(self.reviewer, f"/queues/{queue}/claims", {}))
                return held[-1]

            processes.until(claimed, seconds=60, what=f"an item of {queue}")
            piece = held[-1]
            self.call(self.reviewer, f"/claims/{piece['claim']['id']}/decision", decision)

            def told(item: str = piece["item"]["id"]) -> bool:
                feed = self.call(self.environ["REVIEWQUEUE_TOKEN"], f"/queues/{queue}/resolutions?limit=1000")
                return any(entry["item"] == item for entry in feed["resolutions"])

            processes.until(told, what="the decision in the feed")

    def follow(self, page: Path, directory: Path, queue: str, decisions: Sequence[Sequence[dict[str, Any]]]) -> None:
        """Do what `page` says in `directory`, and compare what comes with what it shows."""
        todo = prepared(page, self.port)
        asked = sum(isinstance(step, pages.Desk) for step in todo)
        assert asked == len(decisions), f"{page.name} asks {asked} times for decisions"
        left, person = iter(decisions), Future[None]()
        with ThreadPoolExecutor(1) as desk, closing(Terminal(directory, self.environ)) as terminal:
            for step, after in zip(todo, [*todo[1:], None], strict=True):
                if isinstance(after, pages.Desk) and after.meanwhile:
                    person = desk.submit(self.decide, queue, next(left))
                if isinstance(step, pages.File):
                    (directory / step.name).write_text(step.text, encoding="utf-8")
                elif isinstance(step, pages.Command):
                    try:
                        check(page, step, terminal.run(step.text))
                    except AssertionError:
                        if person.done():
                            person.result()  # what failed at the desk says more
                        raise
                elif step.meanwhile:
                    person.result()
                else:
                    self.decide(queue, next(left))


def prepared(page: Path, port: int) -> list[pages.Step]:
    """The steps of a page, on ports that are free."""
    ports = {"8000": str(port), "5001": str(processes.free_port())}
    text = page.read_text(encoding="utf-8")
    return pages.steps(re.sub(r"\b(8000|5001)\b", lambda found: ports[found[1]], text))


def check(page: Path, step: pages.Command, printed: str) -> None:
    if step.printed is not None:
        language, expected = step.printed
        where = f"{page.name}, line {step.line}"
        assert pages.fits(language, expected, printed), f"{where}, prints\n{printed}\nand not\n{expected}"


@contextmanager
def opened(directory: Path) -> Iterator[Kitchen]:
    """Start the product and make its accounts as the index says: its first block is a terminal of its own."""
    port, environ = processes.free_port(), environment()
    up, *others = (step for step in prepared(pages.INDEX, port) if isinstance(step, pages.Command))
    command = up.text.replace("reviewqueue up", f"exec reviewqueue up --port {port} --web-workers 1")
    cheap = {"REVIEWQUEUE_ARGON2_TIME_COST": "1", "REVIEWQUEUE_ARGON2_MEMORY_KIB": "8"}
    log = directory / "up.log"
    process = processes.start(["bash", "-euc", command], log, environ={**environ, **cheap}, cwd=directory)
    try:
        ready = f"http://127.0.0.1:{port}/readyz"
        processes.until(lambda: process.poll() is not None or living.answers(ready), seconds=60, what="reviewqueue up")
        assert process.poll() is None, log.read_text(encoding="utf-8")
        with closing(Terminal(directory, {**environ, **cheap})) as terminal:
            for step in others:
                check(pages.INDEX, step, terminal.run(step.text))
            reviewer = terminal.run("reviewqueue tokens create desk --user alice@example.com --scope review").strip()
            exported = terminal.exported()
        yield Kitchen(port, exported, reviewer)
    finally:
        processes.stop(process, signal.SIGINT, 20)
