"""A page and the cursor: together or not at all."""

import dataclasses
from datetime import UTC, datetime
from typing import Any

import pytest

from user_management.db.session import Pool
from user_management.errors import Misconfigured
from user_management.journal import cursor as cursors
from user_management.journal.cursor import CursorMoved
from user_management.listener import pull
from user_management.listener.worker import Listener
from user_management.services.workos.errors import BadAnswer, WorkOSUnavailable
from user_management.services.workos.events import Page
from user_management.tests.support import copies
from user_management.tests.support.local_workos import LocalWorkOS


async def place(pool: Pool) -> str | None:
    """The event the cursor stands at."""
    async with pool.acquire() as connection:
        return (await cursors.read(connection)).event_id


async def commit(listener: Listener, fetched: pull.Fetched) -> pull.Pulled:
    """Commit a page that was fetched."""
    return await pull.commit(listener.pool, listener.resources, fetched)


@pytest.fixture(autouse=True)
async def begun(listener: Listener) -> None:
    """The boundary is set."""
    await copies.begin(listener)


async def test_the_cursor_is_the_last_event_committed(listener: Listener, local: LocalWorkOS) -> None:
    """Not what the page says comes next: that may be null, or elsewhere."""
    await local.activity(130)
    first = await copies.fetched(listener)
    assert (await commit(listener, first)).more
    assert await place(listener.pool) == first.page.events[-1]["id"]
    assert len(first.page.events) == 100


async def test_an_empty_page_never_moves_the_cursor(listener: Listener, local: LocalWorkOS) -> None:
    """It says that the end was reached, and when; nothing more."""
    await local.user()
    await copies.drain(listener)
    before, empty = await place(listener.pool), await copies.fetched(listener)
    assert (empty.page.events, (await commit(listener, empty)).drained) == ([], True)
    assert await place(listener.pool) == before


async def test_a_page_that_fails_leaves_nothing(listener: Listener, local: LocalWorkOS) -> None:
    """When the cursor cannot be moved, neither journal nor mirror has heard of the page."""
    await local.user()
    fetched = await copies.fetched(listener)
    await listener.pool.execute("UPDATE cursor SET event_id = 'event_of_another'")
    with pytest.raises(CursorMoved):
        await commit(listener, fetched)
    counts = await listener.pool.fetchrow("SELECT (SELECT count(*) FROM journal), (SELECT count(*) FROM users)")
    assert counts is not None
    assert tuple(counts) == (0, 0)


async def test_the_same_page_twice_is_one_page(listener: Listener, local: LocalWorkOS) -> None:
    """Two listeners that fetched the same page: the second commits nothing and claims nothing."""
    await local.activity(20)
    mine, theirs = await copies.fetched(listener), await copies.fetched(listener)
    await commit(listener, mine)
    before = await copies.everything(listener.pool)
    with pytest.raises(CursorMoved):
        await commit(listener, theirs)
    assert await copies.everything(listener.pool) == before


async def test_after_a_lost_cursor_known_events_are_gone_over(listener: Listener, local: LocalWorkOS) -> None:
    """The journal holds pages of events after the new boundary: the cursor passes them, and the end is reached."""
    await local.activity(250)
    await copies.drain(listener)
    before, old = await copies.everything(listener.pool), await place(listener.pool)
    await listener.pool.execute("UPDATE cursor SET event_id = NULL, event_at = NULL, drained_at = NULL")
    pages = [await commit(listener, await copies.fetched(listener)) for _ in range(3)]
    assert [(page.moved, page.drained) for page in pages] == [(True, False), (True, False), (True, True)]
    assert await place(listener.pool) == old
    assert await copies.everything(listener.pool) == before


async def test_a_listener_that_overslept_does_no_harm(listener: Listener, local: LocalWorkOS) -> None:
    """A page fetched long ago that reaches beyond today's cursor is dropped whole."""
    await local.user("first@example.com")
    old = await copies.fetched(listener)
    await copies.drain(listener)
    await local.user("second@example.com")
    newer = await copies.fetched(listener)
    overslept = pull.Fetched(type(old.page)(old.page.events + newer.page.events, end=True), old.cursor, old.asked_at)
    with pytest.raises(CursorMoved):
        await commit(listener, overslept)
    assert await listener.pool.fetchval("SELECT count(*) FROM journal") == 1


async def test_a_repeated_page_says_nothing_of_the_end(listener: Listener, local: LocalWorkOS) -> None:
    """An answer from a stale cache is not taken for news, and the cursor does not go back."""
    await local.activity(10)
    first = await copies.fetched(listener)
    await commit(listener, first)
    await local.user()
    again = dataclasses.replace(await copies.fetched(listener), page=first.page)
    repeated = await commit(listener, again)
    assert (first.page.end, repeated.drained, repeated.more) == (True, False, False)
    assert await place(listener.pool) == first.page.events[-1]["id"]


