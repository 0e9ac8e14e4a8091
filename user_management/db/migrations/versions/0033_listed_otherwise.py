"""Objects that a backfill saw listed as old as they are here, and yet otherwise; and since when it asks for objects."""

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"


def upgrade() -> None:
    """Bring the schema here from the revision before."""
    op.add_column("backfill_seen", sa.Column("differs", sa.Boolean(), server_default="false", nullable=False))
    op.add_column("backfills", sa.Column("followed_at", sa.DateTime(timezone=True)))


def downgrade() -> None:
    """Take the schema back to the revision before."""
    op.drop_column("backfills", "followed_at")
    op.drop_column("backfill_seen", "differs")
