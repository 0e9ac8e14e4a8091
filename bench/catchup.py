"""Catching up after a day, by stretches of time side by side and page after page, from a source that takes its time."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from time import perf_counter
from typing import Any

import httpx

from bench.figures import Figure, Target
from bench.world import Plan, database
from user_management.db import session
from user_management.listener import catch_up, pull, start
from user_management.listener.worker import Listener
from user_management.mirror.engine import catalog
from user_management.sandbox.application import create_app
from user_management.sandbox.config import Config
from user_management.services.workos import client

AWAY = timedelta(days=1)
USERS = 500
LATENCY = 0.05
"""Seconds the source takes for any answer."""
TWICE = Target("at least twice as fast as page after page", 2.0)


class Distant(httpx.ASGITransport):
    """A sandbox in this process, as far away as a network makes it."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The answer, after its way."""
        await asyncio.sleep(LATENCY)
        return await super().handle_async_request(request)


async def measure(server: str, plan: Plan) -> list[Figure]:
    """Seconds for a day of events, in both ways."""
    events = 3_000 if plan.quick else 12_000
    async with distant(events) as (http, app):
        serial = await timed(server, http, app, "catchup_serial", one_by_one)
        side = await timed(server, http, app, "catchup_side", side_by_side)
    return [
        Figure(
            "a day's events, page after page",
            USERS,
            serial,
            f"{events / serial:,.0f} events/s ({events:,} in {serial:.1f} s)",
        ),
        Figure(
            "a day's events, side by side", USERS, side, f"{events / side:,.0f} events/s ({events:,} in {side:.1f} s)"
        ),
        Figure("side by side, in page after page", USERS, serial / side, f"{serial / side:.2f}", TWICE),
    ]


@asynccontextmanager
async def distant(events: int) -> AsyncIterator[tuple[httpx.AsyncClient, Any]]:
    """A sandbox in which so much happened within the last day."""
    now = datetime.now(UTC) - AWAY
    app = create_app(Config(hold_back=0, rate_limits=False, users=USERS), time=lambda: now)
    async with httpx.AsyncClient(transport=Distant(app=app), base_url="http://workos.test") as http:
        for _ in range(100):
            await http.post("/_sandbox/activity", json={"count": events // 100})
            now += AWAY / 100
        yield http, app


async def timed(
    server: str, http: httpx.AsyncClient, app: Any, name: str, way: Callable[[Listener], Awaitable[None]]
) -> float:
    """Seconds one way takes, from the first event to the end of the feed."""
    workos = client.over(http, api_key="sk_sandbox", client_id="client_sandbox", base_url="http://workos.test")
    resources = catalog.resources()
    async with database(server, name) as url, session.open_pool(url, size=4) as pool:
        listener = Listener(pool, workos, resources, catalog.event_types(resources))
        await start.prepare(pool, resources, listener.types, margin=600)
        await pool.execute(
            "UPDATE cursor SET event_id = $1, event_at = $2, drained_at = $2, ready_at = $2",
            app.state.store.feed.ids[0], datetime.now(UTC) - AWAY,
        )  # fmt: skip
        began = perf_counter()
        await way(listener)
        return perf_counter() - began


async def one_by_one(listener: Listener) -> None:
    """Page after page, each fetched when the one before is committed."""
    while True:
        fetched = await pull.fetch(listener.pool, listener.workos, listener.types)
        if (await pull.commit(listener.pool, listener.resources, fetched)).drained:
            return


async def side_by_side(listener: Listener) -> None:
    """As the daemon does it after a long stop."""
    fetched = await pull.fetch(listener.pool, listener.workos, listener.types)
    await pull.commit(listener.pool, listener.resources, fetched)
    await catch_up.run(listener, fetched.page)
    await one_by_one(listener)
