"""How each fault of a storm is done to its scene, and undone."""

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

import asyncpg
import httpx

from user_management.db import session
from user_management.db.session import Connection
from user_management.listener import backfills
from user_management.mirror.engine import catalog
from user_management.tests.chaos.storm_plan import Fault, Kind, weather
from user_management.tests.chaos.storm_proxy import Proxy
from user_management.tests.chaos.storm_scene import Scene, Service

SLOW = 0.05
"""Seconds that each piece takes on a slow connection."""


async def strike(scene: Scene, began: float) -> None:
    """Do all faults of the plan at their times, and wait until each is undone."""
    async with asyncio.TaskGroup() as tasks:
        for fault in scene.plan.faults:
            await asyncio.sleep(max(0.0, began + fault.at - time.monotonic()))
            tasks.create_task(one(scene, fault, began))


async def one(scene: Scene, fault: Fault, began: float) -> None:
    """Do one fault, and note when it began and ended."""

    def note(what: str) -> None:
        scene.timeline.append(f"{time.monotonic() - began:6.2f} s  {what}: {fault.kind} ({fault.length:.2f} s)")

    note("begins")
    await DEEDS[fault.kind](scene, fault)
    note("  ends")


async def kill(service: Service, fault: Fault, start: Callable[[], Awaitable[None]]) -> None:
    """End a service as a power cut does, and start it again after a while."""
    async with service.lock:
        await service.kill()
        await asyncio.sleep(fault.length)
        await start()


async def restart(service: Service, fault: Fault, start: Callable[[], Awaitable[None]]) -> None:
    """Ask a service to end, and start it again after a while."""
    async with service.lock:
        await service.end()
        await asyncio.sleep(fault.length)
        await start()


async def freeze(pid: int, seconds: float) -> None:
    """Stop a process for a while, wherever it is."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGSTOP)
        await asyncio.sleep(seconds)
        os.kill(pid, signal.SIGCONT)


async def listener_killed(scene: Scene, fault: Fault) -> None:
    """SIGKILL, and again from the start."""
    listener = scene.listeners[fault.which]
    await kill(listener, fault, listener.start)


async def listener_restarted(scene: Scene, fault: Fault) -> None:
    """SIGTERM, and again from the start."""
    listener = scene.listeners[fault.which]
    await restart(listener, fault, listener.start)


async def listener_frozen(scene: Scene, fault: Fault) -> None:
    """SIGSTOP, often for longer than the lease: it wakes up and believes that it still leads."""
    listener = scene.listeners[fault.which]
    async with listener.lock:
        if listener.process is not None:
            await freeze(listener.process.pid, fault.length)


async def api_killed(scene: Scene, fault: Fault) -> None:
    """SIGKILL of the API with all its workers."""
    await kill(scene.api, fault, scene.start_api)


async def parent_killed(scene: Scene, fault: Fault) -> None:
    """SIGKILL of the API's parent alone: its workers leave by themselves, and the port is free again."""
    async with scene.api.lock:
        await scene.api.behead()
        await asyncio.sleep(fault.length)
        await scene.start_api()


async def api_restarted(scene: Scene, fault: Fault) -> None:
    """SIGTERM to the API."""
    await restart(scene.api, fault, scene.start_api)


async def worker_killed(scene: Scene, fault: Fault) -> None:
    """SIGKILL of one worker; the API starts another by itself."""
    async with scene.api.lock:
        for pid in scene.api.workers()[fault.which :][:1]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


async def worker_frozen(scene: Scene, fault: Fault) -> None:
    """SIGSTOP of one worker."""
    async with scene.api.lock:
        for pid in scene.api.workers()[fault.which :][:1]:
            await freeze(pid, fault.length)


async def database_crashed(scene: Scene, fault: Fault) -> None:
    """PostgreSQL stopped at once, without a word to anybody, and started after a while."""
    async with scene.database.lock:
        await scene.database.crash()
        await asyncio.sleep(fault.length)
        await scene.database.start()


async def administer(scene: Scene, work: Callable[[Connection], Awaitable[object]]) -> None:
    """Do something past the proxy; what fails because of a crash meanwhile is of no concern."""
    async with scene.database.lock:
        with suppress(*session.Unreachable, session.DatabaseUnavailable, asyncpg.PostgresError):
            connection = await session.connect(scene.database.url)
            try:
                await work(connection)
            finally:
                await connection.close()


OURS = "FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"


async def backends_terminated(scene: Scene, _fault: Fault) -> None:
    """An operator ends every connection."""
    await administer(scene, lambda connection: connection.execute(f"SELECT pg_terminate_backend(pid) {OURS}"))


