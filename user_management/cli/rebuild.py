"""`user-management rebuild`."""

from collections.abc import Sequence
from typing import Annotated

import typer
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from user_management.cli import edge
from user_management.errors import Fix
from user_management.mirror.engine import catalog
from user_management.mirror.engine import rebuild as engine
from user_management.mirror.engine.rebuild import Difference
from user_management.mirror.engine.resource import Resource


class NoSuchResource(Fix):
    """Nothing of that name is mirrored."""


def rebuild(
    resources: Annotated[list[str] | None, typer.Argument(help="What to rebuild; everything unless told.")] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Only compare: change nothing, exit 3 on differences.")
    ] = False,
) -> None:
    """Fold the journal again, compare with the live tables, repair them.  Example: user-management rebuild users."""
    differences = edge.run(fold_again(resources or [], swap=not check))
    edge.out.print(table(differences, swapped=not check))
    count = sum(difference.total for difference in differences)
    if not count:
        edge.out.print("The copy is what its journal says.", style="green")
    elif check:
        edge.out.print(f"{count:,} rows are not as the journal says; nothing was changed.", style="bold red")
        raise typer.Exit(edge.DIFFERED)
    else:
        edge.out.print(f"{count:,} rows were not as the journal says and have been REPAIRED.", style="bold yellow")


def named(names: Sequence[str]) -> list[Resource]:
    """The resources of these names, parents first; all of them for none. `NoSuchResource` names the known ones."""
    known = {resource.name: resource for resource in catalog.resources()}
    for name in names:
        if name not in known:
            raise NoSuchResource(f"There is no resource called {name}; there are {', '.join(known)}.")
    return [resource for name, resource in known.items() if not names or name in names]


async def fold_again(names: Sequence[str], *, swap: bool) -> list[Difference]:
    """Rebuild under a progress bar; one difference for each resource."""
    resources, found = named(names), []
    async with edge.open_desk() as desk:
        with bar() as progress:
            task = progress.add_task("Folding the journal", total=None, rate="")
            async for step in engine.rebuild(desk.pool, resources, swap=swap):
                if isinstance(step, Difference):
                    found.append(step)
                else:
                    speed = edge.rate(step.position, progress.tasks[0].elapsed or 0)
                    progress.update(task, completed=step.position, total=step.head, rate=speed)
    return found


def bar() -> Progress:
    """A bar over positions, with rate, time spent and time left."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TextColumn("{task.fields[rate]}"),
               TimeElapsedColumn(), TimeRemainingColumn())  # fmt: skip
    return Progress(*columns, console=edge.err)


def table(differences: Sequence[Difference], *, swapped: bool) -> Table:
    """The differences, one line for each resource."""
    lines = Table("resource", "missing", "extra", "different", "result")
    for one in differences:
        result = "equal" if not one.total else "repaired" if swapped else "differs"
        lines.add_row(one.resource, f"{one.missing:,}", f"{one.extra:,}", f"{one.different:,}", result)
    return lines
