"""The commands `gold`: items whose answer is known."""

from __future__ import annotations

from pathlib import Path

import click

from reviewqueue.core.access import operator
from reviewqueue.core.db import write_session
from reviewqueue.core.http import checked
from reviewqueue.core.ids import known_id
from reviewqueue.core.strictjson import Raw, parse_object, spliced
from reviewqueue.errors import Error, Invalid
from reviewqueue.intake.shapes import ItemShape
from reviewqueue.review import golden


@click.group()
def gold() -> None:
    """Items whose answer is known, which measure reviewers."""


@gold.command("add")
@click.argument("queue")
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path, exists=True, dir_okay=False))
def add(queue: str, path: Path) -> None:
    """Add the gold in FILE to QUEUE, all of it or nothing.

    A JSON object a line: a new item as it would be submitted, without its queue, with its known "answer" (null: it must
    be rejected) and perhaps a "note" for whoever has decided it; or {"item": id}, one that people have resolved.
    """
    count = 0
    with write_session() as session:
        for number, line in enumerate(path.read_bytes().splitlines(), 1):
            if not line.strip():
                continue
            try:
                body = parse_object(line)
                given, members = body.value, dict(body.raw)
                note = given.get("note")
                if "item" in given:
                    golden.add(
                        session=session, actor=operator(), item_id=known_id(given["item"]), note=note, slug=queue
                    )
                else:
                    members.pop("note", None)
                    answer = members.pop("answer", None)
                    if answer is None:
                        raise Invalid("The answer is missing.")
                    new = spliced({**{key: Raw(text) for key, text in members.items()}, "queue": queue})
                    golden.add_new(
                        session=session, actor=operator(), slug=queue, answer=answer, note=note,
                        body=checked(ItemShape, new.encode()),
                    )  # fmt: skip
            except Error as error:
                where = "; ".join(f"{fault.pointer} {fault.detail}" for fault in getattr(error, "faults", ()))
                raise Invalid(f"Line {number}: {error.message} {where}".strip()) from None
            count += 1
    click.echo(f"{count:,} gold items in {queue}")
