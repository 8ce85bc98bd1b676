"""A dropped table becomes a queue: the proposal tried on its rows, and the operation that makes and fills it."""

from __future__ import annotations

import base64
import binascii
import json
import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from reviewqueue.adapters.trying import case_of
from reviewqueue.core.access import Action, Actor, require
from reviewqueue.errors import Error, Fault, Invalid
from reviewqueue.intake import files, imports, tables
from reviewqueue.models import Queue
from reviewqueue.onboarding.steps import create_queue
from reviewqueue.queues import simulation
from reviewqueue.queues.applying import Applied
from reviewqueue.queues.catalog import Compiled, configuration, find_queue
from reviewqueue.queues.configuration import QueueConfig
from reviewqueue.review.previews import Preview, preview

SHOWN = 3
"""Rows that are drawn as the reviewer would see them."""
MOST_BYTES = 16_777_216


@dataclass(frozen=True)
class Trial:
    """What a configuration makes of the table."""

    found: simulation.Simulation
    previews: list[Preview]
    faults: list[Fault]
    """Of the first rows that would be refused: `pointer` is the line and column."""


def packed(data: bytes) -> str:
    """The file as text that a form carries unchanged."""
    return base64.b64encode(zlib.compress(data)).decode()


def unpacked(text: str) -> bytes:
    """Raises `Invalid` for what `packed` did not give."""
    try:
        opened = zlib.decompressobj()
        data = opened.decompress(base64.b64decode(text, validate=True), MOST_BYTES)
    except (zlib.error, binascii.Error, ValueError):
        data = b""
    if not data or not opened.eof:
        raise Invalid("The file did not come with the form. Choose it again.", code="bad_table")
    return data


def free_name(*, session: Session, wanted: str) -> str:
    """A queue's name like `wanted` that is not taken."""
    base = re.sub(r"[^a-z0-9]+", "-", wanted.lower()).strip("-")[:50] or "table"
    taken = set(session.scalars(select(Queue.slug).where(Queue.slug.startswith(base, autoescape=True))))
    names = [base, *(f"{base}-{number}" for number in range(2, len(taken) + 3))]
    return next(name for name in names if name not in taken)


def try_out(
    *, session: Session, actor: Actor, proposal: tables.Proposal, places: Sequence[str], document: str
) -> Trial:  # fmt: skip
    """What `document` would make of the table's rows. Raises `Invalid` where it is no configuration."""
    previews: list[Preview] = []
    faults: list[Fault] = []
    found = simulation.simulate(
        session=session, actor=actor, slug=None, document=document,
        items=partial(_cases, session, actor, proposal, places, previews, faults),
    )  # fmt: skip
    return Trial(found, previews, faults)


def _cases(
    session: Session,
    actor: Actor,
    proposal: tables.Proposal,
    places: Sequence[str],
    previews: list[Preview],
    faults: list[Fault],
    compiled: Compiled,
) -> Iterator[simulation.Case | simulation.Refused]:
    queue = compiled.config.name
    for line, item in _items(proposal, places, compiled.config):
        case = case_of(session, actor, compiled, queue, line, _json(item))
        if isinstance(case, simulation.Refused):
            if len(faults) < tables.MOST_FAULTS:
                faults += _placed(case.error, line, proposal, places)
        elif len(previews) < SHOWN:
            previews.append(preview(compiled.config, item))
        yield case


def _items(
    proposal: tables.Proposal, places: Sequence[str], config: QueueConfig
) -> Iterator[tuple[int, dict[str, Any]]]:  # fmt: skip
    """The rows as items, each with its line in the file."""
    for line, cells in proposal.table.rows:
        item = files.item_of(tables.row_of(proposal, places, cells), config)
        if item["output"] is None:
            item["failure"] = {"code": "none_given"}
        yield line, item


def _json(item: dict[str, Any]) -> bytes:
    return json.dumps(item, ensure_ascii=False).encode("utf-8", "surrogatepass")


def _placed(error: Error, line: int, proposal: tables.Proposal, places: Sequence[str]) -> list[Fault]:
    """The faults of a row, with the column that each is about."""
    if not isinstance(error, Invalid) or not error.faults:
        return [Fault(f"line {line}", error.message)]
    at = {
        (f"/{place}/{tables.own_name(name)}" if place in {"input", "output", "metadata"} else f"/{place}"): number
        for number, (name, place) in enumerate(zip(proposal.table.names, places, strict=True), 1)
    }
    return [
        Fault(
            f"line {line}, column {at[fault.pointer]}" if fault.pointer in at else f"line {line}",
            f"{fault.pointer} {fault.detail}",
        )
        for fault in error.faults
    ]  # fmt: skip


def make_and_fill(
    *, session: Session, actor: Actor, proposal: tables.Proposal, places: Sequence[str], document: str
) -> tuple[Applied, str]:
    """Make the queue and an import of the table's rows, which jobs store; returns its id, too.

    Lines that are refused are told there, each by its line of the file. Raises `Invalid`, `Conflict`, `Forbidden`.
    """
    require(actor, Action.CONFIGURE_QUEUES)
    applied = create_queue(session=session, actor=actor, document=document)
    head = find_queue(session=session, actor=actor, slug=applied.slug)
    config = configuration(session, head.id, head.version).config
    import_id = imports.begin(session=session, actor=actor, queue=applied.slug)
    for chunk in _chunks(_items(proposal, places, config)):
        imports.keep(session=session, import_id=import_id, chunk=chunk)
    imports.received(session=session, import_id=import_id)
    return applied, import_id


def _chunks(items: Iterator[tuple[int, dict[str, Any]]]) -> Iterator[imports.Chunk]:
    """Lines at the places that they have in the file: what a row of several lines leaves is empty."""
    chunk: imports.Chunk | None = None
    for line, item in items:
        if chunk is None:
            chunk = imports.Chunk(0, line)
        elif len(chunk.lines) >= imports.CHUNK_LINES or chunk.bytes >= imports.CHUNK_BYTES:
            yield chunk
            chunk = imports.Chunk(chunk.number + 1, line)
        chunk.lines += [b""] * (line - chunk.first_line - len(chunk.lines))
        text = _json(item)
        chunk.lines.append(text)
        chunk.bytes += len(text) + 1
    if chunk is not None:
        yield chunk
