"""What people set for themselves."""

from __future__ import annotations

import re

import pytest

from reviewqueue.accounts.preferences import Preferences, save
from reviewqueue.errors import Invalid
from reviewqueue.models.states import Images
from tests.fixtures.people import PASSWORD


def test_what_is_kept_holds_on_every_page_until_it_is_changed(app, cast):
    browser = app.test_client()
    browser.post("/login", data={"email": cast.alice.email, "password": PASSWORD})
    assert "data-images" not in browser.get("/").text
    assert re.search(r'title="\d+ \w+ \d{4}, [\d:]+ UTC"', browser.get("/account").text)
    wanted = {"images": "grey", "covers_warned": "y", "break_minutes": "25", "time_zone": "Asia/Kolkata", "style": "de"}
    assert browser.post("/account/preferences", data=wanted).status_code == 303
    page = browser.get("/account").text
    assert re.search(r'title="\d\d\.\d\d\.\d{4}, [\d:]+ IST"', page)
    assert '<body class="" data-images="grey">' in page
    assert [re.search(rf'name="{name}"[^>]*value="([^"]*)"', page)[1] for name in ("time_zone",)] == ["Asia/Kolkata"]
    assert browser.post("/account/preferences", data={"images": "shown"}).status_code == 303
    assert "data-images" not in browser.get("/").text
    assert re.search(r'title="\d{4}-\d\d-\d\d', browser.get("/account").text) is None
    german = browser.get("/account", headers={"Accept-Language": "de-AT,de;q=0.9"}).text
    assert re.search(r'title="\d\d\.\d\d\.\d{4}, [\d:]+ UTC"', german), "as the browser asks"


@pytest.mark.parametrize(
    ("pointer", "wanted"),
    [
        ("/time_zone", Preferences(time_zone="Europe/Nowhere")), ("/time_zone", Preferences(time_zone="../etc/passwd")),
        ("/break_minutes", Preferences(break_minutes=1)), ("/style", Preferences(style="xx")),
    ],
)  # fmt: skip
def test_it_refuses_what_cannot_be_set(transaction, cast, pointer, wanted):
    with pytest.raises(Invalid) as refused, transaction() as session:
        save(session=session, actor=cast.alice.actor, wanted=wanted)
    assert [fault.pointer for fault in refused.value.faults] == [pointer]


def test_the_page_says_what_is_wrong_and_keeps_the_rest(app, cast):
    browser = app.test_client()
    browser.post("/login", data={"email": cast.alice.email, "password": PASSWORD})
    answer = browser.post("/account/preferences", data={"images": Images.HIDDEN.value, "time_zone": "Mars/Base"})
    assert answer.status_code == 422
    assert "Is no time zone that is known here" in answer.text
    assert 'value="Mars/Base"' in answer.text
    assert "data-images" not in browser.get("/").text
