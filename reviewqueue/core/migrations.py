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
    """Run what is missing, in one transaction. Raises `Unavailable` when the database cannot be reached."""
    try:
        upgrade(directory=str(migrations_dir()))
    except OperationalError as error:
        raise Unavailable(f"The database cannot be reached: {_short(error)}") from None


def is_current() -> bool:
    """Whether the schema is this version's."""
    config = Config()
    config.set_main_option("script_location", str(migrations_dir()))
    newest = ScriptDirectory.from_config(config).get_current_head()
    with db.engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision() == newest


def is_empty() -> bool:
    """Whether nothing was ever installed in this database."""
    with db.engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision() is None


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
