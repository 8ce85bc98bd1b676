"""What comes from others for the browser is what the registry gave, with its licence, and loaded from nowhere else."""

from __future__ import annotations

import hashlib
import json

import pytest

from reviewqueue.core.places import PACKAGE

VENDORED = sorted((PACKAGE / "static" / "vendor").glob("*/vendored.json"))


@pytest.mark.parametrize("path", VENDORED, ids=lambda path: path.parent.name)
def test_vendored_files_are_those_that_were_fetched_and_have_a_licence(path):
    about = json.loads(path.read_text())
    found = {
        str(one.relative_to(path.parent)): hashlib.sha256(one.read_bytes()).hexdigest()
        for one in path.parent.rglob("*")
        if one.is_file() and one != path
    }
    assert found == about["files"]
    assert {"name", "version", "licence", "integrity"} <= about.keys()
    assert "LICENSE" in found


def test_a_pdf_has_no_means_to_run_programs():
    """pdf.js runs them in a part of its own, and compiles none of its own as it goes."""
    names = {path.name for path in (PACKAGE / "static" / "vendor" / "pdfjs").rglob("*")}
    assert not [name for name in names if "sandbox" in name or name.endswith(".wasm") or "quickjs" in name]
    for path in (PACKAGE / "static" / "vendor" / "pdfjs").glob("*.mjs"):
        assert "new Function(" not in path.read_text(encoding="utf-8"), path.name
