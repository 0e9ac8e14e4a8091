"""`user-management doctor`: whatever is wrong is named, with its fix."""

import asyncio
import io
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from rich.console import Console

from user_management.cli.doctor import database, summary, table, webhook, workos
from user_management.cli.doctor.checkup import Checkup, Health
from user_management.db import embedded
from user_management.db.session import Pool, transaction
from user_management.mirror.engine import catalog, rebuild
from user_management.mirror.engine.record import record
from user_management.mirror.users import resource as users
from user_management.services.workos import client
from user_management.settings import Settings, Source
from user_management.tests.cli.commands import Command
from user_management.tests.cli.conftest import Run
from user_management.tests.support import copies, processes
from user_management.tests.support.local_workos import KEY, URL, LocalWorkOS
from user_management.tests.support.samples import entry

SOURCE = Source(KEY, "client_sandbox", URL, sandbox=False)


@pytest.fixture(scope="module")
async def sandbox() -> AsyncIterator[str]:
    """The URL of a local WorkOS with people in it."""
    async with processes.sandbox("--users", "20", "--hold-back", "0") as url:
        yield url


def by_name(told: str) -> dict[str, Any]:
    """What a JSON report says of each thing that was checked."""
    return {one["name"]: one for one in json.loads(told)}


async def database_says(url: str) -> dict[str, Checkup]:
    """What the probes of a database say, by name."""
    settings = Settings(database_url=url)
    return {one.name: one async for one in database.probes(settings)}


async def test_all_is_well(database_url: str, pool: Pool, sandbox: str) -> None:
    """Nothing is bad, and every endpoint we list was asked."""
    command = Command(processes.settings(database_url, sandbox))
    await command.run("backfill")
    found = by_name(await command.run("doctor", "--json"))
    assert {name for name, one in found.items() if one["health"] == "bad"} == set()
    assert {"read users", "read organizations", "read events", "client id"} <= set(found)
    assert found["environment"]["found"] == "the copy is of this environment"
    assert found["clock"]["health"] == "good"


@pytest.mark.parametrize(
    ("setting", "value", "name", "fix"),
    [
        ("workos_api_key", "sk_wrong", "WorkOS key", "Copy the key"),
        ("workos_base_url", "http://127.0.0.1:9", "WorkOS", "USER_MANAGEMENT_WORKOS_BASE_URL"),
        ("workos_base_url", "{sandbox}/somewhere", "WorkOS", "USER_MANAGEMENT_WORKOS_BASE_URL"),
        ("workos_base_url", "api.workos.com", "WorkOS", "USER_MANAGEMENT_WORKOS_BASE_URL"),
        ("workos_client_id", "client_of_another", "client id", "USER_MANAGEMENT_WORKOS_CLIENT_ID"),
    ],
)
async def test_wrong_settings(  # noqa: PLR0917  one parameter for each part of a case
    database_url: str, sandbox: str, setting: str, value: str, name: str, fix: str
) -> None:
    """Each is told by name, and what to do about it; exit 1."""
    command = Command(processes.settings(database_url, sandbox, **{setting: value.format(sandbox=sandbox)}))
    found = by_name(await command.run("doctor", "--json", status=1))
    assert found[name]["health"] == "bad"
    assert fix in found[name]["fix"]


async def test_another_environment(database_url: str, pool: Pool, sandbox: str) -> None:
    """A copy of whom WorkOS does not know anybody is of somewhere else."""
    await pool.execute("INSERT INTO users (id, created_at, updated_at, position, body, email) "
                       "VALUES ('user_other', now(), now(), 1, '{}', 'o@example.com')")  # fmt: skip
    found = by_name(await Command(processes.settings(database_url, sandbox)).run("doctor", "--json", status=1))
    assert "never two environments" in found["environment"]["fix"]


async def test_a_database_that_is_away_or_empty(server: str, database_url: str) -> None:
    """Start it; migrate it."""
    away = await database_says("postgresql://127.0.0.1:9/none")
    assert "Start PostgreSQL" in away["database"].fix
    empty = await database_says(await embedded.create(server, "empty"))
    assert empty["schema"].fix == "Run: user-management migrate"
    await embedded.drop(server, "empty")


