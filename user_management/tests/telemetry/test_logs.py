"""Every line of a process: in one form, with the trace it belongs to, and without secrets or people."""

import os
import pty
import sys
from asyncio.subprocess import create_subprocess_exec

import pytest

from user_management.tests.telemetry.test_lines import BROKEN, logged, said

SPAN = """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider, sampling
trace.set_tracer_provider(TracerProvider(sampler=sampling.{sampler}))
with trace.get_tracer('test').start_as_current_span('step') as span:
    log.info('ours'); lib.info('theirs')
log.info(trace.format_trace_id(span.get_span_context().trace_id), id=format(span.get_span_context().span_id, '016x'))
"""
LEAK = """
def leak(words):
    error = ValueError(words); error.add_note(words)
    log.info('told', **{'words': words, 'deep': [{'in': (words, {words})}], 'password': 'hunter2', 'error': error})
    lib.warning('said %s', words, extra={'more': words})
    for one in (log, lib):
        try:
            try: raise error
            except ValueError as cause: raise KeyError(words) from cause
        except KeyError: one.exception(words)
    import warnings; warnings.warn(words)
    raise RuntimeError(words)

leak('ada@example.com sk_live_hunter2 postgresql://ada:hunter2@db/app ' + 'token=hunter2')
"""
TERMINAL = "telemetry.logs.configure('info', json=False)\n"


async def test_a_line_names_its_trace() -> None:
    """Our lines and those of libraries carry the ids that OpenTelemetry shows, and lines outside a span none."""
    ours, theirs, after = await logged(SPAN.format(sampler="ALWAYS_ON"))
    assert {(fact["trace_id"], fact["span_id"]) for fact in (ours, theirs)} == {(after["event"], after["id"])}
    assert "trace_id" not in after


async def test_a_trace_that_is_not_kept_is_not_named() -> None:
    """Nobody could look it up."""
    ours, theirs, _ = await logged(SPAN.format(sampler="ALWAYS_OFF"))
    assert not {"trace_id", "span_id"} & {*ours, *theirs}


@pytest.mark.parametrize("form", ["", TERMINAL])
async def test_no_line_tells_secrets_or_people(form: str) -> None:
    """Not in a value, an argument, an error, a note, a cause, a warning, nor in what ends the process."""
    lines = await said(form + LEAK)
    assert [word for word in ("ada@", "hunter2") if word in "\n".join(lines)] == []
    assert "process.crashed" in "\n".join(lines)
    assert form or len(lines) == 6


async def test_people_are_shown_where_that_was_asked_for() -> None:
    """On a machine that is nobody else's addresses help, and secrets are still none of its business."""
    lines = await said("telemetry.logs.configure('info', json=True, personal_data=True)\n" + LEAK)
    assert all("ada@example.com" in line for line in lines)
    assert "hunter2" not in "\n".join(lines)


async def test_a_warning_is_a_fact() -> None:
    """What Python warns of goes through the pipe, with the name of who said it, as with every library."""
    (fact,) = await logged("import warnings; warnings.warn('old ways')")
    assert "UserWarning: old ways" in fact["event"]
    assert (fact["level"], fact["logger"]) == ("warning", "py.warnings")


async def test_a_crash_is_one_line() -> None:
    """What ends a process is told in the form of every other line."""
    (fact,) = await logged(BROKEN.replace("try:", "if True:").split("except")[0])
    assert (fact["event"], fact["level"]) == ("process.crashed", "critical")
    assert fact["exception"][0]["exc_value"] == "it broke"


async def test_uvicorns_colours_stay_out() -> None:
    """Its lines are said once, without the second, coloured wording that it sends along."""
    code = "logging.getLogger('uvicorn.error').info('Started %d', 7, extra={'color_message': 'Started \\x1b[36m%d'})"
    (fact,) = await logged(code)
    assert fact.keys() == {"timestamp", "level", "event", "logger"}
    assert fact["event"] == "Started 7"


@pytest.mark.parametrize(
    ("environment", "coloured"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, False)],
)
async def test_a_terminal_is_coloured_unless_told_otherwise(environment: dict[str, str], coloured: bool) -> None:
    """NO_COLOR is honoured."""
    ours, theirs = pty.openpty()
    process = await create_subprocess_exec(
        sys.executable, "-c", "from user_management import telemetry\n" + TERMINAL + "telemetry.logs.log.info('seen')",
        env={**uncoloured(), **environment}, stderr=theirs,
    )  # fmt: skip
    assert await process.wait() == 0
    os.close(theirs)
    line = os.read(ours, 1000)
    os.close(ours)
    assert (b"seen" in line, b"\x1b[" in line) == (True, coloured)


@pytest.mark.parametrize(("force", "coloured"), [("", False), ("1", True)])
async def test_a_pipe_is_not_coloured_unless_told_otherwise(
    force: str, coloured: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is read by a program has no colours in it, and FORCE_COLOR is honoured."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("FORCE_COLOR", force)
    (line,) = await said(TERMINAL + "log.info('seen')")
    assert ("seen" in line, "\x1b[" in line) == (True, coloured)


def uncoloured() -> dict[str, str]:
    """This environment without a word about colours, on a terminal that has them."""
    return {name: value for name, value in os.environ.items() if not name.endswith("_COLOR")} | {"TERM": "xterm"}
