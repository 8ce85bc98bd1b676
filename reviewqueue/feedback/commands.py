"""Commands about datasets: `reviewqueue export`, `schedules …`, `models …`."""

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
from reviewqueue.core.ids import known_id
from reviewqueue.errors import Conflict, Invalid
from reviewqueue.feedback import building, exports, formats, schedules, storage, trained
from reviewqueue.feedback.recipe import Recipe
from reviewqueue.models import DatasetVersion
from reviewqueue.models.states import ExportState, ResolvedBy, Verdict

# What every dataset may be asked for with.
_RECIPE = (
    click.option(
        "--by",
        multiple=True,
        type=click.Choice([by.value for by in ResolvedBy]),
        help="Only items resolved by these; by default what people decided.",
    ),
    click.option(
        "--verdict",
        "verdicts",
        multiple=True,
        type=click.Choice([one.value for one in Verdict]),
        help="Only items that ended so.",
    ),
    click.option("--model", "models", multiple=True, help="Only outputs of this model: NAME@VERSION, or NAME."),
    click.option("--label", "only", multiple=True, help="Only items whose final output has this label."),
    click.option(
        "--split", "splits", multiple=True, metavar="NAME=SHARE", help="As in --split train=0.8 --split test=0.2."
    ),
    click.option("--group-by", help="What stays in one split: a path as in $.customer, or `input`."),
    click.option("--salt", help="For other splits of the same items."),
    click.option(
        "--deduplicate", is_flag=True, help="Of items with the same input, only the one that was resolved last."
    ),
    click.option("--as-version", type=click.IntRange(1), help="Outputs as that version of the queue has them."),
    click.option(
        "--rename", "labels", multiple=True, metavar="OLD=NEW", help="With --as-version; without NEW: dropped."
    ),
)


def _of_dataset(command: Any) -> Any:
    for option in reversed(_RECIPE):
        command = option(command)
    return command


@click.command()
@click.argument("queue")
@click.option("--format", "kind", type=click.Choice(formats.FORMATS), default=formats.JSONL, show_default=True)
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="A new or empty folder.")
@click.option("--sensitive", is_flag=True, help="Also what the queue marks as sensitive.")
@_of_dataset
@click.option("--since-version", type=click.IntRange(1), help="Only what is new or changed since that version.")
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
    given = {name: asked[name] for name in names if name in asked}
    return Recipe(splits=_shares(asked["splits"]), labels=renamed, **given)


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


def _print(rows: list[dict[str, Any]], as_json: bool, *columns: str) -> None:
    if as_json:
        click.echo(json.dumps(rows, ensure_ascii=False))
        return
    for row in rows:
        click.echo("\t".join("-" if row[name] is None else str(row[name]) for name in columns))


_as_json = click.option("--json", "as_json", is_flag=True, help="For programs: one JSON document.")


# -- schedules --------------------------------------------------------------------------------------------------------


@click.group("schedules")
def schedules_group() -> None:
    """Exports that are made by themselves."""


@schedules_group.command("create")
@click.argument("queue")
@click.option("--format", "kind", type=click.Choice(formats.FORMATS), default=formats.JSONL, show_default=True)
@click.option("--every-hours", type=click.IntRange(1, 8760), help="So often, the first at once; or:")
@click.option("--every-corrections", type=click.IntRange(1, 1_000_000), help="After so many edits and overrides.")
@click.option("--incremental", is_flag=True, help="Each has only what is new since the one before.")
@_of_dataset
def create_schedule(
    queue: str, kind: str, every_hours: int | None, every_corrections: int | None, incremental: bool, **asked: Any
) -> None:
    """Have QUEUE exported from now on, and print the schedule's id."""
    with write_session() as session:
        schedule_id = schedules.create(
            session=session, actor=operator(), queue=queue, kind=kind, wanted=_wanted(asked), recipe=_recipe(asked),
            every_hours=every_hours, every_corrections=every_corrections, incremental=incremental,
        )  # fmt: skip
    click.echo(schedule_id)


@schedules_group.command("list")
@_as_json
def list_schedules(as_json: bool) -> None:
    """Those that have not ended: id, queue, format, every so many hours or corrections, the last export."""
    with read_session() as session:
        rows = schedules.schedules_of(session=session, actor=operator())
    _print(rows, as_json, "id", "queue", "format", "every_hours", "every_corrections", "last_export")


@schedules_group.command("end")
@click.argument("schedule")
def end_schedule(schedule: str) -> None:
    """Make no more exports by SCHEDULE, an id as `list` shows it."""
    with write_session() as session:
        schedules.end(session=session, actor=operator(), schedule_id=known_id(schedule))
    click.echo("It has ended.", err=True)


# -- what was trained -------------------------------------------------------------------------------------------------


@click.group("models")
def models_group() -> None:
    """Versions of models, and the dataset versions that they were trained on."""


@models_group.command("record")
@click.argument("model")
@click.argument("version")
@click.option("--export", "export_id", required=True, help="The dataset version's id, as in its manifest.")
@click.option("--note", default="", help="Anything to remember.")
def record_model(model: str, version: str, export_id: str, note: str) -> None:
    """Say that VERSION of MODEL was trained on an export."""
    if not 1 <= len(model) <= 200 or not 1 <= len(version) <= 200 or len(note) > 2000:
        raise Invalid("MODEL and VERSION have 1 to 200 letters each, the note 2,000 at most.")
    with write_session() as session:
        _, new = trained.record(
            session=session, actor=operator(), export_id=known_id(export_id), model=model, version=version, note=note
        )
    click.echo("Recorded." if new else "It was known already.", err=True)


@models_group.command("list")
@click.option("--queue", help="Only of this queue's datasets.")
@click.option("--model", help="Only versions of this model.")
@_as_json
def list_models(queue: str | None, model: str | None, as_json: bool) -> None:
    """What was trained, newest first, 1,000 at most: model, version, queue, number of the dataset, when."""
    with read_session() as session:
        rows = trained.page(session=session, actor=operator(), queue=queue, model=model, limit=1000)
    flat = rows if as_json else [{**row, **row["dataset"]} for row in rows]
    _print(flat, as_json, "model", "version", "queue", "number", "recorded_at")
