"""The `reviewqueue` command: one place where commands, topics and duties are put together."""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from reviewqueue import __version__, config, errors
from reviewqueue.core import logs
from reviewqueue.core.background import Topic

TOPICS = {
    "item.queued": Topic("reviewqueue.delivery.jobs.on_queued", batch=500),
    "import.store": Topic("reviewqueue.intake.jobs.store_import", long=True),
    "media.fetch": Topic("reviewqueue.media.jobs.fetch", long=True),
    "webhooks.send": Topic("reviewqueue.delivery.jobs.send_due", long=True),
    "notice.mail": Topic("reviewqueue.notices.jobs.mail", long=True),
    "task.follow_up": Topic("reviewqueue.review.jobs.remind"),
    "bulk.run": Topic("reviewqueue.review.jobs.run_bulk", long=True),
    "export.plan": Topic("reviewqueue.feedback.jobs.plan", long=True),
    "export.shard": Topic("reviewqueue.feedback.jobs.write_shard", long=True),
    "audit.checkpoint": Topic("reviewqueue.audit.jobs.post_checkpoint", long=True),
}
"""What the outbox's topics do, by dotted name: operations append rows and know of no job."""

COMMANDS = {
    "queues": "reviewqueue.queues.commands.queues",
    "users": "reviewqueue.accounts.commands.users",
    "members": "reviewqueue.accounts.commands.members",
    "tokens": "reviewqueue.accounts.commands.tokens_group",
    "submit": "reviewqueue.adapters.commands.submit",
    "export": "reviewqueue.feedback.commands.export",
    "schedules": "reviewqueue.feedback.commands.schedules_group",
    "models": "reviewqueue.feedback.commands.models_group",
    "gold": "reviewqueue.review.commands.gold",
    "report": "reviewqueue.insights.commands.report",
    "audit": "reviewqueue.audit.commands.audit",
    "erase": "reviewqueue.audit.commands.erase",
    "backup": "reviewqueue.backup.commands.backup",
    "restore": "reviewqueue.backup.commands.restore",
}
"""Commands that live with their feature, imported when they are called."""

PARTS = {"queues": ["reviewqueue.adapters.trying.simulate"]}
"""Parts of a group that know more than its feature may."""

NOT_FOUND = "There is nothing of that name or number. `reviewqueue queues list` shows the queues."
NEEDS_NO_APP = {"up", "demo", "web", "worker", "relay", "doctor", "db", "restore"}


class Commands(click.Group):
    """Loads a feature's commands when they are asked for, and tells errors in one line."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, with_data_dir_first(args))

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *COMMANDS})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in COMMANDS:
            command = _imported(COMMANDS[cmd_name])
            for part in PARTS.get(cmd_name, ()):
                assert isinstance(command, click.Group)
                command.add_command(_imported(part))
            return command
        return super().get_command(ctx, cmd_name)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except errors.NotFound as error:
            known = error.message != errors.NotFound().message
            click.echo(f"reviewqueue: {error.message if known else NOT_FOUND}", err=True)
        except errors.Error as error:
            click.echo(f"reviewqueue: {error.message}{_faults(error)}", err=True)
        except SQLAlchemyError as error:
            click.echo(f"reviewqueue: The database refused: {_first_line(getattr(error, 'orig', error))}", err=True)
        except RedisError as error:
            click.echo(f"reviewqueue: Redis does not answer: {_first_line(error)}", err=True)
        except BrokenPipeError:
            raise
        except OSError as error:
            click.echo(f"reviewqueue: {error.filename or 'The system'}: {error.strerror or error}", err=True)
        sys.exit(1)


def _imported(dotted: str) -> click.Command:
    module, _, name = dotted.rpartition(".")
    command: click.Command = getattr(importlib.import_module(module), name)
    return command


def _first_line(error: object) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _faults(error: errors.Error) -> str:
    if not isinstance(error, errors.Invalid):
        return ""
    return "".join(f"\n  {fault.pointer or '(whole)'}: {fault.detail}" for fault in error.faults)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--data-dir", envvar="REVIEWQUEUE_DATA_DIR", type=click.Path(path_type=Path), default=config.DEFAULT_DATA_DIR,
    show_default=True, help="Where the embedded database, files and keys live. Also REVIEWQUEUE_DATA_DIR.",
)  # fmt: skip
@click.version_option(__version__, prog_name="reviewqueue")
@click.pass_context
def main(ctx: click.Context, data_dir: Path) -> None:
    """A human-in-the-loop review queue: AI outputs in, human decisions and training data out.

    Start with `reviewqueue up`, or see everything with samples: `reviewqueue demo`. Settings are environment
    variables: DATABASE_URL and REDIS_URL for your own servers, REVIEWQUEUE_* for the rest.
    """
    ctx.obj = data_dir
    if ctx.invoked_subcommand not in NEEDS_NO_APP and not {"--help", "-h"} & set(sys.argv):
        ctx.with_resource(_application(data_dir))


def with_data_dir_first(words: list[str]) -> list[str]:
    """`--data-dir DIR` before all else, wherever it stands: what a command works on is known before its options."""
    own = words[: words.index("--")] if "--" in words else words
    found = [place for place, word in enumerate(own) if word.partition("=")[0] == "--data-dir"]
    moved = {place for at in found for place in ((at,) if "=" in words[at] else (at, at + 1))}
    first = [word for place, word in enumerate(words) if place in moved]
    return [*first, *(word for place, word in enumerate(words) if place not in moved)]


def with_data_dir(command: Any) -> Any:
    """Tell of `--data-dir` in the command's help, too; `with_data_dir_first` takes it before the command sees it."""
    return click.option(
        "--data-dir", expose_value=False, type=click.Path(path_type=Path),
        help="As before the command: the data directory.",
    )(command)  # fmt: skip


