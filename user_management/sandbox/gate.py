from hmac import compare_digest
from itertools import count
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from user_management.sandbox import errors
from user_management.sandbox.limits import Limits

_OPEN: Final = ("/user_management/authenticate", "/sso/jwks/")
"""What needs no key in a header: sign-in carries it in its body, and signing keys are public."""


class Gate:
    """Lets in who has the key and has not asked too often, and gives every answer an `X-Request-ID`."""

    def __init__(self, app: ASGIApp, api_key: str, limits: Limits) -> None:
        self._app = app
        self._credentials = f"Bearer {api_key}".encode()
        self._limits = limits
        self._numbers = count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 401 or 429, or pass the request on; the sandbox's own endpoints are open."""
        if scope["type"] != "http" or scope["path"].startswith("/_sandbox"):
            await self._app(scope, receive, send)
            return
        request_id = f"req_{next(self._numbers):026d}".encode()

        async def named(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"].append((b"x-request-id", request_id))
            await send(message)

        try:
            self._admit(scope)
        except errors.ApiError as error:
            await errors.respond(error)(scope, receive, named)
        else:
            await self._app(scope, receive, named)

    def _admit(self, scope: Scope) -> None:
        if not scope["path"].startswith(_OPEN):
            given = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
            if not compare_digest(given, self._credentials):
                raise errors.unauthorized()
        self._limits.count(scope["method"], scope["path"])
