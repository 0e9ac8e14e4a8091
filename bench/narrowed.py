"""Narrowed lists: words, metadata and time, where much is found and where little is; and the memory of an export."""

import httpx

from bench import load, processes
from bench.figures import Figure
from bench.load import Load
from bench.reads import rate
from bench.world import Plan, World, settle

CONNECTIONS = 4
ASKED = {
    "list of 50 by a word that many have": "q=example",
    "list of 50 by a word that nobody has": "q=zzzz",
    "list of 50 by metadata that many have": "metadata[department]=Legal",
    "list of 50 by metadata that nobody has": "metadata[department]=none",
    "list of 50 by `updated_after`, nothing found": "updated_after=2100-01-01T00:00:00Z",
}


async def measure(world: World, plan: Plan) -> list[Figure]:
    """How fast such lists are, and how much memory exporting everybody takes."""
    await settle(world.database)
    async with processes.api(world.database, world.sandbox, world.folder) as api:
        targets = [load.Target(name, api.url, [f"/api/users?limit=50&{query}"]) for name, query in ASKED.items()]
        found = await load.run(targets, Load(CONNECTIONS, plan.seconds, plan.rounds))
        count = await exported(api.url)
        held = processes.memory(api.pid)
    words = f"{held.peak:,.0f} MB at most, {held.now:,.0f} MB now"
    return [
        *(rate(name, world.users, answered) for name, answered in found.items()),
        Figure(f"API after exporting {'all users' if count == world.users else count}", world.users, held.peak, words),
    ]


async def exported(url: str) -> int:
    """Export every user, keeping none; how many came."""
    count = -1
    accept = {"Accept": "application/x-ndjson"}
    async with (
        httpx.AsyncClient(timeout=None) as http,  # noqa: S113  an export takes as long as it takes
        http.stream("GET", f"{url}/api/users", headers=accept) as answer,
    ):
        async for _ in answer.aiter_lines():
            count += 1
    return count
