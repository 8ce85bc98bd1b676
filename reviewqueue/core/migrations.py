"""Bringing the database to this version's schema, and noticing when it is not."""

from __future__ import annotations

from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask_migrate import upgrade
from sqlalchemy.exc import OperationalError

from reviewqueue.core.db import db
from reviewqueue.core.places import migrations_dir
from reviewqueue.errors import Conflict, Unavailable


def migrate_to_newest() -> None:
    """Run what is missing, in one transaction. Raises `Unavailable` when the database cannot be reached, or processes
    that run beside have the tables locked in another order, each time again."""
    for _ in range(ATTEMPTS):
        try:
            upgrade(directory=str(migrations_dir()))
        except OperationalError as error:
            if not _is_deadlock(error):
                raise Unavailable(f"The database cannot be reached: {_short(error)}") from None
        else:
            return
    raise Unavailable(
        "Other processes use the tables that are to change. Stop them, or try again; nothing was changed."
    )


ATTEMPTS = 5


def _is_deadlock(error: OperationalError) -> bool:
    return getattr(error.orig, "sqlstate", None) == "40P01"


def is_current() -> bool:
    """Whether the schema is this version's."""
    return revision() == _scripts().get_current_head()


def is_empty() -> bool:
    """Whether nothing was ever installed in this database."""
    return revision() is None


def revision() -> str | None:
    """Which schema the database has."""
    with db.engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def is_known(schema: str) -> bool:
    """Whether this version has that schema, or had it once."""
    return any(script.revision == schema for script in _scripts().walk_revisions())


def _scripts() -> ScriptDirectory:
    config = Config()
    config.set_main_option("script_location", str(migrations_dir()))
    return ScriptDirectory.from_config(config)


def require_current() -> None:
    """Raises `Conflict` for another schema, `Unavailable` when the database cannot be reached."""
    try:
        current = is_current()
    except OperationalError as error:
        raise Unavailable(f"The database cannot be reached: {_short(error)}") from None
    if not current:
        raise Conflict("The database is not at this version's schema: run `reviewqueue db upgrade` (or `up`) first.")


def _short(error: OperationalError) -> str:
    return str(error.orig).strip().splitlines()[0] if error.orig else str(error)