@contextmanager
def _application(data_dir: Path) -> Iterator[None]:
    from reviewqueue.app import create_app
    from reviewqueue.core.db import opened
    from reviewqueue.core.migrations import require_current

    with opened(create_app(config.load(data_dir=data_dir, may_create=False))):
        require_current()
        yield


@main.command()
@with_data_dir
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0 for all.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65535))
@click.option("--web-workers", default=2, show_default=True, type=click.IntRange(1, 64), help="Web processes.")
@click.pass_obj
def up(data_dir: Path, host: str, port: int, web_workers: int) -> None:
    """Run the whole product: database, Valkey, web, relay and worker.

    Migrates first. Uses SQLite and an embedded Valkey unless DATABASE_URL and REDIS_URL name others. The first run
    creates the administrator: from REVIEWQUEUE_ADMIN_EMAIL and REVIEWQUEUE_ADMIN_PASSWORD, or with a password that is
    printed once. Ctrl-C stops everything.
    """
    run_all(data_dir, host, port, web_workers, banner=_first_run)


def run_all(data_dir: Path, host: str, port: int, web_workers: int, *, banner: Any) -> None:
    """Migrate, let `banner` prepare and say what there is to say, then supervise until stopped."""
    from reviewqueue.app import create_app
    from reviewqueue.core import supervisor
    from reviewqueue.core.db import opened
    from reviewqueue.core.embedded import wait_until_ready
    from reviewqueue.core.migrations import migrate_to_newest

    settings = config.load(data_dir=data_dir)
    logs.to_stderr(settings.log_format)
    lock = supervisor.lock(settings.data_dir)
    supervisor.check_port(host, port)
    with opened(create_app(settings)):
        migrate_to_newest()
        lines = banner(host, port)
    environment = {**os.environ, "REVIEWQUEUE_DATA_DIR": str(settings.data_dir), "REVIEWQUEUE_PARENT": str(os.getpid())}
    tree = supervisor.Supervisor(environment)
    environment["REDIS_URL"] = url = supervisor.start_redis(tree, settings.data_dir, settings.redis_url)
    tree.add(
        "web", supervisor.own_command("web", "--host", host, "--port", str(port), "--web-workers", str(web_workers))
    )
    tree.add("relay", supervisor.own_command("relay"))
    # Sending waits for other people's servers: it must hold up nothing else, and nothing else it.
    tree.add("worker", supervisor.own_command("worker", "--except", "webhooks,mail"))
    tree.add("sender", supervisor.own_command("worker", "--work", "webhooks,mail"))

    def ready() -> None:
        wait_until_ready(url)
        for line in lines:
            click.echo(line)

    tree.run(ready)
    lock.close()


def _first_run(host: str, port: int) -> list[str]:
    from reviewqueue.accounts.people import ensure_admin
    from reviewqueue.core.access import SYSTEM
    from reviewqueue.core.db import write_session

    email = os.environ.get("REVIEWQUEUE_ADMIN_EMAIL", "admin@example.com")
    with write_session() as session:
        password = ensure_admin(
            session=session, actor=SYSTEM, email=email, password=os.environ.get("REVIEWQUEUE_ADMIN_PASSWORD")
        )
    lines = [f"reviewqueue runs at http://{host}:{port}  (Ctrl-C stops it)"]
    if password is not None:
        lines.append(f"Sign in as {email} with the password {password}  (shown only now)")
    return lines


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0 for all.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65535))
@click.pass_context
def demo(ctx: click.Context, host: str, port: int) -> None:
    """Run the product with sample queues, people and items: everything of it to try in a minute.

    Keeps its data in ./reviewqueue-demo unless --data-dir or REVIEWQUEUE_DATA_DIR names another place; a second start
    continues. Prints the sample logins.
    """
    from reviewqueue import samples

    def prepare(host: str, port: int) -> list[str]:
        samples.fill(with_history=True)
        return samples.banner(host, port)

    given = ctx.parent is not None and ctx.parent.get_parameter_source("data_dir") is not ParameterSource.DEFAULT
    run_all(ctx.obj if given else Path("reviewqueue-demo"), host, port, 1, banner=prepare)


