"""Spans: the steps of a story, as the code tells them. Where nobody traces, telling costs next to nothing.

A *story* begins a trace: a request, a page of events. A *step* is part of the story that is being told, and is nothing
outside one: so polls that find nothing, the lease and the gauges leave no traces. Attributes hold ids, counts and
SQL without its values; never an address, a name or a secret.
"""

import random
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Protocol

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import INVALID_SPAN, Span, SpanContext, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import AttributeValue

Attributes = Mapping[str, AttributeValue]

tracer = trace.get_tracer("user_management")
propagator = TraceContextTextMapPropagator()

LONGEST = 2000
"""Characters of a statement that are shown."""
STATEMENT = re.compile(r"(?:/\* (?P<name>.*?) \*/ )?(?P<operation>\w*)")
TABLE = re.compile(r"\b(?:FROM|INTO|UPDATE)\s+([a-z_]+)", re.IGNORECASE)


class Sampling:
    """The share of stories that are told, 0 to 1; a caller who brings a trace has decided for themselves."""

    on = False
    share = 0.0

    def chosen(self) -> bool:
        """Whether the story that begins now is told."""
        return random.random() < self.share  # noqa: S311  which stories are told is no secret


sampling = Sampling()


def recording() -> bool:
    """Whether a story is being told here."""
    return trace.get_current_span().is_recording()


@contextmanager
def story(name: str, *, began: int | None = None, attributes: Attributes | None = None) -> Iterator[Span]:
    """Begin a trace, if it is chosen; `began` (ns since 1970) when it has begun before it was known to be one."""
    if not sampling.chosen():
        yield INVALID_SPAN
        return
    span = tracer.start_span(name, context=Context(), start_time=began, attributes=attributes)
    with told(span):
        yield span


@contextmanager
def step(name: str, attributes: Attributes | None = None, *, kind: SpanKind = SpanKind.INTERNAL) -> Iterator[Span]:
    """A part of the story being told; nothing where none is."""
    if not recording():
        yield INVALID_SPAN
        return
    span = tracer.start_span(name, kind=kind, attributes=attributes)
    with told(span):
        yield span


@contextmanager
def told(span: Span) -> Iterator[None]:
    """Make a span the one that is being told, and end it. Of an error it says the kind: the words may name people."""
    with trace.use_span(span, end_on_exit=True, record_exception=False, set_status_on_exception=False):
        try:
            yield
        except Exception as error:
            fail(span, error)
            raise


def fail(span: Span, error: BaseException) -> None:
    """Mark a span as come to nothing."""
    kind = type(error).__qualname__
    span.set_attribute("error.type", kind)
    span.set_status(Status(StatusCode.ERROR, kind))


def past(name: str, *, began: int, ended: int, attributes: Attributes | None = None, kind: SpanKind) -> None:
    """A step that is over already, in ns since 1970."""
    if recording():
        tracer.start_span(name, start_time=began, kind=kind, attributes=attributes).end(ended)


def failed(name: str, error: Exception, *, began: int) -> None:
    """A story that came to nothing."""
    with story(name, began=began) as span:
        fail(span, error)


def traceparent() -> str | None:
    """Where in which trace we are, as W3C Trace Context writes it; None when no story is being told."""
    if not recording():
        return None
    carrier: dict[str, str] = {}
    propagator.inject(carrier)
    return carrier.get("traceparent")


def context_of(written: str) -> SpanContext:
    """The place in a trace that a `traceparent` names; an invalid one when it names none."""
    return trace.get_current_span(propagator.extract({"traceparent": written}, Context())).get_span_context()


def link(span: Span, written: str, attributes: Attributes) -> None:
    """Link a span to the place in another trace that a `traceparent` names."""
    context = context_of(written)
    if context.is_valid:
        span.add_link(context, attributes)


class Query(Protocol):
    """A query as asyncpg reports it, once it is done."""

    query: str
    elapsed: float
    exception: BaseException | None
    conn_addr: Any
    conn_params: Any


class Queried(Protocol):
    """A connection that can be listened to."""

    def add_query_logger(self, callback: Any) -> None:
        """Hear of every query."""

    def remove_query_logger(self, callback: Any) -> None:
        """Hear of no more."""


@contextmanager
def queries(connection: Queried) -> Iterator[None]:
    """Make each query on a connection a step of the story being told, if one is."""
    if not recording():
        yield
        return
    connection.add_query_logger(queried)
    try:
        yield
    finally:
        connection.remove_query_logger(queried)


def queried(done: Query) -> None:
    """Tell of one query. asyncpg calls this in the context of whoever asked, so that the story is theirs."""
    ended = time.time_ns()
    began = ended - int(done.elapsed * 1e9)
    said = described(done.query, done.conn_params.database, address(done.conn_addr))
    span = tracer.start_span(str(said["db.query.summary"]), kind=SpanKind.CLIENT, start_time=began, attributes=said)
    if done.exception is not None:
        fail(span, done.exception)
    span.end(ended)


@lru_cache(maxsize=512)
def described(query: str, database: str, server: str) -> Attributes:
    """What a span says of a statement; our statements are few, and looking through one costs more than a span."""
    text = " ".join(query.split())
    operation, summary = summarized(text)
    return {
        "db.system.name": "postgresql",
        "db.operation.name": operation,
        "db.query.summary": summary,
        "db.query.text": text[:LONGEST],
        "db.namespace": database,
        "server.address": server,
    }


def summarized(text: str) -> tuple[str, str]:
    """What a statement does, and in few words to what: its own name for it (a comment in front), or its first table."""
    found, table = STATEMENT.match(text), TABLE.search(text)
    operation = found["operation"].upper() if found else ""
    named = (found["name"] if found else None) or (f"{operation} {table[1]}" if table else operation)
    return operation, named or "query"


def address(where: object) -> str:
    """The host, or the socket, of a connection's address."""
    return str(where[0]) if isinstance(where, tuple) else str(where)
