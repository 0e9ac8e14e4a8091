"""The way along a list: from its end or from a cursor's object on, in order of age.

A walk along the keyset index is all that most lists need. What a *sparse* filter finds lies scattered over it: where
much is found the walk soon has its page, where little is found it would read the whole table. So it is given up after
`NEAR` rows, and what the filter finds is then taken from the filter's own index and sorted. Which way is right is
seen, not estimated: PostgreSQL takes every prefix of a word to be common.
"""

from functools import cache
from typing import Any, Literal, TypeAlias

from sqlalchemy import (
    CTE,
    BindParameter,
    ColumnElement,
    Integer,
    Select,
    Subquery,
    Text,
    and_,
    bindparam,
    case,
    false,
    func,
    literal_column,
    select,
    true,
    tuple_,
    union,
)

from user_management.mirror.engine import filters, passing
from user_management.mirror.engine.resource import Resource

Cursor: TypeAlias = Literal["after", "before"]

NEAR = 5000
"""Rows that are walked along before a sparse filter is looked up: some milliseconds."""


def columns(resource: Resource) -> list[ColumnElement[Any]]:
    """What is needed of a row: its place in the list, its JSON, its version, and the parents it embeds."""
    names = dict.fromkeys(["id", "created_at", "deleted_at", *(embed.by for embed in resource.embeds)])
    body = passing.body(resource).label("body")
    return [*(resource.table.c[name] for name in names), body, version(resource)]


def version(resource: Resource) -> ColumnElement[int]:
    """What changes whenever a row does, in whichever way: the transaction that wrote it, and its entry."""
    return literal_column(f"hashint8extended({resource.name}.position, {resource.name}.xmin::text::bigint)").label(
        "version"
    )


def rows(
    resource: Resource,
    names: tuple[str, ...],
    cursor: Cursor | None,
    count: int,
    *,
    backwards: bool,
    offset: bool = False,
    include_deleted: bool = False,
) -> Subquery:
    """Up to `count` rows of a list narrowed by the filters of these names, behind the cursor's object or an offset."""
    within = [*living(resource, include_deleted=include_deleted), *filters.conditions(resource, names, sparse=False)]
    if cursor:
        within.append(beyond(resource, backwards=backwards))
    if sparse := filters.conditions(resource, names, sparse=True):
        hit = and_(*filters.conditions(resource, names, sparse=True, at_hand=True))
        picked = scattered(
            resource, within, sparse, hit=hit, count=number(count), skip=skipped(offset=offset), backwards=backwards
        )
        return select(*columns(resource)).join(picked, picked.c.id == resource.table.c.id).subquery("rows")
    walk = select(*columns(resource)).where(*within).order_by(*steps(resource.table.c, backwards=backwards))
    return walk.limit(number(count)).offset(skipped(offset=offset)).subquery("rows")


def scattered(
    resource: Resource,
    within: list[ColumnElement[bool]],
    sparse: list[ColumnElement[bool]],
    *,
    hit: ColumnElement[bool],
    count: ColumnElement[int],
    skip: BindParameter[int] | None,
    backwards: bool,
) -> Subquery:
    """The places of a page of what sparse filters find: near at hand if a page of it is, else looked up."""
    source = resource.table
    enough: ColumnElement[int] = count if skip is None else count + skip
    key = (source.c.id, source.c.created_at)
    walk = select(*key).where(*within).order_by(*steps(source.c, backwards=backwards))
    looked = walk.add_columns(hit.label("hit")).limit(number(NEAR)).subquery("looked")
    hits = select(looked.c.id, looked.c.created_at).where(looked.c.hit)
    near = hits.order_by(*steps(looked.c, backwards=backwards)).limit(enough).cte("near").prefix_with("MATERIALIZED")
    more = select(true()).select_from(walk.offset(number(NEAR)).limit(number(1)).subquery("more")).scalar_subquery()
    lacking = case((select(func.count()).select_from(near).scalar_subquery() >= enough, false()), else_=more)
    far = select(*key).where(*within, *sparse, lacking).cte("far").prefix_with("MATERIALIZED")
    either = union(select(near.c.id, near.c.created_at), select(far.c.id, far.c.created_at)).subquery("either")
    found = select(either.c.id).order_by(*steps(either.c, backwards=backwards))
    return found.limit(count).offset(skip).subquery("picked")


def living(resource: Resource, *, include_deleted: bool) -> list[ColumnElement[bool]]:
    """The condition that an object is not deleted, where that matters."""
    return [] if include_deleted else [resource.table.c.deleted_at.is_(None)]


def beyond(resource: Resource, *, backwards: bool) -> ColumnElement[bool]:
    """The condition that an object comes after the cursor's on the way."""
    here, there = tuple_(resource.table.c.created_at, resource.table.c.id), position(resource)
    found: ColumnElement[bool] = here < there if backwards else here > there
    return found


def steps(rows: Any, *, backwards: bool) -> list[ColumnElement[Any]]:
    """The order of the way."""
    return [key.desc() if backwards else key.asc() for key in (rows.created_at, rows.id)]


def number(count: int) -> ColumnElement[int]:
    """A number as an SQL literal: it stands in the text, for PostgreSQL plans once for a known number."""
    return literal_column(str(count), Integer)


def skipped(*, offset: bool) -> BindParameter[int] | None:
    """How many rows of the list are skipped, if any."""
    return bindparam("offset", type_=Integer) if offset else None


def cursor_id() -> BindParameter[str]:
    """The id of the cursor's object."""
    return bindparam("cursor", type_=Text)


@cache
def place(resource: Resource) -> CTE:
    """Where the cursor's object stands, looked up once; tombstones keep their place."""
    row = resource.table.alias("cursor_row")
    return select(row.c.created_at).where(row.c.id == cursor_id()).cte("place")


def position(resource: Resource) -> Any:
    """The cursor's place in the list, to be compared with."""
    return tuple_(select(place(resource).c.created_at).scalar_subquery(), cursor_id())


def known(resource: Resource, cursor: Cursor | None) -> ColumnElement[bool]:
    """Whether the cursor's object exists."""
    found = true() if cursor is None else select(place(resource).c.created_at).scalar_subquery().is_not(None)
    return found.label("known")


def counted(resource: Resource, names: tuple[str, ...], *, include_deleted: bool) -> Select[Any]:
    """How many objects there are in a list narrowed by the filters of these names."""
    both = (filters.conditions(resource, names, sparse=sparse) for sparse in (False, True))
    within = [*living(resource, include_deleted=include_deleted), *(one for some in both for one in some)]
    return select(func.count()).select_from(resource.table).where(*within)
