"""Entries: everything WorkOS says has a place in the journal, in one order, once."""

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from user_management.db.session import Connection
from user_management.journal import entries
from user_management.journal.entries import DIGEST, Entry, Lane, Verdict

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
EARLIER = datetime(2026, 2, 1, tzinfo=UTC)
USER = {"object": "user", "id": "user_1", "email": "ada@example.com"}
EVENT: dict[str, Any] = {
    "object": "event",
    "id": "event_1",
    "event": "user.created",
    "data": USER,
    "created_at": "2026-02-01T00:00:00.000Z",
    "context": {"client_id": "client_1"},
}


def of(event: object) -> Entry:
    """The entry of an event that came at noon."""
    return entries.of_event(event, received_at=NOW)


def some(*types: str) -> list[Entry]:
    """Entries of these types with an event id each, numbered from 1."""
    return entries.number([of({"id": f"event_{n}", "event": type_}) for n, type_ in enumerate(types, 1)], after=0)


async def stored(connection: Connection, entry: Entry) -> Entry | None:
    """An entry as the journal gives it back."""
    await entries.append(connection, [entry])
    return await entries.get(connection, entry.position)


def test_an_event_as_it_should_be() -> None:
    """The entry names what the event names and holds all of it."""
    entry = of(EVENT)
    assert (entry.lane, entry.type, entry.event_id, entry.object_id) == ("events", "user.created", "event_1", "user_1")
    assert (entry.occurred_at, entry.body, entry.data) == (EARLIER, EVENT, USER)
    assert entry.identified


ODD_IDS: list[Any] = [None, "", 7, True, [], {}, "a\x00b", "event\n1", "\ud800", "x" * 256, "x" * 10_000]


@pytest.mark.parametrize("odd", ODD_IDS, ids=ascii)
def test_an_event_without_a_usable_id(odd: Any) -> None:
    """What has no id is known by its text: the same again is the same entry, and it is no place in the feed."""
    entry, again, other = of({**EVENT, "id": odd}), of({**EVENT, "id": odd}), of({**EVENT, "id": odd, "more": 1})
    assert entry.event_id is not None
    assert (entry.event_id[:7], len(entry.event_id)) == (DIGEST, 71)
    assert entry.event_id == again.event_id != other.event_id
    assert not entry.identified
    assert (entry.type, entry.object_id) == ("user.created", "user_1")


@pytest.mark.parametrize("odd", ODD_IDS, ids=ascii)
def test_an_event_whose_object_has_no_usable_id(odd: Any) -> None:
    """What cannot be told from others is about no object, and still is an entry."""
    entry = of({**EVENT, "data": {**USER, "id": odd}})
    assert (entry.event_id, entry.object_id) == ("event_1", None)


@pytest.mark.parametrize("odd", ODD_IDS, ids=ascii)
def test_an_event_without_a_usable_type(odd: Any) -> None:
    """What does not say what happened is stored as unreadable."""
    assert of({**EVENT, "event": odd}).type == "unreadable"


@pytest.mark.parametrize("data", [None, 7, "user_1", [], [USER]])
def test_an_event_about_nothing(data: Any) -> None:
    """Data that is no object has no id, and is kept."""
    entry = of({**EVENT, "data": data})
    assert (entry.object_id, entry.data) == (None, data)


@pytest.mark.parametrize("event", [None, 7, "event", [], [EVENT], True, {}])
def test_an_event_that_is_none(event: Any) -> None:
    """Anything in the feed is an entry."""
    entry = of(event)
    assert (entry.lane, entry.type, entry.object_id, entry.occurred_at) == ("events", "unreadable", None, NOW)
    assert entry.body == event
    assert not entry.identified


@pytest.mark.parametrize("odd", [None, "", "yesterday", 1_772_366_400, [], "2026-02-30T00:00:00Z"])
def test_an_event_of_an_unknown_time(odd: Any) -> None:
    """An event that does not say when happened no later than it was received."""
    assert of({**EVENT, "created_at": odd}).occurred_at == NOW


@given(st.text())
def test_an_id_at_its_word_can_be_stored_and_shown(text: str) -> None:
    """What is taken for an id is short, printable and valid Unicode."""
    found = entries.named(text)
    assert found is None or (found == text and 0 < len(found) <= 255 and found.isprintable() and found.encode())


@pytest.mark.parametrize("lane", [Lane.LIST, Lane.REPLY])
def test_an_object_is_an_entry(lane: Lane) -> None:
    """What was listed or replied is about the object itself, and has no event."""
    entry = entries.of_object({**USER, "password": "x"}, lane=lane, type="user", at=EARLIER)
    assert (entry.lane, entry.type, entry.event_id, entry.object_id) == (lane, "user", None, "user_1")
    assert entry.data == entry.body == {**USER, "password": "[redacted]"}
    assert not entry.identified


def test_a_webhook_carries_an_event() -> None:
    """The data of an event lane's entry is the event's object."""
    assert replace(of(EVENT), lane=Lane.WEBHOOK).data == USER


def test_numbers_follow_without_a_gap() -> None:
    """Positions continue behind the journal's head, in the given order."""
    numbered = entries.number([of(EVENT), of(None)], after=41)
    assert [(entry.position, entry.type) for entry in numbered] == [(42, "user.created"), (43, "unreadable")]
    assert entries.number([], after=41) == []


