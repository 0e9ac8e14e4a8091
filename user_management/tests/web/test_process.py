import asyncio
import json
import re
import signal
import socket
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from user_management.tests.support import processes
from user_management.tests.support.waiting import PATIENCE, until


async def ended(process: Process) -> str:
    """What an API and its workers say from now on until their end, which they are asked for."""
    process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(PATIENCE):
        _, said = await process.communicate()
    return said.decode()


async def run(environment: dict[str, str]) -> tuple[int | None, str]:
    """The exit status and last words of an API that should refuse to start."""
    process = await processes.start("user_management", environment=environment, silent=False)
    async with asyncio.timeout(PATIENCE):
        _, said = await process.communicate()
    return process.returncode, said.decode()


@asynccontextmanager
async def serving(environment: dict[str, str]) -> AsyncIterator[tuple[Process, httpx.AsyncClient, str]]:
    """An API in processes of its own, on a free port, a client of it, and what it has said to begin with."""
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
            yield process, client, said
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
    """One worker or several answer, and a signal ends them all, promptly, without a traceback, with status 0."""
    more = {"port": "0", "workers_count": str(workers), "log_level": "info"}
    async with serving(processes.settings(database_url, "http://127.0.0.1:9", **more)) as (process, client, _):
        for _ in range(6):
            assert (await client.get("/api/users")).json()["data"] == []
        process.send_signal(ending)
        async with asyncio.timeout(PATIENCE):
            _, said = await process.communicate()
    assert (process.returncode, "Traceback" in said.decode()) == (0, False)


async def test_workers_do_not_outlive_a_parent_that_is_killed(database_url: str) -> None:
    """Whoever starts the API again finds its port free."""
    environment = processes.settings(database_url, "http://127.0.0.1:9", port="0", workers_count="2", log_level="info")
    async with serving(environment) as (process, client, _):
        process.kill()

        async def gone() -> bool:
            try:
                await client.get("/api/health")
            except httpx.ConnectError:
                return True
            except httpx.TransportError:
                return False
            return False

        await until(gone)


@pytest.mark.parametrize("more", [{}, {"workers_count": "2"}, {"reload": "true"}], ids=["one", "workers", "reload"])
async def test_whoever_writes_a_line_writes_it_alike(
    database_url: str, more: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Our own lines and uvicorn's, of the parent and of its workers, are JSON; and a read writes none."""
    monkeypatch.chdir(tmp_path)
    options = {"port": "0", "log_level": "info", "workos_api_key": " ", **more}
    options |= {"sandbox_url": "http://127.0.0.1:9"}
    async with serving(processes.settings(database_url, "http://127.0.0.1:9", **options)) as (process, client, begun):
        assert (await client.get("/api/users")).status_code == 200
        facts = [json.loads(line) for line in (begun + await ended(process)).splitlines()]
    told = " ".join(fact["event"] for fact in facts)
    assert all(fact.keys() >= {"timestamp", "level", "event"} for fact in facts)
    assert "Started server process" in told
    assert "GET" not in told
    assert [fact["url"] for fact in facts if fact["event"] == "sandbox.followed"] == ["http://127.0.0.1:9"]
