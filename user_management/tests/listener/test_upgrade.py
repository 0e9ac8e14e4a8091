"""An upgrade: a copy of users, organizations and memberships becomes one of everything, by itself."""

from collections.abc import AsyncIterator

import pytest

from user_management.db import embedded, schema, session
from user_management.db.session import Pool, transaction
from user_management.journal import checkpoints, cursor
from user_management.listener import backfills
from user_management.listener.worker import Listener, Pace
from user_management.mirror.engine import catalog
from user_management.tests.listener.test_daemon import equal, running
from user_management.tests.support import copies
from user_management.tests.support.local_workos import LocalWorkOS
from user_management.tests.support.waiting import until

BEFORE = "0011"
"""The last revision without the families."""
OLD = [one for one in catalog.resources() if one.name in {"users", "organizations", "organization_memberships"}]
PACE = Pace(poll_interval=0.02, lease=2.0, backoff_initial=0.01, backoff_max=0.05)


@pytest.fixture
async def old_copy(server: str, local: LocalWorkOS) -> AsyncIterator[str]:
    """The URL of a database from before the families: complete, with a journal, and some things untold since."""
    url = await embedded.create(server, "upgraded", template="template")
    await local.activity(150)
    async with session.open_pool(url, size=4) as pool:
        async with session.transaction(pool) as connection:
            await checkpoints.ensure(connection, [one.name for one in OLD])
            await cursor.ensure(connection)
        listener = Listener(pool, local.connection, OLD, catalog.event_types(OLD), PACE)
        await copies.begin(listener)
        await copies.fill(listener)
        await local.activity(50)
        await copies.drain(listener)
    await schema.downgrade(url, BEFORE)
    await local.activity(50)
    yield url
    await embedded.drop(server, "upgraded")


async def test_an_old_copy_becomes_whole(old_copy: str, local: LocalWorkOS) -> None:
    """Migrated and followed, it asks for a backfill because more types are followed, and ends ready and equal."""
    await schema.upgrade(old_copy)
    resources = catalog.resources()
    async with session.open_pool(old_copy, size=8) as pool:
        kept = await pool.fetchval("SELECT count(*) FROM journal")
        listener = Listener(pool, local.connection, resources, catalog.event_types(resources), PACE)
        async with running(listener):
            await until(lambda: equal(pool, local))
            async with pool.acquire() as connection:
                run, place = await backfills.latest(connection), await cursor.read(connection)
        assert run is not None
        assert (run.id, run.left_out) == (2, ())
        assert place.ready_at is not None
        assert set(place.event_types) == set(listener.types)
        assert await pool.fetchval("SELECT count(*) FROM journal") > kept
        await copies.assert_equal_to_journal(pool)


async def test_an_upgrade_amid_a_backfill_lists_everything(listener: Listener, pool: Pool, local: LocalWorkOS) -> None:
    """A run that had passed the families before anybody knew of them does not stand for all; what it was asked does."""
    everything, types = listener.resources, listener.types
    listener.resources, listener.types = OLD, catalog.event_types(OLD)
    await local.activity(150)
    await copies.begin(listener)
    async with transaction(pool) as connection:
        run = await backfills.unfinished(connection)
        assert run is not None
        await backfills.move(connection, run, resource="users", also=["sessions"])
    listener.resources, listener.types = everything, types
    await copies.begin(listener)
    await copies.fill(listener)
    await copies.assert_equal_to_source(pool, local)
    async with pool.acquire() as connection:
        last = await backfills.latest(connection)
    assert last is not None
    assert (last.also, last.left_out) == (("sessions",), ())
