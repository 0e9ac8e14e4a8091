"""`user-management why`."""

from collections.abc import Sequence
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from user_management.cli import edge
from user_management.cli.rebuild import named
from user_management.journal.history import Said
from user_management.journal.timestamps import render
from user_management.mirror.engine import why as engine
from user_management.mirror.engine.why import Explanation


def why(
    resource: Annotated[str, typer.Argument(help="Which resource: users, organizations, …")],
    object_id: Annotated[str, typer.Argument(metavar="ID", help="The object's id.")],
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many entries to show, at most.")] = 20,
) -> None:
    """Explain why an object is as it is.  Example: user-management why users user_01E4ZCR3C56J083X43JQXF3JK5."""
    found = edge.run(explained(resource, object_id, limit))
    edge.out.print(summary(found))
    edge.out.print(table(found.entries))
    if found.more:
        edge.out.print(f"There are older entries; --limit {limit * 2} shows more.", style="dim")


async def explained(name: str, object_id: str, limit: int) -> Explanation:
    """The explanation, all of one moment; `NeverSeen` when there is nothing to tell."""
    (resource,) = named([name])
    async with (
        edge.open_desk() as desk,
        desk.pool.acquire() as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        return await engine.explain(connection, resource, object_id, limit=limit)


def summary(found: Explanation) -> Table:
    """How the object stands, one line for each fact."""
    lines = Table(show_header=False, title=escape(f"{found.resource} {found.id}"), title_justify="left")
    ended, last = found.ended_by, found.last_event
    facts = {
        "state": found.state.value + (f" since {render(found.deleted_at)}" if found.deleted_at else ""),
        "comes from": "-" if found.position is None else f"the entry at position {found.position}",
        "ended with": f"{ended.resource} {ended.id} (position {ended.position})" if ended else "",
        "last event": f"{last.type} {last.event_id}, {render(last.occurred_at)}" if last else "none",
        "verified": render(found.verified_at) if found.verified_at else "not yet",
        **{f"parked at {one.position}": f"{one.type}: {one.error}" for one in found.parked},
    }
    for name, fact in facts.items():
        if fact:
            lines.add_row(name, escape(fact))
    return lines


def table(entries: Sequence[Said]) -> Table:
    """The entries, newest first, one line each."""
    lines = Table("position", "lane", "type", "happened", "recorded", "what became of it")
    for column in lines.columns:
        column.overflow = "fold"
    for one in entries:
        times = (render(one.occurred_at), render(one.recorded_at))
        lines.add_row(*map(escape, (str(one.position), one.lane.value, one.type, *times, engine.WORDS[one.verdict])))
    return lines
