"""`user-management migrate`."""

from typing import Annotated

import typer
from alembic.util.exc import CommandError

from user_management import settings as configuration
from user_management.cli import edge
from user_management.db import schema, session
from user_management.errors import Misconfigured


def migrate(
    revision: Annotated[str, typer.Option(help="The revision to upgrade to.")] = "head",
) -> None:
    """Create or upgrade the tables; safe to repeat, and to run twice at once.  Example: user-management migrate."""
    before, after = edge.run(upgrade(revision))
    if before == after:
        edge.out.print(f"The database is at revision {after or '(none)'} already.")
    else:
        edge.out.print(f"The database went from revision {before or '(none)'} to {after}.")


async def upgrade(revision: str) -> tuple[str | None, str | None]:
    """Upgrade the database of the settings; the revisions it was at before and is at now."""
    url = configuration.database_url(configuration.load())
    before = await current(url)
    try:
        await schema.upgrade(url, revision)
    except CommandError as error:
        raise Misconfigured(f"The database cannot be upgraded to {revision}: {error}") from error
    return before, await current(url)


async def current(url: str) -> str | None:
    """The revision a database is at."""
    async with session.connection(url, application="user-management-cli") as connection:
        return await schema.current(connection)
