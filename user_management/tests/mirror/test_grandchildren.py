"""What ends with its grandparent ends alike, however the pages are cut: whose it is, only the tables tell."""

from typing import Any

import pytest

from user_management.db.session import Connection, Pool, transaction
from user_management.journal.entries import Entry
from user_management.mirror.engine import catalog, provisional, rebuild, retry
from user_management.mirror.engine.record import record
from user_management.mirror.engine.resource import Resource
from user_management.mirror.engine.verbs import Cascade
from user_management.tests.mirror.test_pairs import generations
from user_management.tests.support import copies, samples
from user_management.tests.support.samples import entry

LATER = 1_000_000
"""Minutes after which everything that the samples tell of has happened."""
DELETED_AT = -4
"""Where in a row its end stands."""
ENDS = [(one, cascade) for one in catalog.resources() for cascade in one.cascades if cascade.through]


def story(resource: Resource, end: Entry, own: str) -> list[Entry]:
    """A grandchild that is there, the end of its grandparent, and what is told of the child itself afterwards."""
    family = [entry(one, "created") for one in catalog.resources() if one.name in generations(resource)]
    return [*family, entry(resource, "created", minutes=1), end, entry(resource, own, minutes=LATER)]


async def rows(pool: Pool, *pages: list[Entry]) -> dict[str, list[Any]]:
    """All rows once these pages were recorded on an empty copy, which are then forgotten."""
    for page in pages:
        async with transaction(pool) as connection:
            await record(connection, catalog.resources(), page)
    found = await copies.everything(pool)
    await copies.assert_equal_to_journal(pool)
    await pool.execute(f"TRUNCATE journal, {', '.join(one.name for one in catalog.resources())}")
    await pool.execute("UPDATE checkpoints SET position = 0")
    return found


@pytest.mark.parametrize("own", ["created", "updated", "deleted"])
@pytest.mark.parametrize(("resource", "cascade"), ENDS, ids=lambda one: one.name)
async def test_pages_of_any_size_end_alike(pool: Pool, resource: Resource, cascade: Cascade, own: str) -> None:
    """One by one, all at once, and with the grandparent's end on the page of what follows it."""
    told = story(resource, samples.end_of(cascade), own)
    singly = await rows(pool, *([one] for one in told))
    assert await rows(pool, told) == singly
    assert await rows(pool, told[:-2], told[-2:]) == singly
    assert await rows(pool, told[:-1], told[-1:]) == singly


def orphaned(resource: Resource, cascade: Cascade, own: str) -> list[Entry]:
    """A child that only its own event told of, its grandparent's end, its parent in a late list, and what follows."""
    late = samples.listed(named(cascade.parent), minutes=1)
    return [entry(resource, "created", minutes=1), samples.end_of(cascade), late, entry(resource, own, minutes=LATER)]


def named(name: str) -> Resource:
    """A resource."""
    found = catalog.by_name(name)
    assert found is not None
    return found


@pytest.mark.parametrize("own", ["created", "updated", "deleted"])
@pytest.mark.parametrize(("resource", "cascade"), ENDS, ids=lambda one: one.name)
async def test_what_no_end_could_find_ends_with_its_late_parent(
    pool: Pool, resource: Resource, cascade: Cascade, own: str
) -> None:
    """That it is a grandchild only the parent tells, which is listed after the end; pages of any size end alike."""
    told = orphaned(resource, cascade, own)
    singly = await rows(pool, *([one] for one in told))
    assert all(row[DELETED_AT] for row in singly[resource.name])
    assert await rows(pool, told) == singly
    assert await rows(pool, told[:1], told[1:]) == singly
    assert await rows(pool, told[:2], told[2:]) == singly


@pytest.mark.parametrize(("resource", "cascade"), ENDS, ids=lambda one: one.name)
async def test_a_webhook_buries_for_the_time_being(
    connection: Connection, resource: Resource, cascade: Cascade
) -> None:
    """The parent's late event ends the children even before the feed brings it; without it they are as they were."""
    await record(connection, catalog.resources(), orphaned(resource, cascade, "created")[:2])
    ended = f"SELECT count(*) FILTER (WHERE deleted_at IS NOT NULL) FROM {resource.name}"
    assert await provisional.announce(connection, entry(named(cascade.parent), "created"))
    assert await connection.fetchval(ended) == 1
    await provisional.lift(connection)
    assert await connection.fetchval(ended) == 0


@pytest.mark.parametrize("later", [False, True])
@pytest.mark.parametrize(("resource", "cascade"), ENDS, ids=lambda one: one.name)
async def test_a_grandchild_rebuilt_alone_stays_ended(
    pool: Pool, resource: Resource, cascade: Cascade, later: bool
) -> None:
    """Its parent, which was born dead, is not rebuilt with it, and no event of its own tells of that."""
    born, end, late, _ = orphaned(resource, cascade, "created")
    for one in (end, born, late) if later else (born, end, late):
        async with transaction(pool) as connection:
            await record(connection, catalog.resources(), [one])
    steps = [step async for step in rebuild.rebuild(pool, [resource])]
    assert [step.total for step in steps if isinstance(step, rebuild.Difference)] == [0]
    assert await copies.live(pool, resource.name) == {}


@pytest.mark.parametrize(("resource", "cascade"), ENDS, ids=lambda one: one.name)
async def test_what_is_retried_and_ended_takes_its_children_along(
    pool: Pool, resource: Resource, cascade: Cascade
) -> None:
    """The parent was parked while the grandparent ended, so that nothing told whose child there was to end."""
    parent = named(cascade.parent)
    await pool.execute(f"ALTER TABLE {parent.name} ADD CONSTRAINT none CHECK (false)")
    for one in (entry(parent, "created"), entry(resource, "created", minutes=1), samples.end_of(cascade)):
        async with transaction(pool) as connection:
            await record(connection, catalog.resources(), [one])
    assert await copies.live(pool, resource.name)
    await pool.execute(f"ALTER TABLE {parent.name} DROP CONSTRAINT none")
    async with transaction(pool) as connection:
        assert await retry.retry(connection, 1) == []
    assert await copies.live(pool, resource.name) == {}
    await copies.assert_equal_to_journal(pool)
