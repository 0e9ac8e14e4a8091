"""Freshness: from the moment a change is visible at the source to the moment it can be read here, in real processes."""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from bench import processes
from bench.figures import Figure, Target, milliseconds, percentile
from bench.world import Plan, database

USERS = 10_000
ACTIVITY = 20
RATE = 10
"""Changes per second that are followed, beside the activity."""
GLANCE = 0.005
SLACK = 0.1


async def measure(server: str, folder: Path, plan: Plan) -> list[Figure]:
    """The time from source to reader, at each poll interval."""
    found = []
    for interval in plan.intervals:
        async with (
            processes.sandbox("--users", str(USERS), "--activity", str(ACTIVITY)) as sandbox,
            database(server, "freshness") as url,
            processes.listener(url, sandbox, folder, poll_interval=interval),
            processes.api(url, sandbox, folder) as api,
        ):
            await ready(url)
            found += figures(interval, await samples(sandbox, api.url, plan.samples))
    return found


def figures(interval: float, seconds: list[float]) -> list[Figure]:
    """What that comes to."""
    limit = interval + SLACK
    name = f"source to reader, poll interval {interval:g} s"
    target = Target(f"p99 under {limit:g} s (the interval + 100 ms)", limit, at_least=False)
    p50, p99 = percentile(seconds, 0.5), percentile(seconds, 0.99)
    return [
        Figure(f"{name}: p50", USERS, p50, milliseconds(p50)),
        Figure(f"{name}: p99", USERS, p99, f"{milliseconds(p99)} (of {len(seconds)})", target),
    ]


async def ready(url: str) -> None:
    """Wait until the copy is complete."""
    async with processes.connected(url) as connection, asyncio.timeout(processes.PATIENCE):
        while not await connection.fetchval("SELECT max(ready_at) FROM cursor"):  # noqa: ASYNC110  a database has no event to wait for
            await asyncio.sleep(0.1)


async def samples(sandbox: str, api: str, count: int, name: str = "bench") -> list[float]:
    """Create users at the source at random moments, and follow each until the API has it."""
    headers = {"Authorization": f"Bearer {processes.KEY}"}
    async with httpx.AsyncClient(base_url=sandbox, headers=headers) as http, asyncio.TaskGroup() as tasks:
        following = [
            tasks.create_task(follow(http, api, f"{name}-{number}", random.uniform(0, count / RATE)))
            for number in range(count)
        ]
    return [task.result() for task in following]


async def follow(http: httpx.AsyncClient, api: str, name: str, delay: float) -> float:
    """Seconds from the creation of one user at the source until the API answers with it."""
    await asyncio.sleep(delay)
    answer = await http.post("/user_management/users", json={"email": f"{name}@bench.example"})
    user = answer.raise_for_status().json()
    async with connection(api) as (reader, writer), asyncio.timeout(60):
        while not await shown(reader, writer, user["id"]):  # noqa: ASYNC110  the API has no event to wait for
            await asyncio.sleep(GLANCE)
    return time.time() - datetime.fromisoformat(user["created_at"]).timestamp()


@asynccontextmanager
async def connection(api: str) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A kept-alive connection to the API, bare, so that looking often costs little."""
    place = urlsplit(api)
    reader, writer = await asyncio.open_connection(place.hostname, place.port)
    try:
        yield reader, writer
    finally:
        writer.close()


async def shown(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, user_id: str) -> bool:
    """Whether the API has a user by now."""
    writer.write(f"GET /api/users/{user_id} HTTP/1.1\r\nHost: api\r\n\r\n".encode())
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = head.partition(b"content-length: ")[2].partition(b"\r")[0]
    await reader.readexactly(int(length))
    return head.startswith(b"http/1.1 200")
