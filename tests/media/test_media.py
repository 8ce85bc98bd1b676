"""Media over HTTP: uploaded, referred to, given out to those who may see the item, and to nobody else."""

from __future__ import annotations

import io
import os
import pathlib
import threading
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select, update

from reviewqueue.core.db import clock, read_session, write_session
from reviewqueue.media import files, uploads
from reviewqueue.models import Decision, ItemMedia, Media
from reviewqueue.queues.applying import apply
from tests.fixtures.media import PNG, png
from tests.fixtures.people import INTENTS, OPERATOR, PASSWORD, Cast, Member, assemble, item

POLYGLOT = PNG + b"<script>alert(1)</script>"
SVG = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"


@pytest.fixture
def cast(app) -> Cast:
    return assemble(app)


def send(client: Any, who: Member, data: bytes, *, queue: str = "intents", name: str = "page.png") -> Any:
    form = {"queue": queue, "file": (io.BytesIO(data), name, "image/svg+xml")}
    return client.post("/api/v1/media", data=form, headers=who.bearer)


def submit(client: Any, who: Member, *given: Any) -> Any:
    body = item(input={"text": "Where?", "pages": [{"$media": one} for one in given]})
    return client.post("/api/v1/items", json=body, headers=who.bearer)


def fetched(client: Any, path: str, who: Member) -> Any:
    """The answer, read to its end."""
    answer = client.get(path, headers=who.bearer)
    assert answer.data is not None
    answer.close()
    return answer


def claimed(client: Any, who: Member) -> str:
    found: str = client.post("/api/v1/queues/intents/claims", headers=who.bearer).json["claim"]["id"]
    return found


