"""Looking for what a write would have made: what counts as it, and what must never be taken for it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from user_management.journal.timestamps import render
from user_management.services.workos import commands, looks
from user_management.services.workos.client import WorkOS
from user_management.services.workos.commands import (
    Command,
    groups,
    invitations,
    organization_domains,
    organization_memberships,
    users,
)
from user_management.services.workos.looks import SKEW, Place
from user_management.tests.services.conftest import Answer

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
ADA = {"email": " Ada@Example.com", "first_name": "Ada", "metadata": {"team": "engines", "old": None}, "password": "x"}
FOUND = {"id": "user_1", "email": "ada@example.com", "first_name": "Ada", "metadata": {"team": "engines", "more": "1"},
         "created_at": render(NOW)}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({}, Place.FOUND),
        ({"created_at": render(NOW - SKEW)}, Place.FOUND),
        ({"created_at": render(NOW - SKEW - timedelta(seconds=1))}, Place.OLDER),
        ({"created_at": None}, Place.OLDER),
        ({"created_at": render(NOW - 2 * SKEW), "updated_at": render(NOW - 2 * SKEW)}, Place.OLDER),
        ({"created_at": render(NOW - 2 * SKEW), "updated_at": render(NOW - SKEW)}, Place.TOUCHED),
        ({"first_name": "Grace"}, Place.DIFFERENT),
        ({"first_name": None}, Place.DIFFERENT),
        ({"metadata": {}}, Place.DIFFERENT),
        ({"first_name": "Grace", "updated_at": render(NOW)}, Place.DIFFERENT),
        # Found by the simulator: a user that somebody changed before we looked was never taken for ours.
        ({"first_name": "Grace", "updated_at": render(NOW + timedelta(milliseconds=1))}, Place.FOUND),
    ],
)
def test_what_counts_as_made(changes: dict[str, Any], place: Place) -> None:
    """An object that is not older than the request and has all of it that can be seen, unless it was changed since."""
    (trace,) = users.create.looked_for(ADA)
    assert looks.judged(users.create, trace, [{**FOUND, **changes}], ADA, NOW)[0] is place


DOMAIN = {"organization_id": "org_1", "domain": "B.example"}
INVITED = {"email": "Ada@example.com", "organization_id": "org_1", "role_slug": "admin"}
WELCOME = {"email": "ada@example.com"}


@pytest.mark.parametrize(
    ("command", "sent", "changes", "place"),
    [
        (organization_domains.create, DOMAIN, {"domain": "b.example"}, Place.FOUND),
        (organization_domains.create, DOMAIN, {"domain": "a.example"}, Place.NOTHING),
        (groups.create, {"name": "Weavers"}, {}, Place.FOUND),
        (groups.create, {"name": "Weavers"}, {"name": "Spinners"}, Place.NOTHING),
        (groups.create, {"name": "Weavers", "description": "Looms"}, {"description": "Wheels"}, Place.DIFFERENT),
        (invitations.send, INVITED, {"email": "ada@example.com", "state": "accepted"}, Place.FOUND),
        (invitations.send, INVITED, {"organization_id": "org_2"}, Place.NOTHING),
        (invitations.send, INVITED, {"organization_id": None}, Place.NOTHING),
        (invitations.send, INVITED, {"role_slug": "member"}, Place.DIFFERENT),
        (invitations.send, WELCOME, {"organization_id": None}, Place.FOUND),
        (invitations.send, WELCOME, {"organization_id": "org_1"}, Place.NOTHING),
    ],
)
def test_a_neighbour_is_never_taken_for_it(
    command: Command, sent: dict[str, Any], changes: dict[str, Any], place: Place
) -> None:
    """Where a list shows others too, only one that is called so counts, however lately another was changed."""
    one = {"id": "it", **sent, **changes, "created_at": render(NOW), "updated_at": render(NOW + SKEW)}
    (trace,) = command.looked_for({**sent, "organization_id": sent.get("organization_id", "org_1")})
    assert looks.judged(command, trace, [one], sent, NOW)[0] is place


def test_what_proves_the_least_is_told() -> None:
    """Of several that are called so, an older one is no proof beside a younger one."""
    (trace,) = invitations.send.looked_for(INVITED)
    young = {"id": "it", **INVITED, "role_slug": "member", "created_at": render(NOW)}
    older = {**young, "created_at": render(NOW - 2 * SKEW)}
    for objects in ([young, older], [older, young]):
        assert looks.judged(invitations.send, trace, objects, INVITED, NOW) == (Place.DIFFERENT, None)


@pytest.mark.parametrize(
    ("sent", "place"),
    [
        ({}, Place.FOUND), ({"role_slug": "member"}, Place.FOUND), ({"role_slug": "admin"}, Place.DIFFERENT),
        ({"role_slugs": ["member"]}, Place.FOUND), ({"role_slugs": ["admin", "member"]}, Place.DIFFERENT),
        ({"role_slug": {"slug": "member"}}, Place.DIFFERENT), ({"role_slugs": [{"slug": "member"}]}, Place.DIFFERENT),
    ],
)  # fmt: skip
def test_a_membership_in_another_role_is_another_one(sent: dict[str, Any], place: Place) -> None:
    """The role that was sent is looked for where WorkOS shows it."""
    command, pair = organization_memberships.create, {"user_id": "user_1", "organization_id": "org_1"}
    one = {"id": "om_1", **pair, "role": {"slug": "member"}, "created_at": render(NOW), "updated_at": render(NOW)}
    (trace,) = command.looked_for(pair)
    assert looks.judged(command, trace, [one], pair | sent, NOW)[0] is place


def test_a_user_shows_in_two_places() -> None:
    """Under its external id, if it was given one, and under its address as WorkOS stores it."""
    traces = list(users.create.traces({**ADA, "external_id": "customer/1"}))
    assert [(trace.by, trace.path[-1], trace.params) for trace in traces] == [
        ("external_id", "customer/1", None), ("email", "users", {"email": "ada@example.com"}),
    ]  # fmt: skip
    assert [trace.by for trace in users.create.traces(ADA)] == ["email"]


@pytest.mark.parametrize("told", [{"status": 500}, {"status": 401}, {"json": {}}, {"error": httpx.ReadTimeout("slow")}])
async def test_a_look_that_fails_says_so(told: dict[str, Any], remote: WorkOS, answer: Answer) -> None:
    """Whoever cannot see does not say that there is nothing."""
    answer(**told)
    seen = await looks.look(remote, users.create, ADA, since=NOW)
    assert (seen.made, seen.places, seen.whole) == (None, {"email": Place.SILENCE}, False)


async def test_a_command_without_traces_is_not_looked_for(remote: WorkOS, answer: Answer) -> None:
    """What leaves no trace stays unknown."""
    route = answer(json={})
    seen = await looks.look(remote, commands.Command("post", ("things",)), {}, since=NOW)
    assert (seen.made, seen.places, route.called) == (None, {}, False)
