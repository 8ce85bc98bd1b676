"""What all tests stand on: real databases, a real Valkey, the cast, the running product, a browser.

PostgreSQL is one server for the whole run, started by the process that runs pytest and shared by all its workers; each
test gets a database of its own, copied from a migrated one. `--durable` makes it survive a crash, for tests of that.
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from reviewqueue import config
from reviewqueue.accounts import tokens
from reviewqueue.app import create_app
from reviewqueue.core import embedded
from reviewqueue.core.access import Scope
from reviewqueue.core.background import connect
from reviewqueue.core.db import write_session
from tests.fixtures import browser, described, installation, living, postgres, processes, remembered
from tests.fixtures.people import OPERATOR, Cast, assemble
from tests.fixtures.turns import DATABASES

# Tests start many processes of the product, and one that compiles all that it imports takes seconds to start.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# How long an example takes says nothing on a machine that does other things, too.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")
remembered.begin()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--durable", action="store_true", help="run PostgreSQL with fsync, as in production")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One more than there are processors: about a third of the run's time is spent waiting for what others do."""
    return (os.cpu_count() or 1) + 1


# -- servers ----------------------------------------------------------------------------------------------------------


class Shared:
    """What is made once for the whole run, when first asked for."""

    def __init__(self, *, durable: bool) -> None:
        self.durable = durable
        self.server: postgres.Server | None = None
        self.directory = Path(tempfile.mkdtemp(prefix="rq-tests-"))
        self._sqlite: Path | None = None

    def sqlite(self) -> Path:
        if self._sqlite is None:
            self._sqlite = installation.migrated_sqlite(self.directory / "sqlite")
        return self._sqlite

    def postgres(self) -> Path:
        if self.server is None:
            self.server = postgres.Server(durable=self.durable)
            installation.migrated_postgres(self.server, self.directory / "postgres")
        return self.server.directory

    def stop(self) -> None:
        if self.server is not None:
            self.server.stop()
        shutil.rmtree(self.directory, ignore_errors=True)


SHARED = pytest.StashKey[Shared]()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """xdist: tell each worker where the servers are."""
    shared = node.config.stash.get(SHARED, None)
    if shared is None:
        shared = node.config.stash[SHARED] = Shared(durable=node.config.getoption("durable"))
    node.workerinput["sqlite"] = str(shared.sqlite())
    try:
        node.workerinput["postgres"] = str(shared.postgres())
    except postgres.NoPostgres as error:
        node.workerinput["no_postgres"] = str(error)


def pytest_unconfigure(config: pytest.Config) -> None:
    shared = config.stash.get(SHARED, None)
    if shared is not None:
        shared.stop()


def _shared(config: pytest.Config) -> Shared:
    shared = config.stash.get(SHARED, None)
    if shared is None:
        shared = config.stash[SHARED] = Shared(durable=config.getoption("durable"))
    return shared


@pytest.fixture(scope="session")
def postgres_server(request: pytest.FixtureRequest) -> Path:
    """The directory of the PostgreSQL server's socket; `tests.fixtures.postgres` makes URLs of it."""
    try:
        given = getattr(request.config, "workerinput", None)
        if given is None:
            return _shared(request.config).postgres()
        if "no_postgres" in given:
            raise postgres.NoPostgres(given["no_postgres"])
        return Path(given["postgres"])
    except postgres.NoPostgres as error:
        pytest.skip(f"POSTGRESQL TESTS SKIPPED: {error}")


@pytest.fixture(scope="session")
def sqlite_template(request: pytest.FixtureRequest) -> Path:
    given = getattr(request.config, "workerinput", None)
    return Path(given["sqlite"]) if given else _shared(request.config).sqlite()