def _part_settings(data_dir: Path) -> config.Settings:
    """Of web, relay or worker alone, where `up` or the environment says what they are part of."""
    return config.load(data_dir=data_dir, may_create=bool(os.environ.get("DATABASE_URL")))


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65535))
@click.option("--web-workers", default=2, show_default=True, type=click.IntRange(1, 64))
@click.pass_obj
def web(data_dir: Path, host: str, port: int, web_workers: int) -> None:
    """Run the web server alone."""
    from reviewqueue.app import create_app
    from reviewqueue.core import metrics
    from reviewqueue.core.server import WebServer

    settings = _part_settings(data_dir)
    logs.to_stderr(settings.log_format)
    bind = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    metrics.share(settings.data_dir, bind)
    WebServer(lambda: create_app(settings), bind=bind, workers=web_workers, threads=settings.web_threads).run()


@main.command()
@click.pass_obj
def relay(data_dir: Path) -> None:
    """Run the relay alone: it hands work to RQ and does what is due by time. Any number may run; one leads."""
    from reviewqueue.app import create_app
    from reviewqueue.core.db import opened
    from reviewqueue.core.relay import Relay

    settings = _part_settings(data_dir)
    logs.to_stderr(settings.log_format)
    process = Relay(topics=TOPICS, duties=duties(), url=settings.redis_url)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: process.stop())
    with opened(create_app(settings)):
        process.run()


def duties() -> Any:
    """What is due by time. Passed to the relay, so that `core` imports no feature."""
    from reviewqueue.accounts import logins, sessions, sso, throttle
    from reviewqueue.audit import erasing, sealing
    from reviewqueue.core import idempotency
    from reviewqueue.core.relay import Duty
    from reviewqueue.delivery.webhooks import deliveries
    from reviewqueue.feedback import building, schedules
    from reviewqueue.insights import alerts, gathering
    from reviewqueue.intake import imports
    from reviewqueue.media import uploads
    from reviewqueue.resolution import endings, feed
    from reviewqueue.review import escalation, settling
    from reviewqueue.review.bulk import previewing, running
    from reviewqueue.review.claims import returning

    return (
        Duty("settle decisions whose grace is over", settling.settle_due, 0.4, due=settling.GRACE_OVER),
        Duty("number the feed", feed.number, 0.2, due=feed.UNNUMBERED),
        Duty("make webhook deliveries", deliveries.follow, 0.2, due=deliveries.BEHIND),
        Duty("call the webhook sender", deliveries.call_sender, 0.2, due=deliveries.UNCALLED),
        Duty(
            "forget old webhook deliveries", deliveries.sweep, 600, due=deliveries.OLD, batch=deliveries.SWEPT_AT_ONCE
        ),
        Duty("return expired claims", returning.return_expired, 1, due=returning.LEASE_OVER),
        Duty("escalate beyond the leads", escalation.escalate_due, 1, due=escalation.OVERDUE, batch=escalation.BATCH),
        Duty("gather for insight", gathering.gather, 5, due=gathering.DUE, batch=gathering.BATCH),
        Duty("expire items", endings.expire_items, 2, due=endings.EXPIRED, batch=endings.BATCH),
        Duty(
            "forget old idempotency keys", idempotency.purge, 600, due=idempotency.OLD, batch=idempotency.PURGED_AT_ONCE
        ),
        Duty("give up imports that broke off", imports.give_up_silent, 300, due=imports.SILENT),
        Duty("forget lines of old imports", imports.sweep, 600, due=imports.OLD, batch=1),
        Duty("forget media that no item refers to", uploads.sweep, 600, due=uploads.OLD, batch=uploads.SWEPT_AT_ONCE),
        Duty("remove files of forgotten media", uploads.remove_unused, uploads.ROUND_SECONDS, writes=False),
        Duty(
            "forget previews that nobody confirmed",
            previewing.forget_unconfirmed,
            600,
            due=previewing.UNCONFIRMED,
            batch=1,
        ),
        Duty("end actions on many items that broke off", running.fail_given_up, 5, due=running.GIVEN_UP),
        Duty("forget ended sessions", sessions.sweep, 600, due=sessions.ENDED),
        Duty("forget half-done logins", logins.sweep, 600, due=logins.LEFT),
        Duty("forget states of sign-ins that came back", sso.sweep, 600, due=sso.LEFT),
        Duty("forget old failed logins", throttle.sweep, 600, due=throttle.OLD),
        Duty("look at alerts", alerts.look, 5, due=alerts.ASKED, writes=False, batch=alerts.AT_ONCE),
        Duty("ask for scheduled exports", schedules.run_due, 5, due=schedules.DUE, batch=schedules.BATCH),
        Duty("delete what exports left", building.sweep, 600, writes=False),
        Duty("seal the audit log", sealing.seal, 1, due=sealing.WAITING, batch=sealing.BATCH),
        Duty("sign the audit log", sealing.checkpoint, sealing.CHECKPOINT_SECONDS, due=sealing.UNSIGNED),
        Duty("erase what queues keep no longer", erasing.retain, 60, writes=False, batch=erasing.BATCH),
    )


