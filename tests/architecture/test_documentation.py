"""What the code has, the documents tell: every setting, command, error code and state. And what they show, exists."""

from __future__ import annotations

import ast
import re
from dataclasses import fields
from pathlib import Path

import click
import pytest

from reviewqueue import cli, config, errors
from reviewqueue.models import states

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"


def document(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def described(name: str) -> set[str]:
    """What stands in the first cell of a table's row, in code quotes."""
    return set(re.findall(r"^\| `([^`]+)`", document(name), re.MULTILINE))


def sources() -> list[Path]:
    return sorted((ROOT / "reviewqueue").rglob("*.py"))


def test_every_setting_is_described() -> None:
    source = Path(config.__file__).read_text(encoding="utf-8")
    read = set(re.findall(r'"(REVIEWQUEUE_[A-Z0-9_]+|DATABASE_URL|REDIS_URL)"', source))
    assert len(read) >= len(fields(config.Settings))
    assert read <= described("settings.md")


def test_every_variable_that_the_code_reads_is_described() -> None:
    inner = {"REVIEWQUEUE_PARENT"}
    read = set()
    for path in sources():
        read |= set(re.findall(r'"(REVIEWQUEUE_[A-Z0-9_]+)"', path.read_text(encoding="utf-8")))
    assert read - inner <= described("settings.md")


def test_no_described_setting_is_gone() -> None:
    source = "".join(path.read_text(encoding="utf-8") for path in sources())
    assert [name for name in described("settings.md") if name not in source] == []


def commands(group: click.Group, name: str) -> set[str]:
    found = set()
    context = click.Context(group)
    for part in group.list_commands(context):
        command = group.get_command(context, part)
        full = f"{name} {part}"
        found |= commands(command, full) if isinstance(command, click.Group) else {full}
    return found


def test_every_command_is_described_and_none_is_gone() -> None:
    assert described("commands.md") == commands(cli.main, "reviewqueue")


def every_error() -> set[type[errors.Error]]:
    found = {errors.Error}
    while True:
        more = {kind for parent in found for kind in parent.__subclasses__()} - found
        if not more:
            return found
        found |= more


NO_ERRORS = {"no_label_fits", "unusable", "other", "invalid_output"}
"""Codes of reasons and failures."""


def codes_in_code() -> set[str]:
    found = {kind.code for kind in every_error()}
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.keyword) and node.arg == "code" and isinstance(node.value, ast.Constant):
                found.add(str(node.value.value))
    return found - NO_ERRORS


def test_every_error_code_is_described_and_none_is_gone() -> None:
    assert described("errors.md") == codes_in_code()


@pytest.mark.parametrize(
    "kind",
    [states.ItemState, states.TaskState, states.Verdict, states.ExportState, states.TaskKind, states.Audience,
     states.ResolvedBy, states.Intake, states.StandingState, states.ProposalState],
    ids=lambda kind: kind.__name__,
)  # fmt: skip
def test_every_state_is_described(kind: type) -> None:
    text = document("states.md")
    assert [value for value in kind if f"`{value}`" not in text] == []  # type: ignore[attr-defined]


def test_every_link_and_picture_in_the_documents_is_there() -> None:
    for path in [ROOT / "README.md", ROOT / "CHANGELOG.md", *DOCS.rglob("*.md"), *(ROOT / "examples").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#]+)", path.read_text(encoding="utf-8")):
            assert target.startswith("http") or (path.parent / target).exists(), f"{path.name}: {target}"


NAMED = re.compile(r"`((?:tests|reviewqueue|docs|deploy|scripts|templates)/[\w./-]+|[A-Z]+\.md|\w+\.toml)(?:::(\w+))?`")
"""A file of ours, or a test in it."""


@pytest.mark.parametrize("page", ["asvs.md", "threat-model.md", "../SECURITY.md"])
def test_every_test_and_file_that_a_page_about_security_names_is_there(page: str) -> None:
    found = NAMED.findall(document(page))
    assert len(found) >= (2 if page.endswith("SECURITY.md") else 40)
    for name, test in found:
        path = ROOT / name
        assert path.exists(), name
        assert not test or f"\ndef {test}(" in path.read_text(encoding="utf-8"), f"{name}::{test}"


def test_the_page_about_asvs_has_each_requirement_once_and_counts_them_right() -> None:
    text = document("asvs.md")
    rows = re.findall(
        r"^\| V(\d+\.\d+\.\d+) \| ([12]) \| .+ \| (met|partly|not met|operator|n/a) \| (.+) \|$", text, re.MULTILINE
    )
    numbers = [number for number, *_ in rows]
    assert len(numbers) == len(set(numbers)) == text.count("\n| V")
    # As many as version 5.0.0 has.
    assert [sum(level == given for _, level, *_ in rows) for given in "12"] == [70, 183]
    for state in ("met", "partly", "not met", "operator", "n/a"):
        assert f"\n| {state} | {sum(row[2] == state for row in rows)} |" in text, state
    vague = [number for number, _, state, why in rows if state == "met" and "`" not in why]
    assert len(vague) <= 12, vague


def test_the_readme_names_every_package_and_no_other() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    tree = text[text.index("reviewqueue/\n") :]
    named = set(re.findall(r"^  (\w+)/", tree, re.MULTILINE))
    packages = {path.parent.name for path in (ROOT / "reviewqueue").glob("*/__init__.py")}
    assert named == packages


def test_every_decision_record_has_context_decision_and_consequences() -> None:
    records = sorted((DOCS / "adr").glob("*.md"))
    assert [record.name[:4] for record in records] == [f"{number:04}" for number in range(1, len(records) + 1)]
    for record in records:
        text = record.read_text(encoding="utf-8")
        assert all(f"**{part}.**" in text for part in ("Context", "Decision", "Consequences")), record.name
