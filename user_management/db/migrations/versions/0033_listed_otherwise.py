"""Objects that a backfill saw listed as old as they are here, and yet otherwise."""

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"


def upgrade() -> None:
    """Bring the schema here from the revision before."""
    op.add_column("backfill_seen", sa.Column("differs", sa.Boolean(), server_default="false", nullable=False))


def downgrade() -> None:
    """Take the schema back to the revision before."""
    op.drop_column("backfill_seen", "differs")
