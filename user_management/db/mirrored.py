"""The tables of mirrored resources in the form that migrations from 0013 on make them.

Migrations must do tomorrow what they do today, so nothing here may change: another form is another function.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql


def create(table: str, *columns: str) -> None:
    """Make a table with columns of its own, all of text, and the shared ones; and the indexes of its list by age."""
    op.create_table(
        table,
        *(sa.Column(name, sa.Text(), nullable=True) for name in columns),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("body", postgresql.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=f"pk_{table}"),
        postgresql_with={"fillfactor": 85},
    )
    alive = sa.text("deleted_at IS NULL")
    op.create_index(f"ix_{table}_created_at", table, ["created_at", "id"])
    op.create_index(f"ix_{table}_live", table, ["created_at", "id"], postgresql_where=alive)


def index(table: str, *columns: str, **expressions: str) -> None:
    """Make an index for the list by age narrowed by each of these columns, or by an expression over the column."""
    narrowed = [(name, name) for name in columns] + [(name, sa.text(value)) for name, value in expressions.items()]
    for name, value in narrowed:
        op.create_index(f"ix_{table}_{name}", table, [value, "created_at", "id"])
