"""Connections: any PostgreSQL URL, errors that say what to do, and transactions that end as their block does."""

import asyncio
from urllib.parse import parse_qs, quote, urlsplit

import asyncpg
import pytest

from user_management.db import session
from user_management.db.session import DatabaseUnavailable, Pool
from user_management.errors import Misconfigured
from user_management.tests.support.waiting import blocked, until

PASSWORD = "p@s/w%25:rd?#[é& +'\""


@pytest.mark.parametrize(
    ("url", "netloc", "path", "query"),
    [
        ("postgresql://ada@db/app", "ada@db", "/app", {}),
        ("postgres://ada@db/app", "ada@db", "/app", {}),
        ("postgresql+asyncpg://ada@db:5433/app", "ada@db:5433", "/app", {}),
        ("postgresql:///app?host=/run/postgresql", "", "/app", {"host": ["/run/postgresql"]}),
        ("postgresql://ada@/app?host=/run/pg&port=6000", "ada@", "/app", {"host": ["/run/pg"], "port": ["6000"]}),
        ("postgresql://ada@%2Frun%2Fpg/app", "ada@%2Frun%2Fpg", "/app", {}),
        ("postgresql://ada@db/app?sslmode=require", "ada@db", "/app", {"sslmode": ["require"]}),
        ("postgresql://ada@db/app?sslmode=verify-full&sslrootcert=/ca.pem", "ada@db", "/app",
         {"sslmode": ["verify-full"], "sslrootcert": ["/ca.pem"]}),
        ("postgresql://ada@db/app?sslmode=require&channel_binding=require", "ada@db", "/app", {"sslmode": ["require"]}),
        ("postgresql://ada@db/app?connect_timeout=10&keepalives=1&gssencmode=disable", "ada@db", "/app", {}),
        ("postgresql://a:b@h1:1,h2:2/app?target_session_attrs=read-write&load_balance_hosts=random", "a:b@h1:1,h2:2",
         "/app", {"target_session_attrs": ["read-write"]}),
        ("postgresql://ada:p%40s%2Fw%25%3Ard@db/app", "ada:p%40s%2Fw%25%3Ard@db", "/app", {}),
        ("postgresql://ada:%2525@db/app", "ada:%2525@db", "/app", {}),
        ("postgresql://db/app?user=ada&password=p%40s%26w%25", "db", "/app",
         {"user": ["ada"], "password": ["p@s&w%"]}),
        ("postgresql://db/app?options=-c%20search_path%3Dx", "db", "/app", {"options": ["-c search_path=x"]}),
        ("postgresql://[::1]:5432/app", "[::1]:5432", "/app", {}),
    ],
)  # fmt: skip
def test_any_url_becomes_one_that_asyncpg_takes(url: str, netloc: str, path: str, query: dict[str, list[str]]) -> None:
    """The scheme becomes the one asyncpg knows, libpq's own parameters go, and everything else stays as it is."""
    parts = urlsplit(session.dsn(url))
    assert (parts.scheme, parts.netloc, parts.path) == ("postgresql", netloc, path)
    assert parse_qs(parts.query, strict_parsing=bool(query)) == query
    assert session.dsn(session.dsn(url)) == session.dsn(url)


async def test_an_odd_password_over_the_socket(database_url: str) -> None:
    """A password with every delimiter in it, percent-encoded, connects over the unix socket."""
    host = parse_qs(urlsplit(database_url).query)["host"][0]
    name = urlsplit(database_url).path
    admin = await session.connect(database_url)
    literal = PASSWORD.replace("'", "''")
    await admin.execute(f"CREATE ROLE odd LOGIN PASSWORD '{literal}'")
    try:
        url = f"postgres://odd:{quote(PASSWORD, safe='')}@{name}?host={quote(host, safe='')}&connect_timeout=5"
        connection = await session.connect(url, application="a test")
        assert await connection.fetchval("SELECT current_user || ' in ' || current_setting('application_name')") == (
            "odd in a test"
        )
        await connection.close()
    finally:
        await admin.execute("DROP ROLE odd")
        await admin.close()


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ada:hunter2@127.0.0.1:1/app",
        "postgresql://ada:hunter2@/app?host=/nowhere",
        "postgresql://ada:hunter2@127.0.0.1:1,127.0.0.1:2/app",
        "postgresql://ada:hunter2@database.invalid/app",
    ],
)
async def test_a_database_that_is_away_is_waited_for(url: str) -> None:
    """Nobody at the address is weather, and its message does not tell the password."""
    with pytest.raises(DatabaseUnavailable, match="The database cannot be reached: ") as raised:
        await session.connect(url)
    assert raised.value.retry_after == 1
    assert "hunter2" not in str(raised.value)


