"""The simulator: one run in virtual time over real PostgreSQL, a function of its seed and its fault class."""

import asyncio
import contextlib
import io
import random
import traceback
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import orjson
from fastapi import FastAPI

from user_management.db import session
from user_management.db.session import Pool
from user_management.journal import checkpoints, cursor
from user_management.mirror.engine import catalog
from user_management.tests.chaos import (
    cuts,
    simulator_checks,
    simulator_clients,
    simulator_prepared,
    simulator_small,
    simulator_world,
    steps,
    virtual,
)
from user_management.tests.chaos.cuts import Process
from user_management.tests.chaos.faults import FAULTS, Fault
from user_management.tests.chaos.simulator_prepared import KEPT, STATES, Prepared, State
from user_management.tests.chaos.simulator_world import Database, World
from user_management.tests.chaos.virtual import Stuck, VirtualLoop

DAYS = 50
"""Of so many seeds one is a whole day; the others are small scenes."""

Script = Callable[[World], Awaitable[None]]
"""What happens in a run, up to the moment when the copy is to be right."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A run that came out wrong: how to repeat it, why, and what happened in it."""

    fault: str
    seed: int
    error: str
    story: str

    def __str__(self) -> str:
        return f"{self.fault} {self.seed}: {self.error}"


@dataclass(slots=True)
class Simulator:
    """What runs share: the loop, the database and the API's routes."""

    loop: VirtualLoop
    database: Database
    api: FastAPI
    checker: Pool
    prepared: Prepared = field(default_factory=Prepared)
    broken: bool = False
    """Whether a run could not be ended: nothing that follows it would be believed."""

    def run(self, fault: Fault, seed: int) -> Failure | None:
        """One run of a fault class, a whole day now and then; None when everything came out right."""
        return self.day(fault, seed) if is_day(seed) else self.scene(fault, seed)

    def day(self, fault: Fault, seed: int) -> Failure | None:
        """A whole day of a fault class."""
        return self.play(fault.name, seed, lambda world: live(world, fault), gaps=fault.gaps)

    def scene(self, fault: Fault, seed: int) -> Failure | None:
        """A page or three of a fault class, from a prepared state."""
        if self.prepared.of(seed) is None:
            self.loop.run_until_complete(self.prepare(seed))
        return self.play(fault.name, seed, lambda world: simulator_small.play(world, fault), gaps=fault.gaps,
                         state=self.prepared.of(seed))  # fmt: skip

    async def prepare(self, seed: int) -> None:
        """Prepare the state of a seed."""
        await self.empty()
        random.seed(seed % STATES)
        self.loop.now, self.loop.turns = 0.0, 0
        world = await simulator_prepared.prepare(seed, self.database, self.api, self.checker)
        await self.prepared.keep(seed, world, self.checker)

    def play(self, name: str, seed: int, script: Script, *, gaps: bool, state: State | None = None) -> Failure | None:
        """One run of a script; `gaps`: the feed may have forgotten events before anybody followed them."""
        running = self.loop.create_task(self.attempt(name, seed, script, state, gaps=gaps))
        try:
            return self.loop.run_until_complete(running)
        except Stuck as stuck:
            failure = Failure(name, seed, f"Stuck: {stuck}", stacks(self.loop))
            self.loop.turns = 0
            running.cancel()
            with contextlib.suppress(Stuck):
                self.loop.run_until_complete(asyncio.wait([running]))
            self.broken = not running.done()
            return failure

    async def attempt(self, name: str, seed: int, script: Script, state: State | None, *, gaps: bool) -> Failure | None:
        """One run, in a database that is emptied first, or brought into a prepared state."""
        random.seed(seed)
        world = await self.begin(seed, state)
        try:
            await script(world)
            await simulator_checks.check(world, self.checker, gaps=gaps)
        except asyncio.CancelledError:
            await bury(world)
            raise
        except Exception as error:  # noqa: BLE001  whatever it is, it is this run's failure
            await bury(world)
            return Failure(name, seed, f"{type(error).__name__}: {error}", story(world, error))
        return None

    async def begin(self, seed: int, state: State | None) -> World:
        """The world of a run: as new, or as it was prepared."""
        self.loop.turns = 0
        if state is None:
            await self.empty()
            self.loop.now = 0.0
            return simulator_world.create(seed, self.database, self.api, self.checker)
        await self.checker.execute(state.statements)
        self.loop.now = state.now
        return simulator_prepared.restored(seed, state, (self.database, self.api, self.checker))

    async def empty(self) -> None:
        """Bring the database into the state of a new one."""
        await self.checker.execute("; ".join(f"DELETE FROM {table}" for table in KEPT))
        async with session.transaction(self.checker) as connection:
            await checkpoints.ensure(connection, [resource.name for resource in catalog.resources()])
            await cursor.ensure(connection)


def is_day(seed: int) -> bool:
    """Whether a seed is a whole day."""
    return seed % DAYS == 0


