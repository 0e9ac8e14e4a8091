import pytest

from user_management.tests.sandbox.conftest import EVENTS, MEMBERSHIP_EVENTS, ORGANIZATION_EVENTS, Start, Watch, WorkOS


async def make_users(workos: WorkOS, count: int) -> list[str]:
    """The ids of new users."""
    return [(await workos.user(f"user{number}@example.com"))["id"] for number in range(count)]


@pytest.mark.parametrize("order", ["asc", "desc", "normal"])
async def test_oldest_first_whatever_order_says(workos: WorkOS, order: str) -> None:
    """Production ignores `order`, so the newest event cannot be asked for."""
    ids = await make_users(workos, 3)
    page = await workos.get("/events", events=EVENTS, order=order, limit=1)
    assert page["data"][0]["data"]["id"] == ids[0]


@pytest.mark.parametrize("parameters", [{}, {"events": ""}, {"limit": 5}])
async def test_events_is_required(workos: WorkOS, parameters: dict[str, str]) -> None:
    """Without a type the answer is the 422 of WorkOS's own example."""
    body = await workos.get("/events", 422, **parameters)
    assert body == {"message": "Validation failed.", "errors": [{"code": "required", "field": "events"}]}


@pytest.mark.parametrize(
    "query", ["events=user.created%2Cuser.deleted", "events[]=user.created", "events=user.created"]
)
async def test_types_come_with_commas_or_brackets(workos: WorkOS, query: str) -> None:
    """The ways of naming types that have been seen to work do work."""
    await make_users(workos, 2)
    assert [event["event"] for event in (await workos.get(f"/events?{query}"))["data"]] == ["user.created"] * 2


async def test_unknown_type_is_refused(workos: WorkOS) -> None:
    """One wrong name is a 422 that names it, not an empty feed."""
    body = await workos.get("/events", 422, events="user.created,user.crated")
    assert body["errors"][0]["code"] == "unknown_event_type"
    assert "user.crated" in body["errors"][0]["message"]


async def test_after_is_exclusive_and_null_at_the_end(workos: WorkOS) -> None:
    """Following `after` gives every event once; the last page has none, and an empty page stays empty."""
    ids = await make_users(workos, 5)
    seen, after = [], None
    while True:
        page = await workos.get("/events", events=EVENTS, limit=2, **({"after": after} if after else {}))
        seen += [event["data"]["id"] for event in page["data"]]
        last, after = page["data"][-1]["id"], page["list_metadata"]["after"]
        if after is None:
            break
    assert seen == ids
    assert (await workos.get("/events", events=EVENTS, after=last))["data"] == []
    assert set(page["list_metadata"]) == {"after"}


async def test_a_cursor_of_another_type_still_holds_its_place(workos: WorkOS) -> None:
    """A cursor is a position in the feed, not a property of the filter."""
    await workos.user("a@example.com")
    organization_event = (await workos.organization() and await workos.events(ORGANIZATION_EVENTS))[0]
    later = await workos.user("b@example.com")
    assert [event["data"]["id"] for event in await workos.events(after=organization_event["id"])] == [later["id"]]


async def test_a_cursor_nobody_gave_out_is_refused(workos: WorkOS) -> None:
    """Nothing says what WorkOS does; silence or a restart would hide a loss, so this is a 400."""
    assert (await workos.get("/events", 400, events=EVENTS, after="event_01X"))["code"] == "invalid_cursor"


async def test_range_is_exclusive_at_both_ends(workos: WorkOS, watch: Watch) -> None:
    """`range_start` means created after, `range_end` created before."""
    ids = []
    for number in range(3):
        ids += [(await workos.user(f"{number}@example.com"))["id"]]
        watch.forward(seconds=1)
    start, end = "2026-03-01T12:00:00.000Z", "2026-03-01T12:00:02Z"
    assert [event["data"]["id"] for event in await workos.events(range_start=start)] == ids[1:]
    assert [event["data"]["id"] for event in await workos.events(range_start=start, range_end=end)] == ids[1:2]


async def test_a_range_is_of_times_whatever_the_order(workos: WorkOS, watch: Watch) -> None:
    """An event that stands late in the feed but happened earlier is left out, or in, by when it happened."""
    ids = []
    for number, step in enumerate((0, 3, -2, 3)):  # at 12:00:00, :03, :01 and :04
        watch.forward(seconds=step)
        ids += [(await workos.user(f"{number}@example.com"))["id"]]
    start, end = "2026-03-01T12:00:01.500Z", "2026-03-01T12:00:02.500Z"
    assert [event["data"]["id"] for event in await workos.events(range_start=start)] == [ids[1], ids[3]]
    ranged = await workos.events(range_start="2026-03-01T11:59:59.000Z", range_end=end)
    assert [event["data"]["id"] for event in ranged] == [ids[0], ids[2]]