async def test_a_connection_that_breaks_is_weather_too(database_url: str) -> None:
    """As when the server is killed between the connection and the first answer."""
    with pytest.raises(DatabaseUnavailable, match="The database went away: ") as raised:
        async with session.connection(database_url) as connection:
            await connection.fetchval("SELECT pg_terminate_backend(pg_backend_pid())")
    assert raised.value.retry_after == 1
    assert connection.is_closed()


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ada:hunter2@db/app?sslmode=sometimes",
        "postgresql://ada:hunter2@db/app?target_session_attrs=odd",
        "postgresql://ada:hunter2@db:port/app",
        "postgresql://ada:hunter2@/app?host=db&port=x",
        "postgresql://ada:hunter2/x@db/app",
        "postgresql://ada:hunter2#x@db/app",
        "postgresql://ada:hunter2?x@db/app",
        "postgresql://ada:hunter2[x@db/app",
        "postgresql://ada:hunter2@h1,h2:1:2/app",
    ],
)
async def test_a_url_that_cannot_be_right_is_the_operators(url: str) -> None:
    """What no waiting cures names the variable, and never a piece of the password that was taken for a port."""
    with pytest.raises(Misconfigured, match="USER_MANAGEMENT_DATABASE_URL") as raised:
        await session.connect(url)
    assert "hunter2" not in f"{raised.value}{raised.value.__cause__}"


async def test_a_database_that_refuses_us_is_the_operators(database_url: str) -> None:
    """A database or a setting that does not exist is refused in PostgreSQL's words."""
    with pytest.raises(Misconfigured, match=r"DATABASE_URL is refused: database .*nowhere.* does not exist"):
        await session.connect(database_url.replace(urlsplit(database_url).path, "/nowhere"))
    with pytest.raises(Misconfigured, match="DATABASE_URL is refused: unrecognized configuration parameter"):
        await session.connect(f"{database_url}&no_such_setting=1")


async def test_a_transaction_ends_as_its_block_does(pool: Pool) -> None:
    """What ends well is committed; what raises leaves nothing, and its error goes on."""
    async with session.transaction(pool) as connection:
        await connection.execute("INSERT INTO checkpoints VALUES ('kept', 1)")
    with pytest.raises(asyncpg.DivisionByZeroError):
        async with session.transaction(pool) as connection:
            await connection.execute("INSERT INTO checkpoints VALUES ('lost', 1); SELECT 1 / 0")
    names = await pool.fetch("SELECT name FROM checkpoints WHERE name IN ('kept', 'lost')")
    assert [row["name"] for row in names] == ["kept"]


async def test_a_pool_survives_errors(database_url: str) -> None:
    """One connection goes on being used after a failed statement, a failed commit and a closed cursor."""
    async with session.open_pool(database_url, size=1) as pool:
        await pool.execute("CREATE TABLE pairs (id int UNIQUE DEFERRABLE INITIALLY DEFERRED)")
        first = await pool.fetchval("SELECT pg_backend_pid()")
        with pytest.raises(asyncpg.UndefinedTableError):
            async with session.transaction(pool) as connection:
                await connection.execute("SELECT * FROM nowhere")
        with pytest.raises(asyncpg.UniqueViolationError):
            async with session.transaction(pool) as connection:
                await connection.execute("INSERT INTO pairs VALUES (1), (1)")
        async with session.transaction(pool) as connection:
            async for _ in connection.cursor("SELECT generate_series(1, 1000)", prefetch=10):
                break
        assert await pool.fetchval("SELECT pg_backend_pid() FROM (SELECT count(*) FROM pairs) _") == first


async def test_a_pool_survives_a_cancelled_wait(database_url: str) -> None:
    """Giving up on a statement that waits for a lock leaves a connection that works, and no lock."""
    async with session.open_pool(database_url, size=2) as pool:
        async with session.transaction(pool) as holder:
            await holder.execute("LOCK TABLE journal IN ACCESS EXCLUSIVE MODE")
            waiting = asyncio.create_task(pool.fetchval("SELECT count(*) FROM journal"))
            await until(lambda: blocked(holder, "journal"))
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            assert await pool.fetchval("SELECT 1") == 1
        assert await pool.fetchval("SELECT count(*) FROM journal") == 0


async def test_a_pool_survives_a_lost_connection(database_url: str) -> None:
    """A connection that the server ended is replaced by the next one that is asked for."""
    async with session.open_pool(database_url, size=1) as pool:
        lost = await pool.fetchval("SELECT pg_backend_pid()")
        with pytest.raises(session.Unreachable):
            await pool.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        assert await pool.fetchval("SELECT pg_backend_pid()") != lost


async def test_a_pool_names_itself(database_url: str) -> None:
    """An administrator sees who we are."""
    async with session.open_pool(database_url, size=1, application="the-listener") as pool:
        assert await pool.fetchval("SELECT current_setting('application_name')") == "the-listener"