async def test_a_database_that_is_not_ours_to_write(pool: Pool, database_url: str) -> None:
    """Which privilege is missing, and for whom; read-only; not durable (as the tests' own is)."""
    await pool.execute("DROP ROLE IF EXISTS doctor_reader")
    await pool.execute("CREATE ROLE doctor_reader LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO doctor_reader")
    await pool.execute("ALTER ROLE doctor_reader SET default_transaction_read_only = on")
    found = await database_says(database_url.replace("postgres:@", "doctor_reader:@"))
    await pool.execute("DROP OWNED BY doctor_reader; DROP ROLE doctor_reader")
    assert found["privileges"].found.startswith("doctor_reader lacks INSERT on")
    assert "RESET default_transaction_read_only" in found["writes"].fix
    assert found["durability"].health is Health.DOUBTFUL
    assert "listener" in found["listener"].fix


async def test_tables_that_somebody_changed(database_url: str, pool: Pool) -> None:
    """What was dropped or altered is told as the statements that mend it; what was added is nobody's business."""
    await pool.execute("ALTER TABLE users DROP COLUMN external_id, ADD COLUMN mine int")
    await pool.execute("DROP INDEX ix_users_live; ALTER TABLE organizations ALTER external_id TYPE varchar(9)")
    await pool.execute("CREATE TABLE mine (id int PRIMARY KEY); CREATE INDEX mine_too ON users (position)")
    found = await database_says(database_url)
    *statements, then = found["tables"].fix.split(";\n")
    assert (len(statements), then) == (4, "then: user-management rebuild")
    await pool.execute(";".join(statements))
    assert (await database_says(database_url))["tables"].health is Health.GOOD


async def test_a_column_that_no_row_can_be_without(database_url: str, pool: Pool) -> None:
    """Its table is emptied first, for it is filled again from the journal; that of the journal is left alone."""
    async with transaction(pool) as connection:
        await record(connection, catalog.resources(), [entry(users, "created")])
    await pool.execute("ALTER TABLE users DROP COLUMN body CASCADE; ALTER TABLE erasures DROP COLUMN digest CASCADE")
    *statements, _ = (await database_says(database_url))["tables"].fix.split(";\n")
    assert [one for one in statements if one.startswith("TRUNCATE")] == ["TRUNCATE users"]
    await pool.execute(";".join(statements))
    assert (await database_says(database_url))["tables"].health is Health.GOOD
    async for _ in rebuild.rebuild(pool, catalog.resources()):
        pass
    await copies.assert_equal_to_journal(pool)


async def test_every_table_is_asked_for_its_privileges(pool: Pool, database_url: str) -> None:
    """Those of the mirror and the ledger too, which no probe before has looked at."""
    await pool.execute("DROP ROLE IF EXISTS doctor_writer")
    await pool.execute("CREATE ROLE doctor_writer LOGIN; GRANT ALL ON ALL TABLES IN SCHEMA public TO doctor_writer")
    await pool.execute("REVOKE DELETE ON users, writes FROM doctor_writer")
    url = database_url.replace("postgres:@", "doctor_writer:@")
    found = (await database_says(url))["privileges"]
    grant, _ = found.fix.split(";\n")
    await pool.execute(grant)
    mended = (await database_says(url))["privileges"]
    await pool.execute("DROP OWNED BY doctor_writer; DROP ROLE doctor_writer")
    assert found.found == "doctor_writer lacks DELETE on users, writes"
    assert mended.health is Health.GOOD


async def test_newer_tables_ask_for_newer_code(pool: Pool, database_url: str) -> None:
    """Migrating would not help."""
    await pool.execute("UPDATE alembic_version SET version_num = '9999'")
    found = (await database_says(database_url))["schema"]
    assert "update the code" in found.found
    assert "migrate" not in found.fix.split()


