"""What goes with an answer: links to other pages, links in objects, and ETags; and exports."""

import asyncio
import gzip
import json
from typing import Any
from urllib.parse import urljoin

import httpx
import pytest

from user_management.db.session import Pool
from user_management.mirror.engine import catalog
from user_management.tests.web.conftest import Tell, fields, ids
from user_management.tests.web.test_lists import walk

HAL = {"Accept": "application/hal+json"}
LINES = {"Accept": "application/x-ndjson"}


def lines(answer: httpx.Response) -> list[Any]:
    """The lines of an export."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    return [json.loads(line) for line in answer.text.splitlines()]


async def followed(api: httpx.AsyncClient, url: str, relation: str) -> list[tuple[str, list[str]]]:
    """The pages from one on, each with where it was."""
    found = []
    while url:
        page = await api.get(url)
        found.append((url, ids(page)))
        url = urljoin(url, page.links[relation]["url"]) if relation in page.links else ""
    return found


async def test_links_lead_through_the_list_and_back(api: httpx.AsyncClient, tell: Tell) -> None:
    """`next` to the end and `prev` to the beginning show every object, whatever prefix a proxy puts before them."""
    told = await tell("users", 7)
    start = "/api/users?limit=3&q=user&updated_after=2026-01-01T00%3A00%3A00Z"
    there = await followed(api, start, "next")
    back = await followed(api, there[-1][0], "prev")
    assert [one for _, page in there for one in page] == [user["id"] for user in reversed(told)]
    assert [page for _, page in reversed(back)] == [page for _, page in there]


async def test_the_first_page_is_linked_without_a_place(api: httpx.AsyncClient, tell: Tell) -> None:
    """What chooses the page is left out, the filters stay, and nothing breaks out of the header."""
    await tell("users", 3)
    answer = await api.get('/api/users?email=<">&%61fter=user_0001&limit=1')
    assert answer.links["first"]["url"] == "users?email=%3C%22%3E&limit=1"


async def test_objects_have_links_for_those_who_ask(api: httpx.AsyncClient, tell: Tell) -> None:
    """To themselves, to what they name, and to the lists of what names them; each leads somewhere."""
    await tell("users")
    await tell("organizations")
    await tell("organization_memberships")
    for path in ("/api/organization_memberships/organization_membership_0000", "/api/users",
                 "/api/users/external_id/customer%2F0"):  # fmt: skip
        found = await api.get(path, headers=HAL)
        assert found.headers["content-type"] == "application/hal+json"
        one = found.json()["data"][0] if path == "/api/users" else found.json()
        for relation, link in one["_links"].items():
            assert (await api.get(urljoin(path, link["href"]))).status_code == 200, (path, relation)
    assert {"self", "user", "organization"} <= (await api.get("/api/organization_memberships", headers=HAL)).json()[
        "data"
    ][0]["_links"].keys()


@pytest.mark.parametrize("path", ["/api/users", "/api/users/user_0000", "/api/organization_memberships",
                                  "/api/organizations/organization_0000/users"])  # fmt: skip
async def test_what_did_not_change_is_not_sent_again(api: httpx.AsyncClient, tell: Tell, path: str) -> None:
    """An ETag lasts until something changes, also in an object that is only embedded; the age is told all the same."""
    for name in ("users", "organizations", "organization_memberships"):
        await tell(name)
    tag = (await api.get(path)).headers["ETag"]
    same = await api.get(path, headers={"If-None-Match": f'"other", {tag}'})
    assert (same.status_code, same.content, same.headers["ETag"]) == (304, b"", tag)
    assert "Replica-State" in same.headers
    await tell("users", what="updated", first_name="Another")
    assert (await api.get(path, headers={"If-None-Match": tag})).status_code == 200


async def test_each_form_of_a_list_has_its_own_tag(api: httpx.AsyncClient, tell: Tell) -> None:
    """Whoever has the one is not told that the other has not changed."""
    await tell("users")
    found = [await api.get("/api/users"), await api.get("/api/users", headers=HAL),
             await api.get("/api/users?count=exact")]  # fmt: skip
    assert len({answer.headers["ETag"] for answer in found}) == 3


@pytest.mark.parametrize("resource", catalog.resources(), ids=lambda resource: resource.name)
async def test_an_export_is_all_pages(api: httpx.AsyncClient, resource: Any) -> None:
    """Of every resource: also of one that has nothing."""
    assert lines(await api.get(f"/api/{resource.name}", headers=LINES)) == [
        {"object": "export_end", "resource": resource.name, "count": 0}
    ]


@pytest.mark.parametrize("query", [{}, {"order": "asc"}, {"q": "user1"}, {"organization_id": "organization_0000"},
                                   {"include_deleted": "true"}, {"updated_after": "2026-01-01T00:05:00Z"}])  # fmt: skip
async def test_an_export_is_the_union_of_the_pages(api: httpx.AsyncClient, tell: Tell, query: dict[str, str]) -> None:
    """Under any filter, in the same order, over several batches; the last line says how many there were."""
    await tell("users", 1203)
    await tell("users", 3, what="deleted")
    await tell("organization_memberships", 9, user_id="user_000{}")
    *found, end = lines(await api.get("/api/users", headers=LINES, params=query))
    assert [one["id"] for one in found] == await walk(api, "/api/users", limit=100, **query)
    assert end == {"object": "export_end", "resource": "users", "count": len(found)}


async def test_an_export_is_gone_on_with(api: httpx.AsyncClient, tell: Tell) -> None:
    """After the last object that came; what is for pages is refused."""
    await tell("users", 5)
    *rest, _ = lines(await api.get("/api/users?after=user_0002", headers=LINES))
    assert [one["id"] for one in rest] == ["user_0001", "user_0000"]
    assert fields(await api.get("/api/users?limit=5&count=exact", headers=LINES)) == ["limit", "count"]
    assert fields(await api.get("/api/users?after=user_none", headers=LINES)) == ["after"]


async def test_an_export_is_compressed_for_those_who_ask(api: httpx.AsyncClient, tell: Tell) -> None:
    """And says how old it is."""
    await tell("users", 50)
    async with api.stream("GET", "/api/users", headers={**LINES, "Accept-Encoding": "gzip"}) as answer:
        raw = b"".join([chunk async for chunk in answer.aiter_raw()])
    assert (answer.headers["content-encoding"], "Replica-State" in answer.headers) == ("gzip", True)
    assert len(gzip.decompress(raw).splitlines()) == 51


async def test_an_export_that_nobody_reads_on_frees_its_connection(serve: Any, pool: Pool, tell: Tell) -> None:
    """A caller who hangs up holds neither a snapshot nor a place among those who may export."""
    await tell("users", 2000)
    async with serve() as client:
        app = client._transport.app
        for _ in range(3):
            await hung_up(app)
        held = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'user-management-api'"
        assert await pool.fetchval(f"{held} AND state LIKE 'idle in%'") == 0
        assert not app.state.backend.exports.locked()


async def hung_up(app: Any) -> None:
    """Ask for an export, and hang up as soon as anything comes."""
    come = asyncio.Event()
    request = httpx.Request("GET", "http://api.test/api/users", headers=LINES)
    scope = {
        "type": "http", "method": "GET", "path": "/api/users", "raw_path": b"/api/users", "query_string": b"",
        "headers": [(name.lower(), value) for name, value in request.headers.raw], "asgi": {"version": "3.0"},
        "scheme": "http", "root_path": "", "http_version": "1.1",
    }  # fmt: skip

    async def send(message: Any) -> None:
        if message.get("body"):
            come.set()

    async def receive() -> Any:
        await come.wait()
        return {"type": "http.disconnect"}

    await app(scope, receive, send)
