"""The span of a request: begun if it is chosen, named by its route, without anything that could name a person."""

import re
from contextvars import Token

from opentelemetry import context, trace
from opentelemetry.context import Context
from opentelemetry.trace import INVALID_SPAN_CONTEXT, Span, SpanKind, Status, StatusCode
from starlette.types import Scope

from user_management.telemetry import spans

METHODS = frozenset({"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE"})
UNTOLD = frozenset({"/metrics", "/api/health", "/api/ready"})
"""What machines ask every few seconds."""
FAILED = 500
ID = re.compile(r"[a-z_]+_[0-9A-Z]{26}")
"""An id as WorkOS makes them; whatever else people write into a path may name somebody."""
NOWHERE = Context()


def begin(scope: Scope, request_id: str, parent: bytes | None) -> Span | None:
    """The span of a request that is traced: one whose caller traces it, or one that is chosen; else None."""
    if not spans.sampling.on or scope["path"] in UNTOLD:
        return None
    around = spans.propagator.extract({"traceparent": parent.decode("latin-1")}, Context()) if parent else NOWHERE
    caller = trace.get_current_span(around).get_span_context() if parent else INVALID_SPAN_CONTEXT
    if not (caller.trace_flags.sampled if caller.is_valid else spans.sampling.chosen()):
        return None
    attributes = {
        "http.request.method": method(scope),
        "url.scheme": scope["scheme"],
        "user_management.request.id": request_id,
    }
    return spans.tracer.start_span(method(scope), around, SpanKind.SERVER, attributes)


def enter(span: Span | None) -> Token[Context] | None:
    """Make a span the one that is being told."""
    return None if span is None else context.attach(trace.set_span_in_context(span))


def leave(span: Span | None, token: Token[Context] | None, scope: Scope, route: str, status: int) -> None:
    """End a request's span with what became of it."""
    if span is None or token is None:
        return
    context.detach(token)
    told: dict[str, str | int] = {"http.response.status_code": status}
    if route:
        span.update_name(f"{method(scope)} {route}")
        impersonal = all(ID.fullmatch(value) for value in scope["path_params"].values())
        told |= {"http.route": route, "url.path": scope["path"] if impersonal else route}
    if status >= FAILED:
        told["error.type"] = str(status)
        span.set_status(Status(StatusCode.ERROR))
    span.set_attributes(told)
    span.end()


def route(scope: Scope) -> str:
    """The route that a request took, as it was declared; empty when it took none."""
    return getattr(scope.get("route"), "path_format", "")


def method(scope: Scope) -> str:
    """The request's method; whatever somebody made up is one."""
    return scope["method"] if scope["method"] in METHODS else "_OTHER"
