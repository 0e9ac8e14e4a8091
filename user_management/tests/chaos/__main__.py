"""`python -m user_management.tests.chaos`: bad days by seed, and a table of how they ended."""

import re
from collections import Counter
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from user_management.tests.chaos import simulator_jobs
from user_management.tests.chaos.faults import FAULTS
from user_management.tests.chaos.simulator import is_day
from user_management.tests.chaos.storm_command import storms
from user_management.tests.chaos.table import Line, table

app = typer.Typer(help=__doc__, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
out, err = Console(soft_wrap=True), Console(stderr=True)


@app.callback()
def chaos() -> None:
    """Bad days by seed, and a table of how they ended."""


def seeds_of(text: str) -> range:
    """The seeds `1..100` or `7`."""
    found = re.fullmatch(r"(\d+)(?:\.\.(\d+))?", text)
    if found is None:
        raise typer.BadParameter("seeds are 7 or 1..100")
    return range(int(found[1]), int(found[2] or found[1]) + 1)


app.command("storm")(storms)


@app.command()
def simulate(
    seeds: Annotated[str, typer.Option(help="Which: 1..1000, or 7.")] = "1..100",
    classes: Annotated[list[str] | None, typer.Option("--class", help="Which fault classes; all unless told.")] = None,
    jobs: Annotated[int, typer.Option(help="Processes that share the work.")] = 2,
    story: Annotated[bool, typer.Option("--story", help="Tell what happened in each run that failed.")] = False,
) -> None:
    """Simulate small scenes, and a whole day at every fiftieth seed, in virtual time.

    Example: simulate --seeds 1..1000 --class crash.
    """
    names, wanted = classes or list(FAULTS), seeds_of(seeds)
    if unknown := set(names) - set(FAULTS):
        raise typer.BadParameter(f"no such class: {', '.join(sorted(unknown))}; there are {', '.join(FAULTS)}")
    runs, failed = Counter[str](), Counter[str]()
    with Progress(console=err, transient=True) as progress:
        task = progress.add_task("Simulating", total=len(names) * len(wanted))
        for (name, share), failures in simulator_jobs.campaign(names, wanted, jobs):
            runs[name] += len(share)
            failed[name] += len(failures)
            progress.advance(task, len(share))
            for failure in failures:
                out.print(f"{failure}\n  again: python -m user_management.tests.chaos simulate "
                          f"--class {name} --seeds {failure.seed} --jobs 1 --story", markup=False)  # fmt: skip
                if story:
                    out.print(failure.story, markup=False)
    out.print(table(Line(name, FAULTS[name].about, runs[name], failed[name]) for name in names))
    days = len(names) * sum(map(is_day, wanted))
    out.print(f"{days:,} of these runs are whole days, {runs.total() - days:,} are small scenes (a page or three).")
    raise typer.Exit(1 if failed.total() else 0)


if __name__ == "__main__":
    app(prog_name="python -m user_management.tests.chaos")
