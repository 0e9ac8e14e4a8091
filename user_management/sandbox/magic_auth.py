from typing import Final

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from user_management.sandbox import bodies, errors, limits, mail, replies, users
from user_management.sandbox.one_time_codes import MAGIC_AUTH
from user_management.sandbox.store import Store, store_of


async def create_magic_auth(request: Request) -> Response:
    """201 with the code."""
    fields = await bodies.read(request, {"email": bodies.TEXT}, required=("email",))
    store, email = store_of(request), users.normal(fields["email"])
    if not users.is_email(email):
        raise errors.invalid("email", "email_invalid", "email must be an address.")
    limits.limits_of(request).count_for(limits.MAGIC_AUTHS, email)
    code = mail.send(store, MAGIC_AUTH, _owner(store, email), email)
    return replies.wrote(request, code.id, orjson.dumps(code.shown()), status=201)


def _owner(store: Store, email: str) -> str:
    """The user of an address; who is unknown signs up by asking, as the answer must name a user."""
    user_id: str = store.emails.get(email) or users.create(store, {"email": email})["id"]
    return user_id


async def get_magic_auth(request: Request) -> Response:
    """One by id, with its code."""
    code = store_of(request).codes.get(MAGIC_AUTH, request.path_params["id"])
    if code is None:
        raise errors.not_found("Magic auth", request.path_params["id"])
    return replies.ok(orjson.dumps(code.shown()))


_PATH: Final = "/user_management/magic_auth"
ROUTES: Final = [
    Route(_PATH, create_magic_auth, methods=["POST"]),
    Route(_PATH + "/{id}", get_magic_auth),
]
