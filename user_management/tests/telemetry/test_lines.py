"""Lines: one for each fact, ours and those of libraries alike, with tracebacks as data."""

import asyncio
import json
import os
import subprocess
import sys
from typing import Any

import pytest

CONFIGURE = (
    "from user_management import telemetry; telemetry.configure('test', log_level={level!r}, environment='production', "
)
LOGS = "import logging, structlog; log = structlog.get_logger('ours'); lib = logging.getLogger('lib'); "


async def said(
    code: str, *, before: str = "", level: str = "info", endpoint: str = "", signals: str = "traces metrics"
) -> list[str]:
    """The lines that a process of its own, set up for production, writes to stderr; `before` is run before that."""
    setup = before + CONFIGURE.format(level=level) + f"endpoint={endpoint!r}, signals={signals.split()})\n"
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-W", "error::DeprecationWarning:user_management", "-c", setup + LOGS + "\n" + code],
        env={**os.environ, "OTEL_BSP_EXPORT_TIMEOUT": "100"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == ""
    return done.stderr.splitlines()


async def logged(code: str, **options: str) -> list[dict[str, Any]]:
    """The facts that such a process logs."""
    return [json.loads(line) for line in await said(code, **options)]


async def test_a_fact_is_one_line_of_json() -> None:
    """An event's name and its key-values, with the level and the time in UTC; line breaks do not make two of it."""
    (fact,) = await logged(r"log.info('page.applied', entries=3, note='a\nb', who='é')")
    assert fact.pop("timestamp").endswith("Z")
    assert fact == {"event": "page.applied", "level": "info", "entries": 3, "note": "a\nb", "who": "é"}


async def test_libraries_speak_through_the_same_pipe() -> None:
    """What a library logs the old way is a fact like ours, with its arguments and extras."""
    (fact,) = await logged("lib.warning('disk %s full', 'almost', extra={'free': 7})")
    assert (fact["event"], fact["level"], fact["free"]) == ("disk almost full", "warning", 7)
    assert "timestamp" in fact


async def test_what_is_bound_is_on_every_line() -> None:
    """A context, once bound, is on our lines and on those of libraries."""
    facts = await logged("structlog.contextvars.bind_contextvars(request='r1'); log.info('a'); lib.info('b')")
    assert [(fact["event"], fact["request"]) for fact in facts] == [("a", "r1"), ("b", "r1")]


@pytest.mark.parametrize(
    ("level", "events"),
    [("debug", "dbg inf wrn err"), ("info", "inf wrn err"), ("warning", "wrn err"), ("error", "err")],
)
async def test_as_much_is_logged_as_was_asked_for(level: str, events: str) -> None:
    """The level holds for us and for libraries."""
    code = "for x in (log, lib): x.debug('dbg'); x.info('inf'); x.warning('wrn'); x.error('err')"
    assert [fact["event"] for fact in await logged(code, level=level)] == events.split() * 2


@pytest.mark.parametrize("name", ["httpx", "httpcore", "asyncio", "uvicorn.access"])
async def test_chatter_is_quiet(name: str) -> None:
    """A line for each request is not a fact, but a warning is."""
    code = f"chat = logging.getLogger({name!r}); chat.info('GET /'); chat.warning('slow')"
    assert [fact["event"] for fact in await logged(code, level="debug")] == ["slow"]


BROKEN = """
def call(password):
    raise ValueError('it broke')

try:
    call('hunt' + 'er2')
except ValueError as error:
    {log}('failed')
"""


@pytest.mark.parametrize("log", ["log.exception", "lib.exception"])
async def test_a_traceback_is_data_without_secrets(log: str) -> None:
    """An error is one line with its type, its words and where it was; local variables, which hold secrets, are not."""
    (line,) = await said(BROKEN.format(log=log))
    assert "hunter2" not in line
    (error,) = json.loads(line)["exception"]
    assert (error["exc_type"], error["exc_value"]) == ("ValueError", "it broke")
    assert [frame["name"] for frame in error["frames"]] == ["<module>", "call"]


async def test_a_terminal_shows_no_secrets_either() -> None:
    """The coloured form for people has tracebacks, but no local variables."""
    lines = await said("telemetry.logs.configure('info', json=False)\n" + BROKEN.format(log="log.exception"))
    text = "\n".join(lines)
    assert "it broke" in text
    assert "hunter2" not in text
