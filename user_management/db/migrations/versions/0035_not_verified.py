"""What a verification turned out not to be able to compare."""

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision = "0034"


def upgrade() -> None:
    """Bring the schema here from the revision before."""
    op.add_column("verifications", sa.Column("left_out", sa.ARRAY(sa.Text()), server_default="{}", nullable=False))


def downgrade() -> None:
    """Take the schema back to the revision before."""
    op.drop_column("verifications", "left_out")
