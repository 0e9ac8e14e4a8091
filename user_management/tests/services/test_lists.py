"""Pages of events and of objects: believed only when they are pages."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from user_management.services.workos import events, objects
from user_management.services.workos.client import WorkOS
from user_management.services.workos.errors import BadAnswer, KeyRefused
from user_management.tests.services.conftest import Answer

NOON = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
USERS = ("user_management", "users")


def a_list(*items: Any, after: Any = None) -> dict[str, Any]:
    """A list as WorkOS answers it."""
    return {"object": "list", "data": list(items), "list_metadata": {"before": None, "after": after}}


async def sent(remote: WorkOS, answer: Answer, **arguments: Any) -> dict[str, str]:
    """The parameters a page of events is asked for with."""
    route = answer(json=a_list())
    await events.page(remote, **{"types": ["user.created", "user.deleted"], "after": None, "since": None, **arguments})
    return dict(route.calls.last.request.url.params)


async def test_event_types_are_one_parameter(remote: WorkOS, answer: Answer) -> None:
    """The types are a comma-separated list, the form that WorkOS's own specification names."""
    found = await sent(remote, answer)
    assert found == {"events": "user.created,user.deleted", "limit": "100", "order": "asc"}


@pytest.mark.parametrize(
    "since", [NOON, NOON.astimezone(timezone(timedelta(hours=5, minutes=30))), NOON.replace(microsecond=123999)]
)
async def test_the_start_is_utc_with_a_z(since: datetime, remote: WorkOS, answer: Answer) -> None:
    """WorkOS refuses an offset in `range_start`, even that of UTC."""
    found = await sent(remote, answer, since=since)
    assert found["range_start"] == "2026-03-01T12:00:00.123Z"
    assert "after" not in found


async def test_a_cursor_excludes_a_start(remote: WorkOS, answer: Answer) -> None:
    """WorkOS takes either; the cursor is the better place."""
    found = await sent(remote, answer, after="event_1", since=NOON)
    assert found["after"] == "event_1"
    assert "range_start" not in found


@pytest.mark.parametrize(
    ("count", "metadata", "end"),
    [
        (0, {"after": None}, True),
        (0, {"after": "event_9"}, True),
        (1, {"after": None}, True),
        (1, {"after": ""}, True),
        (1, {"after": 7}, True),
        (1, {}, True),
        (1, None, True),
        (1, [], True),
        (1, {"after": "event_9"}, False),
        (2, {"after": None}, False),
        (2, {"after": "event_9"}, False),
        (3, {"after": None}, False),
    ],
)
async def test_where_the_feed_ends(count: int, metadata: Any, end: bool, remote: WorkOS, answer: Answer) -> None:
    """Of two asked for: nothing is the end, less is the end unless more is named, and a full page never is."""
    answer(json={"object": "list", "data": [{"id": "event"}] * count, "list_metadata": metadata})
    page = await events.page(remote, types=["user.created"], after=None, since=None, limit=2)
    assert (len(page.events), page.end) == (count, end)


async def test_events_are_passed_on_however_odd(remote: WorkOS, answer: Answer) -> None:
    """One bad event must not spoil its page: judging events is not the client's business."""
    odd: list[Any] = [None, 7, "event", [], {}, {"id": None, "data": None}]
    answer(json=a_list(*odd))
    assert (await events.page(remote, types=["user.created"], after=None, since=None)).events == odd


NO_LISTS: list[dict[str, Any]] = [
    {"text": "<html>Maintenance</html>", "headers": {"Content-Type": "text/html"}},
    {"text": '{"object": "list", "data": [{"id": "user_1"'},
    {"text": ""},
    {"text": "[" * 100_000 + "]" * 100_000},
    {"text": '{"object": "list", "data": ' + "[" * 100_000 + "]" * 100_000 + "}"},
    {"json": {}},
    {"json": []},
    {"json": None},
    {"json": {"object": "list", "list_metadata": {"after": None}}},
    {"json": {"object": "list", "data": None, "list_metadata": {"after": None}}},
    {"json": {"object": "list", "data": {}, "list_metadata": {"after": None}}},
    {"json": {"object": "user", "data": []}},
    {"json": {"data": []}},
]
NAMES = "html truncated empty deep deep-data no-fields list null no-data null-data data-object other untyped".split()