def test_an_upload_is_kept_once_and_given_out_in_a_sandbox(app, client, cast):
    first, second = (send(client, cast.submitter, POLYGLOT, name="<b>.svg") for _ in range(2))
    assert first.status_code == 201
    told = {key: first.json[key] for key in ("type", "bytes", "width", "height")}
    assert told == {"type": "image/png", "bytes": len(POLYGLOT), "width": 40, "height": 30}
    assert first.json["$media"] != second.json["$media"]
    assert len(list(app.config["SETTINGS"].media_dir.rglob("*.part"))) == 0
    assert len([path for path in app.config["SETTINGS"].media_dir.rglob("?" * 64) if path.is_file()]) == 1
    made = submit(client, cast.submitter, first.json["$media"], second.json["$media"])
    assert made.status_code == 201, made.text
    answer = fetched(client, f"/api/v1/items/{made.json['id']}/media/1", cast.bob)
    assert answer.data == POLYGLOT
    assert answer.mimetype == "image/png"
    assert answer.headers["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "no-store"
    assert "svg" not in answer.headers["Content-Disposition"]
    assert client.get(f"/api/v1/items/{made.json['id']}/media/2", headers=cast.bob.bearer).status_code == 404


def test_a_pdf_is_a_download_and_never_shown_inside(client, cast):
    sent = send(client, cast.submitter, b"%PDF-1.7\n")
    made = submit(client, cast.submitter, sent.json["$media"])
    answer = fetched(client, f"/api/v1/items/{made.json['id']}/media/0", cast.bob)
    assert answer.headers["Content-Disposition"].startswith("attachment")


def test_what_is_no_picture_or_too_large_is_refused_whatever_it_is_called(app, client, cast):
    answer = send(client, cast.submitter, SVG)
    assert (answer.status_code, answer.json["code"]) == (422, "unknown_media")
    app.config["SETTINGS"] = replace(app.config["SETTINGS"], max_media_bytes=5_000)
    large = png(40, 30) + bytes(5_000)
    assert send(client, cast.submitter, large).status_code == 413
    assert client.post("/api/v1/media", json={}, headers=cast.submitter.bearer).status_code == 415
    form = {"queue": "intents"}
    assert client.post("/api/v1/media", data=form, headers=cast.submitter.bearer).status_code == 415
    form |= {"other": (io.BytesIO(PNG), "page.png")}
    answer = client.post("/api/v1/media", data=form, headers=cast.submitter.bearer)
    assert [fault["pointer"] for fault in answer.json["errors"]] == ["/file"]


def test_an_item_refers_only_to_uploads_for_its_own_queue(app, client, cast):
    with app.app_context(), write_session() as session:
        apply(session=session, actor=OPERATOR, document={**INTENTS, "name": "elsewhere"})
    other = send(client, cast.admin, PNG, queue="elsewhere").json["$media"]
    for given in (other, "nothing", 7, None, "https://example.com/a.png", "file:///etc/passwd"):
        answer = submit(client, cast.submitter, given)
        assert (answer.status_code, answer.json["code"]) == (422, "invalid_item"), given
        assert [fault["pointer"] for fault in answer.json["errors"]] == ["/input/pages/0/$media"]
    batch = {"items": [item(input={"text": "x", "page": {"$media": other}}), item(2)]}
    answer = client.post("/api/v1/items/batch", json=batch, headers=cast.submitter.bearer)
    assert [result["status"] for result in answer.json["results"]] == [422, 201]


def test_whoever_may_not_see_the_item_finds_nothing_there(app, client, cast):
    """Neither a stranger, nor a reviewer of another queue under a claim of their own."""
    with app.app_context(), write_session() as session:
        apply(session=session, actor=OPERATOR, document={**INTENTS, "name": "elsewhere"})
    media = send(client, cast.submitter, PNG).json["$media"]
    made = submit(client, cast.submitter, media).json["id"]
    claim = claimed(client, cast.alice)
    for path in (f"items/{made}", f"claims/{claim}"):
        assert fetched(client, f"/api/v1/{path}/media/0", cast.alice).status_code == 200
        assert client.get(f"/api/v1/{path}/media/0", headers=cast.olga.bearer).status_code == 404
        browser = app.test_client()
        browser.post("/login", data={"email": cast.olga.email, "password": PASSWORD})
        assert browser.get(f"/{path}/media/0").status_code == 404
    foreign = item(queue="elsewhere", input={"text": "x", "page": {"$media": media}})
    assert client.post("/api/v1/items", json=foreign, headers=cast.admin.bearer).status_code == 422


def test_a_decision_notes_what_was_shown(app, client, cast):
    media = send(client, cast.submitter, PNG).json
    submit(client, cast.submitter, media["$media"])
    claim = claimed(client, cast.alice)
    body = {"fence": int(claim.rpartition(".")[2]), "verdict": "approve"}
    assert client.post(f"/api/v1/claims/{claim}/decision", json=body, headers=cast.alice.bearer).status_code == 200
    with app.app_context(), read_session() as session:
        assert media["sha256"] in session.scalars(select(Decision.shown)).one()


def clear_up(app: Any) -> int:
    """What the periodic duty does in some hours."""
    with app.app_context(), read_session() as session, pytest.MonkeyPatch.context() as patch:
        patch.setattr(uploads, "FOLDERS_A_ROUND", files.FOLDERS)
        return uploads.remove_unused(session=session)


def test_uploads_that_nothing_refers_to_are_forgotten_and_shared_files_stay(app, client, cast):
    used, unused = (send(client, cast.submitter, PNG).json for _ in range(2))
    alone = send(client, cast.submitter, png(3, 3)).json
    submit(client, cast.submitter, used["$media"])
    kept_again = send(client, cast.submitter, png(5, 5)).json
    folder = app.config["SETTINGS"].media_dir / alone["sha256"][:2]
    broken_off = folder / f"{alone['sha256']}.x.part"
    broken_off.write_bytes(b"half")
    for path in (*app.config["SETTINGS"].media_dir.rglob("*"), broken_off):
        if path.name in {used["sha256"], alone["sha256"], broken_off.name}:
            os.utime(path, (0, 0))
    with app.app_context():
        with write_session() as session:
            session.execute(update(Media).values(created_at=clock(-uploads.UNUSED_SECONDS - 1)))
        with write_session() as session:
            assert uploads.sweep(session=session) == 3
        with read_session() as session:
            assert list(session.scalars(select(Media.id))) == [used["$media"]]
            assert session.scalars(select(ItemMedia.media_id)).one() == used["$media"]
        assert clear_up(app) == 2
        assert files.path_of(unused["sha256"]).is_file()
        assert files.path_of(kept_again["sha256"]).is_file(), "somebody may be sending it once more at this moment"
        assert list(folder.iterdir()) == []


def test_a_file_stays_while_the_transaction_that_forgets_it_may_still_fail(app, client, cast):
    media = send(client, cast.submitter, PNG).json
    with app.app_context():
        os.utime(files.path_of(media["sha256"]), (0, 0))
        with write_session() as session:
            session.execute(update(Media).values(created_at=clock(-uploads.UNUSED_SECONDS - 1)))
        with write_session() as session:
            assert uploads.sweep(session=session) == 1
            session.rollback()
        assert clear_up(app) == 0
        assert files.path_of(media["sha256"]).read_bytes() == PNG


def test_what_is_kept_again_while_it_is_removed_is_there_after(app, monkeypatch):
    """Whoever removes it looked at its age before, and takes it away after."""
    with app.app_context():
        sha256 = files.keep(PNG)
        path = files.path_of(sha256)
        os.utime(path, (0, 0))
    looked, kept = threading.Event(), threading.Event()
    really = pathlib.Path.unlink

    def unlink(self: Any, missing_ok: bool = False) -> None:
        if self == path:
            looked.set()
            kept.wait(0.5)
        really(self, missing_ok=missing_ok)

    def keep() -> None:
        looked.wait(10)
        with app.app_context():
            files.keep(PNG)
        kept.set()

    monkeypatch.setattr(pathlib.Path, "unlink", unlink)
    keeper = threading.Thread(target=keep)
    keeper.start()
    with app.app_context():
        files.remove(sha256, kept_before=datetime(2020, 1, 1, tzinfo=UTC))
    keeper.join()
    assert path.read_bytes() == PNG


def test_the_disk_is_told_the_name_of_the_file_too(app, client, cast, monkeypatch):
    told: list[int] = []
    really = os.fsync
    monkeypatch.setattr(os, "fsync", lambda file: (told.append(os.fstat(file).st_ino), really(file))[1])
    media = send(client, cast.submitter, PNG).json
    folder = app.config["SETTINGS"].media_dir / media["sha256"][:2]
    assert told[-2:] == [folder.stat().st_ino, folder.parent.stat().st_ino]
    assert told[0] == (folder / media["sha256"]).stat().st_ino


def test_others_write_while_the_disk_takes_an_upload(app, client, cast, monkeypatch):
    """SQLite has one writer at a time."""
    written: list[bool] = []
    really = os.fsync

    def write() -> None:
        with app.app_context(), write_session() as session:
            session.execute(update(Media).values(attempts=1))
        written.append(True)

    def fsync(file: int) -> None:
        really(file)
        if not written:
            writer = threading.Thread(target=write, daemon=True)
            writer.start()
            writer.join(5)
            assert written, "nobody could write"

    monkeypatch.setattr(os, "fsync", fsync)
    assert send(client, cast.submitter, PNG).status_code == 201
    assert written


def test_a_refused_upload_is_not_kept(app, client, cast):
    assert send(client, cast.submitter, PNG, queue="nowhere").status_code == 422
    assert not [path for path in app.config["SETTINGS"].media_dir.rglob("*") if path.is_file()]


RANGES = {
    "bytes=0-9": (206, 10), "bytes=-4": (206, 4), "bytes=1000000-": (416, None), "pages=1-2": (200, len(PNG)),
    "bytes=nonsense": (200, len(PNG)), "bytes=0-1,4-5": (200, len(PNG)),
}  # fmt: skip


def test_ranges_are_those_of_the_standard(client, cast):
    made = submit(client, cast.submitter, send(client, cast.submitter, PNG).json["$media"]).json["id"]
    for asked, (status, length) in RANGES.items():
        answer = client.get(f"/api/v1/items/{made}/media/0", headers={**cast.bob.bearer, "Range": asked})
        assert answer.status_code == status, asked
        if status == 416:
            assert answer.json["code"] == "range_not_satisfiable"
            assert answer.headers["Content-Range"] == f"bytes */{len(PNG)}"
        else:
            assert len(answer.data) == length, asked
        answer.close()
