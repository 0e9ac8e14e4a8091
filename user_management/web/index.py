"""An index of the routes: there are very many, and most requests need not look at every one of them."""

from collections import defaultdict
from collections.abc import Iterable

from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

from user_management.web.api.routes import Direct


class Index(BaseRoute):
    """Stands before all routes and finds those of ours by how their paths begin; whatever else there is, it leaves.

    A request is matched against the routes that begin like it, in their own order. What fits none of them, such as a
    path of WorkOS's that is not copied or a method that is not allowed, is left to the routes behind.
    """

    def __init__(self, routes: Iterable[BaseRoute]) -> None:
        short, long = defaultdict[str, list[tuple[int, Direct]]](list), defaultdict[str, list[tuple[int, Direct]]](list)
        for place, route in enumerate(routes):
            if isinstance(route, Direct) and (start := literal(route.path)):
                (short if start.count("/") == 1 else long)[start].append((place, route))
        both = {start: found + short[beginning(start, 1)] for start, found in long.items()}
        self.starting = {start: [route for _, route in sorted(found, key=lambda one: one[0])]
                         for start, found in {**short, **both}.items()}  # fmt: skip

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """The first route that wholly fits the request, if there is one."""
        if scope["type"] != "http" or scope.get("root_path"):
            return Match.NONE, {}
        path = scope["path"]
        found = self.starting.get(beginning(path, 2)) or self.starting.get(beginning(path, 1), [])
        for route in found:
            match, child = route.matches(scope)
            if match is Match.FULL:
                return match, child
        return Match.NONE, {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the route that was found answer."""
        await scope["route"].handle(scope, receive, send)


def beginning(path: str, segments: int) -> str:
    """So many first segments of a path: `/api/users` of `/api/users/user_1`; the whole of a shorter one."""
    return "/".join(path.split("/", segments + 1)[: segments + 1])


def literal(path: str) -> str:
    """The first two segments of a route's path, or the one before its first parameter; empty where it is that."""
    return beginning(path.partition("{")[0].rstrip("/"), 2) if "{" in path else beginning(path, 2)
