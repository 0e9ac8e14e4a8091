"""`/api/users/me`: whoever is signed in, about themselves."""

from typing import Any

from fastapi import APIRouter, Request, Response

from user_management.mirror.users import resource
from user_management.web import problems
from user_management.web.api import documents, reads, routes
from user_management.web.problems import Problem
from user_management.web.scopes import Scope

NAME = "get_me"


def add(router: APIRouter) -> None:
    """Add the route."""
    routes.add(router, "/api/users/me", myself, Scope.SELF, **described())


async def myself(request: Request) -> Response:
    """The user of the session, from the copy; a problem when the credential is no user's."""
    user_id = request.state.holder.user_id
    if user_id is None:
        raise Problem(problems.NOT_A_USER, "An API key stands for no user.")
    request.scope["path_params"] = {"id": user_id}
    return await one(request)


one = reads.found(resource, "id")


def described() -> dict[str, Any]:
    """The description of the route: that of any user, but for the id."""
    told = documents.of_one(resource, "id")
    parameters = [one for one in told["openapi_extra"]["parameters"] if one["in"] != "path"]
    responses = told["responses"] | documents.failures((problems.NOT_A_USER,))
    return told | {
        "name": NAME,
        "operation_id": NAME,
        "summary": "Get the user who asks",
        "description": "The user whose session's access token is sent, from the copy, as WorkOS words it. It needs no "
        "permission.",
        "responses": responses,
        "openapi_extra": {"parameters": parameters},
    }
