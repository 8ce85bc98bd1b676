"""A process that is gone at a chosen boundary: before a statement that changes something, around a commit, before a
Redis command, around an HTTP request and around a file that becomes visible.

After one is before the next, for nothing that anybody can see happens between the two; and so are the reads between
them. A process that is gone commits nothing, rolls nothing back and cleans nothing up: whatever its handlers still try
ends at once.
"""

from __future__ import annotations

import http.client
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import redis.connection
from sqlalchemy import Engine, Pool, event

STATEMENTS = "do_execute", "do_execute_no_params", "do_executemany"


class Crash(BaseException):
    """The process is gone. No `except Exception` may hold it up."""


@dataclass
class Line:
    """The boundaries that were crossed, in order; at the one with the number `at` the process ends."""

    at: int | None
    crossed: list[str] = field(default_factory=list)
    dead: bool = False
    _connections: list[Any] = field(default_factory=list)

    @property
    def where(self) -> str:
        return f"at point {self.at}: {self.crossed[-1] if self.crossed else 'none'}"

    def cross(self, what: str) -> None:
        """Empty: no boundary, but nothing that somebody who is gone still does."""
        if self.dead:
            raise Crash
        if not what:
            return
        self.crossed.append(what)
        if len(self.crossed) - 1 == self.at:
            self.dead = True
            # What the kernel does: the server sees its clients gone, and drops what they had not committed.
            for connection in self._connections:
                connection.close()
            raise Crash

    def know(self, connection: Any, _record: object) -> None:
        self._connections.append(connection)


@contextmanager
def crashing(engine: Engine, at: int | None) -> Iterator[Line]:
    """Run the block as a process that ends at its boundary `at`, or not at all. Its pools must be empty at first.

    Fails where something holds the end up, so that the block ends as if nothing had happened.
    """
    line = Line(at)
    event.listen(Pool, "connect", line.know)
    try:
        with pytest.MonkeyPatch.context() as patched, suppress(Crash):
            _guard(patched, line, type(engine.dialect))
            yield line
            assert not line.dead, f"something swallowed the crash {line.where}"
    finally:
        event.remove(Pool, "connect", line.know)


def _guard(patched: pytest.MonkeyPatch, line: Line, dialect: type) -> None:
    def around(owner: Any, name: str, says: Callable[..., str], *, before: bool = True, after: bool = True) -> None:
        true = getattr(owner, name)

        def guarded(*arguments: Any, **options: Any) -> Any:
            what = says(*arguments)
            line.cross(f"before {what}" if before and what else "")
            result = true(*arguments, **options)
            line.cross(f"after {what}" if after and what else "")
            return result

        patched.setattr(owner, name, guarded)

    for name in STATEMENTS:
        around(dialect, name, _change, after=False)
    around(dialect, "do_commit", lambda *_: "COMMIT")
    around(dialect, "do_rollback", lambda *_: "")
    around(redis.connection.AbstractConnection, "send_packed_command", _command, after=False)
    around(redis.connection.AbstractConnection, "read_response", lambda *_: "")
    around(http.client.HTTPConnection, "request", lambda *_: "an HTTP request")
    around(http.client.HTTPConnection, "getresponse", lambda *_: "an HTTP answer", before=False)
    around(os, "fsync", lambda *_: "fsync")
    around(Path, "replace", lambda path, *_: f"renaming {path.suffix}")
    around(Path, "unlink", lambda path, *_: f"deleting {path.suffix}", after=False)


CHANGES = re.compile(r"\b(INSERT INTO|UPDATE|DELETE FROM)\b")
LOCKS = re.compile(r"\bFOR (NO KEY )?UPDATE\b")


def _change(_dialect: Any, _cursor: Any, statement: str, *_: Any) -> str:
    """The statement; empty for one that only reads or locks."""
    return " ".join(statement.split())[:90] if CHANGES.search(LOCKS.sub("", statement)) else ""


def _command(_connection: Any, command: Any, *_: Any) -> str:
    sent = b"".join(command) if isinstance(command, list) else command
    words = [word for word in sent.split(b"\r\n") if word[:1] not in {b"*", b"$"}]
    return b" ".join(words)[:60].decode(errors="replace")
