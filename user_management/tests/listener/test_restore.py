"""An old backup put back in place: the copy heals itself by following again from where the backup stands."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from user_management.db import jsontext
from user_management.db.session import Pool, transaction
from user_management.journal import entries, webhooks
from user_management.listener.worker import Listener
from user_management.mirror.engine import catalog, erase, provisional
from user_management.mirror.engine.erase import Traces
from user_management.mirror.users import resource as users
from user_management.sandbox.feed import Feed
from user_management.tests.listener.test_daemon import another, equal, ready, running
from user_management.tests.support import backups, copies
from user_management.tests.support.local_workos import KEY, URL, LocalWorkOS
from user_management.tests.support.waiting import until
from user_management.web import application
from user_management.web.lifespan import Options

ENDS = (".deleted", ".revoked", "_removed")
"""How the types of events end that end something."""
GRACE = {"email": "grace@example.com", "first_name": "Grace"}


@dataclass
class Copied:
    """A copy that a listener keeps, its source, and a backup of it."""

    pool: Pool
    local: LocalWorkOS
    listener: Listener
    url: str
    server: str
    file: Path

    async def back_up(self) -> None:
        """Back the copy up."""
        await backups.dump(self.url, self.file)

    async def restore(self) -> None:
        """Go back to the backup."""
        await backups.restore(self.url, self.server, self.file)

    async def follow(self, meanwhile: Callable[[], Awaitable[None]] | None = None) -> None:
        """Let a listener follow, through whatever happens meanwhile, until the copy is complete and equal."""
        async with running(another(self.listener)):
            await until(lambda: ready(self.pool))
            if meanwhile:
                await meanwhile()
            await until(lambda: equal(self.pool, self.local))

    @asynccontextmanager
    async def api(self) -> AsyncIterator[httpx.AsyncClient]:
        """The API over the copy."""
        app = application.create_app(
            Options(database_url=self.url, workos_api_key=KEY, workos_base_url=URL, open=True), http=self.local.http
        )
        async with app.router.lifespan_context(app), httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://api.test"
        ) as client:  # fmt: skip
            yield client

    async def create(self, body: dict[str, str], key: str) -> httpx.Response:
        """Create a user through the API."""
        async with self.api() as api:
            return await api.post("/api/users", json=body, headers={"Idempotency-Key": key})

    async def announce(self, event: dict[str, Any]) -> None:
        """Let a webhook tell of an event."""
        async with transaction(self.pool) as connection:
            await provisional.announce(connection, entries.of_event(event, received_at=datetime.now(UTC)))


@pytest.fixture
async def copied(  # noqa: PLR0917  fixtures come as parameters
    listener: Listener, pool: Pool, local: LocalWorkOS, database_url: str, server: str, tmp_path: Path
) -> Copied:
    """A copy of a hundred and fifty events, backed up."""
    found = Copied(pool, local, listener, database_url, server, tmp_path / "copy.dump")
    await local.activity(150)
    await local.user("ada@example.com", password="correct horse")
    await found.follow()
    await found.back_up()
    return found


async def a_day(copied: Copied) -> None:
    """What happens in a day: people come, change, sign in and go, by our writes too, some of it told by webhooks."""
    await copied.local.sign_in("ada@example.com", "correct horse")
    await copied.local.activity(150)
    gone = next(iter(await copied.local.objects("users")))
    await copied.local.call("DELETE", f"/user_management/users/{gone}")
    assert (await copied.create(GRACE, "of-today")).status_code == 201
    await copied.announce((await feed(copied.local))[-1])


async def feed(local: LocalWorkOS) -> list[dict[str, Any]]:
    """The events of the feed that are followed, oldest first."""
    found: list[dict[str, Any]] = []
    types = ",".join(catalog.event_types(catalog.resources()))
    while True:
        after = f"&after={found[-1]['id']}" if found else ""
        page = (await local.call("GET", f"/events?events={types}&limit=100{after}"))["data"]
        if not page:
            return found
        found += page


async def assert_each_event_once(copied: Copied) -> None:
    """The journal holds each event of the feed once, and no event that the feed has not."""
    rows = await copied.pool.fetch("SELECT event_id FROM journal WHERE lane IN ('events', 'webhook')")
    assert sorted(row["event_id"] for row in rows) == sorted(event["id"] for event in await feed(copied.local))


async def test_a_backup_of_yesterday_heals_by_following(copied: Copied) -> None:
    """What happened since is read again, in its order: equal to source and journal, each event once."""
    await copied.follow(lambda: a_day(copied))
    ended = await copied.pool.fetchval("SELECT max(position) FROM journal")
    await copied.restore()
    assert await copied.pool.fetchval("SELECT max(position) FROM journal") < ended
    await copied.follow(lambda: copied.local.activity(50))
    await copies.assert_equal_to_journal(copied.pool)
    await assert_each_event_once(copied)


async def test_nothing_is_deleted_that_is_not(copied: Copied) -> None:
    """Healing needs no backfill: whoever is gone went by an event of the feed, and nobody was looked for."""
    await a_day(copied)
    await copied.restore()
    await copied.follow()
    assert await copied.pool.fetchval("SELECT count(*) FROM backfills") == 1
    told = [one["data"] for one in await feed(copied.local) if one["event"].endswith(ENDS)]
    gone = {one.get("id") for one in told}
    for resource in catalog.resources():
        named = {resource.name_of(one) for one in told} | gone
        for row in await copied.pool.fetch(f"SELECT id, body FROM {resource.name} WHERE deleted_at IS NOT NULL"):
            body = jsontext.loads(row["body"])
            parents = {resource.value(cascade.by, body) for cascade in resource.cascades}
            assert row["id"] in named or parents & gone, (resource.name, row["id"])


async def test_a_backup_in_the_midst_of_webhooks(copied: Copied) -> None:
    """What only a webhook told when the backup was made is confirmed by the feed, a day later."""
    await copied.local.call("PUT", "/_sandbox/hold-back", {"seconds": 3600})
    await copied.local.user("hidden@example.com")
    await copied.local.call("PUT", "/_sandbox/hold-back", {"seconds": 0})
    await copied.announce((await feed(copied.local))[-1])
    await copied.back_up()
    await copied.follow(lambda: a_day(copied))
    await copied.restore()
    async with copied.pool.acquire() as connection:
        assert await webhooks.count(connection) == 1
    await copied.follow()
    await assert_each_event_once(copied)


async def test_a_backup_in_the_midst_of_a_backfill(copied: Copied) -> None:
    """A run that was at work goes on where it stood, and errs about nobody who came or went since."""
    await copied.pool.execute("UPDATE cursor SET ready_at = NULL")
    await copies.begin(copied.listener)
    await copied.back_up()
    await a_day(copied)
    await copied.restore()
    await copied.follow()
    await copies.assert_equal_to_journal(copied.pool)


async def test_a_backup_older_than_the_feed_begins_again(copied: Copied) -> None:
    """Nobody resumes after 25 days: a new backfill finds what the feed has forgotten, deletions too."""
    await a_day(copied)
    copied.local.app.state.store.feed = Feed()
    await copied.restore()
    await copied.pool.execute("UPDATE cursor SET drained_at = now() - interval '40 days'")
    await copied.follow()
    assert await copied.pool.fetchval("SELECT count(*) FROM backfills") == 2
    await copies.assert_equal_to_journal(copied.pool)


async def test_a_key_that_the_backup_does_not_know_is_a_new_one(copied: Copied) -> None:
    """The write is forwarded again. WorkOS refuses an address that is taken, so nobody is made twice."""
    first = await copied.create(GRACE, "of-today")
    await copied.restore()
    again = await copied.create(GRACE, "of-today")
    assert (first.status_code, again.status_code) == (201, 400)
    await copied.follow()
    told = [one["id"] for one in (await copies.live(copied.pool, "users")).values() if one["email"] == GRACE["email"]]
    assert told == [first.json()["id"]]


async def test_who_was_erased_since_the_backup_must_be_erased_again(copied: Copied) -> None:
    """The backup brings them back; erasing them once more takes them out, and following does not undo it."""
    ada = next(one for one in (await copied.local.objects("users")).values() if one["email"] == "ada@example.com")
    await copied.local.call("DELETE", f"/user_management/users/{ada['id']}")
    await copied.follow()
    await erased(copied, ada["id"])
    await copied.restore()
    again = await erased(copied, ada["id"])
    await copied.follow()
    async with copied.pool.acquire() as connection:
        assert await erase.remains(connection, again) == {}


async def erased(copied: Copied, user: str) -> Traces:
    """Erase a user, of whom there is something."""
    async with copied.pool.acquire() as connection:
        found = await erase.trace(connection, catalog.resources(), users, user)
    assert found.positions
    async with transaction(copied.pool) as connection:
        await erase.erase(connection, catalog.resources(), found)
    return found
