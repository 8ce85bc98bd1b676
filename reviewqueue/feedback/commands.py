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
from reviewqueue.errors import Conflict, Invalid
from reviewqueue.feedback import building, exports, formats, storage
from reviewqueue.feedback.recipe import Recipe
from reviewqueue.models import DatasetVersion
from reviewqueue.models.states import ExportState, ResolvedBy, Verdict


@click.command()
@click.argument("queue")
@click.option("--format", "kind", type=click.Choice(formats.FORMATS), default=formats.JSONL, show_default=True)
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="A new or empty folder.")
@click.option("--by", multiple=True, type=click.Choice([by.value for by in ResolvedBy]),
              help="Only items resolved by these; by default what people decided.")  # fmt: skip
@click.option("--verdict", "verdicts", multiple=True, type=click.Choice([one.value for one in Verdict]),
              help="Only items that ended so.")  # fmt: skip
@click.option("--model", "models", multiple=True, help="Only outputs of this model: NAME@VERSION, or NAME.")
@click.option("--label", "only", multiple=True, help="Only items whose final output has this label.")
@click.option(
    "--split", "splits", multiple=True, metavar="NAME=SHARE", help="As in --split train=0.8 --split test=0.2."
)
@click.option("--group-by", help="What stays in one split: a path as in $.customer, or `input`.")
@click.option("--salt", help="For other splits of the same items.")
@click.option("--sensitive", is_flag=True, help="Also what the queue marks as sensitive.")
@click.option("--deduplicate", is_flag=True, help="Of items with the same input, only the one that was resolved last.")
@click.option("--since-version", type=click.IntRange(1), help="Only what is new or changed since that version.")
@click.option("--as-version", type=click.IntRange(1), help="Outputs as that version of the queue has them.")
@click.option("--rename", "labels", multiple=True, metavar="OLD=NEW", help="With --as-version; without NEW: dropped.")
@click.option("--json", "as_json", is_flag=True, help="Print the manifest.")
def export(queue: str, kind: str, out: Path, as_json: bool, **asked: Any) -> None:
    """Write QUEUE's feedback records and their manifest to a folder.

    Needs no running worker: the same jobs run here.
    """
    if out.exists() and any(out.iterdir()):
        raise Conflict(f"{out} is not empty. Name a new folder with --out, so that two exports do not mix.")
    with write_session() as session:
        export_id = exports.request_export(
            session=session, actor=operator(), queue=queue, kind=kind, wanted=_wanted(asked), recipe=_recipe(asked)
        )
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


def _wanted(asked: dict[str, Any]) -> dict[str, Any]:
    named = {"by": "by", "verdicts": "verdicts", "models": "models", "labels": "only"}
    return {name: list(asked[option]) for name, option in named.items() if asked[option]}


def _recipe(asked: dict[str, Any]) -> Recipe:
    names = "group_by", "salt", "deduplicate", "since_version", "as_version", "sensitive"
    renamed = {old: new or None for old, new in map(_pair, asked["labels"])}
    return Recipe(splits=_shares(asked["splits"]), labels=renamed, **{name: asked[name] for name in names})


def _shares(given: tuple[str, ...]) -> dict[str, float]:
    try:
        return {name: float(share) for name, share in map(_pair, given)}
    except ValueError:
        raise Invalid("Name each split with its share, as in --split train=0.8.") from None


def _pair(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name, value


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
