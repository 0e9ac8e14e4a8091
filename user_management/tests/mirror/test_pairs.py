"""Pairs: who is in which group. WorkOS gives them neither ids nor timestamps, so only the order of the feed tells."""

from datetime import UTC, datetime, timedelta

import pytest

from user_management.db.session import Pool, transaction
from user_management.journal import entries
from user_management.journal.entries import Entry, Lane, Verdict
from user_management.mirror.engine import catalog
from user_management.mirror.engine.record import Recorded, record
from user_management.mirror.engine.resource import Resource
from user_management.tests.support import copies, samples
from user_management.tests.support.samples import entry

PAIRS = [resource for resource in catalog.resources() if resource.pairs]
pytestmark = pytest.mark.parametrize("resource", PAIRS, ids=lambda resource: resource.name)


async def put(pool: Pool, *told: Entry) -> Recorded:
    """Record a page of entries."""
    async with transaction(pool) as connection:
        return await record(connection, catalog.resources(), told)


async def stands(pool: Pool, resource: Resource) -> bool:
    """Whether the sample pair is in the copy."""
    return samples.key(resource) in await copies.live(pool, resource.name)


def listed(resource: Resource, *, minutes: float) -> Entry:
    """The pair in a list that was asked for so many minutes after it was made."""
    return heard(resource, Lane.LIST, resource.listed, minutes)


def heard(resource: Resource, lane: Lane, type_: str, minutes: float) -> Entry:
    """The pair, told by WorkOS otherwise than by an event."""
    body = {key: value for key, value in samples.sample(resource).items() if not key.endswith("_at")}
    made = datetime.fromisoformat(samples.sample(resource)["created_at"])
    at = made.astimezone(UTC) + timedelta(minutes=minutes)
    return entries.of_object(body, lane=lane, type=type_, at=at)


async def test_a_pair_is_there_since_its_event(pool: Pool, resource: Resource) -> None:
    """Its times are those of the event that told of it, and its id is the two it joins."""
    await put(pool, entry(resource, "created"))
    assert (await copies.live(pool, resource.name)) == {samples.key(resource): samples.sample(resource)}


async def test_a_pair_ends_and_begins_again(pool: Pool, resource: Resource) -> None:
    """Added, removed, added: the last word counts, however the pages are cut."""
    story = [entry(resource, "created"), entry(resource, "deleted", minutes=1), entry(resource, "created", minutes=2)]
    for told, there in zip(story, (True, False, True), strict=True):
        await put(pool, told)
        assert await stands(pool, resource) is there
    await copies.assert_equal_to_journal(pool)


async def test_a_replay_changes_nothing(pool: Pool, resource: Resource) -> None:
    """An old page again does not bring back who left."""
    page = [entry(resource, "created"), entry(resource, "deleted", minutes=1)]
    await put(pool, *page)
    await put(pool, page[0])
    assert not await stands(pool, resource)


async def test_a_late_list_does_not_bring_it_back(pool: Pool, resource: Resource) -> None:
    """A list that was asked for before the end, or hardly after it by another clock, says nothing of now."""
    await put(pool, entry(resource, "created"), entry(resource, "deleted", minutes=10))
    for minutes in (9, 12):
        done = await put(pool, listed(resource, minutes=minutes))
        assert (done.entries, await stands(pool, resource)) == ((), False)
    await put(pool, listed(resource, minutes=30))
    assert await stands(pool, resource)


async def test_a_list_ahead_of_the_feed_is_not_undone(pool: Pool, resource: Resource) -> None:
    """The end of an earlier time, told late, does not end what a later list showed."""
    await put(pool, listed(resource, minutes=60))
    late = await put(pool, entry(resource, "created"), entry(resource, "deleted", minutes=1))
    assert [one.verdict for one in late.entries] == [Verdict.UNCHANGED, Verdict.STALE]
    assert await stands(pool, resource)


async def test_a_reply_is_there_at_once(pool: Pool, resource: Resource) -> None:
    """Whoever is put back a moment after they left is there again, before the feed says so."""
    await put(pool, entry(resource, "created"), entry(resource, "deleted", minutes=10))
    await put(pool, heard(resource, Lane.REPLY, resource.replied, 11))
    assert await stands(pool, resource)
    await put(pool, entry(resource, "created", minutes=11), entry(resource, "deleted", minutes=12))
    assert not await stands(pool, resource)


async def test_a_clock_ahead_loses_nobody(pool: Pool, resource: Resource) -> None:
    """An end that was replied to us is dated by our clock; the feed's date counts for whoever comes back."""
    await put(pool, entry(resource, "created"), heard(resource, Lane.REPLY, resource.deleted, 30))
    assert not await stands(pool, resource)
    await put(pool, entry(resource, "deleted", minutes=10), entry(resource, "created", minutes=11))
    assert await stands(pool, resource)
    await copies.assert_equal_to_journal(pool)


async def test_listing_it_again_writes_nothing(pool: Pool, resource: Resource) -> None:
    """Neither journal nor table grows by what is known."""
    await put(pool, listed(resource, minutes=1))
    assert (await put(pool, listed(resource, minutes=99))).entries == ()


async def test_a_pair_ends_with_either_and_with_whoever_they_end_with(pool: Pool, resource: Resource) -> None:
    """Whether the end of a parent or of a grandparent comes first or last, the pair is gone; and the same by replay."""
    for cascade in resource.cascades:
        family = [entry(one, "created") for one in catalog.resources() if one.name in generations(resource)]
        await put(pool, *family, entry(resource, "created", minutes=1))
        await put(pool, samples.end_of(cascade))
        await put(pool, entry(resource, "created", minutes=5))
        assert not await stands(pool, resource), cascade
        await copies.assert_equal_to_journal(pool)
        tables = ", ".join(one.name for one in catalog.resources())
        await pool.execute(f"TRUNCATE journal, {tables}")
        await pool.execute("UPDATE checkpoints SET position = 0")


def generations(resource: Resource) -> set[str]:
    """The resources a row can end with."""
    parents = {cascade.parent for cascade in resource.cascades}
    between = {cascade.parent for name in parents for cascade in (catalog.by_name(name) or resource).cascades}
    return parents | between | {"users", "organizations"}
