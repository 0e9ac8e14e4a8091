"""The stage of a storm: a PostgreSQL of its own, the source, two listeners and an API, each a process with a log."""

import asyncio
import os
import re
import signal
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from user_management.db import embedded, schema
from user_management.tests.chaos.storm_plan import Plan
from user_management.tests.chaos.storm_proxy import Proxy
from user_management.tests.support import ports, processes
from user_management.tests.support.waiting import PATIENCE, until

LEASE = 1.5
STALE_AFTER = 2.0
"""Seconds; so few that a storm sees copies go stale."""

GLANCE = 0.05


class Service:
    """One program of ours: started, killed, frozen and asked to end as often as a storm likes."""

    def __init__(self, name: str, folder: Path, *command: str, environment: Mapping[str, str] | None = None) -> None:
        self.name, self.command = name, command
        self.environment = {**os.environ, **(environment or {})}
        self.log = folder / f"{name.replace(' ', '-')}.log"
        self.process: Process | None = None
        self.sessions: list[int] = []
        self.statuses: list[int] = []
        """How it ended when it was asked to."""
        self.lock = asyncio.Lock()

    @property
    def running(self) -> bool:
        """Whether it runs, as far as we know."""
        return self.process is not None and self.process.returncode is None

    async def start(self) -> None:
        """Start it, in a session of its own, so that its workers can be found and ended with it."""
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", *self.command,
                env=self.environment, stdin=DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        self.sessions.append(self.process.pid)

    async def kill(self) -> None:
        """End it and its workers as a power cut does."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            await self.process.wait()

    async def behead(self) -> None:
        """End it without its workers, and wait until these have left by themselves."""
        if self.process is not None and self.running:
            self.process.kill()
            await self.process.wait()

            async def alone() -> bool:
                return not self.left()

            await until(alone)

    async def clear_away(self) -> None:
        """End whatever of it is still there."""
        await self.kill()
        for pid in self.left():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    async def end(self) -> None:
        """Ask it to end, and note its exit status; one that does not heed in time is killed, which is noted too."""
        if self.process is None or not self.running:
            return
        await until(self.heeds)
        self.process.terminate()
        try:
            async with asyncio.timeout(PATIENCE):
                self.statuses.append(await self.process.wait())
        except TimeoutError:
            await self.kill()
            self.statuses.append(-signal.SIGKILL)

    async def heeds(self) -> bool:
        """Whether it would heed SIGTERM: a Python that is still importing simply dies of it."""
        return not self.running or self.process is None or bool(caught(self.process.pid) & 1 << signal.SIGTERM - 1)

    def workers(self) -> list[int]:
        """The worker processes it runs, oldest first."""
        if self.process is None:
            return []
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        with suppress(FileNotFoundError):
            return [int(pid) for pid in children.read_text().split() if b"spawn_main" in words_of(int(pid))]
        return []

    def left(self) -> list[int]:
        """The processes that should be gone and are not."""
        return [pid for session in self.sessions for pid in members(session)]


def words_of(pid: int) -> bytes:
    """The command line of a process; nothing when it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def caught(pid: int) -> int:
    """The signals that a process handles, one bit each."""
    with suppress(OSError):
        found = re.search(r"SigCgt:\s*(\w+)", Path(f"/proc/{pid}/status").read_text())
        return int(found[1], 16) if found else 0
    return 0


