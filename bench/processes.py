"""The processes that are measured, each started as a user starts it, ended when its block ends."""

import asyncio
import os
import re
import socket
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from user_management.db import session
from user_management.db.session import Connection

PREFIX = "USER_MANAGEMENT_"
KEY = "sk_sandbox"
ROOT = Path(__file__).parent.parent
PATIENCE = 180.0
"""Seconds a process may take until it is ready; a sandbox with a million users takes some 35."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Resident memory of a process in megabytes: the most it ever had, and now."""

    peak: float
    now: float


@dataclass(frozen=True, slots=True)
class Server:
    """A process that answers HTTP."""

    pid: int
    url: str


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Connection]:
    """A connection outside any pool, closed when the block ends."""
    connection = await session.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


def memory(pid: int) -> Memory:
    """How much memory a process has."""
    status = Path(f"/proc/{pid}/status").read_text()
    peak, now = (re.search(rf"{name}:\s+(\d+) kB", status) for name in ("VmHWM", "VmRSS"))
    if peak is None or now is None:
        raise RuntimeError("the kernel does not tell how much memory a process has")
    return Memory(int(peak[1]) / 1024, int(now[1]) / 1024)


def environment(**values: str) -> dict[str, str]:
    """This environment with settings of ours in place of whatever settings it has; nobody is told to slow down."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    values = {"rate_limit": "0", **values}
    return kept | {f"{PREFIX}{name.upper()}": value for name, value in values.items()} | {"PYTHONPATH": str(ROOT)}


@asynccontextmanager
async def running(
    module: str, *arguments: str, values: Mapping[str, str] | None = None, folder: Path = ROOT, output: int = DEVNULL
) -> AsyncIterator[Process]:
    """`python -m module` while the block lasts; what it complains about is seen."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, *arguments,
        env=environment(**(values or {})), cwd=folder, stdin=DEVNULL, stdout=output,
    )  # fmt: skip
    try:
        yield process
    finally:
        await end(process)


async def end(process: Process) -> None:
    """Ask a process to end, insist after a while, and wait for it."""
    if process.returncode is None:
        process.terminate()
    try:
        async with asyncio.timeout(20):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


@asynccontextmanager
async def sandbox(*arguments: str) -> AsyncIterator[str]:
    """A local WorkOS without rate limits that shows events at once; its URL."""
    always = ("--port", "0", "--no-rate-limits", "--hold-back", "0", "--api-key", KEY)
    async with running("user_management.sandbox", *always, *arguments, output=PIPE) as process:
        assert process.stdout is not None  # noqa: S101  narrows for the type checker: it was asked for
        async with asyncio.timeout(PATIENCE):
            found = re.search(r"http://\S+", (await process.stdout.readline()).decode())
        if found is None:
            raise RuntimeError("the sandbox did not start")
        yield found[0]


@asynccontextmanager
async def listener(
    database_url: str, workos_url: str, folder: Path, *, poll_interval: float = 2.0
) -> AsyncIterator[Process]:
    """The listener, with its default settings but for what it follows and how often it asks."""
    values = settings(database_url, workos_url) | {"poll_interval": str(poll_interval)}
    async with running("user_management.listener", values=values, folder=folder) as process:
        yield process


@asynccontextmanager
async def api(
    database_url: str, workos_url: str, folder: Path, *, module: str = "bench.served", **more: str
) -> AsyncIterator[Server]:
    """The API, one worker, once it answers; `more` settings than it needs."""
    port = free_port()
    values = settings(database_url, workos_url) | {"host": "127.0.0.1", "port": str(port), **more}
    async with running(module, values=values, folder=folder) as process:
        yield await answering(process, port)


@asynccontextmanager
async def collector() -> AsyncIterator[Server]:
    """An OTLP endpoint that takes everything, once it answers."""
    port = free_port()
    async with running("bench.collector", str(port)) as process:
        yield await answering(process, port)


@asynccontextmanager
async def peer(database_url: str) -> AsyncIterator[Server]:
    """The peer, one worker, once it answers."""
    port = free_port()
    async with running("bench.peer", database_url, str(port)) as process:
        yield await answering(process, port)


def settings(database_url: str, workos_url: str) -> dict[str, str]:
    """What our own processes must be told."""
    return {
        "database_url": database_url, "workos_base_url": workos_url, "workos_api_key": KEY,
        "workos_client_id": "client_sandbox", "log_level": "error", "workos_requests_per_minute": "6000000",
    }  # fmt: skip


def free_port() -> int:
    """A port of the loopback interface that nobody has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def answering(process: Process, port: int) -> Server:
    """The server a process has become; an error when it ended instead."""
    async with asyncio.timeout(PATIENCE):
        while process.returncode is None:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return Server(process.pid, f"http://127.0.0.1:{port}")
    raise RuntimeError(f"a server ended with status {process.returncode} before it answered")
