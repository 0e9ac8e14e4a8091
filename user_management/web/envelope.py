"""What goes around every answer: an id to find it by in the logs, and a problem when a handler failed."""

import re
import secrets
import time

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from user_management.telemetry import metrics, spans
from user_management.web import errors, tracing

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
        began = time.perf_counter()
        request_id, parent = identify(scope)
        state = scope.setdefault("state", {})
        state["request_id"] = request_id
        raw = request_id.encode()
        started, status = False, 500
        span = tracing.begin(scope, request_id, parent)

        async def stamped(message: Message) -> None:
            nonlocal started, status
            if message["type"] == "http.response.start":
                started, status = True, message["status"]
                given = message.get("headers", ())
                known = any(name == RAW_HEADER for name, _ in given)  # WorkOS's answers keep the id that WorkOS knows
                own = () if known else ((RAW_HEADER, raw),)
                message["headers"] = [*given, *own, *state.get("stamps", ())]
            await send(message)

        structlog.contextvars.bind_contextvars(request_id=request_id)
        token = tracing.enter(span)
        try:
            await self.app(scope, receive, stamped)
        except Exception as error:
            if span is not None:
                spans.fail(span, error)
            if started:
                raise
            log.exception("request.failed", method=scope["method"], path=scope["path"])
            response = errors.answer(errors.explain(error), path=scope["path"], request_id=request_id)
            await response(scope, receive, stamped)
        finally:
            structlog.contextvars.unbind_contextvars("request_id", "credential")
            route = tracing.route(scope)
            metrics.requests.record(time.perf_counter() - began, tracing.method(scope), route, status)
            tracing.leave(span, token, scope, route, status)


def identify(scope: Scope) -> tuple[str, bytes | None]:
    """The request's own id where it has a sane one, else a new one; and the trace it is part of, if it says so."""
    request_id, parent = None, None
    for name, value in scope["headers"]:
        if name == RAW_HEADER and SANE.fullmatch(value):
            request_id = str(value, "ascii")
        elif name == b"traceparent":
            parent = value
    return request_id or secrets.token_hex(16), parent
