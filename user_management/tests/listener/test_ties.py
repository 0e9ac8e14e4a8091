"""Two changes within one millisecond, of which the copy knows the first alone."""

from datetime import UTC, datetime
from typing import Any

import pytest

from user_management.db.session import Pool, transaction
from user_management.journal.entries import Verdict
from user_management.listener import backfills, listings, ties
from user_management.listener.backfills import Backfill, Phase
from user_management.listener.worker import Listener
from user_management.tests.support import copies
from user_management.tests.support.local_workos import LocalWorkOS
from user_management.tests.support.refusing import Refusing

MOMENT = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture
async def ada(listener: Listener, local: LocalWorkOS) -> dict[str, Any]:
    """A user in a complete copy."""
    made = await local.user()
    await copies.begin(listener)
    await copies.fill(listener)
    return made


async def rename(local: LocalWorkOS, user: dict[str, Any], name: str) -> None:
    """Give a user another name, at one and the same moment whenever it happens."""
    local.app.state.store.time = lambda: MOMENT
    await local.call("PUT", f"/user_management/users/{user['id']}", {"first_name": name})


async def change_twice(listener: Listener, local: LocalWorkOS, user: dict[str, Any]) -> None:
    """Rename a user twice within a millisecond, and lose the second event."""
    await rename(local, user, "Augusta")
    await copies.drain(listener)
    await rename(local, user, "Byron")
    head = (await local.call("GET", "/_sandbox"))["head"]
    await listener.pool.execute("UPDATE cursor SET event_id = $1", head)


async def again(listener: Listener) -> Backfill:
    """Another backfill, from its request to its end."""
    async with transaction(listener.pool) as connection:
        await backfills.request(connection, listener.resources[0].name)
    await copies.fill(listener)
    async with listener.pool.acquire() as connection:
        found = await backfills.latest(connection)
    assert found is not None
    return found


async def name_of(pool: Pool, user: dict[str, Any]) -> str:
    """What the copy calls a user."""
    return str((await copies.live(pool, "users"))[user["id"]]["first_name"])


async def test_the_second_is_found_by_a_backfill(listener: Listener, local: LocalWorkOS, ada: dict[str, Any]) -> None:
    """Class `cursor`, seed 3000: as old as the row, and so no newer; asked for by name, it is written."""
    await change_twice(listener, local, ada)
    assert await name_of(listener.pool, ada) == "Augusta"
    assert (await again(listener)).phase is Phase.DONE
    assert await name_of(listener.pool, ada) == "Byron"
    last = await listener.pool.fetchrow("SELECT type, lane, verdict FROM journal ORDER BY position DESC LIMIT 1")
    assert last is not None
    assert tuple(last) == ("user.corrected", "list", Verdict.APPLIED.value)
    await copies.assert_equal_to_source(listener.pool, local)
    await copies.assert_equal_to_journal(listener.pool)


async def test_an_old_list_changes_nothing(
    listener: Listener, local: LocalWorkOS, ada: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What WorkOS says by name is what counts; the copy, which knew better than the list, stays as it is."""
    await rename(local, ada, "Augusta")
    users = await local.objects("users")
    await rename(local, ada, "Byron")
    await copies.drain(listener)
    real = listings.page

    async def old(*arguments: Any) -> Any:
        page = await real(*arguments)
        page.objects[:] = [users.get(one["id"], one) for one in page.objects]
        return page

    monkeypatch.setattr(listings, "page", old)
    before = await listener.pool.fetchval("SELECT max(position) FROM journal")
    await again(listener)
    assert await name_of(listener.pool, ada) == "Byron"
    assert await listener.pool.fetchval("SELECT max(position) FROM journal") == before


async def test_what_may_not_be_asked_for_stays_and_holds_nothing_up(
    listener: Listener, local: LocalWorkOS, ada: dict[str, Any], refusing: Refusing
) -> None:
    """The run ends, and the copy says what it was told."""
    await change_twice(listener, local, ada)
    refusing.refusal = lambda request: 403 if ada["id"] in request.url.path else 0
    assert (await again(listener)).phase is Phase.DONE
    assert await name_of(listener.pool, ada) == "Augusta"


async def test_whose_end_comes_before_the_question_is_left_to_the_feed(
    listener: Listener, local: LocalWorkOS, ada: dict[str, Any], refusing: Refusing
) -> None:
    """It was listed, so its deletion is an event that the feed has yet to tell."""
    await change_twice(listener, local, ada)
    refusing.refusal = lambda request: 404 if ada["id"] in request.url.path else 0
    assert (await again(listener)).phase is Phase.DONE
    assert await name_of(listener.pool, ada) == "Augusta"


async def test_where_too_much_is_otherwise_nobody_is_asked(
    listener: Listener, local: LocalWorkOS, ada: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run must end; a verification then tells how the copy stands."""
    monkeypatch.setattr(ties, "MOST", 0)
    await change_twice(listener, local, ada)
    assert (await again(listener)).phase is Phase.DONE
    assert await name_of(listener.pool, ada) == "Augusta"
