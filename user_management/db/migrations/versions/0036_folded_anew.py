"""How often tables were put in the place of others; and what is folded otherwise since.

The listener folds the latter from the journal again, when it next starts.
"""

import sqlalchemy as sa
from alembic import op

revision = "0036"
down_revision = "0035"


def upgrade() -> None:
    """Bring the schema here from the revision before."""
    op.add_column("erasure_key", sa.Column("swaps", sa.BigInteger(), server_default="0", nullable=False))
    op.drop_column("backfills", "followed_at")
    op.execute(
        "UPDATE checkpoints SET position = 0 "
        "WHERE name IN ('organizations', 'group_memberships', 'directory_group_memberships')"
    )


def downgrade() -> None:
    """Take the schema back to the revision before; a table folded once more is the same table."""
    op.add_column("backfills", sa.Column("followed_at", sa.DateTime(timezone=True)))
    op.drop_column("erasure_key", "swaps")
