"""Lists narrowed by what every resource has and by what users are asked for; counted, skipped and walked."""

import re
from datetime import timedelta

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from user_management.db.session import Pool
from user_management.journal.timestamps import render
from user_management.mirror.engine import read, walk
from user_management.mirror.engine.search import question
from user_management.tests.web.conftest import START, Tell, fields, ids
from user_management.tests.web.test_lists import walk as pages


def at(seconds: int) -> str:
    """A time after the first object's, as people write it."""
    return render(START + timedelta(seconds=seconds))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"created_after": at(1)}, ["user_0003", "user_0002"]),
        ({"created_before": at(1)}, ["user_0001", "user_0000"]),
        ({"created_after": at(1), "created_before": at(1)}, []),
        ({"updated_after": at(1)}, ["user_0003", "user_0002"]),
        ({"created_after": "2026-01-01T02:00:01+02:00"}, ["user_0003", "user_0002"]),
    ],
)
async def test_a_span_begins_with_its_start_and_ends_before_its_end(
    api: httpx.AsyncClient, tell: Tell, query: dict[str, str], expected: list[str]
) -> None:
    """Two spans that meet leave nothing out and show nothing twice."""
    await tell("users", 4)
    assert ids(await api.get("/api/users", params=query)) == expected


async def test_a_plus_that_nobody_encoded_is_understood(api: httpx.AsyncClient, tell: Tell) -> None:
    """A bare `+` of an offset arrives as a space, and there is no other meaning it could have."""
    await tell("users", 2)
    assert len(ids(await api.get("/api/users?created_after=2026-01-01T02:00:00+02:00"))) == 2


