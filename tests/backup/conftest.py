"""An installation with something of everything in it, and what is made of it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import insert

from reviewqueue import config
from reviewqueue.app import create_app
from reviewqueue.backup import restoring, taking
from reviewqueue.core.db import clock, write_session
from reviewqueue.core.ids import new_id
from reviewqueue.models import DatasetVersion, Media
from reviewqueue.models.states import ExportState, MediaState
from tests.audit.conftest import Keeper
from tests.fixtures import installation
from tests.fixtures.people import OPERATOR, Cast


def add_media(app: Flask, queue_id: str, count: int) -> list[str]:
    """So many files with their rows, as uploads leave them; their digests."""
    folder = app.config["SETTINGS"].media_dir
    found = []
    with app.app_context(), write_session() as session:
        for number in range(count):
            data = f"picture {number}".encode() * 200
            found.append(hashlib.sha256(data).hexdigest())
            path = folder / found[-1][:2] / found[-1]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            session.execute(
                insert(Media).values(
                    id=new_id(), queue_id=queue_id, state=MediaState.READY, sha256=found[-1], bytes=len(data),
                    created_by="tests", created_at=clock(), attempts=0,
                )
            )  # fmt: skip
    return found


def add_export(app: Flask, queue_id: str) -> str:
    """An export that is ready, and beside its file one that a job was writing."""
    export_id = new_id()
    folder = app.config["SETTINGS"].exports_dir / export_id
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "train.jsonl").write_text('{"a":1}\n')
    (folder / "manifest.json").write_text("{}")
    (folder / "data" / "test.jsonl.part").write_text("half")
    with app.app_context(), write_session() as session:
        session.execute(
            insert(DatasetVersion).values(
                id=export_id, queue_id=queue_id, number=1, format="jsonl", filter="{}", state=ExportState.READY,
                requested_by="tests", created_at=clock(), as_of=clock(), rows_done=1,
            )
        )  # fmt: skip
    return export_id


@pytest.fixture
def full(app: Flask, cast: Cast) -> Flask:
    """Items' media, an export, a sealed and signed log."""
    add_media(app, cast.queue_id, 3)
    add_export(app, cast.queue_id)
    with app.app_context():
        keeper = Keeper()
        keeper.record(5)
        keeper.seal()
        keeper.sign()
    return app


@pytest.fixture
def take(app: Flask, tmp_path: Path) -> Callable[..., Path]:
    def taken(name: str = "backup") -> Path:
        with app.app_context():
            taking.take(actor=OPERATOR, folder=tmp_path / name)
        return tmp_path / name

    return taken


def restore(source: Path, target: Path, **options: Any) -> restoring.Restored:
    environ = {"REVIEWQUEUE_SECRET_KEY": installation.SECRET, "PATH": "/usr/bin"}
    given = {"actor": OPERATOR, "reason": "The disk broke", "environ": environ, **options}
    return restoring.restore(source=source, target=target, **given)


@contextmanager
def opened(directory: Path) -> Iterator[Flask]:
    """The application on a restored data directory."""
    app = create_app(config.load(installation.environment(directory)))
    with app.app_context():
        yield app
        installation.dispose()
