"""Soft deletions: which memberships of whom were deactivated, so that they can be reactivated."""

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"


def upgrade() -> None:
    """Bring the schema here from the revision before."""
    op.create_table(
        "soft_deletions",
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("memberships", sa.ARRAY(sa.Text()), server_default="{}", nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("leased_until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("user_id", name="pk_soft_deletions"),
    )


def downgrade() -> None:
    """Take the schema back to the revision before."""
    op.drop_table("soft_deletions")