@pytest.mark.parametrize("body", NO_LISTS, ids=NAMES)
async def test_a_200_that_is_no_list_is_not_an_empty_one(body: dict[str, Any], remote: WorkOS, answer: Answer) -> None:
    """To believe that nothing happened, or that nobody exists, we must be told so."""
    answer(200, **body)
    with pytest.raises(BadAnswer, match="not a list"):
        await events.page(remote, types=["user.created"], after=None, since=None)
    with pytest.raises(BadAnswer, match="not a list"):
        await objects.page(remote, USERS, after="", parameters={})


async def test_a_page_of_objects_is_asked_for_ascending(remote: WorkOS, answer: Answer) -> None:
    """Ascending, so that what is created meanwhile is on a later page; the first page has no cursor."""
    route = answer(json=a_list({"id": "user_1"}, after="user_1"))
    page = await objects.page(remote, USERS, after="", parameters={"organization_id": "org_1"})
    assert dict(route.calls.last.request.url.params) == {"organization_id": "org_1", "limit": "100", "order": "asc"}
    assert page == objects.Page([{"id": "user_1"}], "user_1")
    await objects.page(remote, USERS, after="user_0", parameters={})
    assert route.calls.last.request.url.params["after"] == "user_0"


async def test_a_page_without_objects_is_the_last(remote: WorkOS, answer: Answer) -> None:
    """A cursor on an empty page leads nowhere."""
    answer(json=a_list(after="user_9"))
    assert await objects.page(remote, USERS, after="user_1", parameters={}) == objects.Page([], None)


@pytest.mark.parametrize("item", [None, 7, "user_1", [], {}, {"id": None}, {"id": 7}, {"object": "user"}])
async def test_an_object_without_an_id_is_not_believed(item: Any, remote: WorkOS, answer: Answer) -> None:
    """A list with something in it that cannot be told apart is no basis for finding out who is gone."""
    answer(json=a_list({"id": "user_1"}, item))
    with pytest.raises(BadAnswer, match="no id"):
        await objects.page(remote, USERS, after="", parameters={})


async def test_a_list_that_does_not_move_on_is_not_believed(remote: WorkOS, answer: Answer) -> None:
    """A page that names itself as the next one would be read for ever."""
    answer(json=a_list({"id": "user_1"}, after="user_1"))
    with pytest.raises(BadAnswer, match="does not move on from user_1"):
        await objects.page(remote, USERS, after="user_1", parameters={})


async def test_one_object(remote: WorkOS, answer: Answer) -> None:
    """An object comes as WorkOS words it."""
    route = answer(json={"id": "user_1", "new": None})
    assert await objects.get(remote, (*USERS, "user_1")) == {"id": "user_1", "new": None}
    assert route.calls.last.request.url.path == "/user_management/users/user_1"


async def test_one_object_that_is_gone(remote: WorkOS, answer: Answer) -> None:
    """None is what WorkOS's own 404 means."""
    answer(404, json={"message": "User not found."})
    assert await objects.get(remote, (*USERS, "user_1")) is None


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, {"json": {}}),
        (200, {"json": None}),
        (200, {"text": "<html>"}),
        (200, {"text": '{"id": "user_1"'}),
        (302, {"json": {"id": "user_1"}}),
        (404, {"text": "<html>no such host</html>"}),
    ],
)
async def test_another_answer_is_neither_the_object_nor_its_absence(
    status: int, body: dict[str, Any], remote: WorkOS, answer: Answer
) -> None:
    """Whoever answers with something else has not said that the object is gone."""
    answer(status, **body)
    with pytest.raises(BadAnswer):
        await objects.get(remote, (*USERS, "user_1"))


@pytest.mark.parametrize("status", [401, 403])
async def test_a_refused_key_is_not_an_absence(status: int, remote: WorkOS, answer: Answer) -> None:
    """Losing our key must not look like losing our users."""
    answer(status, json={"message": "Unauthorized"})
    with pytest.raises(KeyRefused):
        await objects.get(remote, (*USERS, "user_1"))
