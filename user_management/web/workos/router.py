"""WorkOS's own paths at the root: what the copy knows is answered from it, all else is passed on to WorkOS."""

from collections.abc import Awaitable, Callable, Iterable
from typing import TypeAlias

from fastapi import APIRouter, Request, Response
from starlette.convertors import Convertor, register_url_convertor

from user_management.mirror.engine.resource import Resource
from user_management.web.api import routes
from user_management.web.api.routes import Endpoint
from user_management.web.scopes import Scope
from user_management.web.workos import callers, copied, events, places, roles, through
from user_management.web.workos.places import Place

FromCopy: TypeAlias = Callable[[Request], Awaitable[Response | None]]
METHODS = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"]


class Foreign(Convertor[str]):
    """A path that is none of ours."""

    regex = r"(?!(?:api|webhooks)(?:/|$)|metrics$).+"

    def convert(self, value: str) -> str:
        """The path as it is."""
        return value

    def to_string(self, value: str) -> str:
        """The path as it is."""
        return value


register_url_convertor("foreign", Foreign())


def install(router: APIRouter, resources: Iterable[Resource]) -> None:
    """Add the paths of WorkOS, behind all of ours; who asks is judged by WorkOS's key, and so by WorkOS."""
    add(router, events.PATH, served(events.answer), ["GET"])
    for place in places.all_of(resources):
        if place.resource.name == roles.NAME and place.by is None:
            add(router, place.pattern, served(in_order(place)), ["GET"])
    for place in (place for place in places.all_of(resources) if place.copied):
        add(router, place.pattern, served(from_copy(place)), ["GET"])
    add(router, "/{path:foreign}", through.answer, METHODS)


def add(router: APIRouter, path: str, endpoint: Endpoint, methods: list[str]) -> None:
    """Add one path. It stands in no description of ours, for WorkOS describes it."""
    routes.add(router, path, endpoint, Scope.PUBLIC, passing=True, methods=methods, include_in_schema=False)


def from_copy(place: Place) -> FromCopy:
    """The answers of the copy at a place."""

    async def answer(request: Request) -> Response | None:
        return await copied.answer(request, place)

    return answer


def in_order(place: Place) -> FromCopy:
    """The answers of the copy at the list of roles."""

    async def answer(request: Request) -> Response | None:
        return await roles.answer(request, place)

    return answer


def served(answer: FromCopy) -> Endpoint:
    """An endpoint that lets the copy answer whom it may, and WorkOS wherever it does not."""

    async def endpoint(request: Request) -> Response:
        if callers.known(request) and callers.content_with_copy(request):
            told = await answer(request)
            if told is not None:
                return told
        return await through.answer(request)

    return endpoint
