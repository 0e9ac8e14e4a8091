"""`GET /events` from the journal: WorkOS's words in WorkOS's order, and further back than WorkOS remembers."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from user_management.db import jsontext
from user_management.db.session import Pool, transaction
from user_management.journal import cursor, entries
from user_management.journal.entries import Lane
from user_management.listener import start
from user_management.listener.worker import Listener
from user_management.mirror.engine import catalog, provisional
from user_management.mirror.engine.record import record
from user_management.tests.support import copies
from user_management.tests.support.local_workos import LocalWorkOS
from user_management.tests.web.workos.conftest import Follow, source
from user_management.tests.web.workos.test_copied import both

TYPES = "user.created,user.updated,user.deleted,organization.created,organization_membership.created"
Query = dict[str, Any]


@pytest.fixture
async def history(root: httpx.AsyncClient, local: LocalWorkOS, follow: Follow) -> list[dict[str, Any]]:
    """What happened since the copy began."""
    organization = await local.organization()
    users = [await local.user(f"user{number}@example.com") for number in range(12)]
    for user in users:
        await local.membership(user, organization)
    await local.call("DELETE", f"/user_management/users/{users[5]['id']}")
    await follow()
    page = await local.http.get("/events", params={"events": TYPES, "limit": 100})
    found: list[dict[str, Any]] = page.json()["data"]
    return found


async def test_pages_are_workos_s_own(root: httpx.AsyncClient, local: LocalWorkOS, history: Any) -> None:
    """Oldest first, ten at once, each page naming the next, the last naming none."""
    query: Query = {"events": TYPES, "after": history[0]["id"]}
    pages = [await both(root, local, "/events", **query)]
    while after := pages[-1].json()["list_metadata"]["after"]:
        pages.append(await both(root, local, "/events", **{**query, "after": after}))
    end = await both(root, local, "/events", events=TYPES, after=history[-1]["id"])
    assert [one for page in pages for one in page.json()["data"]] == history[1:]
    assert {source(page) for page in (*pages, end)} == {"copy"}
    assert pages[0].headers.keys() >= {"age", "replica-as-of", "replica-state", "replica-position"}


async def test_what_is_asked_for_is_what_is_told(root: httpx.AsyncClient, local: LocalWorkOS, history: Any) -> None:
    """Types, sizes, times and organizations; `order` is taken no notice of."""
    after, middle = history[0]["id"], history[8]["created_at"]
    since = (datetime.now(UTC) - timedelta(minutes=5)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    organization = next(one["data"]["id"] for one in history if one["event"] == "organization.created")
    queries: list[Query] = [
        {"events": "user.deleted", "after": after}, {"events": TYPES, "after": after, "limit": 3, "order": "desc"},
        {"events[]": "user.created", "after": after, "range_end": middle}, {"events": TYPES, "range_start": since},
        {"events": "organization_membership.created", "after": after, "organization_id": organization},
    ]  # fmt: skip
    answers = [await both(root, local, "/events", **query) for query in queries]
    assert {source(answer) for answer in answers} == {"copy"}
    assert all(answer.json()["data"] for answer in answers)


DOUBTFUL: list[Query] = [
    {}, {"events": ""}, {"events": "user.exploded"}, {"events": TYPES}, {"events": TYPES, "after": "event_1"},
    {"events": "authentication.password_succeeded", "range_start": "2026-11-20T00:00:00.000Z"},
    {"events": TYPES, "range_start": "2026-11-20T00:00:00+00:00"}, {"events": TYPES, "limit": 0},
    {"events": TYPES, "before": "event_1"}, {"events": TYPES, "range_start": "2020-01-01T00:00:00.000Z"},
    {"events": "user.created,dsync.user.created", "organization_id": "org_1"},
    {"events": "organization.created", "organization_id": "org_none"},
]  # fmt: skip


ODD: list[Query] = [{"limit[]": 5}, {"order[]": "asc"}, {"after": None, "after[]": "here"}, {"events": f"{TYPES},"}]


@pytest.mark.parametrize("odd", ODD, ids=str)
async def test_odd_spellings_are_for_workos_to_read(root: httpx.AsyncClient, history: Any, odd: Query) -> None:
    """Brackets behind what is no list, and a type without a name."""
    query = {"events": TYPES, "after": "here", **odd}
    words = {name: history[0]["id"] if value == "here" else value for name, value in query.items() if value}
    assert source(await root.get("/events", params=words)) == "workos"


@pytest.mark.parametrize("query", DOUBTFUL, ids=str)
async def test_in_doubt_workos_answers(root: httpx.AsyncClient, local: LocalWorkOS, query: Query) -> None:
    """What is refused, what nobody follows here, and what lies before the journal's beginning is WorkOS's to tell."""
    await local.user()
    assert source(await both(root, local, "/events", **query)) == "workos"


async def test_the_journal_remembers_what_workos_forgot(root: httpx.AsyncClient, pool: Pool) -> None:
    """An event of years ago is told, and those behind it."""
    long_ago = [happened(number, datetime(2024, 1, number + 1, tzinfo=UTC)) for number in range(3)]
    await recorded(pool, *long_ago)
    await pool.execute("UPDATE cursor SET boundary = '2024-01-01'")
    answer = await root.get("/events", params={"events": "user.created", "after": long_ago[0]["id"]})
    assert (answer.json()["data"], source(answer)) == (long_ago[1:], "copy")
    answer = await root.get("/events", params={"events": "user.created"})
    assert (answer.json()["data"], source(answer)) == (long_ago, "copy")


async def test_no_page_leaps_over_a_hole(
    root: httpx.AsyncClient, local: LocalWorkOS, pool: Pool, listener: Listener, history: Any
) -> None:
    """What happened between a place that was lost and the begin anew only WorkOS tells, however it is asked for."""
    places = [history[0], *[await behind_a_hole(local, pool, listener, number) for number in range(2)]]
    queries: list[Query] = [{"range_start": one["created_at"]} for one in places]
    queries += [{"after": one["id"]} for one in places]
    answers = [await both(root, local, "/events", events="user.created", limit=100, **query) for query in queries]
    assert [source(answer) for answer in answers] == ["workos", "workos", "copy"] * 2
    assert source(await both(root, local, "/events", events="user.created", limit=100)) == "workos"


@pytest.mark.parametrize("types", ["user.created", "user.created,group.created"])
async def test_no_old_place_leads_over_a_young_hole(root: httpx.AsyncClient, pool: Pool, types: str) -> None:
    """That WorkOS forgot an event does not say that it forgot all that this journal lacks behind it."""
    await recorded(pool, *[happened(number, datetime(2024, 1, number + 1, tzinfo=UTC)) for number in range(2)])
    query = {"events": types, "after": "event_user.created_0"}
    assert source(await root.get("/events", params=query)) == "workos"


@pytest.mark.parametrize(("days", "where"), [(40, "workos"), (100, "copy")])
async def test_a_hole_counts_while_workos_may_know_it(
    root: httpx.AsyncClient, pool: Pool, days: int, where: str
) -> None:
    """WorkOS's own pages do not agree on whether events are kept for 30 days or for 90."""
    await recorded(pool, happened(0, datetime(2024, 1, 1, tzinfo=UTC)))
    await pool.execute("UPDATE cursor SET boundary = clock_timestamp() - make_interval(days => $1)", days)
    queries: list[Query] = [{}, {"after": "event_user.created_0"}]
    answers = [await root.get("/events", params={"events": "user.created", **query}) for query in queries]
    assert [source(answer) for answer in answers] == [where] * 2


