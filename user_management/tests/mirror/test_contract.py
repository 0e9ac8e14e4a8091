"""What every mirrored resource promises; a new one is tested here by being there."""

import asyncio
from typing import Any

import pytest

from user_management.db.session import Pool, transaction
from user_management.journal.entries import Entry, Verdict
from user_management.listener import start
from user_management.mirror.engine import catalog, retry
from user_management.mirror.engine.record import Recorded, record
from user_management.mirror.engine.resource import Resource
from user_management.mirror.engine.verbs import Cascade
from user_management.tests.support import copies, samples
from user_management.tests.support.samples import entry, listed

OBJECTS = [resource for resource in catalog.resources() if not resource.pairs]
"""Pairs, which have no states of their own, are promised something else: see test_pairs.py."""
pytestmark = pytest.mark.parametrize("resource", OBJECTS, ids=lambda resource: resource.name)


async def put(pool: Pool, *entries: Entry) -> Recorded:
    """Record a page of entries."""
    async with transaction(pool) as connection:
        return await record(connection, catalog.resources(), entries)


async def stored(pool: Pool, resource: Resource) -> Any:
    """The sample's row."""
    return await pool.fetchrow(f"SELECT * FROM {resource.name} WHERE id = $1", samples.key(resource))


async def word(pool: Pool, resource: Resource) -> Any:
    """The word that tells the states of the sample apart."""
    return (await copies.live(pool, resource.name))[samples.key(resource)].get("word")


async def test_created_is_there(pool: Pool, resource: Resource) -> None:
    """An object that was created is in the copy, in WorkOS's words but for its secrets."""
    await put(pool, entry(resource, "created"))
    wanted = copies.known(samples.sample(resource))
    assert await copies.live(pool, resource.name) == {samples.key(resource): wanted}


async def test_a_replay_changes_nothing(pool: Pool, resource: Resource) -> None:
    """The same page again leaves every byte of journal and mirror as it was."""
    page = [entry(resource, "created"), entry(resource, "updated", minutes=1)]
    await put(pool, *page)
    before = await copies.everything(pool)
    again = await put(pool, *page)
    assert (again.entries, await copies.everything(pool)) == ((), before)


async def test_stale_is_ignored(pool: Pool, resource: Resource) -> None:
    """An event about an older state is kept in the journal and not applied."""
    await put(pool, entry(resource, "updated", minutes=5, word="new"))
    late = await put(pool, entry(resource, "updated", minutes=2, word="old"))
    assert (await word(pool, resource), late.entries[0].verdict) == ("new", Verdict.STALE)


async def test_a_tie_goes_to_the_later_event(pool: Pool, resource: Resource) -> None:
    """Two states of the same millisecond: the feed's order decides."""
    await put(pool, entry(resource, "updated", word="first"), entry(resource, "updated", word="second"))
    assert await word(pool, resource) == "second"


async def test_a_listed_object_must_be_newer(pool: Pool, resource: Resource) -> None:
    """A list may be late: on a tie it is the event that is believed."""
    await put(pool, entry(resource, "updated", minutes=1, word="event"))
    await put(pool, listed(resource, minutes=1, word="tie"))
    assert await word(pool, resource) == "event"
    await put(pool, listed(resource, minutes=2, word="newer"))
    assert await word(pool, resource) == "newer"


async def test_what_a_list_shows_unchanged_is_not_journalled(pool: Pool, resource: Resource) -> None:
    """Listing a million known objects again writes nothing."""
    await put(pool, listed(resource))
    assert (await put(pool, listed(resource))).entries == ()


async def test_a_resource_that_is_behind_misses_nothing(pool: Pool, resource: Resource) -> None:
    """What is listed or replied while it catches up waits for it in the journal."""
    await put(pool, *[entry(one, "created") for one in catalog.resources() if one is not resource])
    await pool.execute("UPDATE checkpoints SET position = 0 WHERE name = $1", resource.name)
    await put(pool, listed(resource))
    assert await copies.live(pool, resource.name) == {}
    await start.catch_up(pool, catalog.resources())
    assert len(await copies.live(pool, resource.name)) == 1


async def test_deleted_stays_deleted(pool: Pool, resource: Resource) -> None:
    """Neither a late event nor a list brings a deleted object back."""
    await put(pool, entry(resource, "created"), entry(resource, "deleted", minutes=1))
    await put(pool, entry(resource, "updated", minutes=9), listed(resource, minutes=9))
    assert await copies.live(pool, resource.name) == {}


async def test_deleted_before_created(pool: Pool, resource: Resource) -> None:
    """A deletion that arrives first is remembered."""
    await put(pool, entry(resource, "deleted", minutes=1))
    await put(pool, entry(resource, "created"), listed(resource))
    assert await copies.live(pool, resource.name) == {}


async def test_a_child_may_come_before_its_parent(pool: Pool, resource: Resource) -> None:
    """Nothing waits for an object that is not there yet: there are no foreign keys."""
    foreign = await pool.fetchval(
        "SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND conrelid = $1::regclass", resource.name
    )
    await put(pool, entry(resource, "created"))
    assert (foreign, len(await copies.live(pool, resource.name))) == (0, 1)


