"""What goes wrong in small scenes besides the processes: each is a column of a fault class."""

import asyncio
from dataclasses import replace

import orjson

from user_management.db import session
from user_management.listener import backfills, daemon, rolling, worker
from user_management.listener.worker import Listener
from user_management.mirror.engine import catalog
from user_management.sandbox.feed import Feed
from user_management.tests.chaos import simulator_clients
from user_management.tests.chaos.simulator_world import World

HOURS = 3600.0
ASTRAY = 8000
"""Milliseconds by which the feed's order may not be that of times."""


async def pour(world: World) -> None:
    """Let more happen while processes are at work."""
    for _ in range(world.dice.randrange(1, 4)):
        await asyncio.sleep(world.dice.uniform(0, 4))
        world.happen(world.dice.randrange(1, 4))


async def webhooks(world: World) -> None:
    """Events are told as webhooks too: some, at any moment, twice, out of order; and some are forged."""
    api = asyncio.ensure_future(simulator_clients.api(world)) if world.small else None
    first = max(len(world.store.feed) - 6, 0)
    for _ in range(world.dice.randrange(1, 4)):
        world.happen(world.dice.randrange(1, 4))
        told = world.store.feed.blobs[first:]
        told = world.dice.choices(told, k=world.dice.randrange(1, min(6, len(told)) + 1))
        for blob in told:
            await asyncio.sleep(world.dice.choice([0.0, 0.0, 0.5, 2.0]))
            await simulator_clients.webhook(world, blob, forged=world.dice.random() < 0.15)
    if api is not None:
        await simulator_clients.leave(world, api)


async def keyed(world: World) -> None:
    """Clients create users, and repeat it with the same `Idempotency-Key` until they have an outcome."""
    world.whole_way = True
    api = asyncio.ensure_future(simulator_clients.api(world))
    shares = {"lost-reply": world.dice.uniform(0.1, 0.6), "truncated": 0.1, "500": 0.1}
    world.local.app.state.faults.set(shares, seed=world.dice.randrange(1000), paths="/user_management/users")
    posts = [
        simulator_clients.until_told(world, f"client-{number}@example.org")
        for number in range(world.dice.randrange(1, 4))
    ]
    calm = asyncio.ensure_future(becalmed(world, 30.0))
    await asyncio.gather(*posts, calm)
    await simulator_clients.leave(world, api)


async def becalmed(world: World, seconds: float) -> None:
    """WorkOS answers well from then on."""
    await asyncio.sleep(seconds)
    world.local.app.state.faults.set({}, seed=1)


async def outage(world: World, names: tuple[str, ...]) -> None:
    """WorkOS answers badly, for seconds or for hours."""
    world.whole_way = True
    world.pace = replace(world.pace, backoff_max=600.0)
    hours = world.dice.random() < 0.1
    chosen = ["429"] if hours else world.dice.sample(names, world.dice.randrange(1, 4))
    share = 1.0 if hours else world.dice.uniform(0.3, 1.0) / len(chosen)
    world.local.app.state.faults.set(dict.fromkeys(chosen, share), seed=world.dice.randrange(1000),
                                     slow_seconds=world.dice.choice([0.5, 5.0, 40.0]))  # fmt: skip
    await becalmed(world, world.dice.uniform(1, 12) * HOURS if hours else world.dice.choice([3.0, 20.0, 120.0]))
    world.whole_way = False


async def deserted(world: World, _listener: Listener) -> None:
    """WorkOS forgets its feed, and some deletions with it; once, for what is followed from then on it keeps."""
    if world.past:
        return
    if world.dice.random() < 0.7 and world.store.users.ids:
        world.delete_user()
    else:
        world.forget(Feed())
    world.happen(world.dice.randrange(1, 5))


async def relist(world: World, listener: Listener) -> None:
    """An operator asks for a backfill."""
    async with session.transaction(world.checker) as connection:
        if await backfills.unfinished(connection) is None:
            await backfills.request(connection, catalog.resources()[0].name)


async def long_stop(world: World) -> None:
    """Nobody follows for hours; the feed's order is not that of times, by some seconds."""
    known = len(world.store.feed)  # may have been followed by now: its order is what it was
    for _ in range(world.dice.randrange(3, 9)):
        await asyncio.sleep(world.dice.choice([0.0, 0.5, 2.0, 30.0, 900.0, 5000.0]))
        world.happen(world.dice.randrange(1, 6))
    await asyncio.sleep(world.dice.choice([60.0, 1.0 * HOURS, 3.0 * HOURS]))
    world.store.feed = unordered(world, world.store.feed, known)
    world.astray = True
    world.by_time = world.dice.random() < 0.5


def unordered(world: World, feed: Feed, known: int) -> Feed:
    """The feed with what is new in another order, by some seconds; events about the same things keep theirs."""
    order, new = list(range(len(feed))), Feed()
    concerns = [about(blob) for blob in feed.blobs]
    for _ in range(world.dice.choice([0, 5, 30])):
        if (here := world.dice.randrange(known, len(feed))) + 1 < len(feed):
            one, other = order[here : here + 2]
            if not concerns[one] & concerns[other] and abs(feed._moments[one] - feed._moments[other]) <= ASTRAY:
                order[here : here + 2] = [other, one]
    for number in order:
        new.append(feed.ids[number], feed.types[number], feed.blobs[number], feed._moments[number])
    return new


def about(blob: bytes) -> set[str]:
    """The ids, or the names where there are none, of all that an event tells of, however deep."""
    found, left = set[str](), [orjson.loads(blob)["data"]]
    while left:
        one = left.pop()
        if isinstance(one, dict):
            found |= {str(value) for key, value in one.items() if value and (key.endswith("id") or key == "slug")}
            left += one.values()
        elif isinstance(one, list):
            left += one
    return found


async def verified(world: World, listener: Listener) -> None:
    """The rolling verification goes through everything once or more, beside what happens."""
    done = asyncio.ensure_future(pages(world, listener))
    more = asyncio.ensure_future(pour(world))
    try:
        while not done.done() and not listener.stopping.is_set():
            await worker.attempt(listener, "poll", lambda: daemon.follow(listener), listener.backoff())
            await asyncio.wait([done], timeout=2.0)
        if done.done():
            done.result()
    finally:
        done.cancel()
        await asyncio.gather(done, return_exceptions=True)
        await more


async def pages(world: World, listener: Listener) -> None:
    """Some pages of the rolling verification."""
    backoff = listener.backoff()
    for _ in range(world.dice.randrange(1, 6)):
        await worker.attempt(listener, "verify", lambda: rolling.turn(listener), backoff)
