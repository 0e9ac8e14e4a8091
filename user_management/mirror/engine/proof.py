"""The proof that the live tables are what the journal says: hashes bucket by bucket, and each difference located."""

from dataclasses import dataclass
from typing import Any

from user_management.db import jsontext
from user_management.db.session import Connection
from user_management.mirror.engine.rebuild import PATIENCE, beside
from user_management.mirror.engine.resource import SHARED_COLUMNS, Resource

BUCKETS = 256
"""Parts of a table, by the first byte of the md5 of an id, each with a hash of its own."""
MOST = 100
"""Most differences that are located in a resource; all of them are counted."""

BUCKET = "('x' || left(md5(id), 2))::bit(8)::int"


@dataclass(frozen=True, slots=True)
class Spot:
    """One row that is not as the journal says: in which bucket, and where in the row; nothing of its content."""

    id: str
    bucket: int
    where: str


@dataclass(frozen=True, slots=True)
class Proof:
    """What the hashes of a resource came to: buckets in all, those that differ, rows that do, and where."""

    resource: str
    rows: int
    differing: tuple[int, ...]
    wrong: int
    spots: tuple[Spot, ...]


def columns(resource: Resource) -> str:
    """Every column but the id, as it is hashed."""
    return ", ".join((*SHARED_COLUMNS[1:-1], *resource.columns, "body::text"))


def hashed(resource: Resource, table: str) -> str:
    """The SQL for the hash of each bucket of a table."""
    return (
        f"SELECT {BUCKET} AS bucket, count(*) AS rows, md5(string_agg(md5(ROW(id, {columns(resource)})::text), '' "
        f"ORDER BY id)) AS digest FROM {table} GROUP BY 1"
    )


async def prove(connection: Connection, resource: Resource) -> Proof:
    """Compare the live table with the one folded beside it."""
    records = await connection.fetch(
        f"SELECT bucket, coalesce(live.rows, 0) AS rows, live.digest IS DISTINCT FROM folded.digest AS differs "
        f"FROM ({hashed(resource, resource.name)}) live FULL JOIN ({hashed(resource, beside(resource))}) folded "
        "USING (bucket) ORDER BY bucket",
        timeout=PATIENCE,
    )
    differing = tuple(record["bucket"] for record in records if record["differs"])
    found = await wrong(connection, resource, differing) if differing else []
    spots = [await spot(connection, resource, record["id"], record["bucket"]) for record in found[:MOST]]
    return Proof(resource.name, sum(record["rows"] for record in records), differing, len(found), tuple(spots))


async def wrong(connection: Connection, resource: Resource, buckets: tuple[int, ...]) -> list[Any]:
    """The rows of some buckets that are not the same on both sides."""
    one = f"SELECT id, {BUCKET} AS bucket, md5(ROW({columns(resource)})::text) AS digest FROM "
    return list(
        await connection.fetch(
            f"SELECT id, bucket FROM (SELECT * FROM ({one} {resource.name}) l WHERE bucket = ANY($1::int[])) live "
            f"FULL JOIN (SELECT * FROM ({one} {beside(resource)}) f WHERE bucket = ANY($1::int[])) folded "
            "USING (id, bucket) WHERE live.digest IS DISTINCT FROM folded.digest ORDER BY bucket, id",
            list(buckets), timeout=PATIENCE,
        )
    )  # fmt: skip


async def spot(connection: Connection, resource: Resource, object_id: str, bucket: int) -> Spot:
    """Where a row differs."""
    query = f"SELECT {columns(resource)} FROM %s WHERE id = $1"
    live = await connection.fetchrow(query % resource.name, object_id)
    folded = await connection.fetchrow(query % beside(resource), object_id)
    if live is None or folded is None:
        where = "the live table has no such row" if live is None else "the journal knows no such row"
        return Spot(object_id, bucket, where)
    return Spot(object_id, bucket, "; ".join(places(dict(live), dict(folded))))


def places(live: dict[str, Any], folded: dict[str, Any]) -> list[str]:
    """The columns that differ; in the body, the keys and the first byte."""
    names = [name for name in live if name != "body" and live[name] != folded[name]]
    if live["body"] != folded["body"]:
        names.append(f"body{keys(live['body'], folded['body'])} at byte {first(live['body'], folded['body'])}")
    return names


def first(one: str, other: str) -> int:
    """The first byte, counted from 0, at which two texts differ."""
    left, right = one.encode(), other.encode()
    pairs = enumerate(zip(left, right, strict=False))
    return next((number for number, (a, b) in pairs if a != b), min(len(left), len(right)))


def keys(one: str, other: str) -> str:
    """The keys whose values differ, in brackets; nothing where a text is no JSON any more, or only worded otherwise."""
    try:
        left, right = jsontext.loads(one), jsontext.loads(other)
    except ValueError:
        return ""
    found = sorted(key for key in left.keys() | right.keys() if left.get(key) != right.get(key))
    return f" ({', '.join(found)})" if found else ""
