"""What leaves for WorkOS: once, with our key, and nowhere but where it was meant to go."""

from typing import Any

import httpx
import pytest

from user_management.services.workos import client, commands
from user_management.services.workos.client import WorkOS
from user_management.services.workos.commands import users
from user_management.services.workos.errors import ObjectNotFound, OutcomeUnknown, Refused, WorkOSUnavailable
from user_management.tests.services.conftest import KEY, URL, Answer


def nested(depth: int) -> Any:
    """A list in a list in a list."""
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("segment", "sent"),
    [
        ("a/b", "a%2Fb"),
        ("../roles", "..%2Froles"),
        ("?limit=1", "%3Flimit%3D1"),
        ("#top", "%23top"),
        ("100%", "100%25"),
        ("%2e%2e", "%252e%252e"),
        ("a b", "a%20b"),
        ("é\x00", "%C3%A9%00"),
        ("...", "..."),
    ],
)
async def test_an_id_stays_in_its_segment(segment: str, sent: str, remote: WorkOS, answer: Answer) -> None:
    """An id cannot reach another resource, whatever it contains."""
    route = answer(json={})
    await remote.request("get", ("users", segment, "roles"))
    assert route.calls.last.request.url.raw_path.decode() == f"/users/{sent}/roles"


@pytest.mark.parametrize("segment", ["", ".", ".."])
async def test_an_id_that_none_can_be_is_not_sent(segment: str, remote: WorkOS, answer: Answer) -> None:
    """A segment that a URL would swallow names no object."""
    route = answer(json={})
    with pytest.raises(ObjectNotFound):
        await remote.request("get", ("users", segment))
    assert not route.called


@pytest.mark.parametrize(
    "body", [{"name": "\ud800"}, {"name": float("nan")}, {"name": nested(100_000)}], ids=["surrogate", "nan", "deep"]
)
async def test_a_body_that_json_cannot_carry_is_refused(body: dict[str, Any], remote: WorkOS, answer: Answer) -> None:
    """What cannot be written as UTF-8 JSON is the caller's to fix: it is neither sent nor reported as missing."""
    route = answer(json={})
    with pytest.raises(Refused) as raised:
        await remote.request("post", ("users",), body=body)
    assert not isinstance(raised.value, ObjectNotFound)
    assert raised.value.refusal.status == 400
    assert not route.called


@pytest.mark.parametrize("segment", ["\ud800", "x" * 70_000], ids=["surrogate", "endless"])
async def test_a_path_that_no_url_can_carry_is_refused(segment: str, remote: WorkOS, answer: Answer) -> None:
    """An id that no URL can hold ends in an error of ours."""
    route = answer(json={})
    with pytest.raises(Refused):
        await remote.request("get", ("users", segment))
    assert not route.called


async def test_a_request_carries_key_body_and_timeout(remote: WorkOS, answer: Answer) -> None:
    """Our key goes into the header alone, the body is JSON as it was given, nulls included, and time is limited."""
    route = answer(json={"id": "user_1"})
    await remote.request("post", ("users",), params={"a": "b c"}, body={"first_name": None})
    request = route.calls.last.request
    assert request.headers["Authorization"] == f"Bearer {KEY}"
    assert KEY not in str(request.url)
    assert (request.url.query, request.content) == (b"a=b+c", b'{"first_name":null}')
    assert set(request.extensions["timeout"].values()) == {5.0}


@pytest.mark.parametrize("body", [{}, {"json": None}, {"json": []}, {"text": "<html>"}, {"text": '{"id": "us'}])
async def test_an_answer_that_is_no_object_is_empty(body: dict[str, Any], remote: WorkOS, answer: Answer) -> None:
    """What is not a JSON object comes back as an empty one, for the caller to judge."""
    answer(200, **body)
    assert await remote.request("delete", ("users", "user_1")) == {}


@pytest.mark.parametrize("status", [200, 201, 202])
async def test_a_user_is_created(status: int, remote: WorkOS, answer: Answer) -> None:
    """The reply to a write is the object, as WorkOS worded it, with what we do not know in it."""
    answer(status, json={"id": "user_1", "new_field": [1]})
    assert (await commands.send(remote, users.create, {"email": "a@b.c"})).made == {"id": "user_1", "new_field": [1]}


@pytest.mark.parametrize(
    "body",
    [
        {"text": "<html>Welcome</html>"},
        {"text": '{"id": "user_1", "ema'},
        {"text": ""},
        {"text": "[" * 100_000 + "]" * 100_000},
        {"json": {}},
        {"json": {"id": None}},
        {"json": {"id": 7}},
        {"json": [{"id": "user_1"}]},
        {"json": None},
    ],
    ids=["html", "truncated", "empty", "deep", "no id", "null id", "number", "list", "null"],
)
async def test_a_write_whose_reply_cannot_be_read(body: dict[str, Any], remote: WorkOS, answer: Answer) -> None:
    """A success without an object may have created one; it is not sent again."""
    route = answer(201, **body)
    with pytest.raises(OutcomeUnknown):
        await commands.send(remote, users.create, {"email": "ada@example.com"})
    assert route.call_count == 1


async def test_a_connection_of_our_own_is_closed(answer: Answer) -> None:
    """The HTTP client lives exactly as long as the connection."""
    answer(json={"id": "user_1"})
    async with client.connect(api_key=KEY, client_id="", base_url=f"{URL}/", seconds=1) as opened:
        assert await opened.request("get", ("users", "user_1")) == {"id": "user_1"}
    with pytest.raises(RuntimeError, match="closed"):
        await opened.request("get", ("users", "user_1"))


async def test_nothing_is_answered_by_a_machine_that_is_not_there() -> None:
    """A refused connection, over real sockets, means that nothing was done."""
    async with httpx.AsyncClient() as http:
        nobody = client.over(http, api_key=KEY, client_id="", base_url="http://127.0.0.1:1", seconds=5)
        with pytest.raises(WorkOSUnavailable, match=r"cannot be reached at http://127\.0\.0\.1:1: "):
            await commands.send(nobody, users.create, {"email": "ada@example.com"})
