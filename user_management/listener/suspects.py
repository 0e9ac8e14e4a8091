"""Looking at pages of WorkOS beside the copy, and at whatever does not stand as it should a second time.

WorkOS has no pinned snapshot. So what differs is only suspected at first: the feed is waited for, past WorkOS's
hold-back, then each suspect is looked at again on both sides. What moved between the two looks is in flight and is
discarded; what stands as it stood is accused.
"""

import asyncio
import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog

from user_management.db.session import Connection, Pool
from user_management.errors import NotFound, Wait
from user_management.journal import cursor as cursors
from user_management.journal import entries, erasures
from user_management.journal.entries import Lane
from user_management.journal.timestamps import parse
from user_management.journal.verifications import Finding, Key, Page
from user_management.listener import listings
from user_management.mirror.engine import compare, store
from user_management.mirror.engine.compare import Standing
from user_management.mirror.engine.resource import Resource
from user_management.mirror.engine.verbs import Row
from user_management.services.workos import objects
from user_management.services.workos.client import WorkOS
from user_management.services.workos.errors import BadAnswer, NotAllowed, Refused

log = structlog.get_logger(__name__)

HOLD_BACK = 10.0
"""Seconds WorkOS may hold an event back before the feed shows it; a poll must begin later than that after a look."""
PATIENCE = 600.0
"""Seconds to wait for the feed's end before a verification is put off."""
GLANCE = 0.1
AT_ONCE = 10
"""Suspects that are asked for at the same time."""
LOOKS = 2
"""Second looks at what moves: whoever still moves then is left to the next verification."""
STONES = 5
"""How many objects before one that is gone are tried as its stand-in."""


class NotFollowed(Wait):
    """The copy is not followed, so what differs cannot be told from what has merely not arrived."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a resource's list: of one partition, behind a key."""

    resource: Resource
    partition: str
    begin: Key


@dataclass(frozen=True, slots=True)
class Suspect:
    """An object that did not stand as it should at the first look: what WorkOS said and what was here."""

    resource: Resource
    id: str
    said: dict[str, Any] | None
    row: Row | None


@dataclass(frozen=True, slots=True)
class Looked:
    """A page as it was first compared."""

    segment: Segment
    end: Key | None
    objects: int
    hash: str
    suspects: tuple[Suspect, ...]
    erased: int
    at: datetime


def key_of(resource: Resource, said: dict[str, Any]) -> Key:
    """The place of an object in a list ordered by age."""
    return Key(parse(said.get("created_at")), str(resource.name_of(said)))


def behind(one: Key, other: Key) -> bool:
    """Whether a key lies behind another."""
    if one.at is None or other.at is None:
        return one.at is not None
    return (one.at, one.id) > (other.at, other.id)


def digest(resource: Resource, said: Sequence[dict[str, Any]]) -> str:
    """The hash of what WorkOS said, without what is composed of other objects."""
    embedded = resource.merge.embedded
    lines = [json.dumps({k: v for k, v in one.items() if k not in embedded}, sort_keys=True) for one in said]
    return hashlib.sha256("\n".join(lines).encode(errors="backslashreplace")).hexdigest()


async def fetch(pool: Pool, workos: WorkOS, segment: Segment) -> objects.Page:
    """The page behind a segment's key. If the object there is gone, one before it stands in.

    WorkOS's refusal of the last that is tried is raised.
    """
    resource, after = segment.resource, segment.begin.id
    for tried in range(1, STONES + 1):
        try:
            async with pool.acquire() as connection:
                at = await listings.address(connection, resource, segment.partition)
            if resource.listing.whole:
                return await listings.whole(workos, resource, at)
            page = await listings.page(workos, resource, at, after)
        except (NotFound, Refused) as refused:
            if await listings.ended(pool, workos, resource, segment.partition, refused):
                return objects.Page([], None)  # the partition's parent is gone, and with it everything in it
            if not after or tried == STONES:
                raise
        else:
            if not after or not page.objects or behind(max_key(resource, page.objects), segment.begin):
                return page
        after = await stone_before(pool, segment, after)
    raise BadAnswer(f"WorkOS's list of {segment.resource.name} does not go on behind {segment.begin.id}")


def max_key(resource: Resource, said: Sequence[dict[str, Any]]) -> Key:
    """The key of the page's last object, by age."""
    found = key_of(resource, said[0])
    for one in said[1:]:
        found = key_of(resource, one) if behind(key_of(resource, one), found) else found
    return found


