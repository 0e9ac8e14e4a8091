"""`user-management backfill`, as a process of its own between a database and a local WorkOS."""

import asyncio
import sys
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import AsyncIterator

import pytest

from user_management.db.session import Pool
from user_management.listener import backfills, lease
from user_management.tests.support import copies, processes
from user_management.tests.support.waiting import PATIENCE, until

COMMAND = "import sys; from user_management.cli import main; sys.argv[1:] = ['backfill']; main()"


@pytest.fixture(scope="module")
async def sandbox() -> AsyncIterator[str]:
    """The URL of a local WorkOS with people in it."""
    async with processes.sandbox("--users", "200") as url:
        yield url


async def start(database_url: str, sandbox: str, **more: str) -> Process:
    """Start the command."""
    environment = {"PATH": "", **processes.settings(database_url, sandbox, **more)}
    return await asyncio.create_subprocess_exec(
        sys.executable, "-c", COMMAND, env=environment, stdout=PIPE, stderr=STDOUT
    )  # fmt: skip


async def end(process: Process, status: int) -> str:
    """What the command said, when it ends with the status it should."""
    async with asyncio.timeout(PATIENCE):
        said, _ = await process.communicate()
    assert process.returncode == status, said.decode()
    return said.decode()


async def asked(pool: Pool) -> bool:
    """Whether a run was asked for."""
    async with pool.acquire() as connection:
        return await backfills.unfinished(connection) is not None


async def test_it_is_done_here_when_nobody_listens(database_url: str, pool: Pool, sandbox: str) -> None:
    """Without a listener the command does the whole run itself, and gives the lease back."""
    assert "objects listed" in await end(await start(database_url, sandbox), 0)
    assert len(await copies.live(pool, "users")) == 200
    await copies.assert_equal_to_journal(pool)
    async with pool.acquire() as connection:
        assert await lease.holder(connection) is None


async def test_it_is_watched_when_a_listener_does_it(database_url: str, pool: Pool, sandbox: str) -> None:
    """With a listener at work the command waits for the listener's run."""
    async with pool.acquire() as connection:
        await lease.take(connection, "another", 3600)
        process = await start(database_url, sandbox)
        await until(lambda: asked(pool))
        run = await backfills.unfinished(connection)
        assert run is not None
        await backfills.finish(connection, run, note="by another", absent=0)
    assert "by another" in await end(process, 0)


async def test_an_interrupted_watch_leaves_the_run_going(database_url: str, pool: Pool, sandbox: str) -> None:
    """Ctrl-C ends the watching and not the run."""
    async with pool.acquire() as connection:
        await lease.take(connection, "another", 3600)
    process = await start(database_url, sandbox)
    assert process.stdout is not None
    await process.stdout.readuntil(b"does it.")
    process.terminate()
    assert "The run goes on" in await end(process, 130)
    assert await asked(pool)


async def test_a_refused_key_ends_it(database_url: str, pool: Pool, sandbox: str) -> None:
    """A key that WorkOS refuses will not be accepted by waiting."""
    said = await end(await start(database_url, sandbox, workos_api_key="sk_wrong"), 2)
    assert "refuses our API key" in said
    assert "Traceback" not in said
