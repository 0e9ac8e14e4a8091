"""Routes that hand whoever may ask straight to their function: FastAPI documents them and stays out of the way."""

from collections.abc import Callable, Coroutine
from typing import Any, TypeAlias

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute
from starlette.routing import Match
from starlette.types import Scope as Asked

from user_management.web.api import bodies, security
from user_management.web.scopes import Scope

READS = frozenset({"GET", "HEAD"})
"""The methods whose bodies nobody reads."""
Endpoint: TypeAlias = Callable[[Request], Coroutine[Any, Any, Response]]


class Direct(APIRoute):
    """A route whose function takes the request and answers with a response, without dependency solving.

    Whoever may not ask never reaches it; a body that is too large never reaches it whole.
    """

    scope: Scope
    """What a caller must be allowed to do."""
    passing: bool
    """Whether bodies go on to WorkOS as they come, and are not held here."""
    head: str
    """How every path of the route begins."""

    def matches(self, scope: Asked) -> tuple[Match, Asked]:
        """Whether a request is for this route; most are seen at once not to be, for there are very many routes."""
        if not scope["path"].startswith(self.head) and not scope.get("root_path"):
            return Match.NONE, {}
        return super().matches(scope)

    def get_route_handler(self) -> Endpoint:
        """The function itself, behind the gate; the scope is declared only after the route was made."""
        endpoint: Endpoint = self.endpoint

        async def guarded(request: Request) -> Response:
            if self.scope is not Scope.PUBLIC:
                await request.app.state.gate.admit(request, self.scope)
            held = request.method not in READS and not self.passing
            return await endpoint(bodies.bounded(request) if held else request)

        return guarded


def add(
    router: APIRouter, path: str, endpoint: Endpoint, scope: Scope, *, passing: bool = False, **documentation: Any
) -> None:
    """Add a route that callers need `scope` for; `documentation` is what `documents` says of it."""
    router.add_api_route(path, endpoint, **security.documented(scope, documentation))
    route = router.routes[-1]
    if not isinstance(route, Direct):
        raise TypeError(f"{path} was added to a router without direct routes")
    route.scope, route.passing, route.head = scope, passing, path.partition("{")[0]
