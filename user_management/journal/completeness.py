"""Completeness: whether the copy holds everything of a resource, and not merely what it was told of lately."""

from collections.abc import Iterable

from user_management.db.session import Connection


async def complete(connection: Connection, resource: str, event_types: Iterable[str]) -> bool:
    """Whether the newest backfill is through and had not to leave the resource out, and all its events are followed.

    It says nothing of what WorkOS lists only in part, or is not asked to list.
    """
    return await connection.fetchval(f"SELECT {condition(resource, event_types)}") is True


def condition(resource: str, event_types: Iterable[str]) -> str:
    """The same as an expression of SQL; neither true nor false before the first backfill."""
    followed = ", ".join(f"'{one}'" for one in event_types)
    return f"""(
        SELECT cursor.event_types @> ARRAY[{followed}]::text[]
            AND NOT newest.unfinished AND NOT '{resource}' = ANY (newest.left_out)
        FROM cursor, (SELECT unfinished, left_out FROM backfills ORDER BY id DESC LIMIT 1) newest
    )"""
