"""Backfill: everything the source has, copied by a real listener, beside reading it all and doing nothing with it."""

from time import perf_counter
from typing import Any

from bench import processes
from bench.figures import Figure, Target, median
from bench.world import Filling, Plan, World, database, fill
from user_management.listener import listings
from user_management.mirror.engine import catalog
from user_management.mirror.engine.resource import Resource
from user_management.services.workos import client
from user_management.services.workos.client import WorkOS

LISTED = [one for one in catalog.resources() if one.listing.wanted]
"""What a backfill lists unless more is asked for."""
HALF = Target("at least 0.5 of reading the source alone", 0.5)


async def measure(world: World, plan: Plan) -> list[Figure]:
    """Objects per second, copied and only read; small copies are made several times, in turns."""
    fillings, drains = [world.filling], [await drain(world)]
    for number in range(plan.copies(world.users)):
        async with database(world.server, f"again_{number}") as url:
            fillings.append(await fill(url, world.sandbox, world.folder))
        drains.append(await drain(world))
    return figures(world.users, median(map(rate, fillings)), median(drains), world.filling)


def rate(filling: Filling) -> float:
    """Objects per second of a backfill."""
    return filling.objects / filling.seconds


def figures(users: int, copied: float, drained: float, filling: Filling) -> list[Figure]:
    """What that comes to."""
    words = f"{copied:,.0f} objects/s ({filling.objects:,} in {filling.seconds:,.1f} s)"
    return [
        Figure("backfill by a listener", users, copied, words),
        Figure("the source, drained alone (the limit)", users, drained, f"{drained:,.0f} objects/s"),
        Figure("backfill, in drains of the source", users, copied / drained, f"{copied / drained:.2f}", HALF),
    ]


async def drain(world: World) -> float:
    """Objects per second when a client of ours reads every list to its end, one page after the other."""
    started, count = perf_counter(), 0
    async with client.connect(
        api_key=processes.KEY, client_id="client_sandbox", base_url=world.sandbox, seconds=30
    ) as workos:
        parents: dict[str, list[dict[str, Any]]] = {}
        for resource in LISTED:
            known = parents[resource.name] = []
            for parent in parents[resource.listing.per] if resource.listing.per else [{}]:
                count += await read(workos, resource, parent, known if needed(resource) else None)
    return count / (perf_counter() - started)


def needed(resource: Resource) -> bool:
    """Whether another resource is listed once for each object of this one."""
    return any(other.listing.per == resource.name for other in LISTED)


async def read(workos: WorkOS, resource: Resource, parent: dict[str, Any], known: list[dict[str, Any]] | None) -> int:
    """Read one list to its end; how many objects it had, and those themselves where they are asked for."""
    at, after, count = listings.address_of(resource, parent.get("id", ""), parent), "", 0
    while True:
        page = await listings.page(workos, resource, at, after)
        count += len(page.objects)
        if known is not None:
            known += page.objects
        if not page.after:
            return count
        after = page.after
