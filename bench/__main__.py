"""`python -m bench`: measure, print the table, and keep it in `bench/README.md` if it is complete."""

import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import monotonic
from typing import Annotated

import typer
import uvloop

from bench import (
    apply,
    backfill,
    catchup,
    depth,
    freshness,
    memory,
    narrowed,
    processes,
    reads,
    report,
    tracing,
    webhooks,
    world,
)
from bench.figures import Figure
from bench.world import Plan, World
from user_management.db import embedded

cli = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
SIZES = (10_000, 100_000, 1_000_000)
SIZED: dict[str, Callable[[World, Plan], Awaitable[list[Figure]]]] = {
    "backfill": backfill.measure,
    "reads": reads.measure,
    "narrowed": narrowed.measure,
    "tracing": tracing.measure,
    "depth": depth.measure,
    "memory": memory.measure,
    "apply": apply.measure,
}
"""What is measured in a world of every size; the order matters, for `apply` changes the copy."""
NAMES = (*SIZED, "freshness", "webhooks", "catchup")


def sizes(text: str) -> list[int]:
    """Numbers of users, from a comma-separated list."""
    try:
        return sorted({int(size) for size in text.split(",")})
    except ValueError as error:
        raise typer.BadParameter(f"not a list of numbers: {text}") from error


@cli.command()
def main(
    names: Annotated[list[str] | None, typer.Argument(help=f"Some of {', '.join(NAMES)}.")] = None,
    users: Annotated[str, typer.Option(help="Numbers of users, comma-separated.")] = ",".join(map(str, SIZES)),
    quick: Annotated[bool, typer.Option("--quick", help="10,000 users only, in under a minute.")] = False,
) -> None:
    """Measure speed and memory beside a peer and the limit; a complete run goes into bench/README.md."""
    wanted, measured = names or list(NAMES), [SIZES[0]] if quick else sizes(users)
    if unknown := set(wanted) - set(NAMES):
        raise typer.BadParameter(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    found = uvloop.run(run(wanted, measured, Plan(quick)))
    print(found)
    if set(wanted) == set(NAMES) and tuple(measured) == SIZES:
        report.write(found)
        typer.echo("Written into bench/README.md.")


async def run(names: list[str], users: list[int], plan: Plan) -> str:
    """Measure on a PostgreSQL of our own; the report."""
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, embedded.server(Path(folder) / "data") as server:
        async with processes.connected(server) as connection:
            facts = report.machine(await connection.fetchval("SHOW server_version"))
        for size in users if set(names) & set(SIZED) else []:
            figures += await measure(server, size, Path(folder), names, plan)
        if "freshness" in names:
            figures += await timed("freshness", freshness.measure(server, Path(folder), plan))
        if "webhooks" in names:
            figures += await timed("webhooks", webhooks.measure(server, Path(folder), plan))
        if "catchup" in names:
            figures += await timed("catchup", catchup.measure(server, plan))
    return report.render(figures + memory.flatness(figures), facts)


async def measure(server: str, users: int, folder: Path, names: list[str], plan: Plan) -> list[Figure]:
    """Everything asked for, in a world of one size."""
    figures: list[Figure] = []
    started = monotonic()
    async with world.opened(server, users, folder) as opened:
        typer.echo(f"{users:,} users: seeded and copied in {monotonic() - started:.0f} s", err=True)
        for name, benchmark in SIZED.items():
            if name in names:
                figures += await timed(f"{users:,} users: {name}", benchmark(opened, plan))
    return figures


async def timed(name: str, measuring: Awaitable[list[Figure]]) -> list[Figure]:
    """What is measured, telling on the way what it was."""
    started = monotonic()
    figures = await measuring
    typer.echo(f"{name}: {monotonic() - started:.0f} s", err=True)
    for figure in figures:
        typer.echo(f"    {figure.name}: {figure.words}", err=True)
    return figures


if __name__ == "__main__":
    cli()
