"""The project's own processes, started as a user starts them, and ended however a test wants."""

import asyncio
import os
import re
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

from user_management.tests.support.waiting import PATIENCE


async def start(
    module: str, *arguments: str, environment: Mapping[str, str] | None = None, silent: bool = True
) -> Process:
    """Start `python -m module`; its output is kept only if it is not silent."""
    output = DEVNULL if silent else PIPE
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, *arguments,
        env={**os.environ, **(environment or {})}, stdin=DEVNULL, stdout=output, stderr=output,
    )  # fmt: skip


async def end(process: Process) -> int:
    """Ask a process to end, and wait for it; its exit status."""
    if process.returncode is None:
        process.terminate()
    async with asyncio.timeout(PATIENCE):
        return await process.wait()


async def says(process: Process, words: str) -> str:
    """What a process that is not silent logs, up to and including some words."""
    assert process.stderr is not None
    try:
        async with asyncio.timeout(PATIENCE):
            return (await process.stderr.readuntil(words.encode())).decode()
    except asyncio.IncompleteReadError as error:
        raise AssertionError(f"It ended, and said: {error.partial.decode()}") from error


async def kill(process: Process) -> None:
    """End a process as a power cut does."""
    process.kill()
    await process.wait()


@asynccontextmanager
async def sandbox(*arguments: str) -> AsyncIterator[str]:
    """A sandbox in a process of its own, on a free port; its URL."""
    process = await start("user_management.sandbox", "--port", "0", "--no-rate-limits", *arguments, silent=False)
    assert process.stdout is not None
    try:
        async with asyncio.timeout(PATIENCE):
            found = re.search(r"http://\S+", (await process.stdout.readline()).decode())
        assert found is not None
        yield found[0]
    finally:
        await end(process)
        await process.communicate()


@asynccontextmanager
async def listeners(environment: Mapping[str, str]) -> AsyncIterator[Callable[[], Awaitable[Process]]]:
    """Starts listeners, each waited for until it follows and heeds signals; what still runs at the end is killed."""
    started: list[Process] = []
    reading: list[asyncio.Task[object]] = []

    async def begin() -> Process:
        told = {**environment, "USER_MANAGEMENT_LOG_LEVEL": "info"}
        process = await start("user_management.listener", environment=told, silent=False)
        started.append(process)
        await says(process, "listener.started")
        reading.append(asyncio.create_task(process.communicate()))  # a full pipe would stop it
        return process

    try:
        yield begin
    finally:
        for process in started:
            if process.returncode is None:
                await kill(process)
        await asyncio.gather(*reading)


def settings(database_url: str, workos_url: str, **more: str) -> dict[str, str]:
    """The environment of a listener or an API between a database and a sandbox."""
    values = {
        "database_url": database_url, "workos_base_url": workos_url, "workos_api_key": "sk_sandbox",
        "workos_client_id": "client_sandbox", "poll_interval": "0.05", "lease_seconds": "1", "log_level": "error",
        **more,
    }  # fmt: skip
    return {f"USER_MANAGEMENT_{name.upper()}": value for name, value in values.items()}
