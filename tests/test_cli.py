"""The command line around the commands: what it creates, and how it tells what went wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from reviewqueue import cli, config


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
    # Of a server's database nothing is known, whatever its address says beside.
    monkeypatch.setenv("DATABASE_URL", "postgresql://rq@db.example.com/rq?sslmode=require")
    assert f"There is no secret key in {elsewhere}/reviewqueue-data" in run("queues", "list").stderr
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("queues list --data-dir here", "--data-dir here queues list"),
        ("queues --data-dir=here list", "--data-dir=here queues list"),
        ("--data-dir here queues list", "--data-dir here queues list"),
        ("submit -- --data-dir", "submit -- --data-dir"),
        ("up --data-dir", "--data-dir up"),
        ("queues list", "queues list"),
    ],
)
def test_the_data_directory_may_be_named_anywhere(given: str, expected: str) -> None:
    assert cli.with_data_dir_first(given.split()) == expected.split()


def test_every_command_takes_the_data_directory_behind_its_name(elsewhere: Path, tmp_path: Path) -> None:
    own = str(tmp_path / "own")
    assert run("db", "upgrade", "--data-dir", own).exit_code == 0
    assert run("queues", "list", "--data-dir", own).exit_code == 0
    assert run("users", "list", f"--data-dir={own}", "--json").exit_code == 0
    assert run("doctor", "--data-dir", own, "--json").stdout.startswith("[")
    assert list(elsewhere.iterdir()) == []


def test_what_may_begin_an_installation_does(elsewhere: Path) -> None:
    answer = run("db", "upgrade")
    assert answer.exit_code == 0, answer.stderr
    assert (elsewhere / "reviewqueue-data" / "secret_key").exists()
    assert "No queues yet" in run("queues", "list").stderr


@pytest.mark.parametrize("query", ["", "?sslmode=require", "?host=/run/postgresql"])
def test_a_database_on_a_server_is_no_file(elsewhere: Path, query: str) -> None:
    url = f"postgresql://somebody@db/reviews{query}"
    found = config.load({"DATABASE_URL": url, "REVIEWQUEUE_SECRET_KEY": "x" * 64}, may_create=False)
    assert found.database_url == url.replace("postgresql:", "postgresql+psycopg:")
