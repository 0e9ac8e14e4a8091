"""`user-management verify` and `erase`, typed by an operator."""

import json
import re
from collections.abc import AsyncIterator

import pytest

from user_management.db.session import Pool
from user_management.journal import verifications
from user_management.journal.verifications import ROLLING
from user_management.listener import rolling, suspects
from user_management.listener.worker import Listener, Pace
from user_management.tests.cli.commands import Command
from user_management.tests.support import copies, processes
from user_management.tests.support.local_workos import LocalWorkOS


@pytest.fixture(scope="module")
async def sandbox() -> AsyncIterator[str]:
    """The URL of a local WorkOS with people in it."""
    async with processes.sandbox("--users", "120", "--hold-back", "0") as url:
        yield url


@pytest.fixture
async def command(database_url: str, pool: Pool, sandbox: str) -> Command:
    """Commands over a copy that is complete."""
    typed = Command(processes.settings(database_url, sandbox))
    await typed.run("backfill")
    return typed


async def test_an_equal_copy_is_proven(command: Command) -> None:
    """Without a listener the command follows the feed itself; the JSON tells heads, counts and a hash for each page."""
    told = json.loads(await command.run("verify", "--json"))
    assert told["counts"]["users"] == {"equal": 120}
    assert told["head_before"] <= told["head_after"]
    assert all(len(page["hash"]) == 64 for page in told["pages"])
    assert (told["compared"]["pages"], told["compared"]["objects"] > 120) == (len(told["pages"]), True)


async def test_a_share_tells_what_of_it_was_compared(command: Command) -> None:
    """And not what was wished for; a draw of nothing proves nothing."""
    assert re.search(r"is what WorkOS says in the \d+ objects", await command.run("verify", "--share", "40%"))
    assert "Nothing was compared" in await command.run("verify", "users", "--share", "0.000001%", status=1)


async def test_what_workos_refuses_to_list_is_not_compared(command: Command, pool: Pool) -> None:
    """It is said so, and everything else is proven; who names it has it asked for."""
    await pool.execute("UPDATE backfills SET left_out = '{groups,connections}'")
    assert "WorkOS refuses to list them: connections, groups." in await command.run("verify")
    await command.run("verify", "groups")
    runs = await pool.fetch("SELECT resources FROM verifications WHERE kind = 'asked' ORDER BY id")
    assert ["groups" in run["resources"] for run in runs] == [False, True]
    assert "users" in runs[0]["resources"]


async def test_what_workos_refused_on_the_way_is_not_called_proven(command: Command, pool: Pool) -> None:
    """Also where the run was interrupted since: it is said so, and the status is not that of success."""
    await pool.execute(
        "INSERT INTO verifications (kind, resources, share, head_before, resource, left_out) "
        "VALUES ('asked', '{feature_flags,users}', 1, 0, 'users', '{feature_flags}')"
    )
    said = await command.run("verify", "--resume", "--hold-back", "0", status=1)
    assert "WorkOS refuses to list them: feature_flags." in said
    assert re.search(r"is what WorkOS says in the \d+ objects that were compared", said)


async def test_a_difference_is_told_repaired_and_gone(command: Command, pool: Pool) -> None:
    """Exit 3 while it is there; the plan is shown; afterwards journal and tables are one."""
    sql = (
        'UPDATE users SET body = (body::jsonb || \'{"first_name": "X"}\')::json WHERE id = (SELECT min(id) FROM users)'
    )
    await pool.execute(sql)
    assert "differs: users" in await command.run("verify", "users", "--hold-back", "0", status=3)
    assert "first_name" in await command.run("verify", "--journal", status=3)
    assert "write what WorkOS has" in await command.run("verify", "users", "--hold-back", "0", "--repair", "--yes")
    await command.run("verify", "users")
    assert "are what the journal says" in await command.run("verify", "--journal")


async def test_a_person_is_erased(command: Command, pool: Pool) -> None:
    """And is not missed by a verification, though WorkOS still has them."""
    user = await pool.fetchval("SELECT min(id) FROM users")
    said = await command.run("erase", user, "--yes")
    assert "WorkOS still has them" in said
    assert "no table names their ids or addresses" in said
    assert json.loads(await command.run("verify", "users", "--json"))["counts"]["users"] == {"equal": 119, "erased": 1}
    assert "no table names" in await command.run("erase", user, "--yes")
    assert "Nobody called" in await command.run("erase", "user_unknown", "--yes", status=1)


async def test_no_share(command: Command) -> None:
    """What is no share is refused."""
    assert "is no share" in await command.run("verify", "--share", "0", status=2)


async def test_the_listener_verifies_by_and_by(
    listener: Listener, pool: Pool, local: LocalWorkOS, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Turn after turn; what WorkOS changes without an event is filled in; the oldest verification is told."""
    monkeypatch.setattr(suspects, "HOLD_BACK", 0.0)
    await local.activity(100)
    await copies.begin(listener)
    await copies.fill(listener)
    await pool.execute("UPDATE users SET body = (body::jsonb || '{\"last_sign_in_at\": null}')::json")
    listener.pace = Pace(verify_days=1)
    async with copies.following(listener), pool.acquire() as connection:
        while not await verifications.oldest_of_all(connection):
            assert await rolling.turn(listener) > 0
        assert await verifications.unfinished(connection, ROLLING) is None
    await copies.assert_equal_to_source(pool, local)


@pytest.mark.parametrize(
    ("days", "pages", "turn"),
    [
        (1, 3, (1, 600.0)),
        (1, 1_440, (1, 60.0)),
        (1, 14_400, (10, 60.0)),
        (1, 240_000, (100, 36.0)),
        (7, 70, (1, 600.0)),
    ],
)
def test_the_pace_keeps_to_the_days(days: float, pages: int, turn: tuple[int, float]) -> None:
    """So many pages in so many seconds that all are compared in time."""
    assert rolling.pace(days, pages) == pytest.approx(turn)
    count, seconds = rolling.pace(days, pages)
    assert pages / count * seconds <= days * 86_400 + 1
