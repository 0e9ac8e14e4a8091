"""The span of a request: begun if it is chosen, named by its route, without anything that could name a person."""

from contextvars import Token

from opentelemetry import context, trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from starlette.types import Scope

from user_management.telemetry import spans

METHODS = frozenset({"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE"})
UNTOLD = frozenset({"/metrics", "/api/health", "/api/ready"})
"""What machines ask every few seconds."""
FAILED = 500


def begin(scope: Scope, request_id: str, parent: bytes | None) -> Span | None:
    """The span of a request that is traced: one whose caller traces it, or one that is chosen; else None."""
    if not spans.sampling.share or scope["path"] in UNTOLD:
        return None
    if parent is not None:
        around = spans.propagator.extract({"traceparent": parent.decode("latin-1")}, Context())
        traced = trace.get_current_span(around).get_span_context().trace_flags.sampled
    else:
        around, traced = Context(), spans.sampling.chosen()
    if not traced:
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
    span.set_attribute("http.response.status_code", status)
    if route:
        span.update_name(f"{method(scope)} {route}")
        span.set_attribute("http.route", route)
        span.set_attribute("url.path", route if "external_id" in route else scope["path"])
    if status >= FAILED:
        span.set_attribute("error.type", str(status))
        span.set_status(Status(StatusCode.ERROR))
    span.end()


def route(scope: Scope) -> str:
    """The route that a request took, as it was declared; empty when it took none."""
    return getattr(scope.get("route"), "path_format", "")


def method(scope: Scope) -> str:
    """The request's method; whatever somebody made up is one."""
    return scope["method"] if scope["method"] in METHODS else "_OTHER"