async def test_a_child_ends_with_its_parent(pool: Pool, resource: Resource) -> None:
    """Whether the parent's end comes first or last, the child is gone."""
    for cascade in resource.cascades:
        parent = catalog.by_name(cascade.parent)
        assert parent is not None
        fields = samples.holding(resource, cascade.by, samples.key(parent))
        await put(pool, entry(parent, "created"), entry(resource, "created", **fields))
        await put(pool, samples.end_of(cascade))
        await put(pool, listed(resource, minutes=9, **fields))
        assert await copies.live(pool, resource.name) == {}
        await pool.execute(f"TRUNCATE journal, {resource.name}, {parent.name}")


@pytest.mark.parametrize("odd", ["nul \x00", "half \ud800", "long " * 600, 7, ["list"]], ids=ascii)
async def test_what_cannot_be_indexed_is_parked(pool: Pool, resource: Resource, odd: object) -> None:
    """What no column can hold is set aside; what comes with it in the page is applied."""
    wrong = entry(resource, "updated", minutes=1, **samples.holding(resource, resource.columns[0], odd))
    done = await put(pool, entry(resource, "created"), wrong, entry(resource, "updated", minutes=2, word="fine"))
    assert [one.verdict for one in done.entries] == [Verdict.APPLIED, Verdict.PARKED, Verdict.APPLIED]
    assert await word(pool, resource) == "fine"
    await copies.assert_equal_to_journal(pool)


async def test_what_postgresql_refuses_is_parked(pool: Pool, resource: Resource) -> None:
    """When the page as a whole is refused, its entries are applied one by one and only the refused one is set aside."""
    await pool.execute(f"ALTER TABLE {resource.name} ADD CHECK (body->>'word' IS DISTINCT FROM 'poison')")
    poison = entry(resource, "updated", minutes=9, word="poison", id="another")
    done = await put(pool, entry(resource, "created"), poison, entry(resource, "updated", minutes=2, word="fine"))
    assert [one.verdict for one in done.entries] == [Verdict.APPLIED, Verdict.PARKED, Verdict.APPLIED]
    assert await word(pool, resource) == "fine"
    parked = await pool.fetchrow("SELECT position, resource FROM failures")
    assert parked is not None
    assert tuple(parked) == (2, resource.name)


async def test_what_is_retried_after_its_parents_end_is_ended(pool: Pool, resource: Resource) -> None:
    """It was parked while its parent ended, so that nothing of it was there to end."""
    for cascade in (one for one in resource.cascades if not one.through):
        parent = catalog.by_name(cascade.parent)
        assert parent is not None
        await put(pool, entry(parent, "created"))
        await pool.execute(f"ALTER TABLE {resource.name} ADD CONSTRAINT none CHECK (false)")
        await put(pool, entry(resource, "created", **samples.holding(resource, cascade.by, samples.key(parent))))
        await put(pool, samples.end_of(cascade))
        await pool.execute(f"ALTER TABLE {resource.name} DROP CONSTRAINT none")
        position = await pool.fetchval("SELECT position FROM failures WHERE resource = $1", resource.name)
        async with transaction(pool) as connection:
            assert await retry.retry(connection, position) == []
        assert await copies.live(pool, resource.name) == {}
        await copies.assert_equal_to_journal(pool)
        await pool.execute(f"TRUNCATE journal, failures, {resource.name}, {parent.name}")


async def test_a_rebuild_equals_the_live_table(pool: Pool, resource: Resource) -> None:
    """Folding the journal again gives the same rows, byte for byte."""
    await put(pool, entry(resource, "created"), listed(resource, minutes=1), entry(resource, "updated", minutes=1))
    await put(pool, *[entry(resource, "created", id=f"other_{n}") for n in range(50)])
    await put(pool, entry(resource, "deleted", minutes=2))
    await copies.assert_equal_to_journal(pool)


async def test_positions_have_no_gap(pool: Pool, resource: Resource) -> None:
    """Writers at once take turns: positions are 1, 2, 3 … and the journal's end is the highest."""
    pages = [[entry(resource, "created", id=f"id_{page}_{n}") for n in range(7)] for page in range(8)]
    await asyncio.gather(*(put(pool, *page) for page in pages))
    positions = [row["position"] for row in await pool.fetch("SELECT position FROM journal ORDER BY position")]
    heads = {row["position"] for row in await pool.fetch("SELECT position FROM checkpoints")}
    assert (positions, heads) == (list(range(1, 57)), {56})


def test_the_declaration_is_whole(resource: Resource) -> None:
    """Something begins an object, and something ends it; parents are resources, and the table is the name."""
    verbs = {verb.name for verb in resource.events.values()}
    assert "upsert" in verbs
    assert verbs & {"tombstone", "cascade"}
    assert all(catalog.by_name(verb.parent) for verb in resource.events.values() if isinstance(verb, Cascade))
    assert resource.table.name == resource.name
