"""Why an object is as it is: from the journal, in words, and honest where there is nothing to tell."""

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from user_management.db.session import Pool, transaction
from user_management.journal import entries, erasures, failures
from user_management.journal.entries import Entry, Lane, Verdict
from user_management.journal.failures import Failure
from user_management.journal.timestamps import parse
from user_management.mirror.engine import catalog
from user_management.mirror.engine.record import record
from user_management.mirror.engine.resource import Resource
from user_management.mirror.engine.why import WORDS
from user_management.tests.support import samples
from user_management.tests.support.samples import entry
from user_management.tests.web.conftest import Tell, fields, place

USERS = next(one for one in catalog.resources() if one.name == "users")
MEMBERSHIPS = next(one for one in catalog.resources() if one.name == "organization_memberships")
ORGANIZATIONS = next(one for one in catalog.resources() if one.name == "organizations")


async def put(pool: Pool, *told: Entry) -> None:
    """Record entries, each as a page of its own."""
    for one in told:
        async with transaction(pool) as connection:
            await record(connection, catalog.resources(), [one])


async def why(api: httpx.AsyncClient, resource: Resource, key: str | None = None, **query: Any) -> dict[str, Any]:
    """The explanation of the resource's sample object."""
    answer = await api.get(f"/api/{resource.name}/{key or samples.key(resource)}/why", params=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


@pytest.mark.parametrize(
    "resource", [one for one in catalog.resources() if not one.pairs], ids=lambda resource: resource.name
)
async def test_every_resource_is_explained(api: httpx.AsyncClient, pool: Pool, resource: Resource) -> None:
    """What was told, by which lane, what was decided, newest first, and which entry the object comes from."""
    old, new = entry(resource, "created"), entry(resource, "updated", minutes=2)
    await put(pool, old, new, entry(resource, "updated", minutes=1), samples.listed(resource, minutes=3))
    found = await why(api, resource)
    assert [(one["lane"], one["verdict"].partition(":")[0]) for one in found["entries"]["data"]] == [
        ("list", "applied"), ("events", "stale"), ("events", "applied"), ("events", "applied"),
    ]  # fmt: skip
    assert (found["state"], found["position"], found["last_event"]["position"]) == ("live", 4, 3)
    assert (found["ended_by"], found["parked"], found["verified_at"]) == (None, [], None)


async def test_a_deletion_explains_itself(api: httpx.AsyncClient, pool: Pool) -> None:
    """When it was, and that what came later changed nothing."""
    await put(pool, entry(USERS, "created"), entry(USERS, "deleted", minutes=1), entry(USERS, "updated", minutes=2))
    found = await why(api, USERS)
    assert (found["state"], found["position"], found["ended_by"]) == ("deleted", 2, None)
    assert parse(found["deleted_at"]) == parse(found["entries"]["data"][1]["occurred_at"])
    assert found["entries"]["data"][0]["verdict"].startswith("final")


@pytest.mark.parametrize("born_late", [False, True])
async def test_a_cascade_names_the_parent(api: httpx.AsyncClient, pool: Pool, *, born_late: bool) -> None:
    """An object that ended because its organization did says so, in whichever order the two were told."""
    sample = samples.sample(MEMBERSHIPS)
    told = [entry(MEMBERSHIPS, "created"), entry(ORGANIZATIONS, "deleted", minutes=9, id=sample["organization_id"])]
    await put(pool, *(reversed(told) if born_late else told))
    ended = (await why(api, MEMBERSHIPS))["ended_by"]
    assert (ended["resource"], ended["id"], ended["position"]) == (
        "organizations", sample["organization_id"], 1 if born_late else 2,
    )  # fmt: skip


async def test_what_was_only_parked_is_absent(api: httpx.AsyncClient, pool: Pool) -> None:
    """An object whose only word could not be applied is told of, with the error."""
    await put(pool, entry(USERS, "created", updated_at="soon"))
    found = await why(api, USERS)
    assert (found["state"], found["position"], len(found["parked"])) == ("absent", None, 1)
    assert "updated_at is not a timestamp" in found["parked"][0]["error"]


async def test_resolved_failures_are_history(api: httpx.AsyncClient, pool: Pool) -> None:
    """What was retried or skipped is parked no more."""
    await put(pool, entry(USERS, "created"))
    async with transaction(pool) as connection:
        await failures.park(connection, [Failure(1, "users", "made up")])
        await failures.resolve(connection, 1, "users", "skipped")
    assert (await why(api, USERS))["parked"] == []


async def test_entries_are_paged(api: httpx.AsyncClient, pool: Pool) -> None:
    """Each entry once, newest first, to the end."""
    await put(pool, *(entry(USERS, "updated", minutes=n) for n in range(7)))
    seen, after = list[int](), None
    while True:
        page = (await why(api, USERS, limit=3, **({"after": after} if after else {})))["entries"]
        seen += [one["position"] for one in page["data"]]
        after = page["list_metadata"]["after"]
        if after is None:
            break
    assert seen == [7, 6, 5, 4, 3, 2, 1]
    assert (await why(api, USERS, after=1))["entries"]["data"] == []


async def test_bodies_only_when_asked_for(api: httpx.AsyncClient, pool: Pool) -> None:
    """What WorkOS said is told word for word to whoever asks."""
    told = entry(USERS, "created")
    await put(pool, told)
    assert "body" not in (await why(api, USERS))["entries"]["data"][0]
    assert (await why(api, USERS, include="body"))["entries"]["data"][0]["body"] == told.body


async def test_only_what_is_of_its_kind(api: httpx.AsyncClient, pool: Pool) -> None:
    """A user's id asked for among organizations is none; types that nobody follows are shown."""
    data = {"id": samples.sample(USERS)["id"]}
    event = {"id": "event_new", "event": "user.brand_new", "created_at": "2026-01-01T00:00:00.000Z", "data": data}
    await put(pool, entry(USERS, "created"), entries.of_event(event, received_at=datetime.now(UTC)))
    assert (await why(api, USERS))["entries"]["data"][0]["verdict"].startswith("kept")
    answer = await api.get(f"/api/organizations/{data['id']}/why")
    assert (answer.status_code, answer.json()["type"]) == (404, "/api/problems/never-seen")


@pytest.mark.parametrize("key", ["user_never", "%00", "%ED%A0%80", "x" * 501, "why", "..."])
async def test_what_was_never_seen_is_said_honestly(api: httpx.AsyncClient, key: str) -> None:
    """An unknown or odd id is a 404."""
    answer = await api.get(f"/api/users/{key}/why")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


async def test_whoever_was_erased_is_not_said_never_to_have_been(api: httpx.AsyncClient, pool: Pool) -> None:
    """That somebody was erased is all that is known, and it is said."""
    async with pool.acquire() as connection:
        await erasures.add(connection, ["user_gone"])
    answer = await api.get("/api/users/user_gone/why")
    assert (answer.status_code, answer.json()["type"]) == (410, "/api/problems/erased")
    assert "erased here" in answer.json()["detail"]


async def test_it_says_how_old_it_is(api: httpx.AsyncClient, pool: Pool, tell: Tell) -> None:
    """As every read does, also where there is nothing to tell."""
    await tell("users")
    await place(pool, drained=3)
    for path in ("user_0000", "user_never"):
        answer = await api.get(f"/api/users/{path}/why")
        assert (answer.headers["Replica-State"], answer.headers["Age"]) == ("live", "3")


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=101", "after=-1", f"after={2**63}", "after=x", "include=all", "x=1"]
)
async def test_odd_questions_are_refused(api: httpx.AsyncClient, query: str) -> None:
    """Each names its parameter."""
    assert fields(await api.get(f"/api/users/user_1/why?{query}")) == [query.partition("=")[0]]


async def test_an_external_id_may_be_called_why(api: httpx.AsyncClient, tell: Tell) -> None:
    """The explanation does not stand in the way of a look-up."""
    await tell("users", external_id="why")
    assert (await api.get("/api/users/external_id/why")).json()["external_id"] == "why"


def test_lanes_are_told_by_their_names() -> None:
    """The words of the description are those of the journal."""
    assert [lane.value for lane in Lane] == ["events", "list", "reply", "webhook"]


def test_every_verdict_has_its_words() -> None:
    """Also those of webhooks, whose entries stay in the journal."""
    assert set(WORDS) == set(Verdict)


@pytest.mark.parametrize("resource", catalog.resources(), ids=lambda resource: resource.name)
async def test_every_kind_of_object_is_explained(api: httpx.AsyncClient, pool: Pool, resource: Resource) -> None:
    """By its id, also where that is made of an organization and a slug, or of the two that a pair joins."""
    await put(pool, entry(resource, "created"), entry(resource, "deleted", minutes=1))
    answer = await api.get(f"/api/{resource.name}/{samples.key(resource)}/why")
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["id"], told["state"]) == (samples.key(resource), "deleted")
    assert len(told["entries"]["data"]) >= 1
