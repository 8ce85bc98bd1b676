"""Rules of the house that a machine can check."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from reviewqueue.core import places

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "reviewqueue"
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def lines_with(pattern: str, paths: list[Path]) -> list[str]:
    """Where `pattern` stands in code: `file:line`, comments and docstrings of one line left out."""
    found = []
    for path in paths:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            code = line.split("  # ")[0]
            if re.search(pattern, code) and not code.strip().startswith(("#", '"""')):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()}")
    return found


def test_imports_go_downwards_only_and_pure_rules_know_no_framework() -> None:
    command = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run([str(command), "--no-cache"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT / "templates")))
def test_a_template_has_no_inline_script_style_or_handler(path: Path) -> None:
    text = re.sub(r"{#.*?#}", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert not re.search(r"<script(?![^>]*\bsrc=)", text), "an inline script"
    assert not re.search(r"<style\b", text), "an inline style sheet"
    assert not re.search(r"""\sstyle\s*=\s*["'{]""", text), "a style attribute"
    assert not re.search(r"""\son[a-z]+\s*=\s*["'{]""", text), "an event handler"
    assert not re.search(r"javascript:", text), "a javascript: address"
    assert not re.search(r"""(?:src|href|action)\s*=\s*["'](?:https?:)?//""", text), "something from elsewhere"


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT / "templates")))
def test_a_template_never_marks_anything_as_safe(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"\|\s*safe\b|autoescape\s+false|Markup\(", text)


def test_static_files_load_nothing_from_elsewhere() -> None:
    paths = [*(PACKAGE / "static").rglob("*.js"), *(PACKAGE / "static").rglob("*.css")]
    assert paths
    assert (
        lines_with(
            r"https?://(?!www\.w3\.org)|\beval\(|new Function|\.innerHTML\s*=(?! template\.innerHTML)|document\.write",
            paths,
        )
        == []
    )


@pytest.mark.parametrize(
    ("never", "but_in"),
    [
        (r"\bpickle\b", ()),
        (r"\.commit\(", ("feedback/storage.py",)),  # of an upload to a bucket
        (r"get_json\(", ()),
        (r"\bMarkup\(", ("review/shown.py",)),
        (r"\bdb\.session\b", ()),
        (r"\bdatetime\.utcnow\(|\.now\(\)", ()),
        (r"sqlite:///:memory:", ()),
        (r"decode_responses", ()),
        (r"is_async", ()),
        (r"\bget_by\(|\.query\.", ()),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_code_never_does_this(never: str, but_in: tuple[str, ...]) -> None:
    found = lines_with(never, [path for path in modules() if str(path.relative_to(PACKAGE)) not in but_in])
    assert found == []


def test_only_the_background_machinery_knows_redis_and_rq() -> None:
    allowed = {"cli.py", "core/background.py", "core/background_state.py", "core/relay.py", "core/worker.py"}
    allowed |= {"core/embedded.py"}
    paths = [path for path in modules() if str(path.relative_to(PACKAGE)) not in allowed]
    assert lines_with(r"^\s*(?:from|import) (?:redis|rq)\b", paths) == []


def test_leases_are_never_compared_with_the_applications_clock() -> None:
    allowed = {"core/pages.py", "core/background_state.py"}  # times in words, and when RQ's workers were heard of
    paths = [path for path in modules() if str(path.relative_to(PACKAGE)) not in allowed]
    assert lines_with(r"datetime\.now\(|time\.time\(\)", paths) == []


def test_no_function_is_a_stub_and_nothing_is_left_to_do() -> None:
    assert lines_with(r"\bTODO\b|\bFIXME\b|\bXXX\b|NotImplementedError", modules()) == []


def test_every_module_says_in_its_first_line_what_it_holds() -> None:
    assert [str(path) for path in modules() if not path.read_text(encoding="utf-8").startswith('"""')] == []


def test_the_files_that_ship_beside_the_code_are_found() -> None:
    assert (places.templates_dir() / "base.html").is_file()
    assert (places.migrations_dir() / "env.py").is_file()
