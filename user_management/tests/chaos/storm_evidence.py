"""What a storm left behind, gathered for the judge: the journal, the feed, the tables, the logs, the processes."""

import asyncio
import json
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx

from user_management.db.session import Pool
from user_management.mirror.engine import catalog
from user_management.mirror.engine.fold import key_of
from user_management.mirror.engine.resource import Resource
from user_management.mirror.engine.verbs import Verb
from user_management.tests.chaos.storm_clients import STATUSES
from user_management.tests.chaos.storm_judge import Happening, Life, Truth
from user_management.tests.chaos.storm_scene import STALE_AFTER, Scene, Service
from user_management.tests.support import copies
from user_management.tests.support.local_workos import LocalWorkOS

NOT_RECORDED = "reply.not_recorded"
FORBIDDEN = {"work.crashed", "work.refused", "request.failed", "entry.parked", "cursor.refused"}
"""Log events that nothing in a storm may cause."""

BAD_SQL = re.compile(r"PANIC|deadlock detected|duplicate key|violates")
EXCERPT = 600


async def feed_of(local: LocalWorkOS) -> list[Happening]:
    """All events of the source's feed, of the types that are subscribed to."""
    found: list[Happening] = []
    query = {"events": ",".join(catalog.event_types(catalog.resources())), "limit": "100"}
    while True:
        answer = await local.http.get("/events", params=query | ({"after": found[-1].id} if found else {}))
        events = answer.raise_for_status().json()["data"]
        if not events:
            return found
        found += [Happening(e["id"], e["event"], seconds(e["created_at"]), e["data"]) for e in events]


def seconds(moment: str) -> float:
    """A moment as WorkOS writes it, in seconds since 1970."""
    return datetime.fromisoformat(moment).timestamp()


async def lives_of(pool: Pool, resource: Resource) -> dict[str, Life]:
    """From and until which position each object of a resource lived: to its own end, or to that of a parent."""
    told, ends = writing(resource), ending(resource)
    rows = await pool.fetch(
        f"""
        SELECT mirrored.id, mirrored.created_at,
            min(journal.position) FILTER (WHERE type = ANY($1)) AS born,
            least(min(journal.position) FILTER (WHERE type = ANY($2)),
                  CASE WHEN mirrored.deleted_at IS NOT NULL THEN mirrored.position END) AS died
        FROM {resource.name} AS mirrored JOIN journal ON object_id = mirrored.id AND verdict = 'applied'
        WHERE type = ANY($1) OR type = ANY($2) GROUP BY mirrored.id
        """,
        told, ends,
    )  # fmt: skip
    return {row["id"]: Life((row["created_at"].timestamp(), row["id"]), row["born"], row["died"]) for row in rows}


def writing(resource: Resource) -> list[str]:
    """The types of the entries that tell of an object as it is."""
    return [kind for kind, verb in resource.verbs.items() if verb.name in {"upsert", "fill", "link"}]


def ending(resource: Resource) -> list[str]:
    """The types of the entries that tell of an object's end."""
    return [kind for kind, verb in resource.verbs.items() if verb.name in {"tombstone", "unlink"}]


async def truth_of(scene: Scene, pool: Pool, local: LocalWorkOS) -> Truth:
    """What was true throughout a storm."""
    rows = await pool.fetch("SELECT event_id, position FROM journal WHERE event_id IS NOT NULL ORDER BY position")
    lives = {resource.name: await lives_of(pool, resource) for resource in catalog.resources()}
    return Truth(
        lives, await feed_of(local), [row["event_id"] for row in rows], {r["event_id"]: r["position"] for r in rows},
        hold_back=scene.plan.hold_back, stale_after=STALE_AFTER, frozen=scene.frozen, lying=scene.lying,
        not_recorded=frozenset(fact["object_id"] for fact in facts(scene.api.log) if fact["event"] == NOT_RECORDED),
    )  # fmt: skip


async def differences(pool: Pool, local: LocalWorkOS) -> list[str]:
    """How the copy differs from its source, object by object."""
    found = []
    for resource in catalog.resources():
        source, copy = await local.objects(resource.name), await copies.live(pool, resource.name)
        if not resource.listing.partial:
            found += [f"{resource.name}: {key} is missing" for key in sorted(source.keys() - copy.keys())]
            found += [f"{resource.name}: {key} is too much" for key in sorted(copy.keys() - source.keys())]
        found += [line for key in source.keys() & copy.keys() for line in fields(resource, source[key], copy[key])]
    return found


def fields(resource: Resource, source: dict[str, Any], copy: dict[str, Any]) -> Iterator[str]:
    """The fields in which an object differs from its source."""
    for name in sorted(copies.differing(resource, copy, source)):
        ours, theirs = copy.get(name), source[name]
        yield f"{resource.name} {resource.name_of(source)}: {name} is {ours!r}, at the source {theirs!r}"


