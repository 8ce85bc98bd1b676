"""The commands `audit` and `erase`."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import asdict
from pathlib import Path

import click

from reviewqueue.audit import chain, erasing, restoring, verifying
from reviewqueue.core.access import operator
from reviewqueue.core.db import read_session, write_session
from reviewqueue.core.ids import known_id
from reviewqueue.errors import Conflict, Invalid


@click.group()
def audit() -> None:
    """The audit log: is it as it was written, and taking it elsewhere."""


@audit.command()
@click.option("--checkpoints", type=click.Path(path_type=Path, exists=True, dir_okay=False),
              help="Checkpoints that were kept elsewhere, one a line.")  # fmt: skip
@click.option("--restored", "accepted", multiple=True, metavar="EVENT",
              help="The event of a restore that you know of: what it left out is no fault.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON.")
def verify(checkpoints: Path | None, accepted: tuple[str, ...], as_json: bool) -> None:
    """Check every event against its seal and every checkpoint; exits with 1 when anything is not as it was written."""
    own = chain.checkpoints_in(checkpoints.read_text(encoding="utf-8")) if checkpoints else []
    checker, waiting = verifying.verify(actor=operator(), own=own, accepted=frozenset(accepted))
    if as_json:
        found = {
            "ok": not checker.faults, "events": checker.place, "waiting": waiting,
            "checkpoint": checker.last_checkpoint, "faults": [asdict(fault) for fault in checker.faults],
            "more_faults": checker.more_faults, "restores": [asdict(restore) for restore in checker.restores],
        }  # fmt: skip
        click.echo(json.dumps(found, indent=2))
    else:
        for line in chain.summary(checker):
            click.echo(line, err=line.startswith("FAULT"))
        if waiting:
            click.echo(f"{waiting} wait for their seal; the relay seals them within a second.")
    sys.exit(1 if checker.faults else 0)


@audit.command()
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="A new or empty folder.")
def export(out: Path) -> None:
    """Write the log with its checkpoints to a folder, and beside it the program that checks it anywhere."""
    if out.exists() and any(out.iterdir()):
        raise Conflict(f"{out} is not empty. Name a new folder with --out.")
    out.mkdir(parents=True, exist_ok=True)
    with (out / "audit.jsonl").open("w", encoding="utf-8") as file:
        for line in verifying.exported(actor=operator()):
            file.write(line)
    shutil.copyfile(chain.__file__, out / "verify_audit_log.py")
    click.echo(f"Check it with: python {out / 'verify_audit_log.py'} {out / 'audit.jsonl'}")


@audit.command()
@click.option("--reason", required=True, help="Why; kept in the audit log.")
def restored(reason: str) -> None:
    """Say that the database was restored, before it is started again: the log tells from then on.

    `reviewqueue restore` does it by itself; this is for a database server that went back to an earlier time.
    Checkpoints in the data directory that are ahead of the database are put aside, and everybody has to sign in again.
    """
    with write_session() as session:
        done = restoring.record(session=session, actor=operator(), reason=reason)
    aside = restoring.put_aside(done.events)
    click.echo(f"Event {done.event_id} says that the log was restored with {done.events} events.")
    if aside:
        click.echo(f"{aside} checkpoints that are ahead of it are in {restoring.file_of_lost()}.")


@audit.command()
@click.argument("event")
def proof(event: str) -> None:
    """Print the proof of one event, by its id: the lines that `verify_audit_log.py` checks."""
    with verifying.snapshot() as session:
        lines = verifying.proof(session=session, actor=operator(), event_id=known_id(event))
    click.echo("".join(lines), nl=False)


@click.command()
@click.option("--item", "item_id", help="The id of an item.")
@click.option("--subject", help="Everything about somebody, by the name that items give them in `subject`.")
@click.option("--reason", required=True, help="Why; kept in the audit log.")
@click.option("--dry-run", is_flag=True, help="Only say how many items it would erase.")
def erase(item_id: str | None, subject: str | None, reason: str, dry_run: bool) -> None:
    """Erase what an item, or all items about somebody, said: it cannot be brought back.

    What happened stays in the audit log, without what was said, and the log stays whole.
    """
    if (item_id is None) == (subject is None):
        raise Invalid("Name an item with --item, or somebody with --subject.")
    if dry_run:
        with read_session() as session:
            count = erasing.count(session=session, actor=operator(), item_id=item_id, subject=subject)
        click.echo(f"{count} items would be erased.")
        return
    total = erasing.erase_all(actor=operator(), item_id=item_id, subject=subject, reason=reason)
    click.echo(f"{total} items erased.")
