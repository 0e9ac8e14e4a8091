"""`user-management erase`: people taken out of the copy and its journal."""

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
    users: Annotated[list[str], typer.Argument(help="The ids of the users.")],
    address: Annotated[
        list[str] | None, typer.Option(help="An e-mail address of theirs that nothing here tells of any more.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Without asking.")] = False,
) -> None:
    """Remove people's data from the copy and its journal, for good.  Example: user-management erase user_01E4…."""
    found = edge.run(look(users, address or []))
    for one in found:
        edge.err.print(described(one), markup=False)
    if any(one.alive for one in found):
        edge.err.print(
            "WorkOS still has them. Delete them there as well; what WorkOS says of them is not kept here any more.",
            style="yellow",
        )
    if not yes and not typer.confirm("Erase all of it? This cannot be undone.", err=True):
        raise typer.Exit(edge.FAILED)
    tell(edge.run(carry_out(found)))


def tell(remains: dict[str, int]) -> None:
    """Say what a search of the whole database finds."""
    if remains:
        told = ", ".join(f"{count} in {name}" for name, count in remains.items())
        edge.out.print(f"Erased. An address of theirs is somebody else's today: {told}.", style="yellow")
    else:
        edge.out.print("Erased: no table names their ids or addresses any more.", style="green")


def people() -> Resource:
    """The resource whose objects are people."""
    return next(resource for resource in catalog.resources() if resource.name == PEOPLE)


async def look(users: list[str], also: list[str]) -> list[Traces]:
    """Where people are found; nobody is erased if one of them is unknown."""
    async with edge.open_desk() as desk, desk.pool.acquire() as connection:
        return [await engine.trace(connection, catalog.resources(), people(), user, also) for user in users]


async def carry_out(traces: list[Traces]) -> dict[str, int]:
    """Erase people, each in a transaction of its own; what still names them, by table."""
    left: dict[str, int] = {}
    async with edge.open_desk() as desk:
        for found in traces:
            async with transaction(desk.pool) as connection:
                await engine.erase(connection, catalog.resources(), found)
            async with desk.pool.acquire() as connection:
                for name, count in (await engine.remains(connection, found)).items():
                    left[name] = left.get(name, 0) + count
    return left


def described(found: Traces) -> str:
    """What would be erased, in a sentence."""
    rows = ", ".join(f"{len(ids):,} of {name}" for name, ids in found.rows.items() if ids) or "none"
    addresses = sum("@" in word for word in found.words)
    return f"{found.id}: {len(found.positions):,} journal entries; rows: {rows}; addresses: {addresses}."
