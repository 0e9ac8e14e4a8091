"""The statements that read: one for each combination of filters, order and cursor, written once and kept as text.

Each answers with one row that holds everything a reply needs from one snapshot: the objects as the JSON that is
served, and how fresh they are.
"""

import operator
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, reduce
from typing import Any, Literal, TypeAlias

from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    Subquery,
    Text,
    bindparam,
    column,
    func,
    literal_column,
    select,
    table,
    true,
)
from sqlalchemy.dialects.postgresql import aggregate_order_by, asyncpg

from user_management.db.base import table_of
from user_management.journal.checkpoints import CheckpointRow
from user_management.journal.cursor import CursorRow
from user_management.mirror.engine import walk
from user_management.mirror.engine.resource import Embed, Resource
from user_management.mirror.engine.walk import Cursor

Order: TypeAlias = Literal["asc", "desc"]

CURSOR = table_of(CursorRow)
CHECKPOINTS = table_of(CheckpointRow)
ONE = literal_column("1", Integer)
INSTANT = r'\"YYYY-MM-DD"T"HH24:MI:SS.MS"Z"\"'
"""A timestamp as a JSON string, in WorkOS's form."""


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL with `$n` parameters, and the names of the values they stand for."""

    text: str
    names: tuple[str, ...]

    def bind(self, values: Mapping[str, Any]) -> list[Any]:
        """The values in the order of the parameters."""
        return [values[name] for name in self.names]


@cache
def page(
    resource: Resource,
    filters: tuple[str, ...],
    order: Order,
    cursor: Cursor | None,
    count: int,
    *,
    include_deleted: bool,
    offset: bool = False,
    counted: bool = False,
) -> Statement:
    """Up to `count` objects on one side of the object `cursor`: their `ids` and `bodies` in the order of the list.

    `known` says whether the cursor's object exists, `version` changes with any of the rows, and `total` is how many
    objects the whole list has if it is to be `counted`. With `offset` that many are skipped.
    """
    backwards = (order == "desc") != (cursor == "before")
    rows = walk.rows(
        resource, filters, cursor, count, backwards=backwards, offset=offset, include_deleted=include_deleted
    )
    bodies = served(resource, rows, include_deleted=include_deleted)
    in_order = walk.steps(rows.c, backwards=order == "desc")
    listed = select(
        func.array_agg(aggregate_order_by(rows.c.id, *in_order)).label("ids"),
        func.array_agg(aggregate_order_by(bodies, *in_order)).label("bodies"),
        func.bit_xor(func.hashtextextended(rows.c.id, rows.c.version)).label("version"),
    ).subquery("listed")
    total = walk.counted(resource, filters, include_deleted=include_deleted).scalar_subquery().label("total")
    more = [total] if counted else []
    known = walk.known(resource, cursor)
    return compiled(select(listed, known, *more, *freshness(resource)), f"list {resource.name}")


@cache
def estimated(resource: Resource, filters: tuple[str, ...], *, include_deleted: bool) -> Statement:
    """How PostgreSQL would read a whole list, as JSON: its plan estimates how many objects that are."""
    whole = walk.counted(resource, filters, include_deleted=include_deleted).with_only_columns(resource.table.c.id)
    found = compiled(whole, f"estimate {resource.name}")
    return Statement(f"EXPLAIN (FORMAT JSON) {found.text}", found.names)


@cache
def one(resource: Resource, by: str, *, include_deleted: bool) -> Statement:
    """The object whose column `by` is `value`, tombstones included: its `body`, null without one, and `deleted_at`."""
    source = resource.table
    wanted = source.c[by] == bindparam("value", type_=Text)
    latest = (source.c.deleted_at.is_(None).desc(), source.c.created_at.desc())
    rows = select(*walk.columns(resource)).where(wanted).order_by(*latest).limit(ONE).subquery("rows")
    body = served(resource, rows, include_deleted=include_deleted).label("body")
    found = select(body, rows.c.deleted_at).subquery("found")
    always = select(*freshness(resource)).subquery("freshness")
    return compiled(select(found, always).select_from(always.outerjoin(found, true())), f"get {resource.object}")


@cache
def reached(resource: Resource) -> Statement:
    """How fresh a resource is, for an answer that takes several statements of one snapshot."""
    return compiled(select(*freshness(resource)), f"reached {resource.name}")


def compiled(query: Select[Any], name: str) -> Statement:
    """The statement as asyncpg takes it, under the name that traces and `pg_stat_activity` show."""
    found = query.compile(dialect=asyncpg.dialect())  # type: ignore[no-untyped-call]  # SQLAlchemy's dialects are untyped
    return Statement(f"/* {name} */ {found}", tuple(found.positiontup or ()))


def served(resource: Resource, rows: Subquery, *, include_deleted: bool) -> ColumnElement[str]:
    """The object as it is served: its own JSON, then the keys composed from its parents and from its end."""
    keys = [(embed.key, parent(embed, rows)) for embed in resource.embeds]
    if include_deleted:
        keys.append(("deleted_at", func.to_char(func.timezone(piece("UTC"), rows.c.deleted_at), piece(INSTANT))))
    if not keys:
        return rows.c.body
    parts = [func.left(rows.c.body, literal_column("-1")), *(added(key, value) for key, value in keys), piece("}")]
    return reduce(operator.add, parts)


def composed(resource: Resource) -> bool:
    """Whether an object is served with keys that its row's version says nothing of."""
    return bool(resource.embeds or resource.passing)


def parent(embed: Embed, rows: Subquery) -> ColumnElement[str]:
    """What a key is composed of: an expression over the live parent that a row names."""
    source = table(embed.table, column("id"), column("deleted_at"))
    live = select(literal_column(embed.value, Text)).select_from(source)
    return live.where(source.c.id == rows.c[embed.by], source.c.deleted_at.is_(None)).scalar_subquery()


def added(key: str, value: ColumnElement[str]) -> ColumnElement[str]:
    """The piece that adds a key to a JSON object, or nothing when there is no value."""
    return func.coalesce(piece(f',"{key}":') + value, piece(""))


def piece(words: str) -> ColumnElement[str]:
    """Words of ours as an SQL literal."""
    return literal_column(f"'{words}'", Text)


def freshness(resource: Resource) -> list[ColumnElement[Any]]:
    """How far the copy and this resource are, and the time it is; there, as nulls, even before anything was read."""
    reached = select(CHECKPOINTS.c.position).where(CHECKPOINTS.c.name == piece(resource.name))
    return [
        select(CURSOR.c.drained_at).scalar_subquery().label("drained_at"),
        select(CURSOR.c.ready_at).scalar_subquery().label("ready_at"),
        reached.scalar_subquery().label("position"),
        func.clock_timestamp().label("now"),
    ]
