from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from user_management.sandbox.pages import Cut, take
from user_management.tests.sandbox.conftest import WorkOS

USERS = "/user_management/users"


async def walk(workos: WorkOS, path: str = USERS, **parameters: Any) -> list[str]:
    """The ids of every page, by following `after`."""
    ids: list[str] = []
    after: dict[str, Any] = {}
    while True:
        page = await workos.get(path, **parameters, **after)
        ids += [item["id"] for item in page["data"]]
        if page["list_metadata"]["after"] is None:
            return ids
        after = {"after": page["list_metadata"]["after"]}


async def test_ten_newest_unless_told(crowd: WorkOS) -> None:
    """The default is ten objects, newest first, with nothing before them."""
    page = await crowd.get(USERS)
    created = [user["created_at"] for user in page["data"]]
    assert (len(created), created) == (10, sorted(created, reverse=True))
    assert page["list_metadata"] == {"before": None, "after": page["data"][-1]["id"]}


@pytest.mark.parametrize("limit", ["0", "101", "-1", "ten", "1.5", ""])
async def test_limit_is_one_to_a_hundred(workos: WorkOS, limit: str) -> None:
    """Any other limit is a 422 that names the field."""
    assert (await workos.get(USERS, 422, limit=limit))["errors"][0]["field"] == "limit"


@pytest.mark.parametrize("order", ["asc", "desc"])
async def test_pages_are_complete_and_disjoint(crowd: WorkOS, order: str) -> None:
    """Following `after` meets everyone once, in order."""
    ids = await walk(crowd, order=order, limit=70)
    assert len(ids) == 300
    assert ids == sorted(set(ids), reverse=order == "desc")


async def test_before_goes_back(crowd: WorkOS) -> None:
    """`before` gives the page that precedes an object; `normal` is desc with the cursors swapped."""
    first = await crowd.get(USERS, limit=5)
    second = await crowd.get(USERS, limit=5, after=first["list_metadata"]["after"])
    assert (await crowd.get(USERS, limit=5, before=second["data"][0]["id"])) == first
    assert (await crowd.get(USERS, limit=5, order="normal", before=first["data"][-1]["id"])) == second


async def test_ascending_misses_nobody_who_arrives_meanwhile(crowd: WorkOS) -> None:
    """New objects appear at the end of an ascending list."""
    page = await crowd.get(USERS, order="asc", limit=100)
    newcomer = await crowd.user("late@example.com")
    rest = await crowd.get(USERS, order="asc", limit=100, after=page["list_metadata"]["after"])
    last = await crowd.get(USERS, order="asc", limit=100, after=rest["list_metadata"]["after"])
    tail = await crowd.get(USERS, order="asc", limit=100, after=last["list_metadata"]["after"])
    assert [user["id"] for user in tail["data"]] == [newcomer["id"]]


async def test_a_cursor_that_is_gone_is_refused(crowd: WorkOS) -> None:
    """A deleted or unknown cursor is a 422 that names it: a silent restart would loop for ever."""
    user = (await crowd.get(USERS, limit=1))["data"][0]
    await crowd.send("DELETE", f"{USERS}/{user['id']}")
    assert (await crowd.get(USERS, 422, after=user["id"]))["errors"][0]["code"] == "invalid_cursor"
    await crowd.get(USERS, 422, before="user_01X")


async def test_both_cursors_and_odd_orders_are_refused(crowd: WorkOS) -> None:
    """A request names one place and one of three orders."""
    user = (await crowd.get(USERS, limit=1))["data"][0]["id"]
    await crowd.get(USERS, 422, after=user, before=user)
    await crowd.get(USERS, 422, order="random")


@given(st.sets(st.text("abcd", min_size=1, max_size=3)), st.integers(1, 9), st.sampled_from(["asc", "desc"]))
def test_walking_forth_and_back_meets_the_same_ids(names: set[str], limit: int, order: str) -> None:
    """Any list, any page size: `after` and then `before` cover it exactly."""
    ids, forth, back = sorted(names), [], []
    page = take(ids, Cut(limit, order))
    forth += list(page.ids)
    while page.after is not None:
        page = take(ids, Cut(limit, order, after=page.after))
        forth += list(page.ids)
    back = list(page.ids)
    while page.before is not None:
        page = take(ids, Cut(limit, order, before=page.before))
        back = [*page.ids, *back]
    assert forth == back == (ids if order == "asc" else ids[::-1])
