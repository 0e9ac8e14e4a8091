"""What a list can be narrowed by: what its resource declares, and what every one can be narrowed by."""

from collections.abc import Callable
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, DateTime, bindparam

from user_management.mirror.engine.resource import Filter, Resource

EXAMPLE = "2026-11-01T00:00:00Z"


@cache
def of(resource: Resource) -> tuple[Filter, ...]:
    """Every filter of a resource's list."""
    created, updated = resource.table.c.created_at, resource.table.c.updated_at
    return (
        timed(
            "created_after",
            "Only objects created then or later (RFC 3339). With `created_before`, spans that meet neither overlap nor "
            "leave anything out.",
            lambda value: created >= value,
        ),
        timed("created_before", "Only objects created earlier than this (RFC 3339).", lambda value: created < value),
        timed(
            "updated_after",
            "Only objects whose `updated_at` is then or later (RFC 3339). What WorkOS changes without moving it (a "
            "sign-in) does not show. Where little fits, the whole table is read.",
            lambda value: updated >= value,
            sparse=True,
        ),
        *resource.filters,
    )


def timed(
    name: str, words: str, condition: Callable[[BindParameter[Any]], ColumnElement[bool]], *, sparse: bool = False
) -> Filter:
    """A filter by a time."""
    kind = DateTime(timezone=True)
    return Filter(name, words, condition, type=datetime, example=EXAMPLE, sql_type=kind, sparse=sparse)


def conditions(
    resource: Resource, names: tuple[str, ...], *, sparse: bool, at_hand: bool = False
) -> list[ColumnElement[bool]]:
    """The conditions of the filters of these names: those that are sparse, or those that are not."""
    return [
        ((at_hand and declared.at_hand) or declared.condition)(bindparam(declared.name, type_=declared.sql_type))
        for declared in of(resource)
        if declared.name in names and declared.sparse is sparse
    ]
