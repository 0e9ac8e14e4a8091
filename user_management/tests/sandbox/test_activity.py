import asyncio
from typing import Any

import httpx
import orjson
import pytest

from user_management.sandbox.activity import debt
from user_management.sandbox.config import Config
from user_management.tests.sandbox.conftest import (
    EVENTS,
    MEMBERSHIP_EVENTS,
    ORGANIZATION_EVENTS,
    Start,
    Watch,
    WorkOS,
    served,
)
from user_management.tests.support.waiting import PATIENCE

KINDS = f"{EVENTS},{ORGANIZATION_EVENTS},{MEMBERSHIP_EVENTS}"


def fold(workos: WorkOS, kind: str) -> dict[str, Any]:
    """The objects of a kind as its events tell them."""
    objects: dict[str, Any] = {}
    for event in map(orjson.loads, workos.app.state.store.feed.blobs):
        family, _, verb = event["event"].rpartition(".")
        if family == kind and verb == "deleted":
            objects.pop(event["data"]["id"])
        elif family == kind:
            objects[event["data"]["id"]] = event["data"]
    return objects


@pytest.mark.parametrize("kind", ["user", "organization", "organization_membership"])
async def test_events_alone_rebuild_the_objects(start: Start, kind: str) -> None:
    """Starting from nothing, the feed folds into exactly what is live, but for the sign-ins it tells elsewhere."""
    workos = start(users=0)
    workos.app.state.activity.burst(5_000)
    text = (await workos.client.get(f"/_sandbox/objects/{kind}s")).text
    live = {value["id"]: value for value in map(orjson.loads, text.splitlines())}
    folded = fold(workos, kind)
    for value in [*live.values(), *folded.values()]:
        value.pop("last_sign_in_at", None)
    assert live == folded
    assert folded


async def test_every_kind_of_event_happens(crowd: WorkOS) -> None:
    """The mix has all the types the copy follows, and the population neither collapses nor explodes."""
    crowd.app.state.activity.burst(5_000)
    assert set(KINDS.split(",")) <= set(crowd.app.state.store.feed.types)
    assert 200 < len(crowd.app.state.store.users) < 400
    assert len(crowd.app.state.store.memberships) > 200


async def test_same_seed_same_activity(start: Start) -> None:
    """The same seed at the same time does the same things."""
    one, two = start(users=100), start(users=100)
    for workos in (one, two):
        workos.app.state.activity.burst(500)
    assert one.app.state.store.feed.blobs == two.app.state.store.feed.blobs


async def test_indexes_agree_after_much_activity(crowd: WorkOS) -> None:
    """Lists by organization, by user, by address and by external id still match the objects."""
    crowd.app.state.activity.burst(5_000)
    store = crowd.app.state.store
    memberships = [store.memberships.read(key) for key in store.memberships.ids]
    for organization_id in store.organizations.ids:
        ours = [one for one in memberships if one["organization_id"] == organization_id]
        assert list(store.roster.of_organization(organization_id)) == [one["id"] for one in ours]
        assert list(store.roster.members(organization_id)) == sorted(one["user_id"] for one in ours)
    users = [store.users.read(key) for key in store.users.ids]
    assert store.emails == {user["email"]: user["id"] for user in users}
    assert store.users.external_ids == {user["external_id"]: user["id"] for user in users if user["external_id"]}


async def test_a_backlog_lies_in_the_last_hour(start: Start) -> None:
    """The events asked for have happened already, in order, and are visible at once."""
    workos = start(users=50, backlog=300, hold_back=2.0)
    assert len(workos.app.state.store.feed) >= 300
    page = await workos.get("/events", events=KINDS, limit=100)
    dates = [event["created_at"] for event in page["data"]]
    assert dates == sorted(dates)
    assert dates[0] == "2026-03-01T11:00:00.000Z"


def test_debts_are_paid_and_old_ones_forgiven() -> None:
    """A rate is kept on average, and a pause is not made up for by more than one second's worth."""
    assert debt(0.0, 50, 0.1) == pytest.approx(5)
    assert debt(0.5, 50, 0.1) == pytest.approx(5.5)
    assert debt(5.0, 50, 60) == 50
    assert debt(0.9, 0.1, 2) == 1


async def test_it_goes_on_while_the_sandbox_is_up() -> None:
    """Things happen by themselves between startup and shutdown."""
    config = Config(users=20, activity=100)
    async with (
        served(config) as url,
        httpx.AsyncClient(base_url=url, timeout=PATIENCE) as client,
        asyncio.timeout(PATIENCE),
    ):
        while not (state := (await client.get("/_sandbox")).json())["events"]:
            assert state["counts"]["users"] == 20


async def test_a_burst_through_the_control_endpoint(crowd: WorkOS, watch: Watch) -> None:
    """POST makes things happen now, PUT sets the steady rate."""
    watch.forward(minutes=1)
    done = (await crowd.send("POST", "/_sandbox/activity", {"count": 20}))["events"]
    state = await crowd.get("/_sandbox")
    assert done == state["events"] >= 20
    assert await crowd.send("PUT", "/_sandbox/activity", {"rate": 3}) == {"rate": 3.0}
    assert (await crowd.get("/_sandbox"))["config"]["activity"] == 3.0
