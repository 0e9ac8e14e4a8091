"""What the caller is told when something goes wrong: our families of errors, each as its problem."""

import math
from http import HTTPStatus

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from user_management import errors
from user_management.db.session import Unreachable
from user_management.journal import redaction
from user_management.services.workos.errors import BadAnswer, KeyRefused, OutcomeUnknown, Refused, WorkOSUnavailable
from user_management.web import problems
from user_management.web.problems import Problem

log = structlog.get_logger(__name__)

MEDIA_TYPE = "application/problem+json"
PATIENCE = 5.0
"""Seconds to wait when WorkOS does not say."""
OURS = frozenset({"type", "title", "status", "detail", "instance", "request_id"})
"""The members of a problem that are never WorkOS's."""


def explain(error: Exception) -> Problem:  # noqa: PLR0911  one line for each family
    """The problem an error is; what nobody expected is told without a word of its own."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, HTTPException):
        return of_http(error)
    if isinstance(error, Refused):
        return of_refusal(error)
    if isinstance(error, KeyRefused | errors.Misconfigured):
        return Problem(problems.KEY_REFUSED, str(error))
    if isinstance(error, OutcomeUnknown | BadAnswer):
        return Problem(
            problems.UNKNOWN,
            f"{error}. Look the object up before you repeat the request.",
            members={"outcome": "unknown"},
        )
    if isinstance(error, WorkOSUnavailable):
        return Problem(problems.WORKOS_AWAY, str(error), headers=retry_after(error.retry_after or PATIENCE))
    if isinstance(error, (errors.Wait, *Unreachable)):
        return Problem(problems.DATABASE_AWAY, "The database does not answer.", headers=retry_after(1))
    return Problem(problems.INTERNAL, "The error is in the log, under the request id.")


def of_http(error: HTTPException) -> Problem:
    """The problem of a request that reached no handler."""
    kinds = {404: problems.NO_ROUTE, 405: problems.METHOD, 413: problems.TOO_LARGE}
    kind = kinds.get(error.status_code, problems.OTHER)
    return Problem(kind, kind.title + ".", status=error.status_code, headers=error.headers)


def of_refusal(error: Refused, *, whole: bool = False) -> Problem:
    """WorkOS's refusal in its own words, under its own status; with the secrets in it only if it is told `whole`."""
    said = error.refusal
    more = {name: value for name, value in said.more.items() if name not in OURS}
    members = {
        "source": "workos",
        "code": said.code,
        "errors": list(said.errors) or None,
        "workos_request_id": said.request_id,
    }
    told = {name: value for name, value in members.items() if value is not None}
    wait = said.retry_after if said.status == HTTPStatus.TOO_MANY_REQUESTS else None
    headers = {} if wait is None else retry_after(wait)
    members = {**(more if whole else redaction.redact(more)), **told}
    return Problem(problems.REFUSED, said.message, status=said.status, headers=headers, members=members)


def retry_after(seconds: float) -> dict[str, str]:
    """The header that says when to try again, in whole seconds, never too early."""
    return {"Retry-After": str(max(1, math.ceil(seconds)))}


async def handle(request: Request, error: Exception) -> Response:
    """Answer with the problem an error is; what is not the caller's to mend is logged."""
    problem = explain(error)
    if problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR and problem.kind is not problems.NOT_READY:
        log.warning("request.unserved", kind=problem.kind.name, error=f"{type(error).__name__}: {error}")
    return answer(problem, path=request.url.path, request_id=request.state.request_id)


def answer(problem: Problem, *, path: str, request_id: str) -> Response:
    """The problem as a response."""
    content = problems.rendered(problem, instance=path, request_id=request_id)
    return Response(content, status_code=problem.status, headers=problem.headers, media_type=MEDIA_TYPE)


HANDLED = (Problem, HTTPException, errors.UserManagementError, *Unreachable)
"""What a handler may raise on purpose; anything else is a fault of ours."""