async def backend_killed(scene: Scene, fault: Fault) -> None:
    """SIGKILL of one backend: PostgreSQL ends all others and recovers."""

    async def kill_one(connection: Connection) -> None:
        pids = [row["pid"] for row in await connection.fetch(f"SELECT pid {OURS} ORDER BY pid")]
        if pids:
            os.kill(pids[fault.dice % len(pids)], signal.SIGKILL)

    await administer(scene, kill_one)


async def cut(proxy: Proxy, fault: Fault) -> None:
    """Reset all connections, at two moments."""
    proxy.cut()
    await asyncio.sleep(fault.length)
    proxy.cut()


async def slow(proxy: Proxy, fault: Fault) -> None:
    """Let every piece take its time."""
    proxy.delay = SLOW
    await asyncio.sleep(fault.length + 1)
    proxy.delay = 0.0


async def hang(proxy: Proxy, fault: Fault) -> None:
    """Let nothing through; then it all arrives, or every connection is reset."""
    proxy.open.clear()
    await asyncio.sleep(fault.length)
    if fault.dice % 2:
        proxy.cut()
    proxy.open.set()


async def database_cut(scene: Scene, fault: Fault) -> None:
    """Connections to PostgreSQL are reset."""
    await cut(scene.to_database, fault)


async def database_hung(scene: Scene, fault: Fault) -> None:
    """Connections to PostgreSQL stand still."""
    await hang(scene.to_database, fault)


async def database_slow(scene: Scene, fault: Fault) -> None:
    """PostgreSQL is far away."""
    await slow(scene.to_database, fault)


async def source_cut(scene: Scene, fault: Fault) -> None:
    """Connections to the source are reset: what was sent may have been done."""
    await cut(scene.to_source, fault)


async def source_hung(scene: Scene, fault: Fault) -> None:
    """Connections to the source stand still."""
    began = time.time()
    waiting = asyncio.create_task(hang(scene.to_source, fault))
    await asyncio.sleep(fault.length * 0.9)
    if not scene.to_source.open.is_set():
        scene.frozen.append((began, time.time()))
    await waiting


async def source_slow(scene: Scene, fault: Fault) -> None:
    """The source is far away."""
    await slow(scene.to_source, fault)


async def source_restarted(scene: Scene, fault: Fault) -> None:
    """The source is away for a while, and remembers everything."""
    async with scene.source.lock:
        await scene.source.end()
        ended = time.time()
        await asyncio.sleep(fault.length)
        scene.frozen.append((ended, time.time()))
        await scene.start_source()


async def misbehave(scene: Scene, shares: dict[str, float], seed: int = 1) -> None:
    """Let the source answer badly from now on; if it is away it forgets that anyway."""
    async with httpx.AsyncClient(base_url=scene.source_url) as http:
        with suppress(httpx.TransportError):
            await http.put("/_sandbox/faults", json={"shares": shares, "seed": seed, "slow_seconds": 2})


async def misbehaving(scene: Scene, fault: Fault) -> None:
    """The source answers badly for a while."""
    shares, began = weather(fault.dice), time.time()
    await misbehave(scene, shares, fault.dice)
    await asyncio.sleep(fault.length)
    await misbehave(scene, {})
    if "repeated-page" in shares:
        scene.lying.append((began, time.time()))
    scene.timeline.append(f"             the source misbehaved: {shares}")


async def backfill(scene: Scene, _fault: Fault) -> None:
    """An operator asks for a backfill."""
    with suppress(backfills.BackfillMoved):
        await administer(scene, lambda connection: backfills.request(connection, catalog.resources()[0].name))


DEEDS: dict[Kind, Callable[[Scene, Fault], Awaitable[None]]] = {
    Kind.LISTENER_KILLED: listener_killed,
    Kind.LISTENER_FROZEN: listener_frozen,
    Kind.LISTENER_RESTARTED: listener_restarted,
    Kind.API_KILLED: api_killed,
    Kind.PARENT_KILLED: parent_killed,
    Kind.API_RESTARTED: api_restarted,
    Kind.WORKER_KILLED: worker_killed,
    Kind.WORKER_FROZEN: worker_frozen,
    Kind.DATABASE_CRASHED: database_crashed,
    Kind.BACKEND_KILLED: backend_killed,
    Kind.BACKENDS_TERMINATED: backends_terminated,
    Kind.DATABASE_CUT: database_cut,
    Kind.DATABASE_HUNG: database_hung,
    Kind.DATABASE_SLOW: database_slow,
    Kind.SOURCE_RESTARTED: source_restarted,
    Kind.SOURCE_CUT: source_cut,
    Kind.SOURCE_HUNG: source_hung,
    Kind.SOURCE_SLOW: source_slow,
    Kind.WEATHER: misbehaving,
    Kind.BACKFILL: backfill,
}


async def calm(scene: Scene) -> None:
    """The end of all that may still be done to the scene."""
    scene.to_database.calm()
    scene.to_source.calm()
    await misbehave(scene, {})
