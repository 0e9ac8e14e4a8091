"""Whether the database has the tables this code expects, and how to get them."""

import asyncio
import importlib
import io
import pkgutil
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import sqlalchemy
from alembic import command
from alembic.autogenerate import produce_migrations
from alembic.config import Config
from alembic.operations import Operations, ops
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.ext.asyncio import create_async_engine

import user_management
from user_management.db import session
from user_management.db.base import Base
from user_management.db.session import Connection
from user_management.errors import Misconfigured

MIGRATIONS = Path(__file__).parent / "migrations"


def declared() -> sqlalchemy.MetaData:
    """Every table of the project, of whatever layer: importing the modules that declare tables registers them."""
    for name in ("journal", "mirror", "listener", "services"):
        package = importlib.import_module(f"{user_management.__name__}.{name}")
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    return Base.metadata


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


async def drift(url: str, refilled: Collection[str] = ()) -> list[str]:
    """The statements that give a migrated database back what its tables lack; what others added does not count.

    `refilled` are tables that are filled again from the journal: one that lost a column which no row can be without is
    emptied first.
    """
    engine = create_async_engine("postgresql+asyncpg://", async_creator=lambda: session.connect(url))
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(mended, refilled)
    finally:
        await engine.dispose()


def mended(connection: sqlalchemy.Connection, refilled: Collection[str]) -> list[str]:
    """The statements that make the tables what the code declares, a line each."""
    script = io.StringIO()
    found = MigrationContext.configure(connection, opts={"compare_type": True})
    offline = MigrationContext.configure(
        dialect=connection.dialect, opts={"as_sql": True, "output_buffer": script}
    )  # fmt: skip
    changes = sorted(lacking(produce_migrations(found, declared()).upgrade_ops_list), key=rank)
    bare = {one.table_name for one in changes if isinstance(one, ops.AddColumnOp) and needed(one.column)}
    for table in sorted(bare.intersection(refilled)):
        Operations(offline).execute(f"TRUNCATE {table}")
    for change in changes:
        Operations(offline).invoke(change)
    return [" ".join(statement.split()) for statement in script.getvalue().split(";\n\n") if statement.strip()]


def rank(change: ops.MigrateOperation) -> int:
    """Columns before those that PostgreSQL computes from them, and before their indexes."""
    if isinstance(change, ops.AddColumnOp):
        return 0 if change.column.computed is None else 1
    return 2


def needed(column: sqlalchemy.Column[Any]) -> bool:
    """Whether no row can be without a column, nor has PostgreSQL anything to put there."""
    return not column.nullable and column.server_default is None and column.computed is None


def lacking(changes: list[ops.UpgradeOps]) -> Iterator[ops.MigrateOperation]:
    """The changes that add or alter; those that would drop what is not ours are left out."""
    nested: list[ops.MigrateOperation] = [*changes]
    while nested:
        change = nested.pop(0)
        if isinstance(change, ops.OpContainer):
            nested = [*change.ops, *nested]
        elif not isinstance(change, (ops.DropTableOp, ops.DropColumnOp, ops.DropIndexOp, ops.DropConstraintOp)):
            yield change
