"""The schema: the tables the code declares are those the migrations make, and a wrong one is refused."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
from alembic import command

from user_management.db import embedded, schema, session
from user_management.errors import Misconfigured

ROOT = Path(__file__).parents[3]
RUN = r"Run: alembic upgrade head"
COLUMNS = (
    "SELECT coalesce(string_agg(table_name || '.' || column_name, ' ' ORDER BY table_name, column_name), '') "
    "FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> 'alembic_version'"
)


@pytest.fixture
async def empty(server: str, database_url: str) -> AsyncIterator[str]:
    """The URL of a database without any table."""
    name = f"{urlsplit(database_url).path[1:]}_empty"
    yield await embedded.create(server, name)
    await embedded.drop(server, name)


async def check(url: str) -> None:
    """Hold a database against what the code expects."""
    connection = await session.connect(url)
    try:
        await schema.check(connection)
    finally:
        await connection.close()


async def columns(url: str) -> str:
    """The columns of our tables in a database."""
    connection = await session.connect(url)
    try:
        return str(await connection.fetchval(COLUMNS))
    finally:
        await connection.close()


async def alembic(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """What the `alembic` command does where an operator runs it."""
    return await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "alembic", *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


async def test_the_migrations_make_what_the_code_declares(database_url: str) -> None:
    """Alembic finds nothing to add, drop or change between the migrated database and the declared tables."""
    await asyncio.to_thread(command.check, schema.config(database_url))
    await check(database_url)


async def test_every_table_is_known_whoever_asks(database_url: str) -> None:
    """Also to a process that has imported none of the modules which declare them, as a command has."""
    script = "from user_management.db import schema; print(*schema.declared().tables)"
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    connection = await session.connect(database_url)
    rows = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    await connection.close()
    assert {*done.stdout.split(), "alembic_version"} == {row["tablename"] for row in rows}


async def test_down_and_up_again(database_url: str) -> None:
    """Every migration can be taken back and made again."""
    before = await columns(database_url)
    await schema.downgrade(database_url, "base")
    assert not await columns(database_url)
    await schema.upgrade(database_url)
    assert await columns(database_url) == before
    await asyncio.to_thread(command.check, schema.config(database_url))


async def test_every_step_down_and_up(database_url: str) -> None:
    """Each single migration takes back exactly what it made."""
    while before := await columns(database_url):
        await schema.downgrade(database_url, "-1")
        assert await columns(database_url) != before
    await schema.upgrade(database_url)
    await check(database_url)


async def test_an_empty_database_is_refused(empty: str) -> None:
    """Whoever starts on an empty database reads what to run."""
    with pytest.raises(Misconfigured, match=rf"revision \(none\) and this code needs .*{RUN}"):
        await check(empty)


async def test_an_older_schema_is_refused(database_url: str) -> None:
    """Whoever starts new code on an old schema reads both revisions and what to run."""
    await schema.downgrade(database_url, "0001")
    with pytest.raises(Misconfigured, match=rf"revision 0001 and this code needs {schema.expected()}\. {RUN}"):
        await check(database_url)


async def test_the_schema_of_newer_code_is_refused(database_url: str) -> None:
    """Old code does not run on a schema it has never seen."""
    connection = await session.connect(database_url)
    await connection.execute("UPDATE alembic_version SET version_num = '9999'")
    await connection.close()
    with pytest.raises(Misconfigured, match="revision 9999"):
        await check(database_url)


async def test_the_command_an_operator_runs(empty: str) -> None:
    """`alembic upgrade head` reads the same variable as every other command, and makes the schema."""
    done = await alembic("upgrade", "head", USER_MANAGEMENT_DATABASE_URL=empty)
    assert done.returncode == 0, done.stderr
    await check(empty)


async def test_a_percent_sign_in_the_url(empty: str) -> None:
    """A `%` of an encoded password is no interpolation of an ini file."""
    parts = urlsplit(empty)
    url = parts._replace(netloc=f"postgres:{quote('50%(off)s%/@', safe='')}@").geturl()
    done = await alembic("upgrade", "head", USER_MANAGEMENT_DATABASE_URL=url)
    assert done.returncode == 0, done.stderr
    await schema.downgrade(url, "base")
    await schema.upgrade(url)
    await check(url)


async def test_a_migration_without_a_database(tmp_path: Path) -> None:
    """Without a URL the command ends with the sentence that says so."""
    done = await alembic("upgrade", "head", USER_MANAGEMENT_DATABASE_URL="postgresql://ada:hunter2/x@db/app")
    assert done.returncode != 0
    assert "USER_MANAGEMENT_DATABASE_URL cannot be read" in done.stderr
    assert "hunter2" not in done.stderr
