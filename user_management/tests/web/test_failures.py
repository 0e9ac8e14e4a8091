"""Parked entries over the API: listed, shown, retried and skipped, as on the command line."""

from typing import Any

import httpx
import pytest

from user_management.db.session import Pool, transaction
from user_management.journal import failures
from user_management.journal.failures import Failure
from user_management.mirror.engine import catalog
from user_management.mirror.engine.record import record
from user_management.tests.support.samples import entry
from user_management.tests.web.conftest import fields

USERS = next(one for one in catalog.resources() if one.name == "users")


async def park(pool: Pool, count: int = 1, **odd: Any) -> None:
    """Users of whom something could not be applied."""
    told = [entry(USERS, "created", id=f"user_{n}", **odd) for n in range(count)]
    async with transaction(pool) as connection:
        await record(connection, catalog.resources(), told)
        if not odd:
            await connection.execute("DELETE FROM users")
            await failures.park(connection, [Failure(n + 1, "users", "made up") for n in range(count)])


async def test_what_is_parked_is_listed_and_shown(api: httpx.AsyncClient, pool: Pool) -> None:
    """With the error of each resource, and what WorkOS said only where one is shown."""
    await park(pool, updated_at="soon")
    (listed,) = (await api.get("/api/failures")).json()["data"]
    shown = (await api.get("/api/failures/1")).json()
    assert (listed["position"], listed["object_id"], listed["parked"]) == (1, "user_0", True)
    assert (listed["failures"][0]["resource"], "body" in listed) == ("users", False)
    assert "updated_at" in listed["failures"][0]["error"]
    assert shown["body"]["data"]["updated_at"] == "soon"
    assert {**listed, "body": shown["body"]} == shown


@pytest.mark.parametrize("order", ["asc", "desc"])
async def test_the_list_is_paged_both_ways(api: httpx.AsyncClient, pool: Pool, order: str) -> None:
    """Forwards each once, and back again to the first page."""
    await park(pool, 7)
    pages, query = [], {"limit": "3", "order": order}
    while True:
        pages.append((await api.get("/api/failures", params=query)).json())
        after = pages[-1]["list_metadata"]["after"]
        if after is None:
            break
        query["after"] = after
    seen = [one["position"] for page in pages for one in page["data"]]
    assert seen == sorted(range(1, 8), reverse=order == "desc")
    back = {"limit": "3", "order": order, "before": pages[1]["list_metadata"]["before"]}
    first = (await api.get("/api/failures", params=back)).json()
    assert first["data"] == pages[0]["data"]
    assert first["list_metadata"]["before"] is None


async def test_a_retry_applies_it(api: httpx.AsyncClient, pool: Pool) -> None:
    """Once its cause is gone the entry is applied; what became of it stays to be seen."""
    await park(pool)
    answer = (await api.post("/api/failures/1/retry")).json()
    assert (answer["parked"], answer["failures"][0]["resolution"]) == (False, "retried")
    assert (await api.get("/api/users/user_0")).status_code == 200
    assert (await api.get("/api/failures")).json()["data"] == []
    assert (await api.get("/api/failures/1")).json() == answer


async def test_a_retry_that_fails_says_so(api: httpx.AsyncClient, pool: Pool) -> None:
    """It stays parked, with the attempt counted."""
    await park(pool, updated_at="soon")
    answer = (await api.post("/api/failures/1/retry")).json()
    assert (answer["parked"], answer["failures"][0]["attempts"]) == (True, 2)


async def test_a_skip_leaves_it(api: httpx.AsyncClient, pool: Pool) -> None:
    """It is parked no more and was not applied; there is nothing left to do about it."""
    await park(pool)
    answer = (await api.post("/api/failures/1/skip")).json()
    assert (answer["parked"], answer["failures"][0]["resolution"]) == (False, "skipped")
    assert (await api.get("/api/users/user_0")).status_code == 404
    assert [(await api.post(f"/api/failures/1/{verb}")).status_code for verb in ("skip", "retry")] == [404, 404]


@pytest.mark.parametrize("position", ["0", "7", "-1", "x", "1.0", "٣", "%00", str(2**63 - 1), str(2**63), "9" * 40])
async def test_what_is_not_parked_is_a_404(api: httpx.AsyncClient, position: str) -> None:
    """Whatever the position looks like, for every question."""
    path = f"/api/failures/{position}"
    answers = [await api.get(path), await api.post(f"{path}/retry"), await api.post(f"{path}/skip")]
    assert {(answer.status_code, answer.json()["type"]) for answer in answers} == {(404, "/api/problems/not-parked")}


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "after=-1", f"after={2**63}", "before=x", "order=up", "x=1"])
async def test_odd_questions_are_refused(api: httpx.AsyncClient, query: str) -> None:
    """Each names its parameter."""
    assert fields(await api.get(f"/api/failures?{query}")) == [query.partition("=")[0]]


async def test_one_side_at_a_time(api: httpx.AsyncClient) -> None:
    """A page lies after one entry or before one."""
    assert fields(await api.get("/api/failures?after=1&before=2")) == ["before"]
