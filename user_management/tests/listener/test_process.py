"""The listener's process: what it refuses to start with, and that it leaves when told to."""

import asyncio
import signal

import pytest

from user_management.db import embedded, schema
from user_management.db.session import Connection, Pool
from user_management.listener.__main__ import check_database
from user_management.listener.backoff import Backoff
from user_management.tests.support import processes
from user_management.tests.support.waiting import PATIENCE, until


async def refused(environment: dict[str, str]) -> tuple[int, str]:
    """The exit status of a listener that does not start, and what it says."""
    process = await processes.start("user_management.listener", environment=environment, silent=False)
    async with asyncio.timeout(PATIENCE):
        _, said = await process.communicate()
    return process.returncode or 0, said.decode()


@pytest.mark.parametrize(
    ("missing", "setting"), [("database_url", "DATABASE_URL"), ("workos_api_key", "WORKOS_API_KEY")]
)
async def test_it_names_the_setting_it_lacks(missing: str, setting: str) -> None:
    """One sentence on how to mend it, and exit status 2."""
    environment = processes.settings("postgresql://nobody@127.0.0.1:1/none", "http://127.0.0.1:1")
    status, said = await refused({**environment, f"USER_MANAGEMENT_{missing.upper()}": ""})
    assert (status, said.count("\n")) == (2, 1)
    assert f"USER_MANAGEMENT_{setting} is not set" in said


@pytest.mark.parametrize("password", ["hunter[2", "hunter℀2"])
async def test_a_url_that_is_none_is_the_operators(password: str) -> None:
    """One sentence, and no piece of the password."""
    status, said = await refused(processes.settings(f"postgresql://ada:{password}@db/app", "http://127.0.0.1:1"))
    assert (status, said.count("\n"), "hunter" in said) == (2, 1, False)
    assert "USER_MANAGEMENT_DATABASE_URL cannot be read" in said


@pytest.mark.parametrize("revision", [None, "0002"])
async def test_it_refuses_a_schema_behind_the_code(server: str, revision: str | None) -> None:
    """It says what to run, and touches nothing."""
    url = await embedded.create(server, f"behind_{revision}")
    if revision:
        await schema.upgrade(url, revision)
    status, said = await refused(processes.settings(url, "http://127.0.0.1:1"))
    assert status == 2
    assert "alembic upgrade head" in said


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_leaves_when_told_to(database_url: str, pool: Pool, number: signal.Signals) -> None:
    """In the middle of its work, with exit status 0 and its lease given back."""
    async with processes.sandbox("--users", "300", "--activity", "100", "--hold-back", "0.2") as url:
        process = await processes.start("user_management.listener", environment=processes.settings(database_url, url))
        await until(lambda: holds(pool))
        process.send_signal(number)
        assert await asyncio.wait_for(process.wait(), PATIENCE) == 0
    assert not await holds(pool)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_leaves_while_it_waits_for_the_database(number: signal.Signals) -> None:
    """With exit status 0, and without a traceback."""
    environment = processes.settings(
        "postgresql://nobody@127.0.0.1:1/none", "http://127.0.0.1:1", log_level="warning"
    )  # fmt: skip
    process = await processes.start("user_management.listener", environment=environment, silent=False)
    await processes.says(process, "database.waiting")
    process.send_signal(number)
    _, said = await asyncio.wait_for(process.communicate(), PATIENCE)
    assert (process.returncode, "Traceback" in said.decode()) == (0, False)


async def test_a_connection_that_breaks_before_the_schema_is_known_is_another_try(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Storm 148: PostgreSQL was killed between the connection and the answer, and the listener crashed."""
    check, tries = schema.check, []

    async def broken_once(connection: Connection) -> None:
        tries.append(connection)
        if len(tries) == 1:
            connection.terminate()
        await check(connection)

    monkeypatch.setattr(schema, "check", broken_once)
    await check_database(database_url, Backoff(0.01, 0.01))
    assert len(tries) == 2


async def holds(pool: Pool) -> bool:
    """Whether a listener is at work."""
    found: int = await pool.fetchval("SELECT count(*) FROM lease WHERE expires_at > now()")
    return found == 1