@pytest.fixture(scope="session")
def _valkey() -> Iterator[str]:
    directory = Path(tempfile.mkdtemp(prefix="rq-vk-"))
    socket = directory / "valkey.sock"
    process = processes.start(embedded.command(socket), directory / "log")
    try:
        embedded.wait_until_ready(embedded.url(socket))
        yield embedded.url(socket)
    finally:
        processes.stop(process, signal.SIGTERM)
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def redis_url(_valkey: str) -> str:
    """A real Valkey, empty."""
    with connect(_valkey) as client:
        client.flushall()
    return _valkey


# -- the product ------------------------------------------------------------------------------------------------------


@pytest.fixture(params=DATABASES)
def database(request: pytest.FixtureRequest) -> str:
    """`sqlite` or `postgresql`: a test that uses a database runs on both."""
    return str(request.param)


@pytest.fixture
def database_url(database: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """`DATABASE_URL` of a fresh database at the newest schema."""
    if database == "postgresql":
        with postgres.fresh_database(request.getfixturevalue("postgres_server")) as url:
            yield url
        return
    (tmp_path / "data").mkdir(exist_ok=True)
    path = tmp_path / "data" / "reviewqueue.db"
    shutil.copyfile(request.getfixturevalue("sqlite_template"), path)
    yield f"sqlite:///{path}"


@pytest.fixture
def settings(database_url: str, redis_url: str, tmp_path: Path) -> config.Settings:
    """The settings of a fresh installation."""
    (tmp_path / "data").mkdir(exist_ok=True)
    return config.load(installation.environment(tmp_path / "data", database_url=database_url, redis_url=redis_url))


@pytest.fixture
def app(settings: config.Settings) -> Iterator[Flask]:
    """The application, without CSRF tokens: those have tests of their own. No context is pushed, as in a server. An
    answer of the API that its description does not foresee fails the test."""
    app = create_app(settings)
    app.config["WTF_CSRF_ENABLED"] = False
    app.wsgi_app = described.Described(app)  # type: ignore[method-assign]
    yield app
    with app.app_context():
        installation.dispose()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def cast(app: Flask) -> Cast:
    """Everybody in `fixtures/people.py`, with the queue `intents`."""
    return assemble(app)


@pytest.fixture
def watcher(app: Flask, cast: Cast) -> dict[str, str]:
    """Headers of the program that reads the metrics."""
    with app.app_context(), write_session() as session:
        token = tokens.create_service(session=session, actor=OPERATOR, name="Prometheus", scopes=[Scope.METRICS])
    return {"Authorization": f"Bearer {token.secret}"}


@pytest.fixture
def transaction(app: Flask) -> Callable[[], AbstractContextManager[Session]]:
    """`with transaction() as session:` is an edge: a write session inside an application context."""

    @contextmanager
    def begin() -> Iterator[Session]:
        with app.app_context(), write_session() as session:
            yield session

    return begin


@pytest.fixture
def live(settings: config.Settings, tmp_path: Path) -> Iterator[living.Live]:
    """The web server in real processes, with two workers. `live.start("relay")` and `("worker")` add the others."""
    running = living.Live(settings, tmp_path)
    try:
        running.start_web()
        yield running
    finally:
        running.stop_all()


def pytest_collection_finish() -> None:
    remembered.settle()


# -- the browser ------------------------------------------------------------------------------------------------------


LONG = {"promises", "examples", "cookbook", "browser"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # What takes long comes first. A worker that has done its half takes over of another's last tests, which are short.
    items.sort(key=lambda item: item.path.parent.name not in LONG)
    why = browser.why_not()
    for item in items:
        if "page" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.browser)
        if why and item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.skip(reason=why))


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """The browser: one a worker."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=browser.chromium(), args=browser.FLAGS)
        yield found
        found.close()


@pytest.fixture
def page(chromium: Any, live: living.Live) -> Iterator[Any]:
    """A page of the running product; the test fails on script errors, console errors and policy violations."""
    context = chromium.new_context(base_url=live.url)
    context.set_default_timeout(15_000)
    page = context.new_page()
    watch = browser.Watch(page)
    yield page
    context.close()
    assert not watch.faults, "\n".join(watch.faults)
