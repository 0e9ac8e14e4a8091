from typing import Final

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from user_management.sandbox import bodies, errors, limits, mail, replies, users
from user_management.sandbox.one_time_codes import EMAIL_VERIFICATION, Verdict
from user_management.sandbox.store import store_of

_INCORRECT: Final = ("email_verification_code_incorrect", "The email verification code is incorrect.")
_REFUSALS: Final = {
    Verdict.MISSING: _INCORRECT,
    Verdict.INCORRECT: _INCORRECT,
    Verdict.EXHAUSTED: _INCORRECT,  # WorkOS has no other word for it here
    Verdict.USED: ("email_verification_code_previously_used", "The email verification code was used before."),
    Verdict.EXPIRED: ("email_verification_code_expired", "The email verification code has expired."),
}


async def send_email_verification(request: Request) -> Response:
    """The user, who was sent a code."""
    store, user = store_of(request), users.get(store_of(request), request.path_params["id"])
    if user["email_verified"]:
        raise errors.refused("email_already_verified", "This email is already verified.")
    limits.limits_of(request).count_for(limits.EMAIL_VERIFICATIONS, user["id"])
    code = mail.send(store, EMAIL_VERIFICATION, user["id"], user["email"])
    return replies.wrote(request, code.id, orjson.dumps({"user": user}))


async def confirm_email_verification(request: Request) -> Response:
    """The user, whose address is verified."""
    store, user = store_of(request), users.get(store_of(request), request.path_params["id"])
    fields = await bodies.read(request, {"code": bodies.TEXT}, required=("code",))
    if user["email_verified"]:
        raise errors.refused("email_previously_verified", "This email was verified before.")
    verdict = mail.answer(store, EMAIL_VERIFICATION, user["id"], fields["code"], user["email"])
    if verdict is not Verdict.GOOD:
        raise errors.refused(*_REFUSALS[verdict])
    verified = users.update(store, user["id"], {"email_verified": True})
    return replies.wrote(request, user["id"], orjson.dumps({"user": verified}))


async def get_email_verification(request: Request) -> Response:
    """One by id, with its code."""
    code = store_of(request).codes.get(EMAIL_VERIFICATION, request.path_params["id"])
    if code is None:
        raise errors.not_found("Email verification", request.path_params["id"])
    return replies.ok(orjson.dumps(code.shown()))


_PATH: Final = "/user_management/users/{id}/email_verification"
ROUTES: Final = [
    Route("/user_management/email_verification/{id}", get_email_verification),
    Route(_PATH + "/send", send_email_verification, methods=["POST"]),
    Route(_PATH + "/confirm", confirm_email_verification, methods=["POST"]),
]
