"""Apply: how fast events become part of the copy when the source is instant, every page in its own transaction.

The pages are what the sandbox's people do, in its mix, to the users that are in the copy. They are applied as the
listener does it, once from memory and once with its HTTP client and JSON, in turns with bare inserts of the same text.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import perf_counter
from typing import Any

import httpx

from bench import processes
from bench.figures import Figure, Target, median
from bench.world import Plan, World, settle
from user_management.db import session
from user_management.db.session import Pool
from user_management.journal import cursor
from user_management.listener import pull
from user_management.listener.pull import Fetched
from user_management.mirror.engine import catalog
from user_management.services.workos import client
from user_management.services.workos.client import WorkOS
from user_management.services.workos.events import LIMIT, Page

FAST = Target("at least 10,000 events/s", 10_000.0)
ROUND = 20
"""Pages that are applied in one way before it is another's turn."""


@dataclass(slots=True)
class Instant:
    """A source that answers at once with the next of the pages it was given."""

    pages: Iterator[bytes] = field(default_factory=lambda: iter(()))

    def __call__(self, _request: httpx.Request) -> httpx.Response:
        """Answer."""
        return httpx.Response(200, content=next(self.pages), headers={"Content-Type": "application/json"})


async def measure(world: World, plan: Plan) -> list[Figure]:
    """Events per second in each way, and bare inserts."""
    pages = await happen(world, 2 * plan.pages)
    await settle(world.database)
    rates: dict[str, list[float]] = {"alone": [], "fetched": [], "bare": []}
    source = Instant()
    async with (
        session.open_pool(world.database, size=10) as pool,
        httpx.AsyncClient(transport=httpx.MockTransport(source)) as http,
    ):
        workos = client.over(http, api_key=processes.KEY, client_id="client_sandbox", base_url="http://instant.test")
        await pool.execute("CREATE TABLE bare (id text PRIMARY KEY, type text, body json)")
        for start in range(0, 2 * plan.pages, 2 * ROUND):
            first, second = pages[start : start + ROUND], pages[start + ROUND : start + 2 * ROUND]
            rates["alone"].append(len(first) * LIMIT / await alone(pool, first))
            source.pages = iter(second)
            rates["fetched"].append(len(second) * LIMIT / await fetched(pool, workos, len(second)))
            rates["bare"].append(len(first) * LIMIT / await bare(pool, first))
    return figures(world.users, {name: median(found) for name, found in rates.items()})


def figures(users: int, rates: dict[str, float]) -> list[Figure]:
    """What that comes to."""
    share = rates["alone"] / rates["bare"]
    return [
        Figure("apply, from memory", users, rates["alone"], f"{rates['alone']:,.0f} events/s", FAST),
        Figure("apply, with HTTP client and JSON", users, rates["fetched"], f"{rates['fetched']:,.0f} events/s", FAST),
        Figure("bare inserts of the same pages (the limit)", users, rates["bare"], f"{rates['bare']:,.0f} events/s"),
        Figure("apply, in bare inserts", users, share, f"{share:.2f}"),
    ]


async def happen(world: World, count: int) -> list[bytes]:
    """Let people at the source do things, and answer with so many full pages of what they did, as they come."""
    headers = {"Authorization": f"Bearer {processes.KEY}"}
    async with httpx.AsyncClient(base_url=world.sandbox, headers=headers, timeout=120) as http:
        # Some of what happens, such as signing out, is of no interest to the copy.
        answer = await http.post("/_sandbox/activity", json={"count": int(count * LIMIT * 1.15)})
        answer.raise_for_status()
        pages = list[bytes]()
        parameters = {"events": ",".join(catalog.event_types(catalog.resources())), "limit": str(LIMIT)}
        while len(pages) < count:
            page = await http.get("/events", params=parameters)
            parameters["after"] = page.raise_for_status().json()["list_metadata"]["after"]
            pages.append(page.content)
    return pages


async def alone(pool: Pool, pages: Sequence[bytes]) -> float:
    """Seconds to commit pages that are fetched and parsed already."""
    seconds = 0.0
    for page in pages:
        events: list[Any] = json.loads(page)["data"]
        async with pool.acquire() as connection:
            place = await cursor.read(connection)
        started = perf_counter()
        await pull.commit(pool, catalog.resources(), Fetched(Page(events, end=False), place, datetime.now(UTC)))
        seconds += perf_counter() - started
    return seconds


async def fetched(pool: Pool, workos: WorkOS, count: int) -> float:
    """Seconds to fetch pages from an instant source and commit them."""
    types, started = catalog.event_types(catalog.resources()), perf_counter()
    for _ in range(count):
        await pull.commit(pool, catalog.resources(), await pull.fetch(pool, workos, types))
    return perf_counter() - started


async def bare(pool: Pool, pages: Sequence[bytes]) -> float:
    """Seconds to insert the same events as text into one table, a transaction for each page."""
    seconds = 0.0
    for page in pages:
        events = json.loads(page)["data"]
        rows = [[event["id"] for event in events], [event["event"] for event in events], list(map(json.dumps, events))]
        started = perf_counter()
        async with session.transaction(pool) as connection:
            await connection.execute("INSERT INTO bare SELECT * FROM unnest($1::text[], $2::text[], $3::json[])", *rows)
        seconds += perf_counter() - started
    return seconds
