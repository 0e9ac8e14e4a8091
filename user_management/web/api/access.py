"""Access: what a user may do in an organization, and whether that is one thing in particular."""

from typing import Any, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from user_management.db import jsontext
from user_management.mirror.engine import people
from user_management.mirror.engine.access import Presence, Reason
from user_management.web import answers, authority, problems
from user_management.web.api import documents, parameters, reads, routes
from user_management.web.api.parameters import Words
from user_management.web.authority import Answer
from user_management.web.dependencies import backend
from user_management.web.problems import Problem
from user_management.web.scopes import Scope

DAY = 86_400
USER, ORGANIZATION, PERMISSION = "user_01E4ZCR3C56J083X43JQXF3JK5", "org_01EHWNCE74X7JSDV0X3SZ3KJNY", "billing:manage"
HEADERS = documents.FRESHNESS | {
    "Replica-Source": ("Who says so: the `copy`, or `workos` because the copy is too old or not complete.", "copy")
}
AGE = (
    "The most seconds the copy may be old to answer; WorkOS is asked if it is older. Without it the copy answers while "
    "it is `live`."
)

SOURCES = (
    "The copy answers while it is young enough; else, and where it does not know a role in full, WorkOS is asked, and "
    "if that fails the answer is a 503, never a guess. `Replica-Source` says which."
)


class Where(BaseModel):
    """In which organization, and how old an answer may be."""

    model_config = ConfigDict(extra="forbid")

    organization_id: Words = Field(description="The organization.", examples=[ORGANIZATION])
    max_age: int | None = Field(None, ge=0, le=DAY, description=AGE, examples=[10])


class Question(BaseModel):
    """Who may do what where."""

    model_config = ConfigDict(extra="forbid")

    user_id: Words = Field(description="The user.", examples=[USER])
    organization_id: Words = Field(description="The organization.", examples=[ORGANIZATION])
    permission: Words = Field(description="The permission's slug.", examples=[PERMISSION])
    max_age: int | None = Field(None, ge=0, le=DAY, description=AGE, examples=[10])


class Permissions(BaseModel):
    """What a user may do in an organization."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "object": "permissions", "user_id": USER, "organization_id": ORGANIZATION, "reason": "granted",
                    "roles": ["admin"], "permissions": ["billing:manage", "users:manage"],
                }
            ]
        }
    )  # fmt: skip

    object: Literal["permissions"]
    user_id: str
    organization_id: str
    reason: Reason = Field(description="`granted`, or why there is nothing: no active membership, or no organization.")
    roles: list[str]
    permissions: list[str]


class Checked(BaseModel):
    """Whether a user may do something in an organization."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "object": "check", "allowed": True, "reason": "granted", "user_id": USER,
                    "organization_id": ORGANIZATION, "permission": PERMISSION, "roles": ["admin"],
                }
            ]
        }
    )  # fmt: skip

    object: Literal["check"]
    allowed: bool
    reason: Reason
    user_id: str
    organization_id: str
    permission: str
    roles: list[str]


def add(router: APIRouter) -> None:
    """Add the routes."""
    routes.add(router, "/api/users/{id}/permissions", permissions, Scope.READ, **of_permissions())
    routes.add(router, "/api/check", check, Scope.READ, **of_check())


async def permissions(request: Request) -> Response:
    """What a user may do in an organization; 404 for a user who is not there."""
    asked = parameters.read(Where, request.query_params)
    user_id, found = request.path_params["id"], backend(request)
    if not reads.lookable(user_id):
        raise reads.missing(people.named("users"), "id", {})
    answer = await authority.asked(found, user_id, asked.organization_id, asked.max_age)
    there = await authority.missing(found, answer, user_id)
    if there is Presence.ABSENT:
        raise reads.missing(people.named("users"), "id", answer.headers)
    if there is Presence.DELETED:
        raise Problem(problems.DELETED, "This user was deleted.", headers=answer.headers)
    told = {"object": "permissions", "user_id": user_id, "organization_id": asked.organization_id}
    return rendered(told | {"reason": answer.access.reason} | granted(answer), answer)


async def check(request: Request) -> Response:
    """Whether a user may do something in an organization; whoever is not there may not."""
    asked = parameters.read(Question, request.query_params)
    answer = await authority.asked(backend(request), asked.user_id, asked.organization_id, asked.max_age)
    reason = answer.access.allows(asked.permission)
    told = {"object": "check", "allowed": reason is Reason.GRANTED, "reason": reason}
    about = {"user_id": asked.user_id, "organization_id": asked.organization_id, "permission": asked.permission}
    return rendered(told | about | {"roles": answer.access.roles}, answer)


def granted(answer: Answer) -> dict[str, Any]:
    """The roles and permissions of an answer."""
    return {"roles": answer.access.roles, "permissions": answer.access.permissions}


def rendered(told: dict[str, Any], answer: Answer) -> Response:
    """The answer as JSON, with who says so and how old the copy is."""
    return answers.answer(jsontext.dumps(told).encode(), answer.headers)


def of_permissions() -> dict[str, Any]:
    """The description of what a user may do."""
    path = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}, "example": USER}
    return described(
        Where,
        Permissions,
        name="permissions_of_user",
        summary="What may a user do in an organization?",
        words="Through the roles of the user's active membership. A role of the organization's own stands before the "
        f"environment's of the same slug. {SOURCES}",
        kinds=(problems.NOT_FOUND, problems.DELETED),
        path=(path,),
    )


def of_check() -> dict[str, Any]:
    """The description of the question whether a user may do something."""
    return described(
        Question,
        Checked,
        name="check_permission",
        summary="May a user do this?",
        words="Always answered with 200 and `allowed`: whoever is unknown, deleted or no active member may not, and "
        f"`reason` says why, so that no caller can take a missing object for an error to be ignored. {SOURCES}",
    )


def described(
    asked: type[BaseModel],
    told: type[BaseModel],
    *,
    name: str,
    summary: str,
    words: str,
    kinds: tuple[problems.Kind, ...] = (),
    path: tuple[dict[str, Any], ...] = (),
) -> dict[str, Any]:
    """The description of a route that says who may do what."""
    away = (problems.WORKOS_AWAY, problems.REFUSED, problems.KEY_REFUSED)
    return {
        "name": name,
        "operation_id": name,
        "tags": ["access"],
        "summary": summary,
        "description": words,
        "response_model": told,
        "responses": {
            200: documents.answered("The answer.", documents.example_of(told), HEADERS),
            **documents.failures((*kinds, *documents.READ, *away), HEADERS),
        },
        "openapi_extra": {"parameters": [*path, *required(asked)]},
    }


def required(asked: type[BaseModel]) -> list[dict[str, Any]]:
    """The parameters, those marked that cannot be left out."""
    must = {name for name, field in asked.model_fields.items() if field.is_required()}
    return [one | {"required": one["name"] in must} for one in parameters.documented(asked)]
