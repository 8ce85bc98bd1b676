"""`upload` against the application: by path and bytes, sent again with the same key, put into items."""

from __future__ import annotations

import httpx2
import pytest
from reviewqueue_client import Invalid, Media, TooLarge
from sqlalchemy import delete, func, select

from reviewqueue.core.db import read_session, write_session
from reviewqueue.models import Media as StoredMedia
from tests.client import event_loops
from tests.client.transports import Losing, keys
from tests.fixtures.media import PNG, png
from tests.fixtures.pdfs import INVOICE


def stored(app) -> int:
    with app.app_context(), read_session() as session:
        return int(session.scalar(select(func.count()).select_from(StoredMedia)))


def test_a_file_goes_up_by_path_or_bytes_and_into_an_item(rq, app, cast, client, tmp_path):
    path = tmp_path / "page.png"
    path.write_bytes(PNG)
    found = rq.upload(path, "intents")
    assert (found.type, found.bytes, found.width, found.height) == ("image/png", len(PNG), 40, 30)
    document = rq.upload(INVOICE, "intents")
    assert (document.type, document.width) == ("application/pdf", None)
    item = rq.submit("intents", {"text": "x", "pages": [found, document]}, {"label": "lost_card"}, confidence=0.1)
    assert rq.get(item.id).input["pages"] == [found.reference, {"$media": document.id}]
    shown = client.get(f"/api/v1/items/{item.id}/media/1", headers=cast.bob.bearer)
    assert shown.data == INVOICE
    shown.close()
    assert rq.upload(str(path), "intents").id != found.id, "asked for twice, it is there twice"


def test_an_upload_whose_answer_is_lost_is_there_once(app, connected):
    losing = Losing(httpx2.WSGITransport(app), {1, 2}, httpx2.ReadError)
    lossy = connected(transport=losing)
    lossy._sleep = lambda _: None
    assert isinstance(lossy.upload(PNG, "intents"), Media)
    assert stored(app) == 1
    assert len(set(keys(losing.seen))) == 1
    assert len({request.content for request in losing.seen}) == 1


def test_a_key_of_ones_own_holds_across_programs_and_for_one_file(rq, app):
    found = rq.upload(PNG, "intents", idempotency_key="scan-1")
    assert rq.upload(PNG, "intents", idempotency_key="scan-1") == found
    with pytest.raises(Invalid) as error:
        rq.upload(png(3, 3), "intents", idempotency_key="scan-1")
    assert error.value.code == "idempotency_key_reused"
    # Nothing referred to it for a week, and the key is good for a month.
    with app.app_context(), write_session() as session:
        session.execute(delete(StoredMedia))
    assert rq.upload(PNG, "intents", idempotency_key="scan-1") == found
    assert stored(app) == 1


def test_what_is_not_taken_says_so(rq, tmp_path):
    with pytest.raises(Invalid) as error:
        rq.upload(b"<svg/>", "intents")
    assert error.value.code == "unknown_media"
    with pytest.raises(TooLarge):
        rq.upload(PNG + bytes(12_000_000), "intents")
    with pytest.raises(FileNotFoundError):
        rq.upload(tmp_path / "none.png", "intents")


def test_it_goes_up_without_blocking_too(arq, tmp_path):
    path = tmp_path / "page.png"
    path.write_bytes(PNG)

    async def sent():
        page = await arq.upload(path, "intents")
        return page, await arq.submit("intents", {"text": "x", "page": page}, {"label": "refund"}, confidence=0.1)

    page, item = event_loops.run(sent())
    assert (page.width, item.state) == (40, "queued")
