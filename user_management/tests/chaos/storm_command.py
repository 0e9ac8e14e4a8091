"""`python -m user_management.tests.chaos storm --seeds 1..5`: storms on real processes, one after the other."""

import asyncio
import re
import signal
import time
from collections.abc import Coroutine
from typing import Annotated, Any

import typer

from user_management.tests.chaos import storm
from user_management.tests.chaos.storm import Outcome

TERMINATED = 143
"""The exit status of who was told to stop."""


def numbers(seeds: str) -> range:
    """The seeds of `7` or `1..5`."""
    found = re.fullmatch(r"(\d+)(?:\.\.(\d+))?", seeds)
    if found is None:
        raise typer.BadParameter("give a number, or the first and the last, such as 1..5", param_hint="--seeds")
    return range(int(found[1]), int(found[2] or found[1]) + 1)


async def told_to_stop(work: Coroutine[Any, Any, Outcome]) -> Outcome:
    """The work's outcome; SIGTERM, too, ends it in order, so that no process is left behind."""
    task = asyncio.ensure_future(work)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await task


def storms(
    seeds: Annotated[str, typer.Option(help="Which storms: one number, or the first and the last (1..5).")] = "1..5",
    seconds: Annotated[float, typer.Option(min=0, help="How long each rages, before it settles.")] = 10.0,
    *,
    verbose: Annotated[bool, typer.Option("--verbose", help="Keep the logs of each, and tell its faults.")] = False,
) -> None:
    """Raise storms: real processes, killed, frozen, cut off and lied to. Exit status 1 if anything was wrong."""
    began, failed = time.monotonic(), []
    for seed in numbers(seeds):
        try:
            outcome = asyncio.run(told_to_stop(storm.run(seed, seconds=seconds, verbose=verbose)))
        except asyncio.CancelledError:
            raise typer.Exit(TERMINATED) from None
        typer.echo(outcome)
        if verbose and outcome.well:
            typer.echo("\n".join([*outcome.timeline, f"Logs in {outcome.folder}"]))
        if not outcome.well:
            failed.append(seed)
    count, spent = len(numbers(seeds)), time.monotonic() - began
    typer.echo(f"{count} storms in {spent:.0f} s, {len(failed)} failed" + (f": {failed}" if failed else "."))
    raise typer.Exit(1 if failed else 0)
