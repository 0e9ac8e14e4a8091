"""The sandbox's own endpoints about signing in: what the mail would have brought, the rules, the signing key."""

from dataclasses import asdict, replace
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from user_management.sandbox import bodies, tokens, users
from user_management.sandbox.store import store_of

_RULES: Final = {"require_verified_email": bodies.FLAG, "require_organization": bodies.FLAG}


async def mailbox(request: Request) -> Response:
    """The codes and tokens that were sent lately, the newest first: to everybody, or to one address."""
    email = request.path_params.get("email")
    found = store_of(request).codes.sent(None if email is None else users.normal(email))
    return JSONResponse({"data": [code.letter() for code in found]})


async def set_rules(request: Request) -> Response:
    """Ask for `{"require_verified_email": b, "require_organization": b}` before a session; left out, a rule stays."""
    store, fields = store_of(request), await bodies.read(request, _RULES)
    store.rules = replace(store.rules, **fields)
    return JSONResponse(asdict(store.rules))


async def rotate_signing_key(request: Request) -> Response:
    """Sign with a new key from now on; with `{"keep": false}` the old ones leave the JWKS at once."""
    fields = await bodies.read(request, {"keep": bodies.FLAG})
    store = store_of(request)
    tokens.rotate(store, keep=fields.get("keep", True))
    return JSONResponse({"kids": [key.kid for key in store.signing_keys]})


ROUTES: Final = [
    Route("/_sandbox/mailbox", mailbox),
    Route("/_sandbox/mailbox/{email}", mailbox),
    Route("/_sandbox/sign-in-rules", set_rules, methods=["PUT"]),
    Route("/_sandbox/signing-key", rotate_signing_key, methods=["POST"]),
]
