"""People: a user with what belongs to them, and the users of an organization with their roles."""

from collections.abc import Sequence
from typing import Any

from asyncpg import Record
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field, create_model

from user_management.db import jsontext
from user_management.mirror.engine import access, people
from user_management.mirror.engine.access import Roles
from user_management.web import answers, freshness, links, problems
from user_management.web.api import documents, parameters, reads, routes
from user_management.web.api.parameters import Narrow
from user_management.web.dependencies import backend
from user_management.web.scopes import Scope

KEPT = ("id", "status", "role", "roles")
"""What is told of a membership beside its user."""


def add(router: APIRouter) -> None:
    """Add the route of an organization's users."""
    path = "/api/organizations/{id}/users"
    routes.add(router, path, users, Scope.READ, **of_users())


async def expand(request: Request, user_id: str, wanted: Sequence[str]) -> Response:
    """A user with what is wanted of memberships, roles and permissions."""
    statement, users = people.of_user(all_organizations=True), people.named("users")
    row = await reads.fetch(request, statement, {"user_id": user_id})
    headers = freshness.of_row(row, backend(request).stale_after)
    if row["body"] is None:
        raise reads.missing(users, "id", headers)
    if row["deleted_at"] is not None:
        raise reads.deleted(users, row, headers)
    more = expanded(row, wanted)
    return reads.single(request, users, f"{row['body'][:-1]},{jsontext.dumps(more)[1:]}", headers)


def expanded(row: Record, wanted: Sequence[str]) -> dict[str, Any]:
    """What belongs to a user; null where the copy is not sure of the roles, or of what they permit."""
    organizations = {one["id"]: one for one in people.loaded(row["organizations"])}
    memberships = people.loaded(row["memberships"])
    active = [one for one in memberships if one.get("status") == "active" and one["organization_id"] in organizations]
    held = {one["organization_id"]: roles_of(one) if row["sure"] else None for one in active}
    roles = people.roles(row)
    every: dict[str, Any] = {
        "memberships": [one | {"organization": organizations.get(one["organization_id"])} for one in memberships],
        "roles": {where: slugs and [role for slug in slugs if (role := access.in_force(roles, where, slug))]
                  for where, slugs in held.items()},
        "permissions": {where: permissions(roles, where, slugs) for where, slugs in held.items()},
    }  # fmt: skip
    return {name: every[name] for name in every if name in wanted}


def roles_of(membership: dict[str, Any]) -> list[str] | None:
    """The slugs of a membership's roles; None where they contradict each other."""
    try:
        return access.roles_of(membership)
    except access.Undecided:
        return None


def permissions(roles: Roles, organization_id: str, slugs: list[str] | None) -> list[str] | None:
    """The permissions of roles in an organization; None where a role does not say what it permits, or is not known."""
    if slugs is None:
        return None
    try:
        return sorted({one for slug in slugs for one in access.permitted(roles, organization_id, slug)})
    except access.Undecided:
        return None


def model() -> type[Narrow]:
    """The parameters of the list of an organization's users."""
    statuses = next(one for one in people.named("organization_memberships").filters if one.name == "statuses")
    fields: dict[str, Any] = {"statuses": (parameters.kind(statuses), parameters.described(statuses))}
    return create_model("OrganizationUserPage", __base__=Narrow, **fields)


async def users(request: Request) -> Response:
    """A page of an organization's users."""
    asked = parameters.asked(MODEL, request)
    organizations, organization_id, cursor = people.named("organizations"), request.path_params["id"], reads.side(asked)
    if not reads.lookable(organization_id):
        raise reads.missing(organizations, "id", {})
    statement = people.of_organization(asked.order, cursor, asked.limit + 1, offset=asked.offset is not None)
    values = {"organization_id": organization_id, "cursor": asked.after or asked.before, "offset": asked.offset}
    row = await reads.fetch(request, statement, values | {"statuses": getattr(asked, "statuses")})  # noqa: B009  made at run time
    headers = freshness.of_row(row, backend(request).stale_after)
    if row["body"] is None:
        raise reads.missing(organizations, "id", headers)
    if row["deleted_at"] is not None:
        raise reads.deleted(organizations, row, headers)
    if not row["known"]:
        raise problems.wrong(cursor or "after", "there is no organization_membership with this id")
    return listed(request, asked, row, headers)


def listed(request: Request, asked: Narrow, row: Record, headers: dict[str, str]) -> Response:
    """The page: each user as WorkOS words it, and the membership."""
    together = zip(row["bodies"] or (), row["memberships"] or (), strict=True)
    bodies, around = reads.cut(
        row["ids"] or [],
        [joined(user, membership) for user, membership in together],
        asked.limit,
        reads.side(asked),
        asked.offset or 0,
    )
    led = links.pages(request, around.before, around.after)
    content = reads.rendered(bodies, around)
    tag = answers.tagged(answers.digest(content))
    return answers.answer(content, headers | {"Link": links.header(led)}, tag=tag, tags=answers.asked_for(request)[1])


def joined(user: str, membership: str) -> str:
    """A user with the membership."""
    found = jsontext.loads(membership)
    return f'{user[:-1]},"membership":{jsontext.dumps({key: found[key] for key in KEPT if key in found})}}}'


class Membership(BaseModel):
    """Of a membership, what matters beside its user."""

    id: str
    status: str
    role: dict[str, Any] | None = None
    roles: list[dict[str, Any]] = Field([], description="All roles, where there may be several.")


def of_users() -> dict[str, Any]:
    """The description of the list of an organization's users."""
    shape = people.named("users").shape
    member = create_model("OrganizationUser", __base__=shape, membership=(Membership, ...))
    membership = {"id": "om_01E4ZCR3C56J083X43JQXF3JK6", "status": "active", "role": {"slug": "member"},
                  "roles": [{"slug": "member"}]}  # fmt: skip
    one = documents.example_of(shape) | {"membership": membership}
    ends = {"before": None, "after": "om_01E4ZCR3C56J083X43JQXF3JK6"}
    example = {"object": "list", "data": [one], "list_metadata": ends}
    path = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"},
            "example": "org_01EHWNCE74X7JSDV0X3SZ3KJNY"}  # fmt: skip
    headers = documents.FRESHNESS | documents.SAME | documents.LINKS
    return {
        "name": "list_users_of_organization",
        "operation_id": "list_users_of_organization",
        "tags": ["organizations"],
        "summary": "List the users of an organization",
        "description": "Each user with the `membership`: its id, status and roles. In order of the memberships' age, "
        "newest first unless told otherwise; the cursors are ids of memberships. Members whom WorkOS has not told of "
        "yet are left out until it does.",
        "response_model": documents.page_model(member),
        "responses": {
            200: documents.answered("A page of the list.", example, headers),
            304: documents.unchanged(),
            **documents.failures((problems.NOT_FOUND, problems.DELETED, *documents.READ), documents.FRESHNESS),
        },
        "openapi_extra": {"parameters": [path, *parameters.documented(MODEL)]},
    }


MODEL = model()
