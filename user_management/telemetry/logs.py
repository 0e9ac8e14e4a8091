"""Logs as facts: one line each, an event name and key-values, without secrets."""

import logging
import sys
from types import TracebackType

import structlog
from opentelemetry import trace
from rich.console import Console
from structlog.typing import EventDict, Processor, WrappedLogger

from user_management.telemetry import redaction

QUIET = ("asyncio", "httpcore", "httpx", "uvicorn.access", "alembic.runtime")
"""Libraries that would write a line for every request or step."""

TRACEBACKS = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
"""Tracebacks as data, without local variables: those hold keys, passwords and people."""

log = structlog.get_logger(__name__)


def configure(level: str, *, json: bool, personal_data: bool = False) -> None:
    """One line for each fact, coloured on a terminal and JSON elsewhere; libraries speak through the same pipe."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        in_span,
    ]
    foreign: list[Processor] = [structlog.stdlib.ExtraAdder(), structlog.stdlib.add_logger_name, plain, *shared]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=foreign, processors=rendering(json=json, personal_data=personal_data)
        )
    )
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    logging.captureWarnings(capture=True)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    sys.excepthook = crashed


def rendering(*, json: bool, personal_data: bool) -> list[Processor]:
    """From a fact to its line: tracebacks become text or data first, so that what they quote is redacted too."""

    def redacted(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
        first = {key: event.get(key) for key in ("timestamp", "level", "event")}
        found: EventDict = redaction.redact({**first, **event}, personal_data=personal_data)
        return found

    meta = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    if json:
        return [meta, structlog.processors.ExceptionRenderer(TRACEBACKS), redacted, structlog.processors.JSONRenderer()]
    console = structlog.dev.ConsoleRenderer(colors=coloured(), exception_formatter=structlog.dev.plain_traceback)
    return [meta, structlog.processors.format_exc_info, redacted, console]


def coloured() -> bool:
    """Whether to write colours: to a terminal, unless NO_COLOR is set; elsewhere only if FORCE_COLOR is."""
    terminal = Console(stderr=True)
    return terminal.color_system is not None and not terminal.no_color


def in_span(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    """Add the trace and the span a line was written in, if they are kept, as OpenTelemetry writes their ids."""
    context = trace.get_current_span().get_span_context()
    if context.is_valid and context.trace_flags.sampled:
        event["trace_id"] = trace.format_trace_id(context.trace_id)
        event["span_id"] = trace.format_span_id(context.span_id)
    return event


def plain(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    """Drop uvicorn's second, coloured wording of its own lines."""
    event.pop("color_message", None)
    return event


def crashed(kind: type[BaseException], error: BaseException, where: TracebackType | None) -> None:
    """Log what ends a process, in the form of every other line; Ctrl-C is no crash."""
    if issubclass(kind, Exception):
        log.critical("process.crashed", exc_info=(kind, error, where))
    else:
        sys.__excepthook__(kind, error, where)
