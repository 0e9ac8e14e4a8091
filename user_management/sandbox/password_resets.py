from typing import Any, Final

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from user_management.sandbox import bodies, errors, limits, mail, replies, users
from user_management.sandbox.one_time_codes import PASSWORD_RESET, Code, Verdict, judge, redeem
from user_management.sandbox.store import Store, store_of

_TOKEN_REFUSALS: Final = {
    Verdict.USED: {"code": "password_reset_token_used", "message": "The token was used before."},
    Verdict.EXPIRED: {"code": "password_reset_token_expired", "message": "The token has expired."},
}


async def create_password_reset(request: Request) -> Response:
    """201 with the token; 404 for an address nobody has."""
    fields = await bodies.read(request, {"email": bodies.TEXT}, required=("email",))
    store, email = store_of(request), users.normal(fields["email"])
    limits.limits_of(request).count_for(limits.PASSWORD_RESETS, email)
    user_id = store.emails.get(email)
    if user_id is None:
        raise errors.not_found("User", email)
    code = mail.send(store, PASSWORD_RESET, user_id, email)
    return replies.wrote(request, code.id, orjson.dumps(code.shown()), status=201)


async def get_password_reset(request: Request) -> Response:
    """One by id, with its token."""
    code = store_of(request).codes.get(PASSWORD_RESET, request.path_params["id"])
    if code is None:
        raise errors.not_found("Password reset", request.path_params["id"])
    return replies.ok(orjson.dumps(code.shown()))


async def confirm_password_reset(request: Request) -> Response:
    """The user, who has a new password and, whoever got the mail owning the address, a verified one."""
    types = {"token": bodies.TEXT, "new_password": bodies.TEXT}
    fields = await bodies.read(request, types, required=tuple(types))
    store = store_of(request)
    code = _usable(store, fields["token"])
    if problems := users.weaknesses(fields["new_password"]):
        raise _refused(problems)
    user = _reset(store, code, fields["new_password"])
    return replies.wrote(request, user["id"], orjson.dumps({"user": user}))


def _usable(store: Store, token: str) -> Code:
    """The reset of a token that still works, its user having the address it was sent to."""
    code = store.codes.holding(PASSWORD_RESET, token)
    if code is None or store.emails.get(code.email) != code.user_id:
        raise errors.ApiError(404, {"message": "Password reset token not found."})
    verdict = judge(code, token, store.now())
    if verdict in _TOKEN_REFUSALS:
        raise _refused([_TOKEN_REFUSALS[verdict]])
    return code


def _reset(store: Store, code: Code, password: str) -> dict[str, Any]:
    redeem(code, code.secret, store.now())
    user = users.update(store, code.user_id, {"password": password, "email_verified": True})
    store.emit("password_reset.succeeded", orjson.dumps(code.lean()), store.now())
    return user


def _refused(problems: list[dict[str, str]]) -> errors.ApiError:
    return errors.refused("password_reset_error", "The password could not be reset.", errors=problems)


_PATH: Final = "/user_management/password_reset"
ROUTES: Final = [
    Route(_PATH, create_password_reset, methods=["POST"]),
    Route(_PATH + "/confirm", confirm_password_reset, methods=["POST"]),
    Route(_PATH + "/{id}", get_password_reset),
]