async def false_ends(pool: Pool, feed: list[Happening]) -> list[str]:
    """Objects that were ended because they were not listed, though they lived from the question to the record of it."""
    lives = source_lives(feed)
    rows = await pool.fetch(
        "SELECT object_id, occurred_at, recorded_at FROM journal "
        "WHERE lane = 'list' AND type LIKE '%.deleted' ORDER BY position"
    )
    return [
        f"{row['object_id']} was ended at {row['recorded_at']}, while it lived at the source"
        for row in rows
        if lived(lives.get(row["object_id"], []), row["occurred_at"].timestamp(), row["recorded_at"].timestamp())
    ]


def source_lives(feed: Iterable[Happening]) -> dict[str, list[tuple[float, bool]]]:
    """When each object was written (True) or deleted at the source; what has a name may come and go more than once."""
    lives: dict[str, list[tuple[float, bool]]] = {}
    for event in feed:
        for name, alive in told(event):
            lives.setdefault(name, []).append((event.moment, alive))
    return lives


def lived(life: Sequence[tuple[float, bool]], began: float, ended: float) -> bool:
    """Whether an object lived all the while, but for a second that clocks and answers may be off."""
    before = [alive for moment, alive in life if moment <= began - 1]
    meanwhile = [alive for moment, alive in life if began - 1 < moment <= ended + 1]
    return all([*before[-1:], *meanwhile])


def told(event: Happening) -> Iterator[tuple[str, bool]]:
    """The ids of the rows that an event writes or ends by itself, and whether they live from then on."""
    for resource in catalog.resources():
        verb = resource.verbs.get(event.type)
        ends = event.type in ending(resource)
        if isinstance(verb, Verb) and (ends or event.type in writing(resource)):
            data = dict(event.data)
            yield key_of(resource, verb, verb.read(data) if verb.read else data), not ends


async def parked(pool: Pool) -> list[str]:
    """What was set aside: nothing should be."""
    return [f"an entry was parked: {dict(row)}" for row in await pool.fetch("SELECT * FROM failures")]


async def served(scene: Scene, local: LocalWorkOS) -> list[str]:
    """Whether the API, at the end, lists what the source holds."""
    found = []
    async with httpx.AsyncClient(base_url=scene.api_url, timeout=30) as http:
        for resource in catalog.resources():
            listed, after = set(), ""
            while True:
                page = (
                    (await http.get(f"/api/{resource.name}?limit=100{STATUSES.get(resource.name, '')}{after}"))
                    .raise_for_status()
                    .json()
                )
                listed |= {resource.name_of(item) for item in page["data"]}
                if page["list_metadata"]["after"] is None:
                    break
                after = f"&after={page['list_metadata']['after']}"
            source = (await local.objects(resource.name)).keys()
            if listed ^ source and not resource.listing.partial:
                found.append(f"the API does not list the {resource.name} that the source holds")
    return found


def facts(log: Path) -> Iterator[dict[str, Any]]:
    """The lines of a log that are facts."""
    for line in lines(log):
        if line.startswith("{"):
            yield json.loads(line)


def lines(log: Path) -> list[str]:
    """The lines of a log."""
    return log.read_text(errors="replace").splitlines() if log.exists() else []


def log_faults(service: Service) -> Iterator[str]:
    """Tracebacks, and facts that nothing in a storm may cause."""
    for line in lines(service.log):
        event = json.loads(line)["event"] if line.startswith("{") else ""
        if event in FORBIDDEN or ("Traceback" in line and event != NOT_RECORDED):
            yield f"{service.name} logged: {line[:EXCERPT]}"


def sql_faults(log: Path) -> Iterator[str]:
    """What PostgreSQL should never have been made to say."""
    yield from (f"PostgreSQL said: {line}" for line in lines(log) if BAD_SQL.search(line))


async def folds(scene: Scene) -> list[str]:
    """What `user-management rebuild --check` finds, run as an operator runs it."""
    environment = {**scene.api.environment, "USER_MANAGEMENT_DATABASE_URL": scene.database.url}
    code = "from user_management.cli import main; main()"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, "rebuild", "--check", env=environment,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await process.communicate()
    return [] if process.returncode == 0 else [f"rebuild --check left with {process.returncode}: {said.decode()}"]


def ending_faults(service: Service) -> Iterator[str]:
    """Every process that was asked to end did so with status 0, and none is left."""
    if any(service.statuses):
        yield f"{service.name} was asked to end and left with {service.statuses}"
    yield from (f"{service.name} left process {pid} behind" for pid in service.left())
