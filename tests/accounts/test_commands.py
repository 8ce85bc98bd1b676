"""`users`, `members` and `tokens` at the command line."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from reviewqueue.accounts import commands, identity
from reviewqueue.errors import Conflict, Invalid, NotFound


def run(command, *arguments, stdin=None):
    result = CliRunner().invoke(command, arguments, input=stdin)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_a_person_is_added_with_a_password_from_standard_input(house):
    result = run(
        commands.users, "create", "cli@example.org", "--role", "auditor", "--password-stdin", stdin="a long password\n"
    )
    assert (result.exit_code, result.stdout) == (0, "")
    assert house.browser().sign_in("cli@example.org", "a long password").status_code == 303


def test_a_one_time_password_stands_alone_on_standard_output(house):
    password = run(commands.users, "create", "cli@example.org").stdout.strip()
    assert house.browser().sign_in("cli@example.org", password).status_code == 303
    again = run(commands.users, "reset-password", "cli@example.org").stdout.strip()
    assert again != password
    assert house.browser().sign_in("cli@example.org", again).status_code == 303


def test_an_empty_password_is_refused(house):
    with pytest.raises(Invalid):
        run(commands.users, "create", "cli@example.org", "--password-stdin", stdin="")


def test_people_are_listed_disabled_and_enabled(house):
    run(commands.users, "disable", "alice@example.org")
    rows = json.loads(run(commands.users, "list", "--json").stdout)
    assert {row["email"]: row["state"] for row in rows} == {
        "admin@example.org": "active", "alice@example.org": "disabled",
    }  # fmt: skip
    run(commands.users, "enable", "alice@example.org")
    run(commands.users, "role", "alice@example.org", "admin")
    assert "alice@example.org\tAlice\tadmin\tactive" in run(commands.users, "list").stdout


def test_members_are_added_listed_and_removed(house):
    run(commands.members, "add", "mail", "admin@example.org", "--role", "lead")
    rows = json.loads(run(commands.members, "list", "mail", "--json").stdout)
    assert {(row["email"], row["role"]) for row in rows} == {
        ("admin@example.org", "lead"), ("alice@example.org", "reviewer"),
    }  # fmt: skip
    run(commands.members, "remove", "mail", "admin@example.org", "--role", "lead")
    with pytest.raises(NotFound):
        run(commands.members, "remove", "mail", "admin@example.org", "--role", "lead")
    with pytest.raises(Conflict):
        run(commands.members, "add", "mail", "alice@example.org", "--role", "reviewer")
    with pytest.raises(NotFound):
        run(commands.members, "add", "nowhere", "alice@example.org", "--role", "reviewer")


def test_a_token_stands_alone_on_standard_output_and_works_until_revoked(house):
    secret = run(commands.tokens_group, "create", "bot", "--scope", "items:write", "--queue", "mail").stdout
    assert secret.count("\n") == 1
    with house.app.test_request_context("/api/v1/items", headers={"Authorization": f"Bearer {secret.strip()}"}):
        assert identity.bearer_actor().name == "bot"
    run(commands.tokens_group, "revoke", secret.strip())
    rows = json.loads(run(commands.tokens_group, "list", "--json").stdout)
    assert [(row["name"], row["queues"], row["state"]) for row in rows] == [("bot", "mail", "revoked")]


def test_with_a_user_the_token_acts_as_that_person(house):
    secret = run(
        commands.tokens_group, "create", "p", "--scope", "review", "--user", "alice@example.org"
    ).stdout.strip()
    with house.app.test_request_context("/api/v1/items", headers={"Authorization": f"Bearer {secret}"}):
        assert identity.bearer_actor().id == house.alice
    with pytest.raises(Invalid):
        run(commands.tokens_group, "create", "p", "--scope", "review")
