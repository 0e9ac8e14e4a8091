"""`user-management backfill`: list everything WorkOS has again, watched or done by this process."""

import asyncio
from collections.abc import Sequence
from typing import Annotated

import typer
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from user_management.cli import edge, follow
from user_management.cli.edge import Desk
from user_management.cli.rebuild import named
from user_management.db.session import Connection, Pool, transaction
from user_management.errors import Wait
from user_management.journal import checkpoints, cursor
from user_management.listener import backfills, daemon, lease
from user_management.listener.backfills import Backfill, Phase
from user_management.mirror.engine import catalog
from user_management.services.workos import objects
from user_management.services.workos.client import WorkOS

GLANCE = 0.2
"""Seconds between looks at how far the run is."""

DOING = {
    Phase.LISTING: "Listing",
    Phase.FOLLOWING: "Following the events that came meanwhile",
    Phase.CONFIRMING: "Asking for what was not listed",
    Phase.DONE: "Done",
}


def backfill(
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Stay until it is done, or only ask for it.")] = True,
    also: Annotated[
        list[str] | None,
        typer.Option("--with", help="Also list a resource that takes a request for each user, such as sessions."),
    ] = None,
) -> None:
    """List all of WorkOS again and find what was deleted unseen.  Example: user-management backfill --no-wait."""
    found = edge.run(ask(wait=wait, also=chosen(also)))
    if found.finished_at is not None:
        edge.out.print(f"Backfill {found.id}: {found.listed:,} objects listed, {found.changed:,} changed. {found.note}")
    elif not wait:
        edge.out.print(f"Backfill {found.id} is asked for; a listener does it. See: user-management status")
    else:
        raise typer.Exit(edge.INTERRUPTED)


def chosen(also: Sequence[str] | None) -> list[str]:
    """The names of resources that are listed only where they are asked for, checked."""
    return [one.name for one in named(also)] if also else []


async def ask(*, wait: bool, also: Sequence[str]) -> Backfill:
    """Ask for a run and see it through; the run as it is at the end, or as it was when we were interrupted."""
    async with edge.open_desk() as desk:
        async with transaction(desk.pool) as connection:
            run, holder = await request(connection, also), await lease.holder(connection)
        if not wait:
            return run
        if holder is None:
            return await do(desk, run)
        stop = edge.interrupted()
        edge.err.print(f"The listener {holder} does it.", markup=False)
        return await watch_until(desk, run, stop, "The run goes on; `user-management backfill` watches it.")


async def request(connection: Connection, also: Sequence[str]) -> Backfill:
    """The run at work, or a new one; also before any listener ever started."""
    resources = catalog.resources()
    await checkpoints.ensure(connection, [resource.name for resource in resources])
    await cursor.ensure(connection)
    return await backfills.request(connection, resources[0].name, also)


async def do(desk: Desk, run: Backfill) -> Backfill:
    """Do a run in this process, as the listener nobody else is."""
    async with follow.connected(desk) as workos:
        await try_key(workos)
        edge.err.print("No listener is at work, so this process does it.")
        listener = follow.listener_for(desk, workos)
        working = asyncio.create_task(daemon.run(listener))
        try:
            return await watch_until(desk, run, edge.interrupted(), "Stopped; the next listener goes on from here.")
        finally:
            listener.stopping.set()
            await working


async def try_key(workos: WorkOS) -> None:
    """`Misconfigured` when WorkOS refuses our key; when it is only away, the run waits for it."""
    try:
        await objects.page(workos, catalog.resources()[0].listing.path, after="", parameters={})
    except Wait as error:
        edge.err.print(f"{error}; waiting for it.", style="yellow", markup=False)


async def watch_until(desk: Desk, run: Backfill, stop: asyncio.Event, farewell: str) -> Backfill:
    """Show how far a run is until it is finished or we are to stop; then say what becomes of it."""
    with bar() as progress:
        total = await known(desk.pool) if run.start_position else None
        task = progress.add_task("Listing", total=total, rate="")
        start = run.listed
        while run.finished_at is None and not stop.is_set():
            run = await reread(desk.pool, run)
            await show(desk.pool, progress, task, run, start)
            await asyncio.wait([asyncio.ensure_future(stop.wait())], timeout=GLANCE)
    if run.finished_at is None:
        edge.err.print(farewell)
    return run


async def show(pool: Pool, progress: Progress, task: TaskID, run: Backfill, start: int) -> None:
    """Draw how far a run is."""
    speed = edge.rate(run.listed - start, progress.tasks[task].elapsed or 0) if run.phase is Phase.LISTING else ""
    part = await partitions(pool, run) if run.phase is Phase.LISTING else ""
    what = f"{DOING[run.phase]} {run.resource if run.phase is Phase.LISTING else ''}".rstrip()
    progress.update(task, description=what + part, completed=run.listed, rate=speed)


async def reread(pool: Pool, run: Backfill) -> Backfill:
    """The run as it is now."""
    async with pool.acquire() as connection:
        return await backfills.latest(connection) or run


async def known(pool: Pool) -> int:
    """How many live objects the copy holds: what a run over it will list, roughly."""
    async with pool.acquire() as connection:
        counts = [
            await connection.fetchval(f"SELECT count(*) FROM {resource.name} WHERE deleted_at IS NULL")
            for resource in catalog.resources()
        ]
    return sum(counts)


async def partitions(pool: Pool, run: Backfill) -> str:
    """How many parents have been listed, for a resource that is listed parent by parent."""
    resource = catalog.by_name(run.resource)
    if resource is None or not resource.listing.per:
        return ""
    async with pool.acquire() as connection:
        row = await connection.fetchrow(
            f"SELECT count(*) FILTER (WHERE id < $1) AS done, count(*) AS total FROM {resource.listing.per} "
            "WHERE deleted_at IS NULL", run.partition,
        )  # fmt: skip
    return f" ({row['done']:,} of {row['total']:,} {resource.listing.per})" if row else ""


def bar() -> Progress:
    """A bar over objects, with rate, time spent and, where the total is known, time left."""
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:,.0f} objects"),
               TextColumn("{task.fields[rate]}"), TimeElapsedColumn(), TimeRemainingColumn())  # fmt: skip
    return Progress(*columns, console=edge.err)
