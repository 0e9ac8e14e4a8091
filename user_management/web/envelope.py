"""What goes around every answer: an id to find it by in the logs, and a problem when a handler failed."""

import re
import secrets

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from user_management.web import errors

log = structlog.get_logger(__name__)

HEADER = "X-Request-ID"
RAW_HEADER = HEADER.lower().encode()
SANE = re.compile(rb"[A-Za-z0-9._-]{1,128}")


class Envelope:
    """Gives each request its id and answers for handlers that fail without a word."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = identify(scope)
        scope.setdefault("state", {})["request_id"] = request_id
        raw = request_id.encode()
        started = False

        async def stamped(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message["headers"] = [*message.get("headers", ()), (RAW_HEADER, raw)]
            await send(message)

        structlog.contextvars.bind_contextvars(request_id=request_id)
        try:
            await self.app(scope, receive, stamped)
        except Exception as error:
            if started:
                raise
            log.exception("request.failed", method=scope["method"], path=scope["path"])
            response = errors.answer(errors.explain(error), path=scope["path"], request_id=request_id)
            await response(scope, receive, stamped)
        finally:
            structlog.contextvars.unbind_contextvars("request_id")


def identify(scope: Scope) -> str:
    """The request's own id where it has a sane one, else a new one."""
    for name, value in scope["headers"]:
        if name == RAW_HEADER and SANE.fullmatch(value):
            return str(value, "ascii")
    return secrets.token_hex(16)
