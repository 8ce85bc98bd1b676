"""The commands `queues …`: configure, list, stop and hold."""

from __future__ import annotations

import json
import sys
from typing import Any, TextIO

import click

from reviewqueue.core.access import operator
from reviewqueue.core.db import read_session, write_session
from reviewqueue.errors import Fault, Invalid
from reviewqueue.models.states import BrakeKind
from reviewqueue.queues import brakes
from reviewqueue.queues.api import applied_json
from reviewqueue.queues.applying import Applied, apply, document_of
from reviewqueue.queues.catalog import find_queue, queues_for

PROPOSED = 3
"""Exit status of an apply that waits for people."""


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

    Prints what changes. The same document again changes nothing; each change makes a new version. Exits with 3 where
    it may lower review and waits for two people to confirm it.
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
    tell(applied.warnings)
    if applied.proposal:
        sys.exit(PROPOSED)


def tell(warnings: list[Fault]) -> None:
    """Print what is probably a slip in a configuration."""
    for warning in warnings:
        click.echo(f"warning: {warning.pointer}: {warning.detail}", err=True)


def _in_words(applied: Applied, dry_run: bool) -> str:
    if applied.proposal:
        end = (
            f"Not applied: this may lower review ({', '.join(applied.lowers)}), and {applied.slug} asks for two "
            f"persons. Two administrators confirm it on the queue's page; it stays at version {applied.version}."
        )
        return "\n".join([*(f"  {line}" for line in applied.diff), end])
    if not applied.changed:
        return f"{applied.slug} is at version {applied.version} already: nothing to change."
    lines = [f"  {line}" for line in applied.diff]
    if applied.misfits:
        lines.append(f"{applied.misfits} of {applied.waiting} waiting items do not fit and stay under their version.")
    what = "would become" if dry_run else "is now at"
    if applied.lowers:
        lines.append(f"This may lower review ({', '.join(applied.lowers)}): it would wait for two other persons.")
    lines.append(f"{applied.slug} {what} version {applied.version}{' (new queue)' if applied.created else ''}.")
    return "\n".join(lines)


@queues.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
def list_command(as_json: bool) -> None:
    """List all queues."""
    with read_session() as session:
        heads = queues_for(session=session, actor=operator())
        everything = brakes.of_queue(session, None)
    if as_json:
        rows: list[dict[str, Any]] = [
            {
                "name": head.slug,
                "title": head.title,
                "version": head.version,
                "intake": head.intake,
                "stopped": bool(head.stopped),
                "held": head.held,
            }
            for head in heads
        ]
        click.echo(json.dumps(rows, ensure_ascii=False))
    elif not heads:
        click.echo("No queues yet. Create one with: reviewqueue queues apply FILE", err=True)
    for head in [] if as_json else heads:
        braked = ("  stopped" if head.stopped is BrakeKind.STOP else "") + ("  held" if head.held else "")
        click.echo(f"{head.slug}  version {head.version}  {head.intake}{braked}  {head.title}")
    if not as_json:
        for brake in everything.values():
            click.echo(_pulled_in_words(brake, None), err=True)


@queues.command("show")
@click.argument("queue")
@click.option("--version", type=int, help="An earlier version; the current one by default.")
def show_command(queue: str, version: int | None) -> None:
    """Print QUEUE's configuration as JSON: edit it, and apply it again."""
    with read_session() as session:
        _, document = document_of(session=session, actor=operator(), slug=queue, version=version)
    click.echo(json.dumps(json.loads(document), ensure_ascii=False, indent=2))


_why = click.option("--why", required=True, help="For everybody who works here: it stands on every page.")
_everything = click.option("--all", "everything", is_flag=True, help="Every queue.")


@queues.command("stop")
@click.argument("queue")
@_why
def stop_command(queue: str, why: str) -> None:
    """Let nothing of QUEUE pass without a person, whatever its rules say; `queues resume` ends it."""
    _pull(BrakeKind.STOP, queue, why)
    click.echo(f"{queue} is stopped: people see everything.")


@queues.command("hold")
@click.argument("queue", required=False)
@_everything
@_why
def hold_command(queue: str | None, everything: bool, why: str) -> None:
    """Stop QUEUE, or every queue with --all, and keep answers back: webhooks, the feed, and whoever waits.

    `queues resume` ends it; then what was kept back goes out, in order.
    """
    _pull(BrakeKind.HOLD, _queue_or_all(queue, everything), why)
    click.echo(f"{queue or 'Everything'} is held: nothing passes, and no answer goes out.")


@queues.command("resume")
@click.argument("queue", required=False)
@_everything
@click.option("--only", type=click.Choice([kind.value for kind in BrakeKind]), help="End this, and keep the other.")
def resume_command(queue: str | None, everything: bool, only: str | None) -> None:
    """End the stop and the hold of QUEUE, or with --all the hold of everything. Says what stays stopped or held."""
    slug = _queue_or_all(queue, everything)
    if everything and only == BrakeKind.STOP:
        raise click.UsageError("There is no stop of everything, only a hold.")
    kinds = [BrakeKind(only)] if only else [*BrakeKind]
    with write_session() as session:
        queue_id = None if slug is None else find_queue(session=session, actor=operator(), slug=slug).id
        ended = [
            kind for kind in kinds
            if brakes.release(session=session, actor=operator(), kind=kind, queue_id=queue_id)
        ]  # fmt: skip
        left = [brake for brake in brakes.seen_by(session, operator()) if slug in (None, brake.slug) or not brake.slug]
    name = queue or "Everything"
    if not ended:
        click.echo(f"{name} was {_NOT[only] if queue else 'not held'}.")
    elif left:
        click.echo(f"{name}: the {' and the '.join(ended)} {'are' if len(ended) > 1 else 'is'} over.")
    else:
        click.echo(f"{name} goes on by its rules.")
    for brake in left:
        click.echo(_pulled_in_words(brake, brake.slug))


_NOT: dict[str | None, str] = {
    None: "neither stopped nor held",
    BrakeKind.STOP: "not stopped",
    BrakeKind.HOLD: "not held",
}


def _pulled_in_words(brake: Any, slug: str | None) -> str:
    what = "stopped" if brake.kind is BrakeKind.STOP else "held"
    end = f"reviewqueue queues resume {slug or '--all'}"
    return f"{slug or 'Everything'} is {what} by {brake.pulled_by_name}: {brake.why} (`{end}` ends it)"


def _queue_or_all(queue: str | None, everything: bool) -> str | None:
    if everything is (queue is not None):
        raise click.UsageError("Name a queue, or say --all.")
    return queue


def _pull(kind: BrakeKind, slug: str | None, why: str) -> None:
    with write_session() as session:
        queue_id = None if slug is None else find_queue(session=session, actor=operator(), slug=slug).id
        brakes.pull(session=session, actor=operator(), kind=kind, queue_id=queue_id, why=why)