async def stone_before(pool: Pool, segment: Segment, after: str) -> str:
    """The id of the live object before one that is gone; none at the start of the list."""
    resource = segment.resource
    async with pool.acquire() as connection:
        found = await connection.fetchval(
            f"""
            SELECT id FROM {resource.name} WHERE deleted_at IS NULL AND {within(resource)}
              AND (created_at, id) < (SELECT created_at, id FROM {resource.name} WHERE id = $2)
            ORDER BY created_at DESC, id DESC LIMIT 1
            """,
            segment.partition, after,
        )  # fmt: skip
    return found or ""


def within(resource: Resource) -> str:
    """The condition that a row is in the partition `$1`."""
    return f"{resource.listing.column} = $1" if resource.listing.per else "$1 = ''"


async def shown(pool: Pool, workos: WorkOS, segment: Segment) -> tuple[objects.Page, list[dict[str, Any] | None]]:
    """The page behind a segment's key, and how it would be recorded.

    The next ones join it for as long as it shows nobody who was not erased: on their ids no run may stand.
    """
    page, told, begin = objects.Page([], ""), list[dict[str, Any] | None](), segment.begin
    while page.after is not None and not any(told):
        more = await fetch(pool, workos, replace(segment, begin=begin))
        reached = max_key(segment.resource, more.objects) if more.objects else begin
        if page.objects and more.objects and not behind(reached, begin):
            raise BadAnswer(f"WorkOS's list of {segment.resource.name} does not go on behind whom it showed last")
        async with pool.acquire() as connection:
            told += await heard(connection, segment.resource, more.objects)
        page, begin = objects.Page(page.objects + more.objects, more.after if more.objects else None), reached
    return page, told


async def look(pool: Pool, workos: WorkOS, segment: Segment) -> Looked:
    """Read a page and compare it with the rows that should stand for it."""
    page, told = await shown(pool, workos, segment)
    async with pool.acquire() as connection:
        said = {str(segment.resource.name_of(one)): one for one in told if one is not None}
        end = max_key(segment.resource, list(said.values())) if page.after and said else None
        rows = await store.rows(connection, segment.resource.name, list(said))
        if not segment.resource.listing.partial:
            rows |= await unlisted(connection, segment, end, list(said))
        at = await connection.fetchval("SELECT clock_timestamp()")
    suspects = tuple(
        Suspect(segment.resource, one, said.get(one), rows.get(one))
        for one in sorted(said.keys() | rows.keys())
        if compare.judge(segment.resource, rows.get(one), said.get(one))[0] is not Standing.EQUAL
    )
    erased = len(page.objects) - len(said)
    return Looked(segment, end, len(page.objects), digest(segment.resource, list(said.values())), suspects, erased, at)


async def heard(
    connection: Connection, resource: Resource, said: Sequence[dict[str, Any]]
) -> list[dict[str, Any] | None]:
    """What WorkOS says as it would be recorded: without secrets and without people who were erased (None: one)."""
    at = datetime.now(UTC)
    told = [entries.of_object(one, lane=Lane.LIST, type=resource.listed, at=at) for one in said]
    kept = await erasures.spared(connection, told)
    return [None if one.type == erasures.ERASED else dict(one.body) for one in kept]


async def unlisted(connection: Connection, segment: Segment, end: Key | None, listed: list[str]) -> dict[str, Row]:
    """The live rows of the copy that lie where the page lies, but were not on it."""
    begin, upto = segment.begin, end or Key()
    records = await connection.fetch(
        f"""
        SELECT id FROM {segment.resource.name} WHERE deleted_at IS NULL AND {within(segment.resource)}
          AND ($2::timestamptz IS NULL OR (created_at, id) > ($2, $3))
          AND ($4::timestamptz IS NULL OR (created_at, id) <= ($4, $5)) AND id <> ALL($6::text[])
        """,
        segment.partition, begin.at, begin.id, upto.at, upto.id, listed,
    )  # fmt: skip
    return await store.rows(connection, segment.resource.name, [record["id"] for record in records])


async def settled(pool: Pool, since: datetime, *, hold_back: float, patience: float = PATIENCE) -> None:
    """Wait until the feed's end was reached by a poll that began a hold-back after a moment; else `NotFollowed`."""
    try:
        async with asyncio.timeout(patience):
            while True:
                async with pool.acquire() as connection:
                    drained_at = (await cursors.read(connection)).drained_at
                if drained_at is not None and drained_at > since + timedelta(seconds=hold_back):
                    return
                await asyncio.sleep(GLANCE)
    except TimeoutError as error:
        raise NotFollowed("The feed's end was not reached in time: is a listener at work?") from error


