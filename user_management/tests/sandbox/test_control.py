import httpx
import pytest

from user_management.tests.sandbox.conftest import EVENTS, WorkOS


async def test_state_needs_no_key(crowd: WorkOS) -> None:
    """The sandbox tells what it holds to anyone who reaches it."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(crowd.app), base_url="http://x.test") as stranger:
        state = (await stranger.get("/_sandbox")).json()
    assert state["counts"]["users"] == 300
    assert state["head"] is None


async def test_accepted_writes_are_logged_once(workos: WorkOS) -> None:
    """Refused writes leave no trace, accepted ones exactly one."""
    user = await workos.user()
    await workos.send("POST", "/user_management/users", {"email": user["email"]}, 400)
    await workos.send("DELETE", f"/user_management/users/{user['id']}")
    log = (await workos.get("/_sandbox/writes"))["data"]
    assert [(write["method"], write["id"]) for write in log] == [("POST", user["id"]), ("DELETE", user["id"])]
    assert log[0]["at"] == "2026-03-01T12:00:00.000Z"


async def test_sign_in_without_a_password(workos: WorkOS) -> None:
    """A test can let anybody sign in."""
    user = await workos.user()
    session = await workos.send("POST", "/_sandbox/sign-in", {"user_id": user["id"]})
    assert (await workos.events("session.created"))[0]["data"] == session
    await workos.send("POST", "/_sandbox/sign-in", {"user_id": "user_x"}, 404)


@pytest.mark.parametrize(
    "event",
    [
        {"object": "event", "id": "event_odd", "event": "galaxy.collapsed", "data": {}},
        {"object": "event", "id": "event_odd", "event": "user.updated", "data": None},
        {"event": "user.updated"},
        {"id": "event_odd"},
        ["not even an object"],
        {},
        7,
        {"id": "event_odd", "event": "user.updated", "data": {"blob": "x" * 100_000}},
    ],
)
async def test_odd_events_are_passed_on_as_they_are(workos: WorkOS, event: object) -> None:
    """Anything that is JSON can be put into the feed, and what follows is still reached."""
    answer = await workos.send("POST", "/_sandbox/events", event, 201)
    user = await workos.user()
    odd, created = await workos.events(EVENTS)
    assert (odd, created["data"]) == (event, user)
    assert len(await workos.events(EVENTS, after=answer["id"])) == 1


async def test_an_event_cannot_happen_twice(workos: WorkOS) -> None:
    """A second event of the same id is a 409, one that is no JSON a 400."""
    event = {"id": "event_1", "event": "user.updated", "data": {}}
    await workos.send("POST", "/_sandbox/events", event, 201)
    await workos.send("POST", "/_sandbox/events", event, 409)
    assert (await workos.client.post("/_sandbox/events", content=b"{")).status_code == 400


async def test_objects_come_in_the_shape_of_events(crowd: WorkOS) -> None:
    """One line per live object; an unknown kind is a 404."""
    for kind, count in (("users", 300), ("organizations", 5)):
        lines = (await crowd.client.get(f"/_sandbox/objects/{kind}")).text.splitlines()
        assert len(lines) == count
        assert "allow_profiles_outside_organization" not in lines[0]
    await crowd.get("/_sandbox/objects/galaxies", 404)


async def test_hold_back_can_be_set(workos: WorkOS) -> None:
    """A longer hold-back hides what was visible; a negative one is refused."""
    await workos.user()
    await workos.send("PUT", "/_sandbox/hold-back", {"seconds": 1})
    assert await workos.events() == []
    await workos.send("PUT", "/_sandbox/hold-back", {"seconds": -1}, 422)
    await workos.send("PUT", "/_sandbox/hold-back", {"seconds": True}, 422)
