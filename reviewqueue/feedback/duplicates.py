"""Items that a dataset would hold twice: same input, one of them is enough. Operation of an export's plan."""

from __future__ import annotations

import json
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import islice
from typing import Any

from sqlalchemy import delete, insert

from reviewqueue.core.db import read_session, write_session
from reviewqueue.core.trail import digest_of
from reviewqueue.feedback import selection
from reviewqueue.models import DatasetDuplicate
from reviewqueue.models.base import table

AT_ONCE = 1_000
_EARLIER = """
SELECT item_id FROM (
  SELECT item_id, row_number() OVER (PARTITION BY input ORDER BY resolved_at DESC, item_id DESC) AS place FROM seen
) WHERE place > 1 ORDER BY item_id
"""


def find(export: Any, *, renew: Callable[[], Any]) -> None:
    """Note all but the one that was resolved last, of the export's items with the same canonical input.

    Sorts in a file, so that memory does not grow with the export. Finding twice changes nothing.
    """
    with write_session() as session:
        session.execute(delete(DatasetDuplicate).where(DatasetDuplicate.export_id == export.id))
    with tempfile.NamedTemporaryFile(prefix="duplicates-") as file, closing(_sorter(file.name)) as seen:
        seen.execute("BEGIN")
        for rows in _pages(export, renew):
            seen.executemany("INSERT INTO seen VALUES (?, ?, ?)", rows)
        seen.execute("COMMIT")
        left_out = seen.execute(_EARLIER)
        while some := list(islice(left_out, AT_ONCE)):
            renew()
            with write_session() as session:
                session.execute(
                    insert(table(DatasetDuplicate)),
                    [{"export_id": export.id, "item_id": item_id} for (item_id,) in some],
                )


def _sorter(path: str) -> sqlite3.Connection:
    seen = sqlite3.connect(path, isolation_level=None)
    seen.execute("PRAGMA journal_mode=OFF")
    seen.execute("CREATE TABLE seen (input BLOB, resolved_at TEXT, item_id TEXT)")
    return seen


def _pages(export: Any, renew: Callable[[], Any]) -> Iterator[list[tuple[bytes, str, str]]]:
    after: str | None = None
    with read_session() as session:
        reader = selection.Reader(session, export)
    while True:
        with read_session() as session:
            rows, after = reader.read(session, after, None)
        yield [(_key(row.input), row.resolved_at.isoformat(), row.id) for row, _ in rows]
        if after is None:
            return
        renew()


def _key(text: str) -> bytes:
    # As the door knows equal inputs; half of it is enough.
    return bytes.fromhex(digest_of(json.loads(text), text))[:16]
