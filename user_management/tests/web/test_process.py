import asyncio
import re
import signal
import socket
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from user_management.tests.support import processes
from user_management.tests.support.waiting import PATIENCE, until


async def run(environment: dict[str, str]) -> tuple[int | None, str]:
    """The exit status and last words of an API that should refuse to start."""
    process = await processes.start("user_management", environment=environment, silent=False)
    async with asyncio.timeout(PATIENCE):
        _, said = await process.communicate()
    return process.returncode, said.decode()


@asynccontextmanager
async def serving(environment: dict[str, str]) -> AsyncIterator[tuple[Process, httpx.AsyncClient]]:
    """An API in processes of its own, on a free port, and a client of it."""
    process = await processes.start("user_management", environment=environment, silent=False)

    async def alive() -> bool:
        try:
            return (await client.get("/api/health")).status_code == 200
        except httpx.TransportError:
            return False

    try:
        said = await processes.says(process, " (Press CTRL+C to quit)")
        found = re.search(r"Uvicorn running on (\S+)", said)
        assert found is not None, said
        each_anew = httpx.Limits(max_keepalive_connections=0)
        async with httpx.AsyncClient(base_url=found[1], limits=each_anew, timeout=PATIENCE) as client:
            await until(alive)
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
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        url = f"postgresql://postgres@127.0.0.1:{deaf.getsockname()[1]}/nothing"
        status, said = await run(processes.settings(url, "http://127.0.0.1:9"))
    assert (status, "cannot be reached" in said, said.count("\n")) == (1, True, 1)


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
async def test_workers_serve_and_end_at_once(database_url: str, workers: int, ending: signal.Signals) -> None:
    """One worker or several answer, and a signal ends them all, promptly and without a traceback."""
    more = {"port": "0", "workers_count": str(workers), "log_level": "info"}
    async with serving(processes.settings(database_url, "http://127.0.0.1:9", **more)) as (process, client):
        for _ in range(6):
            assert (await client.get("/api/users")).json()["data"] == []
        process.send_signal(ending)
        async with asyncio.timeout(PATIENCE):
            _, said = await process.communicate()
    assert "Traceback" not in said.decode()