@pytest.mark.parametrize("value", ["0", "1767225600", "2026-01-01", "2026-01-01T00:00:00", "yesterday",
                                   "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])  # fmt: skip
async def test_what_is_no_time_is_refused(api: httpx.AsyncClient, value: str) -> None:
    """A time has a date, a time of day and a zone."""
    assert fields(await api.get("/api/users", params={"created_after": value})) == ["created_after"]


@pytest.mark.parametrize("q", ["ada", "AD", "love", "lovelace ada", "a.love@x-y.example", "x-y", "example", "exam"])
async def test_users_are_found_by_words_and_their_beginnings(api: httpx.AsyncClient, tell: Tell, q: str) -> None:
    """Of name and e-mail address, whole or in parts, in upper or lower case, in any order."""
    await tell("users", 3, first_name="Nobody", last_name="", email="n{}@other.test")
    await tell("users", 1, what="updated", first_name="Ada", last_name="Lovelace", email="A.Love@x-y.example")
    assert ids(await api.get("/api/users", params={"q": q})) == ["user_0000"]


@pytest.mark.parametrize("q", ["@", " ", "'", "\\", "a b c d e f g h i"])
async def test_a_question_has_words(api: httpx.AsyncClient, q: str) -> None:
    """What has none, or too many, is refused."""
    assert fields(await api.get("/api/users", params={"q": q})) == ["q"]


@given(st.text(min_size=1, max_size=40))
def test_whatever_is_asked_is_quoted(text: str) -> None:
    """No text, however odd, becomes more than words in quotes."""
    try:
        asked = question(text)
    except ValueError:
        return
    assert all(re.fullmatch(r"'[^'\\\x00 ]+'(:\*)?", word) for word in asked.split(" & "))


async def test_organizations_are_found_by_their_domains(api: httpx.AsyncClient, tell: Tell) -> None:
    """By name, and by any part of a domain."""
    await tell("organizations", 2)
    assert len(ids(await api.get("/api/organizations", params={"q": "the 1"}))) == 1


async def test_users_are_found_by_metadata(api: httpx.AsyncClient, pool: Pool, tell: Tell) -> None:
    """By any keys, all of them, and while they are paged through."""
    await tell("users", 6)
    await pool.execute("""UPDATE users SET body = jsonb_set(body::jsonb, '{metadata}', '{"a b": "x", "team": "ü[1]"}')
                          WHERE id < 'user_0004'""")
    query = {"metadata[a b]": "x", "metadata[team]": "ü[1]"}
    assert await pages(api, "/api/users", limit=1, **query) == [f"user_000{n}" for n in (3, 2, 1, 0)]
    assert ids(await api.get("/api/users", params={**query, "metadata[team]": "other"})) == []


@pytest.mark.parametrize(
    "query",
    ["metadata=x", "metadata[]=x", "metadata[a]=%00", f"metadata[a]={'x' * 601}",
     "metadata=x&metadata[a]=b", "metadata[a]=b&metadata=x"],
)  # fmt: skip
async def test_wrong_metadata_is_named(api: httpx.AsyncClient, query: str) -> None:
    """A key and a value that there could be are needed."""
    assert fields(await api.get(f"/api/users?{query}")) == ["metadata"]


async def test_users_are_found_by_whether_they_are_verified(api: httpx.AsyncClient, pool: Pool, tell: Tell) -> None:
    """One that says nothing of it is neither."""
    await tell("users", 3)
    for number, value in ((0, "true"), (1, "false")):
        change = f"UPDATE users SET body = jsonb_set(body::jsonb, '{{email_verified}}', '{value}')"
        await pool.execute(f"{change} WHERE id = 'user_000{number}'")
    assert ids(await api.get("/api/users", params={"email_verified": "true"})) == ["user_0000"]
    assert ids(await api.get("/api/users", params={"email_verified": "false"})) == ["user_0001"]


async def test_what_postgresql_cannot_look_into_is_kept_all_the_same(api: httpx.AsyncClient, tell: Tell) -> None:
    """NUL and halves of characters are served as they came; such a user is found by the e-mail address."""
    await tell("users", 1, first_name="\x00", last_name="\ud800")
    [user] = (await api.get("/api/users", params={"q": "user0"})).json()["data"]
    assert user["first_name"] == "\x00"


@pytest.mark.parametrize("near", [1, 3, 5000])
@pytest.mark.parametrize("order", ["asc", "desc"])
async def test_whichever_way_is_taken_no_page_loses_or_repeats(
    api: httpx.AsyncClient, tell: Tell, monkeypatch: pytest.MonkeyPatch, near: int, order: str
) -> None:
    """What is found near at hand, or by the filter's own index, is the same list."""
    monkeypatch.setattr(walk, "NEAR", near)
    read.page.cache_clear()
    await tell("users", 12, first_name="Name{}")
    await tell("organization_memberships", 7, user_id="user_000{}")
    for query in ({"organization_id": "organization_0000"}, {"q": "name"}, {"updated_after": at(2)}):
        whole = ids(await api.get("/api/users", params={**query, "order": order, "limit": 100}))
        assert await pages(api, "/api/users", limit=2, order=order, **query) == whole
        offset = await api.get("/api/users", params={**query, "order": order, "limit": 3, "offset": 2})
        assert ids(offset) == whole[2:5]
    read.page.cache_clear()


async def test_a_list_is_counted_on_request(api: httpx.AsyncClient, pool: Pool, tell: Tell) -> None:
    """Exactly, or as PostgreSQL estimates; else the list is worded as ever."""
    await tell("users", 5)
    exact = await api.get("/api/users", params={"limit": 2, "count": "exact", "created_after": at(1)})
    told = exact.json()["list_metadata"]
    assert (told["total_count"], told["total_count_is"]) == (3, "exact")
    await pool.execute("ANALYZE users")
    estimated = await api.get("/api/users", params={"count": "estimated"})
    assert estimated.json()["list_metadata"]["total_count"] == 5
    assert set((await api.get("/api/users")).json()["list_metadata"]) == {"before", "after"}


async def test_an_offset_skips(api: httpx.AsyncClient, tell: Tell) -> None:
    """So many of the newest; the page names its neighbours, which cursors lead to."""
    await tell("users", 6)
    page = await api.get("/api/users", params={"limit": 2, "offset": 2})
    assert ids(page) == ["user_0003", "user_0002"]
    assert page.json()["list_metadata"] == {"before": "user_0003", "after": "user_0002"}


@pytest.mark.parametrize("query", ["offset=10001", "offset=-1", "offset=1&after=user_0", "offset=0&before=user_0"])
async def test_an_offset_is_bounded_and_no_cursor(api: httpx.AsyncClient, query: str) -> None:
    """Beyond 10,000, or beside a cursor, it is refused."""
    assert fields(await api.get(f"/api/users?{query}")) == ["offset"]
