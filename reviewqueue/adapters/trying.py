"""The command `queues simulate`: a configuration tried on what came, or on the items of a file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import click
from sqlalchemy.orm import Session

from reviewqueue.core.access import Actor, operator
from reviewqueue.core.db import read_session
from reviewqueue.errors import Error, Invalid
from reviewqueue.intake import files, imports
from reviewqueue.intake.preparing import tried
from reviewqueue.models.states import Verdict
from reviewqueue.queues import simulation
from reviewqueue.queues.catalog import Compiled
from reviewqueue.queues.commands import tell


@click.command("simulate")
@click.argument("paths", nargs=-1, metavar="[FILE]...", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--queue", help="The queue; that of the configuration by default.")
@click.option("--last", default=simulation.LAST, show_default=True, help="How far back: 12h, 30d, 2w.")
@click.option("--most", default=simulation.LARGEST, show_default=True, help="Look at no more than the newest so many.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def simulate(paths: tuple[Path, ...], queue: str | None, last: str, most: int, as_json: bool) -> None:
    """Try a configuration on items, and change nothing: what would it send to people, and by which rule?

    FILE is the configuration (.yaml, .yml or .json), by default the present one of --queue. It is tried on the items
    that the queue got in the time --last, against what became of them and how people judged them; or on the items of
    another FILE (.jsonl, .ndjson, .csv or .parquet, as for `submit`), against what the queue's present configuration
    makes of them, also before there is such a queue. Lines that `submit` would refuse are told and left aside.
    """
    items = [path for path in paths if path.suffix.lower() in files.KINDS]
    documents = [path for path in paths if path not in items]
    if len(items) > 1 or len(documents) > 1:
        kinds = ", ".join(files.KINDS)
        raise click.UsageError(f"Name one configuration, and one file of items ({kinds}), at most.")
    if not documents and queue is None:
        raise click.UsageError("Name a configuration, or say --queue.")
    with read_session() as session:
        found = simulation.simulate(
            session=session, actor=operator(), slug=queue, last=last, most=most,
            items=partial(_cases, session, items[0]) if items else None,
            document=_text_of(documents[0]) if documents else None,
        )  # fmt: skip
    click.echo(json.dumps(simulation.as_json(found), ensure_ascii=False) if as_json else _in_words(found))
    for line in found.faults:
        click.echo(line, err=True)
    tell(found.warnings)


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise Invalid(f"{path.name} is not UTF-8 text.") from None


def _cases(session: Session, path: Path, compiled: Compiled) -> Iterator[simulation.Case | simulation.Refused]:
    """The file's items as routing would see them, and the lines that submission would refuse."""
    queue = compiled.config.name
    for number, line in files.lines_of(path, compiled.config):
        if isinstance(line, Invalid):
            yield simulation.Refused(number, line)
        elif line.strip():
            yield case_of(session, operator(), compiled, queue, number, line)


def case_of(
    session: Session, actor: Actor, compiled: Compiled, queue: str, number: int, line: bytes
) -> simulation.Case | simulation.Refused:
    """A line as routing would see it, or why submission would refuse it."""
    body = imports.body_of(line, queue)
    if isinstance(body, Error):
        return simulation.Refused(number, body)
    if body.shape.queue != queue:
        return simulation.Refused(number, Invalid(f"The item is for the queue {body.shape.queue!r}, not {queue!r}."))
    try:
        facts, failed = tried(session, actor, compiled, body)
    except Error as error:
        return simulation.Refused(number, error)
    return simulation.Case(body.shape.external_id or f"line {number}", facts, failed)


def _in_words(found: simulation.Simulation) -> str:
    then, before = found.then, found.before
    where = f"of the last {found.last}" if found.last else "of the file"
    whole = "" if found.complete else " (the newest; there are more)"
    lines = [f"{found.queue}: {found.items:,} items {where}{whole}"]
    if found.refused:
        lines.append(f"  left aside: {found.refused:,} lines that are no items")
    lines.append(f"  would go to people: {_people(then['review'], found.audits)}")
    if found.last:
        lines.append(f"  went to people: {_people(before['review'], found.audited)}")
    elif before:
        lines.append(f"  go to people at present: {_people(before['review'], found.audited)}")
    lines.append(f"  would pass: {then['auto_approve']:,}")
    lines.append(f"  would be refused: {then['refuse']:,}, of which {found.unfit:,} do not fit the schemas")
    if found.last:
        examples = f": {', '.join(found.examples[:5])}" if found.examples else ""
        agreed = f"{found.agreed:,} of the {found.freed_judged:,} that somebody judged"
        overruled = f"{found.changed:,} of the {found.judged:,} that somebody judged{examples}"
        lines.append(f"  went to people by rules, and would pass: {found.freed:,}; approved: {agreed}")
        lines.append(f"  passed, and would go to people: {found.added:,}")
        lines.append(f"  changed or rejected by people, and would pass: {overruled}")
    elif before:
        lines.append(f"  go to people by rules at present, and would pass: {found.freed:,}")
        lines.append(f"  pass at present, and would go to people: {found.added:,}")
    lines.append(f"  {'rule':>4}  {'items':>8} {'sent':>8} {'passed':>8} {'approved':>8} {'changed':>8}  does")
    for group in found.rules:
        changed = sum(group.verdicts[verdict] for verdict in (Verdict.EDIT, Verdict.OVERRIDE, Verdict.REJECT))
        counts = (group.items, group.before["review"], group.before["auto_approve"], group.verdicts["approve"], changed)
        numbers = " ".join(f"{count:>8,}" for count in counts)
        lines.append(f"  {group.rule or '-':>4}  {numbers}  {group.action}: {group.title}")
    return "\n".join(lines)


def _people(by_rules: int, audits: int) -> str:
    return f"{by_rules + audits:,} ({by_rules:,} by rules, {audits:,} audits of what passes)"
