"""The command line around the commands: what it creates, and how it tells what went wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from reviewqueue import cli


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory without an installation, and nothing in the environment that names one."""
    for name in ("REVIEWQUEUE_DATA_DIR", "DATABASE_URL", "REDIS_URL", "REVIEWQUEUE_SECRET_KEY"):
        monkeypatch.delenv(name, raising=False)
    place = tmp_path / "elsewhere"
    place.mkdir()
    monkeypatch.chdir(place)
    return place


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli.main, list(arguments))


@pytest.mark.parametrize("command", ["queues list", "tokens create shop", "web", "relay", "worker"])
def test_a_command_begins_no_second_installation(elsewhere: Path, command: str) -> None:
    answer = run(*command.split())
    assert answer.exit_code == 1
    assert f"There is no installation in {elsewhere}/reviewqueue-data" in answer.stderr
    assert "REVIEWQUEUE_DATA_DIR" in answer.stderr
    assert list(elsewhere.iterdir()) == []


def test_the_doctor_looks_and_creates_nothing(elsewhere: Path) -> None:
    answer = run("doctor", "--json")
    assert answer.exit_code == 1
    assert "There is no installation" in json.loads(answer.stdout)[0]["seen"]
    assert list(elsewhere.iterdir()) == []


def test_a_database_given_by_address_needs_its_key_and_is_not_made_either(
    elsewhere: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/typo.db")
    assert f"There is no database {tmp_path}/typo.db" in run("queues", "list").stderr
    (tmp_path / "typo.db").touch()
    assert f"There is no secret key in {elsewhere}/reviewqueue-data" in run("queues", "list").stderr
    assert list(elsewhere.iterdir()) == []


def test_what_may_begin_an_installation_does(elsewhere: Path) -> None:
    answer = run("db", "upgrade")
    assert answer.exit_code == 0, answer.stderr
    assert (elsewhere / "reviewqueue-data" / "secret_key").exists()
    assert "No queues yet" in run("queues", "list").stderr
