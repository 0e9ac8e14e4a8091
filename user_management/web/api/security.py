"""What the OpenAPI description says of who may ask."""

from collections.abc import Iterable, Mapping
from typing import Any

from starlette.routing import BaseRoute

from user_management.web import problems
from user_management.web.api import documents
from user_management.web.scopes import Scope

SCHEMES = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key (`umk_…`, of `user-management keys new`) or the access token of a WorkOS session.",
    },
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "The same, for whom this is easier."},
}
KINDS = (problems.UNAUTHENTICATED, problems.CREDENTIAL, problems.SCOPE, problems.TOO_MANY)
"""How whoever may not ask is answered."""
PROBLEM = "application/problem+json"


def documented(scope: Scope, documentation: Mapping[str, Any]) -> dict[str, Any]:
    """What is said of a route, and what it answers to those who may not ask."""
    if scope is Scope.PUBLIC:
        return dict(documentation)
    responses = dict(documentation.get("responses", {}))
    for status, answer in documents.failures(KINDS).items():
        responses[status] = merged(responses.get(status), answer)
    return {**documentation, "responses": responses}


def merged(told: dict[str, Any] | None, answer: dict[str, Any]) -> dict[str, Any]:
    """Two answers that have one status, described as the first of them."""
    if told is None or PROBLEM not in told["content"]:
        return told or answer
    examples = told["content"][PROBLEM]["examples"] | answer["content"][PROBLEM]["examples"]
    content = told["content"] | {PROBLEM: told["content"][PROBLEM] | {"examples": examples}}
    return told | {"content": content}


def complete(document: dict[str, Any], routes: Iterable[BaseRoute]) -> None:
    """Say how credentials are sent, and which scope each route needs."""
    document["components"]["securitySchemes"] = SCHEMES
    for route in routes:
        scope: Scope | None = getattr(route, "scope", None)
        found = document["paths"].get(getattr(route, "path_format", ""), {})
        if scope is not None:
            for method in getattr(route, "methods", ()):
                if method.lower() in found:
                    tell(found[method.lower()], scope)


def tell(operation: dict[str, Any], scope: Scope) -> None:
    """Say which scope an operation needs; the public ones need none."""
    public = scope is Scope.PUBLIC
    operation["security"] = [] if public else [{name: [scope.value]} for name in SCHEMES]
    words = "Anybody may ask." if public else f"Scope: `{scope}`."
    operation["description"] = f"{operation['description']}\n\n{words}"
