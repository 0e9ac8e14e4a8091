"""How often the journal was rewritten because somebody was erased: who reads it for long looks whether it was."""

import sqlalchemy as sa
from alembic import op

revision = "0034"
down_revision = "0033"


def upgrade() -> None:
    """Bring the schema here from the revision before."""
    op.add_column("erasure_key", sa.Column("rewrites", sa.BigInteger(), server_default="0", nullable=False))


def downgrade() -> None:
    """Take the schema back to the revision before."""
    op.drop_column("erasure_key", "rewrites")
