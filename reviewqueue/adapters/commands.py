"""The command `submit`: items from files, our own shapes and other systems'."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import islice
from pathlib import Path
from types import FrameType
from typing import Any, TextIO

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from reviewqueue.adapters import a2i_shapes, label_studio
from reviewqueue.core import strictjson
from reviewqueue.core.access import Action, operator
from reviewqueue.core.db import read_session, write_session
from reviewqueue.core.http import problem_json
from reviewqueue.errors import Error, Invalid
from reviewqueue.intake import files, imports
from reviewqueue.intake.batches import Stored, submit_many
from reviewqueue.queues.catalog import configuration, find_queue
from reviewqueue.queues.configuration import QueueConfig

Line = bytes | Error
OTHERS: dict[str, Callable[[Any, QueueConfig], dict[str, Any]]] = {
    "label-studio": label_studio.item_of_task,
    "a2i": a2i_shapes.item_of_request,
}
TOLD = 10
"""Refused lines that are told on the terminal; all of them go to --faults."""


@click.command()
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--queue", required=True, help="The queue of lines that name none.")
@click.option(
    "--format",
    "kind",
    type=click.Choice(["auto", *OTHERS]),
    default="auto",
    show_default=True,
    help="auto: by the file's name; else JSON of another system, one or a list.",
)
@click.option("--faults", type=click.Path(path_type=Path, dir_okay=False), help="Write refused lines here, as NDJSON.")
@click.option("--json", "as_json", is_flag=True, help="Print the counts as JSON.")
def submit(path: Path, queue: str, kind: str, faults: Path | None, as_json: bool) -> None:
    """Submit the items in FILE: .jsonl or .ndjson (one item a line, as for REST), .csv or .parquet; tasks of Label
    Studio with their predictions, or StartHumanLoop requests of Amazon A2I.

    A table's columns are members of an item (external_id, confidence, model …), input.NAME, output.NAME or
    metadata.NAME; any other belongs to the input. Refused lines hinder no others. Items with an external_id are stored
    once, however often they are sent. Exits with 1 when a line was refused, with 130 when it was broken off.
    """
    if faults is not None and faults.exists() and faults.samefile(path):
        raise click.BadParameter(f"{faults} is FILE itself: it would be overwritten.", param_hint="--faults")
    actor = operator()
    with read_session() as session:
        head = find_queue(session=session, actor=actor, slug=queue, action=Action.SUBMIT_ITEMS)
        config = configuration(session, head.id, head.version).config
    stored = repeated = refused = nameless = 0
    broken_off = True
    with ExitStack() as stack, suppress(KeyboardInterrupt):
        out = stack.enter_context(faults.open("w", encoding="utf-8")) if faults else None
        progress = stack.enter_context(_progress())
        bar = progress.add_task(path.name, total=None)
        for chunk in _chunks(_items(path, kind, config)):
            numbered = [(number, line) for number, line in chunk if isinstance(line, Error) or line.strip()]
            with _finished_first():
                with write_session() as session:
                    bodies = [line if isinstance(line, Error) else imports.body_of(line, queue) for _, line in numbered]
                    results = submit_many(session=session, actor=actor, bodies=bodies).results
                for (number, _), result in zip(numbered, results, strict=True):
                    if isinstance(result, Stored):
                        nameless += result.fresh is not None and result.fresh.columns["external_id"] is None
                        stored, repeated = stored + (result.fresh is not None), repeated + (result.fresh is None)
                    else:
                        refused += 1
                        _tell(number, result, out, quiet=refused > TOLD)
            progress.update(bar, completed=chunk[-1][0])
        broken_off = False
    counts = {"stored": stored, "repeated": repeated, "refused": refused}
    if as_json:
        click.echo(json.dumps(counts))
    else:
        click.echo(f"{stored:,} stored, {repeated:,} there already, {refused:,} refused.")
    if nameless:
        click.echo(f"{nameless:,} without external_id: sent again, they are stored again.", err=True)
    if refused > TOLD and faults is None:
        click.echo("Name a file with --faults to have all refused lines.", err=True)
    if broken_off:
        click.echo("Broken off. Send the file again: items with an external_id are stored once.", err=True)
    sys.exit(130 if broken_off else 1 if refused else 0)


def _items(path: Path, kind: str, config: QueueConfig) -> Iterator[tuple[int, Line]]:
    """The file's items as JSON text, or why one is none, each with its line or number."""
    if kind == "auto":
        yield from files.lines_of(path, config)
        return
    text = path.read_bytes()
    strictjson.parse(text)
    document = strictjson.exact(text.decode())
    for number, one in enumerate(document if isinstance(document, list) else [document], 1):
        try:
            yield number, strictjson.spliced(strictjson.as_written(OTHERS[kind](one, config))).encode()
        except Invalid as error:
            yield number, error


@contextmanager
def _finished_first() -> Iterator[None]:
    """Ctrl-C waits for the block's end, so that what was stored is counted; pressed again, it does not."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.SIG_IGN:  # as in the background of a shell
        yield
        return
    pressed = False

    def press(_number: int, _frame: FrameType | None) -> None:
        nonlocal pressed
        if pressed:
            raise KeyboardInterrupt
        pressed = True

    signal.signal(signal.SIGINT, press)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if pressed:
        raise KeyboardInterrupt


def _progress() -> Progress:
    columns = SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    return Progress(*columns, console=Console(stderr=True), transient=True)


def _chunks(lines: Iterable[tuple[int, Line]]) -> Iterator[list[tuple[int, Line]]]:
    rest = iter(lines)
    while chunk := list(islice(rest, imports.CHUNK_LINES)):
        yield chunk


def _tell(number: int, error: Error, out: TextIO | None, *, quiet: bool) -> None:
    if out is not None:
        out.write(json.dumps({"line": number, "error": problem_json(error)}, ensure_ascii=False) + "\n")
    if quiet:
        return
    faults = error.faults if isinstance(error, Invalid) else []
    detail = "; ".join(f"{fault.pointer} {fault.detail}" for fault in faults)
    click.echo(f"line {number}: {error.message}{' ' + detail if detail else ''}", err=True)
