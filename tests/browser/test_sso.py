"""Single sign-on as a browser goes through it: to the provider, back, and out of both, under the content policy."""

from __future__ import annotations

import dataclasses
from urllib.parse import urlsplit

import pytest

from reviewqueue import config
from reviewqueue.accounts import provider
from tests.fixtures import provider as fixture
from tests.fixtures.browser import Watch

pytestmark = pytest.mark.browser


def test_somebody_signs_in_and_out_with_the_provider(site, chromium):
    with fixture.running() as idp:
        # Another host than the site's, as a provider has.
        idp.url = idp.url.replace("127.0.0.1", "localhost")
        sso = config.SingleSignOn(idp.url, fixture.CLIENT, fixture.SECRET, "Corp")
        site.app.config["SETTINGS"] = dataclasses.replace(site.app.config["SETTINGS"], sso=sso)
        provider.init_app(site.app)
        idp.knows("a-1", "alice@example.org")
        context = chromium.new_context(base_url=site.address)
        page = context.new_page()
        watch = Watch(page)
        page.goto("/decisions")
        page.click("text=Sign in with Corp")
        page.click("text=Be somebody")
        page.wait_for_url(f"{site.address}/decisions")
        assert "Alice" in page.inner_text("main") or page.locator(".avatar").inner_text() == "AL"
        page.click("summary[aria-label^=Account]")
        page.click("text=Sign out")
        page.wait_for_url(f"{site.address}/login")
        assert urlsplit(idp.left[0]["post_logout_redirect_uri"]).path == "/login"
        page.goto("/decisions")
        assert page.locator("h1").inner_text() == "Sign in"
        assert not watch.faults
        context.close()
