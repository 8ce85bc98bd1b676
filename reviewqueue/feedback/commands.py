"""The command `export`."""

from __future__ import annotations

import json
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import Progress
from sqlalchemy import select

from reviewqueue.core.access import operator
from reviewqueue.core.db import read_session, write_session
from reviewqueue.errors import Conflict
from reviewqueue.feedback import building, exports, formats, storage
from reviewqueue.models import DatasetVersion
from reviewqueue.models.states import ExportState, ResolvedBy


@click.command()
@click.argument("queue")
@click.option("--format", "kind", type=click.Choice(formats.FORMATS), default=formats.JSONL, show_default=True)
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="A new or empty folder.")
@click.option("--by", multiple=True, type=click.Choice([by.value for by in ResolvedBy]),
              help="Only items resolved by these; by default what people decided.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the manifest.")
def export(queue: str, kind: str, out: Path, by: tuple[str, ...], as_json: bool) -> None:
    """Write QUEUE's feedback records and their manifest to a folder.

    Needs no running worker: the same jobs run here.
    """
    if out.exists() and any(out.iterdir()):
        raise Conflict(f"{out} is not empty. Name a new folder with --out, so that two exports do not mix.")
    with write_session() as session:
        export_id = exports.request_export(
            session=session, actor=operator(), queue=queue, kind=kind,
            wanted={"by": list(by)} if by else {},
        )  # fmt: skip
    shards = building.plan(export_id, renew=lambda: None)
    with Progress(console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task(f"Exporting {queue}", total=max(1, _row(export_id).rows_expected or 0))
        for shard_id in shards:
            with suppress(building.Cancelled):
                building.write_shard(shard_id, renew=lambda: progress.update(bar, completed=_row(export_id).rows_done))
    finished = _row(export_id)
    if finished.state is not ExportState.READY:
        why = f": {finished.error}" if finished.error else ""
        raise Conflict(f"The export is {finished.state}{why}. Nothing was written to {out}.")
    _copy(export_id, out, json.loads(finished.manifest))
    if as_json:
        click.echo(finished.manifest)
    else:
        click.echo(f"{finished.rows_done:,} records in {out}")


def _row(export_id: str) -> Any:
    with read_session() as session:
        return session.execute(select(DatasetVersion).where(DatasetVersion.id == export_id)).scalar_one()


def _copy(export_id: str, out: Path, manifest: dict[str, Any]) -> None:
    listed = [*manifest["files"], *manifest["withdrawn"]]
    for name in [*(file["name"] for file in listed), "manifest.json"]:
        target = out / name
        target.parent.mkdir(parents=True, exist_ok=True)
        with storage.opened(export_id, name) as file, target.open("wb") as copy:
            shutil.copyfileobj(file, copy, storage.CHUNK)
