"""The auditor's page: filters in its address, pages, proofs, the state of the seal, erasing."""

from __future__ import annotations

import re
from typing import Any

from reviewqueue.audit import chain, reading
from tests.desk_steps import decide, submit
from tests.fixtures.people import Cast


def signed_in(app: Any, who: Any) -> Any:
    browser = app.test_client()
    browser.post("/login", data={"email": who.email, "password": who.password})
    return browser


def rows(page: Any) -> list[str]:
    body = page.text.partition("<tbody>")[2].partition("</tbody>")[0]
    return [" ".join(re.sub(r"<[^>]+>", " ", row).split()) for row in body.split("<tr>")[1:]]


def test_the_auditor_finds_events_and_downloads_what_proves_one(app: Any, client: Any, cast: Cast, keeper: Any) -> None:
    item, other = submit(client, cast)["id"], submit(client, cast, external_id="b")["id"]
    decide(client, cast.alice, verdict="override", output={"label": "refund"}, comment="<b>No</b>")
    otto = signed_in(app, cast.auditor)
    page = otto.get("/admin/audit")
    assert "not signed yet" in page.text
    keeper.seal()
    keeper.sign()
    found = rows(otto.get(f"/admin/audit?item={item}"))
    assert len(found) >= 4
    assert all(item[-8:] in row and other[-8:] not in row for row in found)
    mine = rows(otto.get(f"/admin/audit?person={cast.alice.email.upper()}&action=task"))
    assert mine
    assert all(" Alice api " in row for row in mine)
    assert any("<b>No</b>" in row.replace("&lt;", "<").replace("&gt;", ">") for row in found), "as it was typed"
    assert rows(otto.get("/admin/audit?until=2020-01-01")) == []
    assert rows(otto.get("/admin/audit?since=2020-01-01&action=item.submitted")) != []
    assert rows(otto.get("/admin/audit?item=nonsense")) == []
    assert otto.get("/admin/audit?since=yesterday").status_code == 422
    link = re.search(r'href="(/admin/audit/[^"]+/proof)"', otto.get(f"/admin/audit?item={item}").text)
    assert link
    proof = otto.get(link[1])
    assert proof.headers["Content-Disposition"].startswith("attachment")
    assert chain.check_lines(proof.text.splitlines())[0].faults == []
    assert "Erase for good" not in page.text


def test_pages_go_on_by_cursor_until_the_first_event(app: Any, cast: Cast, keeper: Any, monkeypatch: Any) -> None:
    keeper.record(reading.PAGE + 5)
    monkeypatch.setattr(reading, "LOOKED_AT", 40)
    otto, address, seen = signed_in(app, cast.auditor), "/admin/audit?action=test.happened", []
    while address:
        page = otto.get(address)
        seen += rows(page)
        following = re.search(r'href="([^"]+)" rel="next"', page.text)
        address = following[1].replace("&amp;", "&") if following else ""
    assert len(seen) == reading.PAGE + 5
    assert len({re.search(r"Zoë (\d+)", row)[1] for row in seen}) == reading.PAGE + 5  # type: ignore[index]


def test_an_administrator_erases_with_a_reason_and_the_page_says_what_is_gone(
    app: Any, client: Any, cast: Cast, keeper: Any
) -> None:
    item = submit(client, cast, subject="customer-1")["id"]
    decide(client, cast.alice, verdict="override", output={"label": "refund"}, comment="Mrs Miller again")
    ada = signed_in(app, cast.admin)
    assert "Mrs Miller" in ada.get(f"/admin/audit?item={item}").text
    assert ada.post("/admin/erasures", data={"item": item, "subject": "x", "reason": "y"}).status_code == 422
    done = ada.post("/admin/erasures", data={"subject": "customer-1", "reason": "Asked for it"}, follow_redirects=True)
    assert "1 item erased" in done.text
    assert "Asked for it" in rows(done)[0]
    after = ada.get(f"/admin/audit?item={item}").text
    assert "Mrs Miller" not in after
    assert "content erased" in after
    assert keeper.faults() == set()
