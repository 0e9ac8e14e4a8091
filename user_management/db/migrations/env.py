"""Alembic's entry point: the same database URL, metadata and driver as the rest of the project."""

import asyncio
import importlib
import pkgutil

from alembic import context
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine

import user_management
from user_management import settings
from user_management.db import session
from user_management.db.base import Base

LOCK = 7_305_808_869_229_538_861
"""The advisory lock that a migration holds; any number that nobody else uses."""


def metadata_of_the_project() -> object:
    """The metadata with every table: importing the modules that declare tables registers them."""
    for name in ("journal", "mirror", "listener", "services"):
        package = importlib.import_module(f"{user_management.__name__}.{name}")
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    return Base.metadata


def run(connection: Connection) -> None:
    """Run the migrations on an open connection, all in one transaction; of two at once, one waits for the other."""
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK})")
    context.configure(connection=connection, target_metadata=metadata_of_the_project(), compare_type=True)  # type: ignore[arg-type]  # importlib types are opaque
    with context.begin_transaction():
        context.run_migrations()


async def connect_and_run(url: str) -> None:
    """Open one connection through our own driver settings and migrate over it."""
    engine = create_async_engine("postgresql+asyncpg://", async_creator=lambda: session.connect(url))
    try:
        async with engine.begin() as connection:
            await connection.run_sync(run)
    finally:
        await engine.dispose()


asyncio.run(connect_and_run(context.config.attributes.get("url") or settings.database_url(settings.load())))
