"""Commands about people, members and tokens: `reviewqueue users|members|tokens …`."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from reviewqueue.accounts import memberships, people, second_factor, tokens
from reviewqueue.core.access import Scope, operator
from reviewqueue.core.db import read_session, write_session
from reviewqueue.errors import Invalid
from reviewqueue.models.states import QueueRole, SiteRole

_SITE_ROLE = click.Choice([role.value for role in SiteRole])
_QUEUE_ROLE = click.Choice([role.value for role in QueueRole])


def _as_json(command: Any) -> Any:
    return click.option("--json", "as_json", is_flag=True, help="For programs: one JSON document.")(command)


def _print(rows: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(rows, default=str, ensure_ascii=False))
        return
    for row in rows:
        click.echo("\t".join("-" if value is None else str(value) for value in row.values()))


# -- users ------------------------------------------------------------------------------------------------------------


@click.group()
def users() -> None:
    """People who sign in."""


@users.command("create")
@click.argument("email")
@click.option("--role", type=_SITE_ROLE, default=SiteRole.MEMBER.value, show_default=True)
@click.option("--name", default="", help="Shown to colleagues; by default the part of EMAIL before the @.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
def create_user(email: str, role: str, name: str, password_stdin: bool) -> None:
    """Add a person. Without --password-stdin, prints a one-time password, alone on standard output."""
    password = sys.stdin.readline().rstrip("\r\n") if password_stdin else None
    if password == "":
        raise Invalid("No password came on standard input.")
    with write_session() as session:
        created = people.create(
            session=session, actor=operator(), email=email, name=name, role=SiteRole(role), password=password
        )
    click.echo(f"Added {created.email} as {role}.", err=True)
    if created.password is not None:
        click.echo(created.password)


@users.command("list")
@_as_json
def list_users(as_json: bool) -> None:
    """Print everybody: e-mail, name, role, state."""
    rows: list[dict[str, Any]] = []
    after = None
    with read_session() as session:
        while page := people.search(session=session, actor=operator(), after=after):
            after = (page[-1].name, page[-1].id)
            rows += [
                {
                    "email": person.email,
                    "name": person.name,
                    "role": person.role.value,
                    "state": "disabled" if person.disabled_at else "active",
                }
                for person in page
            ]
    _print(rows, as_json)


def _person_id(session: Any, email: str) -> str:
    return people.by_email(session, email).id


@users.command("role")
@click.argument("email")
@click.argument("role", type=_SITE_ROLE)
def change_role(email: str, role: str) -> None:
    """Give a person another role on the site."""
    with write_session() as session:
        person_id = _person_id(session, email)
        people.change_role(session=session, actor=operator(), person_id=person_id, role=SiteRole(role))
    click.echo(f"{email} is {role} now.", err=True)


@users.command("disable")
@click.argument("email")
def disable_user(email: str) -> None:
    """Shut a person out: sessions and tokens end, claims go back, drafts go to the lead."""
    with write_session() as session:
        people.disable(session=session, actor=operator(), person_id=_person_id(session, email))
    click.echo(f"{email} is disabled.", err=True)


@users.command("enable")
@click.argument("email")
def enable_user(email: str) -> None:
    """Let a disabled person in again."""
    with write_session() as session:
        people.enable(session=session, actor=operator(), person_id=_person_id(session, email))
    click.echo(f"{email} is enabled.", err=True)


@users.command("reset-password")
@click.argument("email")
def reset_password(email: str) -> None:
    """Print a one-time password for a person, alone on standard output; their sessions end."""
    with write_session() as session:
        password = people.reset_password(session=session, actor=operator(), person_id=_person_id(session, email))
    click.echo(password)


@users.command("reset-two-factor")
@click.argument("email")
def reset_two_factor(email: str) -> None:
    """Forget the second factor of a person who lost it; their sessions end."""
    with write_session() as session:
        second_factor.reset(session=session, actor=operator(), person_id=_person_id(session, email))
    click.echo(f"{email} signs in with the password alone now.", err=True)


# -- members ----------------------------------------------------------------------------------------------------------


@click.group()
def members() -> None:
    """Who is what in which queue."""


@members.command("add")
@click.argument("queue")
@click.argument("email")
@click.option("--role", type=_QUEUE_ROLE, required=True)
def add_member(queue: str, email: str, role: str) -> None:
    """Give a person a role in a queue."""
    with write_session() as session:
        memberships.add(session=session, actor=operator(), slug=queue, email=email, role=QueueRole(role))
    click.echo(f"{email} is {role} of {queue} now.", err=True)


@members.command("remove")
@click.argument("queue")
@click.argument("email")
@click.option("--role", type=_QUEUE_ROLE, required=True)
def remove_member(queue: str, email: str, role: str) -> None:
    """Take a role in a queue away from a person."""
    with write_session() as session:
        membership_id = memberships.find_id(session, queue, email, QueueRole(role))
        memberships.remove(session=session, actor=operator(), slug=queue, membership_id=membership_id)
    click.echo(f"{email} is not {role} of {queue} any more.", err=True)


@members.command("list")
@click.argument("queue")
@_as_json
def list_members(queue: str, as_json: bool) -> None:
    """Print a queue's members: e-mail, name, role."""
    with read_session() as session:
        found = memberships.members(session=session, actor=operator(), slug=queue)
    _print([{"email": one.email, "name": one.name, "role": one.role.value} for one in found], as_json)