@pytest.mark.parametrize(
    "event",
    [
        EVENT, None, 7, [], {}, "\x00", {**EVENT, "id": None, "data": {"id": "\x00", "name": "a\x00b"}},
        {**EVENT, "data": {"name": "\ud800 é€😀"}}, {**EVENT, "data": {"n": 10**400, "f": 1e300, "m": 2**64}},
        {**EVENT, "created_at": "0001-01-01T00:00:00Z"}, {**EVENT, "created_at": "9999-12-31T23:59:59.999999Z"},
        {**EVENT, "created_at": "0002-01-01T00:00:00Z"}, {**EVENT, "created_at": "9998-12-31T23:59:59.999999Z"},
    ],
    ids=lambda event: ascii(event)[:40],
)  # fmt: skip
async def test_an_odd_event_comes_back_as_it_was(connection: Connection, event: Any) -> None:
    """Whatever can be in the feed can be in the journal, and is read as the same entry."""
    entry = replace(of(event), position=1, verdict=Verdict.PARKED)
    assert await stored(connection, entry) == entry


async def test_what_no_json_can_hold_is_null(connection: Connection) -> None:
    """Python reads `NaN` and `1e999` in an event, and PostgreSQL would refuse the page."""
    found = await stored(connection, replace(of({"data": [math.nan, math.inf, 2**70]}), position=1))
    assert found is not None
    assert found.body == {"data": [None, None, 2**70]}


@pytest.mark.parametrize("lane", list(Lane))
@pytest.mark.parametrize("verdict", list(Verdict))
async def test_every_lane_and_verdict_is_kept(connection: Connection, lane: Lane, verdict: Verdict) -> None:
    """The journal says how we learnt something and what became of it."""
    entry = replace(of(EVENT), position=1, lane=lane, verdict=verdict)
    assert await stored(connection, entry) == entry


async def test_an_instant_comes_back_in_utc(connection: Connection) -> None:
    """The session's time zone does not matter."""
    await connection.execute("SET LOCAL timezone = 'Asia/Kathmandu'")
    found = await stored(connection, replace(of(EVENT), position=1))
    assert found is not None
    assert (found.occurred_at, found.occurred_at.tzinfo) == (EARLIER, UTC)


async def test_nothing_is_appended(connection: Connection) -> None:
    """A page without anything new is no statement that fails."""
    await entries.append(connection, [])
    assert [batch async for batch in entries.read(connection, after=0)] == []
    assert await entries.get(connection, 1) is None


@pytest.mark.parametrize(
    ("arguments", "batches"),
    [
        ({"after": 0}, [[1, 2, 3, 4, 5]]),
        ({"after": 0, "batch": 2}, [[1, 2], [3, 4], [5]]),
        ({"after": 0, "batch": 5}, [[1, 2, 3, 4, 5]]),
        ({"after": 2}, [[3, 4, 5]]),
        ({"after": 5}, []),
        ({"after": 99}, []),
        ({"after": 1, "until": 4, "batch": 2}, [[2, 3], [4]]),
        ({"after": 3, "until": 3}, []),
        ({"after": 0, "types": ["a"]}, [[1, 3, 5]]),
        ({"after": 0, "types": ["a"], "batch": 2}, [[1, 3], [5]]),
        ({"after": 1, "types": ["a", "b"], "until": 4}, [[2, 3, 4]]),
        ({"after": 0, "types": ["c"]}, []),
        ({"after": 0, "types": []}, []),
    ],
)
async def test_the_journal_is_read_in_order(
    connection: Connection, arguments: dict[str, Any], batches: list[list[int]]
) -> None:
    """Behind a position, up to another, of some types, so many at once: in order, and without a gap."""
    await entries.append(connection, some("a", "b", "a", "b", "a"))
    found = [[entry.position async for entry in each(batch)] async for batch in entries.read(connection, **arguments)]
    assert found == batches


async def each(batch: Sequence[Entry]) -> Any:
    """The entries of a batch, one after the other."""
    for entry in batch:
        yield entry


async def test_what_is_already_known(connection: Connection) -> None:
    """The journal tells which events it holds, whoever asks with whatever ids."""
    await entries.append(connection, some("a", "b"))
    assert await entries.known(connection, ["event_1", "event_2", "event_3", "", "é"]) == {"event_1", "event_2"}
    assert await entries.known(connection, []) == set()


async def test_an_event_is_in_the_journal_once(connection: Connection) -> None:
    """Two entries cannot have the same event, nor the same position; entries without events are not compared."""
    await entries.append(connection, some("a"))
    listed = entries.of_object(USER, lane=Lane.LIST, type="user", at=EARLIER)
    await entries.append(connection, entries.number([listed, replace(listed)], after=1))
    for twice in (replace(some("a")[0], position=9), replace(listed, position=1)):
        savepoint = connection.transaction()
        await savepoint.start()
        with pytest.raises(asyncpg.UniqueViolationError):
            await entries.append(connection, [twice])
        await savepoint.rollback()


async def test_an_entry_says_when_it_was_recorded(connection: Connection) -> None:
    """Beside when it happened, the journal knows when we learnt of it."""
    await entries.append(connection, some("a"))
    age = await connection.fetchval("SELECT now() - recorded_at FROM journal")
    assert age == timedelta(0)
