"""The 403 answers of authenticate that are no refusals: one more step is asked for, and a token leads on to it."""

from dataclasses import dataclass
from typing import Any, Final

from user_management.sandbox import clock
from user_management.sandbox.errors import ApiError

EMAIL_VERIFICATION: Final = "email_verification_required"
ORGANIZATION_SELECTION: Final = "organization_selection_required"
LIFETIME: Final = 10 * clock.MINUTE
"""How long a pending authentication token works: our assumption, as WorkOS publishes no number."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What is asked for before there is a session."""

    require_verified_email: bool = False
    require_organization: bool = True


@dataclass(frozen=True, slots=True)
class Pending:
    """A sign-in that waits for its next step: whose it is, how it began, and which step that is."""

    user_id: str
    method: str
    step: str
    expires: int


def email_verification_required(token: str, email: str, verification_id: str) -> ApiError:
    """The address must be verified first, with the code that was just sent there."""
    message = "Email ownership must be verified before authentication."
    more = {"email": email, "email_verification_id": verification_id}
    return _continued(EMAIL_VERIFICATION, message, token, more)


def organization_selection_required(token: str, user: dict[str, Any], organizations: list[dict[str, str]]) -> ApiError:
    """One of several organizations must be chosen first."""
    message = "The user must choose an organization to finish their authentication."
    return _continued(ORGANIZATION_SELECTION, message, token, {"organizations": organizations, "user": user})


def _continued(code: str, message: str, token: str, more: dict[str, Any]) -> ApiError:
    return ApiError(403, {"code": code, "message": message, "pending_authentication_token": token, **more})
