"""Which database the demo copies into: a fresh one for the sandbox, one of its own for each WorkOS environment."""

import asyncio
import contextlib
import hashlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import asyncpg
from alembic.util.exc import CommandError

from user_management.db import embedded, schema, session
from user_management.demo import screen
from user_management.demo.folder import warn
from user_management.errors import Misconfigured
from user_management.settings import Source

SANDBOX = "sandbox"
"""The database of the local WorkOS, which forgets everything when it stops: so does its copy."""


@contextlib.contextmanager
def opened(given: str, folder: Path, source: Source) -> Iterator[str]:
    """The URL of a migrated database for this source: in the database given, else on a PostgreSQL of our own."""
    if given:
        asyncio.run(check_given(given, source))
        asyncio.run(migrate(given))
        screen.line("PostgreSQL", "the one USER_MANAGEMENT_DATABASE_URL names")
        yield given
        return
    warn(folder)
    with running(folder) as server:
        url = asyncio.run(prepare(server, source))
        asyncio.run(migrate(url))
        screen.line("PostgreSQL", f"{embedded.VERSION}, in {screen.shown(folder)}, database {name_for(source)}")
        yield url


def name_for(source: Source) -> str:
    """The database of a source: two WorkOS environments never share one."""
    digest = hashlib.sha256((source.api_key + source.base_url).encode()).hexdigest()[:8]
    return SANDBOX if source.sandbox else f"workos_{digest}"


async def prepare(server: str, source: Source) -> str:
    """Create the source's database unless it exists; the sandbox's is always a new one."""
    if source.sandbox:
        await embedded.drop(server, SANDBOX)
    return await embedded.create(server, name_for(source))


async def migrate(url: str) -> None:
    """Bring a database to the schema of this code; `Misconfigured` when it holds something else."""
    try:
        await schema.upgrade(url)
    except (CommandError, asyncpg.DuplicateTableError) as error:
        raise Misconfigured(
            f"The database cannot be used, it holds tables that are not this project's: {error}"
        ) from error


async def check_given(url: str, source: Source) -> None:
    """`Misconfigured` when made-up people would be mixed into a copy that already holds something."""
    connection = await session.connect(url)
    try:
        if source.sandbox and await schema.current(connection) and await connection.fetchval("SELECT 1 FROM journal"):
            raise Misconfigured(
                "USER_MANAGEMENT_DATABASE_URL names a database that already holds a copy, and without "
                "USER_MANAGEMENT_WORKOS_API_KEY the demo would mix made-up people into it: "
                "set the key, name an empty database, or unset the URL."
            )
    finally:
        await connection.close()


@contextlib.contextmanager
def running(folder: Path) -> Iterator[str]:
    """A PostgreSQL of our own; `Misconfigured` says why there is none."""
    discard_unfinished(folder)
    with contextlib.ExitStack() as stack:
        try:
            url = stack.enter_context(embedded.server(folder))
        except (OSError, RuntimeError, AssertionError, subprocess.SubprocessError) as error:
            raise Misconfigured(
                f"The embedded PostgreSQL does not start ({error}). See {folder / 'log'}, remove {folder} to begin "
                "again, or set USER_MANAGEMENT_DATABASE_URL to a PostgreSQL of your own."
            ) from error
        finished(folder).touch()
        yield url


def finished(folder: Path) -> Path:
    """The file that says that a data folder was set up completely."""
    return folder.with_name(f"{folder.name}.complete")


def discard_unfinished(folder: Path) -> None:
    """Remove a data folder whose setup was interrupted, and the wheel's list of owners: we hold the folder's lock."""
    if not finished(folder).exists():
        shutil.rmtree(folder, ignore_errors=True)
    (folder / ".handle_pids.json").unlink(missing_ok=True)
