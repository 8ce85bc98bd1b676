"""What is sensitive, at the desk: not in the page until a key asks for it, with what was typed kept."""

from __future__ import annotations

import pytest

from reviewqueue.queues.applying import apply

pytestmark = pytest.mark.browser
IBAN = "DE02120300000000202051"


def test_a_key_shows_it_and_says_why(site, page):
    document = {**site.documents["intents"], "sensitive": {"parts": ["/input/iban"], "ask_why": True}}
    site.write(apply, document={**document, "input_schema": {"type": "object"}})
    site.submit("intents", {"label": "card_missing"}, given={"text": "Where?", "iban": IBAN}, confidence=0.3)
    page.goto("/queues/intents")
    page.keyboard.press("Enter")
    page.wait_for_selector("#reveal-parts")
    assert IBAN not in page.content()
    page.keyboard.press("n")
    page.keyboard.type("so far")
    page.keyboard.press("Escape")
    page.keyboard.press("r")
    page.keyboard.type("The customer called")
    page.keyboard.press("Escape")
    page.keyboard.press("r")
    page.wait_for_selector(f"text={IBAN}")
    assert page.input_value("#comment") == "so far"
    assert page.locator("#reveal-parts").count() == 0
