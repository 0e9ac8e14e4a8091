"""A storm: real processes under faults by seed, and afterwards everything that was told or kept is held against truth.

    python -m user_management.tests.chaos storm --seeds 1..5

The plan follows from the seed alone; how the processes meet it does not, so a seed that failed may pass the next time.
Clocks do not jump here (that needs a machine of its own): the simulator's do.
"""

import asyncio
import shutil
import tempfile
import time
import traceback
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from user_management.db import session
from user_management.db.session import Pool
from user_management.tests.chaos import storm_evidence as evidence
from user_management.tests.chaos import storm_faults as faults
from user_management.tests.chaos import storm_scene
from user_management.tests.chaos.storm_clients import TIMEOUT, Clients, Heard
from user_management.tests.chaos.storm_judge import judge
from user_management.tests.chaos.storm_plan import plan
from user_management.tests.chaos.storm_scene import Scene
from user_management.tests.support.local_workos import LocalWorkOS
from user_management.tests.support.waiting import until

SETTLING = 60.0
"""Seconds the copy has to become live and equal once all is calm: a fraction of it will do, but for a busy machine."""

TAIL = 15
SHOWN = 25


@dataclass
class Outcome:
    """What became of a storm: what was wrong, what happened when, and how much of it there was."""

    seed: int
    wrong: list[str] = field(default_factory=list)
    timeline: list[str] = field(default_factory=list)
    counts: dict[str, float] = field(default_factory=dict)
    tails: list[str] = field(default_factory=list)
    folder: Path | None = None
    """Where the logs are; kept only if something was wrong."""

    @contextmanager
    def timed(self, what: str) -> Iterator[None]:
        """Note the seconds that something takes."""
        began = time.monotonic()
        yield
        self.counts[f"s {what}"] = round(time.monotonic() - began, 1)

    @property
    def well(self) -> bool:
        """Whether nothing was wrong."""
        return not self.wrong

    def __str__(self) -> str:
        """The report: one line if all is well."""
        told = ", ".join(f"{value:g} {name}" for name, value in self.counts.items())
        if self.well:
            return f"storm {self.seed}: well ({told})"
        more = [f"… and {len(self.wrong) - SHOWN} more"] if len(self.wrong) > SHOWN else []
        head = f"storm {self.seed}: {len(self.wrong)} WRONG ({told})"
        return "\n".join(
            [head, *(f"  - {one}" for one in self.wrong[:SHOWN]), *more, "Timeline:", *self.timeline,
             f"Logs in {self.folder}:", *self.tails]
        )  # fmt: skip


async def run(seed: int, *, seconds: float = 10.0, verbose: bool = False) -> Outcome:
    """One storm of so many seconds, and what became of it; nothing of it is left running, whatever happens."""
    folder = scene_folder(seed)
    outcome = Outcome(seed, folder=folder)
    try:
        await weather_out(outcome, seed, seconds)
    except Exception:  # noqa: BLE001  a storm that breaks off is a finding, told with its timeline and logs
        outcome.wrong.append(f"it broke off: {traceback.format_exc()}")
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    if outcome.well and not verbose:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        outcome.tails = [line for log in sorted(folder.glob("*.log")) for line in tail(log)]
    return outcome


def scene_folder(seed: int) -> Path:
    """An empty folder, open to PostgreSQL, which may run as a user of its own."""
    folder = Path(tempfile.mkdtemp(prefix=f"user-management-storm-{seed}-")).resolve()
    folder.chmod(0o755)
    return folder


async def weather_out(outcome: Outcome, seed: int, seconds: float) -> None:
    """Raise the storm, outlive it, and judge."""
    with outcome.timed("in all"):
        async with storm_scene.running(plan(seed, seconds=seconds), outcome.folder or Path()) as scene:
            outcome.timeline = scene.timeline
            with outcome.timed("raging"):
                clients = await storm(scene)
            outcome.wrong += [f"{one.name} ended by itself" for one in scene.services if not one.running]
            if outcome.well:
                async with looking(scene) as (pool, local):
                    await look_back(outcome, scene, clients.heard, pool, local)
    for service in scene.services:
        outcome.wrong += [*evidence.log_faults(service), *evidence.ending_faults(service)]
    outcome.wrong += evidence.sql_faults(scene.database.folder / "log")


async def look_back(outcome: Outcome, scene: Scene, heard: Heard, pool: Pool, local: LocalWorkOS) -> None:
    """Let everything settle, ask all of them to end, and judge."""
    with outcome.timed("settling"):
        outcome.wrong += await settled(scene, pool, local)
        outcome.wrong += await evidence.served(scene, local)
    outcome.wrong += await evidence.folds(scene)
    truth = await evidence.truth_of(scene, pool, local)
    with outcome.timed("ending"):
        await asyncio.gather(*(service.end() for service in scene.services))
    outcome.wrong += judge(heard, truth)
    outcome.wrong += await evidence.parked(pool)
    outcome.wrong += await evidence.false_ends(pool, list(truth.feed))
    outcome.counts |= {
        "faults": len(scene.plan.faults), "events": len(truth.feed), "pages": len(heard.pages),
        "looks": len(heard.looks), "unserved": heard.unserved,
        "writes": len(heard.writes), "accepted": sum(write.id is not None for write in heard.writes),
    }  # fmt: skip


async def storm(scene: Scene) -> Clients:
    """Faults and clients at once, to the end of the plan; what the clients heard."""
    began = time.monotonic()
    async with httpx.AsyncClient(timeout=TIMEOUT) as http, asyncio.TaskGroup() as tasks:
        clients = Clients(scene, http)
        tasks.create_task(clients.run())
        await faults.strike(scene, began)
        await asyncio.sleep(max(0.0, began + scene.plan.seconds - time.monotonic()))
        await faults.calm(scene)
        clients.stopping.set()
    return clients


@asynccontextmanager
async def looking(scene: Scene) -> AsyncIterator[tuple[Pool, LocalWorkOS]]:
    """The database and the source, past the proxies."""
    async with session.open_pool(scene.database.url, size=2) as pool, LocalWorkOS.at(scene.source_url) as local:
        await local.call("PUT", "/_sandbox/activity", {"rate": 0})
        yield pool, local


async def settled(scene: Scene, pool: Pool, local: LocalWorkOS) -> list[str]:
    """Wait until the API is ready and the copy equals its source; what still differs when patience ends."""

    async def equal() -> bool:
        async with httpx.AsyncClient(timeout=TIMEOUT) as http:
            try:
                ready = (await http.get(f"{scene.api_url}/api/ready")).status_code == 200
            except httpx.TransportError:
                return False
        return ready and await caught_up(pool, local) and not await evidence.differences(pool, local)

    try:
        await until(equal, seconds=SETTLING)
    except TimeoutError:
        return [f"it never became live and equal: {line}" for line in await evidence.differences(pool, local) or ["?"]]
    return []


async def caught_up(pool: Pool, local: LocalWorkOS) -> bool:
    """Whether the journal holds the feed's last event."""
    feed = await evidence.feed_of(local)
    known = "SELECT EXISTS (SELECT FROM journal WHERE event_id = $1)"
    return not feed or bool(await pool.fetchval(known, feed[-1].id))


def tail(log: Path) -> list[str]:
    """The last lines of a log."""
    return [f"--- {log.name}", *(line[:300] for line in evidence.lines(log)[-TAIL:])]
