"""Alembic's entry point: the same database URL, metadata and driver as the rest of the project."""

import asyncio

from alembic import context
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine

from user_management import settings
from user_management.db import schema, session

LOCK = 7_305_808_869_229_538_861
"""The advisory lock that a migration holds; any number that nobody else uses."""


def run(connection: Connection) -> None:
    """Run the migrations on an open connection, all in one transaction; of two at once, one waits for the other."""
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK})")
    context.configure(connection=connection, target_metadata=schema.declared(), compare_type=True)
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
