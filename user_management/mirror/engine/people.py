"""People: a user with memberships, organizations and roles, and the users of an organization, each in one statement."""

from functools import cache
from typing import Any

from asyncpg import Record
from sqlalchemy import ARRAY, Text, any_, bindparam, exists, func, select
from sqlalchemy.dialects.postgresql import aggregate_order_by

from user_management.db import jsontext
from user_management.journal import completeness
from user_management.mirror.engine import catalog, read, walk
from user_management.mirror.engine.access import Facts, Presence, Roles
from user_management.mirror.engine.read import Order, Statement
from user_management.mirror.engine.resource import Resource
from user_management.mirror.engine.walk import Cursor

NOTHING = "NULL::text[]"
ROLES = "(SELECT array_agg(body::text) FROM roles WHERE deleted_at IS NULL)"
OWN_ROLES = (
    "(SELECT array_agg(body::text) FROM organization_roles WHERE deleted_at IS NULL "
    "AND organization_id IN (SELECT organization_id FROM memberships))"
)
PARKED = """EXISTS (SELECT FROM failures JOIN journal USING (position) WHERE resolved_at IS NULL AND (
    resource IN ('roles', 'organization_roles') OR resource = 'organization_memberships' AND (object_id IS NULL
    OR object_id IN (SELECT id FROM memberships) OR strpos(journal.body::text, to_json($1::text)::text) > 0)))"""
"""Whether something is parked that may have changed what the user may do. Odd as it is, its JSON is not looked into."""


def named(name: str) -> Resource:
    """A resource that there must be."""
    found = catalog.by_name(name)
    if found is None:
        raise AssertionError(f"there is no resource {name}")
    return found


def knows_roles() -> bool:
    """Whether the copy has roles at all."""
    return all(catalog.by_name(name) for name in ("roles", "organization_roles"))


@cache
def of_user(*, all_organizations: bool) -> Statement:
    """A user, the memberships (of one organization, or all), their organizations, and the roles that may matter.

    They are `sure` if the copy holds all roles, and nothing about them or the memberships is parked.
    """
    only = "" if all_organizations else " AND organization_id = $2"
    of = "" if all_organizations else " OR id = $2"
    roles, own = (ROLES, OWN_ROLES) if knows_roles() else (NOTHING, NOTHING)
    complete = " AND ".join(map(whole, ("roles", "organization_roles"))) if knows_roles() else "false"
    fresh = read.reached(named("organization_memberships")).text
    text = f"""/* access */ WITH memberships AS MATERIALIZED (
        SELECT id, created_at, organization_id, body::text AS body FROM organization_memberships
        WHERE user_id = $1 AND deleted_at IS NULL{only}
    ), organization AS MATERIALIZED (
        SELECT id, deleted_at, body::text AS body FROM organizations
        WHERE id IN (SELECT organization_id FROM memberships){of}
    ) SELECT one.*, fresh.* FROM (SELECT
        (SELECT body::text FROM users WHERE id = $1) AS body,
        (SELECT deleted_at FROM users WHERE id = $1) AS deleted_at,
        (SELECT array_agg(body ORDER BY created_at, id) FROM memberships) AS memberships,
        (SELECT array_agg(body) FROM organization WHERE deleted_at IS NULL) AS organizations,
        (SELECT array_agg(id) FROM organization WHERE deleted_at IS NOT NULL) AS ended,
        {roles} AS roles, {own} AS own_roles,
        coalesce({complete}, false) AND NOT {PARKED} AS sure
    ) one, ({fresh}) fresh"""
    return Statement(text, ("user_id",) if all_organizations else ("user_id", "organization_id"))


def whole(name: str) -> str:
    """The condition that the copy holds all of a resource."""
    return completeness.condition(name, named(name).events)


def presence(present: bool, ended: bool) -> Presence:
    """Whether there is such an object."""
    return Presence.DELETED if ended else Presence.LIVE if present else Presence.ABSENT


def loaded(bodies: list[str] | None) -> list[dict[str, Any]]:
    """Objects from their JSON."""
    return [jsontext.loads(body) for body in bodies or ()]


def roles(row: Record) -> Roles:
    """The roles of a row of `of_user`."""
    environment = {(None, str(one.get("slug"))): one for one in loaded(row["roles"])}
    own = {(one["organization_id"], str(one.get("slug"))): one for one in loaded(row["own_roles"])}
    return {**environment, **own}


def facts(row: Record, organization_id: str) -> Facts:
    """What a row of `of_user` says about an organization."""
    known = {one["id"] for one in loaded(row["organizations"])}
    return Facts(
        loaded(row["memberships"]),
        roles(row),
        user=presence(row["body"] is not None, row["deleted_at"] is not None),
        organization=presence(organization_id in known, organization_id in (row["ended"] or ())),
    )


@cache
def of_organization(order: Order, cursor: Cursor | None, count: int, *, offset: bool = False) -> Statement:
    """A page of an organization's memberships (`ids`, `memberships`) and their users (`bodies`), by membership's age.

    `body` and `deleted_at` are the organization's, null where there is none.
    """
    memberships, users, organizations = (
        named(name).table for name in ("organization_memberships", "users", "organizations")
    )
    backwards = (order == "desc") != (cursor == "before")
    alive = exists().where(users.c.id == memberships.c.user_id, users.c.deleted_at.is_(None))
    within = [
        memberships.c.deleted_at.is_(None),
        memberships.c.organization_id == bindparam("organization_id", type_=Text),
    ]
    within += [memberships.c.status == any_(bindparam("statuses", type_=ARRAY(Text))), alive]
    if cursor:
        within.append(walk.beyond(named("organization_memberships"), backwards=backwards))
    key = (
        memberships.c.id,
        memberships.c.created_at,
        memberships.c.user_id,
        memberships.c.body.cast(Text).label("body"),
    )
    way = select(*key).where(*within).order_by(*walk.steps(memberships.c, backwards=backwards))
    rows = way.limit(walk.number(count)).offset(walk.skipped(offset=offset)).subquery("rows")
    in_order = walk.steps(rows.c, backwards=order == "desc")
    listed = (
        select(
            func.array_agg(aggregate_order_by(rows.c.id, *in_order)).label("ids"),
            func.array_agg(aggregate_order_by(rows.c.body, *in_order)).label("memberships"),
            func.array_agg(aggregate_order_by(users.c.body.cast(Text), *in_order)).label("bodies"),
        )
        .select_from(rows.join(users, users.c.id == rows.c.user_id))
        .subquery("listed")
    )
    wanted = organizations.c.id == bindparam("organization_id", type_=Text)
    mine = [
        select(value).where(wanted).scalar_subquery().label(name)
        for name, value in (("body", organizations.c.body.cast(Text)), ("deleted_at", organizations.c.deleted_at))
    ]
    known = walk.known(named("organization_memberships"), cursor)
    whole = select(listed, known, *mine, *read.freshness(named("organization_memberships")))
    return read.compiled(whole, "list users of an organization")
