"""The index of the routes: it finds what looking at every route in turn would find, and is what finds nearly all."""

from typing import Any

import pytest
from starlette.routing import Match

from user_management.tests.web.test_scopes import APP
from user_management.web.api.routes import Direct
from user_management.web.index import Index

INDEX, *ROUTES = APP.router.routes
DIRECT = [route for route in ROUTES if isinstance(route, Direct)]
NOBODYS = [
    "/",
    "",
    "/api",
    "/api/",
    "/api/nothing",
    "/user_management",
    "/user_management/nothing/1",
    "//",
    "/api//users",
]


def asked(path: str, method: str, **more: Any) -> dict[str, Any]:
    """A request as routes see it."""
    return {"type": "http", "method": method, "path": path, "headers": [], **more}


def filled(route: Direct) -> str:
    """A path of a route."""
    return route.path_format.format_map({name: f"{name}_1" for name in route.param_convertors})


def test_it_stands_before_all_routes() -> None:
    """Else nothing would be gained."""
    assert isinstance(INDEX, Index)


@pytest.mark.parametrize("path", [*sorted({filled(route) for route in DIRECT}), *NOBODYS])
def test_it_finds_what_a_look_at_every_route_finds(path: str) -> None:
    """The first that wholly fits, whatever the method; or none, and the routes behind have their turn."""
    for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "BREW"):
        request = asked(path, method)
        first = next((route for route in DIRECT if route.matches(request)[0] is Match.FULL), None)
        match, child = INDEX.matches(request)
        if first is None or first.path.startswith("/{"):
            assert match is Match.NONE, (path, method)
        else:
            assert (match, child["route"]) == (Match.FULL, first), (path, method)


def test_under_another_root_it_leaves_everything() -> None:
    """How a path begins tells nothing then."""
    assert INDEX.matches(asked("/api/users", "GET", root_path="/api"))[0] is Match.NONE
