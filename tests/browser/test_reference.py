"""The API reference in a browser: nothing is refused by the policy, nothing is wider than the window."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize("width", [1440, 390])
def test_it_fits_the_window_and_a_link_opens_the_schema(page, width):
    page.set_viewport_size({"width": width, "height": 900})
    page.goto("/docs#submit_item")
    assert page.evaluate("() => document.documentElement.scrollWidth - innerWidth") <= 0
    page.click("#submit_item a[href='#schema-Failure']")
    assert page.locator("#schema-Failure").is_visible()
