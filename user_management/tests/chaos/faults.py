"""The fault classes of the simulator: each a row of the table, each a way in which a run goes wrong."""

import asyncio
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx
import orjson

from user_management.listener.worker import Listener
from user_management.sandbox import clock
from user_management.sandbox.feed import Feed
from user_management.tests.chaos import simulator_small_faults as small
from user_management.tests.chaos import virtual
from user_management.tests.chaos.cuts import Cut, Kind
from user_management.tests.chaos.simulator_world import World

STATEMENTS = 200
"""Statements of a process among which a cut is drawn, the early ones more often."""
STEPS = 3000
"""The same, for steps of its tasks."""
LIVES = 4
"""Processes of one role that something may happen to; later ones live on."""
SQLSTATES = ("40P01", "40001", "53100", "53200", "53300", "57P01", "57P02", "57014", "25006", "58030", "55P03", "XX000")
"""Deadlock, serialization, disk full, out of memory, too many connections, shutdown, crash, cancelled, read-only,
I/O error, lock not available, internal error."""
MONTH = 31 * 86_400.0
"""Seconds after which WorkOS has forgotten an event."""


async def untroubled(_world: World) -> None:
    """Nothing else goes wrong."""


def uncut(_world: World, _role: str) -> list[Cut]:
    """Nothing happens to the processes."""
    return []


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault class: what happens to processes, and what else goes wrong."""

    name: str
    about: str
    plan: Callable[[World, str], list[Cut]] = uncut
    trouble: Callable[[World], Awaitable[None]] = untroubled
    listeners: int = 1
    leased: bool = True
    gaps: bool = False
    """Whether WorkOS forgets events before they were followed."""
    posts: int = 4
    """Most requests of clients to create a user."""
    small: Callable[[World], Awaitable[None]] | None = None
    """What else goes wrong in a small scene."""
    act: Callable[[World, Listener], Awaitable[object]] | None = None
    """What a listener does besides in a small scene."""
    before: Callable[[World], Awaitable[None]] | None = None
    """What happens before anybody follows."""
    verify_days: float = 0.0


def early(world: World, most: int) -> int:
    """A number from 1 on, small ones more often."""
    return int(math.exp(world.dice.uniform(0, math.log(most))))


def lives(world: World, role: str) -> int:
    """How many processes of a role there were before this one."""
    return sum(process.name.startswith(f"{role}.") for process in world.history)


def drawn(world: World, role: str, kinds: list[Kind], **told: Any) -> list[Cut]:
    """One cut of one of these kinds, for the first few processes of a role."""
    if lives(world, role) >= LIVES or world.dice.random() < 0.15:
        return []
    kind = world.dice.choice(kinds)
    if kind in {Kind.KILL_BEFORE, Kind.STOP, Kind.CANCEL} and world.dice.random() < 0.5:
        return [Cut(kind, step=early(world, STEPS // 10 if world.small else STEPS))]
    return [Cut(kind, statement=early(world, STATEMENTS // 3 if world.small else STATEMENTS), **told)]


def killed(world: World, role: str) -> list[Cut]:
    """Killed at any statement, before or after it, or at any await."""
    return drawn(world, role, [Kind.KILL_BEFORE, Kind.KILL_AFTER])


def api_killed(world: World, role: str) -> list[Cut]:
    """The API killed, in small scenes; in a day it lives."""
    return killed(world, role) if role == "api" and world.small else []


def asked_to_leave(world: World, role: str) -> list[Cut]:
    """Asked to leave, or cancelled, at any statement or await."""
    return drawn(world, role, [Kind.STOP, Kind.CANCEL]) if role != "api" else []


def lost_commits(world: World, role: str) -> list[Cut]:
    """Some of the commits are done, and nobody hears of it; some never arrive."""
    count = world.dice.randrange(4)
    kinds = [Kind.LOSE_AFTER, Kind.LOSE_AFTER, Kind.LOSE_BEFORE]
    numbers = [early(world, 40) for _ in range(count)]
    return (
        [Cut(world.dice.choice(kinds), statement=n, matching="^COMMIT") for n in numbers]
        if role != "api" or count
        else []
    )


def refused_statements(world: World, _role: str) -> list[Cut]:
    """Any statements fail, with any error that PostgreSQL has on a bad day, or their connection breaks."""
    cuts = []
    for _ in range(world.dice.randrange(1, 6)):
        kind = world.dice.choice([Kind.FAIL, Kind.FAIL, Kind.LOSE_BEFORE, Kind.LOSE_AFTER])
        cuts.append(
            Cut(
                kind,
                statement=early(world, STATEMENTS // 3 if world.small else STATEMENTS),
                sqlstate=world.dice.choice(SQLSTATES),
            )
        )
    return cuts


def interrupted_backfill(world: World, role: str) -> list[Cut]:
    """Killed, refused or cut off at the statements that a backfill writes with."""
    if lives(world, role) >= LIVES or role == "api":
        return []
    kind = world.dice.choice([Kind.KILL_BEFORE, Kind.KILL_AFTER, Kind.FAIL, Kind.LOSE_AFTER, Kind.STOP])
    where = world.dice.choice(["backfill", "backfill", "^COPY", "^COMMIT", "checkpoints"])
    return [Cut(kind, statement=early(world, 40), matching=where, sqlstate=world.dice.choice(SQLSTATES))]


SOURCE = ("429", "429-bare", "500", "503", "html", "truncated", "reset", "slow", "repeated-page")


async def bad_source(world: World) -> None:
    """WorkOS has some bad spells."""
    for _ in range(world.dice.randrange(1, 4)):
        await asyncio.sleep(world.dice.uniform(0, 8))
        names = world.dice.sample(SOURCE, world.dice.randrange(1, 4))
        shares = {name: world.dice.uniform(0.05, 0.9 / len(names)) for name in names}
        misbehave(world, shares, slow_seconds=world.dice.choice([0.5, 5.0, 40.0]))
        await asyncio.sleep(world.dice.choice([3.0, 20.0, 120.0]))
        misbehave(world, {})


def misbehave(world: World, shares: dict[str, float], **told: Any) -> None:
    """Let WorkOS answer badly from now on."""
    world.local.app.state.faults.set(shares, seed=world.dice.randrange(1000), **told)


async def lost_replies(world: World) -> None:
    """WorkOS does what it is asked to, and some of its replies are lost."""
    shares = {"lost-reply": world.dice.uniform(0.2, 0.8), "truncated": 0.1, "500": 0.05}
    misbehave(world, shares, paths="/user_management/users")
    await asyncio.sleep(30)
    misbehave(world, {})


async def forgotten(world: World) -> None:
    """No listener for more than a month, or an environment that was reset: the cursor is refused."""
    await asyncio.sleep(world.dice.uniform(2, 15))
    world.home.clear()
    for role, process in world.alive.items():
        if role.startswith("listener"):
            process.stopping.set() if world.dice.random() < 0.5 else process.kill()
    world.happen(world.dice.randrange(1, 20))
    await asyncio.sleep(MONTH if world.dice.random() < 0.7 else 60)
    if world.dice.random() < 0.3:
        world.forget(Feed())
    world.happen(world.dice.randrange(1, 20))
    world.home.set()


async def asked_again(world: World) -> None:
    """An operator asks for another backfill, or two, while things come and go."""
    for _ in range(world.dice.randrange(1, 3)):
        await asyncio.sleep(world.dice.uniform(5, 40))
        await world.ask_for_backfill()


async def wrong_clocks(world: World) -> None:
    """The wall clocks of our processes jump, forwards and back, and differ: by less than the margins allow for."""
    await jumping(world, [0.5, 5, 60, 300])


async def wild_clocks(world: World) -> None:
    """The same, by hours and days."""
    await jumping(world, [900, 7200, 86_400])


async def jumping(world: World, jumps: list[float]) -> None:
    """The clocks jump some times, and are right in the end."""
    for _ in range(world.dice.randrange(1, 5)):
        world.set_clocks(world.dice.choice(jumps) * world.dice.choice([-1, 1]))
        await asyncio.sleep(world.dice.uniform(0, 10))
    world.set_clocks(0.0)


async def late_events(world: World) -> None:
    """Events come late, twice, in pages that overlap, and old ones once more under another id."""
    world.mangle = repeating(world)
    for _ in range(world.dice.randrange(2, 8)):
        await asyncio.sleep(world.dice.uniform(0, 5))
        world.store.hold_back = world.dice.choice([0.0, 1.0, 30.0])
        for _ in range(world.dice.randrange(3)):
            say_again(world)
    world.store.hold_back = 0.0


def repeating(world: World) -> Callable[[httpx.Request, httpx.Response], httpx.Response]:
    """A network that brings some events once more, beside themselves or on a later page."""
    seen: list[Any] = []

    def mangle(request: httpx.Request, answer: httpx.Response) -> httpx.Response:
        if request.url.path != "/events" or answer.status_code != httpx.codes.OK or world.dice.random() < 0.5:
            return answer
        page = answer.json()
        events = page["data"]
        former = world.dice.sample(seen, min(len(seen), 2)) if world.dice.random() < 0.5 else []
        seen.extend(events)
        twice = [event for event in events for _ in range(world.dice.choice([1, 1, 1, 2]))]
        return httpx.Response(200, json={**page, "data": former + twice if events else []}, request=request)

    return mangle


def say_again(world: World) -> None:
    """Put an old event into the feed once more, under a new id: one that its object has outgrown."""
    feed = world.store.feed
    places = [place for place, blob in enumerate(feed.blobs) if outgrown(world, orjson.loads(blob))]
    if places:
        place, moment = world.dice.choice(places), world.store.now()
        event = orjson.loads(feed.blobs[place])
        event["id"] = world.store.new_id("event", moment)
        feed.append(event["id"], feed.types[place], orjson.dumps(event), moment)


def outgrown(world: World, event: dict[str, Any]) -> bool:
    """Whether what an event tells of was changed since, or is gone; and the feed, as far as it is followed, says so.

    Events from before the run are left out: WorkOS has each in its feed once. One from before the boundary never comes,
    and behind the boundary the end of a user comes as its beginning does, so nobody can come back.
    """
    if event["created_at"] < clock.stamp(clock.milliseconds(virtual.START)):
        return False
    kind, data = event["event"].rpartition(".")[0], event["data"]
    table = {"user": world.store.users, "organization": world.store.organizations,
             "organization_membership": world.store.memberships}.get(kind)  # fmt: skip
    if table is None:
        return bool(event["event"] == "session.created")
    now = table.read(data["id"])
    return now is None or data["updated_at"] < now["updated_at"]


FAULTS = {
    fault.name: fault
    for fault in (
        Fault("none", "nothing goes wrong"),
        Fault("crash", "listener or API killed, at any statement or await", killed, listeners=2),
        Fault("shutdown", "listener asked to leave or cancelled, at any statement or await", asked_to_leave),
        Fault("lost-commit", "connections cut after COMMIT was sent", lost_commits),
        Fault("database", "statements fail: deadlock, disk full, shutdown, read-only, …", refused_statements),
        Fault(
            "source",
            "WorkOS answers 429 (for hours, too), 5xx, HTML, half a page, an old page, nothing",
            trouble=bad_source,
            small=lambda world: small.outage(world, SOURCE),
        ),
        Fault(
            "lost-reply",
            "WorkOS does what it is asked and does not say so; clients repeat with the same key",
            api_killed,
            lost_replies,
            posts=10,
            small=small.keyed,
        ),
        Fault("racing", "two listeners at work at once, without a lease", listeners=2, leased=False),
        Fault(
            "cursor",
            "the cursor refused: a month away, or another feed",
            killed,
            forgotten,
            gaps=True,
            act=small.deserted,
        ),
        Fault(
            "backfill",
            "backfills killed, cut and refused half way",
            interrupted_backfill,
            asked_again,
            act=small.relist,
        ),
        Fault(
            "clock",
            "wall clocks that jump, and differ, by minutes",
            trouble=wrong_clocks,
            listeners=2,
            small=wrong_clocks,
        ),
        Fault("wild-clock", "the same by hours and days", trouble=wild_clocks, listeners=2, small=wild_clocks),
        Fault("late", "events late, twice, out of date", trouble=late_events, small=late_events),
        Fault(
            "webhooks",
            "webhooks lost, late, twice, unordered, forged, and crashes",
            killed,
            small.webhooks,
            small=small.webhooks,
        ),
        Fault(
            "catch-up",
            "hours without a listener, caught up with by stretches of time, killed",
            killed,
            before=small.long_stop,
        ),
        Fault(
            "verify", "a rolling verification beside everything, killed", killed, verify_days=0.001, act=small.verified
        ),
    )
}
"""By name."""
