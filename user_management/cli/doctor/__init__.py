"""`user-management doctor`: everything that must be right before the copy can be, each probed, each with its fix."""

from collections.abc import AsyncIterator
from dataclasses import asdict
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from user_management import settings as configuration
from user_management.cli import edge
from user_management.cli.doctor import database, webhook, workos
from user_management.cli.doctor.checkup import Checkup, Health
from user_management.errors import Misconfigured

COLOURS = {Health.GOOD: "green", Health.DOUBTFUL: "yellow", Health.BAD: "bold red", Health.UNKNOWN: "dim"}


def doctor(as_json: Annotated[bool, typer.Option("--json", help="As JSON, for programs.")] = False) -> None:
    """Probe settings, database, WorkOS and webhooks; exit 1 if something is bad.  Example: user-management doctor."""
    found = edge.run(examine())
    if as_json:
        edge.print_json([asdict(one) for one in found])
    else:
        edge.out.print(table(found))
        edge.out.print(summary(found))
    if any(one.health is Health.BAD for one in found):
        raise typer.Exit(edge.FAILED)


async def examine() -> list[Checkup]:
    """Every probe's finding; one that cannot be made because of another says so."""
    return [one async for one in probes()]


async def probes() -> AsyncIterator[Checkup]:
    """The probes, in the order in which things depend on each other."""
    settings = configuration.load()
    async for one in database.probes(settings):
        yield one
    try:
        source = configuration.source(settings)
    except Misconfigured as error:
        yield Checkup("WorkOS key", Health.BAD, "not set", str(error))
    else:
        async for one in workos.probes(settings, source):
            yield one
    yield await webhook.probe(settings)


def table(found: list[Checkup]) -> Table:
    """What was found, a line each, with the fix under what is not good; it fits a terminal of 80 columns."""
    lines = Table("", "checked", "found", box=None, padding=(0, 2, 0, 0))
    lines.columns[1].overflow = lines.columns[2].overflow = "fold"
    for one in found:
        fix = f"\n[bold]Fix:[/bold] {escape(one.fix)}" if one.fix else ""
        lines.add_row(f"[{COLOURS[one.health]}]{one.health.value}[/]", one.name, escape(one.found) + fix)
    return lines


def summary(found: list[Checkup]) -> str:
    """What is not good, by name, in a line; what could not be looked at is no fault."""
    words = [
        f"[{COLOURS[health]}]{health.value}: {', '.join(names)}[/]"
        for health in (Health.BAD, Health.DOUBTFUL)
        if (names := [one.name for one in found if one.health is health])
    ]
    return "\n" + ("; ".join(words) or "[green]Nothing is bad.[/green]")
