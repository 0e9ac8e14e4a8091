"""`user-management erase`: a person taken out of the copy and its journal."""

from typing import Annotated

import typer

from user_management.cli import edge
from user_management.db.session import transaction
from user_management.mirror.engine import catalog
from user_management.mirror.engine import erase as engine
from user_management.mirror.engine.erase import Traces
from user_management.mirror.engine.resource import Resource

PEOPLE = "users"


def erase(
    user: Annotated[str, typer.Argument(help="The user's id.")],
    yes: Annotated[bool, typer.Option("--yes", help="Without asking.")] = False,
) -> None:
    """Remove a person's data from the copy and its journal, for good.  Example: user-management erase user_01E4…."""
    found = edge.run(look(user))
    edge.err.print(described(found))
    if found.alive:
        edge.err.print(
            "WorkOS still has them. Delete them there as well; what WorkOS says of them is not kept here any more.",
            style="yellow",
        )
    if not yes and not typer.confirm("Erase all of it? This cannot be undone.", err=True):
        raise typer.Exit(edge.FAILED)
    remains = edge.run(carry_out(user))
    if remains:
        told = ", ".join(f"{count} in {name}" for name, count in remains.items())
        edge.out.print(
            f"Erased. What still names an address of theirs belongs to somebody else: {told}.", style="yellow"
        )
    else:
        edge.out.print("Erased: a search of the whole database finds nothing of them.", style="green")


def people() -> Resource:
    """The resource whose objects are people."""
    return next(resource for resource in catalog.resources() if resource.name == PEOPLE)


async def look(user: str) -> Traces:
    """Where a person is found."""
    async with edge.open_desk() as desk, desk.pool.acquire() as connection:
        return await engine.trace(connection, catalog.resources(), people(), user)


async def carry_out(user: str) -> dict[str, int]:
    """Erase a person; what still names them, by table."""
    async with edge.open_desk() as desk:
        async with transaction(desk.pool) as connection:
            found = await engine.erase(connection, catalog.resources(), people(), user)
        async with desk.pool.acquire() as connection:
            return await engine.remains(connection, found)


def described(found: Traces) -> str:
    """What would be erased, in a sentence."""
    rows = ", ".join(f"{len(ids):,} of {name}" for name, ids in found.rows.items() if ids) or "none"
    addresses = len(found.words) - 1
    return f"{found.id}: {len(found.positions):,} journal entries, rows: {rows}; {addresses} e-mail address(es)."
