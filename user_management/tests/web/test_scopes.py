"""Every route has a scope, and nobody passes without it."""

import re
from typing import Any

import pytest

from user_management.tests.web.conftest import Serve
from user_management.tests.web.test_keys import bearer, made
from user_management.web import application
from user_management.web.lifespan import Options
from user_management.web.scopes import Scope

OPEN = ("/", "/api/docs", "/api/openapi.json", "/api/redoc", "/api/static")
"""Pages and files for anybody: those are the only routes that need no scope."""
APP = application.create_app(Options(database_url="postgresql://none", workos_api_key="sk_test"))
ROUTES: list[Any] = APP.routes[1:]  # the first is their index
CASES = [
    pytest.param(method, route.path, route.scope, id=f"{method} {route.path}")
    for route in ROUTES
    if route.path not in OPEN and not getattr(route, "passing", False)
    for method in sorted(route.methods)
]


def filled(path: str) -> str:
    """A path with something in the place of its parameters."""
    return re.sub(r"\{\w+(:\w+)?\}", "1", path)


def test_every_route_has_a_scope() -> None:
    """Whoever adds a route says who may ask, or adds it to the pages for anybody, here."""
    assert [route.path for route in ROUTES if not isinstance(getattr(route, "scope", None), Scope)] == [
        path for path in (route.path for route in ROUTES) if path in OPEN
    ]
    assert {route.path for route in ROUTES} >= set(OPEN)


def test_only_these_need_no_credential() -> None:
    """A route that becomes public is noticed; WorkOS's own paths are, for WorkOS's key is judged by WorkOS."""
    ours = {route.path for route in ROUTES if getattr(route, "scope", None) is Scope.PUBLIC and not route.passing}
    assert ours == {
        "/api/health", "/api/healthcheck", "/api/ready", "/api/problems/{name}", "/metrics", "/webhooks/workos",
    }  # fmt: skip


def test_only_workos_own_paths_are_passed_on() -> None:
    """What is passed on stands at the root, in no description of ours, and asks nobody for a scope of ours."""
    passing = [route for route in ROUTES if getattr(route, "passing", False)]
    assert {(route.scope, route.include_in_schema) for route in passing} == {(Scope.PUBLIC, False)}
    assert [route.path for route in passing if route.path.startswith(("/api", "/webhooks", "/metrics"))] == []
    assert passing == ROUTES[-len(passing) :]


def test_a_scope_includes_those_before_it() -> None:
    """Admin may write, who writes may read, whoever is known may ask about themselves."""
    order = [Scope.PUBLIC, Scope.SELF, Scope.READ, Scope.WRITE, Scope.ADMIN]
    found = [[one for one in order if have.includes(one)] for have in order]
    assert found == [order[: n + 1] for n in range(5)]


@pytest.mark.parametrize(("method", "path", "needed"), CASES)
async def test_nobody_passes_without_its_scope(serve: Serve, method: str, path: str, needed: Scope) -> None:
    """Without a credential 401, with one of less than the scope 403, with the scope neither."""
    secrets = {scope: made(scope.value, scope) for scope in (Scope.READ, Scope.WRITE, Scope.ADMIN)}
    async with serve(open=False, api_keys=tuple(key for _, key in secrets.values())) as api:
        stranger = await api.request(method, filled(path))
        assert (stranger.status_code == 401) is (needed is not Scope.PUBLIC), stranger.text
        for scope, (secret, _) in secrets.items():
            answer = await api.request(method, filled(path), headers=bearer(secret))
            refused = answer.json()["type"] == "/api/problems/scope" if answer.status_code == 403 else False
            assert refused is not scope.includes(needed), answer.text
            assert answer.status_code != 401 or needed is Scope.PUBLIC


async def test_too_little_names_what_is_needed(serve: Serve) -> None:
    """The caller reads which scope to ask for, in the body and as RFC 6750 has it."""
    secret, key = made("billing")
    async with serve(open=False, api_keys=(key,)) as api:
        answer = await api.post("/api/users", json={"email": "ada@example.com"}, headers=bearer(secret))
    assert (answer.status_code, answer.json()["scope"]) == (403, "write")
    assert answer.headers["WWW-Authenticate"].endswith('error="insufficient_scope", scope="write"')


async def test_the_description_names_the_scopes(serve: Serve) -> None:
    """Swagger can be given a key, and each operation says what it needs; the public ones need nothing."""
    async with serve() as api:
        document = (await api.get("/api/openapi.json")).json()
    assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    users = document["paths"]["/api/users"]
    assert [users[method]["security"][0] for method in ("get", "post")] == [{"bearer": ["read"]}, {"bearer": ["write"]}]
    assert {"401", "403", "429"} <= users["get"]["responses"].keys()
    assert document["paths"]["/api/health"]["get"]["security"] == []
    assert all("security" in one for found in document["paths"].values() for one in found.values())
