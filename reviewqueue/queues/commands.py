"""The commands `queues apply`, `queues list` and `queues show`."""

from __future__ import annotations

import json
from typing import Any, TextIO

import click

from reviewqueue.core.access import operator
from reviewqueue.core.db import read_session, write_session
from reviewqueue.errors import Invalid
from reviewqueue.queues.api import applied_json
from reviewqueue.queues.applying import Applied, apply, document_of
from reviewqueue.queues.catalog import queues_for


@click.group("queues")
def queues() -> None:
    """Configure queues: what is reviewed, how, and by which rules."""


@queues.command("apply")
@click.argument("file", type=click.File("r", encoding="utf-8"))
@click.option("--dry-run", is_flag=True, help="Show what would change, and change nothing.")
@click.option("--expected-version", type=int, help="Refuse if another version than this is current.")
@click.option("--note", default="", help="Why, for the list of versions.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def apply_command(file: TextIO, dry_run: bool, expected_version: int | None, note: str, as_json: bool) -> None:
    """Make FILE (YAML or JSON; - for standard input) the configuration of the queue it names.

    Prints what changes. The same document again changes nothing; each change makes a new version.
    """
    try:
        text = file.read()
    except UnicodeDecodeError:
        raise Invalid(f"{file.name} is not UTF-8 text.") from None
    with write_session() as session:
        applied = apply(
            session=session, actor=operator(), document=text, dry_run=dry_run, note=note,
            expected_version=expected_version,
        )  # fmt: skip
    click.echo(json.dumps(applied_json(applied), ensure_ascii=False) if as_json else _in_words(applied, dry_run))


def _in_words(applied: Applied, dry_run: bool) -> str:
    if not applied.changed:
        return f"{applied.slug} is at version {applied.version} already: nothing to change."
    lines = [f"  {line}" for line in applied.diff]
    if applied.misfits:
        lines.append(f"{applied.misfits} of {applied.waiting} waiting items do not fit and stay under their version.")
    what = "would become" if dry_run else "is now at"
    lines.append(f"{applied.slug} {what} version {applied.version}{' (new queue)' if applied.created else ''}.")
    return "\n".join(lines)


@queues.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
def list_command(as_json: bool) -> None:
    """List all queues."""
    with read_session() as session:
        heads = queues_for(session=session, actor=operator())
    if as_json:
        rows: list[dict[str, Any]] = [
            {"name": head.slug, "title": head.title, "version": head.version, "intake": head.intake} for head in heads
        ]
        click.echo(json.dumps(rows, ensure_ascii=False))
    elif not heads:
        click.echo("No queues yet. Create one with: reviewqueue queues apply FILE", err=True)
    for head in [] if as_json else heads:
        click.echo(f"{head.slug}  version {head.version}  {head.intake}  {head.title}")


@queues.command("show")
@click.argument("queue")
@click.option("--version", type=int, help="An earlier version; the current one by default.")
def show_command(queue: str, version: int | None) -> None:
    """Print QUEUE's configuration as JSON: edit it, and apply it again."""
    with read_session() as session:
        _, document = document_of(session=session, actor=operator(), slug=queue, version=version)
    click.echo(json.dumps(json.loads(document), ensure_ascii=False, indent=2))