@pytest.mark.parametrize("step", [-1, 0])
async def test_known_events_are_gone_over_whatever_their_clocks_say(listener: Listener, step: int) -> None:
    """The order of the feed counts: neither times that descend nor equal ones hold us up, or take us back."""
    first, second = ([story(number, step) for number in numbers] for numbers in (range(3), range(3, 6)))
    for events in (first, second):
        await commit(listener, await told(listener, events))
    await listener.pool.execute("UPDATE cursor SET event_id = NULL, event_at = NULL")
    again = [await commit(listener, await told(listener, events)) for events in (first, second)]
    assert ([page.moved for page in again], await place(listener.pool)) == ([True, True], "event_5")
    stale = await commit(listener, await told(listener, first))
    assert (stale.moved, stale.drained, await place(listener.pool)) == (False, False, "event_5")


async def test_an_old_event_that_is_new_to_us_does_not_hold_us_up(listener: Listener) -> None:
    """Where the journal's order is not the feed's, the cursor goes to the end of a page with something new in it."""
    first, second, third = (story(number, 1) for number in range(3))
    await commit(listener, await told(listener, [second, third]))
    await listener.pool.execute("UPDATE cursor SET event_id = NULL, event_at = NULL")
    page = await commit(listener, await told(listener, [first, second, third]))
    assert (page.drained, await place(listener.pool)) == (True, "event_2")


def story(number: int, step: int) -> dict[str, Any]:
    """An event, so many steps of a second later than the first."""
    at = f"2026-01-01T00:00:{30 + number * step:02}.000Z"
    return {"object": "event", "id": f"event_{number}", "event": "told", "created_at": at, "data": {"id": str(number)}}


async def told(listener: Listener, events: list[dict[str, Any]]) -> pull.Fetched:
    """A page of these events, as if fetched just now."""
    async with listener.pool.acquire() as connection:
        return pull.Fetched(Page(events, end=True), await cursors.read(connection), datetime.now(UTC))


ODD: list[Any] = [
    {"object": "event", "id": "event_odd_1", "event": "user.updated", "created_at": "yesterday", "data": None},
    {"object": "event", "id": "event_odd_2", "event": "user.updated", "data": {"id": "user_x", "email": None}},
    {"object": "event", "id": "event_odd_3", "event": "user.deleted", "data": ["user_x"]},
    {"object": "event", "event": "user.updated", "data": {"no": "id"}},
    {"id": 7, "event": "user.created", "data": "text"},
    {"object": "event", "id": "event_\u0000", "event": "user.\u0000", "data": {"nul": "\u0000"}},
    {"object": "event", "id": "event_odd_6", "event": "user.created", "data": {"id": "user_" + "x" * 9000}},
]


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: str(odd.get("id", "none"))[:12].replace("\0", "0"))
async def test_an_odd_event_is_parked_and_the_rest_goes_on(listener: Listener, local: LocalWorkOS, odd: Any) -> None:
    """One bad event stops nothing and is not lost: it is in the journal, verbatim, and an operator sees it."""
    await local.user("before@example.com")
    await local.emit(odd)
    await local.user("after@example.com")
    await copies.drain(listener)
    assert len(await copies.live(listener.pool, "users")) == 2
    kept = await listener.pool.fetch("SELECT verdict FROM journal ORDER BY position")
    assert len(kept) == 3
    assert kept[1]["verdict"] in {"parked", "unknown"}


async def test_an_event_without_an_id_does_not_hold_up_the_end(listener: Listener, local: LocalWorkOS) -> None:
    """It comes back with every page until another event follows; it is kept once, and the copy is not called stale."""
    await local.emit({"object": "event", "event": "user.updated", "data": {"no": "id"}})
    for _ in range(3):
        await copies.drain(listener)
    assert await listener.pool.fetchval("SELECT count(*) FROM journal") == 1


async def test_unknown_types_and_fields_are_kept(listener: Listener, local: LocalWorkOS) -> None:
    """What WorkOS may add tomorrow is stored as it came."""
    user = await local.user()
    await local.emit({"object": "event", "id": "event_x", "event": "user.frozen", "data": {"id": user["id"]}, "new": 1})
    await copies.drain(listener)
    row = await listener.pool.fetchrow("SELECT verdict, body->>'new' FROM journal WHERE event_id = 'event_x'")
    assert row is not None
    assert tuple(row) == ("unknown", "1")


@pytest.mark.parametrize("fault", ["html", "truncated"])
async def test_a_200_that_is_no_list_is_an_error(listener: Listener, local: LocalWorkOS, fault: str) -> None:
    """It must not be taken for the end of the feed."""
    await local.misbehave({fault: 1.0})
    with pytest.raises(BadAnswer):
        await copies.fetched(listener)


@pytest.mark.parametrize("fault", ["429", "429-bare", "500", "503", "reset"])
async def test_weather_is_waited_out(listener: Listener, local: LocalWorkOS, fault: str) -> None:
    """Too many requests, a failing server and a lost connection all ask for the same: patience."""
    await local.misbehave({fault: 1.0})
    with pytest.raises(WorkOSUnavailable):
        await copies.fetched(listener)


async def test_a_type_workos_does_not_know_is_named(listener: Listener) -> None:
    """The operator reads which setting takes it out of the subscription."""
    listener.types = [*listener.types, "user.levitated"]
    with pytest.raises(Misconfigured, match=r"USER_MANAGEMENT_IGNORED_EVENT_TYPES"):
        await copies.fetched(listener)
