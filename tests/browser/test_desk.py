"""Reviewing in a real browser, with the keyboard alone."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from reviewqueue.models import Task
from reviewqueue.models.states import QueueRole
from reviewqueue.queues.applying import apply
from tests.fixtures.people import PASSWORD
from tests.fixtures.processes import until

pytestmark = pytest.mark.browser


SENT = "performance.getEntries().reduce((sum, one) => sum + (one.encodedBodySize ?? 0), 0)"
"""Bytes that the page and all that it needs took on the wire, without headers."""


def begin(page: Any, queue: str) -> None:
    page.goto(f"/queues/{queue}")
    page.keyboard.press("Enter")
    page.wait_for_selector("main.desk")
    ready(page)


def ready(page: Any) -> None:
    """Wait until the item has been in sight for so long that it can be decided."""
    page.wait_for_function("() => !document.body.matches('.fresh')")


def task(page: Any) -> str | None:
    return page.evaluate("document.querySelector('main').dataset.task ?? null")


def looked(page: Any) -> None:
    """Wait until what is selected has been in sight for so long that it counts as looked at."""
    page.wait_for_function("() => document.activeElement.closest('[data-pointer]')?.matches('.seen')")


def on(page: Any, *keys: str) -> None:
    """Press `keys`, and wait until another page is in hand."""
    ready(page)
    page.evaluate("document.querySelector('main').dataset.before = 'yes'")
    for key in keys:
        page.keyboard.press(key)
    page.wait_for_function(
        "() => !document.querySelector('main').dataset.before && !document.body.matches('.fresh, [aria-busy]')"
    )


def type_in(page: Any, text: str) -> None:
    page.keyboard.type(text)


def verdicts(site: Any) -> list[tuple[str, Any]]:
    return [(row.verdict.value, json.loads(row.output)) for row in site.decisions()]


def test_ten_choices_are_decided_without_the_mouse(site, page):
    for number in range(10):
        site.submit(
            "intents", {"label": "card_missing"}, given={"text": f"Question {number}"}, confidence=0.4,
            alternatives=[{"output": {"label": "card_blocked"}, "confidence": 0.3},
                          {"output": {"label": "fee_wrong"}, "confidence": 0.1}],
        )  # fmt: skip
    begin(page, "intents")
    assert "Unsure: confidence 0.40" in page.inner_text(".why .chip >> nth=0")
    for _ in range(4):
        on(page, "Enter")
    for key in ("1", "2", "1"):
        on(page, key)
    page.keyboard.press("/")
    type_in(page, "refund lim")
    page.keyboard.press("Enter")
    assert page.inner_text("#decide span") == "Save correction"
    on(page, "Enter")
    page.keyboard.press("x")
    page.keyboard.press("2")
    type_in(page, "card_stolen")
    on(page, "Enter")
    on(page, "Enter")
    assert "Nothing waits here" in page.inner_text("main")
    assert verdicts(site) == [
        *[("approve", {"label": "card_missing"})] * 4,
        ("override", {"label": "card_blocked"}), ("override", {"label": "fee_wrong"}),
        ("override", {"label": "card_blocked"}), ("override", {"label": "refund_limit"}),
        ("reject", None), ("approve", {"label": "card_missing"}),
    ]  # fmt: skip
    rejected = site.decisions()[8]
    assert (rejected.reason, rejected.suggested_label) == ("no_label_fits", "card_stolen")
    assert all(0 <= row.spent_seconds < 60 and row.via == "web" for row in site.decisions())


def test_with_few_labels_the_digits_are_the_labels_in_schema_order_and_a_due_reason_is_asked(site, page):
    for _ in range(2):
        site.submit("moods", "neutral", alternatives=[{"output": "cross", "confidence": 0.2}])
    begin(page, "moods")
    assert [row.inner_text().split()[:2] for row in page.query_selector_all("#choices .choice")] == [
        ["1", "glad"], ["2", "neutral"], ["3", "cross"],
    ]  # fmt: skip
    on(page, "2")
    page.keyboard.press("3")
    assert page.is_checked("[name=choice][value='\"cross\"']")
    assert page.query_selector("#reasons.asking") is None, "a reason is due: the digit only selects"
    assert verdicts(site) == [("approve", "neutral")]
    page.keyboard.press("Enter")
    assert "a reason is needed" in page.inner_text("#reason-ask")
    on(page, "1")
    assert verdicts(site) == [("approve", "neutral"), ("override", "cross")]
    assert site.decisions()[1].reason == "tone"


def test_ten_texts_are_decided_without_the_mouse(site, page):
    for number in range(10):
        site.submit("replies", {"reply": f"Dear customer,\nwe looked at it: {number}."})
    begin(page, "replies")
    for _ in range(5):
        on(page, "Control+Enter")
    for number in range(4):
        page.keyboard.press("Enter")
        page.keyboard.press("Control+End")
        page.keyboard.press("Enter")
        type_in(page, f"Regards {number}")
        assert f"Regards {number}" in page.inner_text("#diff ins")
        page.keyboard.press("Escape")
        assert page.inner_text("#decide span") == "Save correction"
        on(page, "Control+Enter")
    page.keyboard.press("x")
    on(page, "1")
    found = verdicts(site)
    assert found[:5] == [("approve", {"reply": f"Dear customer,\nwe looked at it: {n}."}) for n in range(5)]
    assert found[5] == ("edit", {"reply": "Dear customer,\nwe looked at it: 5.\nRegards 0"})
    assert [verdict for verdict, _ in found[5:]] == ["edit"] * 4 + ["reject"]


RECEIPT = {
    "company": "Kedai Ubat", "date": None, "total": 35.0, "count": 2, "paid": False, "currency": "RM",
    "seller": {}, "tags": ["cash", ""], "lines": [{"what": "Tea", "amount": 1.5}], "unknown": {"kept": [1, None]},
}  # fmt: skip


def test_ten_forms_are_decided_without_the_mouse(site, page):
    for _ in range(10):
        site.submit("receipts", RECEIPT, parts=[
            {"pointer": "/company", "confidence": 0.92}, {"pointer": "/total", "confidence": 0.35},
            {"pointer": "/lines/0/what", "confidence": 0.45},
        ])  # fmt: skip
    begin(page, "receipts")
    for number in range(5):
        assert page.evaluate("document.activeElement.dataset.pointer") == "/total", "the most doubtful is selected"
        page.keyboard.press("Enter")
        type_in(page, f"{number}.90")
        page.keyboard.press("Enter")
        assert page.inner_text(".part:focus del") == "35.0"
        assert page.inner_text(".part:focus ins") == f"{number}.90"
        page.keyboard.press("d")
        assert page.evaluate("document.activeElement.dataset.pointer") == "/lines/0/what"
        looked(page)
        on(page, "Control+Enter")
    for _ in range(4):
        page.keyboard.press("d")
        looked(page)
        on(page, "Control+Enter")
    page.keyboard.press("Control+Enter")
    assert "Lines 1 What" in page.inner_text("#doubt-text") or "What (0.45)" in page.inner_text("#doubt-text")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.dataset.pointer") == "/lines/0/what"
    looked(page)
    on(page, "Control+Enter")
    found = verdicts(site)
    assert found[:5] == [("edit", {**RECEIPT, "total": number + 0.9}) for number in range(5)]
    assert found[5:] == [("approve", RECEIPT)] * 5
    assert set(json.loads(site.decisions()[0].seen)) >= {"/total", "/lines/0/what"}
    assert "/company" not in json.loads(site.decisions()[0].seen)


def test_rows_of_a_list_are_added_and_removed(site, page):
    site.submit("receipts", RECEIPT)
    begin(page, "receipts")
    page.click(".group[data-group='/lines'] > [data-add]")
    type_in(page, "Milk")
    page.keyboard.press("Escape")
    page.click(".group[data-group='/tags'] .list-row:nth-child(2) .remove")
    on(page, "Control+Enter")
    changed = {**RECEIPT, "tags": ["cash"], "lines": [*RECEIPT["lines"], {"what": "Milk"}]}
    assert verdicts(site) == [("edit", changed)]


def test_a_wrong_value_is_refused_beside_its_field_and_nothing_typed_is_lost(site, page):
    site.submit("receipts", RECEIPT, parts=[{"pointer": "/total", "confidence": 0.35}])
    begin(page, "receipts")
    page.keyboard.press("Enter")
    type_in(page, "33,90")
    page.keyboard.press("Escape")
    page.keyboard.press("n")
    type_in(page, "a note")
    page.keyboard.press("Escape")
    on(page, "Control+Enter")
    assert "must be a number" in page.inner_text(".part[data-pointer='/total'] .errors")
    page.wait_for_function("() => document.querySelector('#draft-state').textContent.startsWith('Draft saved')")
    assert "must be a number" in page.inner_text(".part[data-pointer='/total'] .errors")
    assert page.input_value("[name='f/total']") == "33,90"
    assert page.input_value("#comment") == "a note"
    assert site.decisions() == []


def test_undo_brings_the_item_back_as_it_was_decided(site, page):
    for number in range(2):
        site.submit("intents", {"label": "card_missing"}, given={"text": f"Q{number}"}, confidence=0.4)
    begin(page, "intents")
    first = task(page)
    page.keyboard.press("n")
    type_in(page, "hasty")
    page.keyboard.press("Escape")
    on(page, "Enter")
    assert task(page) != first
    assert int(page.inner_text("#undo-left").split()[0]) <= 10
    on(page, "z")
    assert task(page) == first
    assert page.input_value("#comment") == "hasty"
    assert site.decisions() == []
    on(page, "Enter")
    on(page, "Enter")
    on(page, "z")
    assert len(site.decisions()) == 1, "also from the page that says that nothing waits"


def test_a_draft_survives_a_reload(site, page):
    site.submit("replies", {"reply": "Dear customer"})
    begin(page, "replies")
    page.keyboard.press("Enter")
    page.keyboard.press("Control+End")
    type_in(page, ", thank you")
    page.wait_for_function("() => document.querySelector('#draft-state').textContent.startsWith('Draft saved')")
    page.reload()
    assert page.input_value("#text") == "Dear customer, thank you"
    assert page.inner_text("#decide span") == "Save correction"
    assert page.inner_text("#diff ins") == ", thank you"


def test_a_lost_lease_keeps_what_was_typed_and_it_can_be_claimed_again(site, page):
    site.submit("replies", {"reply": "Dear customer"})
    begin(page, "replies")
    page.keyboard.press("Enter")
    page.keyboard.press("Control+End")
    type_in(page, ", thank you")
    site.lose_leases()
    on(page, "Control+Enter")
    assert "no longer yours" in page.inner_text(".notice")
    assert page.input_value("#text") == "Dear customer, thank you"
    assert site.decisions() == []
    on(page, "Enter")
    assert page.query_selector(".notice") is None
    assert page.input_value("#text") == "Dear customer, thank you"
    on(page, "Control+Enter")
    assert verdicts(site) == [("edit", {"reply": "Dear customer, thank you"})]


def test_what_is_typed_offline_is_kept_and_sent_once_the_network_is_back(site, page):
    site.submit("replies", {"reply": "Dear customer"})
    begin(page, "replies")
    page.context.set_offline(True)
    page.keyboard.press("Enter")
    page.keyboard.press("Control+End")
    type_in(page, ", offline")
    page.wait_for_function("() => document.querySelector('#draft-state').textContent.startsWith('Offline')")
    assert site.drafts() == []
    page.evaluate("document.querySelector('main').dataset.before = 'yes'")
    page.keyboard.press("Control+Enter")
    page.context.set_offline(False)
    page.wait_for_function("() => !document.querySelector('main').dataset.before")
    assert verdicts(site) == [("edit", {"reply": "Dear customer, offline"})]


def sign_in(page: Any, who: str = "alice") -> None:
    page.fill("[name=email]", f"{who}@example.org")
    page.fill("[name=password]", PASSWORD)
    page.press("[name=password]", "Enter")


def test_a_session_that_ends_while_one_types_costs_a_sign_in_and_nothing_typed(site, page):
    site.submit("replies", {"reply": "Dear customer"})
    begin(page, "replies")
    mine = task(page)
    page.keyboard.press("Enter")
    page.keyboard.press("Control+End")
    site.end_sessions()
    type_in(page, ", thank you")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("#signed-out[open]")
    assert "csrf" not in page.evaluate("Object.values(localStorage).join()")
    page.keyboard.press("Enter")
    page.wait_for_selector("[name=password]")
    sign_in(page)
    page.wait_for_selector("main.desk")
    assert task(page) == mine
    page.wait_for_function("() => document.querySelector('#text').value === 'Dear customer, thank you'")
    page.wait_for_function("() => !document.body.ariaBusy && !!document.querySelector('#draft-state').textContent")
    on(page, "Control+Enter")
    assert verdicts(site) == [("edit", {"reply": "Dear customer, thank you"})]


def test_what_one_person_typed_in_a_browser_is_not_restored_for_another(site, page):
    site.submit("replies", {"reply": "Dear customer"})
    begin(page, "replies")
    page.context.set_offline(True)
    page.keyboard.press("Enter")
    type_in(page, "Private ")
    page.wait_for_function("() => document.querySelector('#draft-state').textContent.startsWith('Offline')")
    page.context.clear_cookies()
    site.free_tasks()
    page.context.set_offline(False)
    page.goto("/login")
    sign_in(page, "carol")
    page.wait_for_url(f"{site.address}/")
    begin(page, "replies")
    assert page.input_value("#text") == "Dear customer"
    assert page.inner_text("#draft-state") == ""


def test_a_rejection_says_so_on_its_button_and_asks_for_the_note_that_its_reason_needs(site, page):
    site.submit("replies", {"reply": "Dear customer"})
    begin(page, "replies")
    page.keyboard.press("x")
    assert page.inner_text("#decide span") == "Reject"
    assert not page.is_visible("#reject")
    page.click("#decide")
    assert site.decisions() == [], "not before a reason is given"
    page.keyboard.press("Escape")
    assert page.inner_text("#decide span") == "Approve"
    assert page.is_visible("#reject")
    page.keyboard.press("x")
    digit = page.evaluate(
        "[...document.querySelectorAll('[name=reason]')].findIndex((input) => 'note' in input.dataset) + 1"
    )
    page.keyboard.press(str(digit))
    page.wait_for_function("() => document.activeElement.id === 'comment'")
    type_in(page, "Rude")
    on(page, "Control+Enter")
    [decision] = site.decisions()
    assert (decision.verdict, decision.reason, decision.comment) == ("reject", "other", "Rude")


def test_a_lease_is_renewed_while_one_works(site, page):
    site.write(apply, document={**site.documents["replies"], "lease_minutes": 0.1})
    site.submit("replies", {"reply": "Dear customer"})
    begin(page, "replies")
    first = site.rows(Task)[0].lease_until
    page.keyboard.press("Enter")
    type_in(page, "Oh ")
    until(lambda: site.rows(Task)[0].lease_until > first, what="the renewal")
    assert page.query_selector(".notice") is None


def test_a_lease_that_runs_out_unseen_says_so_and_keeps_the_draft(site, page):
    site.submit("replies", {"reply": "Dear customer"})
    begin(page, "replies")
    page.keyboard.press("Enter")
    type_in(page, "Oh ")
    site.lose_leases()
    page.reload()
    page.wait_for_selector(".notice >> text=no longer yours")
    page.wait_for_function("() => document.querySelector('#text').value === 'Oh Dear customer'")


def test_where_nobody_leads_an_escalation_says_so_and_keeps_the_task(site, page):
    site.submit("intents", {"label": "card_missing"}, confidence=0.4)
    begin(page, "intents")
    mine = task(page)
    page.keyboard.press("e")
    on(page, "Control+Enter")
    assert task(page) == mine
    assert "no other lead" in page.inner_text(".flashes")


def test_skip_escalate_and_pause_have_their_keys(site, page):
    site.join("carol", "intents", QueueRole.LEAD)
    for number in range(3):
        site.submit("intents", {"label": "card_missing"}, given={"text": f"Q{number}"}, confidence=0.4)
    begin(page, "intents")
    first = task(page)
    on(page, "s")
    second = task(page)
    assert second != first
    page.keyboard.press("e")
    type_in(page, "Needs a lead")
    on(page, "Control+Enter")
    assert task(page) not in {first, second}
    on(page, "p")
    assert "1 held item went back" in page.inner_text(".flash")
    assert site.decisions() == []


def test_a_key_held_down_decides_once(site, page):
    for number in range(3):
        site.submit("intents", {"label": "card_missing"}, given={"text": f"Q{number}"}, confidence=0.4)
    begin(page, "intents")
    page.evaluate("document.querySelector('main').dataset.before = 'yes'")
    page.keyboard.down("Enter")
    page.keyboard.down("Enter")
    page.wait_for_function("() => !document.querySelector('main').dataset.before")
    page.keyboard.down("Enter")
    page.keyboard.up("Enter")
    page.wait_for_function("() => !document.body.ariaBusy")
    assert len(site.decisions()) == 1


def test_single_keys_can_be_switched_off_and_stay_off(site, page):
    site.submit("intents", {"label": "card_missing"}, confidence=0.4)
    begin(page, "intents")
    page.keyboard.press("?")
    page.uncheck("#keys-on")
    page.keyboard.press("Escape")
    page.reload()
    page.wait_for_selector("body.keys-off")
    for key in ("Enter", "1", "x", "s", "p"):
        page.keyboard.press(key)
    assert page.query_selector("#reasons.asking") is None
    assert page.query_selector("main.desk") is not None
    assert site.decisions() == []
    page.evaluate("document.querySelector('main').dataset.before = 'yes'")
    ready(page)
    page.click("#decide")
    page.wait_for_function("() => !document.querySelector('main').dataset.before")
    assert len(site.decisions()) == 1


HOSTILE = [
    "<script>document.title='owned'</script>", "<img src=x onerror=\"document.title='owned'\">",
    "</textarea><svg onload=\"document.title='owned'\">", "{{ 7*7 }}", "javascript:alert(1)",
    "\u202eevil\u202c and\u200b hidden",
]  # fmt: skip


def test_hostile_content_is_text_and_nothing_else(site, page):
    for text in HOSTILE:
        site.submit("replies", {"reply": text}, given={text: text}, metadata={"note": text}, explanation=text)
    begin(page, "replies")
    for text in HOSTILE:
        page.wait_for_selector(f"main[data-task='{task(page)}']")
        assert page.input_value("#text") == text
        assert "owned" not in page.title()
        assert page.query_selector(".stage script, .stage img, .stage svg") is None
        if "\u202e" in text:
            assert page.inner_text(".stage .hidden-char >> nth=0") == "U+202E"
            assert "\u202e" not in page.inner_text(".stage")
        on(page, "Control+Enter")
    assert [output for _, output in verdicts(site)] == [{"reply": text} for text in HOSTILE]


@pytest.mark.data
def test_every_naughty_string_is_shown_as_it_is_and_comes_back_unchanged(site, page):
    folder = os.environ.get("REVIEWQUEUE_TEST_DATA")
    if not folder:
        pytest.skip("REVIEWQUEUE_TEST_DATA does not name the data sets")
    strings = json.loads((Path(folder) / "naughty" / "blns.json").read_text(encoding="utf-8"))
    for text in strings:
        site.submit("replies", {"reply": text}, given={"text": text}, metadata={"note": text})
    begin(page, "replies")
    for _ in strings:
        on(page, "Control+Enter")
    assert sorted(output["reply"] for _, output in verdicts(site)) == sorted(strings)
    assert {verdict for verdict, _ in verdicts(site)} == {"approve"}


def test_the_desk_fits_a_phone_and_weighs_little(site, open_page):
    site.submit("intents", {"label": "card_missing"}, given={"text": "word " * 200}, confidence=0.4)
    page = open_page(color_scheme="dark", is_mobile=True, has_touch=True)
    page.set_viewport_size({"width": 390, "height": 844})
    begin(page, "intents")
    page.reload()
    page.wait_for_load_state("networkidle")
    assert 20_000 < page.evaluate(SENT) <= 100 * 1024
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    deck = page.locator(".deck").bounding_box()
    assert deck is not None
    assert deck["y"] + deck["height"] <= 844
    assert page.locator("#decide").is_visible()
    page.locator("#decide").click()
    page.wait_for_selector("text=Nothing waits here")


def test_blind_nothing_is_chosen_and_enter_does_nothing_until_something_is(site, page):
    site.write(apply, document={**site.documents["moods"], "reviews": {"blind": 1.0}})
    site.submit("moods", "neutral", alternatives=[{"output": "cross", "confidence": 0.2}])
    begin(page, "moods")
    assert "Judge it blind" in page.inner_text(".notice")
    assert page.locator("[name=choice]:checked").count() == 0
    assert page.locator(".choice svg").count() == 0, "no confidences"
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.querySelector('#draft-state').textContent === 'Pick a label first.'")
    assert site.decisions() == []
    on(page, "1")
    assert verdicts(site) == [("override", "glad")]
    assert json.loads(site.decisions()[0].shown)["blind"] is True
