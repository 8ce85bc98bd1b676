"""The commands `backup` and `restore`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress as Bars

from reviewqueue.backup import restoring, taking
from reviewqueue.core.access import operator


@click.command()
@click.argument("folder", metavar="DEST", type=click.Path(path_type=Path))
def backup(folder: Path) -> None:
    """Write everything that this installation is to the new folder DEST, while it runs.

    \b
    In it:      the database, as one state of it; files of media and exports; keys;
                the checkpoints of the audit log; manifest.json with the SHA-256 of each.
    Not in it:  Redis, which needs no backup; settings of the environment;
                exports in a bucket; a PostgreSQL server's database, which its own
                means keep (docs/backup.md has them).

    DEST appears when it is whole, and not before: a backup that was broken off leaves nothing of that name. It holds
    keys and whatever items say: keep it as you keep the installation.

    Bring it back with `reviewqueue restore DEST`.
    """
    with _bars() as progress:
        found = taking.take(actor=operator(), folder=folder, progress=progress)
    click.echo(f"{len(found.files):,} files, {found.bytes:,} bytes, in {folder}")
    for text in found.elsewhere:
        click.echo(f"Not in it: {text}.")
    for path in found.missing:
        click.echo(f"MISSING {path}: the database names it, and it is not there.", err=True)


@click.command()
@click.argument("source", metavar="SRC", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--reason", default="A backup was restored.", show_default=True, help="Why; kept in the audit log.")
@click.option("--replace", is_flag=True, help="Move what is in the data directory aside, to a folder beside it.")
@click.option("--despite-faults", is_flag=True, help="Also when the backup's audit log is not as it was written.")
@click.pass_obj
def restore(data_dir: Path, source: Path, reason: str, replace: bool, despite_faults: bool) -> None:
    """Make the data directory from the backup in the folder SRC.

    Checks every file against its digest, the database, and the audit log; brings an older schema to this version's; has
    the log say that it was restored. Everybody must sign in again. Nothing appears in the data directory before all of
    that is done, and nothing starts there while a restore is under way or broke off: run it again.

    What came after the backup is gone: items, decisions, and erasures, which you have to repeat. Clients that send a
    request again with its Idempotency-Key lose nothing; deliveries of webhooks that were on their way go out again
    under their old webhook-id. docs/backup.md tells the rest.
    """
    with _bars() as progress:
        done = restoring.restore(
            actor=operator(), source=source, target=data_dir, reason=reason, replace=replace,
            despite_faults=despite_faults, progress=progress,
        )  # fmt: skip
    found = done.manifest
    click.echo(f"Restored to {data_dir}: the backup of {found.taken_at}, taken by reviewqueue {found.product}.")
    if found.database:
        click.echo(f"{done.events:,} events of the audit log were checked. Start it with `reviewqueue up`.")
    else:
        click.echo("The database is its server's. Say that it went back, with `reviewqueue audit restored`.")
    for text in found.elsewhere:
        click.echo(f"Was not in the backup: {text}.")
    if done.before:
        click.echo(f"What was there before is in {done.before}.")


@contextmanager
def _bars() -> Iterator[taking.Progress]:
    with Bars(console=Console(stderr=True), transient=True) as bars:
        tasks = {name: bars.add_task(name.capitalize(), total=None) for name in ("files", "database")}

        def progress(what: str, done: int, total: int) -> None:
            bars.update(tasks[what], completed=done, total=max(1, total))

        yield progress
