from typing import Any, Final

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from user_management.sandbox import bodies, clock, errors, mail, replies, users
from user_management.sandbox.errors import ApiError
from user_management.sandbox.one_time_codes import EMAIL_CHANGE, Code, Verdict
from user_management.sandbox.store import Store, store_of

_REFUSALS: Final = {
    Verdict.MISSING: (409, "no_pending_email_change", "There is no pending email change."),
    Verdict.INCORRECT: (400, "email_change_code_incorrect", "The email change code is incorrect."),
    Verdict.USED: (409, "email_change_code_previously_used", "The email change code was used before."),
    Verdict.EXPIRED: (400, "email_change_code_expired", "The email change code has expired."),
    Verdict.EXHAUSTED: (429, "email_change_too_many_attempts", "Too many attempts with this email change code."),
}


async def send_email_change(request: Request) -> Response:
    """What is to change, once the code that was sent to the new address comes back."""
    store, user = store_of(request), users.get(store_of(request), request.path_params["id"])
    fields = await bodies.read(request, {"new_email": bodies.TEXT}, required=("new_email",))
    email = users.normal(fields["new_email"])
    _check(store, user, email)
    code = mail.send(store, EMAIL_CHANGE, user["id"], email)
    return replies.wrote(request, user["id"], orjson.dumps(_shown(code, user)))


async def confirm_email_change(request: Request) -> Response:
    """The user at the new address, which is verified by the code that reached it."""
    store, user = store_of(request), users.get(store_of(request), request.path_params["id"])
    fields = await bodies.read(request, {"code": bodies.TEXT}, required=("code",))
    code = store.codes.newest(EMAIL_CHANGE, user["id"])
    verdict = mail.answer(store, EMAIL_CHANGE, user["id"], fields["code"])
    if code is None or verdict is not Verdict.GOOD:
        status, name, message = _REFUSALS[verdict]
        raise ApiError(status, {"message": message, "code": name})
    _check(store, user, code.email)
    changed = users.update(store, user["id"], {"email": code.email, "email_verified": True})
    body = {"object": "email_change_confirmation", "user": changed}
    return replies.wrote(request, user["id"], orjson.dumps(body))


def _check(store: Store, user: dict[str, Any], email: str) -> None:
    """Whether a user may have an address: it must be one, another one, and nobody's."""
    if not users.is_email(email):
        raise errors.unprocessable("invalid_email", "This email is invalid.")
    if email == user["email"]:
        raise errors.conflict("email_change_not_needed", "This is the user's email already.")
    if email in store.emails:
        raise errors.conflict("email_not_available", "This email is not available.")


def _shown(code: Code, user: dict[str, Any]) -> dict[str, Any]:
    return {
        "object": "email_change",
        "user": user,
        "new_email": code.email,
        "expires_at": clock.stamp(code.expires),
        "created_at": clock.stamp(code.created),
    }


_PATH: Final = "/user_management/users/{id}/email_change"
ROUTES: Final = [
    Route(_PATH + "/send", send_email_change, methods=["POST"]),
    Route(_PATH + "/confirm", confirm_email_change, methods=["POST"]),
]