# -- tokens -----------------------------------------------------------------------------------------------------------


@click.group("tokens")
def tokens_group() -> None:
    """What programs sign in with."""


@tokens_group.command("create")
@click.argument("name")
@click.option("--scope", "scopes", multiple=True, required=True, type=click.Choice([scope.value for scope in Scope]))
@click.option("--queue", "queues", multiple=True, help="Only in this queue; may be given several times.")
@click.option("--user", "email", help="E-mail of the person it acts as: a personal token.")
@click.option("--expires-days", type=click.IntRange(1, tokens.LONGEST_DAYS), help="Ends after so many days.")
@click.option("--requests-per-second", type=click.IntRange(1, tokens.MOST_REQUESTS), help="Limit in each web process.")
def create_token(
    name: str, scopes: tuple[str, ...], queues: tuple[str, ...], email: str | None, expires_days: int | None,
    requests_per_second: int | None,
) -> None:  # fmt: skip
    """Make a token and print it once, alone on standard output. Without --user, a service token."""
    options: dict[str, Any] = {
        "name": name, "scopes": scopes, "queues": queues, "expires_days": expires_days,
        "requests_per_second": requests_per_second,
    }  # fmt: skip
    with write_session() as session:
        if email is None:
            token = tokens.create_service(session=session, actor=operator(), **options)
        else:
            person_id = _person_id(session, email)
            token = tokens.create_personal(session=session, actor=operator(), person_id=person_id, **options)
    click.echo(token.secret)


@tokens_group.command("list")
@_as_json
def list_tokens(as_json: bool) -> None:
    """Print all tokens: id, name, scopes, queues, person, state. Never the secret."""
    with read_session() as session:
        found = tokens.listed(session=session, actor=operator())
    rows = [
        {
            "id": token.id,
            "name": token.name,
            "scopes": ",".join(token.scopes),
            "queues": ",".join(token.queues) or None,
            "person": token.person,
            "requests_per_second": token.requests_per_second,
            "state": "revoked" if token.revoked_at else "expired" if token.expired else "live",
        }
        for token in found
    ]
    _print(rows, as_json)


@tokens_group.command("revoke")
@click.argument("token")
def revoke_token(token: str) -> None:
    """End TOKEN, given by its id (`tokens list`) or whole."""
    token_id = token.removeprefix("rq_").partition(".")[0]
    with write_session() as session:
        tokens.revoke(session=session, actor=operator(), token_id=token_id)
    click.echo(f"Token {token_id} is revoked.", err=True)
