"""A page or three: small scenes from a prepared state, so that there can be thousands of them in the time of a day."""

import asyncio
from collections.abc import Awaitable, Callable

from user_management.listener import backfill, daemon, start, worker
from user_management.listener.worker import Listener
from user_management.tests.chaos import simulator_world
from user_management.tests.chaos.cuts import Process
from user_management.tests.chaos.faults import Fault
from user_management.tests.chaos.simulator_world import World

LIVES = 2
"""Processes, one after the other, that a cut may end; then one goes on undisturbed."""
ROUNDS = 400
"""Attempts after which a copy that does not reach the feed's end is given up."""

Act = Callable[[World, Listener], Awaitable[object]]


async def play(world: World, fault: Fault) -> None:
    """A small scene of a fault class: things happen, processes follow and are cut, the last one reaches the end."""
    world.plan = fault.plan
    await (fault.before or happen)(world)
    trouble = asyncio.ensure_future(fault.small(world)) if fault.small else None
    for _ in range(world.dice.randrange(1, LIVES + 1)):
        lives = [live(world, f"listener-{number}", fault) for number in range(1, 1 + (1 if fault.leased else 2))]
        await asyncio.gather(*lives)
        if world.dice.random() < 0.5:
            await happen(world)
    if trouble is not None:
        await trouble
    world.mangle, world.ahead, world.store.hold_back = None, 0.0, 0.0
    world.plan = lambda _world, _role: []
    await asyncio.sleep(40.0)
    await live(world, "last", fault)


async def happen(world: World) -> None:
    """A handful of events: some at the same moment, some not."""
    for _ in range(world.dice.randrange(1, 4)):
        world.happen(world.dice.randrange(1, 4))
        await asyncio.sleep(world.dice.choice([0.0, 0.001, 2.0]))


async def live(world: World, role: str, fault: Fault) -> None:
    """One process, from its beginning to its end."""
    if role != "last":
        world.plan = fault.plan
    process = world.born(role)
    await world.live(process, lambda world, process: follow(world, process, fault, last=role == "last"))


async def follow(world: World, process: Process, fault: Fault, *, last: bool) -> None:
    """Follow the feed until its end is reached, as the daemon does: what fails is tried again."""
    async with process.pool(5) as pool:
        listener = simulator_world.listener_of(world, process, pool)
        if world.dice.random() < 0.2:
            await again(listener, lambda: prepare(listener))
        if fault.act is not None and not last:
            await again(listener, lambda: act(world, listener, fault))
        await drain(listener)
        if (fault.act or world.ahead or last) and await again(listener, lambda: backfill_once(listener)):
            await drain(listener)


async def act(world: World, listener: Listener, fault: Fault) -> bool:
    """What the class does besides."""
    assert fault.act is not None
    await fault.act(world, listener)
    return True


async def prepare(listener: Listener) -> bool:
    """What a start sets right."""
    await start.prepare(listener.pool, listener.resources, listener.types, margin=listener.pace.backfill_margin)
    return True


async def again(listener: Listener, work: Callable[[], Awaitable[bool]]) -> bool | None:
    """The work, as often as it needs."""
    backoff, done = listener.backoff(), None
    for _ in range(ROUNDS):
        if done is not None or listener.stopping.is_set():
            return done
        done = await worker.attempt(listener, "scene", work, backoff)
    raise AssertionError("it failed too often")


async def drain(listener: Listener) -> None:
    """Pull pages until one says that it is the last, or the process is asked to leave."""
    backoff = listener.backoff()
    for _ in range(ROUNDS):
        if listener.stopping.is_set():
            return
        pulled = await worker.attempt(listener, "poll", lambda: daemon.follow(listener), backoff)
        if pulled is not None and pulled.drained:
            return
        if pulled is not None and not pulled.more:
            await worker.pause(listener, 1.0)
    raise AssertionError("the feed has no end")


async def backfill_once(listener: Listener) -> bool:
    """An unfinished backfill, taken to its end beside the polls it waits for; False when there is none."""
    work = asyncio.ensure_future(
        worker.unless_stopping(
            listener.stopping,
            backfill.run(listener.pool, listener.workos, listener.resources, max_deletions=100),
        )
    )
    try:
        while not work.done():
            await asyncio.wait([work], timeout=1.0)
            if not work.done():
                await drain(listener)
        return bool(work.result())
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
