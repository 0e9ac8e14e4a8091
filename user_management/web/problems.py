"""Problems: every way a request can fail, as RFC 9457 words it. Each kind is a stable URI that can be looked up."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from user_management.db import jsontext

PREFIX = "/api/problems/"


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of problem: its name, status and title, and what the caller does next."""

    name: str
    status: int
    title: str
    advice: str

    @property
    def type(self) -> str:
        """The URI that stands for the kind."""
        return PREFIX + self.name


INVALID = Kind("invalid", 422, "The request is not valid", "Change what `errors` names, then send it again.")
NOT_FOUND = Kind("not-found", 404, "There is no such object", "Check the id; `Age` says how old the answer may be.")
DELETED = Kind("deleted", 404, "The object was deleted", "Ask with `include_deleted=true` for its last words.")
NO_ROUTE = Kind("no-route", 404, "There is nothing at this address", "See /api/docs for what there is.")
METHOD = Kind("method-not-allowed", 405, "The method is not allowed here", "Use one that `Allow` names.")
TOO_LARGE = Kind("too-large", 413, "The request body is too large", "Send at most 1 MB.")
REFUSED = Kind("refused", 400, "WorkOS refuses the request", "The status, `code`, `errors` and `detail` are WorkOS's.")
KEY_REFUSED = Kind("workos-key", 502, "WorkOS does not accept our key", "An operator must change the configuration.")
WORKOS_AWAY = Kind("workos-unavailable", 503, "WorkOS is not available", "Nothing was done. Wait for `Retry-After`.")
KEY_REUSED = Kind(
    "key-reused", 422, "The key stands for another request", "Give each request an `Idempotency-Key` of its own."
)
AT_WORK = Kind("at-work", 409, "The first request is still at work", "Repeat it with its key after `Retry-After`.")
UNKNOWN = Kind(
    "outcome-unknown", 504, "Whether it was done is not known",
    "Repeat it with the same `Idempotency-Key`; without one, look before you repeat it.",
)  # fmt: skip
ANOTHER_NAME = "Choose another one. Nothing was sent to WorkOS."
USERNAME_TAKEN = Kind("username-taken", 409, "The username is taken", ANOTHER_NAME)
SOFT_DELETED = Kind(
    "soft-deleted", 403, "The user is soft deleted", "`POST /api/users/{id}/restore` lets them in again."
)
NOT_PARKED = Kind("not-parked", 404, "Nothing is parked there", "See /api/failures for what is.")
NEVER_SEEN = Kind(
    "never-seen", 404, "WorkOS never told us of it", "Check the id, the environment and how old the copy is."
)
ERASED = Kind("erased", 410, "It was erased here", "Nothing is kept of it, and nothing will be.")
DATABASE_AWAY = Kind("database-unavailable", 503, "The database is not available", "Wait for `Retry-After`.")
BUSY = Kind("busy", 503, "Too much of this is under way", "Wait for `Retry-After`.")
NOT_READY = Kind("not-ready", 503, "The copy is not ready", "Wait; `detail` says for what.")
SIGNATURE = Kind(
    "signature", 401, "The webhook is not signed by WorkOS", "Check the endpoint's secret and both clocks."
)
WEBHOOKS_OFF = Kind("webhooks-off", 404, "Webhooks are not received here", "An operator must set the secret.")
UNAUTHENTICATED = Kind(
    "unauthenticated", 401, "A credential is needed",
    "Send `Authorization: Bearer` with an API key or with a session's access token.",
)  # fmt: skip
CREDENTIAL = Kind("credential", 401, "The credential is not accepted", "Send another; `detail` says what is wrong.")
SCOPE = Kind("scope", 403, "The credential may not do this", "Use one that has the scope which `scope` names.")
NOT_A_USER = Kind("not-a-user", 403, "The credential is not a user's", "Send the access token of a user's session.")
TOO_MANY = Kind("too-many-requests", 429, "Too many requests", "Wait for `Retry-After`; `RateLimit` says what is left.")
INTERNAL = Kind("internal", 500, "Something went wrong here", "Tell an operator the `request_id`.")
OTHER = Kind("other", 400, "The request cannot be served", "See `detail`.")

KINDS = {
    kind.name: kind
    for kind in (
        INVALID, NOT_FOUND, DELETED, NO_ROUTE, METHOD, TOO_LARGE, REFUSED, KEY_REFUSED, WORKOS_AWAY, KEY_REUSED,
        AT_WORK, UNKNOWN, NOT_PARKED, NEVER_SEEN, ERASED, DATABASE_AWAY, NOT_READY, SIGNATURE, WEBHOOKS_OFF, INTERNAL,
        BUSY, OTHER, UNAUTHENTICATED, CREDENTIAL, SCOPE, NOT_A_USER, TOO_MANY, USERNAME_TAKEN,
        SOFT_DELETED,
    )
}  # fmt: skip


class Problem(Exception):
    """A request that fails: its kind, what happened in one sentence, and members and headers of its own."""

    def __init__(
        self,
        kind: Kind,
        detail: str,
        *,
        status: int | None = None,
        headers: Mapping[str, str] | None = None,
        members: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.kind = kind
        self.status = status or kind.status
        self.headers = dict(headers or {})
        self.members = dict(members or {})


def invalid(errors: Sequence[Mapping[str, str]]) -> Problem:
    """The problem that names every wrong field, as `field` and `message`."""
    return Problem(
        INVALID,
        "; ".join(f"{error['field']}: {error['message']}" for error in errors),
        members={"errors": list(errors)},
    )


def plain(message: str) -> str:
    """What a validation found, without Pydantic's name for the exception that said so."""
    return message.removeprefix("Value error, ")


def wrong(field: str, message: str) -> Problem:
    """The problem of one wrong field."""
    return invalid([{"field": field, "message": message}])


def document(problem: Problem, *, instance: str, request_id: str) -> dict[str, Any]:
    """The problem as its JSON document."""
    return {
        "type": problem.kind.type,
        "title": problem.kind.title,
        "status": problem.status,
        "detail": str(problem),
        "instance": instance,
        "request_id": request_id,
        **problem.members,
    }


def rendered(problem: Problem, *, instance: str, request_id: str) -> bytes:
    """The document as bytes, also where WorkOS's words are not valid Unicode."""
    return jsontext.dumps(document(problem, instance=instance, request_id=request_id)).encode()


def described(kind: Kind) -> dict[str, Any]:
    """A kind as its page tells it."""
    return {"type": kind.type, **asdict(kind)}


def example(kind: Kind) -> dict[str, Any]:
    """A problem of this kind, for the documentation."""
    problem = Problem(kind, kind.advice, members=EXAMPLES.get(kind.name))
    return document(problem, instance="/api/users", request_id="9c1f0a6b7d2e4f58a1b3c5d7e9f0a2b4")


EXAMPLES: dict[str, dict[str, Any]] = {
    "invalid": {"errors": [{"field": "limit", "message": "Input should be less than or equal to 100"}]},
    "deleted": {"deleted_at": "2026-11-21T10:30:17.761Z"},
    "scope": {"scope": "write"},
    "soft-deleted": {"user_id": "user_01E4ZCR3C56J083X43JQXF3JK5", "deleted_at": "2026-11-21T10:30:17.761Z"},
    "outcome-unknown": {"outcome": "unknown", "looked_for": [{"by": "email", "found": "nothing"}]},
    "refused": {
        "source": "workos",
        "code": "user_creation_error",
        "errors": [{"code": "email_not_available", "message": "This email is not available."}],
    },
}
"""The members that only some kinds have."""