@pytest.mark.parametrize("date", ["2026-03-01T11:00:00+00:00", "2026-03-01", "yesterdayZ"])
async def test_dates_end_in_z(workos: WorkOS, date: str) -> None:
    """A hand-made isoformat() is refused, as it is in production."""
    assert (await workos.get("/events", 400, events=EVENTS, range_start=date))["code"] == "invalid_date"


@pytest.mark.parametrize(
    "parameters",
    [
        {"range_start": "2026-01-20T00:00:00Z"},
        {"range_start": "2026-01-20T00:00:00Z", "range_end": "2026-02-10T00:00:00Z"},
        {"range_start": "2026-02-20T00:00:00Z", "range_end": "2026-04-20T00:00:00Z"},
    ],
)
async def test_what_cannot_be_answered_whole_is_refused(workos: WorkOS, parameters: dict[str, str]) -> None:
    """Older than 30 days or wider than 30 days is a 400, never a silent part of the answer."""
    assert (await workos.get("/events", 400, events=EVENTS, **parameters))["code"] == "invalid_date_range"


async def test_after_and_range_start_exclude_each_other(workos: WorkOS) -> None:
    """A request names one place to begin."""
    await workos.user()
    cursor = (await workos.events())[0]["id"]
    await workos.get("/events", 400, events=EVENTS, after=cursor, range_start="2026-02-28T00:00:00Z")


async def test_events_are_forgotten_after_thirty_days(workos: WorkOS, watch: Watch) -> None:
    """An old event is gone from the feed, and as a cursor it is refused."""
    await workos.user("old@example.com")
    cursor = (await workos.events())[0]["id"]
    watch.forward(days=30)
    fresh = await workos.user("new@example.com")
    assert [event["data"]["id"] for event in await workos.events()] == [fresh["id"]]
    assert (await workos.get("/events", 400, events=EVENTS, after=cursor))["code"] == "expired_cursor"


async def test_an_event_is_held_back_before_it_is_visible(start: Start, watch: Watch) -> None:
    """For `hold_back` seconds a cursor cannot pass an event that another could still precede."""
    workos = start(hold_back=2.0)
    await workos.user()
    watch.forward(seconds=1.9)
    assert await workos.events() == []
    watch.forward(seconds=0.1)
    assert len(await workos.events()) == 1


async def test_organization_filter(workos: WorkOS) -> None:
    """Only events of the organization, never those of users; an unknown organization is a 400."""
    user, kinds = await workos.user(), f"{EVENTS},{ORGANIZATION_EVENTS},{MEMBERSHIP_EVENTS}"
    ours, other = await workos.organization("Ours"), await workos.organization("Other")
    await workos.membership(user, ours)
    await workos.membership(user, other)
    events = await workos.events(kinds, organization_id=ours["id"])
    assert [event["event"] for event in events] == ["organization.created", "organization_membership.created"]
    body = await workos.get("/events", 400, events=EVENTS, organization_id="org_x")
    assert body == {"message": "Organization not found: 'org_x'."}


async def test_event_objects_are_leaner_than_rest_objects(workos: WorkOS) -> None:
    """Events carry neither the organization's profile switch nor what REST embeds in a membership."""
    user, organization = await workos.user(), await workos.organization()
    membership = await workos.membership(user, organization)
    (organization_event,) = await workos.events(ORGANIZATION_EVENTS)
    (membership_event,) = await workos.events(MEMBERSHIP_EVENTS)
    assert set(organization) - set(organization_event["data"]) == {"allow_profiles_outside_organization"}
    assert set(membership) - set(membership_event["data"]) == {"organization_name", "user"}
    assert (await workos.events())[0]["data"] == user


async def test_update_events_say_what_changed(workos: WorkOS) -> None:
    """`context` names the actor, and for an update the values from before."""
    user = await workos.user(first_name="Ada")
    await workos.send("PUT", f"/user_management/users/{user['id']}", {"first_name": "Eva"})
    created, updated = await workos.events()
    assert created["context"] == {"actor": {"id": "sandbox", "source": "api", "name": None}}
    assert updated["context"]["previous_attributes"] == {"first_name": "Ada"}
