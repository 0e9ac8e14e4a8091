"""Looking for what a write would have made: what counts as it, and what must never be taken for it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from user_management.journal.timestamps import render
from user_management.services.workos import commands, looks
from user_management.services.workos.client import WorkOS
from user_management.services.workos.commands import users
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
    assert looks.judged([{**FOUND, **changes}], ADA, NOW)[0] is place


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
