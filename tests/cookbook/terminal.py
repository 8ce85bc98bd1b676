"""A user's terminal: one shell for all commands of a page, with its variables and its jobs in the background."""

from __future__ import annotations

import os
import select
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path


class Terminal:
    """`bash -euo pipefail` in a directory. What a command prints goes to a file, as of one who reads it afterwards."""

    def __init__(self, directory: Path, environ: Mapping[str, str]) -> None:
        self.directory = directory
        self._logs = directory / ".terminal"
        self._logs.mkdir()
        self._count = 0
        self._shell = subprocess.Popen(
            ["bash", "-euo", "pipefail"], cwd=directory, env=dict(environ), stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        # Also when the run is killed: the shell then reads the end of its input.
        self._type("trap 'kill $(jobs -p)' EXIT")

    def run(self, text: str, *, seconds: float = 120) -> str:
        """What `text` prints. Raises `AssertionError` when a command of it fails, or does not end."""
        assert self._shell.stdout is not None
        self._count += 1
        script, log = (self._logs / f"{self._count}.{kind}" for kind in ("sh", "log"))
        script.write_text(text, encoding="utf-8")
        self._type(f"source '{script}' </dev/null >'{log}' 2>&1\necho")
        ready, _, _ = select.select([self._shell.stdout], [], [], seconds)
        ended = bool(ready) and os.read(self._shell.stdout.fileno(), 1) == b"\n"
        printed = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
        assert ended, f"{text}\n{'failed' if ready else f'did not end within {seconds:.0f} s'}, and printed:\n{printed}"
        return printed

    def _type(self, text: str) -> None:
        assert self._shell.stdin is not None
        self._shell.stdin.write(f"{text}\n".encode())
        self._shell.stdin.flush()

    def exported(self) -> dict[str, str]:
        """The variables that a program gets here."""
        pairs = (each.partition("=") for each in self.run("env -0").split("\0") if each)
        return {name: value for name, _, value in pairs}

    def close(self) -> None:
        os.killpg(self._shell.pid, signal.SIGKILL)
        self._shell.communicate()
