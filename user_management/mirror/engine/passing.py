"""States that pass by themselves: WorkOS tells by no event that an invitation or a session has expired."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, DateTime, Text, and_, case, cast, func, literal_column, not_, or_

from user_management.journal.timestamps import parse, render
from user_management.mirror.engine.resource import Passing, Resource


def instant(key: str) -> Callable[[Any], str | None]:
    """How a column of the points in time under `key` is read: in one form, that PostgreSQL can read too."""

    def read(body: Any) -> str | None:
        found = parse(body.get(key))
        return render(found) if found else None

    return read


def over(columns: Any, state: Passing) -> ColumnElement[bool]:
    """Whether a row's state has passed."""
    until = cast(columns[state.until], DateTime(timezone=True))
    return and_(columns[state.key] == word(state.now), until.is_not(None), until <= func.now())


def piece(state: Passing, value: str) -> ColumnElement[str]:
    """A state as it stands in a body."""
    return word(f'"{state.key}":"{value}"')


def word(text: str) -> ColumnElement[str]:
    """A word of ours as an SQL literal."""
    return literal_column(f"'{text}'", Text)


def body(resource: Resource) -> ColumnElement[str]:
    """The JSON of a row, its state as it is by now."""
    columns, state = resource.table.c, resource.passing
    stored = cast(columns.body, Text)
    if state is None:
        return stored
    # As text: the body is ours, without spaces, and `jsonb` refuses what `json` keeps (NUL, halves of characters).
    now = func.replace(stored, piece(state, state.now), piece(state, state.then))
    return case((over(columns, state), now), else_=stored)


def among(row: Any, state: Passing) -> Callable[[BindParameter[Any]], ColumnElement[bool]]:
    """The condition of a filter by state: of those that are so by now."""
    columns = row.__table__.c

    def condition(wanted: BindParameter[Any]) -> ColumnElement[bool]:
        passed = over(columns, state)
        return or_(and_(columns[state.key] == wanted, not_(passed)), and_(wanted == word(state.then), passed))

    return condition