@dataclass(frozen=True, slots=True)
class Judged:
    """A suspect that was looked at a second time: how it stands, and what it was like."""

    standing: Standing
    keys: tuple[str, ...]
    suspect: Suspect

    @property
    def finding(self) -> Finding:
        """What there is to be told of it."""
        row = self.suspect.row
        return Finding(
            self.suspect.resource.name, self.suspect.id, self.standing.value, self.keys, row.position if row else 0
        )


async def again(pool: Pool, workos: WorkOS, suspect: Suspect) -> Judged:
    """Look at a suspect a second time, on both sides, and judge it; not one that WorkOS cannot be asked for.

    Nor one that it refuses to show, unless nothing goes without it.
    """
    try:
        told = suspect.said or (suspect.row.body if suspect.row else {})
        found = await listings.get(pool, workos, suspect.resource, suspect.id, told)
    except listings.Unaskable:
        return Judged(Standing.IN_FLIGHT, (), suspect)
    except (NotAllowed, Refused) as refused:
        if suspect.resource.listing.essential:
            raise
        log.warning("verify.unconfirmed", resource=suspect.resource.name, id=suspect.id, error=str(refused))
        return Judged(Standing.IN_FLIGHT, (), suspect)
    async with pool.acquire() as connection:
        said = None if found is None else (await heard(connection, suspect.resource, [found]))[0]
        row = await store.row(connection, suspect.resource.name, suspect.id)
    standing, keys = compare.judge(suspect.resource, row, said)
    if standing is not Standing.EQUAL and (compare.moved(suspect.row, row) or changed(suspect, said)):
        standing = Standing.IN_FLIGHT
    return Judged(standing, tuple(keys), replace(suspect, said=said, row=row))


def changed(suspect: Suspect, said: dict[str, Any] | None) -> bool:
    """Whether WorkOS says something else than at the first look; a list need not show what is asked for by name."""
    if suspect.said is None or said is None:
        return suspect.said is not said
    shared = {key: value for key, value in said.items() if key in suspect.said}
    return bool(compare.differing(suspect.resource, suspect.said, shared))


async def settle(
    pool: Pool, workos: WorkOS, batch: Sequence[Looked], *, hold_back: float
) -> list[tuple[Page, list[Finding]]]:
    """The pages of a batch as they are kept, once their suspects were looked at again; twice, if they moved."""
    judged: dict[tuple[str, str], Judged] = {}
    waiting = [suspect for looked in batch for suspect in looked.suspects]
    since = max((looked.at for looked in batch), default=None)
    for _ in range(LOOKS):
        if not waiting or since is None:
            break
        await settled(pool, since, hold_back=hold_back)
        found = await look_again(pool, workos, waiting)
        judged |= {(one.suspect.resource.name, one.suspect.id): one for one in found}
        waiting = [one.suspect for one in found if one.standing is Standing.IN_FLIGHT]
        async with pool.acquire() as connection:
            since = await cursors.clock(connection)
    return [kept(looked, judged) for looked in batch]


async def look_again(pool: Pool, workos: WorkOS, waiting: Sequence[Suspect]) -> list[Judged]:
    """All suspects, looked at again, some at a time."""
    found: list[Judged] = []
    for start in range(0, len(waiting), AT_ONCE):
        some = waiting[start : start + AT_ONCE]
        found += await asyncio.gather(*(again(pool, workos, suspect) for suspect in some))
    return found


def kept(looked: Looked, judged: Mapping[tuple[str, str], Judged]) -> tuple[Page, list[Finding]]:
    """A page as it is kept, and what was found on it."""
    name = looked.segment.resource.name
    verdicts = [judged[name, suspect.id] for suspect in looked.suspects]
    counts = Counter(one.standing.value for one in verdicts)
    counts[Standing.ERASED.value] += looked.erased
    listed = sum(suspect.said is not None for suspect in looked.suspects)
    counts[Standing.EQUAL.value] += looked.objects - looked.erased - listed
    found = [one.finding for one in verdicts if one.standing not in {Standing.EQUAL, Standing.IN_FLIGHT}]
    segment = looked.segment
    return Page(name, segment.partition, segment.begin, looked.end, looked.objects, +counts, looked.hash), found
