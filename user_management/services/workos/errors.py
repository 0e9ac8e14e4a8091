"""What WorkOS can answer instead of what was asked for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from user_management.errors import Fix, Misconfigured, NotFound, Wait


class WorkOSUnavailable(Wait):
    """WorkOS cannot be reached, asks to wait, or fails; nothing was done."""


class SlowDown(WorkOSUnavailable):
    """WorkOS answers 429: it is asked too much; nothing was done."""


class OutcomeUnknown(Wait):
    """The request was sent and no answer came back: it may or may not have been done."""


class BadAnswer(Wait):
    """WorkOS answered 200 with something that is not what was asked for; it is not believed."""


class KeyRefused(Misconfigured):
    """WorkOS refuses our API key, or what it is allowed to do."""


class NotAllowed(KeyRefused):
    """WorkOS takes our API key, but not for this."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """WorkOS's own words when it refuses a request: any of its error bodies, one form.

    `more` is what else it says, such as the token with which a sign-in goes on: secrets are among it.
    """

    status: int
    message: str
    code: str | None = None
    errors: tuple[Mapping[str, Any], ...] = ()
    request_id: str | None = None
    retry_after: float | None = None
    more: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def code_is_for_the_caller(self) -> bool:
        """Whether a 403 is about the caller's request (it names a code) and not about our key."""
        return self.code is not None and self.code != "unauthorized"


class Refused(Fix):
    """WorkOS refuses the request as it is."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(f"WorkOS answered {refusal.status}: {refusal.message}")
        self.refusal = refusal


class ObjectNotFound(Refused, NotFound):
    """WorkOS has no such object."""


FAILURES = (BadAnswer, KeyRefused, OutcomeUnknown, Refused, WorkOSUnavailable)
"""Everything that WorkOS can answer instead of what was asked for."""

TOLD = frozenset({"message", "code", "errors", "error", "error_description", "statusCode"})
"""The keys of WorkOS's error bodies that have a place of their own, or say nothing new."""


def refusal(status: int, body: object, request_id: str | None = None, *, retry_after: float | None = None) -> Refusal:
    """Any of WorkOS's error bodies (message, code, errors; OAuth's error, error_description) in one form."""
    fields = body if isinstance(body, dict) else {}
    message = fields.get("message") or fields.get("error_description") or fields.get("error") or "no message"
    code = fields.get("code") or (fields.get("error") if "error_description" in fields else None)
    more = {name: value for name, value in fields.items() if name not in TOLD}
    code = str(code) if code else None
    return Refusal(status, words(message), code, listed(fields.get("errors")), request_id, retry_after, more)


def words(message: object) -> str:
    """A message as one string; WorkOS sometimes sends a list of them."""
    return "; ".join(str(part) for part in message) if isinstance(message, list) else str(message)


def listed(errors: object) -> tuple[Mapping[str, Any], ...]:
    """The list of field errors, whatever form its items have."""
    items = errors if isinstance(errors, list) else []
    return tuple(item if isinstance(item, dict) else {"message": str(item)} for item in items)