def members(session: int) -> list[int]:
    """The processes of a session that have not ended."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            state, _, _, sid = (folder / "stat").read_text().rpartition(")")[2].split()[:4]
            if int(sid) == session and state != "Z":
                found.append(int(folder.name))
    return found


class Database:
    """A PostgreSQL of the storm's own, durable as in production, that may crash."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder / "pg", ports.free()
        self.log = folder / "postgres.log"
        self.lock = asyncio.Lock()
        self.server: Any = None

    @property
    def url(self) -> str:
        """Where it is, past any proxy."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def set_up(self) -> None:
        """Make its folder."""
        with embedded.one_at_a_time():
            self.server = embedded.set_up(self.folder)
            self.server.ensure_pgdata_inited()
        with (self.folder / "postgresql.conf").open("a") as settings:
            settings.write(f"listen_addresses = '127.0.0.1'\nport = {self.port}\nunix_socket_directories = ''\n")

    async def control(self, *words: str) -> int:
        """Run `pg_ctl`; its exit status."""
        process = await asyncio.create_subprocess_exec(
            str(self.server.bin_path / "pg_ctl"), "-w", "-t", str(int(PATIENCE)), "-D", str(self.folder),
            "-l", str(self.folder / "log"), *words,
            user=self.server.system_user, stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL, start_new_session=True,
        )  # fmt: skip
        return await process.wait()

    async def start(self) -> None:
        """Start it, and wait until it has recovered."""
        assert await self.control("start") == 0, self.folder / "log"

    async def crash(self) -> None:
        """Stop it as a power cut does: nothing is written that was not."""
        await self.control("-m", "immediate", "stop")


@dataclass
class Scene:
    """Everything that a storm may hit."""

    plan: Plan
    folder: Path
    database: Database
    to_database: Proxy
    to_source: Proxy
    source: Service
    listeners: list[Service]
    api: Service
    api_url: str
    source_url: str
    timeline: list[str] = field(default_factory=list)
    frozen: list[tuple[float, float]] = field(default_factory=list)
    """Spans in which nobody could ask the source anything (wall clock): the copy's age must grow through them."""
    lying: list[tuple[float, float]] = field(default_factory=list)
    """Spans in which the source repeated old answers: it may have said "the end" where there was none."""

    @property
    def services(self) -> list[Service]:
        """All programs of ours."""
        return [self.source, *self.listeners, self.api]

    async def start_source(self) -> None:
        """Start the source, and wait until it answers."""
        await self.source.start()
        assert await self.answers(self.source, f"{self.source_url}/_sandbox"), "the source could not start"

    async def start_api(self) -> None:
        """Start the API, again and again while it leaves because the database is away, and wait until it answers."""
        while True:
            await self.api.start()
            if await self.answers(self.api, f"{self.api_url}/api/health"):
                return
            status = self.api.process.returncode if self.api.process else None
            assert status == 1, f"the API left with status {status}"
            await asyncio.sleep(GLANCE)

    async def answers(self, service: Service, url: str) -> bool:
        """Wait until a service answers; False when it ended instead."""
        async with httpx.AsyncClient(timeout=PATIENCE) as http, asyncio.timeout(PATIENCE):
            while service.running:
                with suppress(httpx.TransportError):
                    if (await http.get(url)).is_success:
                        return True
                await asyncio.sleep(GLANCE)
        return False


def staged(plan: Plan, folder: Path) -> Scene:
    """The scene of a plan, nothing of it running yet."""
    database, source, api = Database(folder), ports.free(), ports.free()
    to_database, to_source = Proxy(ports.free(), database.port), Proxy(ports.free(), source)
    environment = processes.settings(
        f"postgresql://postgres@127.0.0.1:{to_database.port}/postgres", f"http://127.0.0.1:{to_source.port}",
        poll_interval="0.1", lease_seconds=str(LEASE), stale_after=str(STALE_AFTER), workos_timeout="1.5",
        backoff_max="0.5", log_level="info", port=str(api), workers_count="2",
    )  # fmt: skip
    sandbox = (
        "user_management.sandbox", "--port", str(source), "--no-rate-limits", "--users", str(plan.users),
        "--seed", str(plan.seed), "--activity", str(plan.activity), "--hold-back", str(plan.hold_back),
        "--fault-slow-seconds", "2", "--state", str(folder / "source.state"),
    )  # fmt: skip
    return Scene(
        plan, folder, database, to_database, to_source,
        source=Service("source", folder, *sandbox),
        listeners=[Service(f"listener {n}", folder, "user_management.listener", environment=environment) for n in "12"],
        api=Service("api", folder, "user_management", environment=environment),
        api_url=f"http://127.0.0.1:{api}", source_url=f"http://127.0.0.1:{source}",
    )  # fmt: skip


@asynccontextmanager
async def running(plan: Plan, folder: Path) -> AsyncIterator[Scene]:
    """The scene, up and running; whatever happens, nothing of it is left running."""
    scene = staged(plan, folder)
    scene.database.set_up()  # in one piece: a thread would go on when the storm is interrupted
    async with AsyncExitStack() as stack:
        stack.push_async_callback(scene.database.crash)
        for service in scene.services:
            stack.push_async_callback(service.clear_away)
        await stack.enter_async_context(scene.to_database.running())
        await stack.enter_async_context(scene.to_source.running())
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(scene.start_source())
            tasks.create_task(begin(scene))
        yield scene


async def begin(scene: Scene) -> None:
    """The database with its tables, then all that need it."""
    await scene.database.start()
    await schema.upgrade(scene.database.url)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(scene.start_api())
        for listener in scene.listeners:
            tasks.create_task(listener.start())
