"""Every statement in turn: a few small scenes, cut at their first statement, at their second, and so on to the last."""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass

from user_management.listener import backfill, daemon
from user_management.listener.worker import Listener
from user_management.tests.chaos import simulator_checks, simulator_world
from user_management.tests.chaos.cuts import Cut, Kind, Process
from user_management.tests.chaos.simulator import Failure, Simulator
from user_management.tests.chaos.simulator_world import World
from user_management.tests.support import copies

KINDS = (Cut(Kind.KILL_BEFORE), Cut(Kind.KILL_AFTER), Cut(Kind.LOSE_AFTER), Cut(Kind.FAIL, sqlstate="40P01"))
"""What is done at each statement."""
SEED = 7
"""Which world the scenes play in."""

Act = Callable[[World, Listener], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Scene:
    """What is cut, and what happened before."""

    name: str
    act: Act
    before: Act | None = None
    gaps: bool = False
    """Whether WorkOS forgets events before they were followed."""


async def started(world: World, listener: Listener) -> None:
    """A copy that is complete, and more that has happened since."""
    await copies.begin(listener)
    await copies.fill(listener)
    world.happen(6)


async def deserted(world: World, listener: Listener) -> None:
    """A complete copy whose place in the feed WorkOS has forgotten, with deletions that nobody will tell of."""
    await started(world, listener)
    await copies.drain(listener)
    world.forget(type(world.store.feed)())
    world.delete_user()
    world.happen(2)


async def page(_world: World, listener: Listener) -> None:
    """One page of events."""
    await daemon.poll(listener)


async def first(_world: World, listener: Listener) -> None:
    """The first start: boundary, listing, following."""
    await copies.begin(listener)
    await copies.fill(listener)


async def again(_world: World, listener: Listener) -> None:
    """The cursor refused, everything listed again, what is absent confirmed."""
    await daemon.poll(listener)
    await copies.fill(listener)
    await backfill.run(listener.pool, listener.workos, listener.resources, max_deletions=100)


SCENES = {scene.name: scene for scene in (Scene("page", page, started), Scene("first", first),
                                          Scene("again", again, deserted, gaps=True))}  # fmt: skip
"""By name."""


def every(simulator: Simulator, scene: Scene, kind: Cut) -> Iterator[Failure | None]:
    """Cut a scene at each of its statements; yields what came of each, until one goes through uncut."""
    number, reached = 0, [True]
    while reached[0]:
        number += 1
        cut = Cut(kind.kind, statement=number, sqlstate=kind.sqlstate)
        reached[0] = False
        yield simulator.play(f"{scene.name}, {kind.kind} {number}", SEED, script(scene, cut, reached), gaps=scene.gaps)


def script(scene: Scene, cut: Cut, reached: list[bool]) -> Callable[[World], Awaitable[None]]:
    """A run of one scene with one cut; whether it was reached is noted in `reached`."""

    async def live(world: World) -> None:
        world.page = 100
        process = world.born("listener")
        process.start(play(world, process, scene, cut))
        await process.buried()
        reached[0] = bool(process.said)
        await finish(world)

    return live


async def play(world: World, process: Process, scene: Scene, cut: Cut) -> None:
    """What the process that is cut does; what it dies of is part of the play."""
    async with process.pool(5) as pool:
        listener = simulator_world.listener_of(world, process, pool)
        if scene.before is not None:
            await scene.before(world, listener)
        process.cuts = [cut]
        await tolerated(scene.act(world, listener), process)
        process.cuts = []


async def tolerated(work: Awaitable[object], process: Process) -> None:
    """The work; an error that a cut brought about ends it, as it ends an attempt of the daemon."""
    try:
        await work
    except Exception:
        if not process.said:
            raise


async def finish(world: World) -> None:
    """A new listener, until the copy is right."""
    last = world.born("listener")
    last.start(simulator_world.listen(world, last))
    try:
        await simulator_checks.settle(world, world.checker)
    finally:
        last.stopping.set()
        await last.buried()
