"""What operators type, and what they are told."""

import asyncio
import json
import sys
from asyncio.subprocess import DEVNULL
from typing import Any

import pytest

from user_management.db import embedded, schema
from user_management.db.session import Pool, transaction
from user_management.journal.entries import Entry
from user_management.listener import backfills
from user_management.listener.worker import Listener
from user_management.mirror.engine import catalog
from user_management.mirror.engine.record import record
from user_management.tests.cli.conftest import Run
from user_management.tests.cli.told import event
from user_management.tests.support import copies
from user_management.tests.support.histories import membership, user
from user_management.tests.support.local_workos import LocalWorkOS

MIGRATE = "import sys; from user_management.cli import main; sys.argv[1:] = ['migrate']; main()"
ODD = event("user.created", user(email="nul\x00@example.com"), name="event_odd")


async def told(pool: Pool, *entries: Entry) -> None:
    """Record entries."""
    async with transaction(pool) as connection:
        await record(connection, catalog.resources(), entries)


async def command(run: Run, *arguments: str, status: int = 0) -> str:
    """What a command says, when it ends with the status it should."""
    result = await asyncio.to_thread(run, *arguments)
    assert result.exit_code == status, (result.output, result.exception)
    return result.output


async def test_migrating_twice_at_once_migrates_once(run: Run, server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two migrations one waits for the other, and a third finds nothing to do."""
    url = await embedded.create(server, "fresh")
    monkeypatch.setenv("USER_MANAGEMENT_DATABASE_URL", url)
    two = [
        await asyncio.create_subprocess_exec(sys.executable, "-c", MIGRATE, stdout=DEVNULL, stderr=DEVNULL)
        for _ in range(2)
    ]
    assert [await one.wait() for one in two] == [0, 0]
    assert f"at revision {schema.expected()} already" in await command(run, "migrate")
    await embedded.drop(server, "fresh")


async def test_an_unknown_revision_is_one_sentence(run: Run) -> None:
    """A revision nobody knows is the operator's to change."""
    assert "cannot be upgraded to 9999" in await command(run, "migrate", "--revision", "9999", status=2)


async def test_a_missing_setting_is_one_sentence(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a database there is nothing to look at, and exit status 2 says who must act."""
    monkeypatch.setenv("USER_MANAGEMENT_DATABASE_URL", "")
    said = await command(run, "status", status=2)
    assert said.startswith("user-management: USER_MANAGEMENT_DATABASE_URL is not set")
    assert said.count("\n") == 1


async def test_a_database_that_is_away_is_one_sentence(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unreachable database is weather: exit status 1."""
    monkeypatch.setenv("USER_MANAGEMENT_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    said = await command(run, "failures", "list", status=1)
    assert said.startswith("user-management: The database cannot be reached")
    assert said.count("\n") == 1


async def test_a_database_without_tables_says_what_to_run(
    run: Run, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every other command refuses a schema that is not the code's."""
    monkeypatch.setenv("USER_MANAGEMENT_DATABASE_URL", server)
    assert "user-management migrate" in await command(run, "status", status=2)


async def test_status_tells_state_counts_and_failures(run: Run, pool: Pool) -> None:
    """One object of JSON answers what an operator asks first."""
    await told(
        pool,
        event("user.created", user(), name="event_1"),
        ODD,
        event("user.deleted", user("user_2"), name="event_end"),
    )
    found = json.loads(await command(run, "status", "--json"))
    assert (found["state"], found["position"], found["parked"]) == ("backfilling", 3, 1)
    assert found["resources"]["users"] == {"resource": "users", "live": 1, "tombstones": 1, "checkpoint": 3}


async def test_status_shows_people_the_same(run: Run, pool: Pool) -> None:
    """The table names every resource and what is parked."""
    await told(pool, ODD)
    said = await command(run, "status")
    assert "see user-management failures list" in said
    assert all(resource.name in said for resource in catalog.resources())


@pytest.mark.parametrize(
    ("given", "shown", "data"),
    [
        ("SANDBOX_URL=http://sandbox", "made-up people", {"name": "sandbox", "url": "http://sandbox"}),
        ("WORKOS_API_KEY=sk_1", "workos  https://api.workos.com", {"name": "workos", "url": "https://api.workos.com"}),
        ("WORKOS_API_KEY= ", "USER_MANAGEMENT_WORKOS_API_KEY is not set here", None),
    ],
)
async def test_status_names_the_source(
    run: Run, given: str, shown: str, data: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether the people are real can be asked too, and a missing key does not keep the rest from being told."""
    name, _, value = given.partition("=")
    monkeypatch.setenv(f"USER_MANAGEMENT_{name}", value)
    assert shown in await command(run, "status")
    assert json.loads(await command(run, "status", "--json"))["source"] == data


async def test_a_backfill_can_only_be_asked_for(run: Run, pool: Pool) -> None:
    """`--no-wait` leaves the run to a listener, even before the first one started."""
    assert "is asked for" in await command(run, "backfill", "--no-wait")
    async with pool.acquire() as connection:
        assert await backfills.unfinished(connection) is not None


async def damaged(pool: Pool, listener: Listener, local: LocalWorkOS) -> dict[str, list[Any]]:
    """A copy as it should be, after which a membership was changed and another removed behind its back."""
    await local.activity(60)
    await copies.begin(listener)
    await copies.fill(listener)
    right = await copies.everything(pool)
    await pool.execute("DELETE FROM organization_memberships WHERE id = (SELECT min(id) FROM organization_memberships)")
    await pool.execute("UPDATE organization_memberships SET status = 'odd' WHERE id = "
                       "(SELECT max(id) FROM organization_memberships)")  # fmt: skip
    return right


async def test_check_finds_damage_and_changes_nothing(
    run: Run, pool: Pool, listener: Listener, local: LocalWorkOS
) -> None:
    """`rebuild --check` exits 3 on differences and leaves the tables alone."""
    await damaged(pool, listener, local)
    before = await copies.everything(pool)
    assert "2 rows are not as the journal says" in await command(run, "rebuild", "--check", status=3)
    assert await copies.everything(pool) == before


async def test_a_child_alone_is_rebuilt_right(run: Run, pool: Pool, listener: Listener, local: LocalWorkOS) -> None:
    """`rebuild organization_memberships` repairs every byte, its parents standing in with their live tables."""
    right = await damaged(pool, listener, local)
    assert "REPAIRED" in await command(run, "rebuild", "organization_memberships")
    assert await copies.everything(pool) == right
    assert "what its journal says" in await command(run, "rebuild")


async def test_a_child_told_of_after_its_parents_end_stays_ended_when_rebuilt_alone(run: Run, pool: Pool) -> None:
    """The end of a live parent table carries the position it had, so that only what came before it survives."""
    await told(pool, event("user.deleted", user(), name="event_1"))
    await told(pool, event("organization_membership.created", membership(), name="event_2"))
    await pool.execute("UPDATE organization_memberships SET deleted_at = NULL")
    assert "REPAIRED" in await command(run, "rebuild", "organization_memberships")
    assert await pool.fetchval("SELECT deleted_at IS NOT NULL FROM organization_memberships")


async def test_a_rebuild_passes_over_what_postgresql_refused(run: Run, pool: Pool) -> None:
    """An entry that could not be stored the first time does not end a rebuild."""
    await told(pool, ODD, event("user.created", user("user_2"), name="event_2"))
    assert "what its journal says" in await command(run, "rebuild")


async def test_an_unknown_resource_names_the_known_ones(run: Run) -> None:
    """A typing error is answered with what there is."""
    assert "organizations, permissions, roles, users" in await command(run, "rebuild", "people", status=1)


async def test_a_parked_entry_is_listed_shown_and_skipped(run: Run, pool: Pool) -> None:
    """An operator sees what is parked, reads it as WorkOS worded it, and lets it go."""
    await told(pool, ODD)
    assert json.loads(await command(run, "failures", "list", "--json"))[0]["attempts"] == 1
    assert "nul" in await command(run, "failures", "show", "1")
    assert "skipped" in await command(run, "failures", "skip", "1")
    assert "Nothing is parked" in await command(run, "failures", "list")
    assert "No entry is parked at position 1" in await command(run, "failures", "skip", "1", status=1)


@pytest.mark.parametrize("odd", ["\ud83d", 10**30])
async def test_the_oddest_entry_is_shown(run: Run, pool: Pool, odd: object) -> None:
    """Half a character, or a number that is longer than any of ours, stays as JSON escapes it."""
    await told(pool, event("user.created", user("user_1", first_name=odd), name="event_odd"))
    shown = json.loads(await command(run, "failures", "show", "1"))
    assert (shown["body"]["data"]["first_name"], shown["position"]) == (odd, 1)


async def test_a_retry_that_fails_counts_an_attempt(run: Run, pool: Pool) -> None:
    """What still fails stays parked, with its new error, and exit status 1."""
    await told(pool, ODD)
    assert "still fails" in await command(run, "failures", "retry", "--all", status=1)
    assert json.loads(await command(run, "failures", "list", "--json"))[0]["attempts"] == 2


async def test_a_retry_must_be_told_what(run: Run) -> None:
    """Nothing is retried by accident."""
    assert "--all" in await command(run, "failures", "retry", status=1)


async def test_why_tells_how_an_object_came_to_be(run: Run, pool: Pool) -> None:
    """The row, the last event and every entry with what became of it; an id nobody knows is one sentence."""
    await told(pool, event("user.created", user(), name="event_1"), ODD)
    said = await command(run, "why", "users", "user_1")
    assert "the entry at position 1" in said
    assert "applied" in said
    assert "parked: it could not be applied" in said
    assert "never told us of a user user_9" in await command(run, "why", "users", "user_9", status=1)
    assert "There is no resource called people" in await command(run, "why", "people", "user_1", status=1)
