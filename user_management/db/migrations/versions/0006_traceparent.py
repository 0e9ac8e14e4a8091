"""The trace that brought an entry into the journal."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Bring the schema here from the revision before."""
    op.add_column("journal", sa.Column("traceparent", sa.Text(), nullable=True))


def downgrade() -> None:
    """Take the schema back to the revision before."""
    op.drop_column("journal", "traceparent")
