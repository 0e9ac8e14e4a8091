"""The declarative base of every table, and the column types they share."""

from datetime import datetime
from typing import Annotated

from sqlalchemy import JSON, DateTime, MetaData, Table, Text
from sqlalchemy.orm import DeclarativeBase, mapped_column

Timestamp = Annotated[datetime, mapped_column(DateTime(timezone=True))]
Verbatim = Annotated[str, mapped_column(JSON)]
"""JSON kept as the text it came as (PostgreSQL `json`, not `jsonb`): served and compared byte for byte."""


class Base(DeclarativeBase):
    """Every table of ours, with constraint and index names that migrations can rely on."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {str: Text()}  # noqa: RUF012  SQLAlchemy reads this class attribute by name


def table_of(row: type[Base]) -> Table:
    """The table a declarative class describes."""
    table = row.__table__
    assert isinstance(table, Table)  # noqa: S101  narrows SQLAlchemy's FromClause for the type checker
    return table
