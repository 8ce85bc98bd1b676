"""Static files: compressed for whoever takes them so, and the same file either way."""

from __future__ import annotations

import gzip

import pytest
from flask.testing import FlaskClient

from reviewqueue.core.assets import FOLDER


@pytest.mark.parametrize("name", ["app.css", "desk.js", "icon.svg"])
def test_a_static_file_is_compressed_for_whoever_takes_it(client: FlaskClient, name: str) -> None:
    plain = client.get(f"/static/{name}", headers={"Accept-Encoding": "identity"}, buffered=True)
    packed = client.get(f"/static/{name}", headers={"Accept-Encoding": "br, gzip"}, buffered=True)
    assert plain.data == (FOLDER / name).read_bytes()
    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.data) == plain.data
    assert int(packed.headers["Content-Length"]) == len(packed.data) < len(plain.data)
    assert plain.headers["Vary"] == packed.headers["Vary"] == "Accept-Encoding"


def test_what_a_browser_has_already_is_not_sent_again(client: FlaskClient) -> None:
    with client.get("/static/app.css", headers={"Accept-Encoding": "gzip"}) as first:
        seen = {"Accept-Encoding": "gzip", "If-None-Match": first.headers["ETag"]}
    with client.get("/static/app.css", headers=seen) as again:
        assert (again.status_code, again.data) == (304, b"")


def test_a_page_is_never_compressed(client: FlaskClient) -> None:
    answer = client.get("/login", headers={"Accept-Encoding": "gzip"})
    assert answer.status_code == 200
    assert "Content-Encoding" not in answer.headers