async def test_commands_on_tables_that_somebody_changed(pool: Pool, run: Run) -> None:
    """A sentence that leads to the doctor, and no traceback."""
    await pool.execute("ALTER TABLE users DROP COLUMN external_id")
    done = await asyncio.to_thread(run, "verify", "--journal")
    assert done.exit_code == 2
    assert "user-management doctor" in done.output


def test_what_is_not_good_is_summed_up() -> None:
    """By name, in the last line; what could not be looked at is no fault."""
    ill = [Checkup("clock", Health.BAD, ""), Checkup("listener", Health.DOUBTFUL, ""), Checkup("a", Health.UNKNOWN, "")]
    assert "bad: clock" in summary(ill)
    assert "doubtful: listener" in summary(ill)
    assert "Nothing is bad." in summary(ill[2:])


def test_it_fits_a_narrow_terminal() -> None:
    """Nothing is cut off at 80 columns, however long."""
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(table([Checkup("read " + "x" * 60, Health.BAD, "y" * 200, "z" * 200)]))
    told = console.export_text()
    assert [told.count(letter) for letter in "yz…"] == [200, 200, 0]


def test_database_clocks_that_differ() -> None:
    """By which way, and only by much."""
    assert database.apart("database clock", 2.0).health is Health.GOOD
    assert "90 s ahead of" in database.apart("database clock", -90.0).found


async def test_clocks_that_differ() -> None:
    """By WorkOS's `Date`."""
    clock = workos.Clock()
    await clock.note(httpx.Response(200, headers={"Date": "Sat, 21 Nov 2020 16:00:00 GMT"}))
    assert "NTP" in workos.skewed(clock.skew).fix
    assert workos.skewed(1.0).health is Health.GOOD
    assert workos.skewed(None).health is Health.UNKNOWN


async def test_a_key_that_may_not_do_everything(local: LocalWorkOS) -> None:
    """Permission is told per endpoint; an object that is refused is not the key that is refused."""

    async def refused(request: httpx.Request) -> httpx.Response:
        return httpx.Response(403, json={"message": "Forbidden"}, request=request)

    async with httpx.AsyncClient(transport=httpx.MockTransport(refused)) as http:
        forbidden = client.over(http, api_key=KEY, client_id="client_sandbox", base_url=URL)
        assert "permission to write users" in (await workos.writing(forbidden)).fix
        assert "permission to read events" in (await workos.feed(forbidden, Settings())).fix
    assert (await workos.writing(local.connection)).health is Health.GOOD


async def test_an_event_type_workos_does_not_know(local: LocalWorkOS, monkeypatch: pytest.MonkeyPatch) -> None:
    """It can be left out."""
    monkeypatch.setattr(catalog, "event_types", lambda _: ["user.created", "user.imagined"])
    assert "USER_MANAGEMENT_IGNORED_EVENT_TYPES" in (await workos.feed(local.connection, Settings())).fix


async def test_a_role_that_sees_nothing_is_told_what_it_lacks(pool: Pool, database_url: str) -> None:
    """What PostgreSQL does not let the doctor see is a finding, and no traceback."""
    await pool.execute("DROP ROLE IF EXISTS doctor_stranger")
    await pool.execute("CREATE ROLE doctor_stranger LOGIN")
    found = await database_says(database_url.replace("postgres:@", "doctor_stranger:@"))
    await pool.execute("DROP ROLE doctor_stranger")
    assert found["schema"].health is Health.BAD
    assert "GRANT" in found["schema"].fix


@pytest.mark.parametrize(("host", "where"), [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("::", "[::1]")])  # noqa: S104  what others listen on
def test_an_api_that_listens_everywhere_is_reached_here(host: str, where: str) -> None:
    """On the address of this machine, as a URL has it."""
    assert webhook.address(host) == where


async def test_a_date_that_is_none_tells_nothing() -> None:
    """The clocks are then not compared."""
    clock = workos.Clock()
    await clock.note(httpx.Response(200, headers={"Date": "today"}))
    assert clock.skew is None
