"""The command `report`."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import click
from flask import render_template

from reviewqueue.core.access import operator
from reviewqueue.core.assets import FOLDER
from reviewqueue.core.db import read_session
from reviewqueue.insights import report as reports


@click.command()
@click.option("--month", help="As 2026-11; by default the last that is over. Months are those of UTC.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="File to write; reviewqueue-MONTH.html.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON; no file without --out.")
def report(month: str | None, out: Path | None, as_json: bool) -> None:
    """Write a month in figures, as one HTML page that needs nothing else: to mail, to print, to keep."""
    wanted = reports.month_of(month) if month else None
    with read_session() as session:
        found = reports.report(session=session, actor=operator(), month=wanted)
    if as_json:
        click.echo(json.dumps(reports.as_json(found), indent=2, ensure_ascii=False))
    if out is not None or not as_json:
        path = out or Path(f"reviewqueue-{found.month}.html")
        path.write_text(page(found), encoding="utf-8")
        click.echo(f"{path}: {found.total.items:,} items, {found.total.decisions:,} decisions", err=as_json)


def page(found: reports.Report) -> str:
    """The report as one file. Its style is in its address, for the file has nothing beside it."""
    style = base64.b64encode((FOLDER / "report.css").read_bytes()).decode()
    return render_template("insights/report.html", report=found, style=f"data:text/css;base64,{style}")
