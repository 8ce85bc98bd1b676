"""The pages of imports: the list, one that runs and one that is done, and the lines it refused."""

from __future__ import annotations

import json

import pytest

from reviewqueue.core.db import write_session
from reviewqueue.intake import imports
from tests.fixtures.people import item


@pytest.fixture
def ada(client, cast):
    client.post("/login", data={"email": cast.admin.email, "password": cast.admin.password})
    return client


def sent(client, cast, lines: list[str]) -> str:
    answer = client.post(
        "/api/v1/imports", data="\n".join(lines), content_type="application/x-ndjson", headers=cast.submitter.bearer
    )
    assert answer.status_code == 202
    return answer.json["id"]


def test_where_there_is_none_the_page_says_how_to_import(ada):
    page = ada.get("/admin/imports")
    assert "No imports yet" in page.text
    assert "/docs#import_items" in page.text


def test_an_import_is_followed_until_it_is_done(app, ada, cast):
    broken = [json.dumps({**item(number), "confidence": 7}) for number in range(30)]
    run = sent(ada, cast, [*broken, json.dumps(item()), '{"queue": "<script>alert(1)</script>"'])
    live = ada.get(f"/admin/imports/{run}")
    assert "Being stored" in live.text
    assert f"/admin/imports/{run}?part=progress" in live.text
    with app.app_context(), write_session() as session:
        assert imports.store_next(session=session, import_id=run)[0] is imports.Step.STORED
    part = ada.get(f"/admin/imports/{run}?part=progress")
    assert "data-refresh" not in part.text
    assert "<html" not in part.text
    listed = ada.get("/admin/imports").text
    assert f"/admin/imports/{run}" in listed
    first = ada.get(f"/admin/imports/{run}").text
    assert first.count("/confidence") == 25
    further = first.split('rel="next"')[0].rsplit('href="', 1)[1].split('"')[0]
    rest = ada.get(further).text
    assert rest.count("/confidence") == 5
    assert "not JSON" in rest
    assert "<script>alert" not in first + rest


def test_a_cursor_that_the_list_did_not_give_is_refused(ada, cast):
    run = sent(ada, cast, [json.dumps(item())])
    assert ada.get(f"/admin/imports/{run}?cursor=eA").status_code == 422
    assert ada.get("/admin/imports?cursor=eA").status_code == 422