async def live(world: World, fault: Fault) -> None:
    """A run: processes at work, things happening, faults; then calm, until the copy is right."""
    world.plan, world.leased = fault.plan, fault.leased
    world.pace = replace(world.pace, verify_days=fault.verify_days)
    if fault.before is not None:
        await simulator_small.live(world, "listener", fault)
        await fault.before(world)
    roles = [f"listener-{number}" for number in range(1, fault.listeners + 1)]
    tasks = [asyncio.ensure_future(world.keep(role, simulator_world.listen)) for role in roles]
    tasks.append(asyncio.ensure_future(world.keep("api", simulator_world.serve)))
    try:
        await asyncio.gather(go_on(world), clients(world, fault), fault.trouble(world))
        calm(world)
        await simulator_checks.settle(world, world.checker)
    finally:
        world.leave()
        await asyncio.gather(*tasks)


async def go_on(world: World) -> None:
    """Let things happen at WorkOS for a while."""
    for _ in range(world.dice.randrange(3, 9)):
        await asyncio.sleep(world.dice.uniform(0, 5))
        world.happen(world.dice.randrange(1, 7))


async def clients(world: World, fault: Fault) -> None:
    """Let clients create users meanwhile."""
    posts = []
    for number in range(world.dice.randrange(fault.posts + 1)):
        await asyncio.sleep(world.dice.uniform(0, 4))
        posts.append(asyncio.ensure_future(simulator_clients.post(world, f"client-{number}@example.org")))
    await asyncio.gather(*posts)


def calm(world: World) -> None:
    """Nothing goes wrong any more; what was to happen to the processes at work does not."""
    world.plan = lambda _world, _role: []
    for process in world.alive.values():
        process.cuts = []
    world.mangle, world.ahead = None, 0.0
    world.home.set()


async def bury(world: World) -> None:
    """End a run that failed, whatever its processes are at."""
    world.leaving = True
    for process in world.history:
        process.kill()
    with contextlib.suppress(Exception):
        async with asyncio.timeout(3600):
            await asyncio.gather(*(process.buried() for process in world.history))


def stacks(loop: VirtualLoop) -> str:
    """Where every task stands."""
    out = io.StringIO()
    for task in asyncio.all_tasks(loop):
        at: Any = task.get_coro()
        out.write(f"{task.get_name()}")
        while at is not None:
            at = getattr(at, "inner", at)
            frame = getattr(at, "cr_frame", None) or getattr(at, "gi_frame", None) or getattr(at, "ag_frame", None)
            out.write(f" > {frame.f_code.co_name}:{frame.f_lineno}" if frame else f" > {type(at).__name__}")
            at = getattr(at, "cr_await", None) or getattr(at, "gi_yieldfrom", None) or getattr(at, "ag_await", None)
        out.write("\n")
    return out.getvalue()


def story(world: World, error: Exception) -> str:
    """What happened in a run, as far as it helps to understand it."""
    said = sorted(line for process in world.history for line in process.said)
    sizes = f"page {world.page}, hold-back {world.store.hold_back}, {len(world.store.feed)} events"
    return "\n".join([sizes, *said, *map(str, world.posts), *of_people(world), *traceback.format_exception(error)[-6:]])


def of_people(world: World) -> list[str]:
    """Who came and went at WorkOS, while clients created users."""
    told = [orjson.loads(blob) for blob in world.store.feed.blobs] if world.posts else []
    people = [one for one in told if one["event"] in {"user.created", "user.deleted"}]
    return [f"{one['created_at']} {one['event']} {one['data']['id']} {one['data']['email']}" for one in people]


@contextlib.contextmanager
def simulator(url: str) -> Iterator[Simulator]:
    """A simulator over a migrated database of its own."""
    loop = VirtualLoop()
    loop.set_exception_handler(complain)
    loop.set_task_factory(cuts.task_factory)
    database = Database(url, loop)
    with virtual.instead_of_real_time():
        checker = loop.run_until_complete(opened(database))
        loop.run_until_complete(steps.virtual_defaults(checker))
        try:
            yield Simulator(loop, database, simulator_world.create_api(url), checker)
        finally:
            loop.run_until_complete(close(checker, database))
            loop.close()


def complain(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Say what asyncio says, but for what asyncpg says of connections that were cut in the midst of a transaction."""
    if not context["message"].startswith("Resetting connection with an active transaction"):
        loop.default_exception_handler(context)


async def opened(database: Database) -> Pool:
    """A pool for those who look from outside."""
    return await Process("checker", database.loop, database.url, database.idle).pool(4, patience=None)


async def close(checker: Pool, database: Database) -> None:
    """End every connection."""
    await checker.close()
    for connection in database.idle:
        await database.loop.real(super(cuts.Wire, connection).close())


def repeat(simulated: Simulator, name: str, seeds: range) -> list[Failure]:
    """The failures among some runs of a class."""
    return [failure for seed in seeds if (failure := simulated.run(FAULTS[name], seed)) is not None]