async def test_what_was_not_always_followed_is_asked_for(root: httpx.AsyncClient, pool: Pool, history: Any) -> None:
    """A type may be followed since the newest backfill only: what lies before is WorkOS's to tell, while it can."""
    queries = [{"events": types, "after": history[0]["id"]} for types in ("user.created", "user.created,group.created")]
    before = [source(await root.get("/events", params=query)) for query in queries]
    await pool.execute("INSERT INTO backfills (start_position, unfinished) VALUES (0, false)")
    later = [source(await root.get("/events", params=query)) for query in queries]
    assert [before, later] == [["copy", "copy"], ["copy", "workos"]]


async def test_only_what_the_feed_has_told_is_told(root: httpx.AsyncClient, pool: Pool) -> None:
    """No object that was listed or replied, no webhook, and nothing of who was erased."""
    one, two, three = (happened(number, datetime.now(UTC)) for number in range(3))
    await recorded(pool, one, two)
    listed = entries.of_object(one["data"], lane=Lane.REPLY, type="user.replied", at=datetime.now(UTC))
    async with transaction(pool) as connection:
        await record(connection, catalog.resources(), [listed])
        told = replace(entries.of_event(three, received_at=datetime.now(UTC)), lane=Lane.WEBHOOK)
        await provisional.announce(connection, told)
    await pool.execute("UPDATE journal SET type = 'erased', body = '{}' WHERE event_id = $1", two["id"])
    answer = await root.get("/events", params={"events": "user.created", "after": two["id"]})
    assert (answer.json()["data"], source(answer)) == ([], "copy")


async def test_an_event_without_its_secret_is_asked_for(
    root: httpx.AsyncClient, local: LocalWorkOS, pool: Pool, history: Any
) -> None:
    """As long as WorkOS has it whole; then what is left of it is told."""
    query = {"events": "user.updated", "after": history[0]["id"]}
    secret = happened(7, datetime.now(UTC), event="user.updated", token="abc")
    await recorded(pool, secret)
    young = await root.get("/events", params=query)
    await pool.execute("UPDATE journal SET occurred_at = '2024-01-01' WHERE event_id = $1", secret["id"])
    old = await root.get("/events", params=query)
    assert [source(young), source(old)] == ["workos", "copy"]
    assert old.json()["data"][0]["data"]["token"] == "[redacted]"


async def behind_a_hole(local: LocalWorkOS, pool: Pool, listener: Listener, number: int) -> dict[str, Any]:
    """Lose our place in the feed, and with it somebody's creation; the first of two events that are told since."""
    await local.user(f"unheard{number}@example.com")
    async with pool.acquire() as connection:
        lost = await cursor.read(connection)
    await start.begin_again(pool, listener.resources, lost, margin=0.0)
    await copies.fill(listener)
    made = [await local.user(f"heard{number}-{one}@example.com") for one in range(2)]
    await copies.drain(listener)
    body = await pool.fetchval("SELECT body::text FROM journal WHERE lane = 'events' AND object_id = $1", made[0]["id"])
    found: dict[str, Any] = jsontext.loads(body)
    return found


def happened(number: int, at: datetime, event: str = "user.created", **fields: Any) -> dict[str, Any]:
    """An event as WorkOS words it."""
    when = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    user = {"object": "user", "id": f"user_{number}", "email": f"{number}@example.com", "created_at": when,
            "updated_at": when, **fields}  # fmt: skip
    return {"object": "event", "id": f"event_{event}_{number}", "event": event, "created_at": when, "data": user}


async def recorded(pool: Pool, *events: dict[str, Any]) -> None:
    """Let the feed have told these events."""
    found = [entries.of_event(event, received_at=datetime.now(UTC)) for event in events]
    async with transaction(pool) as connection:
        await record(connection, catalog.resources(), found)
