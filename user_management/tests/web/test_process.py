import asyncio
import signal
import socket
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from user_management.tests.support import processes
from user_management.tests.support.waiting import until


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


async def run(environment: dict[str, str]) -> tuple[int | None, str]:
    """The exit status and last words of an API that should refuse to start."""
    process = await processes.start("user_management", environment=environment, silent=False)
    async with asyncio.timeout(30):
        _, said = await process.communicate()
    return process.returncode, said.decode()


@asynccontextmanager
async def serving(environment: dict[str, str]) -> AsyncIterator[tuple[Process, httpx.AsyncClient]]:
    """An API in processes of its own, and a client of it."""
    process = await processes.start("user_management", environment=environment, silent=False)
    url = f"http://127.0.0.1:{environment['USER_MANAGEMENT_PORT']}"

    async def alive() -> bool:
        try:
            return (await client.get("/api/health")).status_code == 200
        except httpx.TransportError:
            return False

    try:
        async with httpx.AsyncClient(base_url=url, limits=httpx.Limits(max_keepalive_connections=0)) as client:
            await until(alive, seconds=60)
            yield process, client
    finally:
        await processes.end(process)
        await process.communicate()


@pytest.mark.parametrize("missing", ["DATABASE_URL", "WORKOS_API_KEY"])
async def test_without_its_settings_it_refuses_in_a_sentence(missing: str, database_url: str) -> None:
    """A missing setting is named, and the exit status is 2."""
    environment = processes.settings(database_url, "http://127.0.0.1:9") | {f"USER_MANAGEMENT_{missing}": ""}
    status, said = await run(environment)
    assert (status, said.count("\n")) == (2, 1)
    assert f"USER_MANAGEMENT_{missing} is not set" in said


async def test_without_its_tables_it_says_what_to_run(server: str) -> None:
    """A database that was never migrated is refused with the command that migrates it."""
    status, said = await run(processes.settings(server, "http://127.0.0.1:9"))
    assert (status, "alembic upgrade head" in said, said.count("\n")) == (2, True, 1)


async def test_without_a_database_it_says_so() -> None:
    """A database that is away is a sentence and exit status 1, for a supervisor to try again."""
    url = f"postgresql://postgres@127.0.0.1:{free_port()}/nothing"
    status, said = await run(processes.settings(url, "http://127.0.0.1:9"))
    assert (status, "cannot be reached" in said, said.count("\n")) == (1, True, 1)


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
async def test_workers_serve_and_end_at_once(database_url: str, workers: int, ending: signal.Signals) -> None:
    """One worker or several answer, and a signal ends them all, promptly, without a traceback, with status 0."""
    more = {"port": str(free_port()), "workers_count": str(workers)}
    async with serving(processes.settings(database_url, "http://127.0.0.1:9", **more)) as (process, client):
        for _ in range(6):
            assert (await client.get("/api/users")).json()["data"] == []
        process.send_signal(ending)
        async with asyncio.timeout(10):
            _, said = await process.communicate()
    assert (process.returncode, "Traceback" in said.decode()) == (0, False)