@main.command()
@click.option("--queues", "only", default="", help="Comma-separated review queues to work for; all by default.")
@click.option("--work", default="", help="Comma-separated other work: exports, imports, mail, maintenance, webhooks.")
@click.option("--except", "without", default="", help="Comma-separated other work to leave to another worker.")
@click.pass_obj
def worker(data_dir: Path, only: str, work: str, without: str) -> None:
    """Run an RQ worker alone: for everything, unless --queues or --work narrows it. It hears of new review queues by
    itself.
    """
    from rq.worker import DequeueStrategy

    from reviewqueue.app import create_app
    from reviewqueue.core import background, outbox
    from reviewqueue.core.worker import ReviewWorker, all_names

    settings = _part_settings(data_dir)
    logs.to_stderr(settings.log_format)
    app = create_app(settings)
    background.serve(app)
    with app.app_context():
        connection = background.connect(background.redis_url(), retries=3)
    names = [*(outbox.review_queue(slug) for slug in _listed(only)), *_site_work(work)]
    left_out = set(_site_work(without))
    wanted = (lambda: names) if names else (lambda: [name for name in all_names(settings) if name not in left_out])
    # In turns: otherwise the queues named first would starve the others.
    ReviewWorker(wanted, connection).work(logging_level="WARNING", dequeue_strategy=DequeueStrategy.ROUND_ROBIN)


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _site_work(text: str) -> list[str]:
    from reviewqueue.core import outbox

    names = _listed(text)
    for name in names:
        if name not in outbox.SITE:
            raise click.BadParameter(f"{name} is not known: {', '.join(outbox.SITE)}")
    return names


@main.command()
@with_data_dir
@click.option("--json", "as_json", is_flag=True, help="Print the checks as JSON.")
@click.pass_obj
def doctor(data_dir: Path, as_json: bool) -> None:
    """Look whether everything is there that the product needs; exits with 1 on a fault and says how to mend it."""
    from reviewqueue.app import create_app
    from reviewqueue.core.db import opened
    from reviewqueue.core.doctor import Check, examine

    try:
        settings = config.load(data_dir=data_dir, may_create=False)
    except config.NoInstallation as error:
        checks = [Check("installation", False, error.message, "`reviewqueue up` runs one, and begins it if need be.")]
    except config.RestoreUnfinished as error:
        checks = [Check("installation", False, error.message, "Run `reviewqueue restore` again.")]
    except config.BadSetting as error:
        checks = [Check("configuration", False, error.message, "Correct that environment variable.")]
    else:
        with opened(create_app(settings)):
            checks = examine(settings)
            checks += _provider_check()
    if as_json:
        click.echo(json.dumps([asdict(check) for check in checks], indent=2))
    else:
        for check in checks:
            click.echo(f"{'ok   ' if check.ok else 'FAULT'} {check.name}: {check.seen}")
            if check.mend:
                click.echo(f"      {check.mend}")
    sys.exit(0 if all(check.ok for check in checks) else 1)


def _provider_check() -> list[Any]:
    from reviewqueue.accounts.provider import provider
    from reviewqueue.core.doctor import Check

    found = provider()
    if found is None:
        return []
    try:
        found.description()
    except errors.Unavailable:
        mend = "Look at what the log says above; correct REVIEWQUEUE_SSO_ISSUER, or let this machine reach it."
        return [Check("sign-in provider", False, f"{found.sso.issuer} gives no description of itself", mend)]
    return [Check("sign-in provider", True, f"{found.sso.issuer} answers")]


@main.group("db")
def database() -> None:
    """The database's schema."""


@database.command()
@click.pass_obj
def upgrade(data_dir: Path) -> None:
    """Bring the schema to this version. Safe to run at any time, from any machine."""
    from reviewqueue.app import create_app
    from reviewqueue.core.db import opened
    from reviewqueue.core.migrations import migrate_to_newest

    with opened(create_app(config.load(data_dir=data_dir))):
        migrate_to_newest()
    click.echo("The database is up to date.")


if __name__ == "__main__":
    main()
