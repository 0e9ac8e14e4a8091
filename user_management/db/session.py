"""Connections and transactions: opened at the edge, handed down, committed here and nowhere else."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import asyncpg

from user_management.errors import Misconfigured, Wait
from user_management.telemetry import metrics, spans

if TYPE_CHECKING:
    Pool: TypeAlias = asyncpg.Pool[asyncpg.Record]
    Connection: TypeAlias = asyncpg.Connection[asyncpg.Record] | asyncpg.pool.PoolConnectionProxy[asyncpg.Record]
else:
    Pool = asyncpg.Pool
    Connection = asyncpg.Connection | asyncpg.pool.PoolConnectionProxy

LIBPQ_ONLY = frozenset(
    "channel_binding connect_timeout fallback_application_name gssdelegation gssencmode keepalives keepalives_count "
    "keepalives_idle keepalives_interval load_balance_hosts replication require_auth requirepeer sslcertmode "
    "max_protocol_version min_protocol_version sslcompression sslcrldir sslkeylogfile sslsni tcp_user_timeout".split()
)
"""Parameters libpq knows and PostgreSQL does not: asyncpg would send them to the server as settings."""

Unreachable = (OSError, TimeoutError, asyncpg.InterfaceError, asyncpg.InternalClientError,
               asyncpg.PostgresConnectionError,
               asyncpg.CannotConnectNowError, asyncpg.AdminShutdownError, asyncpg.CrashShutdownError,
               asyncpg.TooManyConnectionsError, asyncpg.ReadOnlySQLTransactionError,
               asyncpg.InsufficientResourcesError, asyncpg.QueryCanceledError)  # fmt: skip
"""What asyncpg raises when the database is away, restarting, read-only, full or too slow: wait and try again."""


CLOSING = 10.0
"""Seconds after which a database that does not part from us is left."""


class DatabaseUnavailable(Wait):
    """The database cannot be reached."""


UNREADABLE = "USER_MANAGEMENT_DATABASE_URL cannot be read (percent-encode odd characters of the password)."


def dsn(url: str) -> str:
    """The URL as asyncpg takes it, from any libpq-style PostgreSQL URL; `Misconfigured` if it is none."""
    try:
        parts = urlsplit(url)
    except ValueError:  # its words may be a piece of the password: an unencoded `/` makes one the port
        raise Misconfigured(UNREADABLE) from None
    query = [(key, value) for key, value in parse_qsl(parts.query) if key not in LIBPQ_ONLY]
    return urlunsplit(parts._replace(scheme="postgresql", query=urlencode(query)))


async def connect(url: str, *, application: str = "user-management") -> Connection:
    """One connection outside any pool; `DatabaseUnavailable` or `Misconfigured` when there is none."""
    try:
        return await asyncpg.connect(dsn(url), timeout=10, server_settings={"application_name": application})
    except asyncpg.ClientConfigurationError as error:  # an InterfaceError, but not one that waiting cures
        raise Misconfigured(f"USER_MANAGEMENT_DATABASE_URL is refused: {error}") from error
    except Unreachable as error:
        raise DatabaseUnavailable(f"The database cannot be reached: {error}", retry_after=1) from error
    except asyncpg.PostgresError as error:
        raise Misconfigured(f"USER_MANAGEMENT_DATABASE_URL is refused: {error}") from error
    except ValueError:  # likewise
        raise Misconfigured(UNREADABLE) from None


@asynccontextmanager
async def connection(url: str, *, application: str = "user-management") -> AsyncIterator[Connection]:
    """One connection outside any pool, closed on the way out; `DatabaseUnavailable` also if it breaks meanwhile."""
    connection = await connect(url, application=application)
    try:
        yield connection
    except Unreachable as error:
        raise DatabaseUnavailable(f"The database went away: {error}", retry_after=1) from error
    finally:
        await connection.close(timeout=CLOSING)


async def keep(_connection: Connection) -> None:
    """Return a connection to its pool as it is: ours hold no session state, so no round trip is spent on a reset."""


@asynccontextmanager
async def open_pool(url: str, *, size: int, application: str = "user-management") -> AsyncIterator[Pool]:
    """A pool of up to `size` connections, each opened when it is first needed and closed on the way out."""
    pool = asyncpg.create_pool(
        dsn(url), min_size=0, max_size=size, reset=keep, command_timeout=60,
        server_settings={"application_name": application},
    )  # fmt: skip
    async with pool:
        metrics.pool.look = lambda: metrics.PoolUse(
            used=pool.get_size() - pool.get_idle_size(), idle=pool.get_idle_size(), most=pool.get_max_size()
        )
        try:
            yield pool
        finally:
            metrics.pool.look = None


LONGEST_LOOK = 30.0
"""Seconds after which a look at a database that hangs is given up."""


class Aside:
    """One connection beside the pool, for those who watch: it is there when the pool has none left."""

    def __init__(self, url: str, application: str) -> None:
        self.url, self.application = url, application
        self.connection: Connection | None = None

    @asynccontextmanager
    async def one(self) -> AsyncIterator[Connection]:
        """The connection, opened if it is not; after any error a new one is opened the next time."""
        if self.connection is None or self.connection.is_closed():
            self.connection = await connect(self.url, application=self.application)
        try:
            async with asyncio.timeout(LONGEST_LOOK):
                yield self.connection
        except BaseException:
            self.end()
            raise

    def end(self) -> None:
        """Close it without waiting for anybody."""
        if self.connection is not None:
            self.connection.terminate()
            self.connection = None

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Close it when the block ends."""
        try:
            yield
        finally:
            self.end()


@asynccontextmanager
async def transaction(pool: Pool) -> AsyncIterator[Connection]:
    """One transaction on a connection of the pool: committed when the block ends, rolled back when it raises."""
    async with pool.acquire() as connection:
        with spans.queries(connection):
            async with connection.transaction():
                yield connection
