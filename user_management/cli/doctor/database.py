"""The database: reachable, new enough, ours to write, with the tables this code needs, and followed."""

from collections.abc import AsyncIterator, Awaitable, Sequence
from datetime import UTC, datetime

import asyncpg

from user_management import settings as configuration
from user_management.cli.doctor.checkup import Checkup, bad, doubtful, good
from user_management.db import schema, session
from user_management.db.session import Connection
from user_management.errors import Misconfigured, Wait
from user_management.listener import lease
from user_management.mirror.engine import catalog
from user_management.settings import Settings

OLDEST = 13
"""The oldest PostgreSQL that has everything we ask for."""

SKEW = 30.0
"""Seconds by which clocks may differ."""
NAMED = 3
"""Tables that are named where many lack the same; the fix names all."""
RIGHTS = ("SELECT", "INSERT", "UPDATE", "DELETE")


async def probes(settings: Settings) -> AsyncIterator[Checkup]:
    """Every probe of the database, as far as it can be reached."""
    try:
        url = configuration.database_url(settings)
        connection = await session.connect(url, application="user-management-doctor")
    except Misconfigured as error:
        yield bad("database", str(error), "Correct USER_MANAGEMENT_DATABASE_URL: host, port, name, user, password.")
        return
    except Wait as error:
        yield bad("database", str(error), "Start PostgreSQL, or correct host and port in USER_MANAGEMENT_DATABASE_URL.")
        return
    try:
        yield await version(connection)
        yield await writable(connection)
        yield await durable(connection)
        yield await timed(connection)
        revision = await tried("schema", migrated(connection))
        yield revision
        if revision.fix:
            return
        tables = await tried("tables", unchanged(url))
        yield tables
        if not tables.fix:
            yield await tried("privileges", privileges(connection))
            yield await tried("listener", followed(connection))
    finally:
        await connection.close()


async def tried(name: str, probe: Awaitable[Checkup]) -> Checkup:
    """What a probe says; what PostgreSQL does not let it see is a finding, too."""
    try:
        return await probe
    except asyncpg.InsufficientPrivilegeError as error:
        return bad(name, str(error), "GRANT it to the role of USER_MANAGEMENT_DATABASE_URL, or connect as the owner.")


async def version(connection: Connection) -> Checkup:
    """Whether PostgreSQL is new enough, and keeps any character."""
    number = connection.get_server_version()
    encoding = await connection.fetchval("SHOW server_encoding")
    if number.major < OLDEST:
        return bad("PostgreSQL", f"version {number.major}", f"Use PostgreSQL {OLDEST} or newer.")
    if encoding != "UTF8":
        return bad("PostgreSQL", f"encoding {encoding}", "Create the database with ENCODING 'UTF8'.")
    return good("PostgreSQL", f"version {await connection.fetchval('SHOW server_version')}, {encoding}")


async def writable(connection: Connection) -> Checkup:
    """Whether it is a primary that takes writes."""
    standby, read_only = (
        await connection.fetchval("SELECT pg_is_in_recovery()"),
        await connection.fetchval("SHOW default_transaction_read_only"),
    )
    if standby:
        return bad("writes", "this is a standby", "Point USER_MANAGEMENT_DATABASE_URL at the primary.")
    if read_only == "on":
        return bad("writes", "read-only by default", "ALTER DATABASE … RESET default_transaction_read_only")
    return good("writes", "accepted")


async def durable(connection: Connection) -> Checkup:
    """Whether what is committed survives a power cut."""
    off = [
        name
        for name in ("fsync", "synchronous_commit", "full_page_writes")
        if await connection.fetchval(f"SHOW {name}") == "off"
    ]
    if off:
        fix = "Turn it on: with it off, a power cut can lose events that the cursor has passed."
        return doubtful("durability", f"{', '.join(off)} off", fix)
    return good("durability", "fsync, synchronous_commit and full_page_writes are on")


async def timed(connection: Connection) -> Checkup:
    """Whether the database's clock, by which ages are told, agrees with this machine's."""
    found: datetime = await connection.fetchval("SELECT clock_timestamp()")
    return apart("database clock", (datetime.now(UTC) - found).total_seconds())


def apart(name: str, seconds: float) -> Checkup:
    """Whether two clocks are close enough."""
    if abs(seconds) <= SKEW:
        return good(name, f"within {abs(seconds):.0f} s of this machine's")
    way = "behind" if seconds > 0 else "ahead of"
    fix = "Let NTP set both clocks: delays of events are told wrongly, and either may be the wrong one."
    return doubtful(name, f"{abs(seconds):.0f} s {way} this machine's", fix)


async def migrated(connection: Connection) -> Checkup:
    """Whether the schema is the one this code needs."""
    try:
        await schema.check(connection)
    except Misconfigured as error:
        ahead = await schema.current(connection) not in {None, *schema.revisions()}
        fix = "Run the release that migrated it, or a newer one." if ahead else "Run: user-management migrate"
        return bad("schema", str(error), fix)
    return good("schema", f"revision {await schema.current(connection)}")


async def unchanged(url: str) -> Checkup:
    """Whether the tables are as the migrations made them: nobody dropped or altered what is ours."""
    statements = await schema.drift(url, {resource.name for resource in catalog.resources()})
    if statements:
        found = f"not as the migrations made them; {len(statements)} statement(s) mend it"
        return bad("tables", found, ";\n".join([*statements, "then: user-management rebuild"]))
    return good("tables", "as the migrations made them")


async def privileges(connection: Connection) -> Checkup:
    """Whether this role may do with every table what we do, and make temporary ones."""
    tables = [table.name for table in schema.declared().sorted_tables]
    lacking = {right: [name for name in tables if not await allowed(connection, name, right)] for right in RIGHTS}
    role, database = await connection.fetchval("SELECT (quote_ident(current_user), quote_ident(current_database()))")
    grants = [f"GRANT {right} ON {', '.join(names)} TO {role}" for right, names in lacking.items() if names]
    told = [f"{right} on {shortened(names)}" for right, names in lacking.items() if names]
    if not await connection.fetchval("SELECT has_database_privilege(current_database(), 'TEMPORARY')"):
        grants.append(f"GRANT TEMPORARY ON DATABASE {database} TO {role}")
        told.append("TEMPORARY on the database")
    if told:
        return bad("privileges", f"{role} lacks {'; '.join(told)}", ";\n".join([*grants, "or connect as the owner"]))
    return good("privileges", "read and write on every table, temporary tables")


def shortened(names: Sequence[str]) -> str:
    """Some names, and how many more there are."""
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")


async def allowed(connection: Connection, table: str, right: str) -> bool:
    """Whether our role has a right on a table."""
    found: bool = await connection.fetchval("SELECT has_table_privilege($1, $2)", table, right)
    return found


async def followed(connection: Connection) -> Checkup:
    """Whether a listener is at work."""
    holder = await lease.holder(connection)
    if holder is None:
        return doubtful("listener", "none at work", "Start one: python -m user_management.listener")
    return good("listener", holder)
