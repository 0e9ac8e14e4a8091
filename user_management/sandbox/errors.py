from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response


class ApiError(Exception):
    """An answer with a 4xx status, in one of the families of bodies WorkOS uses."""

    def __init__(self, status: int, body: dict[str, Any], *, retry_after: int | None = None) -> None:
        super().__init__(body.get("message", body.get("error")))
        self.status = status
        self.body = body
        self.headers = {} if retry_after is None else {"Retry-After": str(retry_after)}


def unauthorized() -> ApiError:
    """401: the key is missing or not ours."""
    return ApiError(401, {"message": "Unauthorized"})


def not_found(kind: str, key: str) -> ApiError:
    """404 with only a message, as WorkOS words it."""
    return ApiError(404, {"message": f"{kind} not found: '{key}'."})


def refused(code: str, message: str = "Request could not be processed.", **more: Any) -> ApiError:
    """400 with a code that programs read and a message that people read."""
    return ApiError(400, {"message": message, "code": code, **more})


def invalid(field: str, code: str, message: str | None = None) -> ApiError:
    """422 for a parameter or a body field that is missing or of the wrong type."""
    error = {"field": field, "code": code} | ({} if message is None else {"message": message})
    return ApiError(422, {"message": "Validation failed.", "code": "invalid_request_parameters", "errors": [error]})


def conflict(code: str, message: str) -> ApiError:
    """409 with a code, as changes of an address answer."""
    return ApiError(409, {"message": message, "code": code})


def unprocessable(code: str, message: str) -> ApiError:
    """422 with a code, as the role rules of memberships answer."""
    return ApiError(422, {"message": message, "code": code})


def invalid_events(code: str, message: str | None = None) -> ApiError:
    """422 about the `events` parameter: a body of this endpoint's own, without a top-level code."""
    error = {"code": code, "field": "events"} | ({} if message is None else {"message": message})
    return ApiError(422, {"message": "Validation failed.", "errors": [error]})


def oauth(error: str, description: str) -> ApiError:
    """400 in the OAuth form that authenticate uses for client and grant errors."""
    return ApiError(400, {"error": error, "error_description": description})


def rate_limited(retry_after: int) -> ApiError:
    """429 with the seconds to wait, in the header and in the body."""
    message = "Rate limit exceeded. See the WorkOS docs on rate limits."
    body = {"code": "rate_limit_exceeded", "message": message, "retry_after": retry_after}
    return ApiError(429, body, retry_after=retry_after)


def respond(error: ApiError) -> Response:
    """The HTTP answer of an error."""
    return Response(orjson.dumps(error.body), error.status, error.headers, "application/json")


async def handle(_request: Request, error: Exception) -> Response:
    """Starlette's hook for what a route raises."""
    if not isinstance(error, ApiError):
        raise error
    return respond(error)


async def hung_up(_request: Request, _error: Exception) -> Response:
    """Nothing is done with half a request; nobody is there to read the answer."""
    return Response(status_code=400)


async def no_route(request: Request, _error: Exception) -> Response:
    """404 for a path or a method that the sandbox does not have."""
    return respond(ApiError(404, {"message": f"Cannot {request.method} {request.url.path}", "error": "Not Found"}))
