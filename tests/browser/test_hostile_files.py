"""Promise 13, for files: names of those that come in, and tables that go out."""

from __future__ import annotations

import csv

import pytest
from sqlalchemy import select

from reviewqueue.accounts import people
from reviewqueue.core.db import write_session
from reviewqueue.models import Queue
from reviewqueue.models.states import SiteRole
from tests.fixtures.people import PASSWORD
from tests.insights.populating import judged

pytestmark = pytest.mark.browser
NAMES = (
    '"><img src=x onerror=alert(1)>.csv', "../../../etc/passwd", "..\\..\\boot.ini", "=HYPERLINK(1).csv", ".csv",
    "\u202egpj.exe.csv", "{{7*7}}${7*7}.csv", "a" * 300 + ".csv", "nul\x01byte.csv", "title: [broken: yaml.csv",
)  # fmt: skip
TABLE = b"text,label\nWhere is it?,lost_card\nAgain?,refund\n"
RUN = ("=", "+", "-", "@", "\t", "\r")


@pytest.fixture
def admin(site, open_page):
    site.write(
        people.create, email="root@example.org", name="Root", role=SiteRole.ADMIN, password=PASSWORD,
        must_change_password=False,
    )  # fmt: skip
    return open_page("root")


def test_the_name_of_a_file_is_text_and_nothing_else(admin):
    dialogs = []
    admin.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    for name in NAMES:
        admin.goto("/start/table")
        admin.set_input_files("#file", {"name": name, "mimeType": "text/csv", "buffer": TABLE})
        admin.wait_for_selector("textarea[name=document]", state="attached")
        assert admin.locator("img[src=x]").count() == 0, name
        document = admin.input_value("textarea[name=document]")
        assert "49$" not in document, name
        assert "passwd" not in document or "/" not in document.partition("passwd")[0].rpartition("\n")[2], name
    assert dialogs == []


def test_a_table_that_is_taken_along_runs_nothing_in_a_spreadsheet(site, admin):
    with site.app.app_context(), write_session() as session:
        queue_id = session.scalars(select(Queue.id).where(Queue.slug == "intents")).one()
        for version in ("=1+1", "+1", "-1", "@SUM(1)", "\t=1", "\r=1", 'a",=1'):
            judged(session, queue_id, count=2, version=version, rule=version)
    for table in ("versions", "rules"):
        admin.goto("/queues/intents/insights")
        with admin.expect_download() as told:
            admin.click(f"#{table} >> text=CSV")
        with open(told.value.path(), newline="") as file:
            rows = list(csv.reader(file))
        assert any("1+1" in cell for row in rows for cell in row), rows
        assert [cell for row in rows for cell in row if cell.startswith(RUN)] == []
