"""Webhooks: from a change at the source to the moment it can be read here, with them and by the feed alone.

The feed holds events back for two seconds, as the sandbox does unless told, and is asked at the default interval.
"""

from pathlib import Path

import httpx

from bench import processes
from bench.figures import Figure, Target, milliseconds, percentile
from bench.freshness import USERS, ready, samples
from bench.world import Plan, database

HOLD_BACK = 2.0
SECRET = "whsec_bench"  # noqa: S105  of the sandbox
HALF = Target("p50 at most half of the feed's alone", 0.5, at_least=False)


async def measure(server: str, folder: Path, plan: Plan) -> list[Figure]:
    """The time from source to reader, both ways; a change that the feed told first counts as any other."""
    async with (
        processes.sandbox("--users", str(USERS), "--activity", "5") as sandbox,
        database(server, "webhooks") as url,
        processes.listener(url, sandbox, folder),
        processes.api(url, sandbox, folder, workos_webhook_secret=SECRET) as api,
    ):
        await ready(url)
        await command(sandbox, "hold-back", seconds=HOLD_BACK)
        alone = await samples(sandbox, api.url, plan.samples // 2, "alone")
        await command(sandbox, "webhook", url=f"{api.url}/webhooks/workos", secret=SECRET)
        told = await samples(sandbox, api.url, plan.samples // 2, "told")
    return figures(alone, told)


async def command(sandbox: str, what: str, **body: object) -> None:
    """Switch something of the sandbox."""
    async with httpx.AsyncClient() as http:
        (await http.put(f"{sandbox}/_sandbox/{what}", json=body)).raise_for_status()


def figures(alone: list[float], told: list[float]) -> list[Figure]:
    """What that comes to."""
    found = []
    for name, seconds in (("by the feed alone", alone), ("with webhooks", told)):
        for share in (0.5, 0.99):
            value = percentile(seconds, share)
            words = f"{milliseconds(value)} (of {len(seconds)})"
            found.append(Figure(f"change to reader, {name}: p{share * 100:g}", USERS, value, words))
    ratio = percentile(told, 0.5) / percentile(alone, 0.5)
    return [*found, Figure("p50 with webhooks, in the feed's alone", USERS, ratio, f"{ratio:.2f}", HALF)]
