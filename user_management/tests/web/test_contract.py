"""What every resource promises over HTTP; a new one is tested here by being there."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from user_management.db.session import Pool, transaction
from user_management.journal.entries import Entry
from user_management.journal.timestamps import parse, render
from user_management.mirror.engine import catalog, filters
from user_management.mirror.engine.record import record
from user_management.mirror.engine.resource import Resource
from user_management.tests.support import copies, samples
from user_management.tests.support.samples import entry

pytestmark = pytest.mark.parametrize("resource", catalog.resources(), ids=lambda resource: resource.name)


async def put(pool: Pool, *entries: Entry) -> None:
    """Record a page of entries."""
    async with transaction(pool) as connection:
        await record(connection, catalog.resources(), entries)


def aged(resource: Resource, number: int, what: str = "created") -> Entry:
    """An event about a sample object of its own id, the younger the higher its number."""
    born = parse(samples.sample(resource)["created_at"])
    assert born is not None
    own: dict[str, Any] = {resource.key[-1]: f"id_{number:03}"}
    return entry(resource, what, created_at=render(born + timedelta(seconds=number)), **own)


def numbered(resource: Resource, found: dict[str, Any]) -> str:
    """The part of an object's name that `aged` gave it."""
    return str(found[resource.key[-1]])


async def listed(api: httpx.AsyncClient, resource: Resource, **query: Any) -> dict[str, Any]:
    """A page of the resource's list."""
    answer = await api.get(f"/api/{resource.name}", params=query)
    assert answer.status_code == 200, answer.text
    page: dict[str, Any] = answer.json()
    return page


async def test_created_is_readable(api: httpx.AsyncClient, pool: Pool, resource: Resource) -> None:
    """By id, in the list, and by its owner's own id: in WorkOS's words, with its age."""
    await put(pool, entry(resource, "created"))
    wanted = copies.known(samples.sample(resource))
    own = samples.key(resource)
    paths = [own, f"external_id/{wanted['external_id']}"] if resource.has_external_id else [own]
    for path in paths:
        answer = await api.get(f"/api/{resource.name}/{path}")
        assert (answer.status_code, answer.json()) == (200, wanted)
        assert {"replica-state", "replica-position"} <= answer.headers.keys()
    assert (await listed(api, resource))["data"] == [wanted]


async def test_deleted_is_not_readable(api: httpx.AsyncClient, pool: Pool, resource: Resource) -> None:
    """Unless asked for: then with the time of its end."""
    await put(pool, entry(resource, "created"), entry(resource, "deleted", minutes=1))
    path = f"/api/{resource.name}/{samples.key(resource)}"
    assert (await api.get(path)).status_code == 404
    assert (await listed(api, resource))["data"] == []
    assert "deleted_at" in (await api.get(path, params={"include_deleted": "true"})).json()


@pytest.mark.parametrize("order", ["asc", "desc"])
async def test_pages_are_complete_and_disjoint_while_writes_go_on(
    api: httpx.AsyncClient, pool: Pool, resource: Resource, order: str
) -> None:
    """Of what lives all along, each object once; what comes or goes meanwhile disturbs no other."""
    await put(pool, *(aged(resource, number) for number in range(20, 60)))
    seen: list[str] = []
    after: dict[str, str] = {}
    for turn in range(30):
        page = await listed(api, resource, limit=3, order=order, **after)
        seen += [numbered(resource, found) for found in page["data"]]
        if page["list_metadata"]["after"] is None:
            break
        after = {"after": page["list_metadata"]["after"]}
        await put(pool, aged(resource, turn), aged(resource, 60 + turn))
        await put(pool, aged(resource, int(after["after"].rpartition("id_")[2]), "deleted"))
    stayed = [key for key in seen if "id_020" <= key <= "id_059"]
    assert (
        sorted(stayed, reverse=order == "desc") == [f"id_{n:03}" for n in range(20, 60)][:: 1 if order == "asc" else -1]
    )
    assert len(seen) == len(set(seen))


async def test_every_filter_filters(api: httpx.AsyncClient, pool: Pool, resource: Resource) -> None:
    """Of two objects, each filter finds the one that fits, and nothing where none does."""
    told = whole(resource)
    await put(pool, *(entry(one, "created") for one in catalog.resources() if one is not resource))
    other: dict[str, Any] = (
        {"id": "another"} | dict.fromkeys(resource.columns, "other") | owned(resource, "other", "other")
    )
    await put(pool, entry(resource, "created", **told), entry(resource, "created", **other))
    wanted = samples.sample(resource, **told)
    values = {
        name: value for one in reversed(catalog.resources()) for name, value in samples.sample(one).items()
    } | wanted
    for declared in (one for one in resource.filters if one.type in {str, one.default and one.type}):
        name = declared.name
        value = resource.value(name, wanted) or values.get(name) or values[name.removesuffix("es")]
        found = (await listed(api, resource, **{name: value}))["data"]
        assert list(map(resource.name_of, found)) == [resource.name_of(wanted)], name
        if declared.default is None:
            assert (await listed(api, resource, **{name: "nobody"}))["data"] == []


def whole(resource: Resource) -> dict[str, Any]:
    """What a sample lacks of what it can be found by."""
    empty = {name: "somebody" for name in resource.columns if samples.sample(resource).get(name, "") is None}
    return empty | owned(resource, "org_1", "user_1")


def owned(resource: Resource, organization_id: str, user_id: str) -> dict[str, Any]:
    """The owner of an API key, whose columns do not stand under their own names."""
    owner = {"type": "user", "id": user_id, "organization_id": organization_id}
    return {"owner": owner} if resource.name == "api_keys" else {}


async def test_openapi_shows_it(api: httpx.AsyncClient, resource: Resource) -> None:
    """Its routes, its filters and its shape are in the description, with an example."""
    paths = (await api.get("/api/openapi.json")).json()["paths"]
    names = {parameter["name"] for parameter in paths[f"/api/{resource.name}"]["get"]["parameters"]}
    always = {"limit", "order", "after", "before", "offset", "include_deleted", "count"}
    assert always | {one.name for one in filters.of(resource)} == names
    assert f"/api/{resource.name}/{{id}}" in paths
    assert (f"/api/{resource.name}/external_id/{{external_id}}" in paths) == resource.has_external_id
