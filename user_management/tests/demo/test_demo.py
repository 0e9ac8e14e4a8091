"""The demo as somebody who has just cloned the project meets it."""

import asyncio
import os
import re
import signal
import sys
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from user_management.demo import processes
from user_management.tests.support import ports
from user_management.tests.support.waiting import PATIENCE, until


@asynccontextmanager
async def running(folder: Path, port: int) -> AsyncIterator[Process]:
    """A demo in a folder; if it still runs at the end it is killed, and takes everything with it."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "user_management.demo", "--users", "50", "--organizations", "2",
        "--sandbox-port", str(ports.free()), cwd=folder, stdout=PIPE, stderr=STDOUT,
        env={**os.environ, "USER_MANAGEMENT_PORT": str(port), "USER_MANAGEMENT_POLL_INTERVAL": "0.2"},
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def shown(process: Process, until: str) -> str:
    """What the demo says up to and including some words."""
    assert process.stdout is not None
    try:
        async with asyncio.timeout(PATIENCE):
            return (await process.stdout.readuntil(until.encode())).decode()
    except asyncio.IncompleteReadError as error:
        raise AssertionError(f"It ended, and said: {error.partial.decode()}") from error


def pids(folder: Path) -> dict[int, str]:
    """Every process of the demo, with the words it is known by."""
    files = {name: folder / ".demo" / f"{name}.pid" for name in processes.WORDS if name != "postgres"}
    found = {processes.pid_in(file): processes.WORDS[name] for name, file in files.items()}
    found[processes.pid_in(folder / ".demo" / "postgres" / "postmaster.pid")] = "postgres"
    return {pid: word for pid, word in found.items() if pid is not None}


async def all_gone(started: dict[int, str]) -> bool:
    """Whether none of them runs."""
    return not any(processes.runs(pid, word) for pid, word in started.items())


async def test_the_story(tmp_path: Path) -> None:
    """Everything starts, a user who is created is there at once, a dead listener is survived, Ctrl-C leaves nothing."""
    port = ports.free()
    async with running(tmp_path, port) as process:
        said = await shown(process, "Ctrl-C stops everything.")
        started = pids(tmp_path)
        assert len(started) == 4, said
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE) as api:
            created = await api.post("/api/users", json={"email": "ada@example.com"})
            assert created.status_code == 201, created.text
            assert (await api.get("/api/users", params={"email": "ADA@example.com"})).json()["data"] == [created.json()]
        assert (tmp_path / ".demo" / "env").stat().st_mode & 0o777 == 0o600
        listener = re.search(r"kill -9 (\d+)", said)
        assert listener is not None
        os.kill(int(listener[1]), signal.SIGKILL)
        assert "python -m user_management.listener" in await shown(process, "user_management.listener")
        process.send_signal(signal.SIGINT)
        await shown(process, "Everything is stopped.")
        assert await process.wait() == 0
    assert await all_gone(started)


async def test_a_killed_demo_leaves_nothing(tmp_path: Path) -> None:
    """Even a demo that is killed takes everything with it, and the next one starts as if nothing had happened."""
    async with running(tmp_path, ports.free()) as process:
        await shown(process, "Ctrl-C stops everything.")
        started = pids(tmp_path)
    assert process.returncode == -signal.SIGKILL
    await until(lambda: all_gone(started))
    async with running(tmp_path, ports.free()) as again:
        await shown(again, "PostgreSQL")
        again.send_signal(signal.SIGTERM)
        await again.communicate()
    assert again.returncode == 0
