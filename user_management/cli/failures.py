"""`user-management failures list | show | retry | skip`."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from user_management.cli import edge
from user_management.db.session import Pool, transaction
from user_management.errors import Fix
from user_management.journal import entries, failures
from user_management.journal.entries import Entry
from user_management.journal.failures import Failure, NoSuchFailure, Parked
from user_management.mirror.engine import retry as engine

app = typer.Typer(help="Parked entries: what could not be applied, and what to do about it.", no_args_is_help=True)

Position = Annotated[int, typer.Argument(min=1, help="The entry's position in the journal.")]


class NothingNamed(Fix):
    """A retry must be told what to retry."""


class NoSuchEntry(NoSuchFailure):
    """The journal has no entry at that position."""


@app.command("list")
def list_(as_json: Annotated[bool, typer.Option("--json", help="As JSON, for programs.")] = False) -> None:
    """List what is parked, oldest first.  Example: user-management failures list --json."""
    found = edge.run(parked())
    if as_json:
        edge.print_json([asdict(one) for one in found])
    elif found:
        edge.out.print(table(found))
    else:
        edge.out.print("Nothing is parked.", style="green")


@app.command()
def show(position: Position) -> None:
    """Show an entry of the journal as WorkOS worded it.  Example: user-management failures show 4711."""
    edge.print_json(described(edge.run(entry_at(position))))


@app.command()
def retry(
    positions: Annotated[list[int] | None, typer.Argument(help="The entries to retry.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every parked entry.")] = False,
) -> None:
    """Apply parked entries again; exit 1 if one still fails.  Example: user-management failures retry --all."""
    failed = edge.run(retry_all(None if everything else positions or []))
    if failed:
        raise typer.Exit(edge.FAILED)


@app.command()
def skip(position: Position) -> None:
    """Leave a parked entry unapplied for good; the journal keeps it.  Example: user-management failures skip 4711."""
    for one in edge.run(skip_one(position)):
        edge.out.print(f"{one.position} {one.resource}: skipped ({one.type} {one.object_id or ''})", markup=False)


async def parked() -> list[Parked]:
    """What is parked."""
    async with edge.open_desk() as desk, desk.pool.acquire() as connection:
        return await failures.parked(connection)


async def entry_at(position: int) -> Entry:
    """One entry of the journal; `NoSuchEntry` when it ends before."""
    async with edge.open_desk() as desk, desk.pool.acquire() as connection:
        entry = await entries.get(connection, position)
    if entry is None:
        raise NoSuchEntry(f"The journal has no entry at position {position}.")
    return entry


async def retry_all(positions: Sequence[int] | None) -> list[Failure]:
    """Retry entries, each in a transaction of its own; None is every parked one. What still fails is the answer."""
    if positions is not None and not positions:
        raise NothingNamed("Say what to retry: positions of parked entries, or --all.")
    async with edge.open_desk() as desk:
        if positions is None:
            async with desk.pool.acquire() as connection:
                positions = [one.position for one in await failures.parked(connection)]
        return [failure for position in sorted(set(positions)) for failure in await retry_one(desk.pool, position)]


async def retry_one(pool: Pool, position: int) -> list[Failure]:
    """Retry one entry and say what became of it."""
    async with transaction(pool) as connection:
        failed = await engine.retry(connection, position)
    for failure in failed:
        edge.err.print(f"{position} {failure.resource}: still fails: {failure.error}", style="red", markup=False)
    if not failed:
        edge.out.print(f"{position}: applied", style="green")
    return failed


async def skip_one(position: int) -> list[Parked]:
    """Close the failures of one entry; `NoSuchFailure` when nothing is parked there."""
    async with edge.open_desk() as desk, transaction(desk.pool) as connection:
        return await engine.skip(connection, position)


def described(entry: Entry) -> dict[str, Any]:
    """An entry with every field, as JSON shows it."""
    return {**asdict(entry), "body": entry.body}


def table(found: Sequence[Parked]) -> Table:
    """The parked entries, one line each."""
    lines = Table("position", "resource", "type", "object", "error", "attempts", "parked since")
    for column in lines.columns:
        column.overflow = "fold"
    for one in found:
        since = one.parked_at.astimezone().isoformat(sep=" ", timespec="seconds")
        cells = (str(one.position), one.resource, one.type, one.object_id or "-", one.error, str(one.attempts), since)
        lines.add_row(*map(escape, cells))
    return lines
