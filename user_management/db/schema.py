"""Whether the database has the tables this code expects, and how to get them."""

import asyncio
from pathlib import Path

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from user_management.db.session import Connection
from user_management.errors import Misconfigured

MIGRATIONS = Path(__file__).parent / "migrations"


def config(url: str) -> Config:
    """Alembic's configuration for a database; the URL travels as an attribute, so that no `%` in it is interpreted."""
    settings = Config(attributes={"url": url})
    settings.set_main_option("script_location", str(MIGRATIONS))
    settings.set_main_option("path_separator", "os")
    return settings


def expected() -> str | None:
    """The newest revision this code knows."""
    return ScriptDirectory.from_config(config("")).get_current_head()


def revisions() -> set[str]:
    """Every revision this code knows."""
    return {script.revision for script in ScriptDirectory.from_config(config("")).walk_revisions()}


async def current(connection: Connection) -> str | None:
    """The revision the database is at; None before the first migration."""
    try:
        revision: str | None = await connection.fetchval("SELECT version_num FROM alembic_version")
    except asyncpg.UndefinedTableError:
        return None
    return revision


async def check(connection: Connection) -> None:
    """Refuse a database whose schema is not the one this code was written for; `Misconfigured` says what to run."""
    found, wanted = await current(connection), expected()
    if found is not None and found not in revisions():
        raise Misconfigured(
            f"The database schema is at revision {found}, which this code does not know: update the code."
        )
    if found != wanted:
        raise Misconfigured(
            f"The database schema is at revision {found or '(none)'} and this code needs {wanted}. "
            "Run: alembic upgrade head   (or: user-management migrate)"
        )


async def upgrade(url: str, revision: str = "head") -> None:
    """Bring the database to a revision, creating every table on the first run."""
    await asyncio.to_thread(command.upgrade, config(url), revision)


async def downgrade(url: str, revision: str) -> None:
    """Take the database back to an older revision (`base` for none)."""
    await asyncio.to_thread(command.downgrade, config(url), revision)
