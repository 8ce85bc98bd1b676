"""Take the pictures in docs/pictures from a running `reviewqueue demo`.

    reviewqueue demo --port 8000
    python scripts/take_pictures.py http://127.0.0.1:8000

Needs the extra `e2e` and a Chromium (named in CHROMIUM, or on the PATH). Take them from a fresh demo: a few items are
skipped and decided, and a queue is made from a table.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

FOLDER = Path(os.environ.get("PICTURES") or Path(__file__).resolve().parent.parent / "docs" / "pictures")
PASSWORD = "demo-password"  # noqa: S105 - printed by the demo
DESK = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844}


def signed_in(browser: Browser, address: str, who: str, **options: Any) -> Page:
    page = browser.new_context(base_url=address, **{"viewport": DESK, **options}).new_page()
    page.goto("/login")
    page.fill("[name=email]", f"{who}@demo.example")
    page.fill("[name=password]", PASSWORD)
    page.press("[name=password]", "Enter")
    page.wait_for_url(f"{address}/")
    return page


def take(page: Page, name: str) -> None:
    page.wait_for_load_state("networkidle")
    wider = page.evaluate("() => document.documentElement.scrollWidth - innerWidth")
    page.screenshot(path=FOLDER / f"{name}.png")
    print(f"{name}.png" + (f"  WIDER THAN THE WINDOW by {wider} px" if wider > 0 else ""))


def everywhere(browser: Browser, page: Page, name: str) -> None:
    """The page in hand at both widths, light and dark."""
    state = page.context.storage_state()
    for ending, options in {
        "": {"viewport": DESK}, "-dark": {"viewport": DESK, "color_scheme": "dark"},
        "-390": {"viewport": PHONE}, "-390-dark": {"viewport": PHONE, "color_scheme": "dark"},
    }.items():  # fmt: skip
        context = browser.new_context(storage_state=state, **options)  # type: ignore[arg-type]
        other = context.new_page()
        other.goto(page.url)
        take(other, name + ending)
        context.close()


READY = "() => !document.body.matches('.fresh')"
"""The item has been in sight for so long that it can be decided."""


def begin(page: Page, queue: str, until: str = "main.desk") -> None:
    """Claim items of `queue`, skipping until one shows `until`."""
    page.goto(f"/queues/{queue}")
    page.keyboard.press("Enter")
    page.wait_for_selector("main.desk")
    for _ in range(12):
        page.wait_for_function(READY)
        if page.query_selector(until):
            return
        before = page.get_attribute("main", "data-task")
        page.keyboard.press("s")
        page.wait_for_function("before => document.querySelector('main').dataset.task !== before", arg=before)


def saved(page: Page) -> None:
    page.wait_for_function("() => document.querySelector('#draft-state').textContent.startsWith('Draft saved')")


def main(address: str) -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        desk(browser, address)
        people(browser, address)
        table(browser, address)
        details(browser, address)
        site(browser, address)
        browser.close()


def desk(browser: Browser, address: str) -> None:
    page = browser.new_context(base_url=address, viewport=DESK).new_page()  # type: ignore[arg-type]
    page.goto("/login")
    take(page, "login")
    page = signed_in(browser, address, "carol")
    everywhere(browser, page, "home")
    begin(page, "support-intents", ".search")
    everywhere(browser, page, "choice")
    page.keyboard.press("/")
    page.keyboard.type("card")
    take(page, "choice-search")
    begin(page, "reply-drafts")
    page.keyboard.press("Enter")
    page.keyboard.press("Control+End")
    page.keyboard.type(" Kind regards, the service desk")
    saved(page)
    page.keyboard.press("Escape")
    everywhere(browser, page, "text")
    begin(page, "invoices", ".part.doubtful")
    page.keyboard.press("Enter")
    page.keyboard.type("118.40")
    saved(page)
    page.keyboard.press("Escape")
    take(page, "json")
    everywhere(browser, page, "json-draft")
    page.keyboard.press("?")
    take(page, "keys")
    begin(page, "delivery-notes", "#pages[data-words*='Coastline']")
    words = page.evaluate("JSON.parse(document.querySelector('#pages').dataset.words).map((word) => word[5])")
    page.locator(".word").nth(words.index("Coastline")).click()
    page.locator(".word").nth(words.index("Freight")).click(modifiers=["Shift"])
    saved(page)
    take(page, "document")
    everywhere(browser, page, "document")
    begin(page, "shelf-goods", "svg.over .box")
    take(page, "boxes")
    everywhere(browser, page, "boxes")
    for queue, name in TYPES.items():
        begin(page, queue)
        everywhere(browser, page, name)


TYPES = {
    "survey-topics": "multi-choice", "answer-pairs": "compare", "agent-replies": "chat", "names-in-notes": "spans",
    "ticket-urgency": "few-labels",
}  # fmt: skip
"""Queues whose first item shows what their type is about."""


PAGES = {
    "exports": ("anna", "/exports"), "people": ("admin", "/admin/people"), "tokens": ("admin", "/admin/tokens"),
    "queues": ("admin", "/admin/queues"), "queue": ("admin", "/admin/queues/support-intents"),
    "members": ("admin", "/admin/queues/support-intents/members"), "background": ("admin", "/admin/background"),
    "account": ("alice", "/account"), "items": ("bob", "/queues/support-intents/items"),
    "board": ("bob", "/board"), "quality": ("bob", "/queues/support-intents/quality"),
    "decisions": ("carol", "/decisions"),
    "tasks": ("carol", "/tasks"), "notices": ("alice", "/notices"), "events": ("admin", "/admin/events"),
    "webhooks": ("admin", "/admin/queues/support-intents/webhooks"), "first-run": ("admin", "/start"),
    "gallery": ("admin", "/start/templates"), "template": ("admin", "/start/templates/reply-drafts"),
    "imports": ("admin", "/admin/imports"), "api": ("admin", "/docs"),
    "insights": ("bob", "/queues/ticket-urgency/insights?days=90"),
    "advice": ("bob", "/queues/ticket-urgency/advice?last=90d&error=10"),
    "drift": ("bob", "/queues/ticket-urgency/drift"), "fairness": ("bob", "/queues/ticket-urgency/fairness?days=90"),
    "value": ("bob", "/queues/ticket-urgency/value?days=90"), "portfolio": ("anna", "/portfolio?days=90"),
    "comparison": ("anna", "/queues/ticket-urgency/comparison"), "wallboard": ("alice", "/wallboard"),
    "alerts": ("bob", "/alerts"), "audit": ("otto", "/admin/audit"),
    "access": ("otto", "/admin/access"), "views": ("otto", "/admin/views"),
    "second-factor": ("alice", "/account/second-factor"),
    "queue-new": ("admin", "/admin/queues/new"), "queue-page": ("alice", "/queues/support-intents"),
}  # fmt: skip
TABLE = """text,label,confidence
My card never came,card_arrival,0.42
I was charged twice for one coffee,charge_twice,0.58
How do I change the PIN?,change_pin,0.97
The app shows a payment I did not make,unknown_payment,0.31
"""


def people(browser: Browser, address: str) -> None:
    """Handing on, what people say to each other, and decisions."""
    page = signed_in(browser, address, "carol")
    begin(page, "reply-drafts")
    page.keyboard.press("h")
    page.wait_for_selector("#handing-ways")
    take(page, "hand-on")
    page.goto(page.url)
    claim = page.url
    page.goto(f"{claim}/handing")
    everywhere(browser, page, "hand-on-page")
    begin(page, "support-intents")
    for _ in range(3):
        page.wait_for_function(READY)
        before = page.get_attribute("main", "data-task")
        page.keyboard.press("Enter")
        page.wait_for_function("before => document.querySelector('main').dataset.task !== before", arg=before)
    page = signed_in(browser, address, "alice")
    page.goto("/queues/support-intents/grid")
    page.click("text=Take up to")
    page.wait_for_selector("main table tbody tr")
    everywhere(browser, page, "grid")
    page = signed_in(browser, address, "bob")
    page.goto("/queues/reply-drafts/items")
    page.click("tbody a")
    page.click("a.button:text('Comment')")
    page.fill("#body", "@alice, is this the tone that we agreed on?")
    take(page, "conversation")
    with page.expect_navigation():
        page.keyboard.press("Control+Enter")
    page.goto("/queues/support-intents/items")
    page.click("tbody a")
    everywhere(browser, page, "item")


def table(browser: Browser, address: str) -> None:
    """A table becomes a queue."""
    page = signed_in(browser, address, "admin")
    page.goto("/start/table")
    take(page, "table")
    page.set_input_files("#file", {"name": "cards.csv", "mimeType": "text/csv", "buffer": TABLE.encode()})
    page.wait_for_selector("#trial")
    page.screenshot(path=FOLDER / "table-proposal.png", full_page=True)
    page.click("text=Make the queue and fill it")
    page.wait_for_load_state()


def details(browser: Browser, address: str) -> None:
    """Pages of one thing: made or found where others are listed."""
    page = signed_in(browser, address, "admin")
    for listed, link, name in (
        ("/admin/people", "main tbody a[href*='/admin/people/']", "person"),
        ("/admin/imports", "main tbody a[href*='/admin/imports/']", "import"),
    ):
        page.goto(listed)
        page.locator(link).first.click()
        page.wait_for_load_state()
        everywhere(browser, page, name)
    page.goto("/exports")
    page.select_option("#queue", "ticket-urgency")
    page.locator("main form[action$='/exports'] .primary").first.click()
    page.wait_for_selector("text=manifest.json", timeout=60_000)
    everywhere(browser, page, "export")
    page.goto("/admin/queues/ticket-urgency/webhooks")
    page.fill("#url", "https://hooks.example.com/urgency")
    page.locator("#url").press("Enter")
    page.wait_for_load_state()
    page.goto("/admin/queues/ticket-urgency/webhooks")
    page.locator("main a[href*='/admin/webhooks/']").first.click()
    page.wait_for_load_state()
    everywhere(browser, page, "webhook")


def site(browser: Browser, address: str) -> None:
    for name, (who, path) in PAGES.items():
        page = signed_in(browser, address, who)
        answer = page.goto(path)
        assert answer is not None
        assert answer.ok, f"{path}: {answer.status}"
        take(page, name)
        narrow = signed_in(browser, address, who, viewport=PHONE, color_scheme="dark")
        narrow.goto(path)
        take(narrow, f"{name}-390-dark")
        page.context.close()
        narrow.context.close()


if __name__ == "__main__":
    main(sys.argv[1].rstrip("/") if len(sys.argv) > 1 else "http://127.0.0.1:8000")
